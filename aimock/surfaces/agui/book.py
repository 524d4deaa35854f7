"""The fixtures of one agent, in the order in which they are tried, and how often they were served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from aimock.surfaces.agui.fixture import Fixture
from aimock.surfaces.agui.match import Match
from aimock_protocols.agui.run_input import RunInput

_MOST_TESTS = 500
"""Test ids whose counts are kept; beyond, the one that came first is forgotten."""


class Book:
    """The first fixture that fits wins. But a request that brings something (a tool's result, or an answer to an
    interrupt) is first asked of the fixtures that are about such: what its user said is still in it, and the fixture
    for that would ask for the same thing again and again."""

    def __init__(self) -> None:
        self._fixtures: list[Fixture] = []
        self._served: dict[str, Counter[Match]] = {}

    def __len__(self) -> int:
        return len(self._fixtures)

    def add(self, fixtures: Iterable[Fixture]) -> None:
        self._fixtures += fixtures

    def clear(self) -> None:
        self._fixtures.clear()
        self._served.clear()

    def rewind(self, test_id: str | None) -> None:
        """Sequences begin anew, of one test or of all."""
        if test_id is None:
            self._served.clear()
        else:
            self._served.pop(test_id, None)

    def serve(self, asked: RunInput, test_id: str) -> Fixture | None:
        """The fixture that answers, which is counted."""
        for fixture in self._in_turn(asked):
            match = fixture.match
            if not match.fits(asked):
                continue
            if match.sequence_index is None:
                return fixture
            if self._count(test_id)[match.sequence] == match.sequence_index:
                self._count(test_id)[match.sequence] += 1
                return fixture
        return None

    def _in_turn(self, asked: RunInput) -> Iterator[Fixture]:
        brought = [
            field
            for field, is_there in (("resume", asked.resume), ("tool_call_id", asked.last_tool_call_id))
            if is_there
        ]
        if brought:
            yield from (
                each for each in self._fixtures if any(getattr(each.match, field) is not None for field in brought)
            )
        yield from self._fixtures

    def _count(self, test_id: str) -> Counter[Match]:
        if test_id not in self._served:
            if len(self._served) >= _MOST_TESTS:
                del self._served[next(iter(self._served))]
            self._served[test_id] = Counter()
        return self._served[test_id]

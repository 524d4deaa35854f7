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
    """The first fixture that fits wins; but who answers an interrupt is first asked for among the fixtures that are for
    that, or the question would be put again and again."""

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
        if not asked.resume:
            yield from self._fixtures
            return
        for is_resumed in (True, False):
            yield from (fixture for fixture in self._fixtures if (fixture.match.resume is not None) is is_resumed)

    def _count(self, test_id: str) -> Counter[Match]:
        if test_id not in self._served:
            if len(self._served) >= _MOST_TESTS:
                del self._served[next(iter(self._served))]
            self._served[test_id] = Counter()
        return self._served[test_id]

"""What a collection was told beforehand to answer: results, which win over what the store would find, failures, how
long it takes, and when it is ready. What comes in turn is counted for each test id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from aimock.bounded import Bounded

_TEST_IDS = 500

Id = str | int


class Asked(NamedTuple):
    """What a query is told by."""

    vector: Sequence[float] | None
    """None: the query has none, or not a plain one."""
    top_k: int
    filter: Any = None
    """As the client sent it."""


class Scripted(NamedTuple):
    """A result, as it was told."""

    id: Id
    score: float
    """Sent as it is, whatever the collection's measure."""
    metadata: Mapping[str, Any] | None = None
    document: str | None = None


Results = Sequence[Scripted] | Callable[[Asked], Sequence[Scripted]]
"""The nearest first."""


@attrs.frozen(eq=False)
class Told:
    """The results of a query, or of every query."""

    results: Results
    sequence_index: int | None = None
    """Of the queries of the collection under a test id, the one of this number is meant; None: all for which there is
    no other."""


@attrs.frozen(eq=False)
class Failure:
    """Requests fail so."""

    status: int = 500
    body: Any = None
    """A string is the message of an error in the provider's words; anything else is sent as it is."""
    operation: str | None = None
    """Those that metrics call so; None: all that are about the collection."""
    times: int | None = None
    """Under each test id; None: always."""


_QUERIES, _POLLS = "queries", "polls"


class Script:
    """Changed and asked only in the server's loop."""

    def __init__(self) -> None:
        self.results: tuple[Told, ...] = ()
        self.failures: tuple[Failure, ...] = ()
        """The first one that is not used up comes."""
        self.delay = 0.0
        """Seconds that every answer about the collection takes longer."""
        self.polls = 0
        """So often it is said not to be ready."""
        self._counts: Bounded[str, Counter[Hashable]] = Bounded(_TEST_IDS)

    def tell(self, told: Told) -> None:
        """In place of what was told for the same queries."""
        others = [each for each in self.results if each.sequence_index != told.sequence_index]
        self.results = (*others, told)

    def answer(self, asked: Asked, test_id: str) -> list[Scripted] | None:
        """The results that were told for a query, cut to what it asks for, and counts it; None: the store is to find
        them. Raises what a function raises that tells them."""
        if not self.results:
            return None
        by_index = {told.sequence_index: told.results for told in self.results}
        results = by_index.get(self._count(test_id, _QUERIES), by_index.get(None))
        if results is None:
            return None
        return [*(results(asked) if callable(results) else results)][: asked.top_k]

    def failure(self, operation: str, test_id: str) -> Failure | None:
        """How a request is to fail, which is thereby counted."""
        for failure in self.failures:
            if failure.operation in (None, operation) and (
                failure.times is None or self._counted(test_id)[failure] < failure.times
            ):
                self._count(test_id, failure)
                return failure
        return None

    def is_ready(self, test_id: str) -> bool:
        """What a client is told that waits for the collection, which is thereby counted."""
        return self._count(test_id, _POLLS) >= self.polls

    def rewind(self, test_id: str | None = None) -> None:
        """Counts anew, under one test id or all."""
        if test_id is None:
            self._counts.clear()
        else:
            self._counts.pop(test_id, None)

    def _count(self, test_id: str, what: Hashable) -> int:
        """How often it was counted before."""
        counted = self._counted(test_id)
        counted[what] += 1
        return counted[what] - 1

    def _counted(self, test_id: str) -> Counter[Hashable]:
        if test_id not in self._counts:
            self._counts.keep(test_id, Counter())
        return self._counts[test_id]

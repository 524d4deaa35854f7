"""How often something was called, by test."""

from __future__ import annotations

import collections

_MOST_TESTS = 1_000


class Counters:
    """Counts under test ids, of which those that were not heard of longest are forgotten."""

    def __init__(self) -> None:
        self._tests: collections.OrderedDict[str, collections.Counter[str]] = collections.OrderedDict()

    def next(self, test_id: str, key: str) -> int:
        """How often it was asked before under this test id."""
        counts = self._tests.setdefault(test_id, collections.Counter())
        self._tests.move_to_end(test_id)
        if len(self._tests) > _MOST_TESTS:
            self._tests.popitem(last=False)
        counts[key] += 1
        return counts[key] - 1

    def rewind(self, test_id: str | None = None) -> None:
        if test_id is None:
            self._tests.clear()
        else:
            self._tests.pop(test_id, None)

"""One-shot errors: the next request that can carry one gets it, whatever it asks for (spec: core-server §5).

They are kept apart from the fixtures, so that no fixture can beat them and a request that cannot carry one leaves
them where they are. Taking one removes it; two requests never get the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from aimock.fixtures import Fixture

_ENDPOINTS = frozenset({"", "chat", "embedding", "fal"})

MOST = 10_000


class TooManyErrors(ValueError):
    """More errors are queued than anybody waits for."""


class InjectedErrors:
    """Queued errors, the last queued served first."""

    def __init__(self) -> None:
        self._queued: list[tuple[str | None, Fixture]] = []

    def add(self, error: Fixture, test_id: str | None = None) -> None:
        """`error`: a fixture that answers with one. `test_id`: only requests under it get it; None: any request.

        Raises TooManyErrors.
        """
        if len(self._queued) >= MOST:
            raise TooManyErrors(f"{MOST} errors are queued already, and no request has met them")
        self._queued.append((test_id, error))

    def take(self, test_id: str, endpoint: str) -> Fixture | None:
        """The error that the request must be answered with, if there is one."""
        if not self._queued or not (endpoint in _ENDPOINTS or endpoint.startswith("realtime")):
            return None
        for position in range(len(self._queued) - 1, -1, -1):
            wanted = self._queued[position][0]
            if wanted is None or wanted == test_id:
                return self._queued.pop(position)[1]
        return None

    def __len__(self) -> int:
        return len(self._queued)

    def __iter__(self) -> Iterator[Fixture]:
        """Those that no request has met yet, in the order in which they were queued."""
        return (error for _, error in self._queued)

    def clear(self) -> None:
        self._queued.clear()

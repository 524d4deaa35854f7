"""One-shot errors: the next request that can carry one gets it, whatever it asks for (spec: core-server §5).

They are kept apart from the fixtures, so that no fixture can beat them and a request that cannot carry one leaves
them where they are. Taking one removes it; two requests never get the same.
"""

from __future__ import annotations

from aimock_protocols.canonical import ErrorReply

_ENDPOINTS = frozenset({"", "chat", "embedding", "fal"})


class InjectedErrors:
    """Queued errors, the last queued served first."""

    def __init__(self) -> None:
        self._queued: list[tuple[str | None, ErrorReply]] = []

    def add(self, error: ErrorReply, test_id: str | None = None) -> None:
        """`test_id`: only requests under it get the error; None: any request does."""
        self._queued.append((test_id, error))

    def take(self, test_id: str, endpoint: str) -> ErrorReply | None:
        """The error that the request must be answered with, if there is one."""
        if not self._queued or not (endpoint in _ENDPOINTS or endpoint.startswith("realtime")):
            return None
        for position in range(len(self._queued) - 1, -1, -1):
            wanted = self._queued[position][0]
            if wanted is None or wanted == test_id:
                return self._queued.pop(position)[1]
        return None

    def clear(self) -> None:
        self._queued.clear()

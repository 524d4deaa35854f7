"""Streams of events that outlive connections: what is sent is kept, for a while, for a client that comes again.

A stream belongs to one request, or to a session's lasting GET. It is written by whoever has something to say, without
waiting, and read by one connection at a time.
"""

from __future__ import annotations

import collections
from collections.abc import AsyncGenerator, Callable
from typing import Any

import trio

from aimock.surfaces.mcp.moves import Outcome
from aimock_protocols.mcp import frames


class EventStream:
    """The messages of one stream, in order. Also a `Line`."""

    def __init__(self, number: int | None = None, *, keep: int = 0, primed: bool = False, muted: bool = False) -> None:
        """`number`: by which its events are known in its session; None: they have no ids, and none is taken up again.
        `keep`: how many events are kept when they have been read. `primed`: it begins with an event that only has an
        id, and its connections may be ended and come again (2025-11-25). `muted`: its client takes no streams, so it
        has only an end."""
        self.number = number
        self.is_over = False
        self.outcome: Outcome | None = None
        """Of the request that it belongs to, when it is over."""
        self.has_reader = False
        self.on_unread: Callable[[], object] | None = None
        """Called when its reader leaves before the end."""
        self._keep = keep
        self._primed = primed
        self._muted = muted
        self._events: collections.deque[tuple[int, bytes | None]] = collections.deque()
        """With their numbers; None: the connection ends here."""
        self._next = 0
        self._unread = 0
        """The number of the first event that nobody has read."""
        self._changed = trio.Event()
        self.has_spoken = False
        """Whether there was anything before the end."""
        if primed:
            self._append(frames.priming(self._id()))

    def _id(self) -> str:
        return "" if self.number is None else str(frames.Place(self.number, self._next))

    def _append(self, data: bytes | None) -> None:
        self._events.append((self._next, data))
        self._next += 1
        # What nobody has read yet is kept for longer, but not for ever.
        while len(self._events) > max(self._keep, min(self._next - self._unread, _MOST_UNREAD)):
            self._events.popleft()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def send(self, message: dict[str, Any]) -> None:
        """Adds a message. After the end there is nobody who would hear it."""
        if not self.is_over and not self._muted:
            self.has_spoken = True
            self._append(frames.event(message, self._id()))

    def hang_up(self, retry_ms: int) -> None:
        """Ends the connection that reads it, whose client comes again after so long. Without ids nothing happens."""
        if self._primed and not self.is_over:
            self.has_spoken = True
            self._append(frames.retry(retry_ms))
            self._append(None)

    def finish(self, outcome: Outcome | None) -> None:
        """The last message, or none, and the end."""
        if self.is_over:
            return
        if outcome is not None:
            self._append(frames.event(outcome.response, self._id()))
        self.outcome = outcome
        self.is_over = True
        self._wake()

    def knows(self, number: int) -> bool:
        """Whether everything after the event of that number is still here."""
        oldest = self._events[0][0] if self._events else self._next
        return oldest - 1 <= number < self._next

    async def stirred(self, patience: float) -> None:
        """Returns when there is a message, or the end, or after so many seconds."""
        with trio.move_on_after(patience):
            while not self.has_spoken and not self.is_over:
                await self._changed.wait()

    async def read(self, after: int | None, keep_alive: float) -> AsyncGenerator[bytes, None]:
        """The events after that number (None: those that nobody has read), as they come; a comment whenever there was
        none for so many seconds. One reader at a time: `has_reader` is set by whoever decides that it may read."""
        self.has_reader = True
        place = self._unread if after is None else after + 1
        joined = self._next
        try:
            while True:
                for number, data in [event for event in self._events if event[0] >= place]:
                    place = number + 1
                    self._unread = max(self._unread, place)
                    if data is not None:
                        yield data
                    elif number >= joined or after is None:
                        return
                if self.is_over and place >= self._next:
                    return
                if place >= self._next:
                    changed = self._changed
                    with trio.move_on_after(keep_alive) as patience:
                        await changed.wait()
                    if patience.cancelled_caught:
                        yield frames.PING
        finally:
            self.leave()

    def leave(self) -> None:
        """Its reader is gone."""
        self.has_reader = False
        if not self.is_over and self.on_unread is not None:
            self.on_unread()


_MOST_UNREAD = 1_000
"""Events that wait for a client. The oldest go first."""


class Together:
    """The line of one message of a batch, whose answers share a stream that ends with the last of them."""

    def __init__(self, stream: EventStream, open: list[object]) -> None:
        """`open`: what is under way of the batch, to which this adds itself."""
        self._stream = stream
        self._open = open
        open.append(self)

    def send(self, message: dict[str, Any]) -> None:
        self._stream.send(message)

    def hang_up(self, retry_ms: int) -> None:
        """No revision has both batches and streams that are taken up by priming."""

    def finish(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._stream.send(outcome.response)
        self._open.remove(self)
        if not self._open:
            self._stream.finish(None)

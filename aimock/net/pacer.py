"""One task that writes the due pieces of every paced stream.

A task for each stream, sleeping between its pieces, costs some 40 µs a wake-up and falls behind at a few thousand
streams. Here one heap of (deadline, stream) wakes one task, which hands every due piece straight to its socket.
Deadlines are absolute, so lateness never adds up. A stream whose reader is slow leaves the heap until its owner has
written what is owed, so that it delays nobody else.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import trio

from aimock.net.transport import Transport

_BATCH = 256
"""Streams served before other tasks get their turn."""

_NOWHERE = -1

_JOINED_BYTES = 64 * 1024
"""Late pieces are joined to about this much, so that an endless stream is computed no faster than it is read."""


class PacedStream:
    """Timed pieces on their way to one transport."""

    __slots__ = ("_pieces", "_separate", "_start", "due", "failure", "on_rest", "owed", "pending", "place", "transport")

    def __init__(
        self, transport: Transport, pieces: Iterator[tuple[float, bytes]], start: float, *, separate: bool = False
    ) -> None:
        """A piece is due at `start` (Trio time, seconds) plus its offset. `separate`: late pieces are not joined."""
        self.transport = transport
        self._pieces = pieces
        self._start = start
        self._separate = separate
        self.owed = b""
        """What the transport could not take at once, for the stream's owner to send."""
        self.failure: Exception | None = None
        """PeerGone; or what computing a piece raised, when all pieces before it have been taken."""
        self.on_rest: Callable[[], object] | None = None
        self.place = _NOWHERE
        """The number of its entry in the pacer's heap."""
        self.pending: bytes | None = b""
        """The next piece; None when there is none."""
        self.due = start
        self._advance()

    @property
    def is_done(self) -> bool:
        """Whether every piece was computed and sent."""
        return self.pending is None and not self.owed and self.failure is None

    def _advance(self) -> None:
        try:
            piece = next(self._pieces, None)
        except Exception as error:  # pieces are computed as they are read; those before this one are still to be sent
            self.failure = error
            piece = None
        if piece is None:
            self.pending = None
        else:
            self.due = self._start + piece[0]
            self.pending = piece[1]

    def take_due(self, now: float) -> bytes:
        """The pending piece, joined with those that are due as well."""
        data = self.pending
        assert data is not None
        self._advance()
        if self.pending is None or self.due > now or self._separate:
            return data
        late = [data]
        size = len(data)
        while self.pending is not None and self.due <= now and size < _JOINED_BYTES:
            late.append(self.pending)
            size += len(self.pending)
            self._advance()
        return b"".join(late)


class Pacer:
    """Plays paced streams. `run` must be running."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PacedStream]] = []
        self._stale = 0
        """Entries whose stream was dropped."""
        self._order = itertools.count()
        self._sleeper: trio.lowlevel.Task | None = None
        self._alarm = math.inf

    def play(self, stream: PacedStream, on_rest: Callable[[], object]) -> None:
        """Takes the stream in hand. `on_rest` is called once, when the pacer lets go of it.

        Then the stream has bytes `owed` that a slow reader did not take (send them and play it again), or a `failure`,
        or is done.
        """
        stream.on_rest = on_rest
        if stream.pending is None:
            self._rest(stream)
            return
        stream.place = next(self._order)
        heapq.heappush(self._heap, (stream.due, stream.place, stream))
        if stream.due < self._alarm and self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    def drop(self, stream: PacedStream) -> None:
        """Forgets the stream; its owner has lost interest."""
        stream.on_rest = None
        if stream.place == _NOWHERE:
            return
        stream.place = _NOWHERE  # its entry is passed over, even if the stream is played again before that is due
        self._stale += 1
        if self._stale > len(self._heap) // 2:  # they may be due in an hour, and hold what a stream holds
            self._heap = [entry for entry in self._heap if entry[2].place == entry[1]]
            heapq.heapify(self._heap)
            self._stale = 0

    async def run(self) -> None:
        """Never returns; cancel it."""
        while True:
            now = trio.current_time()
            for _ in range(_BATCH):
                if not self._heap or self._heap[0][0] > now:
                    break
                self._serve(now)
            await self._sleep_until(self._heap[0][0] if self._heap else math.inf)

    async def _sleep_until(self, deadline: float) -> None:
        def abort(_: Any) -> trio.lowlevel.Abort:
            self._sleeper = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._alarm = deadline
        with trio.CancelScope(deadline=deadline):
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        self._alarm = -math.inf

    def _serve(self, now: float) -> None:
        """Serves the first stream of the heap."""
        _, place, stream = self._heap[0]
        if stream.place != place:
            heapq.heappop(self._heap)
            self._stale -= 1
        elif _write(stream, now):
            heapq.heapreplace(self._heap, (stream.due, place, stream))
        else:
            heapq.heappop(self._heap)
            self._rest(stream)

    def _rest(self, stream: PacedStream) -> None:
        on_rest, stream.on_rest = stream.on_rest, None
        stream.place = _NOWHERE
        assert on_rest is not None
        on_rest()


def _write(stream: PacedStream, now: float) -> bool:
    """Writes what is due. Whether there is more to come of the stream, and nothing in its way."""
    data = stream.take_due(now)
    try:
        sent = stream.transport.try_send(data) if data else 0
    except Exception as error:
        stream.failure = error
        return False
    if sent < len(data):
        stream.owed = data[sent:]
        return False
    return stream.pending is not None

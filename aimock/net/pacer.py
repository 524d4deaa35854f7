"""One task that writes the due pieces of everything that is paced.

A task for each stream, sleeping between its pieces, costs some 40 µs a wake-up and falls behind at a few thousand
streams. Here one heap of (deadline, paced) wakes one task, in which every due piece is handed straight to its socket.
Deadlines are absolute, so lateness never adds up. What has a slow reader leaves the heap until its owner has written
what is owed, so that it delays nobody else.
"""

from __future__ import annotations

import abc
import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import trio

from aimock.net.transport import Transport

_BATCH = 256
"""Served before other tasks get their turn."""

_NOWHERE = -1

JOINED_BYTES = 64 * 1024
"""Late pieces are joined to about this much, so that an endless stream is computed no faster than it is read."""


class Pieces:
    """Timed pieces, read as they are needed."""

    __slots__ = ("_pieces", "_start", "due", "failure", "pending")

    def __init__(self, pieces: Iterator[tuple[float, bytes]], start: float) -> None:
        """A piece is due at `start` (Trio time, seconds) plus its offset."""
        self._pieces = pieces
        self._start = start
        self.failure: Exception | None = None
        """PeerGone; or what computing a piece raised, when all pieces before it have been taken."""
        self.pending: bytes | None = b""
        """The next piece; None when there is none."""
        self.due = start
        self._advance()

    def take_due(self, now: float, *, separate: bool) -> bytes:
        """The pending piece; unless they are to be `separate`, joined with those that are due as well."""
        data = self.pending
        assert data is not None
        self._advance()
        if self.pending is None or self.due > now or separate:
            return data
        late = [data]
        size = len(data)
        while self.pending is not None and self.due <= now and size < JOINED_BYTES:
            late.append(self.pending)
            size += len(self.pending)
            self._advance()
        return b"".join(late)

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


class Paced(Pieces, abc.ABC):
    """Timed pieces that know where to go."""

    __slots__ = ("on_rest", "place")

    def __init__(self, pieces: Iterator[tuple[float, bytes]], start: float) -> None:
        self.on_rest: Callable[[], object] | None = None
        self.place = _NOWHERE
        """The number of its entry in the pacer's heap."""
        super().__init__(pieces, start)

    @abc.abstractmethod
    def write_due(self, now: float) -> bool:
        """Writes what is due. Whether there is more to come, and nothing in its way."""


class PacedStream(Paced):
    """On its way to a transport that is its own as long as it lasts."""

    __slots__ = ("_separate", "owed", "transport")

    def __init__(
        self, transport: Transport, pieces: Iterator[tuple[float, bytes]], start: float, *, separate: bool = False
    ) -> None:
        """`separate`: late pieces are not joined."""
        self.transport = transport
        self._separate = separate
        self.owed = b""
        """What the transport could not take at once, for the stream's owner to send."""
        super().__init__(pieces, start)

    @property
    def is_done(self) -> bool:
        """Whether every piece was computed and sent."""
        return self.pending is None and not self.owed and self.failure is None

    def write_due(self, now: float) -> bool:
        data = self.take_due(now, separate=self._separate)
        try:
            sent = self.transport.try_send(data) if data else 0
        except Exception as error:
            self.failure = error
            return False
        if sent < len(data):
            self.owed = data[sent:]
            return False
        return self.pending is not None


class Pacer:
    """Plays what is paced. `run` must be running."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Paced]] = []
        self._stale = 0
        """Entries of what was dropped."""
        self._order = itertools.count()
        self._sleeper: trio.lowlevel.Task | None = None
        self._alarm = math.inf

    def play(self, paced: Paced, on_rest: Callable[[], object]) -> None:
        """Takes it in hand. `on_rest` is called once, when the pacer lets go of it.

        Then there is something in its way (bytes that a slow reader did not take: send them and play it again), or a
        `failure`, or it is done.
        """
        paced.on_rest = on_rest
        if paced.pending is None:
            self._rest(paced)
            return
        paced.place = next(self._order)
        heapq.heappush(self._heap, (paced.due, paced.place, paced))
        if paced.due < self._alarm and self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    def drop(self, paced: Paced) -> None:
        """Forgets it; its owner has lost interest."""
        paced.on_rest = None
        if paced.place == _NOWHERE:
            return
        paced.place = _NOWHERE  # its entry is passed over, even if it is played again before that is due
        self._stale += 1
        if self._stale > len(self._heap) // 2:  # they may be due in an hour, and hold much
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
        """Serves the first of the heap."""
        _, place, paced = self._heap[0]
        if paced.place != place:
            heapq.heappop(self._heap)
            self._stale -= 1
        elif paced.write_due(now):
            heapq.heapreplace(self._heap, (paced.due, place, paced))
        else:
            heapq.heappop(self._heap)
            self._rest(paced)

    def _rest(self, paced: Paced) -> None:
        on_rest, paced.on_rest = paced.on_rest, None
        paced.place = _NOWHERE
        assert on_rest is not None
        on_rest()

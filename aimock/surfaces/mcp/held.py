"""The sessions that HTTP carries: their streams, and how many there may be."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from aimock.surfaces.mcp.sessions import Session, unheard
from aimock.surfaces.mcp.streams import EventStream
from aimock_protocols.mcp import revisions

_KEPT_EVENTS = 100
"""Of each stream, for clients that come again."""
_KEPT_STREAMS = 8
"""Of each session, that are over."""

_LASTING = 0
"""The number of the stream that a plain GET reads."""


class HeldSession:
    """A session, and the streams on which it speaks."""

    def __init__(self, session: Session, now: float) -> None:
        self.session = session
        session.send = self.say
        self.used = now
        self._streams: dict[int, EventStream] = {}
        self._last = _LASTING

    def say(self, message: dict[str, object]) -> None:
        """On the lasting stream, if the client has ever asked for it."""
        lasting = self._streams.get(_LASTING)
        if lasting is not None:
            lasting.send(message)

    def lasting(self) -> EventStream:
        if _LASTING not in self._streams:
            self._streams[_LASTING] = self._new(_LASTING)
        return self._streams[_LASTING]

    def stream(self, number: int) -> EventStream | None:
        return self._streams.get(number)

    def open(self) -> EventStream:
        """A stream for the answer to a request."""
        over = [number for number, stream in self._streams.items() if stream.is_over]
        for number in over[: max(0, len(over) + 1 - _KEPT_STREAMS)]:
            del self._streams[number]
        self._last += 1
        stream = self._streams[self._last] = self._new(self._last)
        return stream

    def _new(self, number: int) -> EventStream:
        return EventStream(number, keep=_KEPT_EVENTS, primed=revisions.has(self.session.revision, "priming"))

    @property
    def is_busy(self) -> bool:
        """Whether something runs for it, or its client listens."""
        return self.session.is_busy or any(stream.has_reader for stream in self._streams.values())

    def close(self) -> None:
        self.session.close()
        self.session.send = unheard  # a cycle less, for whose end nobody must look
        for stream in self._streams.values():
            stream.finish(None)


class Sessions:
    """So many at most, the least lately used first."""

    def __init__(self, most: int, idle_seconds: float) -> None:
        """`most`: those that are idle longest end when there are more; `idle_seconds`: after which they end anyway."""
        self._held: collections.OrderedDict[str, HeldSession] = collections.OrderedDict()
        self._most = most
        self._idle = idle_seconds

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldSession]:
        return iter([*self._held.values()])

    def add(self, held: HeldSession) -> None:
        """Makes room for it. One of the same id is of an earlier run that had the same seed, and ends."""
        self.end(held.session.id)
        self._expire(held.used)
        while len(self._held) >= self._most:
            idle = next((id for id, other in self._held.items() if not other.is_busy), None)
            self.end(idle if idle is not None else next(iter(self._held)))
        self._held[held.session.id] = held

    def get(self, id: str, now: float) -> HeldSession | None:
        """The session of this id, if it has not ended."""
        self._expire(now)
        held = self._held.get(id)
        if held is not None:
            held.used = now
            self._held.move_to_end(id)
        return held

    def _expire(self, now: float) -> None:
        while self._held:
            id, oldest = next(iter(self._held.items()))
            if now - oldest.used <= self._idle:
                return
            if oldest.is_busy:
                oldest.used = now
                self._held.move_to_end(id)
            else:
                self.end(id)

    def end(self, id: str) -> bool:
        """Whether there was one."""
        held = self._held.pop(id, None)
        if held is not None:
            held.close()
        return held is not None

    def clear(self) -> None:
        for id in [*self._held]:
            self.end(id)

    def ids(self) -> list[str]:
        return [*self._held]

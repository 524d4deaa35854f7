"""Where connections wait between requests: in one task, all of them.

Waking a task for each request costs more than answering most of them. So a quiet connection is parked here, and a
request that came whole, is plain, and has an answer that needs no waiting is answered on the spot. A paced stream needs
no task either, since the pacer plays it, and here is only heard whether its client leaves: a task would be half of what
it holds in memory. Everything else (a slow body, a full socket buffer, an ending other than a clean one, a head for
h11) goes to a task of its own, with what was read or has begun.

The selector's own descriptor is watched by Trio, level-triggered, so no registration changes from request to request.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import NamedTuple

import trio

from aimock.net import readiness
from aimock.net.connection import take
from aimock.net.exchange import Ending, Head, Outcome, Stream, Whole
from aimock.net.performer import Answered, Begun, Setting, UnderWay, Unsent, begin
from aimock.net.transport import PeerGone, SocketTransport

logger = logging.getLogger("aimock")

_DELIVERED = Outcome.DELIVERED  # looking it up in the enum costs as much as telling it

_TURN = 0.001
"""Seconds of serving before other tasks get their turn."""


class HandOver(NamedTuple):
    """A connection that needs a task: what was read of it, or the exchange that has begun."""

    transport: SocketTransport
    received: bytes = b""
    begun: Begun | None = None


class _Playing(NamedTuple):
    """A connection in the pacer's hands."""

    transport: SocketTransport
    under_way: UnderWay


class Poller:
    """Holds the connections of one server that need no task."""

    def __init__(self, setting: Setting, hand_over: Callable[[HandOver], None]) -> None:
        self._setting = setting
        self._hand_over = hand_over
        self._readiness = readiness.new()
        self._parked: dict[int, SocketTransport] = {}  # idle ones, by descriptor
        self._playing: dict[int, _Playing] = {}

    def __len__(self) -> int:
        return len(self._parked) + len(self._playing)

    def park(self, transport: SocketTransport) -> None:
        descriptor = transport.socket.fileno()
        self._readiness.add(descriptor)
        transport.idle_since = trio.current_time()
        self._parked[descriptor] = transport

    def close_oldest(self) -> bool:
        """Makes room; False if nothing is parked. Looks at all that are: room is rarely needed, requests are served
        all the time, and keeping them in order would be paid by every one."""
        oldest = min(self._parked.items(), key=lambda parked: parked[1].idle_since, default=None)
        if oldest is None:
            return False
        self._take_out(oldest[0]).close()
        return True

    def make_room(self) -> bool:
        """As `close_oldest`, but a connection whose request has come and is only not read yet is not idle."""
        parked = len(self._parked)
        self._serve_ready()
        return len(self._parked) < parked or self.close_oldest()

    def give_up(self) -> None:
        """Closes what is idle, and hands over what is not: the server is shutting down."""
        self._close_idle()
        for descriptor in list(self._playing):
            transport, under_way = self._interrupt(descriptor)
            self._hand_over(HandOver(transport, begun=under_way))

    def _close_idle(self) -> None:
        for descriptor in list(self._parked):
            self._take_out(descriptor).close()

    def _close_all(self) -> None:
        self._close_idle()
        for descriptor in list(self._playing):
            self._end(descriptor, Outcome.STOPPED)

    async def run(self) -> None:
        """Never returns; cancel it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_expired)
                while True:
                    await trio.lowlevel.wait_readable(self._readiness.fileno())
                    self._serve_ready()
        finally:
            self._close_all()
            self._readiness.close()

    def _serve_ready(self) -> None:
        """Serves while there is something to serve, for a bounded time: a turn of the event loop costs as much as a
        request, so under load it is shared by many."""
        now = trio.current_time()
        turn_ends = now + _TURN
        while now < turn_ends:
            ready = self._readiness.ready()
            if not ready:
                return
            for descriptor, _ in ready:
                try:
                    self._serve(descriptor, now)
                except Exception:
                    self._failed(descriptor)
            now = trio.current_time()

    async def _close_expired(self) -> None:
        patience = self._setting.limits.idle_timeout
        while True:
            now = trio.current_time()
            for descriptor, transport in list(self._parked.items()):
                if transport.idle_since + patience <= now:
                    self._take_out(descriptor).close()
            oldest = min((transport.idle_since for transport in self._parked.values()), default=now)
            await trio.sleep_until(oldest + patience)

    def _failed(self, descriptor: int) -> None:
        logger.exception("a connection failed")
        if descriptor in self._parked:
            self._take_out(descriptor).close()

    def _take_out(self, descriptor: int) -> SocketTransport:
        self._readiness.remove(descriptor)
        return self._parked.pop(descriptor)

    def _serve(self, descriptor: int, now: float) -> None:
        transport = self._parked.get(descriptor)
        if transport is None:
            if descriptor in self._playing:  # or it was taken out earlier in this batch
                self._listen(descriptor)
            return
        try:
            data = transport.receive_now()
            if data is None:
                return
            work = self._answer_at_once(transport, data, now) if data else None
        except PeerGone:
            data = work = None
        if not data:
            self._take_out(descriptor).close()
        elif work is not None:
            self._take_out(descriptor)
            self._hand_over(work)
        else:
            transport.idle_since = now

    def _answer_at_once(self, transport: SocketTransport, data: bytes, now: float) -> HandOver | None:
        """Answers the one whole request in `data`; or says what a task must go on with."""
        setting = self._setting
        taken = take(data, setting)
        if not isinstance(taken, tuple) or taken[1] != len(data) or setting.is_closing():
            return HandOver(transport, data)
        request = taken[0]
        answer = setting.handler.answer(request)
        if not isinstance(answer, Whole) or answer.slicing is not None:
            if isinstance(answer, Stream):
                self._play(transport, answer, request.head, now)
                return None
            return HandOver(transport, begun=Answered(request, answer, now))
        response = setting.writer.whole(answer, request.head, close=False)
        try:
            sent = transport.try_send(response)
        except PeerGone:
            if answer.on_end is not None:
                answer.on_end(Outcome.CLIENT_LEFT)
            raise
        if sent < len(response):
            return HandOver(transport, begun=Unsent(response[sent:], answer.on_end))
        if answer.on_end is not None:
            answer.on_end(_DELIVERED)
        return None

    # -- paced streams ---------------------------------------------------------------------------------------------

    def _play(self, transport: SocketTransport, answer: Stream, head: Head, now: float) -> None:
        under_way = begin(answer, head, transport, self._setting, since=now, close=False)
        descriptor = transport.socket.fileno()
        del self._parked[descriptor]
        self._playing[descriptor] = _Playing(transport, under_way)
        self._setting.pacer.play(under_way.stream, functools.partial(self._on_rest, descriptor))

    def _on_rest(self, descriptor: int) -> None:
        """The pacer has let go, and must not fail if this does."""
        transport = self._playing[descriptor].transport
        try:
            self._settle(descriptor)
        except Exception:
            self._failed(descriptor)
            transport.close()

    def _settle(self, descriptor: int) -> None:
        """A stream that is delivered leaves its connection idle; any other needs a task."""
        transport, under_way = self._playing.pop(descriptor)
        if not under_way.stream.is_done or under_way.ending is not Ending.CLEAN:
            self._readiness.remove(descriptor)
            self._hand_over(HandOver(transport, begun=under_way))
            return
        transport.idle_since = trio.current_time()
        self._parked[descriptor] = transport
        self._setting.tell_change()
        _report(under_way, Outcome.DELIVERED)

    def _listen(self, descriptor: int) -> None:
        """Something has come from the client of a stream: its end, or a request that it sends ahead."""
        try:
            data = self._playing[descriptor].transport.receive_now()
        except PeerGone:
            data = b""
        if data:
            transport, under_way = self._interrupt(descriptor)
            self._hand_over(HandOver(transport, data, under_way))
        elif data is not None:
            self._end(descriptor, Outcome.CLIENT_LEFT)
            self._setting.tell_change()

    def _interrupt(self, descriptor: int) -> _Playing:
        playing = self._playing.pop(descriptor)
        self._setting.pacer.drop(playing.under_way.stream)
        self._readiness.remove(descriptor)
        return playing

    def _end(self, descriptor: int, outcome: Outcome) -> None:
        transport, under_way = self._interrupt(descriptor)
        transport.close()
        _report(under_way, outcome)


def _report(under_way: UnderWay, outcome: Outcome) -> None:
    if under_way.on_end is not None:
        under_way.on_end(outcome)

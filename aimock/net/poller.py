"""Where connections wait between requests: in one task, all of them.

Waking a task for each request costs more than answering most of them. So a quiet connection is parked here, and a
request that came whole, is plain, and has an answer that needs no waiting is answered on the spot. Everything else
(a slow body, a paced stream, a full socket buffer, a head for h11) goes to a task of its own, with what was read.

The selector's own descriptor is watched by Trio, level-triggered, so no registration changes from request to request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import trio

from aimock.net import readiness
from aimock.net.connection import Begun, Setting, Unsent, take
from aimock.net.exchange import Outcome, Whole
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


class Poller:
    """Holds the parked connections of one server."""

    def __init__(self, setting: Setting, hand_over: Callable[[HandOver], None]) -> None:
        self._setting = setting
        self._hand_over = hand_over
        self._readiness = readiness.new()
        self._parked: dict[int, SocketTransport] = {}  # by descriptor

    def __len__(self) -> int:
        return len(self._parked)

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

    def close_all(self) -> None:
        for descriptor in list(self._parked):
            self._take_out(descriptor).close()

    async def run(self) -> None:
        """Never returns; cancel it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_expired)
                while True:
                    await trio.lowlevel.wait_readable(self._readiness.fileno())
                    self._serve_ready()
        finally:
            self.close_all()
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
                    logger.exception("a connection failed")
                    if descriptor in self._parked:
                        self._take_out(descriptor).close()
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

    def _take_out(self, descriptor: int) -> SocketTransport:
        self._readiness.remove(descriptor)
        return self._parked.pop(descriptor)

    def _serve(self, descriptor: int, now: float) -> None:
        transport = self._parked.get(descriptor)
        if transport is None:
            return  # taken out earlier in this batch
        try:
            data = transport.receive_now()
            if data is None:
                return
            work = self._answer_at_once(transport, data) if data else None
        except PeerGone:
            data = work = None
        if not data:
            self._take_out(descriptor).close()
        elif work is not None:
            self._take_out(descriptor)
            self._hand_over(work)
        else:
            transport.idle_since = now

    def _answer_at_once(self, transport: SocketTransport, data: bytes) -> HandOver | None:
        """Answers the one whole request in `data`; or says what a task must go on with."""
        setting = self._setting
        taken = take(data, setting)
        if not isinstance(taken, tuple) or taken[1] != len(data) or setting.is_closing():
            return HandOver(transport, data)
        request = taken[0]
        answer = setting.handler.answer(request)
        if not isinstance(answer, Whole) or answer.slicing is not None:
            return HandOver(transport, begun=(request, answer))
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

"""Where connections wait between requests: in one task, all of them.

Waking a task for each request costs more than answering most of them. So a quiet connection is parked here, and a
request that came whole, is plain, and has an answer that needs no waiting is answered on the spot. Everything else
(a slow body, a paced stream, a full socket buffer, a head for h11) goes to a task of its own, with what was read.

The selector's own descriptor is watched by Trio, level-triggered, so no registration changes from request to request.
"""

from __future__ import annotations

import itertools
import selectors
from collections.abc import Callable
from typing import NamedTuple

import trio

from aimock.net.connection import Begun, Setting, Taken, Unsent, joined, take
from aimock.net.exchange import Outcome, Stream, Whole
from aimock.net.transport import PeerGone, SocketTransport

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
        self._selector = selectors.DefaultSelector()
        self._idle_since: dict[SocketTransport, float] = {}  # oldest first

    @staticmethod
    def is_supported() -> bool:
        """Whether this platform's selector can itself be waited for (epoll and kqueue can)."""
        return hasattr(selectors.DefaultSelector, "fileno")

    def __len__(self) -> int:
        return len(self._idle_since)

    def park(self, transport: SocketTransport) -> None:
        self._selector.register(transport.socket, selectors.EVENT_READ, transport)
        self._idle_since[transport] = trio.current_time()

    def close_oldest(self) -> bool:
        """Makes room; False if nothing is parked."""
        oldest = next(iter(self._idle_since), None)
        if oldest is None:
            return False
        self._drop(oldest)
        return True

    def close_all(self) -> None:
        while self.close_oldest():
            pass

    async def run(self) -> None:
        """Never returns; cancel it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_expired)
                while True:
                    await trio.lowlevel.wait_readable(self._selector.fileno())
                    self._serve_ready()
        finally:
            self.close_all()
            self._selector.close()

    def _serve_ready(self) -> None:
        """Serves while there is something to serve, for a bounded time: a turn of the event loop costs as much as a
        request, so under load it is shared by many."""
        now = trio.current_time()
        turn_ends = now + _TURN
        while now < turn_ends:
            ready = self._selector.select(0)
            if not ready:
                return
            for key, _ in ready:
                self._serve(key.data, now)
            now = trio.current_time()

    async def _close_expired(self) -> None:
        patience = self._setting.limits.idle_timeout
        while True:
            oldest = next(iter(self._idle_since.values()), trio.current_time())
            await trio.sleep_until(oldest + patience)
            while self._idle_since and next(iter(self._idle_since.values())) + patience <= trio.current_time():
                self.close_oldest()

    def _unpark(self, transport: SocketTransport) -> None:
        self._selector.unregister(transport.socket)
        del self._idle_since[transport]

    def _drop(self, transport: SocketTransport) -> None:
        self._unpark(transport)
        transport.close()

    def _serve(self, transport: SocketTransport, now: float) -> None:
        if transport not in self._idle_since:
            return  # closed earlier in this batch
        try:
            data = transport.receive_now()
            if data is None:
                return
            if not data:
                self._drop(transport)
                return
            task_work = self._answer_at_once(transport, data)
        except PeerGone:
            self._drop(transport)
            return
        if task_work is not None:
            self._unpark(transport)
            self._hand_over(task_work)
        else:
            del self._idle_since[transport]
            self._idle_since[transport] = now

    def _answer_at_once(self, transport: SocketTransport, data: bytes) -> HandOver | None:
        """Answers the one whole request in `data`; or says what a task must go on with."""
        taken = take(data, self._setting)
        if not isinstance(taken, Taken) or taken.consumed != len(data) or self._setting.is_closing():
            return HandOver(transport, data)
        request = taken.request
        answer = self._setting.handler.answer(request)
        if isinstance(answer, Whole) and answer.slicing is None:
            response = self._setting.writer.whole(answer, request.head, close=False)
            sent = transport.try_send(response)
            return None if sent == len(response) else HandOver(transport, begun=Unsent(iter((response[sent:],))))
        if not isinstance(answer, Stream) or not answer.leaves_at_once:
            return HandOver(transport, begun=(request, answer))
        unsent = Unsent(joined(self._setting.writer.stream(answer, request.head, close=False)), answer.on_end)
        try:
            return self._send_at_once(transport, unsent)
        except PeerGone:
            unsent.ended(Outcome.CLIENT_LEFT)
            raise

    def _send_at_once(self, transport: SocketTransport, unsent: Unsent) -> HandOver | None:
        """Sends a response of one write; a longer one goes to a task, as does what the socket does not take."""
        first = next(unsent.batches)
        sent = transport.try_send(first)
        second = next(unsent.batches, None)
        if second is None and sent == len(first):
            unsent.ended(Outcome.DELIVERED)
            return None
        rest = [batch for batch in (first[sent:], second) if batch]
        return HandOver(transport, begun=unsent._replace(batches=itertools.chain(rest, unsent.batches)))

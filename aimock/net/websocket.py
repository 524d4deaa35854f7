"""One WebSocket, from its opening handshake to its end.

A task reads from the peer; what is sent is written at once, by whoever has something to say (this task, the pacer, a
task that waited). When the peer reads too slowly another task sends what it is owed; until then its plays rest, and so
does our reading.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from aimock.net import framing
from aimock.net.conversation import Conversation
from aimock.net.exchange import Ending, Outcome, Upgrade
from aimock.net.framing import Closing, Framing, Ping, Violation
from aimock.net.limits import Limits
from aimock.net.outbox import Outbox
from aimock.net.pacer import Pacer
from aimock.net.transport import PeerGone, Transport

logger = logging.getLogger("aimock")

_TURN = 0.001
"""Seconds of reading what has come before other tasks get their turn."""


class WebSocket:
    """A connection after its upgrade."""

    __slots__ = (
        "_conversation", "_dialogue", "_is_closing", "_limits", "_listening", "_nursery", "_on_end", "_outcome",
        "_transport", "ending", "framing", "is_binary", "outbox",
    )  # fmt: skip

    def __init__(self, transport: Transport, upgrade: Upgrade, framing: Framing, limits: Limits, pacer: Pacer) -> None:
        self._transport = transport
        self._limits = limits
        self._on_end = upgrade.on_end
        self.framing = framing
        self.is_binary = upgrade.is_binary
        self._dialogue = upgrade.open()
        self._conversation = Conversation(self._dialogue, self, pacer)
        self._nursery: trio.Nursery
        self._listening = trio.CancelScope()
        self._is_closing = False
        """Nothing more is to be sent."""
        self._outcome = Outcome.STOPPED
        self.outbox = Outbox(transport, limits.write_timeout, self._begin_to_drain, self._on_broken)
        self.ending = Ending.CLEAN
        """What is to become of the connection when `run` has returned."""

    async def run(self, opening: bytes, received: bytes) -> None:
        """Sends `opening`, our side of the handshake, and converses; `received` is what the peer sent after its own.
        Returns when there is nothing more to send, and raises PeerGone if it cannot be sent."""
        try:
            async with trio.open_nursery() as self._nursery:
                self.outbox.write(opening)
                with self._listening:
                    await self._listen(received)
                self._conversation.stop(self._outcome)
                await self.outbox.emptied()
                self._nursery.cancel_scope.cancel()
        finally:
            self._tell_end()
            self.outbox.release()
            del self._conversation, self._nursery  # they refer to this in turn: a cycle
        if self.outbox.failure is not None:
            raise PeerGone

    def go_away(self) -> None:
        """The server is shutting down."""
        self._say_goodbye(framing.GOING_AWAY, "Server shutting down")

    # -- in --------------------------------------------------------------------------------------------------------

    async def _listen(self, data: bytes) -> None:
        """Until the peer has said goodbye, is gone, or cannot be understood."""
        self._conversation.open(trio.current_time())
        try:
            while not data or await self._hear(data):
                data = await self._receive()
        except PeerGone as error:
            if not (self._is_closing and self.outbox.is_clear):  # else that was the end to be expected
                self.outbox.fail(error)

    async def _receive(self) -> bytes:
        """What comes next. A silent peer is asked whether it is there. Raises PeerGone."""
        limits = self._limits
        since = trio.current_time()
        probe = since
        while True:
            probe += limits.ping_interval
            with trio.move_on_at(min(probe, since + limits.pong_timeout)):
                data = await self._transport.receive()
                if not data:
                    raise PeerGone
                return data
            if trio.current_time() >= since + limits.pong_timeout:
                raise PeerGone
            if not self._is_closing:
                self.outbox.write(framing.PING)

    async def _hear(self, data: bytes) -> bool:
        """Whether there may be more to hear."""
        turn = since = trio.current_time()
        try:
            for received in self.framing.receive(data):
                if isinstance(received, Closing):
                    self._answer_goodbye(received)
                    return False
                if self._is_closing or received is None:
                    pass
                elif isinstance(received, Ping):
                    self.outbox.write(framing.pong(received.payload))
                else:
                    self._conversation.hear(received, since)
                    if self._conversation.hold is not None:
                        await self._conversation.held()
                if not self.outbox.has_room:
                    await self.outbox.room()
                elif trio.current_time() - turn > _TURN:
                    await trio.lowlevel.checkpoint()
                    turn = trio.current_time()
        except Violation as violation:
            self._say_goodbye(violation.code, violation.reason)
            return False
        return True

    # -- out -------------------------------------------------------------------------------------------------------

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(task)

    def close(self, code: int, reason: str) -> None:
        self._outcome = Outcome.DELIVERED
        self._say_goodbye(code, reason)

    def break_off(self, ending: Ending) -> None:
        self._is_closing = True
        self._outcome = Outcome.DELIVERED
        self.ending = ending
        self._conversation.stop(Outcome.STOPPED)
        self._listening.cancel()

    def fail(self) -> None:
        self._say_goodbye(framing.INTERNAL_ERROR, "Internal error")

    def _say_goodbye(self, code: int, reason: str) -> None:
        """Begins the closing handshake (RFC 6455 7.1.2), and waits no longer for its end than becomes us."""
        if self._is_closing:
            return
        self._is_closing = True
        self._conversation.stop(Outcome.STOPPED)
        self.outbox.write(framing.close(code, reason))
        self._listening.deadline = trio.current_time() + self._limits.close_timeout

    def _answer_goodbye(self, closing: Closing) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._conversation.hear_goodbye(closing.code, closing.reason)
            self._conversation.stop(Outcome.CLIENT_LEFT)
            self.outbox.write(framing.close(closing.code, closing.reason))
        self._outcome = Outcome.DELIVERED

    def _begin_to_drain(self) -> None:
        self._nursery.start_soon(self._drain)

    async def _drain(self) -> None:
        await self.outbox.drain()
        if self.outbox.failure is None:
            self._conversation.resume()

    # -- the end ---------------------------------------------------------------------------------------------------

    def _on_broken(self) -> None:
        gone = isinstance(self.outbox.failure, PeerGone)
        self._outcome = Outcome.CLIENT_LEFT if gone else Outcome.STOPPED
        self._listening.cancel()

    def _tell_end(self) -> None:
        self._conversation.stop(self._outcome)
        for told in (self._dialogue.ended, self._on_end):
            try:
                if told is not None:
                    told(self._outcome)
            except Exception:
                logger.exception("a dialogue failed at its end")

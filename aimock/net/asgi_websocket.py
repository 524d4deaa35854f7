"""A dialogue performed as an ASGI WebSocket: the same steps as `aimock.net.dialogue` has them, each message sent by the
server, which frames, compresses and answers pings in its own way."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio

from aimock.net.asgi import ASGIExchange, encoded, head_of, logger
from aimock.net.dialogue import Break, Close, Play, Raw, Send, Step, Stop, Wait
from aimock.net.exchange import Ending, Head, Outcome, Refusal, Request, Stream, Task, Upgrade, Whole

_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011
_REASON_BYTES = 123
"""What a close frame has for it (RFC 6455 5.5)."""

_ABNORMAL = 1006
"""What ASGI servers say when a client left without a close frame."""


class WebSocketExchange(ASGIExchange):
    """The handshake, and the conversation if it comes to one."""

    family = "websocket.http.response"
    leaving = "websocket.disconnect"

    async def converse(self) -> None:
        await self.receive()  # websocket.connect
        head = head_of(self.scope)
        since = trio.current_time()
        if isinstance(head, Refusal):
            await self._decline(self.setting.handler.refuse(None, head), None, since)
            return
        answer = self.setting.handler.answer(Request(_asking(head)))
        if isinstance(answer, Task):
            answer = await self.waited_for(answer)
            since = trio.current_time()
        if isinstance(answer, Upgrade):
            await self._open(answer)
        elif isinstance(answer, Whole | Stream):
            await self._decline(answer, head, since)
        else:
            await self.perform(answer, head, since)

    async def _decline(self, answer: Whole | Stream, head: Head | None, since: float) -> None:
        if self.family in self.scope.get("extensions", {}):
            await self.perform(answer, head, since)
            return
        if answer.on_end is not None:
            answer.on_end(Outcome.STOPPED)
        await self.send({"type": "websocket.close"})  # which the server makes a 403

    async def _open(self, upgrade: Upgrade) -> None:
        outcome = Outcome.STOPPED
        try:
            headers = list(encoded(upgrade.headers))
            with trio.CancelScope(shield=True):
                await self.send({"type": "websocket.accept", "subprotocol": upgrade.subprotocol, "headers": headers})
            outcome = await _Conversation(self, upgrade).run()
        finally:
            if upgrade.on_end is not None:
                upgrade.on_end(outcome)


def _asking(head: Head) -> Head:
    """HTTP/2 asks for a WebSocket by a method of its own (RFC 8441): the head as HTTP/1.1 would have it."""
    if "upgrade" in head.headers:
        return head
    asking = (("connection", "upgrade"), ("upgrade", "websocket"))
    return attrs.evolve(
        head, method="GET", headers={**head.headers, **dict(asking)}, header_lines=(*head.header_lines, *asking)
    )


@attrs.define(eq=False)
class _UnderWay:
    """A play or a wait that has begun."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    sent: int = 0


class _Conversation:
    """Performs the steps that a dialogue gives. Lists of them are performed one after the other, each as a whole."""

    def __init__(self, exchange: ASGIExchange, upgrade: Upgrade) -> None:
        self._exchange = exchange
        self._is_binary = upgrade.is_binary
        self._dialogue = upgrade.open()
        self._under_way: dict[Play | Wait, _UnderWay] = {}
        self._turn = trio.Lock()
        self._end: Close | Break | Outcome | None = None
        """What ended it; an outcome, if it was the client or time."""

    async def run(self) -> Outcome:
        """How it ended, which the dialogue has been told by then."""
        outcome = Outcome.STOPPED
        try:
            try:
                async with trio.open_nursery() as self._tasks:
                    self._tasks.start_soon(self._listen)
                    if self._exchange.beneath is not None:
                        self._tasks.start_soon(self._close_with_server)
                    await self._perform(self._dialogue.opened())
            except Exception:
                logger.exception("a dialogue failed")
                self._end = Close(_INTERNAL_ERROR)
            outcome = await self._conclude()
        finally:
            self._stop_all(outcome)
            self._dialogue.ended(outcome)
        return outcome

    async def _listen(self) -> None:
        while True:
            message = await self._exchange.receive()
            if message["type"] == self._exchange.leaving:
                beneath = self._exchange.beneath
                shook_hands = message.get("code") != _ABNORMAL or (beneath is not None and beneath.shook_hands)
                self._finish(Outcome.DELIVERED if shook_hands else Outcome.CLIENT_LEFT)
                return
            text = message.get("text")
            await self._perform(self._dialogue.received(text if text is not None else message["bytes"]))

    async def _close_with_server(self) -> None:
        assert self._exchange.beneath is not None
        await self._exchange.beneath.until_shutdown()
        self._finish(Close(_GOING_AWAY))

    # -- steps -----------------------------------------------------------------------------------------------------

    async def _perform(self, steps: Iterable[Step]) -> None:
        async with self._turn:
            await self._perform_each(steps)

    async def _perform_each(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if self._end is not None:
                return
            match step:
                case Send(data):
                    await self._send(data)
                case Play():
                    self._under_way[step] = _UnderWay()
                    self._tasks.start_soon(self._play, step, self._under_way[step], trio.current_time())
                case Wait():
                    self._under_way[step] = _UnderWay()
                    self._tasks.start_soon(self._wait, step, self._under_way[step])
                case Stop(what):
                    await self._perform_each(self._stopped(what))
                case Close() | Break():
                    self._finish(step)
                case Raw(data):
                    if self._exchange.beneath is not None:
                        with trio.CancelScope(shield=True):
                            await self._exchange.beneath.write(data)

    async def _send(self, data: bytes) -> None:
        """Half a message would spoil all that follows: once begun, only the limits on time end it."""
        message = {"bytes": data} if self._is_binary else {"text": data.decode()}
        try:
            with trio.CancelScope(shield=True):
                await self._exchange.send({"type": "websocket.send", **message})
                await self._exchange.flush()
        except trio.TooSlowError:
            self._finish(Outcome.STOPPED)

    async def _play(self, play: Play, under_way: _UnderWay, since: float) -> None:
        with under_way.scope:
            for offset, data in play.schedule:
                if play.ends_at is not None and offset > play.ends_at:
                    break
                await trio.sleep_until(since + offset)
                async with self._turn:
                    under_way.sent += 1
                    await self._send(data)
            if play.ends_at is not None:
                await trio.sleep_until(since + play.ends_at)
            async with self._turn:
                del self._under_way[play]
                steps = play.on_end(Outcome.DELIVERED, under_way.sent)
                await self._perform_each(steps if play.ending is Ending.CLEAN else (Break(play.ending),))

    async def _wait(self, wait: Wait, under_way: _UnderWay) -> None:
        with under_way.scope:
            steps = await wait.run()
            async with self._turn:
                del self._under_way[wait]
                await self._perform_each(steps)

    def _stopped(self, what: Play | Wait) -> Iterable[Step]:
        """What there is to do when a play or a wait was stopped; nothing, if it had ended."""
        under_way = self._under_way.pop(what, None)
        if under_way is None:
            return ()
        under_way.scope.cancel()
        return what.on_end(Outcome.STOPPED, under_way.sent) if isinstance(what, Play) else what.on_stop()

    # -- the end ---------------------------------------------------------------------------------------------------

    def _finish(self, end: Close | Break | Outcome) -> None:
        if self._end is None:
            self._end = end
            self._tasks.cancel_scope.cancel()

    def _stop_all(self, outcome: Outcome) -> None:
        while self._under_way:
            what, under_way = self._under_way.popitem()
            if isinstance(what, Play):
                what.on_end(outcome, under_way.sent)

    async def _conclude(self) -> Outcome:
        """Ends the connection as it was to end. Raises TooSlowError."""
        if self._end is Outcome.STOPPED:
            raise trio.TooSlowError
        if isinstance(self._end, Outcome):
            return self._end
        self._stop_all(Outcome.STOPPED)
        if isinstance(self._end, Break):
            await self._exchange.flush()
            await self._exchange.end(self._end.ending)
        elif self._end is not None:
            reason = self._end.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            await self._exchange.send({"type": "websocket.close", "code": self._end.code, "reason": reason})
            with trio.move_on_after(self._exchange.setting.limits.linger):
                await self._exchange.until_client_leaves()
        return Outcome.DELIVERED

"""A dialogue over an ASGI WebSocket.

It is held by the same `WebSocket` as over a connection of ours: each message of ASGI stands for a frame, and goes to it
and comes from it as one. Compression, pings and fragments are the server's business.
"""

from __future__ import annotations

import math

import attrs
import trio

from aimock.net import framing
from aimock.net.asgi import ASGIExchange, encoded, head_of
from aimock.net.exchange import Head, Outcome, Refusal, Relay, Request, Stream, Task, Upgrade, Whole
from aimock.net.outcomes import forgo
from aimock.net.pacer import Pacer
from aimock.net.transport import PeerGone
from aimock.net.websocket import WebSocket

_TEXT, _BINARY, _CLOSE = 0x81, 0x82, 0x88
"""First bytes of whole frames."""

_NORMAL, _ABNORMAL = 1000, 1006
"""Close codes; by the latter ASGI servers say that a client left without a close frame."""


class WebSocketExchange(ASGIExchange):
    """The handshake, and the dialogue if it comes to one."""

    family = "websocket.http.response"
    leaving = "websocket.disconnect"

    async def converse(self) -> None:
        await self.receive()  # websocket.connect
        head = head_of(self.scope)
        since = trio.current_time()
        if isinstance(head, Refusal):
            await self._decline(self.setting.handler.refuse(None, head), None, since)
            return
        head = _asking(head)
        answer = self.setting.handler.answer(Request(head))
        if isinstance(answer, Task):
            answer = await self.waited_for(answer)
            since = trio.current_time()
        if isinstance(answer, Upgrade):
            await self._open(answer)
        elif isinstance(answer, Whole | Stream | Relay):
            await self._decline(answer, head, since)
        else:
            await self.perform(answer, head, since)

    async def _decline(self, answer: Whole | Stream | Relay, head: Head | None, since: float) -> None:
        if self.family in self.scope.get("extensions", {}):
            await self.perform(answer, head, since)
            return
        await forgo(answer, Outcome.STOPPED)
        await self.send({"type": "websocket.close"})  # which the server makes a 403

    async def _open(self, upgrade: Upgrade) -> None:
        headers = list(encoded(upgrade.headers))
        with trio.CancelScope(shield=True):  # cut off in it, the headers of other streams would be lost as well
            await self.send({"type": "websocket.accept", "subprotocol": upgrade.subprotocol, "headers": headers})
        limits = attrs.evolve(self.setting.limits, ping_interval=math.inf, pong_timeout=math.inf)
        frames = framing.Framing(limits.message_bytes)
        transport = _Messages(self)
        pacer = Pacer()
        socket = WebSocket(transport, upgrade, frames, limits, pacer)
        async with trio.open_nursery() as beside:
            beside.start_soon(pacer.run)
            beside.start_soon(self._leave_with_server, socket)
            try:
                await socket.run(b"", b"")
            except PeerGone:
                transport.is_over = not isinstance(socket.outbox.failure, trio.TooSlowError)
            beside.cancel_scope.cancel()
        if not transport.is_over:
            await self.flush()
            await self.end(socket.ending)

    async def _leave_with_server(self, socket: WebSocket) -> None:
        if self.beneath is not None:
            await self.beneath.until_shutdown()
            socket.go_away()


def _asking(head: Head) -> Head:
    """HTTP/2 asks for a WebSocket by a method of its own (RFC 8441): the head as HTTP/1.1 would have it."""
    if "upgrade" in head.headers:
        return head
    asking = (("connection", "upgrade"), ("upgrade", "websocket"))
    return attrs.evolve(
        head, method="GET", headers={**head.headers, **dict(asking)}, header_lines=(*head.header_lines, *asking)
    )


class _Messages:
    """A transport whose bytes are frames, each an ASGI message."""

    def __init__(self, exchange: WebSocketExchange) -> None:
        self._exchange = exchange
        self.is_over = False
        """Whether goodbye was said, by either side."""

    async def receive(self) -> bytes:
        message = await self._exchange.receive()
        if message["type"] == "websocket.disconnect":
            beneath = self._exchange.beneath
            code = message.get("code")
            if code == _ABNORMAL and not (beneath is not None and beneath.shook_hands):
                raise PeerGone
            self.is_over = True
            return _masked(framing.close(code if code in framing.PROPER_CODES else _NORMAL))
        text = message.get("text")
        content = text.encode() if text is not None else message["bytes"]
        return _masked(framing.Framing(len(content)).message(content, is_binary=text is None))

    def try_send(self, data: bytes | memoryview) -> int:
        return 0  # ASGI sends nothing without waiting

    async def send_some(self, data: bytes | memoryview) -> int:
        """Sends the first frame. What is none that a server may send goes on the wire as it is, if there is a way."""
        sendable = _message(bytes(data))
        if sendable is not None:
            message, size = sendable
            self.is_over = self.is_over or message["type"] == "websocket.close"
            await self._exchange.send(message)
        else:
            size = len(data)
            if self._exchange.beneath is not None:
                await self._exchange.beneath.write(bytes(data))
        await self._exchange.flush()
        return size

    def finish(self) -> None: ...
    def cut(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


def _message(data: bytes) -> tuple[dict[str, object], int] | None:
    """The frame at the beginning of the data as ASGI has it, and its size; None if there is no proper one."""
    first, length = data[0], data[1] if len(data) > 1 else 0
    start = {126: 4, 127: 10}.get(length, 2)
    size = start + (length if start == 2 else int.from_bytes(data[2:start], "big"))
    payload = data[start:size]
    if len(data) < max(2, size) or first not in (_TEXT, _BINARY, _CLOSE):
        return None
    try:
        if first == _BINARY:
            return {"type": "websocket.send", "bytes": payload}, size
        if first == _TEXT:
            return {"type": "websocket.send", "text": payload.decode()}, size
        code = int.from_bytes(payload[:2], "big") if payload else _NORMAL
        if code in framing.PROPER_CODES:
            return {"type": "websocket.close", "code": code, "reason": payload[2:].decode()}, size
    except UnicodeDecodeError:
        pass
    return None


def _masked(frame: bytes) -> bytes:
    """A frame as clients send it (RFC 6455 5.3); a mask of zeros changes nothing in it."""
    start = {126: 4, 127: 10}.get(frame[1], 2)
    return frame[:1] + bytes((frame[1] | 0x80,)) + frame[2:start] + b"\0\0\0\0" + frame[start:]

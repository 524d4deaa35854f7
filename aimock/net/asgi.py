"""Net's contract performed as an ASGI application (ASGI 3.0: HTTP and WebSocket), by a server that runs Trio.

What the native loop does with bytes is done here with messages. Where ASGI has no word for something, and Hypercorn
is the server, it is done beneath ASGI (`aimock.net.beneath`); behind another server, a bad ending is a response that
is not finished.
"""

from __future__ import annotations

import abc
import functools
import logging
import re
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

import trio

from aimock.net import wire
from aimock.net.beneath import beneath
from aimock.net.connection import too_large
from aimock.net.exchange import (
    Answer,
    Cut,
    Ending,
    Handler,
    Head,
    Headers,
    Outcome,
    Refusal,
    Relay,
    Request,
    Stream,
    Task,
    Upgrade,
    Whole,
)
from aimock.net.fast_lane import make_head
from aimock.net.limits import Limits
from aimock.net.outcomes import forgo, reporting, watching
from aimock.net.pacer import Pieces
from aimock.net.relaying import Client, relay
from aimock.net.transport import PeerGone

logger = logging.getLogger("aimock")

Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_BODY_BYTES = 64 * 1024
"""Sent at a time: for each, a client has the time that it has for any more of a response."""

Ready = Whole | Stream | Relay | Cut | Upgrade
"""An answer that need not be waited for."""

_HEADER = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-z]+: ?(?:[!-~\x80-\xff](?:[ -~\t\x80-\xff]*[!-~\x80-\xff])?)?")
"""A header line as the protocols behind ASGI take it (RFC 9110 5.5): they refuse a whole response for another."""


class Setting(NamedTuple):
    """What all requests of an application share."""

    handler: Handler
    limits: Limits
    wall_clock: Callable[[], float]
    """Unix time in seconds, for the Date header."""


class Application:
    """Serves one handler to an ASGI server. Lifespan events are not its business."""

    def __init__(
        self, handler: Handler, limits: Limits | None = None, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._setting = Setting(handler, limits or Limits(), wall_clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ValueError for a type of connection that it does not serve."""
        if scope["type"] == "http":
            await _HTTPExchange(self._setting, scope, receive, send).run()
        elif scope["type"] == "websocket":
            from aimock.net.asgi_websocket import WebSocketExchange  # most servers never see one

            await WebSocketExchange(self._setting, scope, receive, send).run()
        else:
            raise ValueError(f"no ASGI connection of type {scope['type']!r} is served")


class ASGIExchange(abc.ABC):
    """One request, and the performance of its answer. `family` goes before the types of the response's messages."""

    family = "http.response"
    leaving = "http.disconnect"

    def __init__(self, setting: Setting, scope: Scope, receive: Receive, send: Send) -> None:
        self.setting = setting
        self.scope = scope
        self.receive = receive
        self.beneath = beneath(send)
        self._send = send

    async def run(self) -> None:
        """Answers, whatever happens; only a cancellation gets out."""
        try:
            await self.converse()
        except PeerGone:
            pass
        except trio.TooSlowError:
            await self.end(Ending.RST)
        except Exception:
            logger.exception("a request failed")
            await self.end(Ending.FIN)

    @abc.abstractmethod
    async def converse(self) -> None:
        """Reads the request and performs its answer. What it raises ends the connection."""

    # -- sending ---------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Raises TooSlowError if the client takes nothing for too long."""
        with trio.fail_after(self.setting.limits.write_timeout):
            await self._send(message)

    async def flush(self) -> None:
        """Until all that was sent is on its way: without it, Hypercorn piles up what an HTTP/2 client does not take."""
        if self.beneath is not None:
            with trio.fail_after(self.setting.limits.write_timeout):
                await self.beneath.flush()

    async def end(self, ending: Ending) -> None:
        """Ends it badly. Without anything beneath, what is not finished when we return is cut by the server."""
        if ending is Ending.STALL:
            await self.until_client_leaves()
        elif self.beneath is not None:
            with trio.CancelScope(shield=True):  # half a reset would spoil what else is on the connection
                await self.beneath.end(ending)

    async def until_client_leaves(self) -> None:
        while (await self.receive())["type"] != self.leaving:
            pass

    # -- answering -------------------------------------------------------------------------------------------------

    async def waited_for(self, task: Task) -> Ready:
        """What a task comes to. Raises PeerGone."""
        answer: Answer = task
        try:
            async with watching(self.until_client_leaves):
                while isinstance(answer, Task):
                    answer = await answer.run()
        except BaseException as failure:  # it may have been made already, and nobody will perform it
            await forgo(answer, Outcome.CLIENT_LEFT if isinstance(failure, PeerGone) else Outcome.STOPPED)
            raise
        return answer

    async def perform(self, answer: Whole | Stream | Relay | Cut, head: Head | None, since: float) -> None:
        """The times of a stream count from `since`, in Trio's time. Raises PeerGone."""
        if isinstance(answer, Cut):
            if answer.on_end is not None:
                answer.on_end(Outcome.DELIVERED)
            await self.end(answer.ending)
            return
        with reporting(answer.on_end) as report:
            async with watching(self.until_client_leaves) as watch:
                if isinstance(answer, Relay):
                    ending = await relay(
                        answer, head, Client(functools.partial(self._start, answer), self._write_body), watch
                    )
                else:
                    ending = await self._play(answer, head, since)
            is_broken = isinstance(answer, Relay) and ending is not Ending.CLEAN
            report.outcome = Outcome.BROKEN_OFF if is_broken else Outcome.DELIVERED
            if ending is Ending.CLEAN:
                await self.send({"type": f"{self.family}.body", "body": b"", "more_body": False})
        if ending is Ending.FIN_MID_CHUNK and self.beneath is not None:
            await self.beneath.announce_chunk()
        if ending is not Ending.CLEAN:
            await self.end(ending)

    async def _play(self, answer: Whole | Stream, head: Head | None, since: float) -> Ending:
        """How the response is to end."""
        has_body = wire.has_body(answer.status, head)
        pieces = Pieces(_timed(answer) if has_body else iter(()), since)
        await self._start(answer)
        while pieces.pending is not None:
            await trio.sleep_until(pieces.due)
            await self._write_body(pieces.take_due(trio.current_time(), separate=answer.slicing is not None))
        if pieces.failure is not None:
            raise pieces.failure
        return answer.ending if isinstance(answer, Stream) and has_body else Ending.CLEAN

    async def _start(self, answer: Whole | Stream | Relay) -> None:
        with trio.CancelScope(shield=True):  # cut off in it, the headers of other streams would be lost as well
            await self.send(self._opening(answer))

    async def _write_body(self, data: bytes) -> None:
        for start in range(0, len(data), _BODY_BYTES):
            body = data[start : start + _BODY_BYTES]
            await self.send({"type": f"{self.family}.body", "body": body, "more_body": True})
            await self.flush()

    def _opening(self, answer: Whole | Stream | Relay) -> Message:
        headers = [*encoded(answer.headers), *encoded(answer.fresh)]
        if self.beneath is not None and not self.beneath.adds_date:  # of other servers we do not know: they mostly do
            headers.append((b"date", wire.http_date(int(self.setting.wall_clock())).encode()))
        length = answer.length if isinstance(answer, Relay) else None
        if isinstance(answer, Whole) and not answer.chunked:
            length = len(answer.body)
        if length is not None and wire.may_have_body(answer.status):
            headers.append((b"content-length", b"%d" % length))
        return {"type": f"{self.family}.start", "status": answer.status, "headers": headers}


class _HTTPExchange(ASGIExchange):
    async def converse(self) -> None:
        head = head_of(self.scope)
        if isinstance(head, Refusal):
            await self._refuse(None, head)
            return
        limits = self.setting.limits
        if len(head.header_lines) > limits.header_lines:
            await self._refuse(None, Refusal(431, f"More than {limits.header_lines} header lines"))
            return
        try:
            body = await self._read_body()
        except trio.TooSlowError:
            if self.beneath is not None and self.beneath.is_multiplexed:
                raise  # what else comes of the body must find its stream reset: Hypercorn would take it for a fault
            await self._refuse(head, Refusal(408, "The request's body took too long"))
            return
        if body is None:
            await self._refuse(head, too_large(limits))
            return
        since = trio.current_time()
        answer = self.setting.handler.answer(Request(head, body))
        if isinstance(answer, Task):
            answer = await self.waited_for(answer)
            since = trio.current_time()
        if isinstance(answer, Upgrade):
            if answer.on_end is not None:
                answer.on_end(Outcome.STOPPED)
            await self._refuse(head, Refusal(400, "Not the opening handshake of a WebSocket"))
            return
        await self.perform(answer, head, since)

    async def _read_body(self) -> bytes | None:
        """None if it is too large: then it was read to its end all the same, for an answer before that would be lost
        where Hypercorn closes the connection."""
        body = bytearray()
        is_too_large = False
        while True:
            with trio.fail_after(self.setting.limits.read_timeout):
                message = await self.receive()
            if message["type"] == self.leaving:
                raise PeerGone
            body += message.get("body", b"")
            if len(body) > self.setting.limits.body_bytes:
                is_too_large = True
                body.clear()
            if not message.get("more_body", False):
                return None if is_too_large else bytes(body)

    async def _refuse(self, head: Head | None, refusal: Refusal) -> None:
        await self.perform(self.setting.handler.refuse(head, refusal), head, trio.current_time())


def head_of(scope: Scope) -> Head | Refusal:
    """A scope's head, its target put together as it was sent."""
    raw_path = scope.get("raw_path") or urllib.parse.quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    target = (raw_path + b"?" + query if query else raw_path).decode("latin-1")
    lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    head = make_head(scope.get("method", "GET"), target, lines)
    if head is None:
        shown = target.partition("?")[0][:200]  # keys travel in queries
        return Refusal(400, f"Request target {shown!r} is not one of a server")
    head.http_version = scope["http_version"]
    return head


def _timed(answer: Whole | Stream) -> Iterator[tuple[float, bytes]]:
    if isinstance(answer, Stream):
        return wire.body_pieces(answer)
    whole = iter([(0.0, answer.body)])
    return whole if answer.slicing is None else wire.slices(whole, answer.slicing)


def encoded(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    """Names in lower case, as HTTP/2 has them (RFC 9113 8.2)."""
    for name, value in headers:
        pair = name.lower().encode("latin-1", "replace"), value.strip(" \t").encode("latin-1", "replace")
        if _HEADER.fullmatch(b": ".join(pair)):
            yield pair

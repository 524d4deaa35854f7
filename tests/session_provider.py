"""A provider of sessions over WebSockets, of which a test writes what it says; and a client that says and hears."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, open_websocket_url, serve_websocket

Event = dict[str, Any]
Script = Callable[["Line"], Awaitable[None]]


@attrs.define
class Line:
    """One end of a connection, which speaks JSON."""

    socket: WebSocketConnection
    heard: list[Event] = attrs.field(factory=list)

    async def say(self, *messages: Event | str) -> None:
        for message in messages:
            await self.socket.send_message(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Event:
        self.heard.append(json.loads(await self.socket.get_message()))
        return self.heard[-1]

    async def until(self, is_last: Callable[[Event], bool]) -> list[Event]:
        """What comes, up to a message."""
        heard = [await self.hear()]
        while not is_last(heard[-1]):
            heard.append(await self.hear())
        return heard

    async def goodbye(self) -> tuple[int, str | None, list[Event]]:
        """How the other end closes, and what it says before."""
        heard = []
        with suppress(ConnectionClosed):
            while True:
                heard.append(await self.hear())
        reason = self.socket.closed
        assert reason is not None
        return reason.code, reason.reason, heard


@attrs.define
class SessionProvider:
    """Plays a script to each client."""

    script: Script
    status: int = 101
    """Anything else refuses the handshake."""
    asked: list[tuple[str, Mapping[str, str], Sequence[str]]] = attrs.field(factory=list)
    """Of each handshake: target, headers and subprotocols."""
    lines: list[Line] = attrs.field(factory=list)
    url: str = ""

    async def _serve(self, request: WebSocketRequest) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        self.asked.append((request.path, headers, request.proposed_subprotocols))
        if self.status != 101:
            await request.reject(self.status, body=b'{"error": "no"}')
            await trio.aclose_forcefully(request._connection._stream)
            return
        chosen = "realtime" if "realtime" in request.proposed_subprotocols else None
        line = Line(await request.accept(subprotocol=chosen))
        self.lines.append(line)
        try:
            with suppress(ConnectionClosed):
                await self.script(line)
        finally:
            await _let_go(line.socket)

    @asynccontextmanager
    async def on_a_socket(self) -> AsyncIterator[str]:
        """Listens meanwhile, at the URL."""
        async with trio.open_nursery() as nursery:
            serve = functools.partial(
                serve_websocket, self._serve, "127.0.0.1", 0, None, max_message_size=2**25, handler_nursery=nursery
            )
            server = await nursery.start(serve)
            self.url = f"http://127.0.0.1:{server.port}"
            yield self.url
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def calling(
    url: str, target: str, headers: Mapping[str, str] = {}, subprotocols: Sequence[str] = ()
) -> AsyncIterator[Line]:
    """A client of a server at `url`."""
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with open_websocket_url(
        url.replace("http", "ws", 1) + target,
        extra_headers=lines,
        subprotocols=[*subprotocols] or None,
        max_message_size=2**25,
    ) as socket:
        try:
            yield Line(socket)
        finally:
            await _let_go(socket)


async def _let_go(socket: WebSocketConnection) -> None:
    """The library leaves its stream to the garbage collector where the other end was the first to close."""
    with trio.move_on_after(1, shield=True):
        await socket.aclose()
    await trio.aclose_forcefully(socket._stream)

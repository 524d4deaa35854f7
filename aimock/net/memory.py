"""A connection without sockets: for tests of anything that has to do with bytes and time.

Under `trio.testing.MockClock` a stream of a minute is read in milliseconds, each piece with its exact time.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import NamedTuple

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, RejectConnection, RejectData, Request, TextMessage
from wsproto.extensions import Extension

from aimock.net.server import HTTPServer
from aimock.net.transport import PeerGone


class Arrival(NamedTuple):
    """Bytes as one write of the server brought them, and Trio's time then."""

    time: float
    data: bytes


class _Pipe:
    """One direction: bytes written here are read there."""

    def __init__(self, capacity: int | None) -> None:
        self.arrivals: collections.deque[Arrival] = collections.deque()
        self.finished = False
        self.reset = False
        self._capacity = capacity
        self._unread = 0
        self._changed = trio.Event()

    def put(self, data: bytes | memoryview) -> int:
        room = len(data) if self._capacity is None else max(0, self._capacity - self._unread)
        taken = bytes(data[:room])
        if taken:
            self._unread += len(taken)
            self.arrivals.append(Arrival(trio.current_time(), taken))
            self.touch()
        return len(taken)

    def touch(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self) -> None:
        await self._changed.wait()

    async def get(self) -> Arrival | None:
        """The next write, or None at its end. Raises PeerGone after a reset."""
        while True:
            if self.reset:
                raise PeerGone
            if self.arrivals:
                arrival = self.arrivals.popleft()
                self._unread -= len(arrival.data)
                self.touch()
                return arrival
            if self.finished:
                return None
            await self.wait()


class MemoryTransport:
    """The server's end."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive(self) -> bytes:
        arrival = await self._incoming.get()
        return arrival.data if arrival is not None else b""

    def try_send(self, data: bytes | memoryview) -> int:
        if self._incoming.reset or self._outgoing.finished or self._outgoing.reset:
            raise PeerGone
        return self._outgoing.put(data)

    async def send_some(self, data: bytes | memoryview) -> int:
        while not (sent := self.try_send(data)):
            await self._outgoing.wait()
        return sent

    def finish(self) -> None:
        self._outgoing.finished = True
        self._outgoing.touch()

    cut = finish

    def reset(self) -> None:
        self._outgoing.reset = True
        self.close()

    def close(self) -> None:
        self.finish()
        self._incoming.reset = True
        self._incoming.touch()


class MemoryClient:
    """The client's end: what a test writes and reads."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, data: bytes) -> None:
        self._outgoing.put(data)

    def finish(self) -> None:
        """FIN."""
        self._outgoing.finished = True
        self._outgoing.touch()

    def leave(self) -> None:
        """RST: the client is gone, unread bytes and all."""
        self._outgoing.reset = True
        self._outgoing.touch()
        self._incoming.touch()

    async def receive(self) -> Arrival | None:
        """The next write of the server; None after its FIN. Raises PeerGone after its RST."""
        return await self._incoming.get()

    async def receive_until(self, mark: bytes) -> list[Arrival]:
        """Writes up to the one that completes `mark`, or all of them if the server ends first."""
        arrivals: list[Arrival] = []
        seen = b""
        while mark not in seen:
            arrival = await self.receive()
            if arrival is None:
                break
            arrivals.append(arrival)
            seen += arrival.data
        return arrivals

    async def receive_all(self) -> list[Arrival]:
        """Everything until the server's FIN."""
        arrivals: list[Arrival] = []
        while (arrival := await self.receive()) is not None:
            arrivals.append(arrival)
        return arrivals


def connect(server: HTTPServer, *, capacity: int | None = None) -> MemoryClient:
    """A new connection to a server whose `serve` is running. `capacity` bounds what the client leaves unread."""
    to_server, to_client = _Pipe(None), _Pipe(capacity)
    server.start_connection(MemoryTransport(to_server, to_client))
    return MemoryClient(to_client, to_server)


class Heard(NamedTuple):
    """A whole message, or another of wsproto's events, and when its last byte was written."""

    time: float
    event: Event


class Rejected(Exception):
    """A server's refusal to open a WebSocket."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.headers = headers
        self.body = body


class MemoryWebSocket:
    """A WebSocket client, by wsproto. `connection` is what its bytes go over."""

    def __init__(self, connection: MemoryClient) -> None:
        self.connection = connection
        self.accepted = AcceptConnection()
        """How the server answered the handshake."""
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: collections.deque[Heard] = collections.deque()
        self._parts: list[str | bytes | bytearray] = []

    def send(self, event: Event) -> None:
        self.connection.send(self._protocol.send(event))

    def say(self, message: str | bytes) -> None:
        self.send(TextMessage(message) if isinstance(message, str) else BytesMessage(message))

    async def receive(self) -> Heard | None:
        """The next message, in one piece, or other event; None after the server's FIN. Raises PeerGone after its
        RST."""
        while not self._events:
            arrival = await self.connection.receive()
            if arrival is None:
                return None
            self._protocol.receive_data(arrival.data)
            for event in self._protocol.events():
                whole = self._joined(event)
                if whole is not None:
                    self._events.append(Heard(arrival.time, whole))
        return self._events.popleft()

    def _joined(self, event: Event) -> Event | None:
        """A message when it is all there."""
        if isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data)
            if not event.message_finished:
                return None
            parts, self._parts = self._parts, []
            if isinstance(event, TextMessage):
                return TextMessage("".join(part for part in parts if isinstance(part, str)))
            return BytesMessage(b"".join(part for part in parts if not isinstance(part, str)))
        return event

    async def _open(self, request: Request) -> None:
        self.send(request)
        heard = await self.receive()
        if heard is not None and isinstance(heard.event, AcceptConnection):
            self.accepted = heard.event
            return
        rejection = heard.event if heard is not None else None
        if not isinstance(rejection, RejectConnection):
            raise PeerGone
        body = b""
        while (heard := await self.receive()) is not None and isinstance(heard.event, RejectData):
            body += heard.event.data
            if heard.event.body_finished:
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in rejection.headers}
        raise Rejected(rejection.status_code, headers, body)


async def open_websocket(
    server: HTTPServer,
    target: str = "/",
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    subprotocols: Sequence[str] = (),
    extensions: Sequence[Extension] = (),
    capacity: int | None = None,
) -> MemoryWebSocket:
    """A new connection, and its handshake done. Raises Rejected, or PeerGone if there was no answer."""
    client = MemoryWebSocket(connect(server, capacity=capacity))
    request = Request(
        "localhost", target, extensions=list(extensions), extra_headers=list(headers), subprotocols=list(subprotocols)
    )
    await client._open(request)
    return client

"""What the tests of net share: a scripted handler behind a server, in memory or on a socket, and a client's reading."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import h11
import orjson
import pytest
import trio

from aimock.net import memory
from aimock.net.exchange import Answer, Head, Refusal, Request, Whole
from aimock.net.limits import Limits
from aimock.net.listen import open_listeners
from aimock.net.server import HTTPServer
from aimock.net.tls import Security
from aimock.net.transport import PeerGone

MOMENT = 1795200000.0
"""The wall clock of every server here: Fri, 20 Nov 2026 18:40:00 GMT."""


def echo(request: Request) -> Answer:
    """Tells what was read of a request."""
    head = request.head
    told = {"method": head.method, "target": head.target, "path": head.path, "query": head.query}
    told |= {"body": request.body.decode("latin-1"), "headers": head.header_lines}
    return Whole(200, (("content-type", "application/json"),), orjson.dumps(told))


@attrs.define
class Script:
    """A handler that does as the test says, and remembers what it was asked."""

    answers: Callable[[Request], Answer] = echo
    requests: list[Request] = attrs.field(factory=list)
    refusals: list[tuple[Head | None, Refusal]] = attrs.field(factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers(request)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        self.refusals.append((head, refusal))
        return Whole(refusal.status, (("content-type", "text/plain"),), refusal.message.encode())


@pytest.fixture
def script() -> Script:
    """For tests that start no stage."""
    return Script()


@attrs.frozen
class Response:
    """One response as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool = True
    was_reset: bool = False
    continues: int = 0
    """How many `100 Continue` came before it."""

    @property
    def told(self) -> Any:
        return orjson.loads(self.body)


NOTHING = Response(0, {}, b"", is_complete=False)
"""The connection ended before a response."""


class Reader:
    """Responses off a connection, by h11. `receive` gives bytes, empty at FIN, and raises PeerGone at RST."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._rest = b""

    async def response(self, method: str = "GET") -> Response:
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        if self._rest:
            parser.receive_data(self._rest)
        response = NOTHING
        while True:
            try:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    parser.receive_data(await self._receive())
                    continue
            except (h11.RemoteProtocolError, PeerGone) as error:
                return attrs.evolve(response, is_complete=False, was_reset=isinstance(error, PeerGone))
            if isinstance(event, h11.InformationalResponse):
                response = attrs.evolve(response, continues=response.continues + 1)
            elif isinstance(event, h11.Response):
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                response = attrs.evolve(response, status=event.status_code, headers=headers, is_complete=True)
            elif isinstance(event, h11.Data):
                response = attrs.evolve(response, body=response.body + event.data)
            else:  # its end, or that of the connection
                self._rest = bytes(parser.trailing_data[0])
                return response


def memory_reader(client: memory.MemoryClient) -> Reader:
    async def receive() -> bytes:
        arrival = await client.receive()
        return arrival.data if arrival is not None else b""

    return Reader(receive)


@attrs.frozen
class Stage:
    """A running server."""

    server: HTTPServer
    script: Script
    address: tuple[str, int] | None = None

    def connect(self, capacity: int | None = None) -> memory.MemoryClient:
        return memory.connect(self.server, capacity=capacity)

    async def converse(self, *pieces: bytes, methods: tuple[str, ...] = ("GET",)) -> list[Response]:
        """The responses to what is sent in these pieces over a connection in memory."""
        client = self.connect()
        for piece in pieces:
            client.send(piece)
        reader = memory_reader(client)
        return [await reader.response(method) for method in methods]

    async def open_socket(self) -> trio.SocketStream:
        assert self.address is not None
        stream = await trio.open_tcp_stream(*self.address)
        assert isinstance(stream, trio.SocketStream)
        return stream


StartStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def start_stage(nursery: trio.Nursery) -> StartStage:
    """`await start_stage(answers, limits…)` gives a server in memory; with `listeners`, one on their sockets."""

    async def start(
        answers: Callable[[Request], Answer] = echo,
        *,
        listeners: Sequence[socket.socket] = (),
        security: Security | None = None,
        **limits: Any,
    ) -> Stage:
        script = Script(answers)
        server = HTTPServer(script, Limits(**limits), lambda: MOMENT, security)
        address = listeners[0].getsockname()[:2] if listeners else None
        await nursery.start(server.serve, listeners)
        return Stage(server, script, address)

    return start


@pytest.fixture
async def start_socket_stage(start_stage: StartStage) -> StartStage:
    """The same on a free port of the loopback interface."""

    async def start(answers: Callable[[Request], Answer] = echo, **limits: Any) -> Stage:
        return await start_stage(answers, listeners=open_listeners("127.0.0.1", 0), **limits)

    return start


@pytest.fixture
def read_memory() -> Callable[[memory.MemoryClient], Reader]:
    return memory_reader


@pytest.fixture
def read_socket() -> Callable[[trio.SocketStream], Reader]:
    def read(stream: trio.SocketStream) -> Reader:
        async def receive() -> bytes:
            try:
                return bytes(await stream.receive_some(65536))
            except trio.BrokenResourceError as error:
                raise PeerGone from error

        return Reader(receive)

    return read


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for what the kernel, or another thread, will bring about."""

    async def until(condition: Callable[[], bool]) -> None:
        with trio.fail_after(5):
            while not condition():  # noqa: ASYNC110 - no event of ours tells
                await trio.sleep(0.001)

    return until

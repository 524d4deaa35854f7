"""What is relayed, over sockets, in TLS and through Hypercorn: each piece as it comes, if there is room for it."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import h2.connection
import pytest
import trio
import trustme

from aimock.net.exchange import Answer, BrokenOff, Ending, Outcome, Relay, Request, Whole
from aimock.net.http2 import HTTP2Server
from aimock.net.limits import Limits
from aimock.net.listen import open_listeners
from aimock.net.server import HTTPServer
from aimock.net.tls import Security
from tests.aimock.net.h2_client import H2Client

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Script

Connect = Callable[..., Awaitable[tuple[Any, Any]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
EVENTS = (("content-type", "text/event-stream"),)
A, B = b"data: a\n\n", b"data: b\n\n"
LEFT = ["closed", Outcome.CLIENT_LEFT]
CANCEL = 8


@attrs.define
class Tap:
    """A source that gives when it is told to."""

    sending: trio.MemorySendChannel[bytes] = attrs.field(init=False)
    receiving: trio.MemoryReceiveChannel[bytes] = attrs.field(init=False)
    given: int = 0
    told: list[object] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.sending, self.receiving = trio.open_memory_channel[bytes](10_000)

    async def generate(self) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in self.receiving:
                self.given += 1
                if piece == b"break":
                    raise BrokenOff(Ending.RST)
                yield piece
        finally:
            self.told.append("closed")

    def answers(self, request: Request) -> Answer:
        if request.head.path == "/other":
            return Whole(200, EVENTS, b"other")
        return Relay(200, EVENTS, self.generate(), on_end=self.told.append)


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    return ours, theirs


@pytest.fixture
async def connect(tap: Tap, nursery: trio.Nursery, script: Script) -> AsyncIterator[Connect]:
    """`await connect(kind)` gives a connection to a server with the tap behind it, and that server."""
    script.answers = tap.answers
    opened: list[trio.SocketStream] = []

    async def connect(kind: str, **limits: Any) -> tuple[trio.abc.Stream, Any]:
        ours, theirs = contexts() if "tls" in kind else (None, None)
        listeners = open_listeners("127.0.0.1", 0)
        make = HTTP2Server if kind.startswith("http2") else HTTPServer
        server: Any = make(script, Limits(**limits), security=ours and Security(ours))
        address = listeners[0].getsockname()[:2]
        await nursery.start(server.serve, listeners)
        tcp = await trio.open_tcp_stream(*address)
        opened.append(tcp)
        if theirs is None:
            return tcp, server
        secure = trio.SSLStream(tcp, theirs, server_hostname="127.0.0.1", https_compatible=True)
        await secure.do_handshake()
        return secure, server

    yield connect
    for tcp in opened:
        await trio.aclose_forcefully(tcp)


@pytest.fixture
def tap() -> Tap:
    return Tap()


KINDS = ["plain", "tls", "http2", "http2 tls"]
"""The latter two speak HTTP/1.1 over Hypercorn."""


async def read_until(stream: Any, mark: bytes) -> bytes:
    received = b""
    with trio.fail_after(5):
        while mark not in received:
            data = await stream.receive_some()
            assert data, received
            received += data
    return received


@pytest.mark.parametrize("kind", KINDS)
async def test_over_sockets(kind: str, tap: Tap, connect: Connect, until: Until) -> None:
    stream, _ = await connect(kind)
    for _ in range(2):
        await stream.send_all(GET)
        await read_until(stream, b"\r\n\r\n")
        for piece in (A, B, A):
            tap.sending.send_nowait(piece)
            await read_until(stream, b"9\r\n" + piece + b"\r\n")
        tap.sending.close()
        await read_until(stream, b"0\r\n\r\n")
        tap.sending, tap.receiving = trio.open_memory_channel[bytes](10)
    await until(lambda: len(tap.told) == 4)
    assert tap.told == ["closed", Outcome.DELIVERED] * 2


@pytest.mark.parametrize("kind", KINDS)
async def test_backpressure_over_sockets(kind: str, tap: Tap, connect: Connect, until: Until) -> None:
    stream, server = await connect(kind, write_timeout=0.3)
    for _ in range(2000):
        tap.sending.send_nowait(b"x" * 65536)
    await stream.send_all(GET)
    await until(lambda: len(tap.told) == 2)
    assert tap.told[0] == "closed"
    assert tap.told[1] is Outcome.STOPPED or "http2" in kind, (
        "Hypercorn may be first, and tells that the client is gone"
    )
    assert tap.given < 1000, "the buffers of two sockets hold some of it"
    await until(lambda: server.connections == 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_breaking_off_over_sockets(kind: str, tap: Tap, connect: Connect, until: Until) -> None:
    stream, server = await connect(kind)
    await stream.send_all(GET)
    tap.sending.send_nowait(A)
    await read_until(stream, A)
    tap.sending.send_nowait(b"break")
    with pytest.raises(trio.BrokenResourceError):
        await read_until(stream, b"no more")
    await until(lambda: len(tap.told) == 2)
    assert tap.told == ["closed", Outcome.BROKEN_OFF]
    await until(lambda: server.connections == 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["fin", "rst"])
async def test_leaving_over_sockets(kind: str, way: str, tap: Tap, connect: Connect, until: Until) -> None:
    stream, server = await connect(kind)
    await stream.send_all(GET)
    tap.sending.send_nowait(A)
    await read_until(stream, A)
    tcp = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    if way == "rst":
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(tcp)
    await until(lambda: len(tap.told) == 2)
    assert tap.told == LEFT
    await until(lambda: server.connections == 0)


# -- over HTTP/2 -------------------------------------------------------------------------------------------------------


async def test_over_http_2(tap: Tap, connect: Connect, until: Until) -> None:
    stream, _ = await connect("http2")
    async with H2Client(stream).talking() as client:
        asked = await client.ask()
        for count, piece in enumerate((A, B, A), 1):
            tap.sending.send_nowait(piece)
            await client.until(lambda count=count: len(client.seen(asked).body) == 9 * count)
        assert (await client.fetch("/other")).body == b"other", "others are not delayed"
        tap.sending.close()
        assert (await client.over(asked)).ended
    assert tap.told == ["closed", Outcome.DELIVERED]


async def test_breaking_off_over_http_2_resets_the_stream(tap: Tap, connect: Connect, until: Until) -> None:
    stream, _ = await connect("http2")
    async with H2Client(stream).talking() as client:
        asked = await client.ask()
        tap.sending.send_nowait(A)
        tap.sending.send_nowait(b"break")
        seen = await client.over(asked)
        assert (seen.body, seen.reset) == (A, CANCEL)
        assert (await client.fetch("/other")).body == b"other"
    assert tap.told == ["closed", Outcome.BROKEN_OFF]


async def test_backpressure_over_http_2(tap: Tap, connect: Connect, until: Until) -> None:
    stream, _ = await connect("http2", write_timeout=0.5)
    for _ in range(100):
        tap.sending.send_nowait(b"x" * 1000)
    async with H2Client(stream, window=2500).talking() as client:
        asked = await client.ask()
        await client.until(lambda: len(client.seen(asked).body) == 2500)
        assert (await client.fetch("/other")).body == b"other"
        assert tap.given == 3, "two were taken, and half of the third"
        assert (await client.over(asked)).reset == CANCEL
    assert tap.told == ["closed", Outcome.STOPPED]


@pytest.mark.parametrize("by", ["reset", "disconnect"])
@pytest.mark.parametrize("given", range(4))
async def test_leaving_over_http_2(by: str, given: int, tap: Tap, connect: Connect, until: Until) -> None:
    stream, server = await connect("http2")
    async with H2Client(stream).talking() as client:
        asked = await client.ask()
        for _ in range(given):
            tap.sending.send_nowait(A)
        await client.until(lambda: client.seen(asked).status == 200 and len(client.seen(asked).body) == 9 * given)
        if by == "reset":
            await client.reset(asked)
            await until(lambda: len(tap.told) == 2)
            assert (await client.fetch("/other")).body == b"other"
    await until(lambda: len(tap.told) == 2)
    assert tap.told == LEFT
    await until(lambda: server.connections == 0)


HTTP_2 = h2.connection.H2Connection()
HTTP_2.initiate_connection()
HTTP_2.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")], end_stream=True)
ASKING = {"plain": GET, "http2": GET, "http2 by prior knowledge": HTTP_2.data_to_send()}


@pytest.mark.parametrize("kind", ASKING)
async def test_whoever_leaves_after_some_bytes_nothing_is_left(
    kind: str, tap: Tap, connect: Connect, script: Script, until: Until
) -> None:
    stream, server = await connect(kind)
    address = stream.socket.getpeername()
    await trio.aclose_forcefully(stream)

    async def generate() -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(20):
                await trio.sleep(0.001)
                yield b"piece"
        finally:
            tap.told.append("closed")

    script.answers = lambda request: Relay(200, EVENTS, generate(), on_end=tap.told.append)
    await until(lambda: server.connections == 0)
    tasks = trio.lowlevel.current_statistics().tasks_living
    sizes = range(0, 300, 9)
    for size in sizes:
        async with await trio.open_tcp_stream(*address) as tcp:
            await tcp.send_all(ASKING[kind])
            while size > 0:
                size -= len(await tcp.receive_some(size))
    await until(lambda: server.connections == 0 and trio.lowlevel.current_statistics().tasks_living <= tasks)
    assert len(tap.told) == 2 * len(script.requests)
    assert tap.told.count("closed") == len(script.requests) > len(sizes) / 2

"""A provider whose every byte the test sends, and asking it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import attrs
import h11
import trio

from aimock.net.exchange import Headers
from aimock.record.upstream import Call, UpstreamFailed, UpstreamResponse

SECRETS = ("sk-hush-theirs", "sk-hush-ours", "hush-query", "hush-aws")

AWS = {"AWS_ACCESS_KEY_ID": "AKIDOURS", "AWS_SECRET_ACCESS_KEY": SECRETS[3], "AWS_REGION": "eu-west-1"}
NOWHERE = {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}


T = TypeVar("T")


@attrs.frozen
class Arrived:
    method: str
    target: str
    headers: Headers
    body: bytes


class Connection:
    """The provider's end of one."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._parser = h11.Connection(h11.SERVER)

    async def request(self) -> Arrived:
        """The next request, whole."""
        head: h11.Request | None = None
        body = b""
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                self._parser.receive_data(bytes(await self.stream.receive_some()))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
                return Arrived(head.method.decode(), head.target.decode(), headers, body)
            else:
                raise AssertionError(event)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self, body: bytes = b"{}", status: int = 200, headers: Headers = ()) -> None:
        """A whole one, after which the connection may be used again."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in (*headers, ("Content-Length", str(len(body)))))
        await self.send(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)
        self._parser = h11.Connection(h11.SERVER)

    async def left(self) -> bool:
        """Whether the other end closes rather than sends; one that leaves something unread is gone with a reset."""
        try:
            return not await self.stream.receive_some()
        except trio.BrokenResourceError:
            return True

    async def reset(self) -> None:
        assert isinstance(self.stream, trio.SocketStream)
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()


@attrs.define
class Provider:
    listener: trio.SocketListener
    secured: ssl.SSLContext | None = None
    accepted: list[trio.abc.Stream] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        scheme = "http" if self.secured is None else "https"
        return f"{scheme}://127.0.0.1:{self.listener.socket.getsockname()[1]}"

    @property
    def authority(self) -> str:
        return self.url.partition("//")[2]

    async def accept(self) -> Connection:
        stream: trio.abc.Stream = await self.listener.accept()
        self.accepted.append(stream)
        if self.secured is not None:
            stream = trio.SSLStream(stream, self.secured, server_side=True)
            with contextlib.suppress(trio.BrokenResourceError):  # of a client that does not trust it
                await stream.do_handshake()
        return Connection(stream)

    async def served(self) -> tuple[Connection, Arrived]:
        connection = await self.accept()
        return connection, await connection.request()


class Pending(Generic[T]):
    """Something that is done beside the test."""

    def __init__(self, nursery: trio.Nursery, run: Callable[[], Awaitable[T]]) -> None:
        self._done = trio.Event()
        self._found: list[T] = []
        self._raised: list[UpstreamFailed] = []
        self.scope = trio.CancelScope()
        nursery.start_soon(self._run, run)

    async def _run(self, run: Callable[[], Awaitable[T]]) -> None:
        try:
            with self.scope:
                self._found.append(await run())
        except UpstreamFailed as error:
            self._raised.append(error)
        finally:
            self._done.set()

    async def result(self) -> T:
        await self._done.wait()
        for error in self._raised:
            raise error
        return self._found[0]

    async def failure(self) -> UpstreamFailed:
        await self._done.wait()
        assert self._raised, self._found
        return self._raised[0]


Asked = Callable[..., Pending[UpstreamResponse]]


def made_call(
    provider: str = "openai",
    method: str = "POST",
    target: str = "/v1/chat/completions",
    lines: Headers = (("host", "127.0.0.1:4010"), ("authorization", f"Bearer {SECRETS[0]}")),
    body: bytes = b"{}",
    is_guarded: bool = False,
) -> Call:
    return Call(provider, method, target, lines, body, is_guarded)


async def whole(response: UpstreamResponse) -> bytes:
    try:
        return b"".join([piece async for piece in response.pieces()])
    finally:
        await response.aclose()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)

"""WebSockets to other servers: what they are asked with, whom they trust, and how each end of them is told."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme

from aimock.net.remote_socket import Closed, Refused, RemoteSocket, open_socket
from session_provider import Line, SessionProvider


async def echo(line: Line) -> None:
    while True:
        await line.socket.send_message(await line.socket.get_message())


@pytest.fixture
async def provider() -> AsyncIterator[SessionProvider]:
    each = SessionProvider(echo)
    with trio.fail_after(20):
        async with each.on_a_socket():
            yield each


@asynccontextmanager
async def opened(port: int, **more: Any) -> AsyncIterator[RemoteSocket]:
    settings: dict[str, Any] = {"authority": "provider.test", "tls": None, "subprotocols": (), "headers": ()}
    settings |= {"message_bytes": 1 << 20, "patience": 5.0}
    async with open_socket("127.0.0.1", port, "/v1/realtime?model=m", **settings | more) as socket:
        yield socket


def port_of(provider: SessionProvider) -> int:
    return int(provider.url.rpartition(":")[2])


async def test_messages_of_both_kinds(provider: SessionProvider) -> None:
    more = {"subprotocols": ("realtime", "other"), "headers": (("authorization", "Bearer k"), ("x-two", "caf\xe9"))}
    async with opened(port_of(provider), **more) as socket:
        for message in ("text", b"\0\xff", "x" * 100_000):
            await socket.send(message)
            assert await socket.receive() == message
    ((target, headers, subprotocols),) = provider.asked
    assert (target, headers["authorization"], headers["x-two"]) == ("/v1/realtime?model=m", "Bearer k", "caf\xe9")
    assert [*subprotocols] == ["realtime", "other"]
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("closing", [(1000, ""), (4001, "had enough")])
async def test_a_goodbye_of_ours(provider: SessionProvider, closing: tuple[int, str]) -> None:
    async with opened(port_of(provider)) as socket:
        socket.code, socket.reason = closing
    reason = provider.lines[0].socket.closed
    assert reason is not None
    assert (reason.code, reason.reason or "") == closing


@pytest.mark.parametrize(("code", "reason"), [(1008, "no more"), (4000, "")])
async def test_a_goodbye_of_theirs(provider: SessionProvider, code: int, reason: str) -> None:
    async def script(line: Line) -> None:
        await line.say({"last": "words"})
        await line.socket.aclose(code, reason or None)

    provider.script = script
    async with opened(port_of(provider)) as socket:
        assert await socket.receive() == '{"last": "words"}'
        with pytest.raises(Closed) as closed:
            await socket.receive()
    assert (closed.value.code, closed.value.reason) == (code, reason)


async def test_a_connection_that_breaks(provider: SessionProvider) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await trio.aclose_forcefully(line.socket._stream)

    provider.script = script
    async with opened(port_of(provider)) as socket:
        await socket.send("{}")
        with pytest.raises(Closed) as closed:
            await socket.receive()
        with pytest.raises(Closed):
            await socket.send("more")
    assert closed.value.code == 1006


async def test_a_message_that_is_too_large(provider: SessionProvider) -> None:
    async with opened(port_of(provider), message_bytes=1000) as socket:
        await socket.send("x" * 1001)
        with pytest.raises(Closed) as closed:
            await socket.receive()
    assert closed.value.code == 1009


async def test_a_refusal(provider: SessionProvider) -> None:
    provider.status = 429
    with pytest.raises(Refused) as refused:
        async with opened(port_of(provider)):
            pytest.fail("it was refused")
    assert refused.value.status == 429


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "hung up"), (b"HTTP/1.1 101 Go\r\n\r\n", "no proper answer"), (b"no HTTP\r\n\r\n", "no proper answer")],
)
async def test_no_proper_answer(answer: bytes, words: str, nursery: trio.Nursery) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    (listener,) = await nursery.start(functools.partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    with pytest.raises(OSError, match=words):
        async with opened(listener.socket.getsockname()[1]):
            pytest.fail("there was no handshake")


async def test_patience(nursery: trio.Nursery) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    (listener,) = await nursery.start(functools.partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    with pytest.raises(trio.TooSlowError):
        async with opened(listener.socket.getsockname()[1], patience=0.1):
            pytest.fail("nobody answers")


async def test_what_goes_wrong_with_it_is_told_as_it_is(provider: SessionProvider) -> None:
    with pytest.raises(ZeroDivisionError):
        async with opened(port_of(provider)):
            _ = 1 / 0
    with trio.move_on_after(0.1) as scope:
        async with opened(port_of(provider)) as socket:
            await socket.receive()
    assert scope.cancelled_caught


async def test_only_who_is_trusted(nursery: trio.Nursery) -> None:
    authority, asked = trustme.CA(), []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            asked.append(await stream.receive_some())
            await stream.send_all(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
        except trio.BrokenResourceError:
            pass
        await trio.aclose_forcefully(stream)

    (listener,) = await nursery.start(functools.partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1"))
    port = listener.transport_listener.socket.getsockname()[1]
    trusting = ssl.create_default_context()
    with pytest.raises(trio.BrokenResourceError) as broken:
        async with opened(port, tls=trusting):
            pytest.fail("nobody knows this CA")
    assert isinstance(broken.value.__cause__, ssl.SSLCertVerificationError)
    assert asked == []
    authority.configure_trust(trusting)
    with pytest.raises(Refused):
        async with opened(port, tls=trusting):
            pytest.fail("it was refused")
    assert asked[0].startswith(b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: provider.test\r\n")

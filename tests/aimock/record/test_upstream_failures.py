"""Every way in which asking a provider fails, over real sockets, with its message; and no secret in any."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.record.config import RecordConfig
from aimock.record.upstream import Upstream
from scripted_provider import (
    AWS,
    HEAD,
    NOWHERE,
    SECRETS,
    Asked,
    Connection,
    Pending,
    Provider,
    chunk,
    made_call,
    whole,
)

# -- failures ----------------------------------------------------------------------------------------------------------

FAILED = "Proxy to upstream failed: "


async def test_nobody_listens(nursery: trio.Nursery, upstreams: Callable[..., Upstream]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listened on
        authority = f"127.0.0.1:{taken.getsockname()[1]}"
        failure = await Pending(
            nursery, lambda: upstreams(providers={"openai": f"http://{authority}"}).ask(made_call())
        ).failure()
    assert failure.message == f"{FAILED}cannot connect to {authority}: Connection refused"
    assert failure.status == 502


class Resolver(trio.abc.HostnameResolver):
    def __init__(self, error: OSError | None) -> None:
        self._error = error

    async def getaddrinfo(self, *_: Any, **__: Any) -> Any:
        if self._error is not None:
            raise self._error
        await trio.sleep_forever()

    async def getnameinfo(self, *_: Any) -> Any:
        raise AssertionError


async def test_the_name_is_unknown(nursery: trio.Nursery, upstreams: Callable[..., Upstream]) -> None:
    trio.socket.set_custom_hostname_resolver(Resolver(socket.gaierror(-2, "Name or service not known")))
    upstream = upstreams(providers={"openai": "http://nowhere.example"})
    failure = await Pending(nursery, lambda: upstream.ask(made_call())).failure()
    assert failure.message == f"{FAILED}cannot connect to nowhere.example: Name or service not known"


async def test_connecting_takes_too_long(
    nursery: trio.Nursery, upstreams: Callable[..., Upstream], mock_clock: MockClock
) -> None:
    trio.socket.set_custom_hostname_resolver(Resolver(None))
    upstream = upstreams(providers={"openai": "http://far.example"}, upstream_timeout_ms=1500)
    pending = Pending(nursery, lambda: upstream.ask(made_call()))
    await wait_all_tasks_blocked()
    mock_clock.jump(1.6)
    assert (await pending.failure()).message == f"{FAILED}far.example took no connection within 1.5 s"


@pytest.mark.parametrize("answered", [b"", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"])
async def test_silence_before_the_head(provider: Provider, ask: Asked, mock_clock: MockClock, answered: bytes) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await wait_all_tasks_blocked()
    mock_clock.jump(29)
    await connection.send(answered)
    await wait_all_tasks_blocked()
    mock_clock.jump(30 if answered else 1)
    assert (await pending.failure()).message == f"{FAILED}{provider.authority} sent nothing for 30 s"
    assert await connection.left()


async def test_an_upload_that_is_not_taken(provider: Provider, ask: Asked, mock_clock: MockClock) -> None:
    pending = ask(body=bytes(50_000_000))
    await provider.accept()
    await wait_all_tasks_blocked()
    mock_clock.jump(30)
    assert (await pending.failure()).message == f"{FAILED}{provider.authority} took nothing of the request for 30 s"


async def test_an_upload_that_is_taken_slowly_is_no_failure(
    provider: Provider, ask: Asked, mock_clock: MockClock
) -> None:
    pending = ask(body=bytes(20_000_000), lines=())
    connection = await provider.accept()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await connection.stream.receive_some(1)
    for _ in range(5):  # more each time than sockets hold: what is being sent was begun after the last jump
        taken = 0
        while taken < 4_000_000:
            taken += len(await connection.stream.receive_some(4_000_000 - taken))
        await wait_all_tasks_blocked()
        mock_clock.jump(20)
    await connection.answer(b"x")
    assert await whole(await pending.result()) == b"x"


async def test_silence_within_the_body(
    provider: Provider, nursery: trio.Nursery, upstreams: Callable[..., Upstream], mock_clock: MockClock
) -> None:
    upstream = upstreams(providers={"openai": provider.url}, upstream_timeout_ms=1000, body_timeout_ms=60_000)
    pending = Pending(nursery, lambda: upstream.ask(made_call()))
    connection, _ = await provider.served()
    await connection.send(HEAD)
    response = await pending.result()
    pieces = response.pieces()
    for _ in range(3):  # each within the time of the body, far beyond that of the head
        piece = Pending(nursery, pieces.__anext__)
        await wait_all_tasks_blocked()
        mock_clock.jump(59)
        await connection.send(chunk(b"x"))
        assert await piece.result() == b"x"
    mock_clock.jump(1000)  # a reader that takes its time is no stall
    piece = Pending(nursery, pieces.__anext__)
    await wait_all_tasks_blocked()
    mock_clock.jump(60)
    assert (await piece.failure()).message == f"{FAILED}{provider.authority} sent nothing for 60 s"
    await response.aclose()
    assert await connection.left()


IMPROPER = "{} sent no proper answer: "


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", IMPROPER + "Server disconnected without sending a response."),
        (b"HTTP/1.1 200 OK\r\nA", IMPROPER + "Server disconnected without sending a response."),
        (b"hush-query\r\n\r\n", IMPROPER + "illegal status line"),
        (b"HTTP/1.1 200 OK\r\nhush-query\r\n\r\n", IMPROPER + "illegal header line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: hush-query\r\n\r\n", IMPROPER + "bad Content-Length"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, IMPROPER + "Receive buffer too long"),
    ],
)
async def test_no_proper_head(provider: Provider, ask: Asked, sent: bytes, message: str) -> None:
    pending = ask()
    connection, _ = await provider.served()
    with contextlib.suppress(trio.BrokenResourceError):  # it may have had enough already
        await connection.send(sent)
    await connection.stream.aclose()
    assert (await pending.failure()).message == FAILED + message.format(provider.authority)


async def test_reset_before_the_head(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.reset()
    failure = await pending.failure()
    assert failure.message == f"{FAILED}the connection to {provider.authority} broke: Connection reset by peer"


CUT = "peer closed connection without sending complete message body"


@pytest.mark.parametrize(
    ("sent", "taken", "message"),
    [
        (HEAD + chunk(b"a"), [b"a"], f"{IMPROPER}{CUT} (incomplete chunked read)"),
        (HEAD + b"5\r\nab", [b"ab"], f"{IMPROPER}{CUT} (incomplete chunked read)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", [b"ab"], f"{IMPROPER}{CUT} (received 2 bytes, expected 5)"),
        (HEAD + chunk(b"a") + b"hush-query\r\n", [b"a"], IMPROPER + "illegal chunk header"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"abc", mtime=0)[:-2],
            [b"abc"],
            "{} sent a body that is not in its content coding: it is cut off",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n\xff\xff\xff\xff",
            [],
            "{} sent a body that is not in its content coding: Error -3 while decompressing data: invalid block type",
        ),
    ],
)
async def test_no_proper_body(
    nursery: trio.Nursery, provider: Provider, ask: Asked, sent: bytes, taken: list[bytes], message: str
) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(sent)
    await connection.stream.aclose()
    response = await pending.result()
    pieces: list[bytes] = []

    async def read() -> None:
        async for piece in response.pieces():
            pieces.extend((piece,))

    failure = await Pending(nursery, read).failure()
    await response.aclose()
    assert pieces == taken
    assert failure.message == FAILED + message.format(provider.authority)


async def test_reset_within_the_body(provider: Provider, nursery: trio.Nursery, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(HEAD + chunk(b"a"))
    response = await pending.result()
    pieces = response.pieces()
    assert await anext(pieces) == b"a"
    await connection.reset()
    failure = await Pending(nursery, pieces.__anext__).failure()
    await response.aclose()
    assert failure.message == f"{FAILED}the connection to {provider.authority} broke: Connection reset by peer"


async def test_closing_fails_what_is_still_coming(
    provider: Provider, nursery: trio.Nursery, upstreams: Callable[..., Upstream]
) -> None:
    upstream = upstreams(providers={"openai": provider.url})
    pending = Pending(nursery, lambda: upstream.ask(made_call()))
    connection, _ = await provider.served()
    await connection.send(HEAD)
    response = await pending.result()
    piece = Pending(nursery, response.pieces().__anext__)
    await wait_all_tasks_blocked()
    await upstream.aclose()
    assert (await piece.failure()).message.startswith(f"{FAILED}the connection to {provider.authority} broke: ")
    await response.aclose()


@pytest.mark.parametrize(
    ("call", "environment", "message"),
    [
        ({"provider": "cohere"}, {}, "No URL is configured for cohere"),
        (
            {"is_guarded": True},
            {},
            "No configured provider credential: set AIMOCK_PROVIDER_OPENAI_KEY",
        ),
        (
            {"provider": "bedrock", "is_guarded": True},
            NOWHERE,
            "No configured provider credential: there are no AWS credentials here",
        ),
        (
            {"provider": "bedrock", "lines": ()},
            {**AWS, "AWS_REGION": ""},
            f"{FAILED}the region to sign for is not known: set AWS_REGION",
        ),
        (
            {"lines": (("authorization", f"Bearer {SECRETS[0]}\n"),)},
            {},
            f"{FAILED}the request cannot be sent over HTTP/1.1",
        ),
    ],
)
async def test_nothing_is_sent(
    nursery: trio.Nursery,
    provider: Provider,
    upstreams: Callable[..., Upstream],
    call: dict[str, Any],
    environment: dict[str, str],
    message: str,
) -> None:
    upstream = upstreams(environment, providers={"openai": provider.url, "bedrock": provider.url})
    failure = await Pending(nursery, lambda: upstream.ask(made_call(**call))).failure()
    assert (failure.message, failure.status) == (message, 502)


def test_what_cannot_be_used_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"^openai: expected an http or https URL with a host$"):
        Upstream(RecordConfig(providers={"openai": "hush"}), {})


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA's file as the environment has it for every client."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def secured(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.usefixtures("trusted")
async def test_over_tls(provider: Provider, authority: trustme.CA, ask_anew: Asked) -> None:
    provider.secured = secured(authority)
    pending = ask_anew()
    connection, arrived = await provider.served()
    assert dict(arrived.headers)["host"] == provider.authority
    await connection.answer(b"x")
    assert await whole(await pending.result()) == b"x"


async def test_a_certificate_that_nobody_trusts(provider: Provider, authority: trustme.CA, ask_anew: Asked) -> None:
    provider.secured = secured(authority)
    pending = ask_anew()
    await provider.accept()
    failure = await pending.failure()
    assert failure.message == (
        f"{FAILED}cannot connect to {provider.authority}: its certificate is not trusted:"
        " unable to get local issuer certificate"
    )


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_somebody_else(provider: Provider, authority: trustme.CA, ask_anew: Asked) -> None:
    provider.secured = secured(authority, "else.example")
    pending = ask_anew()
    await provider.accept()
    assert "its certificate is not trusted: IP address mismatch" in (await pending.failure()).message


async def test_a_server_that_speaks_no_tls(provider: Provider, ask_anew: Asked) -> None:
    provider.secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # in the URL only
    pending = ask_anew()
    async with await provider.listener.accept() as stream:
        await Connection(stream).answer(b"", 400)
    assert f"{FAILED}cannot connect to {provider.authority}: " in (await pending.failure()).message


@pytest.fixture
def ask_anew(nursery: trio.Nursery, provider: Provider, upstreams: Callable[..., Upstream]) -> Asked:
    """As `ask`, with connections of its own: the provider's URL is read only now."""
    return lambda **call: Pending(nursery, lambda: upstreams(providers={"openai": provider.url}).ask(made_call(**call)))


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.usefixtures("trusted")
async def test_no_secret_is_logged_or_told(
    provider: Provider,
    authority: trustme.CA,
    nursery: trio.Nursery,
    upstreams: Callable[..., Upstream],
    caplog: pytest.LogCaptureFixture,
    is_secure: bool,
) -> None:
    """Whatever is logged at all, at the lowest level of every logger."""
    caplog.set_level(logging.DEBUG)
    provider.secured = secured(authority) if is_secure else None
    keys = {"gemini": SECRETS[1]}
    upstream = upstreams(AWS, providers={"gemini": provider.url, "bedrock": provider.url}, provider_keys=keys)
    for number, name in enumerate(["gemini", "bedrock"] * 2):
        lines = (("x-goog-api-key", SECRETS[0]),) if name == "gemini" and number else ()
        call = made_call(name, target=f"/v1?access_token={SECRETS[2]}", lines=lines)
        pending = Pending(nursery, lambda call=call: upstream.ask(call))  # type: ignore[misc]
        connection, arrived = await provider.served()
        assert SECRETS[2] in arrived.target
        told = repr(call)
        if number < 2:
            await connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
            assert await whole(await pending.result()) == b"x"
        else:
            await connection.send(b"nonsense\r\n\r\n")
            failure = await pending.failure()
            told += repr(failure) + str(failure.__cause__)
        assert not any(secret in told for secret in SECRETS)
    assert "receive_response_headers" in caplog.text
    assert not any(secret in caplog.text for secret in SECRETS)

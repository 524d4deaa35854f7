"""Fetching: against real servers on this machine with a resolver of the test's, and in memory under Trio's clock."""

from __future__ import annotations

import gzip
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trustme

from aimock.net.fetch import AddressRefused, FetchError, Target, connect_to, fetch, resolve_name

BODY = b'{"fixtures": []}'


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@attrs.define
class Origin:
    """A real HTTP server, and what it was asked."""

    port: int = 0
    answer: Answer = attrs.field(default=lambda handler: None)
    requests: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)


def whole(
    status: int = 200, body: bytes = BODY, **headers: str
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def serve(tls: ssl.SSLContext | None) -> Iterator[Origin]:
    origin = Origin()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            origin.requests.append((self.path, dict(self.headers)))
            origin.answer(self)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that leaves early is what some tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        origin.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield origin
        server.shutdown()
        thread.join()


@pytest.fixture
def origin() -> Iterator[Origin]:
    yield from serve(None)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_origin(authority: trustme.CA) -> Iterator[Origin]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("fixtures.example", "127.0.0.1").configure_cert(context)
    yield from serve(context)


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Resolver:
    """Answers one look-up after the other from a list."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        return self.answers.pop(0)


class Dialler:
    """Notes where a connection is to go, and connects to this machine."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        self.fails = fails
        self.dialled: list[tuple[str, int]] = []

    async def __call__(self, address: str, port: int) -> trio.SocketStream:
        self.dialled.append((address, port))
        if address in self.fails:
            raise ConnectionRefusedError(111, "Connection refused")
        return await connect_to("127.0.0.1", port)


def target(origin: Origin, host: str = "127.0.0.1", path: str = "/f.json", *, secure: bool = False) -> Target:
    return Target(secure, host, origin.port, path)


# -- addresses -------------------------------------------------------------------------------------------------------


async def test_B15_the_connection_goes_to_the_address_that_was_checked(origin: Origin) -> None:
    """A name that means another machine the next time is asked for once: core-lessons B15"""
    origin.answer = whole()
    resolve = Resolver(["93.184.215.14"], ["127.0.0.1"], ["169.254.169.254"])
    dial = Dialler()
    got = await fetch(target(origin, "rebinding.example"), resolve=resolve, connect=dial)
    assert got == BODY
    assert resolve.asked == ["rebinding.example"]
    assert dial.dialled == [("93.184.215.14", origin.port)]
    assert origin.requests[0][1]["host"] == f"rebinding.example:{origin.port}"


@pytest.mark.parametrize(
    "addresses",
    [
        ["169.254.169.254"],
        ["93.184.215.14", "10.0.0.1"],
        ["10.0.0.1", "93.184.215.14"],
        ["2606:4700::1", "::ffff:7f00:1"],
        ["64:ff9b::a00:1"],
        ["fe80::1%eth0"],
        ["nonsense"],
    ],
)
async def test_B15_field_53_one_private_address_of_several_is_enough_to_refuse(addresses: list[str]) -> None:
    """core-lessons B15, field 2.53"""
    dial = Dialler()
    with pytest.raises(AddressRefused, match="which is not a public address"):
        await fetch(Target(False, "mixed.example", 80, "/"), resolve=Resolver(addresses), connect=dial)
    assert dial.dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:7f00:1", "169.254.169.254", "localhost", "a.localhost."])
async def test_B15_a_private_host_is_refused_without_a_look_up(host: str) -> None:
    """core-lessons B15"""
    dial, resolve = Dialler(), Resolver(["93.184.215.14"])
    with pytest.raises(AddressRefused):
        await fetch(Target(False, host, 80, "/"), resolve=resolve, connect=dial)
    assert (dial.dialled, resolve.asked) == ([], [])


async def test_private_addresses_can_be_allowed(origin: Origin) -> None:
    origin.answer = whole()
    assert await fetch(target(origin), allow_private=True) == BODY
    assert await fetch(target(origin, "x.example"), allow_private=True, resolve=Resolver(["127.0.0.1"])) == BODY


async def test_the_systems_resolver_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(await resolve_name("localhost"))
    with pytest.raises(AddressRefused):
        await fetch(Target(False, "this.example", 80, "/"), resolve=lambda name: resolve_name("localhost"))


async def test_the_next_address_is_tried_if_one_takes_no_connection(origin: Origin) -> None:
    origin.answer = whole()
    dial = Dialler(fails=["1.1.1.1"])
    assert await fetch(target(origin, "x.example"), resolve=Resolver(["1.1.1.1", "1.1.1.2"]), connect=dial) == BODY
    assert [address for address, _ in dial.dialled] == ["1.1.1.1", "1.1.1.2"]


async def test_when_no_address_takes_a_connection_the_reason_is_told() -> None:
    dial = Dialler(fails=["1.1.1.1"])
    with pytest.raises(FetchError, match=r"^cannot connect: Connection refused$"):
        await fetch(Target(False, "x.example", 80, "/"), resolve=Resolver(["1.1.1.1"]), connect=dial)


async def test_a_name_that_cannot_be_resolved() -> None:
    async def fail(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(FetchError, match=r"^x\.example cannot be resolved: Name or service not known$"):
        await fetch(Target(False, "x.example", 80, "/"), resolve=fail)
    with pytest.raises(FetchError, match=r"^x\.example has no address$"):
        await fetch(Target(False, "x.example", 80, "/"), resolve=Resolver([]))


# -- TLS -------------------------------------------------------------------------------------------------------------


async def test_the_certificate_is_for_the_name_though_the_connection_is_to_an_address(
    secure_origin: Origin, trusting: ssl.SSLContext
) -> None:
    secure_origin.answer = whole()
    where = target(secure_origin, "fixtures.example", secure=True)
    assert await fetch(where, resolve=Resolver(["1.1.1.1"]), connect=Dialler(), tls=trusting) == BODY
    assert await fetch(target(secure_origin, secure=True), allow_private=True, tls=trusting) == BODY


@pytest.mark.parametrize(("host", "trusted"), [("other.example", True), ("fixtures.example", False)])
async def test_a_certificate_for_another_name_or_from_a_stranger_is_refused(
    secure_origin: Origin, trusting: ssl.SSLContext, host: str, trusted: bool
) -> None:
    secure_origin.answer = whole()
    with pytest.raises(FetchError, match=r"^the connection failed: .*(other\.example|self-signed|unable to get)"):
        await fetch(
            target(secure_origin, host, secure=True),
            resolve=Resolver(["1.1.1.1"]),
            connect=Dialler(),
            tls=trusting if trusted else None,
        )
    assert secure_origin.requests == []


async def test_a_server_that_does_not_speak_tls(origin: Origin) -> None:
    with pytest.raises(FetchError, match="the connection failed"):
        await fetch(target(origin, secure=True), allow_private=True)


# -- answers ---------------------------------------------------------------------------------------------------------


async def test_what_is_asked(origin: Origin) -> None:
    origin.answer = whole()
    await fetch(target(origin, path="/a/b.json?x=1&y=%20"), allow_private=True)
    ((path, headers),) = origin.requests
    assert path == "/a/b.json?x=1&y=%20"
    assert {name.lower() for name in headers} == {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304, 300])
async def test_B15_a_redirect_is_not_followed(origin: Origin, status: int) -> None:
    """core-lessons B15, field 2.53"""
    origin.answer = whole(status, location="http://169.254.169.254/secret", body=b"", content_length="")
    with pytest.raises(FetchError, match=rf"^the answer is a redirect \({status}\), which is not followed$"):
        await fetch(target(origin), allow_private=True)
    assert len(origin.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_only_success_is_success(origin: Origin, status: int) -> None:
    origin.answer = whole(status)
    with pytest.raises(FetchError, match=f"^the answer has status {status}$"):
        await fetch(target(origin), allow_private=True)


CHUNKED = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
MEMBERS = gzip.compress(BODY[:5], mtime=0) + gzip.compress(BODY[5:], mtime=0)


@pytest.mark.parametrize("body", [gzip.compress(BODY, mtime=0), MEMBERS])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_gzip_is_unpacked(origin: Origin, body: bytes, encoding: str) -> None:
    origin.answer = whole(body=body, content_encoding=encoding)
    assert await fetch(target(origin), allow_private=True) == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (gzip.compress(BODY, mtime=0)[:-4], "gzip", "cut off"),
        (b"", "gzip", "cut off"),
        (BODY, "gzip", "is not gzip"),
        (gzip.compress(BODY, mtime=0) + b"xx", "gzip", "is not gzip|cut off"),
        (BODY, "br", "content encoding 'br'"),
        (BODY, "gzip, gzip", "content encoding"),
    ],
)
async def test_other_encodings_are_not(origin: Origin, body: bytes, encoding: str, said: str) -> None:
    origin.answer = whole(body=body, content_encoding=encoding)
    with pytest.raises(FetchError, match=said):
        await fetch(target(origin), allow_private=True)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"x" * 1001, {}, id="announced"),
        pytest.param(b"", {"content_length": "1001"}, id="announced, and not sent"),
        pytest.param(b"x" * 1001, {"content_length": ""}, id="not announced"),
        pytest.param(
            b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n", {"content_length": "", "transfer_encoding": "chunked"}
        ),
        pytest.param(gzip.compress(b"x" * 1001, mtime=0), {"content_encoding": "gzip"}, id="unpacked"),
        pytest.param(gzip.compress(b"x" * 600, mtime=0) * 2, {"content_encoding": "gzip"}, id="two members"),
        pytest.param(gzip.compress(b"x" * 10**7, mtime=0), {"content_encoding": "gzip"}, id="a bomb"),
    ],
)
async def test_field_53_what_is_too_large_is_given_up(origin: Origin, body: bytes, headers: dict[str, str]) -> None:
    """field 2.53"""
    origin.answer = whole(body=body, **headers)
    with pytest.raises(FetchError, match="is larger than"):
        await fetch(target(origin), allow_private=True, most=1000)


@pytest.mark.parametrize("headers", [{}, {"content_encoding": "gzip"}])
async def test_what_is_just_not_too_large_is_taken(origin: Origin, headers: dict[str, str]) -> None:
    body = b"x" * 1000
    origin.answer = whole(body=gzip.compress(body, mtime=0) if headers else body, **headers)
    assert await fetch(target(origin), allow_private=True, most=1000) == body


def test_the_bound_is_told_in_words() -> None:
    async def connect(address: str, port: int) -> trio.abc.Stream:
        client, server = trio.testing.memory_stream_pair()
        await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 52428801\r\n\r\n")
        return client

    with pytest.raises(FetchError, match=r"^the answer is larger than 50 MiB$"):
        trio.run(lambda: fetch(Target(False, "1.1.1.1", 80, "/"), connect=connect))


# -- in memory -------------------------------------------------------------------------------------------------------


class Scripted:
    """A peer that sends these pieces, so many seconds apart, and then ends the connection or keeps silent."""

    def __init__(self, nursery: trio.Nursery, *pieces: bytes, gap: float = 0.0, ends: bool = True) -> None:
        self.nursery, self.pieces, self.gap, self.ends = nursery, pieces, gap, ends

    async def __call__(self, address: str, port: int) -> trio.abc.Stream:
        client, server = trio.testing.memory_stream_pair()

        async def play() -> None:
            for piece in self.pieces:
                await trio.sleep(self.gap)
                try:
                    await server.send_all(piece)
                except trio.BrokenResourceError:
                    return
            if self.ends:
                await server.send_eof()

        self.nursery.start_soon(play)
        return client


WHERE = Target(False, "1.1.1.1", 80, "/")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"


async def test_early_hints_are_passed_over(nursery: trio.Nursery) -> None:
    connect = Scripted(nursery, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3, HEAD + BODY)
    assert await fetch(WHERE, connect=connect) == BODY


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "the connection was closed|not a proper HTTP answer"),
        (b"SSH-2.0-OpenSSH_9\r\n", "not a proper HTTP answer"),
        (HEAD + BODY[:-1], "not a proper HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not a proper HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "not a proper HTTP answer"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "the connection was closed|not a proper"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not a proper HTTP answer"),
    ],
)
async def test_what_is_no_answer(nursery: trio.Nursery, sent: bytes, said: str) -> None:
    with pytest.raises(FetchError, match=said):
        await fetch(WHERE, connect=Scripted(nursery, sent))


async def test_a_peer_that_drips_is_given_up_after_ten_seconds(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with pytest.raises(FetchError, match=r"^no whole answer within 10 s$"):
        await fetch(WHERE, connect=Scripted(nursery, head, *[b"x"] * 100, gap=1))
    assert trio.current_time() == pytest.approx(10)


async def test_a_peer_that_keeps_silent_is_given_up(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(FetchError, match="within 10 s"):
        await fetch(WHERE, connect=Scripted(nursery, ends=False))
    assert trio.current_time() == pytest.approx(10)


async def test_a_slow_resolver_counts_too(autojump_clock: trio.testing.MockClock) -> None:
    async def resolve(name: str) -> list[str]:
        await trio.sleep(60)
        return []

    with pytest.raises(FetchError, match="within 10 s"):
        await fetch(Target(False, "x.example", 80, "/"), resolve=resolve)
    assert trio.current_time() == pytest.approx(10)


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    good = Scripted(nursery, HEAD + BODY)

    async def connect(address: str, port: int) -> trio.abc.Stream:
        if address == "1.1.1.1":
            await trio.sleep_forever()
        return await good(address, port)

    resolve = Resolver(["1.1.1.1", "1.1.1.2"])
    assert await fetch(Target(False, "x.example", 80, "/"), resolve=resolve, connect=connect) == BODY
    assert trio.current_time() == pytest.approx(3)

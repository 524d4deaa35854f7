"""HTTP/2 and HTTP/1.1 as Hypercorn's connections speak them, on sockets."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import h2.connection
import h2.settings
import pytest
import trio
import trio.testing
import trustme

from aimock.net.exchange import Answer, Cut, Ending, Outcome, Request, Stream, Task, Whole
from aimock.net.http2 import HTTP2Server
from aimock.net.limits import Limits
from aimock.net.listen import open_listeners
from aimock.net.tls import Security
from tests.aimock.net.h2_client import H2Client, Seen

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Reader, Script

    ReadSocket = Callable[[trio.SocketStream], Reader]
    Until = Callable[[Callable[[], bool]], Awaitable[None]]

EVENTS = (("content-type", "text/event-stream"),)
MOMENT = 1795200000.0
HEADERS = {"content-type": "text/event-stream", "date": "Fri, 20 Nov 2026 18:40:00 GMT"}

INTERNAL_ERROR, CANCEL = 2, 8


@attrs.frozen
class Stage:
    server: HTTP2Server
    script: Script
    address: tuple[str, int]

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)

    @contextlib.asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[H2Client]:
        """With prior knowledge."""
        async with H2Client(await self.connect(), **options).talking() as client:
            yield client


StartStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def start(nursery: trio.Nursery, script: Script) -> StartStage:
    """`await start(answers, tls, limits…)`."""

    async def start(answers: Any = None, tls: ssl.SSLContext | None = None, **limits: Any) -> Stage:
        if answers is not None:
            script.answers = answers if callable(answers) else lambda request: answers
        listeners = open_listeners("127.0.0.1", 0)
        server = HTTP2Server(script, Limits(**limits), lambda: MOMENT, tls and Security(tls))
        await nursery.start(server.serve, listeners)
        return Stage(server, script, listeners[0].getsockname()[:2])

    return start


def stream(*pieces: bytes, apart: float = 0.0, **more: Any) -> Stream:
    return Stream(200, EVENTS, [(apart * place, piece) for place, piece in enumerate(pieces)], **more)


def by_path(**answers: Answer) -> Callable[[Request], Answer]:
    return lambda request: answers[request.head.path.strip("/")]


def endless(size: int = 16384) -> Stream:
    def pieces() -> Any:
        while True:
            yield 0.0, b"x" * size

    return Stream(200, EVENTS, pieces())


# -- the protocol ------------------------------------------------------------------------------------------------------


async def test_a_connection_carries_many_requests_each_with_its_answer(start: StartStage) -> None:
    stage = await start(lambda request: Whole(200, EVENTS, request.body * 2))
    async with stage.client() as client:
        asked = [await client.ask("/", "POST", b"%d" % number * 9000) for number in range(8)]
        seen = [await client.over(stream_id) for stream_id in asked]
        assert [each.body for each in seen] == [b"%d" % number * 18000 for number in range(8)]
        assert all(each.ended and each.status == 200 for each in seen)
        assert seen[0].headers == HEADERS | {"content-length": "18000"}
        assert stage.server.connections == 1
    [head, *_] = [request.head for request in stage.script.requests]
    assert (head.http_version, head.method, head.headers["host"]) == ("2", "POST", "x")


async def test_http_1_upgrades_to_it(start: StartStage) -> None:
    stage = await start(stream(b"a", b"b"))
    tcp = await stage.connect()
    client = H2Client(tcp, upgraded=True)
    settings = (client.connection.initiate_upgrade_connection() or b"").decode()
    await tcp.send_all(
        f"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        f"HTTP2-Settings: {settings}\r\n\r\n".encode()
    )
    switched = b""
    while not switched.endswith(b"\r\n\r\n"):
        switched += await tcp.receive_some(1)
    assert switched.startswith(b"HTTP/1.1 101 ")
    async with client.talking():
        assert (await client.over(1)).body == b"ab"
        assert (await client.fetch("/")).body == b"ab"


async def test_http_1_is_spoken_beside_it(start: StartStage, read_socket: ReadSocket) -> None:
    stage = await start(stream(b"a", b"b"))
    async with await stage.connect() as tcp:
        reader = read_socket(tcp)
        for _ in range(2):
            await tcp.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            response = await reader.response()
            assert response.body == b"ab"
            assert response.headers == HEADERS | {"transfer-encoding": "chunked"}


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_over_tls_both_sides_agree_on_one(start: StartStage, protocol: str) -> None:
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    ours.set_alpn_protocols(HTTP2Server.alpn)
    theirs.set_alpn_protocols([protocol])
    stage = await start(stream(b"a"), ours)
    async with await stage.connect() as plain:
        await plain.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # a handshake that fails is nobody else's concern
        assert not (await plain.receive_some()).startswith(b"HTTP")
    secure = trio.SSLStream(await stage.connect(), theirs, server_hostname="127.0.0.1", https_compatible=True)
    await secure.do_handshake()
    assert secure.selected_alpn_protocol() == protocol
    if protocol == "h2":
        async with H2Client(secure).talking() as client:
            assert (await client.fetch("/")).body == b"a"
    else:
        await secure.send_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join([bytes(data) async for data in secure])
        await trio.aclose_forcefully(secure)
        assert answer.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")


# -- endings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "code", "body"),
    [
        (Ending.CLEAN, None, b"first second"),
        (Ending.FIN, INTERNAL_ERROR, b"first second"),
        (Ending.FIN_MID_CHUNK, INTERNAL_ERROR, b"first "),
        (Ending.RST, CANCEL, b"first second"),
    ],
)
async def test_a_bad_ending_resets_the_stream_after_all_that_came_before(
    start: StartStage, until: Until, ending: Ending, code: int | None, body: bytes
) -> None:
    outcomes: list[Outcome] = []
    stage = await start(
        by_path(bad=stream(b"first ", b"second", apart=0.01, ending=ending, on_end=outcomes.append), good=stream(b"ok"))
    )
    async with stage.client() as client:
        seen = await client.fetch("/bad")
        assert seen.status == 200
        assert seen.reset == code
        assert seen.ended is (code is None)
        assert seen.body.startswith(body)
        assert len(seen.body) < 12 or ending is not Ending.FIN_MID_CHUNK
        assert (await client.fetch("/good")).body == b"ok", "others on the connection are spared"
    await until(lambda: bool(outcomes))
    assert outcomes == [Outcome.DELIVERED]


@pytest.mark.parametrize(("ending", "code"), [(Ending.FIN, INTERNAL_ERROR), (Ending.RST, CANCEL)])
async def test_a_cut_resets_the_stream_before_any_answer(start: StartStage, ending: Ending, code: int) -> None:
    stage = await start(by_path(bad=Cut(ending), good=stream(b"ok")))
    async with stage.client() as client:
        assert await client.fetch("/bad") == Seen(reset=code)
        assert (await client.fetch("/good")).body == b"ok"


@pytest.mark.parametrize("answer", [Cut(Ending.STALL), stream(b"a", ending=Ending.STALL)])
async def test_a_stalled_stream_delays_no_other(start: StartStage, answer: Answer) -> None:
    stage = await start(by_path(bad=answer, good=stream(b"ok")))
    async with stage.client() as client:
        stalled = await client.ask("/bad")
        assert (await client.fetch("/good")).body == b"ok"
        assert not client.seen(stalled).is_over
        await client.reset(stalled)
        assert (await client.fetch("/good")).body == b"ok"


@pytest.mark.parametrize(
    ("answer", "body", "was_reset"),
    [
        (stream(b"ab", b"cd", apart=0.01, ending=Ending.FIN), b"2\r\nab\r\n2\r\ncd\r\n", False),
        (
            stream(b"ab", b"0123456789", apart=0.01, ending=Ending.FIN_MID_CHUNK),
            b"2\r\nab\r\n3\r\n012\r\n100\r\n",
            False,
        ),
        (stream(b"ab", b"cd", apart=0.01, ending=Ending.RST), None, True),
        (Cut(Ending.FIN), b"", False),
        (Cut(Ending.RST), None, True),
    ],
)
async def test_bad_endings_of_http_1(start: StartStage, answer: Answer, body: bytes | None, was_reset: bool) -> None:
    stage = await start(answer)
    async with await stage.connect() as tcp:
        await tcp.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        try:
            while data := await tcp.receive_some():
                received += data
        except trio.BrokenResourceError:
            assert was_reset
        else:
            assert not was_reset
        if body is not None:
            assert received.partition(b"\r\n\r\n")[2] == body


# -- clients that leave, or read slowly --------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["reset", "disconnect"])
@pytest.mark.parametrize("kind", ["stream", "task", "blocked"])
async def test_a_client_that_leaves_ends_what_it_asked_for(start: StartStage, until: Until, by: str, kind: str) -> None:
    outcomes: list[Outcome] = []
    begun = trio.Event()

    async def wait() -> Answer:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            outcomes.append(Outcome.CLIENT_LEFT)

    def answers(request: Request) -> Answer:
        if request.head.path == "/good":
            return stream(b"ok")
        if kind == "task":
            return Task(wait)
        begun.set()
        answer = endless() if kind == "blocked" else stream(b"a", b"b", apart=1000)
        return attrs.evolve(answer, on_end=outcomes.append)

    stage = await start(answers)
    async with stage.client(window=1000 if kind == "blocked" else None) as client:
        asked = await client.ask("/")
        await begun.wait()
        if by == "reset":
            if kind == "blocked":
                await client.until(lambda: len(client.seen(asked).body) == 1000)
            await client.reset(asked)
            await until(lambda: bool(outcomes))
            assert (await client.fetch("/good")).body == b"ok"
    await until(lambda: stage.server.connections == 0)
    assert outcomes == [Outcome.CLIENT_LEFT]


def asking(body: bytes) -> bytes:
    """All that a client of HTTP/2 writes for one request."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")])
    client.send_data(1, body, end_stream=True)
    return client.data_to_send()


async def test_wherever_a_client_leaves_nothing_is_left(start: StartStage, until: Until) -> None:
    """After each byte of a request, and after some of its answer."""
    begun: list[Request] = []
    outcomes: list[Outcome] = []

    def answers(request: Request) -> Answer:
        begun.append(request)
        return stream(*[b"piece"] * 20, apart=0.001, on_end=outcomes.append)

    stage = await start(answers)
    request = asking(b"x" * 50)
    for sent in range(len(request)):
        async with await stage.connect() as tcp:
            await tcp.send_all(request[:sent])
    for received in range(0, 300, 9):
        async with await stage.connect() as tcp:
            await tcp.send_all(request)
            while received > 0 and (data := await tcp.receive_some(received)):  # on a busy machine pieces share frames
                received -= len(data)
    await until(lambda: stage.server.connections == 0)
    assert len(outcomes) == len(begun) == len(range(0, 300, 9))
    async with stage.client() as client:
        assert (await client.fetch("/")).body == b"piece" * 20


async def test_a_reader_without_room_delays_no_other_and_is_given_up(start: StartStage, until: Until) -> None:
    outcomes: list[Outcome] = []
    stage = await start(
        by_path(slow=attrs.evolve(endless(), on_end=outcomes.append), good=stream(b"ok")), write_timeout=0.3
    )
    async with stage.client(window=1000) as client:
        slow = await client.ask("/slow")
        await client.until(lambda: len(client.seen(slow).body) == 1000)
        assert (await client.fetch("/good")).body == b"ok"
        assert (await client.over(slow)).reset == CANCEL
        assert (await client.fetch("/good")).body == b"ok"
    assert outcomes == [Outcome.STOPPED]


async def test_a_connection_that_nobody_reads_is_closed(start: StartStage, until: Until) -> None:
    outcomes: list[Outcome] = []
    stage = await start(attrs.evolve(endless(), on_end=outcomes.append), write_timeout=0.3)
    async with await stage.connect() as tcp:
        await tcp.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: bool(outcomes))
        await until(lambda: stage.server.connections == 0)
    assert outcomes[0] in (Outcome.STOPPED, Outcome.CLIENT_LEFT)
    assert len(outcomes) == 1


# -- bad input and limits ----------------------------------------------------------------------------------------------


async def test_a_body_that_is_too_large_is_refused_and_the_connection_lives_on(start: StartStage) -> None:
    stage = await start(stream(b"ok"), body_bytes=100_000)
    async with stage.client() as client:
        assert (await client.fetch("/", "POST", b"x" * 400_000)).status == 413
        assert (await client.fetch("/", "POST", b"x" * 100_000)).body == b"ok"


async def test_a_body_that_comes_too_slowly_resets_its_stream(start: StartStage) -> None:
    stage = await start(stream(b"ok"), read_timeout=0.1)
    async with stage.client() as client:
        slow = await client.ask("/", "POST", b"x", end=False)
        assert (await client.over(slow)).reset == CANCEL
        assert (await client.fetch("/")).body == b"ok"


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/ü".encode()},
        {"method": "CONNECT"},
        {"method": "CONNECT", "headers": [(":protocol", "carrier-pigeon")]},
    ],
    ids=["path", "connect", "protocol"],
)
async def test_what_the_server_cannot_digest_harms_only_its_own_connection(
    start: StartStage, caplog: pytest.LogCaptureFixture, request_: dict[str, Any]
) -> None:
    stage = await start(stream(b"ok"))
    async with stage.client() as client:
        client.connection.config.validate_outbound_headers = False
        await client.ask(**request_)
        await client.until(lambda: client.is_closed or any(client.seen(each).is_over for each in (1, 3)))
    async with stage.client() as client:
        assert (await client.fetch("/")).body == b"ok"


async def test_more_connections_than_allowed_wait_for_room(start: StartStage) -> None:
    stage = await start(stream(b"ok"), connections=1)
    async with stage.client() as first:
        await first.fetch("/")
        async with stage.client() as second:
            waiting = await second.ask("/")
            await first.fetch("/")
            assert not second.seen(waiting).is_over
            await trio.aclose_forcefully(first.stream)
            assert (await second.over(waiting)).body == b"ok"


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_a_shutdown_lets_streams_finish_and_turns_new_requests_away(start: StartStage, until: Until) -> None:
    release = trio.Event()

    async def wait() -> Answer:
        await release.wait()
        return stream(b"a", b"b", apart=0.01)

    stage = await start(Task(wait))
    async with stage.client() as busy, stage.client() as idle, trio.open_nursery() as nursery:
        asked = await busy.ask("/")
        await until(lambda: stage.server.connections == 2 and len(stage.script.requests) == 1)
        nursery.start_soon(stage.server.shut_down, 5)
        await idle.until(lambda: idle.is_closed)
        late = await busy.ask("/")
        assert (await busy.over(late)).reset is not None
        release.set()
        assert (await busy.over(asked)).body == b"ab"
        await stage.server.ended.wait()
    with pytest.raises(OSError, match="all attempts"):
        await stage.connect()


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_a_shutdown_does_not_wait_longer_than_its_grace_for_anybody(start: StartStage, protocol: str) -> None:
    outcomes: list[Outcome] = []
    stage = await start(attrs.evolve(endless(), on_end=outcomes.append))
    async with await stage.connect() as tcp:
        if protocol == "h2":
            ours = h2.connection.H2Connection()
            ours.initiate_connection()
            ours.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1})
            ours.increment_flow_control_window(2**31 - 1 - 65535)
            ours.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")], True)
            await tcp.send_all(ours.data_to_send())
        else:
            await tcp.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await tcp.receive_some(1)
        await trio.testing.wait_all_tasks_blocked(0.05)  # the server is stuck in a write
        with trio.fail_after(5):
            await stage.server.shut_down(0.05)
            await stage.server.ended.wait()
    assert len(outcomes) == 1

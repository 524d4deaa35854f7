"""WebSockets of the ASGI application: by a server in memory, and by Hypercorn with a real client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio_websocket
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.asgi import Application
from aimock.net.dialogue import Break, Close, Feed, Hold, Perform, Play, Raw, Send, Step, Stop, Wait
from aimock.net.exchange import Answer, Cut, Ending, Outcome, Stream, Task, Upgrade, Whole
from aimock.net.http2 import HTTP2Server
from aimock.net.limits import Limits
from aimock.net.listen import open_listeners
from tests.aimock.net.h2_client import H2Client

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Reader, Script

    ReadSocket = Callable[[trio.SocketStream], Reader]
    Until = Callable[[Callable[[], bool]], Awaitable[None]]

Reply = Callable[[str | bytes], Iterable[Step]]


def echo(message: str | bytes) -> Iterable[Step]:
    return [Send(message if isinstance(message, bytes) else message.encode())]


@attrs.define
class Scripted:
    """A dialogue that does as the test says."""

    reply: Reply = echo
    first: tuple[Step, ...] = ()
    heard: list[str | bytes] = attrs.field(factory=list)
    outcomes: list[Outcome] = attrs.field(factory=list)

    def opened(self) -> Iterable[Step]:
        return self.first

    def received(self, message: str | bytes) -> Iterable[Step]:
        self.heard.append(message)
        return self.reply(message)

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@attrs.define
class Told:
    """What the ends of plays and waits were told."""

    plays: list[tuple[Outcome, int]] = attrs.field(factory=list)
    stopped: int = 0
    upgrades: list[Outcome] = attrs.field(factory=list)

    def play(self, *schedule: tuple[float, bytes], then: tuple[Step, ...] = (), **more: Any) -> Play:
        def on_end(outcome: Outcome, sent: int) -> Iterable[Step]:
            self.plays.append((outcome, sent))
            return then

        return Play(schedule, on_end, **more)

    def upgrade(self, dialogue: Scripted, **more: Any) -> Upgrade:
        return Upgrade(lambda: dialogue, on_end=self.upgrades.append, **more)


@pytest.fixture
def told() -> Told:
    return Told()


# -- in memory ---------------------------------------------------------------------------------------------------------


class Socket:
    """An ASGI server's end of a WebSocket."""

    def __init__(self, answer: Answer, script: Script, nursery: trio.Nursery, **scope: Any) -> None:
        script.answers = lambda request: answer
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.returned = trio.Event()
        self._put, receive = trio.open_memory_channel[dict[str, Any]](100)
        whole_scope = {
            "type": "websocket",
            "http_version": "1.1",
            "path": "/v1/realtime",
            "raw_path": b"/v1/realtime",
            "query_string": b"model=m",
            "headers": [(b"host", b"x"), (b"upgrade", b"websocket"), (b"connection", b"upgrade")],
            "extensions": {"websocket.http.response": {}},
        } | scope

        async def send(message: dict[str, Any]) -> None:
            self.messages.append((trio.current_time(), message))

        async def run() -> None:
            await Application(script, Limits(linger=3))(whole_scope, receive.receive, send)
            self.returned.set()

        self.put({"type": "websocket.connect"})
        nursery.start_soon(run)

    def put(self, message: dict[str, Any]) -> None:
        self._put.send_nowait(message)

    def say(self, text: str) -> None:
        self.put({"type": "websocket.receive", "text": text})

    def leave(self, code: int = 1006) -> None:
        self.put({"type": "websocket.disconnect", "code": code})

    @property
    def texts(self) -> list[tuple[float, str]]:
        return [(time, message["text"]) for time, message in self.messages if message.get("text") is not None]

    @property
    def types(self) -> list[str]:
        return [message["type"] for _, message in self.messages]


@pytest.fixture
def open_socket(script: Script, nursery: trio.Nursery) -> Callable[..., Socket]:
    return lambda answer, **scope: Socket(answer, script, nursery, **scope)


OpenSocket = Callable[..., Socket]


async def test_a_handshake_is_accepted_as_told(open_socket: OpenSocket, script: Script, told: Told) -> None:
    dialogue = Scripted(first=(Send(b"hello"), Close(1000, "x" * 200)))
    socket = open_socket(told.upgrade(dialogue, subprotocol="realtime", headers=(("X-One", "1"),)))
    socket.leave(1000)
    await socket.returned.wait()
    [(_, accept), (_, hello), (_, close)] = socket.messages
    assert accept == {"type": "websocket.accept", "subprotocol": "realtime", "headers": [(b"x-one", b"1")]}
    assert hello["text"] == "hello"
    assert (close["code"], close["reason"]) == (1000, "x" * 123)
    assert dialogue.outcomes == told.upgrades == [Outcome.DELIVERED]
    [request] = script.requests
    assert request.head.target == "/v1/realtime?model=m"


async def test_http_2_asks_for_a_websocket_as_http_1_does(open_socket: OpenSocket, script: Script, told: Told) -> None:
    socket = open_socket(told.upgrade(Scripted()), http_version="2", headers=[(b"host", b"x")])
    socket.leave()
    await socket.returned.wait()
    head = script.requests[0].head
    assert (head.method, head.headers["upgrade"], head.headers["connection"]) == ("GET", "websocket", "upgrade")


@pytest.mark.parametrize("is_binary", [False, True])
async def test_messages_of_both_kinds_are_heard(open_socket: OpenSocket, told: Told, is_binary: bool) -> None:
    dialogue = Scripted()
    socket = open_socket(told.upgrade(dialogue, is_binary=is_binary))
    socket.say("tëxt")
    socket.put({"type": "websocket.receive", "bytes": b"\x00\xff" if is_binary else b"bytes"})
    await wait_all_tasks_blocked()
    socket.leave()
    await socket.returned.wait()
    assert dialogue.heard == ["tëxt", b"\x00\xff" if is_binary else b"bytes"]
    kind = "bytes" if is_binary else "text"
    sent = [message[kind] for _, message in socket.messages[1:]]
    assert sent == (["tëxt".encode(), b"\x00\xff"] if is_binary else ["tëxt", "bytes"])
    assert dialogue.outcomes == told.upgrades == [Outcome.CLIENT_LEFT]


async def test_what_comes_from_elsewhere_and_a_client_that_is_held(open_socket: OpenSocket, told: Told) -> None:
    goodbyes: list[tuple[int | None, str]] = []
    goes_on = trio.Event()

    async def run(perform: Perform) -> None:
        await perform(Send(b"from elsewhere"))
        await trio.sleep_forever()

    def reply(message: str | bytes) -> Iterable[Step]:
        return [Hold(goes_on.wait)]

    dialogue = Scripted(reply, (Feed(run, lambda code, reason: goodbyes.append((code, reason))),))
    socket = open_socket(told.upgrade(dialogue))
    socket.say("one")
    socket.say("two")
    await wait_all_tasks_blocked()
    assert ([text for _, text in socket.texts], dialogue.heard) == (["from elsewhere"], ["one"])
    goes_on.set()
    socket.leave(4321)
    await socket.returned.wait()
    assert (dialogue.heard, goodbyes) == (["one", "two"], [(4321, "")])


async def test_plays_keep_their_time_side_by_side(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock
) -> None:
    first = told.play((1.0, b"a1"), (3.0, b"a3"), then=(Send(b"after a"),))
    second = told.play((2.0, b"b2"), (4.0, b"b4"), then=(Close(1000),))
    socket = open_socket(told.upgrade(Scripted(first=(first, second))))
    await socket.returned.wait()
    assert socket.texts == [(1.0, "a1"), (2.0, "b2"), (3.0, "a3"), (3.0, "after a"), (4.0, "b4")]
    assert told.plays == [(Outcome.DELIVERED, 2), (Outcome.DELIVERED, 2)]
    assert told.upgrades == [Outcome.DELIVERED]


async def test_a_stopped_play_says_what_was_sent_of_it_and_what_follows(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock
) -> None:
    play = told.play((1.0, b"1"), (2.0, b"2"), (9.0, b"9"), then=(Send(b"stopped"),))
    socket = open_socket(told.upgrade(Scripted(first=(play,), reply=lambda _: [Stop(play), Stop(play), Send(b"end")])))
    await trio.sleep(5)
    socket.say("stop")
    await trio.sleep(10)
    assert socket.texts == [(1.0, "1"), (2.0, "2"), (5.0, "stopped"), (5.0, "end")]
    assert told.plays == [(Outcome.STOPPED, 2)]


async def test_a_play_ends_when_its_time_is_up(open_socket: OpenSocket, told: Told, autojump_clock: MockClock) -> None:
    play = told.play((1.0, b"1"), (2.0, b"2"), (9.0, b"9"), ends_at=5.0, then=(Close(1001),))
    socket = open_socket(told.upgrade(Scripted(first=(play,))))
    await socket.returned.wait()
    assert told.plays == [(Outcome.DELIVERED, 2)]
    assert [(time, message["type"]) for time, message in socket.messages[-1:]] == [(5.0, "websocket.close")]


@pytest.mark.parametrize("leaves", [False, True])
async def test_plays_under_way_are_told_of_the_end(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock, leaves: bool
) -> None:
    play = told.play((1.0, b"1"), (9.0, b"9"), then=(Send(b"never"),))
    socket = open_socket(told.upgrade(Scripted(first=(play,), reply=lambda _: [Close(1000)])))
    await trio.sleep(2)
    if leaves:
        socket.leave()
    else:
        socket.say("close")
    await socket.returned.wait()
    assert told.plays == [(Outcome.CLIENT_LEFT if leaves else Outcome.STOPPED, 1)]
    assert told.upgrades == [Outcome.CLIENT_LEFT if leaves else Outcome.DELIVERED]
    assert [text for _, text in socket.texts] == ["1"]


@pytest.mark.parametrize("stops", [False, True])
async def test_a_wait_gives_its_steps_or_is_stopped(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock, stops: bool
) -> None:
    async def run() -> Iterable[Step]:
        await trio.sleep(7)
        return [Send(b"waited")]

    wait = Wait(run, lambda: [Send(b"stopped")])
    socket = open_socket(told.upgrade(Scripted(first=(wait,), reply=lambda _: [Stop(wait)])))
    if stops:
        await trio.sleep(3)
        socket.say("stop")
    await trio.sleep(10)
    assert socket.texts == [(3.0, "stopped") if stops else (7.0, "waited")]


async def test_a_dialogue_at_fault_is_closed(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def schedule() -> Iterator[tuple[float, bytes]]:
        yield 1.0, b"1"
        raise ZeroDivisionError

    play = told.play()
    play.schedule = schedule()
    socket = open_socket(told.upgrade(Scripted(first=(play,))))
    await socket.returned.wait()
    assert socket.messages[-1][1]["code"] == 1011
    assert told.plays == [(Outcome.STOPPED, 1)]
    assert "ZeroDivisionError" in caplog.text


async def test_a_play_with_a_bad_ending_breaks_the_connection(
    open_socket: OpenSocket, told: Told, autojump_clock: MockClock
) -> None:
    play = told.play((1.0, b"1"), ending=Ending.RST)
    socket = open_socket(told.upgrade(Scripted(first=(play,))))
    await socket.returned.wait()
    assert told.plays == [(Outcome.DELIVERED, 1)]
    assert told.upgrades == [Outcome.DELIVERED]
    assert socket.types == ["websocket.accept", "websocket.send"]


async def test_a_cancelled_server_tells_everybody(script: Script, told: Told, autojump_clock: MockClock) -> None:
    dialogue = Scripted(first=(told.play((1.0, b"1"), (9.0, b"9")),))
    async with trio.open_nursery() as server:
        Socket(told.upgrade(dialogue), script, server)
        await trio.sleep(2)
        server.cancel_scope.cancel()
    assert told.plays == [(Outcome.STOPPED, 1)]
    assert dialogue.outcomes == told.upgrades == [Outcome.STOPPED]


@pytest.mark.parametrize("has_extension", [True, False])
@pytest.mark.parametrize("late", [False, True])
async def test_a_handshake_is_refused_with_an_answer(
    open_socket: OpenSocket, autojump_clock: MockClock, has_extension: bool, late: bool
) -> None:
    outcomes: list[Outcome] = []
    answer = Whole(401, (("content-type", "text/plain"),), b"no", on_end=outcomes.append)

    async def make() -> Answer:
        await trio.sleep(2)
        return answer

    extensions = {"websocket.http.response": {}} if has_extension else {}
    socket = open_socket(Task(make) if late else answer, extensions=extensions)
    await socket.returned.wait()
    if has_extension:
        assert socket.messages[0][1]["status"] == 401
        assert b"".join(message["body"] for _, message in socket.messages[1:]) == b"no"
        assert socket.messages[-1][1]["more_body"] is False
        assert outcomes == [Outcome.DELIVERED]
    else:
        assert socket.types == ["websocket.close"]
        assert outcomes == [Outcome.STOPPED]
    assert trio.current_time() == (2.0 if late else 0.0)


async def test_a_handshake_is_refused_with_a_stream_or_cut(open_socket: OpenSocket, autojump_clock: MockClock) -> None:
    socket = open_socket(Stream(200, (), [(1.0, b"a"), (2.0, b"b")]))
    await socket.returned.wait()
    assert [(time, message["body"]) for time, message in socket.messages[1:3]] == [(1.0, b"a"), (2.0, b"b")]
    socket = open_socket(Cut(Ending.FIN))
    await socket.returned.wait()
    assert not socket.messages


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

# -- by Hypercorn ------------------------------------------------------------------------------------------------------


@attrs.frozen
class Live:
    server: HTTP2Server
    port: int

    @contextlib.asynccontextmanager
    async def connect(self, **options: Any) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        """A client that says goodbye at the end, and closes its socket, which it forgets where the server was first."""
        async with trio_websocket.open_websocket("127.0.0.1", self.port, "/", use_ssl=False, **options) as socket:
            try:
                yield socket
                await socket.aclose()
            finally:
                await trio.aclose_forcefully(socket._stream)


@pytest.fixture
async def serve(nursery: trio.Nursery, script: Script) -> Callable[..., Awaitable[Live]]:
    async def start(answer: Answer) -> Live:
        script.answers = lambda request: answer
        listeners = open_listeners("127.0.0.1", 0)
        server = HTTP2Server(script, Limits(linger=0.2))
        await nursery.start(server.serve, listeners)
        return Live(server, listeners[0].getsockname()[1])

    return start


Serve = Callable[..., Awaitable[Live]]


async def read_all(socket: trio_websocket.WebSocketConnection) -> None:
    while True:
        await socket.get_message()


async def test_a_real_client_is_echoed_and_says_goodbye(serve: Serve, told: Told, until: Until) -> None:
    dialogue = Scripted()
    live = await serve(told.upgrade(dialogue, subprotocol="realtime", headers=(("x-one", "1"),)))
    async with live.connect(subprotocols=["realtime"]) as socket:
        assert socket.subprotocol == "realtime"
        assert (b"x-one", b"1") in socket.handshake_headers
        for message in ("hello", "x" * 100_000):
            await socket.send_message(message)
            assert await socket.get_message() == message
        await socket.ping()
    await until(lambda: live.server.connections == 0)
    assert dialogue.outcomes == told.upgrades == [Outcome.DELIVERED]


async def test_a_close_reaches_a_real_client(serve: Serve, told: Told, until: Until) -> None:
    live = await serve(told.upgrade(Scripted(first=(Send(b"bye"), Close(4001, "enough")))))
    async with live.connect() as socket:
        assert await socket.get_message() == "bye"
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await socket.get_message()
    assert (closed.value.reason.code, closed.value.reason.reason) == (4001, "enough")
    await until(lambda: live.server.connections == 0)
    assert told.upgrades == [Outcome.DELIVERED]


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RST])
async def test_a_break_reaches_a_real_client_without_a_close_frame(
    serve: Serve, told: Told, until: Until, ending: Ending
) -> None:
    live = await serve(told.upgrade(Scripted(first=(Send(b"bye"), Break(ending)))))
    async with live.connect() as socket:
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await read_all(socket)
    assert closed.value.reason.code == 1006
    await until(lambda: live.server.connections == 0)
    assert told.upgrades == [Outcome.DELIVERED]


async def test_faulty_frames_are_written_as_they_are(serve: Serve, told: Told, until: Until) -> None:
    """Between messages, and half of one at the end."""
    play = told.play((0.0, b"0123456789"), ending=Ending.FIN_MID_CHUNK)
    live = await serve(told.upgrade(Scripted(first=(Raw(b"\x83\x02{}"), Send(b"ok"), Raw(b"\x88\x02\x03\xed"), play))))
    async with await trio.open_tcp_stream("127.0.0.1", live.port) as tcp:
        await tcp.send_all(HANDSHAKE)
        received = b"".join([bytes(data) async for data in tcp])
    assert received.partition(b"\r\n\r\n")[2] == b"\x83\x02{}\x81\x02ok\x88\x02\x03\xed\x81\x0a0123"
    await until(lambda: bool(told.upgrades))
    assert told.upgrades == [Outcome.DELIVERED]


async def test_a_client_that_vanishes_is_told_apart_from_one_that_says_goodbye(
    serve: Serve, told: Told, until: Until
) -> None:
    live = await serve(told.upgrade(Scripted(first=(told.play((0.0, b"1"), (1000.0, b"2")),))))
    async with live.connect() as socket:
        assert await socket.get_message() == "1"
        await trio.aclose_forcefully(socket._stream)
    await until(lambda: bool(told.upgrades))
    assert told.upgrades == [Outcome.CLIENT_LEFT]
    assert told.plays == [(Outcome.CLIENT_LEFT, 1)]


async def test_a_refusal_is_an_http_response(serve: Serve, read_socket: ReadSocket) -> None:
    live = await serve(Whole(401, (("x-why", "key"),), b"no"))
    async with await trio.open_tcp_stream("127.0.0.1", live.port) as tcp:
        await tcp.send_all(HANDSHAKE)
        response = await read_socket(tcp).response()
    assert (response.status, response.headers["x-why"], response.body) == (401, "key", b"no")


async def test_a_shutdown_says_goodbye(serve: Serve, told: Told) -> None:
    live = await serve(told.upgrade(Scripted(first=(Send(b"1"), told.play((1000.0, b"2"))))))
    async with live.connect() as socket, trio.open_nursery() as nursery:
        assert await socket.get_message() == "1"
        nursery.start_soon(live.server.shut_down, 5)
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await socket.get_message()
    assert closed.value.reason.code == 1001
    assert told.plays == [(Outcome.STOPPED, 0)]


async def test_a_stream_of_http_2_becomes_a_websocket(serve: Serve, told: Told) -> None:
    """RFC 8441; other streams of the connection go on."""
    live = await serve(told.upgrade(Scripted(first=(Send(b"hi"), Break(Ending.RST)))))
    async with H2Client(await trio.open_tcp_stream("127.0.0.1", live.port)).talking() as client:
        headers = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        await client.until(lambda: client.connection.remote_settings.enable_connect_protocol)
        client.connection.config.validate_outbound_headers = False
        seen = await client.over(await client.ask("/", "CONNECT", headers=headers, end=False))
        assert seen.status == 200
        assert seen.body == b"\x81\x02hi"
        assert seen.reset == 8
    assert told.upgrades == [Outcome.DELIVERED]

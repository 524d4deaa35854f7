"""Paced streams on sockets: no task is spent on one until something about it is unusual."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.exchange import Answer, Outcome, Request, Slicing, Stream, Task, Whole
from aimock.net.fast_lane import FastLane
from aimock.net.limits import Limits
from aimock.net.listen import open_listeners
from aimock.net.pacer import Pacer
from aimock.net.performer import Setting
from aimock.net.poller import HandOver, Poller
from aimock.net.server import HTTPServer
from aimock.net.transport import SocketTransport
from aimock.net.wire import ResponseWriter

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Reader, Script, StartStage

    Until = Callable[[Callable[[], bool]], Awaitable[None]]
    ReadSocket = Callable[[trio.SocketStream], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT = ((0.0, b"a"), (0.01, b"b"), (0.02, b"c"))
LONG = ((0.0, b"a"), (3600.0, b"b"))
"""Is under way for as long as a test lasts."""


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


@pytest.fixture
def answers(outcomes: list[Outcome]) -> Callable[[Request], Answer]:
    """`/short` and `/long` are streams, all else is whole."""

    def answer(request: Request) -> Answer:
        pieces = {"/short": SHORT, "/long": LONG}.get(request.head.path)
        if pieces is None:
            return Whole(200, (), b"whole")
        return Stream(200, (), pieces, on_end=outcomes.append)

    return answer


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def begin(connection: trio.SocketStream) -> None:
    """Asks for the long stream, and reads what comes of it at once."""
    await connection.send_all(get("/long"))
    seen = b""
    while not seen.endswith(b"1\r\na\r\n"):
        seen += await connection.receive_some()


async def test_a_stream_costs_no_task(
    start_socket_stage: StartStage,
    answers: Callable[[Request], Answer],
    outcomes: list[Outcome],
    read_socket: ReadSocket,
) -> None:
    stage = await start_socket_stage(answers)
    await wait_all_tasks_blocked()
    before = tasks()
    connections = [await stage.open_socket() for _ in range(20)]
    for connection in connections[:10]:
        await begin(connection)
    for connection in connections[10:]:
        await connection.send_all(get("/short"))
        assert (await read_socket(connection).response()).body == b"abc"
        await connection.send_all(get("/"))
        assert (await read_socket(connection).response()).body == b"whole", "and the connection lives on"
    assert (tasks(), stage.server.connections) == (before, 20)
    assert outcomes == [Outcome.DELIVERED] * 10
    for connection in connections:
        await connection.aclose()


@pytest.mark.parametrize("farewell", ["FIN", "RST"])
async def test_a_client_that_leaves_is_noticed(
    farewell: str,
    start_socket_stage: StartStage,
    answers: Callable[[Request], Answer],
    outcomes: list[Outcome],
    until: Until,
) -> None:
    """core-lessons C12: at once, not when the next frame is due."""
    stage = await start_socket_stage(answers)
    leaving, staying = await stage.open_socket(), await stage.open_socket()
    await begin(leaving)
    await begin(staying)
    if farewell == "RST":
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await leaving.aclose()
    await until(lambda: stage.server.connections == 1)
    assert outcomes == [Outcome.CLIENT_LEFT]
    await staying.aclose()


async def test_a_request_that_is_sent_ahead_waits_for_the_end_of_the_stream(
    start_socket_stage: StartStage,
    answers: Callable[[Request], Answer],
    outcomes: list[Outcome],
    read_socket: ReadSocket,
    until: Until,
) -> None:
    stage = await start_socket_stage(answers)
    await wait_all_tasks_blocked()
    before = tasks()
    async with await stage.open_socket() as connection:
        reader = read_socket(connection)
        await connection.send_all(get("/short"))
        await until(lambda: len(stage.script.requests) == 1)
        await connection.send_all(get("/first") + get("/short"))
        assert [(await reader.response()).body for _ in range(3)] == [b"abc", b"whole", b"abc"]
        await until(lambda: tasks() == before)
        await connection.send_all(get("/"))
        assert (await reader.response()).body == b"whole"
        assert [request.head.path for request in stage.script.requests] == ["/short", "/first", "/short", "/"]
    assert outcomes == [Outcome.DELIVERED] * 2


async def test_a_client_that_stops_reading_delays_nobody_and_misses_nothing(
    start_socket_stage: StartStage, read_socket: ReadSocket, until: Until
) -> None:
    outcomes: list[tuple[str, Outcome]] = []

    def answer(request: Request) -> Answer:
        path = request.head.path
        size = 1 << 20 if path == "/large" else 10
        pieces = ((0.001 * number, b"%02d" % number * (size // 2)) for number in range(32))
        return Stream(200, (), pieces, on_end=lambda outcome: outcomes.append((path, outcome)))

    stage = await start_socket_stage(answer)
    await wait_all_tasks_blocked()
    before = tasks()
    async with await stage.open_socket() as stalled, await stage.open_socket() as reading:
        await stalled.send_all(get("/large"))
        await until(lambda: tasks() == before + 1)
        for _ in range(3):
            await reading.send_all(get("/small"))
            assert len((await read_socket(reading).response()).body) == 320
        assert outcomes == [("/small", Outcome.DELIVERED)] * 3
        seen = bytearray()
        with trio.fail_after(10):
            while not seen.endswith(b"0\r\n\r\n"):
                seen += await stalled.receive_some(1 << 20)
        chunks = [b"100000\r\n%b\r\n" % (b"%02d" % number * (1 << 19)) for number in range(32)]
        assert seen.partition(b"\r\n\r\n")[2] == b"".join([*chunks, b"0\r\n\r\n"])
        await until(lambda: outcomes[3:] == [("/large", Outcome.DELIVERED)])
        await until(lambda: tasks() == before)


async def test_shutdown_lets_a_stream_finish(
    start_socket_stage: StartStage,
    answers: Callable[[Request], Answer],
    outcomes: list[Outcome],
    read_socket: ReadSocket,
    until: Until,
) -> None:
    stage = await start_socket_stage(answers)
    async with await stage.open_socket() as connection, await stage.open_socket() as idle:
        await connection.send_all(get("/short"))
        await until(lambda: len(stage.script.requests) == 1 and stage.server.connections == 2)
        with trio.fail_after(5):
            await stage.server.shut_down(60)
            await stage.server.ended.wait()
        response = await read_socket(connection).response()
        assert (response.body, response.is_complete) == (b"abc", True)
        assert await connection.receive_some() == await idle.receive_some() == b""
    assert outcomes == [Outcome.DELIVERED]


@pytest.mark.parametrize("how", ["after its grace", "cancelled"])
async def test_the_handler_hears_that_the_server_ended_first(
    how: str, answers: Callable[[Request], Answer], outcomes: list[Outcome], script: Script
) -> None:
    script.answers = answers
    server = HTTPServer(script)
    listeners = open_listeners("127.0.0.1", 0)
    address = listeners[0].getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        connections = [await trio.open_tcp_stream(*address) for _ in range(5)]
        for connection in connections:
            await begin(connection)
        if how == "cancelled":
            nursery.cancel_scope.cancel()
        else:
            await server.shut_down(0)
    assert outcomes == [Outcome.STOPPED] * 5
    assert server.connections == 0
    for connection in connections:
        with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
            assert await connection.receive_some() == b""
        await connection.aclose()


class Fault(Exception):
    pass


@pytest.mark.parametrize("where", ["before the first piece", "in the midst", "after the last piece"])
async def test_a_fault_ends_its_own_connection(
    where: str, start_socket_stage: StartStage, read_socket: ReadSocket, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Outcome] = []

    def failing() -> Iterator[tuple[float, bytes]]:
        if where == "before the first piece":
            raise Fault
        yield from SHORT
        if where == "in the midst":
            raise Fault

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        raise Fault

    def answer(request: Request) -> Answer:
        if request.head.path == "/good":
            return Stream(200, (), SHORT)
        return Stream(200, (), failing(), on_end=end if where == "after the last piece" else outcomes.append)

    stage = await start_socket_stage(answer)
    async with await stage.open_socket() as bad, await stage.open_socket() as good:
        await bad.send_all(get("/bad"))
        await good.send_all(get("/good"))
        response = await read_socket(bad).response()
        assert response.body == (b"" if where == "before the first piece" else b"abc")
        assert response.is_complete is (where == "after the last piece")
        with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
            assert await bad.receive_some() == b""
        for _ in range(2):
            assert (await read_socket(good).response()).body == b"abc", "the pacer has survived it"
            await good.send_all(get("/good"))
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Fault]
    assert outcomes == [Outcome.DELIVERED if where == "after the last piece" else Outcome.STOPPED]


async def test_making_an_answer_does_not_delay_it(
    parked: Parked, script: Script, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    def answer(request: Request) -> Answer:
        autojump_clock.jump(0.75)
        return Stream(200, (), ((0.5, b"a"), (1.0, b"b")))

    script.answers = answer
    nursery.start_soon(parked.pacer.run)
    client = parked.park(GET)
    parked.poller.make_room()
    await trio.sleep_until(0.99)
    assert (received(client) or b"").endswith(b"1\r\na\r\n")
    await trio.sleep_until(1.01)
    assert received(client) == b"1\r\nb\r\n0\r\n\r\n"


async def test_a_stream_in_slices_has_a_task(start_socket_stage: StartStage, read_socket: ReadSocket) -> None:
    stage = await start_socket_stage(lambda request: Stream(200, (), SHORT, slicing=Slicing(2, 0.0001)))
    async with await stage.open_socket() as connection:
        for _ in range(2):
            await connection.send_all(GET)
            assert (await read_socket(connection).response()).body == b"abc"


# -- over the cap ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/short", "/long"])
async def test_over_the_cap_who_waits_gets_the_place_of_a_stream_that_ends(
    path: str,
    start_socket_stage: StartStage,
    answers: Callable[[Request], Answer],
    read_socket: ReadSocket,
    until: Until,
) -> None:
    """Whether it ends by itself, or its client leaves. While it is under way it is not idle, and keeps its place."""
    stage = await start_socket_stage(answers, connections=1)
    async with contextlib.AsyncExitStack() as stack:
        streaming = await stack.enter_async_context(await stage.open_socket())
        await streaming.send_all(get(path))
        await until(lambda: len(stage.script.requests) == 1)
        waiting = await stack.enter_async_context(await stage.open_socket())
        await waiting.send_all(get("/"))
        if path == "/short":
            assert (await read_socket(streaming).response()).body == b"abc"
        else:
            await wait_all_tasks_blocked(0.01)
            assert len(stage.script.requests) == 1
            await streaming.aclose()
        with trio.fail_after(5):
            assert (await read_socket(waiting).response()).body == b"whole"


class Parked:
    """A poller with parked connections that is not running: what has come waits to be served."""

    def __init__(self, script: Script, stack: contextlib.ExitStack) -> None:
        limits = Limits()
        self.pacer = Pacer()
        setting = Setting(
            handler=script,
            limits=limits,
            fast_lane=FastLane(limits.head_bytes, limits.header_lines),
            writer=ResponseWriter(lambda: 0.0),
            pacer=self.pacer,
            is_closing=lambda: False,
            tell_change=lambda: None,
        )
        self.handed_over: list[HandOver] = []
        self.poller = Poller(setting, self.handed_over.append)
        self._stack = stack

    def park(self, *sent: bytes) -> socket.socket:
        client, server = (self._stack.enter_context(sock) for sock in socket.socketpair())
        server.setblocking(False)
        client.setblocking(False)
        self.poller.park(SocketTransport(server))
        for data in sent:
            client.send(data)
        return client


@pytest.fixture
def parked(script: Script) -> Iterator[Parked]:
    with contextlib.ExitStack() as stack:
        yield Parked(script, stack)


def received(client: socket.socket) -> bytes | None:
    """What has come, empty at the end; None if nothing has."""
    try:
        return client.recv(65536)
    except BlockingIOError:
        return None


async def test_room_is_made_after_all_requests_that_wait_are_served(parked: Parked, autojump_clock: MockClock) -> None:
    idle = parked.park()
    await trio.sleep(1)
    waiting = [parked.park(GET) for _ in range(5)]
    assert parked.poller.make_room()
    assert received(idle) == b"", "the only one that nobody asked anything on"
    for client in waiting:
        assert (received(client) or b"").startswith(b"HTTP/1.1 200")
        assert received(client) is None
    assert len(parked.poller) == 5


async def test_room_is_made_by_the_oldest_even_if_all_have_just_been_served(
    parked: Parked, autojump_clock: MockClock
) -> None:
    waiting = [parked.park(GET) for _ in range(5)]
    assert parked.poller.make_room()
    assert all((received(client) or b"").startswith(b"HTTP/1.1 200") for client in waiting)
    assert [received(client) for client in waiting].count(b"") == 1
    assert len(parked.poller) == 4


async def test_no_idle_connection_goes_if_serving_makes_room(
    parked: Parked, script: Script, autojump_clock: MockClock
) -> None:
    async def run() -> Answer:
        return Whole(200, ())

    script.answers = lambda request: Task(run)
    idle = parked.park()
    waiting = [parked.park(GET) for _ in range(5)]
    leaving = parked.park()
    leaving.close()
    assert parked.poller.make_room()
    assert len(parked.handed_over) == 5
    assert [received(client) for client in (idle, *waiting)] == [None] * 6
    assert len(parked.poller) == 1


async def test_there_is_no_room_to_make_when_all_are_streaming(
    parked: Parked, script: Script, autojump_clock: MockClock
) -> None:
    script.answers = lambda request: Stream(200, (), LONG)
    streaming = [parked.park(GET) for _ in range(3)]
    assert parked.poller.make_room(), "none is idle any more; look again"
    assert not parked.poller.make_room()
    assert [received(client) for client in streaming] == [None] * 3
    assert len(parked.poller) == 3

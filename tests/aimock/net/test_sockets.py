"""What depends on the kernel: endings as clients see them, parked connections, accepting."""

from __future__ import annotations

import contextlib
import errno
import http.client
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aimock.net.exchange import Answer, Cut, Ending, Outcome, Request, Slicing, Stream, Task, Whole
from aimock.net.listen import open_listeners, url_of

if TYPE_CHECKING:
    from aimock.net.memory import MemoryClient
    from tests.aimock.net.conftest import Reader, StartStage

    Until = Callable[[Callable[[], bool]], Awaitable[None]]
    ReadSocket = Callable[[trio.SocketStream], Reader]
    ReadMemory = Callable[[MemoryClient], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PIECES = ((0.0, b"data: a\n\n"), (0.02, b"data: b\n\n"))


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


def stream(**more: Any) -> Stream:
    return Stream(200, (("content-type", "text/event-stream"),), PIECES, **more)


# -- endings -----------------------------------------------------------------------------------------------------------

ENDINGS: dict[str, tuple[Answer, str, str, str, str]] = {
    # the answer, and what is seen of it: by a socket, by http.client, by httpx reading all, by httpx streaming
    "clean": (stream(), "200 data: a|data: b|0 open", "200 data: a|data: b|", "200", "200 data: a|data: b|"),
    "clean truncated": (
        stream(ending=Ending.CLEAN, ends_at=0.01), "200 data: a|0 open", "200 data: a|", "200", "200 data: a|",
    ),
    "fin": (
        stream(ending=Ending.FIN), "200 data: a|data: b| fin", "IncompleteRead", "RemoteProtocolError",
        "200 data: a|data: b| RemoteProtocolError",
    ),
    "fin mid-chunk": (
        stream(ending=Ending.FIN_MID_CHUNK), "200 data: a|data: fin", "IncompleteRead", "RemoteProtocolError",
        "200 data: a|data: RemoteProtocolError",
    ),
    "rst": (
        stream(ending=Ending.RST, ends_at=0.05), "200 data: a|data: b| reset", "ConnectionResetError", "ReadError",
        "200 data: a|data: b| ReadError",
    ),
    "stall": (
        stream(ending=Ending.STALL), "200 data: a|data: b| open", "TimeoutError", "ReadTimeout",
        "200 data: a|data: b| ReadTimeout",
    ),
    "cut by fin": (Cut(Ending.FIN), "fin", "RemoteDisconnected", "RemoteProtocolError", "RemoteProtocolError"),
    "cut by rst": (Cut(Ending.RST), "reset", "ConnectionResetError", "ReadError", "ReadError"),
    "cut by a stall": (Cut(Ending.STALL), "open", "TimeoutError", "ReadTimeout", "ReadTimeout"),
}  # fmt: skip

PATIENCE = 0.25
"""Seconds after which a client here holds that nothing more will come."""


def by_socket(host: str, port: int) -> str:
    seen, end = b"", "open"
    with socket.create_connection((host, port), timeout=PATIENCE) as sock:
        sock.sendall(GET)
        try:
            while data := sock.recv(65536):
                seen += data
            end = "fin"
        except TimeoutError:
            pass
        except ConnectionResetError:
            end = "reset"
    head, _, body = seen.partition(b"\r\n\r\n")
    told = [head[9:12].decode(), *([re.sub(rb"[0-9a-f]+\r\n|\r\n|(0)\r\n\r\n", rb"\1", body)] if body else [])]
    pieces = " ".join(part if isinstance(part, str) else part.decode() for part in told).replace("\n\n", "|")
    last = "0" if body.endswith(b"0\r\n\r\n") else ""
    return " ".join(f"{pieces}{last} {end}".split())


def by_http_client(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            return f"{response.status} {response.read().decode()}".replace("\n\n", "|")
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__


def by_httpx(host: str, port: int) -> str:
    try:
        return str(httpx.get(f"http://{host}:{port}/", timeout=PATIENCE).status_code)
    except httpx.TransportError as error:
        return type(error).__name__


def by_httpx_streaming(host: str, port: int) -> str:
    seen = ""
    try:
        with httpx.stream("GET", f"http://{host}:{port}/", timeout=PATIENCE) as response:
            seen = f"{response.status_code} "
            for data in response.iter_raw():
                seen += data.decode()
        error = ""
    except httpx.TransportError as failure:
        error = type(failure).__name__
    return " ".join(f"{seen} {error}".replace("\n\n", "|").split())


@pytest.mark.parametrize(
    ("answer", "client", "expected"),
    [
        pytest.param(answer, client, seen, id=f"{client.__name__}-{name}")
        for name, (answer, *all_seen) in ENDINGS.items()
        for client, seen in zip((by_socket, by_http_client, by_httpx, by_httpx_streaming), all_seen, strict=True)
    ],
)
async def test_what_a_client_sees_of_an_ending(
    answer: Answer,
    client: Callable[[str, int], str],
    expected: str,
    start_socket_stage: StartStage,
    until: Until,
) -> None:
    stage = await start_socket_stage(lambda request: answer)
    assert stage.address is not None
    seen = await trio.to_thread.run_sync(client, *stage.address)
    assert seen == expected
    await until(lambda: stage.server.connections == 0)


# -- parked connections ------------------------------------------------------------------------------------------------


def varied(request: Request) -> Answer:
    kind = request.head.path
    if kind == "/stream":
        return stream()
    if kind == "/chunk":
        return Whole(200, (), b"x" * 300_000, chunked=True)
    if kind == "/large":
        return Whole(200, (), b"y" * 300_000)
    if kind == "/sliced":
        return Whole(200, (), b"z" * 100, slicing=Slicing(30, 0.001))
    if kind == "/task":

        async def run() -> Answer:
            await trio.lowlevel.checkpoint()
            return Whole(200, (), b"task")

        return Task(run)
    return Whole(200, (), b"%b:%b" % (kind.encode(), request.body), fresh=(("x-request-id", "1"),))


def request_of(method: str, path: str, body: bytes = b"", *lines: str) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


SENT = [
    [request_of("GET", "/a")],
    [request_of("POST", "/a", b"body")],
    [request_of("POST", "/a", b"body")[:-2], b"dy"],
    [request_of("POST", "/a", b"body")[:20], request_of("POST", "/a", b"body")[20:]],
    [request_of("POST", "/a", b"body" * 50_000)],
    [request_of("GET", "/a") + request_of("GET", "/b") + request_of("GET", "/c")],
    [request_of("HEAD", "/a")],
    [request_of("HEAD", "/chunk")],
    [request_of("GET", "/stream")],
    [request_of("GET", "/chunk")],
    [request_of("GET", "/large"), request_of("GET", "/a")],
    [request_of("GET", "/sliced")],
    [request_of("GET", "/task")],
    [request_of("POST", "/a", b"", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n"],
    [request_of("POST", "/a", b"b", "Upgrade: h2c", "Connection: upgrade")],
    [request_of("GET", "/stream") + request_of("GET", "/a")],
    [b"nonsense\r\n\r\n"],
    [request_of("POST", "/a", b"", "Content-Length: 99999999999")],
]


@pytest.mark.parametrize("sent", SENT, ids=range(len(SENT)))
async def test_a_parked_connection_is_answered_as_one_in_a_task(
    sent: list[bytes], start_socket_stage: StartStage, start_stage: StartStage
) -> None:
    """Byte for byte, up to the answer of a last request that closes."""
    last = request_of("GET", "/last", b"", "Connection: close")
    parked, tasked = await start_socket_stage(varied), await start_stage(varied)
    client = tasked.connect()
    for piece in (*sent, last):
        client.send(piece)
    in_task = b"".join(arrival.data for arrival in await client.receive_all())
    async with await parked.open_socket() as connection:
        seen = b""

        async def write() -> None:
            for piece in (*sent, last):
                with contextlib.suppress(trio.BrokenResourceError):  # refused, and closed
                    await connection.send_all(piece)
                await wait_all_tasks_blocked()

        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                async for data in connection:
                    seen += data
    assert seen == in_task


async def test_parked_connections_cost_no_task(
    start_socket_stage: StartStage, read_socket: ReadSocket, until: Until
) -> None:
    stage = await start_socket_stage()
    await wait_all_tasks_blocked()
    before = trio.lowlevel.current_statistics().tasks_living
    connections = [await stage.open_socket() for _ in range(50)]
    await until(lambda: stage.server.connections == 50)
    for _ in range(2):
        for connection in connections[::2]:
            await connection.send_all(GET)
            assert (await read_socket(connection).response()).status == 200
    # A slow request takes a task, which ends with the answer.
    await connections[1].send_all(GET[:10])
    await until(lambda: trio.lowlevel.current_statistics().tasks_living == before + 1)
    await connections[1].send_all(GET[10:])
    assert (await read_socket(connections[1]).response()).status == 200
    await until(lambda: trio.lowlevel.current_statistics().tasks_living == before)
    for connection in connections:
        await connection.aclose()
    await until(lambda: stage.server.connections == 0)


async def test_a_parked_connection_that_is_reset_is_forgotten(start_socket_stage: StartStage, until: Until) -> None:
    stage = await start_socket_stage()
    connection = await stage.open_socket()
    await until(lambda: stage.server.connections == 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await connection.aclose()
    await until(lambda: stage.server.connections == 0)


async def test_idle_connections_are_closed(start_socket_stage: StartStage, read_socket: ReadSocket) -> None:
    stage = await start_socket_stage(idle_timeout=0.15)
    fresh, used = await stage.open_socket(), await stage.open_socket()
    begun = trio.current_time()
    await used.send_all(GET)
    assert (await read_socket(used).response()).status == 200
    with trio.fail_after(5):
        for connection in (fresh, used):
            assert await connection.receive_some() == b""
            await connection.aclose()
    assert trio.current_time() - begun >= 0.14
    assert stage.server.connections == 0


async def test_none_of_many_busy_clients_is_left_waiting(start_socket_stage: StartStage, until: Until) -> None:
    """Each client asks again at the moment it is answered, so every one of them is ready all the time."""
    clients: list[socket.socket] = []
    served: dict[bytes, int] = {}

    def answer(request: Request) -> Answer:
        served[request.body] = served.get(request.body, 0) + 1
        if sum(served.values()) < 1500:
            clients[int(request.body)].send(request_of("POST", "/", request.body))
        return Whole(204, ())

    stage = await start_socket_stage(answer)
    assert stage.address is not None
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            clients.append(stack.enter_context(socket.create_connection(stage.address)))
            clients[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await until(lambda: stage.server.connections == 150)
        for number, client in enumerate(clients):
            client.send(request_of("POST", "/", b"%d" % number))
        await until(lambda: sum(served.values()) >= 1500)
    assert len(served) == 150
    assert min(served.values()) >= 5


async def test_a_response_that_the_socket_cannot_take_at_once(
    start_socket_stage: StartStage, read_socket: ReadSocket, until: Until
) -> None:
    outcomes: list[Outcome] = []
    body = bytes(range(256)) * 60_000
    stage = await start_socket_stage(lambda request: Whole(200, (), body, on_end=outcomes.append))
    async with await stage.open_socket() as connection, await stage.open_socket() as left:
        for client in (connection, left):
            await client.send_all(GET)
        await until(lambda: len(stage.script.requests) == 2)
        assert outcomes == []
        with trio.fail_after(10):
            assert (await read_socket(connection).response()).body == body
        assert outcomes == [Outcome.DELIVERED]
        await left.aclose()
        await until(lambda: len(outcomes) == 2)
    assert outcomes == [Outcome.DELIVERED, Outcome.CLIENT_LEFT]
    await until(lambda: stage.server.connections == 0)


# -- accepting ---------------------------------------------------------------------------------------------------------


async def test_over_the_cap_the_longest_idle_connection_goes(
    start_socket_stage: StartStage, read_socket: ReadSocket, until: Until
) -> None:
    stage = await start_socket_stage(connections=3)
    connections = [await stage.open_socket() for _ in range(3)]
    await until(lambda: stage.server.connections == 3)
    await connections[0].send_all(GET)
    assert (await read_socket(connections[0]).response()).status == 200
    newest = await stage.open_socket()
    with trio.fail_after(5):
        assert await connections[1].receive_some() == b"", "the first was used since, and the second never"
    for connection in (connections[0], connections[2], newest):
        await connection.send_all(GET)
        assert (await read_socket(connection).response()).status == 200
    assert stage.server.connections <= 3
    for connection in (*connections, newest):
        await connection.aclose()


async def test_over_the_cap_with_none_idle_accepting_waits(
    start_socket_stage: StartStage, read_socket: ReadSocket, until: Until
) -> None:
    proceed = trio.Event()

    async def run() -> Answer:
        await proceed.wait()
        return Whole(200, ())

    stage = await start_socket_stage(lambda request: Task(run), connections=2)
    connections: list[trio.SocketStream] = []
    for served in (1, 2, 2, 2, 2):
        connections.append(await stage.open_socket())
        await connections[-1].send_all(GET)
        await until(lambda served=served: len(stage.script.requests) == served)
    await wait_all_tasks_blocked(0.01)
    assert (len(stage.script.requests), stage.server.connections) == (2, 2)
    proceed.set()
    with trio.fail_after(5):
        for connection in connections:
            assert (await read_socket(connection).response()).status == 200
            await connection.aclose()


async def test_over_the_cap_no_request_that_has_come_is_lost(start_socket_stage: StartStage) -> None:
    """Fifty clients at once for two places: one whose request nobody has read yet is not idle."""

    async def run() -> Answer:
        await trio.lowlevel.checkpoint()
        return Whole(200, ())

    stage = await start_socket_stage(lambda request: Task(run), connections=2)

    assert stage.address is not None
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(stage.address)) for _ in range(50)]
        for client in clients:
            client.sendall(GET)
            client.settimeout(5)
        answers = [await trio.to_thread.run_sync(client.recv, 1000) for client in clients]
    assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 50


class Starved(socket.socket):
    """A listener of a process that is out of descriptors, for a while."""

    refusals = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_out_of_descriptors_clients_wait(
    start_stage: StartStage, read_socket: ReadSocket, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Starved(fileno=open_listeners("127.0.0.1", 0)[0].detach())
    listener.setblocking(False)
    stage = await start_stage(listeners=[listener])
    async with await stage.open_socket() as connection:
        await connection.send_all(GET)
        with trio.fail_after(5):
            assert (await read_socket(connection).response()).status == 200
    assert len(caplog.records) == 2
    assert "Too many open files" in caplog.text


async def test_shutdown(start_socket_stage: StartStage, read_socket: ReadSocket, until: Until) -> None:
    """What is being answered may finish; what is idle is closed; what is new is not taken in."""
    proceed = trio.Event()

    async def run() -> Answer:
        await proceed.wait()
        return Whole(200, (), b"finished")

    stage = await start_socket_stage(lambda request: Task(run))
    idle, busy = await stage.open_socket(), await stage.open_socket()
    await busy.send_all(GET)
    await until(lambda: len(stage.script.requests) == 1 and stage.server.connections == 2)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.server.shut_down, 60)
            assert await idle.receive_some() == b""
            with pytest.raises(OSError, match="all attempts to connect"):
                await stage.open_socket()
            proceed.set()
            response = await read_socket(busy).response()
            assert (response.body, response.headers["connection"]) == (b"finished", "close")
            await busy.aclose()
            await idle.aclose()
        await stage.server.ended.wait()


async def test_a_client_that_hangs_up_late_does_not_hold_up_the_server(
    start_socket_stage: StartStage, until: Until
) -> None:
    stage = await start_socket_stage(linger=0.05)
    async with await stage.open_socket() as connection:
        await connection.send_all(request_of("GET", "/", b"", "Connection: close"))
        await until(lambda: stage.server.connections == 0)


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def listening() -> Iterator[Callable[[str, int], list[socket.socket]]]:
    with contextlib.ExitStack() as stack:

        def listen(host: str, port: int) -> list[socket.socket]:
            return [stack.enter_context(sock) for sock in open_listeners(host, port)]

        yield listen


def test_port_0_takes_a_free_port(listening: Callable[[str, int], list[socket.socket]]) -> None:
    [one], [other] = listening("127.0.0.1", 0), listening("127.0.0.1", 0)
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+", url_of(one))
    assert url_of(one) != url_of(other)
    assert not one.getblocking()


def test_all_addresses_of_a_name_share_one_port(listening: Callable[[str, int], list[socket.socket]]) -> None:
    assert len({sock.getsockname()[1] for sock in listening("localhost", 0)}) == 1


def test_a_taken_port_is_told(listening: Callable[[str, int], list[socket.socket]]) -> None:
    [taken] = listening("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: ") as raised:
        listening("127.0.0.1", port)
    assert raised.value.errno == errno.EADDRINUSE


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"cannot listen on nowhere port 0: Name or service not known"):
        open_listeners("nowhere", 0)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_ipv6(start_stage: StartStage) -> None:
    listeners = open_listeners("::1", 0)
    url = url_of(listeners[0])
    assert re.fullmatch(r"http://\[::1\]:\d+", url)
    await start_stage(listeners=listeners)
    response = await trio.to_thread.run_sync(lambda: httpx.get(url + "/six", timeout=5))
    assert response.json()["path"] == "/six"

"""The client leaves after byte k, for every k, of what it sends and of what it reads.

Afterwards no task, connection or descriptor is left, the journal tells what was interrupted, and the next client is
served.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.app import App
from aimock.fixtures import make_fixture
from aimock.net import memory
from aimock.net.listen import open_listeners
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State

MOMENT = 1795200000.0
DESCRIPTORS = Path("/proc/self/fd")
LEAVES = ("fin", "rst")


def fixtures() -> list[dict[str, object]]:
    async def slowly(_: object) -> dict[str, str]:
        await trio.sleep(5)
        return {"content": "late"}

    return [
        {"match": {"userMessage": "paced"}, "response": {"content": "one two three"}, "latency": 50, "chunkSize": 4},
        {"match": {"userMessage": "fast"}, "response": {"content": "one two three"}, "chunkSize": 4},
        {"match": {"userMessage": "task"}, "response": slowly},
    ]


def body(message: str, stream: bool) -> bytes:
    return orjson.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": message}], "stream": stream})


def sized(message: str, stream: bool) -> bytes:
    data = body(message, stream)
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


def chunked(message: str, stream: bool) -> bytes:
    data = body(message, stream)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (20, data[:20], len(data) - 20, data[20:])


REQUESTS = {
    "whole": sized("fast", stream=False),
    "streamed": sized("fast", stream=True),
    "paced": sized("paced", stream=True),
    "chunked": chunked("fast", stream=False),
    "task": sized("task", stream=False),
}
NEXT = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@attrs.frozen
class House:
    """The whole server, and what there was before any client came."""

    server: HTTPServer
    state: State
    address: tuple[str, int] | None
    tasks: int
    descriptors: int

    def interruptions(self) -> list[bool]:
        """Of every exchange in the journal since the last time, whether it was interrupted."""
        told = [entry.interrupted for entry in self.state.journal]
        self.state.journal.clear()
        return told

    def is_tidy(self) -> bool:
        return (self.server.connections, _tasks(), _descriptors()) == (0, self.tasks, self.descriptors)


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def _descriptors() -> int:
    """How many files this process has open, if the system tells."""
    return len(os.listdir(DESCRIPTORS)) if DESCRIPTORS.exists() else 0


@contextlib.asynccontextmanager
async def house(*listeners: socket.socket) -> AsyncIterator[House]:
    state = State(Settings(seed=1, wall_clock=lambda: MOMENT))
    state.book.append([make_fixture(fixture) for fixture in fixtures()])
    server = HTTPServer(App(state), wall_clock=lambda: MOMENT)
    address = listeners[0].getsockname()[:2] if listeners else None
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        await wait_all_tasks_blocked()
        yield House(server, state, address, _tasks(), _descriptors())
        nursery.cancel_scope.cancel()


# -- in memory, under the mock clock -----------------------------------------------------------------------------------


async def leave(client: memory.MemoryClient, way: str) -> None:
    """As the kernel does it for a client: a FIN, if it likes, and a reset for whatever comes then."""
    if way == "fin":
        client.finish()
        await wait_all_tasks_blocked()
    client.leave()
    await wait_all_tasks_blocked()


async def assert_tidy(house: House) -> None:
    await wait_all_tasks_blocked()
    assert house.is_tidy()
    client = memory.connect(house.server)
    client.send(NEXT)
    assert b"".join(arrival.data for arrival in await client.receive_all()).startswith(b"HTTP/1.1 200 OK")
    client.leave()
    await wait_all_tasks_blocked()
    assert house.is_tidy()


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", REQUESTS)
async def test_leaving_within_a_request(kind: str, way: str, autojump_clock: MockClock) -> None:
    """core-lessons C12, field 2.39"""
    sent = REQUESTS[kind]
    async with house() as server:
        for k in range(len(sent)):
            client = memory.connect(server.server)
            client.send(sent[:k])
            await wait_all_tasks_blocked()
            await leave(client, way)
            await assert_tidy(server)
            assert server.interruptions() == [], "there was no exchange"
        assert trio.current_time() == 0, "nobody waited for anything"


async def until_taken(client: memory.MemoryClient, count: int) -> None:
    """Until so many bytes are on their way to the client."""
    while sum(len(arrival.data) for arrival in client._incoming.arrivals) < count:
        await client._incoming.wait()


async def length_of_response(server: House, sent: bytes) -> int:
    client = memory.connect(server.server)
    client.send(sent)
    await trio.sleep(10)
    client.leave()
    return sum(len(arrival.data) for arrival in client._incoming.arrivals)


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", ["whole", "streamed", "paced", "task"])
async def test_leaving_within_a_response(kind: str, way: str, autojump_clock: MockClock) -> None:
    """core-lessons C12, field 2.39: the network takes k bytes and no more, then the client is gone."""
    async with house() as server:
        length = await length_of_response(server, REQUESTS[kind])
        server.interruptions()
        for k in range(1, length + 1):
            client = memory.connect(server.server, capacity=k)
            client.send(REQUESTS[kind])
            await until_taken(client, k)
            await leave(client, way)
            await assert_tidy(server)
            assert server.interruptions() == [k < length], f"after {k} of {length}"


@pytest.mark.parametrize("way", LEAVES)
async def test_leaving_while_the_answer_is_awaited(way: str, autojump_clock: MockClock) -> None:
    """core-lessons C12, field 2.44"""
    async with house() as server:
        for seconds in (0, 1, 4.999):
            client = memory.connect(server.server)
            client.send(REQUESTS["task"])
            await trio.sleep(seconds)
            await leave(client, way)
            await assert_tidy(server)
            assert server.interruptions() == [], "what was never answered was not served"


@pytest.mark.parametrize("way", LEAVES)
async def test_leaving_between_two_pieces(way: str, autojump_clock: MockClock) -> None:
    """core-lessons C12, field 2.39: the client has read all there is, at any moment of a paced stream."""
    async with house() as server:
        endings: list[bool] = []
        for tick in range(2, 400, 7):
            client = memory.connect(server.server)
            client.send(REQUESTS["paced"])
            await trio.sleep(tick / 1000)
            written = b"".join(arrival.data for arrival in client._incoming.arrivals)
            await leave(client, way)
            await assert_tidy(server)
            endings.append(written.endswith(b"\r\n0\r\n\r\n"))
            assert server.interruptions() == [not endings[-1]]
        assert set(endings) == {False, True}


# -- over sockets ------------------------------------------------------------------------------------------------------


def reset_on_close(connection: trio.SocketStream) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def assert_tidy_over_sockets(house: House) -> None:
    assert house.address is not None
    async with await trio.open_tcp_stream(*house.address) as connection:
        await connection.send_all(NEXT)
        assert b"".join([data async for data in connection]).startswith(b"HTTP/1.1 200 OK")
    with trio.fail_after(5):
        while not house.is_tidy():  # noqa: ASYNC110 - the kernel tells nobody when it has told the server
            await trio.sleep(0.0005)


async def read_exactly(connection: trio.SocketStream, count: int) -> bytes:
    seen = b""
    while len(seen) < count and (data := await connection.receive_some(count - len(seen))):
        seen += data
    return seen


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", REQUESTS)
async def test_leaving_within_a_request_over_sockets(kind: str, way: str) -> None:
    """core-lessons C12, field 2.39"""
    sent = REQUESTS[kind]
    async with house(*open_listeners("127.0.0.1", 0)) as server:
        assert server.address is not None
        for k in sorted({*range(0, len(sent), 5), len(sent) - 1}):
            async with await trio.open_tcp_stream(*server.address) as connection:
                if k:
                    await connection.send_all(sent[:k])
                if way == "rst":
                    reset_on_close(connection)
            await assert_tidy_over_sockets(server)
            assert server.interruptions() == []


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", ["whole", "streamed", "paced"])
async def test_leaving_within_a_response_over_sockets(kind: str, way: str) -> None:
    """core-lessons C12, field 2.39"""
    async with house(*open_listeners("127.0.0.1", 0)) as server:
        assert server.address is not None
        for k in range(1, 600, 29):
            async with await trio.open_tcp_stream(*server.address) as connection:
                await connection.send_all(REQUESTS[kind])
                assert len(await read_exactly(connection, k)) == k
                if way == "rst":
                    reset_on_close(connection)
            await assert_tidy_over_sockets(server)
            assert server.interruptions() == [kind == "paced"], "what is not paced is the kernel's by then"

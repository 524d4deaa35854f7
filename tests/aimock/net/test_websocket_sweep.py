"""The client of a WebSocket leaves after byte k, for every k, of what it sends and of what it reads.

Afterwards no task, connection, descriptor or entry of the pacer is left, and everybody has been told the end once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net import memory
from aimock.net.dialogue import Close, Play, Send, Step, Wait
from aimock.net.exchange import Answer, Head, Outcome, Refusal, Request, Whole
from aimock.net.listen import open_listeners
from aimock.net.server import HTTPServer
from dialogues import CLOSE, CONTINUATION, HANDSHAKE, PING, RSV1, TEXT, Talk, client_frame

DESCRIPTORS = Path("/proc/self/fd")
LEAVES = ("fin", "rst")

DEFLATE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
HELLO = bytes.fromhex("f248cdc9c90700")
"""Compressed: RFC 7692 7.2.3.1."""
SESSIONS = {
    "plain": HANDSHAKE
    + client_frame(TEXT, b"play")
    + client_frame(0x01, b"wa")
    + client_frame(PING, b"?")
    + client_frame(CONTINUATION, b"it")
    + client_frame(CLOSE, b"\x03\xe8"),
    "compressed": DEFLATE + client_frame(TEXT | RSV1, HELLO) + client_frame(TEXT, b"play") + client_frame(CLOSE),
    "closed by the server": HANDSHAKE + client_frame(TEXT, b"play") + client_frame(TEXT, b"close"),
    "wrong": HANDSHAKE + client_frame(TEXT, b"wait") + client_frame(TEXT, b"play") + client_frame(TEXT, b"\xff"),
}


@attrs.define
class House:
    """Serves a dialogue that has all sorts of things under way, and counts their ends."""

    tasks: int = 0
    descriptors: int = 0
    begun: int = 0
    """Plays."""
    ended: list[Outcome] = attrs.field(factory=list)
    """Plays."""
    waiting: int = 0
    talks: list[Talk] = attrs.field(factory=list)
    server: HTTPServer = attrs.field(init=False)

    def answer(self, request: Request) -> Answer:
        talk = Talk(self._reply)
        self.talks.append(talk)
        return talk.answers(request)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        return Whole(refusal.status, (), refusal.message.encode())

    def _reply(self, message: str | bytes) -> Iterator[Step]:
        yield Send(b"heard")
        if message == "play":
            self.begun += 1
            yield Play([(at / 100, b"message %d" % at) for at in range(5)], self._on_end)
        elif message == "wait":
            yield Wait(self._wait, tuple)
        elif message == "close":
            yield Close(1000, "bye")

    def _on_end(self, outcome: Outcome, sent: int) -> Iterable[Step]:
        self.ended.append(outcome)
        return [Send(b"played")]

    async def _wait(self) -> Iterable[Step]:
        self.waiting += 1
        try:
            await trio.sleep(0.02)
        finally:
            self.waiting -= 1
        return [Send(b"waited")]

    def assert_tidy(self) -> None:
        assert (self.server.connections, _tasks(), _descriptors()) == (0, self.tasks, self.descriptors)
        assert (len(self.ended), self.waiting) == (self.begun, 0)
        pacer = self.server.pacer
        assert all(paced.place != place for _, place, paced in pacer._heap), "only what was dropped"
        for talk in self.talks:
            assert len(talk.outcomes) == 2 * talk.opened_times
            assert len(set(talk.outcomes)) <= 1
        self.talks.clear()


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def _descriptors() -> int:
    return len(os.listdir(DESCRIPTORS)) if DESCRIPTORS.exists() else 0


@contextlib.asynccontextmanager
async def house(*listeners: socket.socket) -> AsyncIterator[House]:
    house = House()
    house.server = HTTPServer(house)
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, listeners)
        await wait_all_tasks_blocked()
        house.tasks, house.descriptors = _tasks(), _descriptors()
        yield house
        nursery.cancel_scope.cancel()


async def leave(client: memory.MemoryClient, way: str) -> None:
    """As the kernel does it for a client: a FIN, if it likes, and a reset for whatever comes then."""
    if way == "fin":
        client.finish()
        await wait_all_tasks_blocked()
    client.leave()
    await wait_all_tasks_blocked()


async def until_taken(client: memory.MemoryClient, count: int) -> None:
    """Until so many bytes are on their way to the client."""
    while sum(len(arrival.data) for arrival in client._incoming.arrivals) < count:
        await client._incoming.wait()


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", SESSIONS)
@pytest.mark.parametrize("pause", [0, 0.015])
async def test_leaving_after_what_was_sent(kind: str, way: str, pause: float, autojump_clock: MockClock) -> None:
    sent = SESSIONS[kind]
    async with house() as server:
        for k in range(len(sent) + 1):
            client = memory.connect(server.server)
            client.send(sent[:k])
            await wait_all_tasks_blocked()
            await trio.sleep(pause)
            await leave(client, way)
            server.assert_tidy()


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", SESSIONS)
async def test_leaving_after_what_was_read(kind: str, way: str, autojump_clock: MockClock) -> None:
    """The network takes k bytes and no more, then the client is gone."""
    sent = SESSIONS[kind]
    async with house() as server:
        client = memory.connect(server.server)
        client.send(sent)
        await trio.sleep(10)
        await leave(client, way)
        length = sum(len(arrival.data) for arrival in client._incoming.arrivals)
        for k in range(1, length + 1):
            client = memory.connect(server.server, capacity=k)
            client.send(sent)
            await until_taken(client, k)
            await leave(client, way)
            server.assert_tidy()


@pytest.mark.parametrize("way", LEAVES)
async def test_leaving_at_any_moment(way: str, autojump_clock: MockClock) -> None:
    async with house() as server:
        for tick in range(60):
            client = memory.connect(server.server)
            client.send(HANDSHAKE + client_frame(TEXT, b"wait") + client_frame(TEXT, b"play"))
            await trio.sleep(tick / 1000)
            await leave(client, way)
            server.assert_tidy()
        assert set(server.ended) == {Outcome.CLIENT_LEFT, Outcome.DELIVERED}


@pytest.mark.parametrize("kind", SESSIONS)
async def test_cancelling_the_server_at_any_moment(kind: str, autojump_clock: MockClock) -> None:
    for tick in range(0, 60, 3):
        async with house() as server:
            client = memory.connect(server.server)
            client.send(SESSIONS[kind])
            await trio.sleep(tick / 1000)
        await wait_all_tasks_blocked()
        assert (len(server.ended), server.waiting) == (server.begun, 0)
        assert [len(talk.outcomes) for talk in server.talks] == [2]


def reset_on_close(connection: trio.SocketStream) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("way", LEAVES)
@pytest.mark.parametrize("kind", SESSIONS)
async def test_leaving_over_sockets(kind: str, way: str) -> None:
    sent = SESSIONS[kind]
    (listener,) = open_listeners("127.0.0.1", 0)
    address = listener.getsockname()
    async with house(listener) as server:
        for k in sorted({*range(0, len(sent), 7), len(sent) - 1, len(sent)}):
            async with await trio.open_tcp_stream(*address) as connection:
                if k:
                    await connection.send_all(sent[:k])
                if way == "rst":
                    reset_on_close(connection)
            with trio.fail_after(5):
                while server.server.connections or _tasks() > server.tasks:  # noqa: ASYNC110 - the kernel tells no event
                    await trio.sleep(0.001)
            server.assert_tidy()

"""TLS below the HTTP loop: handshakes, endings, slow readers, and whoever does not speak it."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from secure_client import Ragged, SecureClient, certificate, security, trusting
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.certificates import CertificateError, from_files, self_signed, server_context
from aimock.net.exchange import Answer, Cut, Ending, Outcome, Request, Slicing, Stream, Task, Whole
from aimock.net.listen import open_listeners
from aimock.net.memory import MemoryClient
from aimock.net.tls import Security
from aimock.net.transport import PeerGone

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Reader, Stage, StartStage

    Until = Callable[[Callable[[], bool]], Awaitable[None]]
    ReadMemory = Callable[[MemoryClient | SecureClient], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PIECES = ((0.0, b"data: a\n\n"), (1.0, b"data: b\n\n"))
BODY = bytes(range(256)) * 40_000
"""More than any buffer between the two holds."""


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def stream(**more: Any) -> Stream:
    return Stream(200, (("content-type", "text/event-stream"),), PIECES, **more)


async def open_client(stage: Stage, capacity: int | None = None) -> SecureClient:
    client = SecureClient(stage.connect())
    await client.shake_hands()
    await wait_all_tasks_blocked()
    await client.catch_up()
    client.client._incoming._capacity = capacity
    return client


# -- requests and answers, in memory -----------------------------------------------------------------------------------


async def test_many_requests_on_one_connection(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(security=security())
    client = await open_client(stage)
    reader = read_memory(client)
    for number in range(3):
        client.send(post(b"%d" % number))
        assert (await reader.response()).told["body"] == str(number)
    client.send(post(b"ahead") * 3)
    assert [(await reader.response()).told["body"] for _ in range(3)] == ["ahead"] * 3
    client.say_farewell()
    assert await client.receive() is None, "it says farewell too"
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_a_handshake_and_a_request_byte_by_byte(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(security=security())
    client = SecureClient(stage.connect())
    whole_writes = client.client.send

    def slowly(data: bytes) -> None:
        for byte in data:
            whole_writes(bytes([byte]))

    client.client.send = slowly  # type: ignore[method-assign]
    await client.shake_hands()
    client.send(post(b"slow"))
    assert (await read_memory(client).response()).told["body"] == "slow"


async def test_large_bodies_both_ways(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(lambda request: Whole(200, (), request.body), security=security(), body_bytes=len(BODY))
    client = await open_client(stage)
    client.send(post(BODY))
    assert (await read_memory(client).response()).body == BODY


async def test_a_paced_stream_keeps_its_times(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(lambda request: stream(), security=security())
    client = await open_client(stage)
    client.send(GET)
    for time, data in ((0.0, b"data: a\n\n\r\n"), (1.0, b"data: b\n\n\r\n0\r\n\r\n")):
        arrival = await client.receive()
        assert arrival is not None
        assert (arrival.time, arrival.data[-len(data) :]) == (time, data)
    client.send(GET)
    assert (await client.receive()) is not None, "and the connection serves on"


async def test_slices_are_records(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(lambda request: Whole(200, (), b"x", slicing=Slicing(7, 0.5)), security=security())
    client = await open_client(stage)
    client.send(GET)
    seen = b""
    times = []
    while not seen.endswith(b"\r\n\r\nx"):
        arrival = await client.receive()
        assert arrival is not None
        assert len(arrival.data) <= 7
        seen += arrival.data
        times.append(arrival.time)
    assert times == [number * 0.5 for number in range(len(times))]


# -- endings -----------------------------------------------------------------------------------------------------------

ENDINGS: dict[str, tuple[Answer, bytes, str]] = {
    "clean": (stream(), b"0\r\n\r\n", "open"),
    "fin": (stream(ending=Ending.FIN), b"data: b\n\n\r\n", "ragged"),
    "fin mid-chunk": (stream(ending=Ending.FIN_MID_CHUNK), b"9\r\ndata:", "ragged"),
    "rst": (stream(ending=Ending.RST, ends_at=2.0), b"data: b\n\n\r\n", "reset"),
    "stall": (stream(ending=Ending.STALL), b"data: b\n\n\r\n", "open"),
    "cut by fin": (Cut(Ending.FIN), b"", "ragged"),
    "cut by rst": (Cut(Ending.RST), b"", "reset"),
    "cut by a stall": (Cut(Ending.STALL), b"", "open"),
    "close": (Whole(200, (), b"last"), b"\r\n\r\nlast", "open"),
}


async def ending_of(client: SecureClient) -> tuple[bytes, str]:
    """What comes, and how it ends; `open` if for an hour it does not."""
    seen = b""
    with trio.move_on_after(50):
        try:
            while (arrival := await client.receive()) is not None:
                seen += arrival.data
            return seen, "farewell"
        except Ragged:
            return seen, "ragged"
        except PeerGone:
            return seen, "reset"
    return seen, "open"


@pytest.mark.parametrize("name", ENDINGS)
async def test_endings(name: str, start_stage: StartStage, autojump_clock: MockClock) -> None:
    """A cut is one of the network's: FIN with no close_notify before it."""
    answer, last, end = ENDINGS[name]
    stage = await start_stage(lambda request: answer, security=security())
    client = await open_client(stage)
    client.send(GET)
    seen, ended = await ending_of(client)
    assert ended == end
    assert seen.endswith(last)
    client.client.leave()
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_connection_close_ends_with_a_farewell_and_fin(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(lambda request: Whole(200, (), b"last"), security=security())
    client = await open_client(stage)
    client.send(LAST_GET)
    seen, ended = await ending_of(client)
    assert (seen[-4:], ended) == (b"last", "farewell")
    assert await client.client.receive() is None


async def test_the_farewell_waits_for_a_slow_reader(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """What was taken fills the connection to the last byte: the farewell is still to come, and FIN after it."""
    stage = await start_stage(lambda request: Whole(200, (), b"x" * 100), security=security())
    probe = await open_client(stage)
    probe.send(LAST_GET)
    response = await probe.client.receive()
    assert response is not None
    client = await open_client(stage, capacity=len(response.data))
    client.send(LAST_GET)
    await wait_all_tasks_blocked()
    assert not client.client._incoming.finished
    await trio.sleep(1)
    seen, ended = await ending_of(client)
    assert (seen[-100:], ended) == (b"x" * 100, "farewell")
    assert await client.client.receive() is None

"""Faults as connections see them: what is on the wire after them, and how they end on real sockets."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.fixtures import fixture_from
from aimock.net.memory import connect

Start = Callable[..., Any]

TEN = {"content": "0123456789"}


def request(fault: str, stream: bool) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}], "stream": stream}).encode()
    lines = f"Host: mock\r\nContent-Length: {len(body)}\r\nX-AIMock-Fault: {fault}\r\n\r\n"
    return f"POST /v1/chat/completions HTTP/1.1\r\n{lines}".encode() + body


async def test_the_connection_serves_on_after_faults_that_end_well(autojump_clock: MockClock, memory: Start) -> None:
    """A pooled connection must not hand the rest of one answer to the next request."""
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, TEN, chunk_size=5, latency=1)])
    client = connect(server.server)
    for fault in ("truncate", "empty", "malformed", "error-event;afterChunks=0", "malformed-frame", "slice", "drop"):
        client.send(request(fault, stream=True))
        end = (
            b"0\r\n\r\n"
            if fault not in ("malformed", "drop")
            else {"malformed": b"chaos>>>", "drop": b'_drop"}}'}[fault]
        )
        arrivals = await client.receive_until(end)
        received = b"".join(arrival.data for arrival in arrivals)
        assert received.startswith(b"HTTP/1.1 "), fault
        assert received.endswith(end), fault
    client.finish()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("fin", "fin"),
        ("reset", "rst"),
        ("fin;afterChunks=0", "fin"),
        ("reset;afterChunks=0", "rst"),
        ("disconnect", "fin"),
    ],
)
def test_field_1_fin_and_rst_are_told_apart(mock: AIMock, fault: str, end: str, stream: bool) -> None:
    mock.on({}, TEN, chunk_size=5)
    received = b""
    with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as client:
        client.sendall(request(fault, stream))
        try:
            while data := client.recv(65536):
                received += data
            ended = "fin"
        except ConnectionResetError:
            ended = "rst"
    assert ended == end
    nothing = "afterChunks=0" in fault or fault == "disconnect"
    assert received.startswith(b"" if nothing else b"HTTP/1.1 200 OK\r\n")
    assert bool(received) != nothing
    assert not received.endswith(b"0\r\n\r\n")


def test_a_client_that_resets_while_a_fault_is_played_harms_nobody(mock: AIMock, chat: Any) -> None:
    mock.on({}, TEN, chunk_size=5)
    for fault in ("stall", "slow-first-token", "slice;gapMs=60000"):
        client = socket.create_connection(("127.0.0.1", mock.port), timeout=10)
        client.sendall(request(fault, stream=True))
        assert client.recv(1) == b"H"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert chat().content == "0123456789"

"""Streams that end before their time: what arrives, how it ends, and what the journal says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock.fixtures import fixture_from

Start = Callable[..., Any]

TEN = {"content": "0123456789"}
"""At a chunk size of 5 a stream of four chunks: role, two slices, finish."""


async def served(memory: Start, **options: Any) -> Any:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, TEN, **{"chunk_size": 5} | options)])
    return server


async def settled(server: Any) -> dict[str, Any]:
    """What the journal says of the last answer, once everything that can happen has."""
    await trio.testing.wait_all_tasks_blocked()
    response: dict[str, Any] = server.journal[-1]["response"]
    return response


@pytest.mark.parametrize(
    ("options", "times", "ended_at", "reason"),
    [
        pytest.param({"truncate_after_chunks": 1}, [0], 0, "truncateAfterChunks", id="E6 one chunk at no latency"),
        pytest.param({"truncate_after_chunks": 3}, [0, 0, 0], 0, "truncateAfterChunks", id="E6 three at no latency"),
        pytest.param({"truncate_after_chunks": 2, "latency": 50}, [50, 100], 100, "truncateAfterChunks", id="two"),
        pytest.param(
            {"truncate_after_chunks": 4, "latency": 50},
            [50, 100, 150, 200],
            200,
            "truncateAfterChunks",
            id="all, no end",
        ),
        pytest.param(
            {"disconnect_after_ms": 120, "latency": 50}, [50, 100], 120, "disconnectAfterMs", id="after 120 ms"
        ),
        pytest.param({"disconnect_after_ms": 20, "latency": 50}, [], 20, "disconnectAfterMs", id="before any chunk"),
        pytest.param({"disconnect_after_ms": 0, "latency": 50}, [], 0, "disconnectAfterMs", id="at once"),
        pytest.param(
            {"disconnect_after_ms": 60, "truncate_after_chunks": 3, "latency": 50},
            [50],
            60,
            "disconnectAfterMs",
            id="whichever is first: time",
        ),
        pytest.param(
            {"disconnect_after_ms": 160, "truncate_after_chunks": 2, "latency": 50},
            [50, 100],
            100,
            "truncateAfterChunks",
            id="whichever is first: chunks",
        ),
        pytest.param(
            {"disconnect_after_ms": 30, "latency": 50, "replay_speed": 5},
            [10, 20, 30],
            30,
            "disconnectAfterMs",
            id="speed",
        ),
    ],
)
async def test_field_41_a_cut_stream(
    autojump_clock: MockClock, memory: Start, options: dict[str, Any], times: list[float], ended_at: float, reason: str
) -> None:
    server = await served(memory, **options)
    streamed = await server.stream(stream_options={"include_usage": True})
    assert (streamed.times, streamed.ended_at, streamed.whole) == (times, ended_at, False)
    response = await settled(server)
    assert (response["status"], response.get("interrupted"), response.get("interruptReason")) == (200, True, reason)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"truncate_after_chunks": 5}, id="more chunks than there are"),
        pytest.param({"disconnect_after_ms": 201, "latency": 50}, id="E5 later than the end"),
        pytest.param({"disconnect_after_ms": 60_000}, id="E5 much later"),
    ],
)
async def test_e5_a_stream_that_ends_first_ends_well(
    autojump_clock: MockClock, memory: Start, options: dict[str, Any]
) -> None:
    server = await served(memory, **options)
    streamed = await server.stream()
    assert (len(streamed.chunks), streamed.events[-1][1], streamed.whole) == (4, "[DONE]", True)
    response = await settled(server)
    assert "interrupted" not in response
    assert "interruptReason" not in response
    assert streamed.ended_at == (200 if "latency" in options else 0)


@pytest.mark.parametrize("keep", range(5))
async def test_e7_field_41_a_client_that_leaves_is_noted_and_only_then(
    autojump_clock: MockClock, memory: Start, keep: int
) -> None:
    """core-lessons E7, field 2.36, 2.41: after the head and `keep` chunks; the last comes with [DONE]."""
    server = await served(memory, latency=50)
    client = server.send(stream=True)
    for _ in range(1 + keep):
        await client.receive()
    client.leave()
    response = await settled(server)
    left_early = keep < 4
    assert response.get("interrupted", False) is left_early
    assert "interruptReason" not in response, "nobody planned it"
    assert server.server.connections == 0, "C12: nothing is left behind"


async def test_a_client_that_leaves_before_the_cut_was_not_cut(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, latency=50, truncate_after_chunks=3)
    client = server.send(stream=True)
    await client.receive_until(b"assistant")
    client.leave()
    response = await settled(server)
    assert (response["interrupted"], response.get("interruptReason")) == (True, None)


async def test_a_stream_is_journaled_when_it_begins(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, latency=50, truncate_after_chunks=3)
    client = server.send(stream=True)
    await client.receive_until(b"assistant")
    (entry,) = server.journal
    assert entry["response"]["status"] == 200
    assert "interrupted" not in entry["response"]
    await client.receive_all()
    assert (await settled(server))["interrupted"] is True


async def test_a_server_that_stops_interrupts_what_it_cannot_finish(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, latency=1000)
    client = server.send(stream=True)
    await client.receive_until(b"assistant")
    await server.server.shut_down(grace=0.5)
    response = await settled(server)
    assert response["interrupted"] is True


async def test_a_server_that_stops_lets_streams_finish(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, latency=1000)
    client = server.send(stream=True)
    await client.receive_until(b"assistant")
    await server.server.shut_down(grace=10)
    rest = b"".join(arrival.data for arrival in await client.receive_all())
    assert rest.endswith(b"0\r\n\r\n")
    assert b"[DONE]" in rest
    assert "interrupted" not in await settled(server)

"""Anthropic's streams in time: every event counts but pings, which come while nothing else does (physics §2.1, §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock.fixtures import fixture_from

Start = Callable[..., Any]

EVENTS = [
    "message_start",
    "content_block_start",
    "ping",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


async def streamed(memory: Start, **options: Any) -> Any:
    """A stream of two slices, as [(name, milliseconds)], and whether it came to its end."""
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "0123456789"}, **{"chunk_size": 5} | options)])
    stream = await server.stream(path="/v1/messages")
    return [(data.partition("\n")[0].removeprefix("event: "), time) for time, data in stream.events], stream.whole


async def test_every_event_waits_but_a_ping(memory: Start, autojump_clock: MockClock) -> None:
    events, whole = await streamed(memory, latency=50)
    assert [name for name, _ in events] == EVENTS
    assert [time for _, time in events] == [50, 100, 100, 150, 200, 250, 300, 350]
    assert whole


@pytest.mark.parametrize(("after", "count"), [(1, 1), (2, 2), (3, 4), (5, 6), (7, 8)])
async def test_every_event_is_counted_but_a_ping(
    memory: Start, autojump_clock: MockClock, after: int, count: int
) -> None:
    """core-lessons E6"""
    events, whole = await streamed(memory, latency=50, truncate_after_chunks=after)
    assert [name for name, _ in events] == EVENTS[:count]
    assert not whole


async def test_pings_fill_long_silences(memory: Start, autojump_clock: MockClock) -> None:
    profile = {"ttft": 40_000, "tps": 0.05}
    events, whole = await streamed(memory, streaming_profile=profile)
    assert events[:4] == [("ping", 15_000), ("ping", 30_000), ("message_start", 40_000), ("ping", 55_000)]
    assert [name for name, _ in events if name != "ping"] == [name for name in EVENTS if name != "ping"]
    assert whole

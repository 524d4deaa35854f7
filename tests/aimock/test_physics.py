"""The time of every frame, to the microsecond: on Trio's mock clock, where an hour takes no time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock.fixtures import fixture_from

Start = Callable[..., Any]


async def served(memory: Start, response: Any, settings: dict[str, Any] | None = None, **options: Any) -> Any:
    """A server in memory with one fixture for everything."""
    server = memory(**{"seed": 1} | (settings or {}))
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, response, **options)])
    return server


TEN = {"content": "0123456789"}
"""At a chunk size of 5 a stream of four chunks: role, two slices, finish."""
TIMINGS = {"ttftMs": 100, "interChunkDelaysMs": [10, 30], "totalDurationMs": 140}


@pytest.mark.parametrize(
    ("options", "times"),
    [
        pytest.param({}, [0, 0, 0, 0], id="nothing"),
        pytest.param({"latency": 50}, [50, 100, 150, 200], id="latency"),
        pytest.param({"latency": 0.5}, [0.5, 1, 1.5, 2], id="half a millisecond"),
        pytest.param({"streaming_profile": {"ttft": 300, "tps": 40}}, [300, 325, 350, 375], id="profile"),
        pytest.param({"streaming_profile": {"tps": 10}}, [100, 200, 300, 400], id="tps alone counts for the first too"),
        pytest.param({"streaming_profile": {"ttft": 300}}, [300, 300, 300, 300], id="ttft alone"),
        pytest.param(
            {"streaming_profile": {"ttft": 300}, "latency": 5}, [300, 305, 310, 315], id="latency where no tps is"
        ),
        pytest.param(
            {"streaming_profile": {"ttft": 1, "tps": 1000}, "latency": 50, "recorded_timings": TIMINGS},
            [1, 2, 3, 4],
            id="profile before timings before latency",
        ),
        pytest.param({"streaming_profile": {}, "recorded_timings": TIMINGS}, [0, 0, 0, 0], id="an empty profile hides"),
        pytest.param({"recorded_timings": TIMINGS}, [100, 110, 140, 160], id="surplus chunks wait the mean"),
        pytest.param(
            {"recorded_timings": {"ttftMs": 5, "interChunkDelaysMs": [], "totalDurationMs": 5}},
            [5, 5, 5, 5],
            id="no delays recorded",
        ),
        pytest.param(
            {"recorded_timings": {"ttftMs": 0, "interChunkDelaysMs": [1, 2, 3, 4, 5], "totalDurationMs": 15}},
            [0, 1, 3, 6],
            id="fewer chunks than recorded",
        ),
        pytest.param({"latency": 50, "replay_speed": 2}, [25, 50, 75, 100], id="replaySpeed divides latency"),
        pytest.param(
            {"recorded_timings": TIMINGS, "replay_speed": 0.5},
            [200, 220, 280, 320],
            id="replaySpeed divides recordings",
        ),
        pytest.param(
            {"streaming_profile": {"ttft": 100, "tps": 10}, "replay_speed": 10},
            [10, 20, 30, 40],
            id="replaySpeed divides profiles",
        ),
    ],
)
async def test_when_each_chunk_comes(
    autojump_clock: MockClock, memory: Start, options: dict[str, Any], times: list[float]
) -> None:
    server = await served(memory, TEN, chunk_size=5, **options)
    streamed = await server.stream()
    assert streamed.chunks == times
    assert streamed.events[-1] == (times[-1], "[DONE]"), "the end waits for nothing"
    assert (streamed.status, streamed.whole, streamed.ended_at) == (200, True, times[-1])


async def test_usage_waits_for_nothing(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, TEN, chunk_size=5, latency=50)
    streamed = await server.stream(stream_options={"include_usage": True})
    assert streamed.times == [50, 100, 150, 200, 200, 200]


@pytest.mark.parametrize(
    ("settings", "options", "times"),
    [
        ({"latency": 20, "chunk_size": 5}, {}, [20, 40, 60, 80]),
        ({"latency": 20, "chunk_size": 5, "replay_speed": 2}, {}, [10, 20, 30, 40]),
        ({"latency": 20, "chunk_size": 5, "replay_speed": 2}, {"replay_speed": 4}, [5, 10, 15, 20]),
        ({"latency": 20, "chunk_size": 5}, {"latency": 0}, [0, 0, 0, 0]),
        ({"latency": 20, "chunk_size": 5}, {"chunk_size": 10}, [20, 40, 60]),
        ({"latency": 20}, {}, [20, 40, 60]),
    ],
)
async def test_e19_the_fixture_outranks_the_server(
    autojump_clock: MockClock, memory: Start, settings: dict[str, Any], options: dict[str, Any], times: list[float]
) -> None:
    server = await served(memory, TEN, settings, **options)
    assert (await server.stream()).chunks == times


async def test_whole_answers_and_errors_are_never_delayed(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, TEN, {"latency": 1000}, latency=1000)
    server.state.book.prepend(fixture_from({"userMessage": "bad"}, {"error": {"message": "no"}}, latency=1000))
    start = trio.current_time()
    for text, stream in (("hello", False), ("bad", False), ("bad", True)):
        client = server.send(text, stream=stream)
        await client.receive()
    assert trio.current_time() == start


# -- jitter ----------------------------------------------------------------------------------------------------------


def gaps(times: list[float]) -> list[float]:
    return [round(late - early, 6) for early, late in zip([0.0, *times], times, strict=False)]


JITTERY: Any = {"content": "x" * 400}
PROFILE: Any = {"ttft": 1000, "tps": 20, "jitter": 0.4}


async def test_jitter_stays_within_its_bounds(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, JITTERY, chunk_size=1, streaming_profile=PROFILE)
    ttft, *delays = gaps((await server.stream()).chunks)
    assert 600 <= ttft <= 1400
    assert len(delays) == 401
    assert all(30 <= delay <= 70 for delay in delays)
    assert min(delays) < 34
    assert max(delays) > 66
    assert statistics.mean(delays) == pytest.approx(50, abs=2)


async def test_jitter_repeats_from_its_seed_and_only_from_that(autojump_clock: MockClock, memory: Start) -> None:
    seen = []
    for seed in (7, 7, 8):
        server = await served(memory, JITTERY, {"seed": seed}, chunk_size=1, streaming_profile=PROFILE)
        seen.append([(await server.stream()).chunks for _ in range(2)])
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert seen[0][0] != seen[0][1], "two requests of one run are two"


async def test_jitter_of_parallel_tests_does_not_mix(autojump_clock: MockClock, memory: Start) -> None:
    alone = await served(memory, JITTERY, chunk_size=1, streaming_profile=PROFILE)
    expected = (await alone.stream(headers={"X-Test-Id": "a"})).chunks
    crowded = await served(memory, JITTERY, chunk_size=1, streaming_profile=PROFILE)
    for other in ("b", "c", "b"):
        await crowded.stream(headers={"X-Test-Id": other})
    assert (await crowded.stream(headers={"X-Test-Id": "a"})).chunks == expected


async def test_latency_has_no_jitter(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, TEN, chunk_size=5, latency=50, streaming_profile={"jitter": 1})
    assert (await server.stream()).chunks == [50, 100, 150, 200]


# -- many and long ---------------------------------------------------------------------------------------------------


async def test_a_stream_of_a_minute_takes_no_time(autojump_clock: MockClock, memory: Start) -> None:
    started = time.perf_counter()
    server = await served(memory, {"content": "x" * 600}, chunk_size=1, streaming_profile={"ttft": 100, "tps": 10})
    streamed = await server.stream()
    assert (len(streamed.chunks), streamed.ended_at) == (602, 60_200)
    assert time.perf_counter() - started < 5, "far less, but the machine may be busy"


async def test_streams_do_not_delay_each_other(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, TEN, chunk_size=5, latency=50)
    results = []

    async def one(after: float) -> None:
        await trio.sleep(after / 1000)
        results.append((await server.stream()).chunks)

    async with trio.open_nursery() as nursery:
        for position in range(50):
            nursery.start_soon(one, position * 3)
    assert results == [[50, 100, 150, 200]] * 50


async def test_a_reader_that_does_not_read_delays_nobody(autojump_clock: MockClock, memory: Start) -> None:
    from aimock.net.memory import connect

    server = await served(memory, {"content": "x" * 2000}, chunk_size=1, latency=1)
    blocked = connect(server.server, capacity=1000)
    body = b'{"messages":[],"stream":true}'
    blocked.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    streamed = await server.stream()
    assert streamed.chunks == [float(number) for number in range(1, 2003)]
    assert len(b"".join([(await blocked.receive()).data])) <= 1000

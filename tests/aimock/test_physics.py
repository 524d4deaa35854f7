"""The time of every frame, to the microsecond: on Trio's mock clock, where an hour takes no time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock.fixtures import FixtureError, StreamingProfile, fixture_from, make_fixture, validate_fixtures
from aimock.fixtures.options import PROFILES
from aimock.net.exchange import Ending
from aimock.physics import Limit, Pace, Surroundings, Tempo, interrupt, kept_alive, schedule
from aimock_protocols.canonical import Frame, FrameKind, Keepalive

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
    """As far as the clock goes it takes a minute, and nothing here waits for another."""
    server = await served(memory, {"content": "x" * 600}, chunk_size=1, streaming_profile={"ttft": 100, "tps": 10})
    streamed = await server.stream()
    assert (len(streamed.chunks), streamed.ended_at) == (602, 60_200)
    assert streamed.chunks == [100 * place for place in range(1, 603)]


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


# -- profiles by name, and the server's ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
async def test_a_profile_may_go_by_its_name(autojump_clock: MockClock, memory: Start, name: str) -> None:
    profile = PROFILES[name]
    named = await served(memory, TEN, chunk_size=5, streaming_profile=name)
    written = {"ttft": profile.ttft, "tps": profile.tps, "jitter": profile.jitter}
    spelt = await served(memory, TEN, chunk_size=5, streaming_profile=written)
    chunks = (await named.stream()).chunks
    assert chunks == (await spelt.stream()).chunks
    assert profile.ttft is not None
    assert profile.jitter is not None
    assert profile.ttft * (1 - profile.jitter) <= chunks[0] <= profile.ttft * (1 + profile.jitter)


def test_a_profile_of_no_known_name_is_refused() -> None:
    with pytest.raises(FixtureError, match="streamingProfile: must be an object, or one of fast, standard, reasoning"):
        fixture_from({}, TEN, streaming_profile="slow")


SERVERS = StreamingProfile(ttft=300, tps=40)


@pytest.mark.parametrize(
    ("settings", "options", "times"),
    [
        pytest.param({}, {}, [300, 325, 350, 375], id="for a fixture that says nothing"),
        pytest.param({"latency": 7}, {}, [300, 325, 350, 375], id="before the server's latency"),
        pytest.param({}, {"latency": 50}, [50, 100, 150, 200], id="the fixture's latency"),
        pytest.param({}, {"latency": 0}, [0, 0, 0, 0], id="a fixture that wants none"),
        pytest.param({}, {"recorded_timings": TIMINGS}, [100, 110, 140, 160], id="the fixture's recording"),
        pytest.param({}, {"streaming_profile": {"tps": 10}}, [100, 200, 300, 400], id="the fixture's profile"),
        pytest.param({}, {"streaming_profile": {}}, [0, 0, 0, 0], id="the fixture's empty profile"),
        pytest.param({}, {"replay_speed": 5}, [60, 65, 70, 75], id="at the fixture's speed"),
        pytest.param({"replay_speed": 5}, {}, [60, 65, 70, 75], id="at the server's speed"),
    ],
)
async def test_the_servers_profile_is_for_fixtures_that_have_no_timing(
    autojump_clock: MockClock, memory: Start, settings: dict[str, Any], options: dict[str, Any], times: list[float]
) -> None:
    server = await served(memory, TEN, {"streaming_profile": SERVERS} | settings, chunk_size=5, **options)
    assert (await server.stream()).chunks == times


@pytest.mark.parametrize(
    ("profile", "options", "instant"),
    [
        (None, {}, True),
        (None, {"latency": 0.001}, False),
        (None, {"streaming_profile": {}}, True),
        (None, {"streaming_profile": {"jitter": 1}}, True),
        (None, {"streaming_profile": {"ttft": 0}}, True),
        (None, {"streaming_profile": {"ttft": 0}, "latency": 1}, False),
        (None, {"streaming_profile": {"prefillPerToken": 1}}, False),
        (None, {"recorded_timings": {"ttftMs": 0, "interChunkDelaysMs": [0, 0], "totalDurationMs": 0}}, True),
        (None, {"recorded_timings": {"ttftMs": 0, "interChunkDelaysMs": [0, 1], "totalDurationMs": 0}}, False),
        (SERVERS, {}, False),
        (SERVERS, {"latency": 0}, True),
        (SERVERS, {"streaming_profile": {}}, True),
    ],
)
def test_the_quick_look_sees_what_the_pace_says(profile: Any, options: dict[str, Any], instant: bool) -> None:
    fixture = fixture_from({}, TEN, **options)
    tempo = Tempo(profile=profile)
    assert (tempo.is_instant(fixture), tempo.pace_of(fixture).is_instant) == (instant, instant)
    delays = [delay_at(tempo.pace_of(fixture), index, tokens=1) for index in range(4)]
    assert any(delays) != instant


# -- the second model ------------------------------------------------------------------------------------------------


def around(uniforms: Iterable[float] = (), tokens: int = 0, streams: int = 1) -> Surroundings:
    return Surroundings(iter(uniforms), lambda: tokens, lambda: streams)


def delay_at(pace: Pace, index: int, **given: Any) -> float:
    """In ms."""
    return round(pace.delay(index, around(**{"uniforms": itertools.repeat(0.5)} | given)) * 1000, 6)


def paced(**profile: Any) -> Pace:
    return Pace(profile=StreamingProfile(**profile))


@pytest.mark.parametrize(
    ("profile", "tokens", "expected"),
    [
        ({"prefill_per_token": 2}, 100, 200),
        ({"ttft": 50, "prefill_per_token": 2}, 100, 250),
        ({"ttft": 50, "prefill_per_token": 2}, 0, 50),
        ({"ttft": 50, "prefill_per_token": 0}, 100, 50),
        ({"tps": 10, "prefill_per_token": 2}, 100, 200),
    ],
)
def test_a_prompt_is_read_first(profile: dict[str, Any], tokens: int, expected: float) -> None:
    pace = paced(**profile)
    assert delay_at(pace, 0, tokens=tokens) == expected
    assert delay_at(pace, 1, tokens=tokens) == (100 if "tps" in profile else 0), "only once"


async def test_the_tokens_of_the_prompt_are_those_of_the_usage(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, TEN, chunk_size=5, streaming_profile={"prefillPerToken": 10})
    for text, tokens in (("x" * 40, 10), ("x" * 400, 100)):
        assert (await server.stream(text)).chunks == [tokens * 10] * 4


@pytest.mark.parametrize("index", [0, 1])
def test_a_bell_curve_has_its_mean_its_deviation_and_its_bounds(index: int) -> None:
    pace = paced(ttft=100, ttft_std_dev=10, tps=10, gap_std_dev=10, jitter=1)
    evenly = [(place + 0.5) / 2000 for place in range(2000)]
    drawn = [delay_at(pace, index, uniforms=[uniform]) for uniform in evenly]
    assert drawn == sorted(drawn)
    assert statistics.mean(drawn) == pytest.approx(100, abs=0.1)
    assert statistics.stdev(drawn) == pytest.approx(10, abs=0.1)
    wild = paced(ttft=100, ttft_std_dev=1000, tps=10, gap_std_dev=1000)
    extremes = [delay_at(wild, index, uniforms=[uniform]) for uniform in (0.0, 2.0**-53, 0.5, 1 - 2.0**-53)]
    assert extremes == [30, 30, 100, 170]


def test_each_deviation_is_for_its_own_delays_and_jitter_for_the_rest() -> None:
    first = paced(ttft=100, ttft_std_dev=10, tps=10, jitter=0.5)
    assert delay_at(first, 0, uniforms=[0.5]) == 100
    assert delay_at(first, 0, uniforms=[0.999]) == pytest.approx(130.9, abs=0.1), "by its curve"
    assert delay_at(first, 1, uniforms=[0.999]) == pytest.approx(149.9, abs=0.1), "by jitter"
    gaps_only = paced(ttft=100, tps=10, gap_std_dev=10, jitter=0.5)
    assert delay_at(gaps_only, 0, uniforms=[0.999]) == pytest.approx(149.9, abs=0.1)
    assert delay_at(gaps_only, 1, uniforms=[0.999]) == pytest.approx(130.9, abs=0.1)
    assert delay_at(paced(ttft=0, ttft_std_dev=10), 0, uniforms=[0.999]) == 0, "nothing varies by nothing"


@pytest.mark.parametrize(
    ("streams", "factor"), [(1, 1), (2, 1.5), (3, 2), (5, 3), (6, 3), (1000, 3)], ids=lambda value: str(value)
)
def test_everything_takes_longer_under_load(streams: int, factor: float) -> None:
    pace = paced(ttft=100, tps=10, load_factor=3, load_streams=5)
    assert [delay_at(pace, index, streams=streams) for index in (0, 1)] == [100 * factor] * 2
    only_latency = Pace(latency=10, profile=StreamingProfile(load_factor=3, load_streams=5))
    assert delay_at(only_latency, 1, streams=streams) == 10, "latency is no part of the model"


async def test_streams_that_come_and_go_are_load(autojump_clock: MockClock, memory: Start) -> None:
    profile = {"ttft": 100, "tps": 10, "loadFactor": 2, "loadStreams": 2}
    server = await served(memory, TEN, chunk_size=5, streaming_profile=profile)
    seen: dict[str, list[float]] = {}

    async def ask(name: str, after: float) -> None:
        await trio.sleep(after / 1000)
        seen[name] = (await server.stream()).chunks

    async with trio.open_nursery() as asking:
        asking.start_soon(ask, "first", 0)
        asking.start_soon(ask, "second", 150)
    # When a delay is fixed is net's affair: it looks a chunk or two ahead.
    assert gaps(seen["first"])[:4] in ([100, 100, 200, 200], [100, 100, 100, 200])
    assert gaps(seen["second"])[:4] in ([200, 200, 200, 100], [200, 200, 100, 100])
    await ask("third", 0)
    await trio.testing.wait_all_tasks_blocked()
    assert seen["third"] == [100, 200, 300, 400]
    assert server.state.streams == 0


@pytest.mark.parametrize("leaving", ["leave", "finish"])
async def test_streams_whose_client_left_are_no_load(autojump_clock: MockClock, memory: Start, leaving: str) -> None:
    profile = {"ttft": 100, "tps": 10, "loadFactor": 2, "loadStreams": 2}
    server = await served(memory, TEN, chunk_size=5, streaming_profile=profile)
    client = server.send(stream=True)
    await trio.sleep(0.05)
    assert server.state.streams == 1
    getattr(client, leaving)()
    await trio.testing.wait_all_tasks_blocked()
    assert server.state.streams == 0
    assert (await server.stream()).chunks == [100, 200, 300, 400]


async def test_streams_that_are_cut_are_no_load_any_more(autojump_clock: MockClock, memory: Start) -> None:
    profile = {"ttft": 100, "tps": 10, "loadFactor": 2, "loadStreams": 2}
    server = await served(memory, TEN, chunk_size=5, streaming_profile=profile)
    for fault in ("fin", "reset", "truncate", "stall", "fin;afterChunks=0", "slice", "error-event", "overloaded"):
        await server.exchange(headers={"X-AIMock-Fault": fault}, stream=True)
        await trio.testing.wait_all_tasks_blocked()
        assert server.state.streams == 0, fault


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"loadFactor": 0.5}, "streamingProfile.loadFactor: must be a number, 1 or more, got 0.5"),
        ({"loadStreams": 1}, "streamingProfile.loadStreams: must be a whole number, 2 or more, got 1"),
        ({"loadStreams": 2.5}, "streamingProfile.loadStreams: must be a whole number, 2 or more, got 2.5"),
        ({"prefillPerToken": -1}, "streamingProfile.prefillPerToken: must be a number, 0 or more, got -1"),
        ({"ttftStdDev": "1"}, 'streamingProfile.ttftStdDev: must be a number, 0 or more, got "1"'),
        ({"gapStdDev": -1}, "streamingProfile.gapStdDev: must be a number, 0 or more, got -1"),
    ],
)
def test_a_wrong_profile_is_refused(profile: Any, said: str) -> None:
    with pytest.raises(FixtureError) as error:
        make_fixture({"match": {}, "response": TEN, "streamingProfile": profile})
    assert error.value.findings[0].message == said


@pytest.mark.parametrize("half", [{"loadFactor": 2}, {"loadStreams": 5}])
def test_half_a_load_is_a_warning(half: Any) -> None:
    (finding,) = validate_fixtures([{"match": {}, "response": TEN, "streamingProfile": half}])
    said = "streamingProfile: loadFactor and loadStreams do nothing without each other"
    assert (finding.severity, finding.message) == ("warning", said)


# -- keepalives, and several limits ----------------------------------------------------------------------------------


def frame(name: str, kind: FrameKind = FrameKind.TOKEN) -> Frame:
    return Frame(name.encode(), kind)


PING = frame("ping", FrameKind.PING)


def names(timed: Iterable[tuple[float, Frame]]) -> list[tuple[float, str]]:
    return [(round(offset, 6), each.data.decode()) for offset, each in timed]


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([], []),
        ([0, 1, 11], [(0, "f"), (1, "f"), (11, "f")]),
        ([0, 10.5], [(0, "f"), (10, "ping"), (10.5, "f")]),
        ([25], [(10, "ping"), (20, "ping"), (25, "f")]),
        ([5, 26, 27], [(5, "f"), (15, "ping"), (25, "ping"), (26, "f"), (27, "f")]),
        ([30, 30], [(10, "ping"), (20, "ping"), (30, "f"), (30, "f")]),
    ],
    ids=str,
)
def test_field_40_silence_is_filled_with_keepalives(offsets: list[float], expected: list[tuple[float, str]]) -> None:
    timed = [(offset, frame("f")) for offset in offsets]
    assert names(kept_alive(timed, Keepalive(PING, 10))) == expected


def test_keepalives_are_made_as_they_are_needed() -> None:
    def endless() -> Iterator[tuple[float, Frame]]:
        yield 1e12, frame("f")

    first = itertools.islice(kept_alive(endless(), Keepalive(PING, 10)), 3)
    assert names(first) == [(10, "ping"), (20, "ping"), (30, "ping")]


def test_keepalives_go_on_after_the_last_frame_until_the_stream_is_cut() -> None:
    timed = [(5.0, frame("a"))]
    assert names(kept_alive(timed, Keepalive(PING, 10), 26)) == [(5, "a"), (15, "ping"), (25, "ping")]
    assert names(kept_alive([], Keepalive(PING, 10), 11)) == [(10, "ping")]


async def test_a_stream_that_is_cut_after_ages_takes_no_room_for_its_keepalives(
    autojump_clock: MockClock, memory: Start
) -> None:
    """core-lessons G4"""
    server = await served(memory, TEN, chunk_size=5, latency=1e15, truncate_after_chunks=2)
    client = server.send(path="/v1/messages", stream=True)
    first = await client.receive()
    assert first is not None
    assert (await client.receive()).data.endswith(b'{"type":"ping"}\n\n\r\n')
    client.finish()


def test_keepalives_are_not_counted_by_a_limit() -> None:
    timed = tuple(kept_alive([(25, frame("a")), (50, frame("b"))], Keepalive(PING, 10)))
    cut = interrupt(timed, [Limit("x", after_chunks=1)])
    assert cut is not None
    assert names(cut.schedule) == [(10, "ping"), (20, "ping"), (25, "a")]
    cut = interrupt(timed, [Limit("x", after_ms=22_000)])
    assert cut is not None
    assert (names(cut.schedule), cut.ends_at) == ([(10, "ping"), (20, "ping")], 22)


def test_a_late_start_moves_everything() -> None:
    frames = [frame("open", FrameKind.OPEN), frame("a"), frame("end", FrameKind.CLOSE)]
    timed = schedule(frames, Pace(latency=50), around(), delay=2)
    assert names(timed) == [(2.05, "open"), (2.1, "a"), (2.1, "end")]


TIMED = [(0.1 * place, frame(str(place))) for place in range(5)]


@pytest.mark.parametrize(
    ("limits", "reason", "kept", "ends_at"),
    [
        ([Limit("a", after_chunks=3), Limit("b", after_chunks=2)], "b", 2, 0.1),
        ([Limit("a", after_chunks=2), Limit("b", after_chunks=2)], "a", 2, 0.1),
        ([Limit("a", after_chunks=9), Limit("b", after_chunks=5)], "b", 5, 0.4),
        ([Limit("a", after_ms=250), Limit("b", after_chunks=4)], "a", 3, 0.25),
        ([Limit("a", after_ms=350), Limit("b", after_chunks=3), Limit("c", after_ms=10)], "c", 1, 0.01),
        ([Limit("a", after_chunks=0), Limit("b", after_ms=0)], "a", 0, 0),
    ],
    ids=str,
)
def test_of_several_limits_the_earliest_counts(limits: list[Limit], reason: str, kept: int, ends_at: float) -> None:
    cut = interrupt(TIMED, limits)
    assert cut is not None
    assert (cut.limit.reason, len(cut.schedule), cut.ends_at) == (reason, kept, pytest.approx(ends_at))


def test_of_limits_at_the_same_time_the_one_that_leaves_less_counts() -> None:
    at_once = [(0.0, frame(str(place))) for place in range(5)]
    limits = [Limit("a", after_chunks=4), Limit("b", after_chunks=1, ending=Ending.RST)]
    cut = interrupt(at_once, limits)
    assert cut is not None
    assert (cut.limit, len(cut.schedule)) == (limits[1], 1)


def test_limits_beyond_the_end_cut_nothing() -> None:
    assert interrupt(TIMED, [Limit("a", after_chunks=6), Limit("b", after_ms=400)]) is None
    assert interrupt([], [Limit("a", after_ms=0)]) is None
    assert interrupt(TIMED, []) is None

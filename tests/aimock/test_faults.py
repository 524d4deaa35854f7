"""What each fault does to each kind of answer: bytes, times, ending and journal, on Trio's mock clock.

The tables have a row for each fault there is: one that has none fails.
"""

from __future__ import annotations

import email.utils
import itertools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from aimock.chaos import QUIET, chaos_from_json
from aimock.fixtures import fixture_from, make_fixture
from aimock.fixtures.faults import OF_MCP, OF_WEBSOCKETS, FaultName

Start = Callable[..., Any]

NOW = 1_800_000_000.0
SECONDS = 1000.0

TEN = {"content": "0123456789"}
"""At a chunk size of 5 a stream of four chunks: role, two slices, finish; then [DONE]."""
CALLS = {"toolCalls": [{"name": "f", "arguments": '{"city":"Paris"}'}, {"name": "g", "arguments": "{}"}]}
ERROR = {"error": {"message": "no", "type": "t"}, "status": 418}

DROP = b'{"error":{"message":"Chaos: request dropped","type":"server_error","code":"chaos_drop"}}'
LIMITED = b'{"error":{"message":"Chaos: rate limit exceeded","type":"rate_limit_error","code":"chaos_ratelimit"}}'
OVERLOADED = b'{"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}}'
UNAVAILABLE = b'{"error":{"message":"Service temporarily unavailable","type":"server_error","param":null,"code":null}}'
THROTTLED = (
    b'{"error":{"message":"Rate limit reached for gpt-4o in organization org-aimock on requests per min (RPM): '
    b'Limit 60, Used 60, Requested 1. Please try again in 1s.","type":"requests","param":null,'
    b'"code":"rate_limit_exceeded"}}'
)


async def served(memory: Start, response: Any = TEN, **options: Any) -> Any:
    """A server in memory with one fixture for everything, whose answers are the same from start to start."""
    server = memory(seed=1, wall_clock=lambda: NOW)
    await trio.testing.wait_all_tasks_blocked()
    if response is not None:
        server.state.book.append([fixture_from({}, response, **{"chunk_size": 5} | options)])
    return server


async def asked(memory: Start, fault: str | None, response: Any = TEN, *, stream: bool = False, **options: Any) -> Any:
    """What comes of one request to a server of its own, and what its journal says."""
    server = await served(memory, response, **options)
    headers = {} if fault is None else {"X-AIMock-Fault": fault}
    seen = await server.exchange(headers=headers, **{"stream": True} if stream else {})
    await trio.testing.wait_all_tasks_blocked()
    assert len(server.journal) == 1
    return seen, server.journal[0]["response"]


def frames_of(body: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in body.split(b"\n\n")[:-1]]


def unclosed(data: bytes) -> bytes:
    """Without its last brace."""
    place = data.rindex(b"}")
    return data[:place] + data[place + 1 :]


# -- every fault of every kind of answer -------------------------------------------------------------------------------


class Whole(NamedTuple):
    """What becomes of an answer that is sent at once. None: as it would be without the fault."""

    status: int | None = None
    body: bytes | Callable[[bytes], bytes] | None = None
    ending: str = "whole"
    at: float = 0.0
    headers: dict[str, str | None] = {}  # noqa: RUF012  # never changed
    cut: bool = False
    """Whether the journal calls it interrupted."""


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


NO_RETRY: dict[str, str | None] = {"retry-after": None, "retry-after-ms": None}
SPENT: dict[str, str | None] = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-remaining-tokens": "0",
}
JSON: dict[str, str | None] = {"content-type": "application/json"}

INSTEAD = {
    FaultName.DROP: Whole(500, DROP, headers=JSON),
    FaultName.MALFORMED: Whole(200, b"{malformed json: <<<chaos>>>", headers=JSON | {"content-length": "28"}),
    FaultName.RATE_LIMIT: Whole(429, LIMITED, headers=JSON | SPENT | {"retry-after": "1"}),
    FaultName.DISCONNECT: Whole(0, b"", "fin"),
    FaultName.THROTTLED: Whole(429, THROTTLED, headers=JSON | SPENT | {"retry-after": "1", "retry-after-ms": "1000"}),
    FaultName.OVERLOADED: Whole(529, OVERLOADED, headers=JSON | NO_RETRY),
    FaultName.UNAVAILABLE: Whole(503, UNAVAILABLE, headers=JSON | NO_RETRY),
    FaultName.EMPTY: Whole(200, b""),
}
"""These stand instead of every answer, whatever its kind."""

OF_A_WHOLE_ANSWER = INSTEAD | {
    FaultName.WRONG_CONTENT_TYPE: Whole(headers={"content-type": "text/html; charset=utf-8"}),
    FaultName.RESET: Whole(body=half, ending="rst", cut=True),
    FaultName.FIN: Whole(body=half, ending="fin", cut=True),
    FaultName.TRUNCATE: Whole(body=half, cut=True),
    FaultName.STALL: Whole(body=half, ending="silence", cut=True),
    FaultName.SLOW_FIRST_TOKEN: Whole(at=10 * SECONDS),
    FaultName.SLICE: Whole(),
    FaultName.MALFORMED_FRAME: Whole(body=unclosed),
    FaultName.ERROR_EVENT: Whole(529, OVERLOADED),
    FaultName.BROKEN_ARGUMENTS: Whole(),
    **dict.fromkeys((*OF_WEBSOCKETS, *OF_MCP), Whole()),
}


def check_whole(fault: FaultName, expected: Whole, seen: Any, said: Any, plain: Any, plain_said: Any) -> None:
    """`plain`, `plain_said`: what is seen, and what the journal says, without the fault."""
    status = plain.status if expected.status is None else expected.status
    body = plain.body if expected.body is None else expected.body
    body = body if isinstance(body, bytes) else body(plain.body)
    if fault is FaultName.RESET:
        assert seen.status in (0, status), "a reset may overtake what was sent before it"
        assert body.startswith(seen.body)
    else:
        assert (seen.status, seen.body) == (status, body)
    assert seen.ending == expected.ending
    if fault is not FaultName.SLICE:
        assert set(seen.times) <= {expected.at}
    if expected.ending == "whole" and seen.headers.get("transfer-encoding") is None:
        assert seen.headers["content-length"] == str(len(body)), "nothing but the body tells that it is not all"
    for name, value in expected.headers.items():
        assert seen.headers.get(name) == value, name
    journaled = {"status": status, "fixture": plain_said["fixture"], "chaosAction": fault, "source": said["source"]}
    cut = {"interrupted": True, "interruptReason": fault} if expected.cut else {}
    assert said == journaled | cut


@pytest.mark.parametrize("fault", FaultName)
async def test_field_1_what_each_fault_does_to_a_whole_answer(
    autojump_clock: MockClock, memory: Start, fault: FaultName
) -> None:
    plain, plain_said = await asked(memory, None)
    seen, said = await asked(memory, fault)
    assert (plain.status, plain.ending) == (200, "whole")
    check_whole(fault, OF_A_WHOLE_ANSWER[fault], seen, said, plain, plain_said)
    assert said["source"] == "fixture"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("response", [ERROR, None], ids=["error", "miss"])
@pytest.mark.parametrize("fault", FaultName)
async def test_what_each_fault_does_to_an_error(
    autojump_clock: MockClock, memory: Start, fault: FaultName, response: Any, stream: bool
) -> None:
    """Errors are sent at once, also where a stream was asked for."""
    plain, plain_said = await asked(memory, None, response, stream=stream)
    seen, said = await asked(memory, fault, response, stream=stream)
    assert plain.status == (418 if response else 404)
    expected = OF_A_WHOLE_ANSWER[fault]
    if stream and fault is FaultName.ERROR_EVENT:
        expected = Whole()
    check_whole(fault, expected, seen, said, plain, plain_said)
    assert said["source"] == ("fixture" if response else "internal")


class Streamed(NamedTuple):
    """What becomes of a stream whose chunks are due at 50, 100, 150 and 200 ms."""

    body: Callable[[list[bytes]], list[bytes]]
    times: list[float]
    ending: str = "whole"
    cut: bool = False
    headers: dict[str, str | None] = {}  # noqa: RUF012  # never changed


def whole_stream(frames: list[bytes]) -> list[bytes]:
    return frames


def first_frame(frames: list[bytes]) -> list[bytes]:
    return frames[:1]


OF_A_STREAM = INSTEAD | {
    FaultName.EMPTY: Streamed(lambda frames: [], [], headers={"content-type": "text/event-stream; charset=utf-8"}),
    FaultName.WRONG_CONTENT_TYPE: Streamed(
        whole_stream, [50, 100, 150, 200], headers={"content-type": "text/html; charset=utf-8"}
    ),
    FaultName.RESET: Streamed(first_frame, [50], "rst", cut=True),
    FaultName.FIN: Streamed(first_frame, [50], "fin", cut=True),
    FaultName.TRUNCATE: Streamed(first_frame, [50], cut=True),
    FaultName.STALL: Streamed(first_frame, [50], "silence", cut=True),
    FaultName.SLOW_FIRST_TOKEN: Streamed(whole_stream, [10_050, 10_100, 10_150, 10_200]),
    FaultName.SLICE: Streamed(whole_stream, []),
    FaultName.MALFORMED_FRAME: Streamed(
        lambda frames: [frames[0], unclosed(frames[1]), *frames[2:]], [50, 100, 150, 200]
    ),
    FaultName.ERROR_EVENT: Streamed(lambda frames: [frames[0], b"data: " + OVERLOADED + b"\n\n"], [50]),
    FaultName.BROKEN_ARGUMENTS: Streamed(whole_stream, [50, 100, 150, 200]),
    **dict.fromkeys((*OF_WEBSOCKETS, *OF_MCP), Streamed(whole_stream, [50, 100, 150, 200])),
}


@pytest.mark.parametrize("fault", FaultName)
async def test_field_1_what_each_fault_does_to_a_stream(
    autojump_clock: MockClock, memory: Start, fault: FaultName
) -> None:
    plain, plain_said = await asked(memory, None, stream=True, latency=50)
    seen, said = await asked(memory, fault, stream=True, latency=50)
    expected = OF_A_STREAM[fault]
    assert (plain.times, plain.ending) == ([50, 100, 150, 200], "whole")
    if isinstance(expected, Whole):
        check_whole(fault, expected, seen, said, plain, plain_said)
        return
    body = b"".join(expected.body(frames_of(plain.body)))
    if fault is FaultName.RESET:
        assert body.startswith(seen.body), "a reset may overtake what was sent before it"
        assert seen.ended_at == 50
    else:
        assert (seen.status, seen.body) == (200, body)
        if fault is not FaultName.SLICE:
            assert seen.times == expected.times
    assert seen.ending == expected.ending
    for name, value in expected.headers.items():
        assert seen.headers.get(name) == value, name
    cut = {"interrupted": True, "interruptReason": fault} if expected.cut else {}
    fixture = plain_said["fixture"]
    assert said == {"status": 200, "fixture": fixture, "chaosAction": fault, "source": "fixture"} | cut


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FaultName)
async def test_what_functions_return_is_spoiled_as_what_is_written(
    autojump_clock: MockClock, memory: Start, fault: FaultName, stream: bool
) -> None:
    def made(body: Any) -> Any:
        return TEN

    async def made_later(body: Any) -> Any:
        await trio.sleep(3)
        return TEN

    def comparable(seen: Any, late: float = 0.0) -> Any:
        if fault is FaultName.RESET:
            return seen.status in (0, 200), seen.ending, round(seen.ended_at - late, 6)
        return seen.status, seen.body, seen.ending, [round(time - late, 6) for time in seen.times]

    written, said = await asked(memory, fault, stream=stream, latency=50)
    del said["fixture"]
    instead = fault in INSTEAD or (fault is FaultName.ERROR_EVENT and not stream)
    for function, late in ((made, 0.0), (made_later, 0.0 if instead else 3 * SECONDS)):
        seen, journaled = await asked(memory, fault, function, stream=stream, latency=50)
        assert comparable(seen, late) == comparable(written)
        del journaled["fixture"]
        assert journaled == said


# -- where a fault strikes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "kept", "at"),
    [pytest.param(1, 1, 50, id="1"), pytest.param(3, 3, 150, id="3"), pytest.param(4, 4, 200, id="4, the last")],
)
@pytest.mark.parametrize(
    ("fault", "ending"), [("truncate", "whole"), ("fin", "fin"), ("stall", "silence")], ids=["truncate", "fin", "stall"]
)
async def test_a_stream_is_cut_after_so_many_chunks(
    autojump_clock: MockClock, memory: Start, fault: str, ending: str, after: int, kept: int, at: float
) -> None:
    plain, _ = await asked(memory, None, stream=True, latency=50)
    seen, said = await asked(memory, f"{fault};afterChunks={after}", stream=True, latency=50)
    assert seen.body == b"".join(frames_of(plain.body)[:kept])
    assert (seen.times[-1], seen.ending) == (at, ending)
    assert seen.ended_at == (at if ending != "silence" else 3600 * SECONDS)
    assert said["interruptReason"] == fault


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fault", "ending"), [("reset", "rst"), ("fin", "fin"), ("stall", "silence")])
async def test_after_0_chunks_nothing_at_all_is_sent(
    autojump_clock: MockClock, memory: Start, fault: str, ending: str, stream: bool
) -> None:
    seen, said = await asked(memory, f"{fault};afterChunks=0", stream=stream, latency=50)
    assert (seen.arrivals, seen.ending) == ([], ending)
    assert (said["status"], said["chaosAction"]) == (0, fault)


async def test_a_stream_truncated_after_0_chunks_is_one_of_none(autojump_clock: MockClock, memory: Start) -> None:
    seen, said = await asked(memory, "truncate;afterChunks=0", stream=True, latency=50)
    assert (seen.status, seen.body, seen.ending, seen.ended_at) == (200, b"", "whole", 0)
    assert (said["status"], said["interruptReason"]) == (200, "truncate")


@pytest.mark.parametrize("fault", ["truncate", "fin", "reset", "stall", "malformed-frame"])
async def test_a_fault_beyond_the_end_of_a_stream_changes_nothing(
    autojump_clock: MockClock, memory: Start, fault: str
) -> None:
    plain, _ = await asked(memory, None, stream=True, latency=50)
    seen, said = await asked(memory, f"{fault};afterChunks=5", stream=True, latency=50)
    assert (seen.body, seen.times, seen.ending) == (plain.body, plain.times, "whole")
    assert said["chaosAction"] == fault, "it was drawn"
    assert "interrupted" not in said


@pytest.mark.parametrize(("after", "kept", "at"), [(0, 0, 0), (2, 2, 100), (4, 4, 200), (9, 4, 200)])
async def test_an_error_event_comes_after_so_many_chunks_at_the_latest_instead_of_the_end(
    autojump_clock: MockClock, memory: Start, after: int, kept: int, at: float
) -> None:
    """field 1: HTTP 200, then an error that an SDK's retries never see."""
    plain, _ = await asked(memory, None, stream=True, latency=50)
    seen, _ = await asked(memory, f"error-event;afterChunks={after}", stream=True, latency=50)
    *before, event = frames_of(seen.body)
    assert before == frames_of(plain.body)[:kept]
    assert event == b"data: " + OVERLOADED + b"\n\n"
    assert (seen.times[-1], seen.ending, seen.status) == (at, "whole", 200)


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_one_frame_of_a_stream_is_no_json(autojump_clock: MockClock, memory: Start, after: int) -> None:
    plain, _ = await asked(memory, None, stream=True, latency=50)
    seen, _ = await asked(memory, f"malformed-frame;afterChunks={after}", stream=True, latency=50)
    frames = frames_of(plain.body)
    broken = frames_of(seen.body)
    assert [place for place, frame in enumerate(broken) if frame != frames[place]] == [after]
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(broken[after].removeprefix(b"data: "))
    assert len(broken) == len(frames)


@pytest.mark.parametrize(
    ("options", "fault", "kept", "reason"),
    [
        pytest.param({"truncate_after_chunks": 3}, "fin;afterChunks=1", 1, "fin", id="the fault is earlier"),
        pytest.param({"truncate_after_chunks": 1}, "fin;afterChunks=3", 1, "truncateAfterChunks", id="it is later"),
        pytest.param({"truncate_after_chunks": 3, "latency": 0}, "stall", 1, "stall", id="earlier, at the same time"),
        pytest.param(
            {"truncate_after_chunks": 1, "latency": 0},
            "stall;afterChunks=2",
            1,
            "truncateAfterChunks",
            id="later, at the same time",
        ),
        pytest.param({"disconnect_after_ms": 120}, "fin;afterChunks=3", 2, "disconnectAfterMs", id="time is earlier"),
        pytest.param({"disconnect_after_ms": 120}, "fin;afterChunks=2", 2, "fin", id="time is later"),
    ],
)
async def test_of_a_fixtures_cut_and_a_faults_the_earlier_one_counts(
    autojump_clock: MockClock, memory: Start, options: dict[str, Any], fault: str, kept: int, reason: str
) -> None:
    plain, _ = await asked(memory, None, stream=True)
    seen, said = await asked(memory, fault, stream=True, **{"latency": 50} | options)
    assert seen.body == b"".join(frames_of(plain.body)[:kept])
    assert said["interruptReason"] == reason


async def test_a_fault_in_a_stream_that_breaks_by_itself(autojump_clock: MockClock, memory: Start) -> None:
    failing = TEN | {"midStreamError": {"afterChunks": 2, "message": "late"}}
    seen, said = await asked(memory, "truncate;afterChunks=1", failing, stream=True, latency=50)
    assert len(frames_of(seen.body)) == 1
    seen, said = await asked(memory, "truncate;afterChunks=3", failing, stream=True, latency=50)
    assert b'"message":"late"' in frames_of(seen.body)[-1]
    assert "interrupted" not in said


# -- each fault's own parameters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ("0", "0"),
        ("1", "1"),
        ("2.5", "2.5"),
        (".25", "0.25"),
        ("1234567", "1234567"),
        ("1000000000", "1000000000"),
        ("date", email.utils.formatdate(NOW + 2, usegmt=True)),
        ("absurd", "1000000"),
        ("junk", "soon"),
        ("none", None),
    ],
)
@pytest.mark.parametrize(("fault", "status"), [("throttled", 429), ("overloaded", 529), ("unavailable", 503)])
async def test_field_1_retry_after_in_every_spelling(
    autojump_clock: MockClock, memory: Start, fault: str, status: int, given: str, header: str | None
) -> None:
    seen, _ = await asked(memory, f"{fault};retryAfter={given}")
    assert seen.status == status
    assert seen.headers.get("retry-after") == header
    assert "retry-after-ms" not in seen.headers, "which would tell another time"


@pytest.mark.parametrize(
    ("fault", "options", "times"),
    [
        ("slow-first-token;delayMs=400", {}, [400]),
        ("slow-first-token;delayMs=0.5", {}, [0.5]),
        ("slow-first-token;delayMs=0", {"latency": 50}, [50, 100, 150, 200]),
        ("slow-first-token;delayMs=400", {"latency": 50}, [450, 500, 550, 600]),
        ("slow-first-token;delayMs=400", {"streaming_profile": {"ttft": 100, "tps": 10}}, [500, 600, 700, 800]),
        ("slow-first-token;delayMs=400", {"latency": 50, "replay_speed": 2}, [425, 450, 475, 500]),
        ("slow-first-token", {"streaming_profile": "fast", "replay_speed": 1000}, None),
    ],
)
async def test_field_40_the_first_token_is_late(
    autojump_clock: MockClock, memory: Start, fault: str, options: dict[str, Any], times: list[float] | None
) -> None:
    plain, _ = await asked(memory, None, stream=True, **options)
    seen, said = await asked(memory, fault, stream=True, **options)
    delay = 10 * SECONDS if ";" not in fault else float(fault.rpartition("=")[2])
    assert seen.times == [round(time + delay, 6) for time in plain.times]
    assert times is None or seen.times == times
    assert seen.body == plain.body
    assert seen.arrivals[0][0] == 0, "the head does not wait"
    assert "interrupted" not in said


async def test_field_41_who_leaves_before_a_late_whole_answer_is_noted(
    autojump_clock: MockClock, memory: Start
) -> None:
    server = await served(memory)
    client = server.send(headers={"X-AIMock-Fault": "slow-first-token"})
    await trio.sleep(9)
    client.leave()
    await trio.testing.wait_all_tasks_blocked()
    said = server.journal[0]["response"]
    assert (said["chaosAction"], said["interrupted"]) == ("slow-first-token", True)
    assert "interruptReason" not in said


@pytest.mark.parametrize(
    ("fault", "size", "gap"),
    [("slice", 7, 1), ("slice;size=1", 1, 1), ("slice;size=100;gapMs=0.25", 100, 0.25), ("slice;gapMs=0", 7, 0)],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_field_37_bytes_come_in_slices_that_know_no_frames(
    autojump_clock: MockClock, memory: Start, fault: str, size: int, gap: float, stream: bool
) -> None:
    plain, _ = await asked(memory, None, {"content": "ü€😀" * 9}, stream=stream, latency=1)
    seen, said = await asked(memory, fault, {"content": "ü€😀" * 9}, stream=stream, latency=1)
    assert (seen.status, seen.body, seen.ending) == (plain.status, plain.body, "whole")
    assert max(len(data) for _, data in seen.arrivals) <= size
    times = [time for time, _ in seen.arrivals]
    assert all(later - earlier >= gap - 1e-6 for earlier, later in itertools.pairwise(times))
    if not stream:
        raw = b"".join(data for _, data in seen.arrivals)
        assert [data for _, data in seen.arrivals] == [raw[at : at + size] for at in range(0, len(raw), size)]
        assert times == pytest.approx([gap * place for place in range(len(times))])
    assert "interrupted" not in said


async def test_a_stream_without_delays_is_sliced_too(autojump_clock: MockClock, memory: Start) -> None:
    plain, _ = await asked(memory, None, stream=True)
    seen, _ = await asked(memory, "slice;size=3", stream=True)
    assert seen.body == plain.body
    assert len(seen.arrivals) > len(plain.body) / 3


@pytest.mark.parametrize("blocks", [False, True], ids=["toolCalls", "blocks"])
async def test_tool_calls_come_with_arguments_that_are_no_json(
    autojump_clock: MockClock, memory: Start, blocks: bool
) -> None:
    response = CALLS
    if blocks:
        response = {
            "blocks": [{"type": "text", "text": "so:"}, *({"type": "toolCall"} | call for call in CALLS["toolCalls"])]
        }
    plain, _ = await asked(memory, None, response)
    seen, _ = await asked(memory, "broken-arguments", response)
    message = json.loads(seen.body)["choices"][0]["message"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"city":', "{"]
    for call in (whole := json.loads(plain.body))["choices"][0]["message"]["tool_calls"]:
        call["function"]["arguments"] = {"f": '{"city":', "g": "{"}[call["function"]["name"]]
    spoiled = json.loads(seen.body)
    assert spoiled["choices"] == whole["choices"], "nothing else differs"
    streamed, _ = await asked(memory, "broken-arguments", response, stream=True)
    pieces = [
        call
        for frame in frames_of(streamed.body)[:-1]
        for call in json.loads(frame.removeprefix(b"data: "))["choices"][0]["delta"].get("tool_calls", [])
    ]
    for place, text in enumerate(['{"city":', "{"]):
        assert "".join(call["function"].get("arguments", "") for call in pieces if call["index"] == place) == text
    assert streamed.ending == "whole"


async def test_a_reply_that_was_spoiled_once_is_whole_the_next_time(autojump_clock: MockClock, memory: Start) -> None:
    """What is rendered is kept by fixture and shape."""
    server = await served(memory, CALLS)
    first = await server.exchange()
    broken = await server.exchange(headers={"X-AIMock-Fault": "broken-arguments"})
    again = await server.exchange()
    calls = [json.loads(seen.body)["choices"][0]["message"]["tool_calls"] for seen in (first, broken, again)]
    arguments = [[call["function"]["arguments"] for call in each] for each in calls]
    assert arguments == [['{"city":"Paris"}', "{}"], ['{"city":', "{"], ['{"city":"Paris"}', "{}"]]


async def test_functions_are_not_asked_where_their_answer_would_not_be_sent(
    autojump_clock: MockClock, memory: Start
) -> None:
    asked_for: list[Any] = []

    def made(body: Any) -> Any:
        asked_for.append(body)
        return TEN

    for fault in (*INSTEAD, "fin;afterChunks=0", "error-event"):
        await asked(memory, str(fault), made)
    assert asked_for == []


# -- how a fixture says it ---------------------------------------------------------------------------------------------


async def test_a_fixture_and_the_server_ask_for_faults_too(autojump_clock: MockClock, memory: Start) -> None:
    plain, _ = await asked(memory, None, stream=True)
    by_fixture, said = await asked(memory, None, stream=True, chaos={"faults": ["fin;afterChunks=2"]})
    assert by_fixture.body == b"".join(frames_of(plain.body)[:2])
    assert said["fixture"]["chaos"] == {"faults": [{"name": "fin", "afterChunks": 2}]}
    server = memory(seed=1, wall_clock=lambda: NOW, chaos=chaos_from_json({"faults": "fin;afterChunks=2"}))
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, TEN, chunk_size=5)])
    by_server = await server.exchange(stream=True)
    assert (by_server.body, by_server.ending) == (by_fixture.body, "fin")


def test_a_fixture_without_chaos_has_none() -> None:
    assert make_fixture({"match": {}, "response": TEN}).chaos is None
    assert make_fixture({"match": {}, "response": TEN, "chaos": {}}).chaos == QUIET

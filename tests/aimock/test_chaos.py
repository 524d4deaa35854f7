"""What goes wrong, and when: headers, levels, draws, misses, waits and counts."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.chaos import Level, ServerChaos, chaos_from_json, draw, odds
from aimock.fixtures import Chaos, fixture_from
from aimock.fixtures.faults import Fault, FaultName
from aimock.net.fast_lane import make_head
from aimock.randomness import Randomness, uniforms
from aimock.steering import steering_of

Start = Callable[..., Any]
Call = Callable[..., Any]

OK = {"content": "fine"}


async def served(memory: Start, response: Any = OK, fixture: Any = None, **settings: Any) -> Any:
    """A server in memory with one fixture for everything; `fixture` is its chaos."""
    server = memory(**{"seed": 1} | settings)
    await trio.testing.wait_all_tasks_blocked()
    if response is not None:
        server.state.book.append([fixture_from({}, response, chaos=fixture)])
    return server


# -- what a request says -----------------------------------------------------------------------------------------------


def wishes(*lines: tuple[str, str], query: str = "") -> Chaos | None:
    head = make_head("POST", "/v1/chat/completions" + query, [("host", "mock"), *lines])
    assert head is not None
    return steering_of(head).chaos


RATES = {
    "drop": "drop_rate",
    "malformed": "malformed_rate",
    "ratelimit": "rate_limit_rate",
    "disconnect": "disconnect_rate",
}


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize(
    ("text", "rate"), [("0", 0), ("1", 1), ("0.25", 0.25), (".5", 0.5), ("1.", 1), ("00.50", 0.5), (" 1 ", 1)]
)
def test_a_rate_in_a_header(caplog: pytest.LogCaptureFixture, name: str, text: str, rate: float) -> None:
    assert wishes((f"x-aimock-chaos-{name}", text)) == Chaos(**{RATES[name]: rate})
    assert caplog.messages == []


@pytest.mark.parametrize(
    "text",
    *[
        [
            "1abc",
            "1e-1",
            "1e0",
            "+1",
            "-0",
            "-1",
            "1.1",
            "2",
            ".",
            "0x1",
            "nan",
            "Infinity",
            "0,5",
            "0.5, 0.7",
            "١",
            "½",
        ]
    ],
)
def test_e11_a_header_that_is_no_rate_is_passed_over_with_a_warning(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """core-lessons E11"""
    assert wishes(("x-aimock-chaos-drop", text), ("x-aimock-chaos-malformed", "1")) == Chaos(malformed_rate=1)
    assert caplog.messages == [f"x-aimock-chaos-drop: {text!r} is ignored: expected a number between 0 and 1"]


@pytest.mark.parametrize(("text", "ms"), [("0", 0), ("30000", 30_000), ("0000000000030000", 30_000), ("007", 7)])
def test_a_latency_in_a_header(text: str, ms: int) -> None:
    assert wishes(("x-aimock-chaos-latency", text)) == Chaos(latency_ms=ms)


@pytest.mark.parametrize("text", ["30001", "0.5", "1.", "-1", "+1", "1e3", "5ms", "9" * 5000, "300000000001"])
def test_e11_a_header_that_is_no_latency_is_passed_over(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """core-lessons E11"""
    assert wishes(("x-aimock-chaos-latency", text)) is None
    (said,) = caplog.messages
    assert said.endswith("is ignored: expected a whole number between 0 and 30000")
    assert len(said) < 200


def test_an_empty_header_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert wishes(("x-aimock-chaos-drop", ""), ("x-aimock-fault", " ")) is None
    assert caplog.messages == []


def test_of_a_repeated_header_the_first_that_says_anything_counts(caplog: pytest.LogCaptureFixture) -> None:
    drop = "x-aimock-chaos-drop"
    assert wishes((drop, ""), (drop, "0.5"), (drop, "0.5")) == Chaos(drop_rate=0.5)
    assert caplog.messages == []
    assert wishes((drop, "0.5"), (drop, "0.7")) == Chaos(drop_rate=0.5)
    assert caplog.messages == ["x-aimock-chaos-drop is said more than once: '0.5' is used"]


def test_a_fault_in_a_header_or_where_there_can_be_none_in_the_query(caplog: pytest.LogCaptureFixture) -> None:
    fin = Chaos(faults=(Fault(FaultName.FIN, after_chunks=2),))
    stall = Chaos(faults=(Fault(FaultName.STALL),))
    assert wishes(("x-aimock-fault", "fin;afterChunks=2")) == fin
    assert wishes(query="?x=1&fault=fin;afterChunks=2") == fin
    assert wishes(query="?fault=fin%3BafterChunks%3D2") == fin
    assert wishes(("x-aimock-fault", "stall"), query="?fault=fin") == stall
    assert wishes(("x-aimock-fault", "none")) == Chaos(faults=())
    assert wishes(query="?default=1&faults=fin") is None
    assert caplog.messages == []
    assert wishes(query="?fault=flood") is None
    assert caplog.messages[0].startswith("x-aimock-fault: 'flood' is ignored: name: expected one of drop, ")


# -- levels ------------------------------------------------------------------------------------------------------------


def level(**chaos: Any) -> Level:
    return Level(Chaos(**chaos))


@pytest.mark.parametrize("field", [field.name for field in attrs.fields(Chaos)])
def test_each_field_is_taken_from_the_uppermost_level_that_says_anything(field: str) -> None:
    said: dict[str, Any] = {"request": 0.1, "fixture": 0.2, "server": 0.3}
    if field == "faults":
        said = {where: (Fault(name),) for where, name in zip(said, FaultName, strict=False)}
    for spoken in itertools.product([False, True], repeat=3):
        told = {where: Chaos(**{field: said[where]}) for where, speaks in zip(said, spoken, strict=True) if speaks}
        fixture = fixture_from({}, OK)
        if "fixture" in told:
            fixture = attrs.evolve(fixture, chaos=told["fixture"])
        merged = odds(Level(told.get("server", Chaos())), fixture, told.get("request"))
        uppermost = next((where for where in said if where in told), None)
        assert (merged and merged.chaos) == (None if uppermost is None else Chaos(**{field: said[uppermost]}))


def test_a_zero_above_switches_off_what_is_below_and_nothing_else() -> None:
    fixture = attrs.evolve(
        fixture_from({}, OK), chaos=Chaos(drop_rate=1, malformed_rate=0.5, faults=(Fault(FaultName.FIN),))
    )
    merged = odds(level(disconnect_rate=0.25), fixture, Chaos(drop_rate=0, faults=()))
    assert merged is not None
    assert merged.chaos == Chaos(drop_rate=0, malformed_rate=0.5, disconnect_rate=0.25, faults=())


async def test_levels_from_end_to_end(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, fixture={"malformedRate": 1}, chaos=Chaos(drop_rate=1, disconnect_rate=1))

    async def action(**headers: str) -> str | None:
        await server.exchange(headers={name.replace("_", "-"): value for name, value in headers.items()})
        return server.journal[-1]["response"].get("chaosAction")

    assert await action() == "drop"
    assert await action(x_aimock_chaos_drop="0") == "malformed"
    assert await action(x_aimock_chaos_drop="0", x_aimock_chaos_malformed="0") == "disconnect"
    off = {"x_aimock_chaos_drop": "0", "x_aimock_chaos_malformed": "0", "x_aimock_chaos_disconnect": "0"}
    assert await action(**off) is None
    assert await action(**off, x_aimock_chaos_ratelimit="1") == "rateLimit"
    assert await action(**off, x_aimock_fault="stall;rate=0,overloaded") == "overloaded"
    assert await action(x_aimock_chaos_drop="5") == "drop", "core-lessons E11"


# -- draws -------------------------------------------------------------------------------------------------------------


class Numbers(Iterator[float]):
    """Numbers to draw, and how many were drawn."""

    def __init__(self, *numbers: float) -> None:
        self._left = list(numbers)
        self.drawn = 0

    def __next__(self) -> float:
        self.drawn += 1
        return self._left.pop(0)


def drawn(numbers: Numbers, **chaos: Any) -> str | None:
    merged = odds(level(**chaos), None, None)
    assert merged is not None
    fault = draw(merged, ServerChaos(), "t", numbers)
    return None if fault is None else fault.name


ALL = {"drop_rate": 0.5, "malformed_rate": 0.5, "rate_limit_rate": 0.5, "disconnect_rate": 0.5}


@pytest.mark.parametrize(
    ("numbers", "expected", "count"),
    [
        ((0.4,), "drop", 1),
        ((0.5, 0.4), "malformed", 2),
        ((0.5, 0.5, 0.4), "rateLimit", 3),
        ((0.5, 0.5, 0.5, 0.4), "disconnect", 4),
        ((0.5, 0.5, 0.5, 0.5, 0.4), "stall", 5),
        ((0.5, 0.5, 0.5, 0.5, 0.9, 0.4), "fin", 6),
        ((0.5, 0.5, 0.5, 0.5, 0.9, 0.9), None, 6),
    ],
)
def test_rates_are_drawn_in_order_then_faults_and_the_first_hit_wins(
    numbers: tuple[float, ...], expected: str | None, count: int
) -> None:
    source = Numbers(*numbers)
    faults = (Fault(FaultName.STALL, rate=0.5), Fault(FaultName.FIN, rate=0.5))
    assert (drawn(source, **ALL, faults=faults), source.drawn) == (expected, count)


def test_a_rate_of_0_is_not_even_drawn_and_1_always_strikes() -> None:
    source = Numbers(0.0)
    assert drawn(source, drop_rate=0, faults=(Fault(FaultName.FIN, rate=0),)) is None
    assert source.drawn == 0
    assert drawn(Numbers(1 - 2**-53), drop_rate=1) == "drop"


def test_each_is_drawn_by_itself() -> None:
    """Half of what half leaves is a quarter; from a seed, not by chance."""
    randomness = Randomness(7)
    counts: collections.Counter[str | None] = collections.Counter()
    for place in range(8000):
        entropy = randomness.fork("t", "/", str(place).encode())
        counts[drawn(Numbers(*itertools.islice(uniforms(entropy, "chaos"), 2)), drop_rate=0.5, malformed_rate=0.5)] += 1
    assert counts["drop"] == pytest.approx(4000, abs=150)
    assert counts["malformed"] == pytest.approx(2000, abs=150)
    assert counts[None] == pytest.approx(2000, abs=150)


# -- counts ------------------------------------------------------------------------------------------------------------


async def statuses(server: Any, count: int, **headers: str) -> list[int]:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return [(await server.exchange(headers=lines)).status for _ in range(count)]


async def test_a_fault_strikes_so_often_under_each_test_id(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, fixture={"faults": "overloaded;times=2"})
    assert await statuses(server, 4, x_test_id="a") == [529, 529, 200, 200]
    assert await statuses(server, 3, x_test_id="b") == [529, 529, 200]
    assert await statuses(server, 3) == [529, 529, 200]


async def test_each_level_counts_for_itself(autojump_clock: MockClock, memory: Start) -> None:
    twice = "overloaded;times=2"
    server = await served(memory, fixture={"faults": twice}, chaos=chaos_from_json({"faults": twice}))
    assert await statuses(server, 3, x_aimock_fault=twice) == [529, 529, 200]
    assert await statuses(server, 3, x_aimock_fault="overloaded;times=1") == [529, 200, 200], (
        "another text, another fault"
    )
    assert await statuses(server, 3) == [529, 529, 200]
    server.state.book.clear()
    server.state.book.append([fixture_from({}, OK)])
    assert await statuses(server, 3) == [529, 529, 200], "the server's own"


async def test_a_fault_that_is_used_up_leaves_the_turn_to_the_next(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, fixture={"faults": ["overloaded;times=1", "unavailable;times=1", "drop;rate=0"]})
    assert await statuses(server, 4) == [529, 503, 200, 200]


async def test_chaos_that_is_set_again_counts_anew(autojump_clock: MockClock, memory: Start) -> None:
    once = chaos_from_json({"faults": "overloaded;times=1"})
    server = await served(memory, chaos=once)
    assert await statuses(server, 2) == [529, 200]
    server.state.chaos.install(once)
    assert await statuses(server, 2) == [529, 200]


async def test_rewinding_counts(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, fixture={"faults": "overloaded;times=1"})
    for test in ("a", "b"):
        assert await statuses(server, 2, x_test_id=test) == [529, 200]
    server.state.rewind("a")
    assert await statuses(server, 2, x_test_id="a") == [529, 200]
    assert await statuses(server, 1, x_test_id="b") == [200]
    server.state.rewind()
    assert await statuses(server, 1, x_test_id="b") == [529]


def test_what_is_counted_is_bounded() -> None:
    chaos = ServerChaos()
    fault = Fault(FaultName.DROP, times=1)
    for test in range(70_000):
        chaos.note_strike(str(test), "request", fault)
    assert len(chaos._struck) <= 65_536


@pytest.mark.parametrize("method", ["reset_match_counts", "clear_requests"])
def test_the_python_object_rewinds_counts(mock: AIMock, chat: Call, method: str) -> None:
    mock.on({}, OK, chaos={"faults": "overloaded;times=1"})
    assert [chat().status for _ in range(2)] == [529, 200]
    getattr(mock, method)()
    assert [chat().status for _ in range(2)] == [529, 200]


# -- where in the pipeline ---------------------------------------------------------------------------------------------


async def test_chaos_comes_after_the_count_of_a_sequence(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, response=None)
    server.state.book.append([fixture_from({"sequenceIndex": place}, {"content": str(place)}) for place in range(3)])
    await server.exchange(headers={"X-AIMock-Chaos-Drop": "1"})
    seen = await server.exchange()
    assert json.loads(seen.body)["choices"][0]["message"]["content"] == "1"


@pytest.mark.parametrize(("strict", "missed"), [(False, 404), (True, 503)])
async def test_chaos_beats_a_miss(autojump_clock: MockClock, memory: Start, strict: bool, missed: int) -> None:
    server = await served(memory, response=None, strict=strict)
    assert await statuses(server, 1) == [missed]
    assert "source" not in server.journal[0]["response"]
    for name, status in (("drop", 500), ("malformed", 200), ("ratelimit", 429), ("disconnect", 0)):
        assert await statuses(server, 1, **{f"x_aimock_chaos_{name}": "1"}) == [status]
        said = server.journal[-1]["response"]
        assert (said["status"], said["source"], said["fixture"]) == (status, "internal", None)


async def test_a_one_shot_error_is_served_as_it_is(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, chaos=Chaos(drop_rate=1, latency_ms=500))
    server.state.injected.add(fixture_from({}, {"error": {"message": "injected"}, "status": 418}))
    seen = await server.exchange(headers={"X-AIMock-Fault": "stall"})
    assert (seen.status, seen.ended_at, seen.ending) == (418, 0, "whole")
    assert "chaosAction" not in server.journal[0]["response"]
    assert await statuses(server, 1) == [500]


def test_what_is_refused_earlier_is_not_drawn(mock: AIMock, call: Call) -> None:
    mock.set_chaos({"faults": "drop;times=1"})
    path = "/v1/chat/completions"
    assert call("POST", path, b"{").status == 400
    assert call("POST", path, {"model": "m"}).status == 400
    assert call("GET", path).status == 405
    assert call("POST", path, {"messages": [{"role": "user", "content": "x"}]}).json["error"]["code"] == "chaos_drop"


def test_what_is_no_chat_is_left_alone(mock: AIMock, call: Call) -> None:
    mock.set_chaos({"dropRate": 1, "latencyMs": 30_000})
    for path in ("/health", "/ready", "/v1/models", "/__aimock/journal", "/v1/_requests", "/__aimock/chaos"):
        assert call("GET", path, headers={"X-AIMock-Chaos-Drop": "1"}).status == 200


def test_legacy_completions_have_chaos_as_well(mock: AIMock, call: Call) -> None:
    mock.on({}, OK)
    answer = call("POST", "/v1/completions", {"model": "m", "prompt": "hello"}, {"X-AIMock-Chaos-Drop": "1"})
    assert (answer.status, answer.json["error"]["code"]) == (500, "chaos_drop")
    assert call("POST", "/v1/completions", {"model": "m", "prompt": "hello"}).status == 200


async def test_what_the_journal_says(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory)
    await server.exchange()
    await server.exchange(headers={"X-AIMock-Chaos-Drop": "0", "X-AIMock-Chaos-Latency": "5"})
    assert all("chaosAction" not in entry["response"] for entry in server.journal)
    await server.exchange(headers={"X-AIMock-Chaos-Disconnect": "1"})
    said = server.journal[-1]["response"]
    fixture = server.journal[0]["response"]["fixture"]
    assert said == {"status": 0, "fixture": fixture, "chaosAction": "disconnect", "source": "fixture"}


# -- latency -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_every_answer_waits_for_the_latency(autojump_clock: MockClock, memory: Start, stream: bool) -> None:
    server = await served(memory, chaos=Chaos(latency_ms=250))
    body = {"stream": True} if stream else {}
    seen = await server.exchange(**body)
    assert (seen.arrivals[0][0], seen.ending) == (250, "whole")
    seen = await server.exchange(headers={"X-AIMock-Fault": "overloaded", "X-AIMock-Chaos-Latency": "30000"}, **body)
    assert (seen.status, seen.arrivals[0][0]) == (529, 30_000)
    server.state.book.clear()
    seen = await server.exchange(**body)
    assert (seen.status, seen.ended_at) == (404, 250)


async def test_e10_who_leaves_during_the_latency_is_neither_served_nor_journaled_nor_drawn_for(
    autojump_clock: MockClock, memory: Start
) -> None:
    """core-lessons E10, field 2.44"""
    asked: list[Any] = []

    def factory(body: Any) -> Any:
        asked.append(body)
        return OK

    server = await served(memory, factory, chaos=chaos_from_json({"latencyMs": 1000, "faults": "overloaded;times=1"}))
    untouched = await served(
        memory, factory, chaos=chaos_from_json({"latencyMs": 1000, "faults": "overloaded;times=1"})
    )
    for leave in ("leave", "finish"):
        client = server.send()
        await trio.sleep(0.999)
        getattr(client, leave)()
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(10)
    assert (server.journal, asked) == ([], [])
    for place in range(2):
        seen, expected = await server.exchange(), await untouched.exchange()
        assert seen.status == (529, 200)[place], "the fault had its one strike left"
        assert seen.headers["x-request-id"] == expected.headers["x-request-id"], "nothing random was drawn"


async def test_chaos_that_changes_during_the_latency_is_for_those_who_come_later(
    autojump_clock: MockClock, memory: Start, nursery: trio.Nursery
) -> None:
    server = await served(memory, chaos=Chaos(latency_ms=1000, drop_rate=1))
    seen: list[Any] = []

    async def ask() -> None:
        seen.append(await server.exchange())

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await trio.sleep(0.5)
        server.state.chaos.install(Chaos())
    assert (seen[0].status, seen[0].ended_at) == (500, 1000)
    assert (await server.exchange()).status == 200

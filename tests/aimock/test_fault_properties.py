"""What holds of every fault, whatever its parameters, and whatever kind of answer it meets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aimock.app import App
from aimock.exchange import Exchange
from aimock.fixtures import fixture_from
from aimock.fixtures.faults import PARAMETERS_OF, RETRY_AFTER_WORDS, FaultName
from aimock.net.exchange import Answer, Cut, Ending, Request, Stream, Task, Whole
from aimock.net.fast_lane import make_head
from aimock.settings import Settings
from aimock.state import State

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "rate": st.sampled_from(["1", "0.5"]),
    "times": st.sampled_from([1, 2]),
    "afterChunks": st.integers(0, 12),
    "delayMs": st.sampled_from([0, 0.5, 600_000]),
    "size": st.integers(1, 50),
    "gapMs": st.sampled_from([0, 1, 60_000]),
    "retryAfter": st.sampled_from([*RETRY_AFTER_WORDS, 0, 0.5, 10**9]),
}


@st.composite
def fault_texts(draw: st.DrawFn, among: Sequence[FaultName] = tuple(FaultName)) -> str:
    name = draw(st.sampled_from(among))
    keys = sorted(draw(st.sets(st.sampled_from(sorted(PARAMETERS_OF[name])))))
    return ";".join([name, *(f"{key}={draw(VALUES[key])}" for key in keys)])


def returns(made: Any) -> Any:
    return lambda body: made


def raises(body: Any) -> Any:
    raise RuntimeError("no")


async def returns_later(body: Any) -> Any:
    await trio.sleep(3)
    return {"toolCalls": [{"name": "f", "arguments": "{}"}]}


async def raises_later(body: Any) -> Any:
    await trio.sleep(3)
    raise RuntimeError("no")


TALK = {"content": "0123456789" * 2, "reasoning": "hm", "usage": {"prompt_tokens": 1}}
CALL = {"toolCalls": [{"name": "f", "arguments": '{"city":"Paris"}'}, {"name": "g", "arguments": "{}"}]}
RESPONSES: dict[str, Any] = {
    "text": TALK,
    "calls": CALL,
    "empty calls": {"toolCalls": []},
    "both": CALL | {"content": "so"},
    "blocks": {"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}"}, {"type": "text", "text": "x"}]},
    "refusal": {"refusal": "no", "content": None},
    "breaks": TALK | {"midStreamError": {"afterChunks": 2, "message": "late"}},
    "error": {"error": {"message": "no"}, "status": 500},
    "error without a body": {"error": {"message": "no"}, "status": 204},
    "limited": {"error": {"message": "no"}, "status": 429, "retryAfter": 5},
    "audio": {"audio": "UklGRg=="},
    "embedding": {"embedding": [0.1]},
    "image": {"image": {"url": "http://127.0.0.1/x"}},
    "function": returns(TALK),
    "function of nonsense": returns(5),
    "function that fails": raises,
    "async function": returns_later,
    "async function that fails": raises_later,
    "miss": None,
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"latency": 50},
    {"streaming_profile": "standard"},
    {"truncate_after_chunks": 2},
    {"disconnect_after_ms": 30, "latency": 20},
]


def answered(fault: str | None, response: Any, options: dict[str, Any], stream: bool) -> tuple[Answer, State]:
    """The answer as net gets it. What goes wrong on the way is raised, and not made an answer of."""
    state = State(Settings(seed=1, wall_clock=lambda: 1_800_000_000.0))
    if response is not None:
        state.book.append([fixture_from({}, response, chunk_size=5, **options)])
    lines = [("host", "mock")] + ([] if fault is None else [("x-aimock-fault", fault)])
    head = make_head("POST", "/v1/chat/completions", lines)
    assert head is not None
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}], "stream": stream}).encode()
    plan = App(state)._plan(head)

    async def run() -> Answer:
        answer = plan.answer(Exchange(Request(head, body), plan, state))
        while isinstance(answer, Task):
            answer = await answer.run()
        return answer

    return trio.run(run, clock=MockClock(autojump_threshold=0)), state


@pytest.mark.parametrize("kind", RESPONSES)
@given(fault=fault_texts(), options=st.sampled_from(OPTIONS), stream=st.booleans())
def test_no_fault_fails_on_any_kind_of_answer(kind: str, fault: str, options: dict[str, Any], stream: bool) -> None:
    answer, state = answered(fault, RESPONSES[kind], options, stream)
    (entry,) = state.journal
    said = entry.to_json()["response"]
    assert said.get("chaosAction") in (None, fault.partition(";")[0])
    if isinstance(answer, Cut):
        assert said["status"] == 0
    else:
        assert isinstance(answer, Whole | Stream)
        assert answer.status == said["status"]
    if isinstance(answer, Stream):
        offsets = [offset for offset, _ in answer.schedule]
        assert offsets == sorted(offsets), "deadlines do not fall"


ENDINGS = {
    FaultName.TRUNCATE: Ending.CLEAN,
    FaultName.FIN: Ending.FIN,
    FaultName.RESET: Ending.RST,
    FaultName.STALL: Ending.STALL,
}


@given(
    fault=fault_texts(tuple(ENDINGS)),
    kind=st.sampled_from(["text", "calls", "blocks", "breaks", "function", "error", "miss"]),
    options=st.sampled_from(OPTIONS),
    stream=st.booleans(),
)
def test_what_a_cut_leaves_is_the_beginning_of_the_whole(
    fault: str, kind: str, options: dict[str, Any], stream: bool
) -> None:
    plain, _ = answered(None, RESPONSES[kind], options, stream)
    cut, state = answered(fault, RESPONSES[kind], options, stream)
    if isinstance(cut, Cut):
        assert ";afterChunks=0" in fault
        return
    assert not isinstance(cut, Task)
    assert pieces(plain)[: len(pieces(cut))] == pieces(cut) or bytes_of(plain).startswith(bytes_of(cut))
    entry = next(iter(state.journal))
    if entry.planned is not None and entry.planned in ENDINGS:
        name = FaultName(entry.planned)
        assert (cut.ending if isinstance(cut, Stream) else Ending.CLEAN) is ENDINGS[name]
        assert len(bytes_of(cut)) <= len(bytes_of(plain)), "the fixture may cut its own at the same place"


def pieces(answer: Answer) -> list[tuple[float, bytes]]:
    if isinstance(answer, Stream):
        answer.schedule = list(answer.schedule)
        return answer.schedule
    assert isinstance(answer, Whole)
    return [(0.0, answer.body)]


def bytes_of(answer: Answer) -> bytes:
    return b"".join(data for _, data in pieces(answer))

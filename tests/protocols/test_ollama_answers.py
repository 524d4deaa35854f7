"""Ollama's answers, whole and streamed (wire-ollama §3, §4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest

from aimock.net.exchange import Head
from aimock_protocols import ndjson
from aimock_protocols.canonical import ErrorReply, FrameKind, MidStreamError, Reply, Stamp, Text, ToolCall
from aimock_protocols.ollama import chat, generate
from aimock_protocols.ollama.shape import Shape

HEAD = Head("POST", "/api/chat", "/api/chat", "", {}, ())
BOTH = pytest.mark.parametrize("protocol", [chat, generate], ids=lambda protocol: protocol.name)


def asked(protocol: Any, **more: Any) -> Shape:
    body = {"model": "qwen3", "messages": [{"role": "user", "content": "hello"}], "prompt": "hello"} | more
    shape: Shape = protocol.shape(protocol.decode(HEAD, {}, orjson.dumps(body)))
    return shape


def whole(protocol: Any, reply: Reply, stamp: Stamp, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(protocol.encode(reply, asked(protocol, **more), stamp))
    return told


def lines(protocol: Any, reply: Reply, stamp: Stamp, size: int = 100, **more: Any) -> list[dict[str, Any]]:
    frames = list(protocol.frames(reply, asked(protocol, **more), stamp, size))
    assert all(frame.data.endswith(b"}\n") and frame.data.count(b"\n") == 1 for frame in frames)
    return [orjson.loads(frame.data) for frame in frames]


# -- bytes -------------------------------------------------------------------------------------------------------------

REPLY = Reply((Text("Hi, né"), ToolCall("f", '{"x": 1}', "call_1")), reasoning="Hm.", finish_reason="length")
METRICS = (
    '"total_duration":41750000,"load_duration":1250000,"prompt_eval_count":1,"prompt_eval_duration":500000,'
    '"eval_count":4,"eval_duration":40000000'
)


def test_a_whole_chat_in_bytes(stamp: Stamp) -> None:
    body = chat.encode(REPLY, asked(chat, messages=[{"role": "user", "content": "a"}]), stamp).decode()
    assert body == (
        '{"model":"qwen3","created_at":"2026-11-20T18:40:00.250500000Z","message":{"role":"assistant",'
        '"content":"Hi, né","thinking":"Hm.","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f",'
        '"arguments":{"x": 1}}}]},"done":true,"done_reason":"length",' + METRICS + "}"
    )


def test_a_streamed_chat_in_bytes(stamp: Stamp) -> None:
    frames = list(chat.frames(REPLY, asked(chat, messages=[{"role": "user", "content": "a"}]), stamp, 4))
    start = '{"model":"qwen3","created_at":"2026-11-20T18:40:00.250'
    assert [frame.data.decode() for frame in frames] == [
        start + '166666Z","message":{"role":"assistant","content":"","thinking":"Hm."},"done":false}\n',
        start + '333333Z","message":{"role":"assistant","content":"Hi, "},"done":false}\n',
        start + '500000Z","message":{"role":"assistant","content":"né"},"done":false}\n',
        start + '666666Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_1","function":'
        '{"index":0,"name":"f","arguments":{"x": 1}}}]},"done":false}\n',
        start
        + '833333Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"length",'
        + METRICS
        + "}\n",
    ]
    assert {frame.kind for frame in frames} == {FrameKind.TOKEN}


def test_generate_in_bytes(stamp: Stamp) -> None:
    shape = asked(generate, prompt="a", raw=True)
    start = '{"model":"qwen3","created_at":"2026-11-20T18:40:00.250'
    call = ',"tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"x": 1}}}]}'
    assert generate.encode(REPLY, shape, stamp).decode() == (
        start + '500000Z","response":"Hi, né","thinking":"Hm.","done":true,"done_reason":"length",' + METRICS + call
    )
    assert [frame.data.decode() for frame in generate.frames(REPLY, shape, stamp, 9)] == [
        start + '200000Z","response":"","thinking":"Hm.","done":false}\n',
        start + '400000Z","response":"Hi, né","done":false}\n',
        start + '600000Z","response":"","done":false' + call + "\n",
        start + '800000Z","response":"","done":true,"done_reason":"length",' + METRICS + "}\n",
    ]


# -- what every answer says --------------------------------------------------------------------------------------------


@BOTH
def test_times_rise_from_line_to_line(stamp: Stamp, protocol: Any) -> None:
    times = [line["created_at"] for line in lines(protocol, Reply((Text("x" * 3000),)), stamp, 1)]
    assert len(times) == 3001
    assert all(before < after for before, after in pairwise(times))
    assert {time[:23] for time in times} == {"2026-11-20T18:40:00.250"}


@BOTH
def test_what_a_fixture_says_of_itself(stamp: Stamp, protocol: Any) -> None:
    reply = Reply((Text("Hi"),), model="other", created=5, role="critic")
    for told in (whole(protocol, reply, stamp), lines(protocol, reply, stamp)[0]):
        assert told["model"] == "other"
        assert told["created_at"].startswith("1970-01-01T00:00:05.000")
        assert told.get("message", {"role": "critic"})["role"] == "critic"


@BOTH
@pytest.mark.parametrize(
    ("finish", "reason"),
    [(None, "stop"), ("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("odd", "odd")],
)
def test_done_reasons(stamp: Stamp, protocol: Any, finish: str | None, reason: str) -> None:
    """wire-ollama §3.1: a turn that calls still says that it stops."""
    reply = Reply((ToolCall("f", "{}"),), finish_reason=finish)
    assert whole(protocol, reply, stamp)["done_reason"] == lines(protocol, reply, stamp)[-1]["done_reason"] == reason


@BOTH
def test_a_stream_has_one_last_line_and_nothing_after_it(stamp: Stamp, protocol: Any) -> None:
    for reply in (REPLY, Reply(), Reply((Text(""),))):
        told = lines(protocol, reply, stamp, 1)
        assert [line["done"] for line in told] == [False] * (len(told) - 1) + [True]
    assert len(lines(protocol, Reply(), stamp)) == 1


@BOTH
def test_parts_are_streamed_in_order_and_calls_are_counted(stamp: Stamp, protocol: Any) -> None:
    reply = Reply((ToolCall("f", "{}"), Text("a"), ToolCall("g", "{}"), Text("b")))
    told = [line.get("message", line) for line in lines(protocol, reply, stamp)]
    assert [line.get("content", line.get("response")) for line in told] == ["", "a", "", "b", ""]
    calls = [call for line in told for call in line.get("tool_calls", ())]
    assert [(call["function"]["index"], call["function"]["name"]) for call in calls] == [(0, "f"), (1, "g")]
    assert len({call["id"] for call in calls}) == 2
    assert all(len(call["id"]) == 13 and call["id"].islower() and call["id"].isascii() for call in calls)


ARGUMENTS = [
    ('{"x": 1.0}', b'{"x": 1.0}'),
    ('{\n  "x": "a\\nb\u2028"\n}', '{   "x": "a\\nb\u2028" }'.encode()),
    ("", b"{}"),
    ("{oops", b"{}"),
    ("[1]", b"{}"),
    ("5", b"{}"),
]


@BOTH
@pytest.mark.parametrize(("given", "sent"), ARGUMENTS)
def test_arguments_are_an_object_on_one_line(stamp: Stamp, protocol: Any, given: str, sent: bytes) -> None:
    reply = Reply((ToolCall("f", given),))
    shape = asked(protocol)
    assert b'"arguments":' + sent + b"}" in protocol.encode(reply, shape, stamp)
    assert b'"arguments":' + sent + b"}" in next(protocol.frames(reply, shape, stamp, 5)).data


@BOTH
def test_a_model_that_shall_not_think_does_not(stamp: Stamp, protocol: Any) -> None:
    for think, shown in ((None, True), (True, True), ("low", True), (False, False)):
        for told in (whole(protocol, REPLY, stamp, think=think), lines(protocol, REPLY, stamp, think=think)[0]):
            assert ("thinking" in told.get("message", told)) is shown


@BOTH
def test_a_refusal_is_in_words(stamp: Stamp, protocol: Any) -> None:
    reply = Reply(refusal="I cannot.")
    told = whole(protocol, reply, stamp)
    assert told.get("message", {}).get("content", told.get("response")) == "I cannot."
    assert len(lines(protocol, reply, stamp, 3)) == 4


# -- metrics -----------------------------------------------------------------------------------------------------------

USAGES = [
    pytest.param(None, (2, 3), id="estimated"),
    pytest.param({"cost": 0.5}, (2, 3), id="no counts"),
    pytest.param({"prompt_tokens": 10, "completion_tokens": 20}, (10, 20), id="openai's"),
    pytest.param({"input_tokens": 10, "output_tokens": 20}, (10, 20), id="anthropic's"),
    pytest.param({"promptTokenCount": 10, "candidatesTokenCount": 20}, (10, 20), id="gemini's"),
    pytest.param({"prompt_eval_count": 10, "eval_count": 20}, (10, 20), id="its own"),
    pytest.param({"completion_tokens": 20}, (2, 20), id="only those out"),
]


@BOTH
@pytest.mark.parametrize(("usage", "counts"), USAGES)
def test_tokens_and_the_time_that_they_took(
    stamp: Stamp, protocol: Any, usage: dict[str, Any] | None, counts: tuple[int, int]
) -> None:
    reply = Reply((Text("0123456789"),), usage=usage)
    for told in (whole(protocol, reply, stamp), lines(protocol, reply, stamp)[-1]):
        assert (told["prompt_eval_count"], told["eval_count"]) == counts
        assert told["eval_count"] / told["eval_duration"] * 1e9 == pytest.approx(100)
        parts = told["load_duration"] + told["prompt_eval_duration"] + told["eval_duration"]
        assert told["total_duration"] == parts
        assert min(told["load_duration"], told["prompt_eval_duration"]) > 0


def test_metrics_that_are_zero_are_left_out(stamp: Stamp) -> None:
    told = whole(chat, Reply((Text("a"),), usage={"prompt_tokens": 0, "completion_tokens": 1}), stamp)
    assert not {"prompt_eval_count", "prompt_eval_duration"} & told.keys()
    assert told["eval_count"] == 1


def test_durations_may_be_given(stamp: Stamp) -> None:
    told = whole(chat, Reply((Text("a"),), usage={"total_duration": 7, "eval_duration": 5, "load_duration": 0}), stamp)
    assert (told["total_duration"], told["eval_duration"], told["prompt_eval_count"]) == (7, 5, 2)
    assert "load_duration" not in told


def test_tools_count_as_prompt(stamp: Stamp) -> None:
    tools = [{"type": "function", "function": {"name": "f" * 100}}]
    assert whole(chat, Reply(), stamp, tools=tools)["prompt_eval_count"] > 25


def test_generate_tells_its_context_unless_the_prompt_is_raw(stamp: Stamp) -> None:
    told = whole(generate, Reply((Text("a"),)), stamp)["context"]
    assert lines(generate, Reply((Text("a"),)), stamp)[-1]["context"] == told
    assert all(type(number) is int for number in told)
    assert whole(generate, Reply((Text("b"),)), stamp)["context"] != told
    assert "context" not in whole(generate, Reply(), stamp, raw=True)
    assert "context" not in whole(chat, Reply(), stamp)


# -- log probabilities -------------------------------------------------------------------------------------------------

TOKENS = [{"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": []} for token in ("Hi", " there", "!")]


@BOTH
def test_log_probabilities_are_told_to_those_who_ask(stamp: Stamp, protocol: Any) -> None:
    reply = Reply((Text("Hi there!"),), logprobs={"content": TOKENS, "refusal": None})
    assert "logprobs" not in whole(protocol, reply, stamp)
    assert not any("logprobs" in line for line in lines(protocol, reply, stamp))
    assert whole(protocol, reply, stamp, logprobs=True)["logprobs"] == TOKENS
    streamed = [line.get("logprobs") for line in lines(protocol, reply, stamp, 4, logprobs=True)]
    assert streamed == [TOKENS[:2], None, [TOKENS[2]], None]


@BOTH
def test_log_probabilities_are_made_up(stamp: Stamp, protocol: Any) -> None:
    for reply in (Reply((Text("Hi you"),)), Reply((Text("Hi"), ToolCall("f", "{}"), Text(" you")))):
        told = whole(protocol, reply, stamp, logprobs=True, top_logprobs=2)["logprobs"]
        assert [token["token"] for token in told] == ["Hi", " you"]
        assert [len(token["top_logprobs"]) for token in told] == [2, 2]
        every = lines(protocol, reply, stamp, 1, logprobs=True, top_logprobs=2)
        assert [token for line in every for token in line.get("logprobs", ())] == told


def test_tokens_beyond_the_text_come_last(stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), logprobs={"content": TOKENS, "refusal": None})
    assert [line.get("logprobs") for line in lines(chat, reply, stamp, 9, logprobs=True)] == [TOKENS[:1], TOKENS[1:]]


# -- errors in the midst of a stream -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(("after", "kept"), [(0, 0), (2, 2), (9, 3)])
def test_an_error_ends_the_stream(stamp: Stamp, protocol: Any, after: int, kept: int) -> None:
    reply = Reply((Text("abc"),), mid_stream_error=MidStreamError(after, ErrorReply("boom", "t", code="c")))
    frames = list(protocol.frames(reply, asked(protocol), stamp, 1))
    assert frames[-1].data == b'{"error":"boom"}\n'
    assert frames[-1].kind is FrameKind.CLOSE
    told = [orjson.loads(line) for line in ndjson.lines(frame.data for frame in frames)]
    assert [line["done"] for line in told[:-1]] == [False] * kept
    assert whole(protocol, reply, stamp)["done"] is True

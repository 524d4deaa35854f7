"""Converse answers read back (wire-stream-collapse §7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import bedrock_converse, eventstream, framing
from aimock_protocols.canonical import ChatRequest, ErrorReply, MidStreamError, Reply, Stamp, Text, ToolCall, WireError
from aimock_protocols.collapsing import Collapsed

START = ("messageStart", {"role": "assistant"})
STOP = ("messageStop", {"stopReason": "end_turn"})
USAGE = {"inputTokens": 8, "outputTokens": 10, "totalTokens": 18}
END = ("metadata", {"metrics": {"latencyMs": 605}, "usage": USAGE})


def wire(*events: tuple[str, Any]) -> bytes:
    return b"".join(eventstream.event(name, orjson.dumps(told)) for name, told in events)


def delta(index: Any, told: Any) -> tuple[str, Any]:
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": told, "p": "abc"})


def text(index: Any, piece: Any) -> tuple[str, Any]:
    return delta(index, {"text": piece})


def begun(index: Any, name: Any, call_id: Any, **more: Any) -> tuple[str, Any]:
    opening = {"name": name, "toolUseId": call_id, **more}
    return ("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": opening}})


def arguments(index: Any, piece: Any) -> tuple[str, Any]:
    return delta(index, {"toolUse": {"input": piece}})


def thought(index: Any, **told: Any) -> tuple[str, Any]:
    return delta(index, {"reasoningContent": told})


def closed(index: int) -> tuple[str, Any]:
    return ("contentBlockStop", {"contentBlockIndex": index})


def read(*events: tuple[str, Any]) -> Collapsed:
    return bedrock_converse.read_stream([wire(*events)])


def test_an_ordinary_stream() -> None:
    told = read(START, text(0, "Hi"), text(0, " né"), closed(0), STOP, END)
    assert told == Collapsed(
        Reply(
            (Text("Hi né"),),
            finish_reason="stop",
            usage={"input_tokens": 8, "output_tokens": 10, "total_tokens": 18, "latencyMs": 605},
            role="assistant",
        ),
        truncated=False,
        dropped=0,
        first_dropped=None,
    )


PARTS: list[Any] = [
    pytest.param([], (), id="nothing"),
    pytest.param([text(0, "")], (Text(""),), id="empty text"),
    pytest.param([text(0, ""), closed(0), thought(1, text="x"), text(2, "a")], (Text("a"),), id="gpt-oss"),
    pytest.param([text(0, "a"), closed(0), text(1, "b")], (Text("ab"),), id="two blocks of text"),
    pytest.param([text(1, "b"), text(0, "a")], (Text("ab"),), id="out of order"),
    pytest.param(
        [begun(0, "f", "A"), arguments(0, ""), arguments(0, '{"x"'), arguments(0, ":1}"), closed(0), text(1, "a")],
        (ToolCall("f", '{"x":1}', "A"), Text("a")),
        id="a call first",
    ),
    pytest.param([begun(0, "f", "A"), closed(0)], (ToolCall("f", "{}", "A"),), id="no arguments"),
    pytest.param([begun(0, "f", "A"), arguments(0, " ")], (ToolCall("f", "{}", "A"),), id="blank arguments"),
    pytest.param(
        [begun(0, "f", "A"), arguments(0, '{"x')], (ToolCall("f", '{"x', "A"),), id="arguments that break off"
    ),
    pytest.param(
        [begun(0, "f", "A"), begun(1, "g", "B"), arguments(1, '{"y":2}'), arguments(0, '{"x":1}')],
        (ToolCall("f", '{"x":1}', "A"), ToolCall("g", '{"y":2}', "B")),
        id="interleaved calls",
    ),
    pytest.param([begun(0, None, 5)], (ToolCall("", "{}", None),), id="a call without a name"),
    pytest.param(
        [
            begun(0, "nova_code_interpreter", "S", type="server_tool_use"),
            arguments(0, '{"snippet":"1"}'),
            ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "S"}}}),
            delta(1, {"toolResult": [{"json": {"stdOut": "1"}}]}),
            begun(2, "f", "A", type="tool_use"),
        ],
        (ToolCall("f", "{}", "A"),),
        id="the provider's own tool",
    ),
    pytest.param([text(None, "a"), text("0", "b")], (Text("ab"),), id="no index"),
    pytest.param([text(0, None), text(0, 5), delta(0, None), delta(0, 5)], (), id="odd text"),
    pytest.param([("somethingNew", {"text": "x"}), text(0, "a")], (Text("a"),), id="an unknown event"),
    pytest.param([("contentBlockStart", {"start": {}}), text(0, "a")], (Text("a"),), id="the reference's start"),
    pytest.param(
        [("", {"contentBlockDelta": text(0, "a")[1]}), ("", {"contentBlockDelta": text(0, "b")[1], "p": "abc"})],
        (Text("ab"),),
        id="events under their names",
    ),
    pytest.param([delta(0, {"citation": {"title": "t"}}), text(0, "a")], (Text("a"),), id="a citation"),
]


@pytest.mark.parametrize(("events", "parts"), PARTS)
def test_parts(events: list[Any], parts: Any) -> None:
    stream = wire(START, *events, STOP, END)
    told = bedrock_converse.read_stream([stream])
    assert (told.reply.parts, told.truncated, told.dropped) == (parts, False, 0)
    assert bedrock_converse.read_stream(stream[at : at + 1] for at in range(len(stream))) == told


def test_thoughts() -> None:
    told = read(
        START,
        thought(0, redactedContent="cmVk"),
        thought(1, text="h"),
        thought(1, text="m"),
        thought(1, signature="c2ln"),
        thought(2, text=5, signature=None),
        text(3, "a"),
        STOP,
        END,
    ).reply
    assert (told.reasoning, told.reasoning_signature, told.redacted_thinking) == ("hm", "c2ln", ("cmVk",))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "guardrail_intervened"),
        (5, None),
    ],
)
def test_why_it_ended(theirs: Any, ours: str | None) -> None:
    assert read(START, text(0, "a"), ("messageStop", {"stopReason": theirs}), END).reply.finish_reason == ours


def test_usage_is_told_in_words_that_all_protocols_know() -> None:
    usage = {**USAGE, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 4, "serverToolUsage": {}, "odd": None}
    assert read(START, STOP, ("metadata", {"usage": usage})).reply.usage == {
        "input_tokens": 8,
        "output_tokens": 10,
        "total_tokens": 18,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 4,
        "serverToolUsage": {},
    }


# -- streams that are not in order -------------------------------------------------------------------------------------


def test_arguments_without_a_call_are_dropped() -> None:
    told = read(START, arguments(0, '{"lost":1}'), text(1, "a"), STOP, END)
    assert (told.reply.parts, told.dropped, told.truncated) == ((Text("a"),), 1, False)
    assert (told.first_dropped or "").startswith('{"contentBlockIndex":0')


@pytest.mark.parametrize("payload", [b"no json", b"[]", b"\xff", b""])
def test_what_is_no_event_is_dropped(payload: bytes) -> None:
    stream = wire(START) + eventstream.event("contentBlockDelta", payload) + wire(text(0, "a"), STOP, END)
    told = bedrock_converse.read_stream([stream])
    assert (told.reply.text, told.dropped, told.truncated) == ("a", 1, False)
    assert told.first_dropped == payload.decode("utf-8", "replace") or payload == b""


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(wire(START, text(0, "a")), id="no end"),
        pytest.param(wire(START, text(0, "a"), STOP), id="no metadata"),
        pytest.param(wire(START, text(0, "a"), STOP, END)[:-1], id="half an event"),
        pytest.param(wire(START, text(0, "a"), STOP, END) + b"\x00", id="something after it"),
        pytest.param(wire(START, text(0, "a")) + b"\x00" * 20 + wire(STOP, END), id="a bad checksum"),
    ],
)
def test_a_stream_that_broke_off_says_so(stream: bytes) -> None:
    """What came before is kept, however the bytes were split."""
    told = bedrock_converse.read_stream([stream])
    assert (told.reply.text, told.truncated) == ("a", True)
    assert bedrock_converse.read_stream(stream[at : at + 1] for at in range(len(stream))) == told


def test_an_event_that_is_too_large_ends_it() -> None:
    large = wire(text(0, "x" * framing.EVENT_LIMIT))
    told = bedrock_converse.read_stream([wire(START, text(0, "a")), large, wire(STOP, END)])
    assert (told.reply.text, told.truncated) == ("a", True)


SLOW = eventstream.exception("throttlingException", b'{"message":"slow"}')
THROTTLED = ErrorReply("slow", code="ThrottlingException", status=429)


def test_an_exception_in_the_midst() -> None:
    told = bedrock_converse.read_stream([wire(START, text(0, "a")) + SLOW + wire(text(0, "b"), STOP, END)])
    assert told.reply == Reply((Text("a"),), role="assistant", mid_stream_error=MidStreamError(2, THROTTLED))
    assert told.truncated


@pytest.mark.parametrize("before", [b"", wire(START), wire(START, text(0, ""))])
def test_an_exception_and_nothing_else(before: bytes) -> None:
    with pytest.raises(WireError) as raised:
        bedrock_converse.collapse([before + SLOW])
    assert raised.value.reply == THROTTLED


def test_an_interrupted_stream_comes_back(ask_converse: Callable[..., ChatRequest], stamp: Stamp) -> None:
    """Read and told again it is the same stream."""
    error = ErrorReply("No.", code="ModelStreamErrorException", status=424, metadata={"originalStatusCode": 500})
    reply = Reply((Text("Hello"),), mid_stream_error=MidStreamError(3, error))
    shape = bedrock_converse.shape(ask_converse())
    frames = list(bedrock_converse.frames(reply, shape, stamp, 2))
    back = bedrock_converse.collapse(frame.data for frame in frames)
    assert back.mid_stream_error == reply.mid_stream_error
    assert list(bedrock_converse.frames(back, shape, stamp, 2)) == frames


# -- whole bodies ------------------------------------------------------------------------------------------------------


def body(*blocks: Any, **more: Any) -> bytes:
    return orjson.dumps({"output": {"message": {"content": list(blocks), "role": "assistant"}}, **more})


@pytest.mark.parametrize(
    ("told", "reply"),
    [
        (body(stopReason="end_turn"), Reply(finish_reason="stop", role="assistant")),
        (body({"text": ""}), Reply((Text(""),), role="assistant")),
        (body({"text": "a"}, {"text": "b"}), Reply((Text("ab"),), role="assistant")),
        (
            body({"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}),
            Reply((Text("ab"),), role="assistant"),
        ),
        (
            body({"toolUse": {"name": "f", "toolUseId": "A", "input": {"x": 1}}}),
            Reply((ToolCall("f", '{"x":1}', "A"),), role="assistant"),
        ),
        (
            body({"toolUse": {"name": "f", "toolUseId": "A", "input": '{"x": 1}'}}),
            Reply((ToolCall("f", '{"x": 1}', "A"),), role="assistant"),
        ),
        (
            body({"toolUse": {"name": "f", "toolUseId": "A"}}, {"toolUse": {"type": "server_tool_use"}}),
            Reply((ToolCall("f", "{}", "A"),), role="assistant"),
        ),
        (
            body(
                {"reasoningContent": {"redactedContent": "cmVk"}},
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
            ),
            Reply(reasoning="hm", reasoning_signature="s", redacted_thinking=("cmVk",), role="assistant"),
        ),
        (
            body(None, 5, {"text": 5}, {"toolUse": 5}, {"reasoningContent": 5}, {"image": {}}),
            Reply(role="assistant"),
        ),
        (
            body(usage=USAGE, metrics={"latencyMs": 5}),
            Reply(usage={"input_tokens": 8, "output_tokens": 10, "total_tokens": 18, "latencyMs": 5}, role="assistant"),
        ),
    ],
)
def test_whole_bodies(told: bytes, reply: Reply) -> None:
    assert bedrock_converse.parse(told) == reply


@pytest.mark.parametrize("told", [b"", b"[]", b"{}", b'{"output":{}}', b'{"output":{"message":{"content":"x"}}}'])
def test_what_is_no_answer(told: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        bedrock_converse.parse(told)
    assert not isinstance(raised.value, WireError)


def test_an_error_is_one() -> None:
    with pytest.raises(WireError, match="invalid"):
        bedrock_converse.parse(b'{"message":"The provided model identifier is invalid."}')

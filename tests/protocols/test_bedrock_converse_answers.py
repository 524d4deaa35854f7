"""Converse answers, whole and streamed, byte for byte (wire-bedrock §4, §6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from aimock_protocols import bedrock_converse, eventstream
from aimock_protocols.bedrock_converse.blocks import PLACEHOLDER_SIGNATURE
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    FrameKind,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
)

Ask = Callable[..., ChatRequest]
Whole = Callable[..., Any]
Streamed = Callable[..., list[tuple[str | None, Any]]]


@pytest.fixture
def whole(ask_converse: Ask, stamp: Stamp) -> Whole:
    """A whole answer's JSON."""

    def tell(reply: Reply, **more: Any) -> Any:
        return orjson.loads(bedrock_converse.encode(reply, bedrock_converse.shape(ask_converse(**more)), stamp))

    return tell


@pytest.fixture
def streamed(ask_converse: Ask, stamp: Stamp) -> Streamed:
    """A stream's events by their names, without padding."""

    def tell(reply: Reply, chunk_size: int = 100, **more: Any) -> list[tuple[str | None, Any]]:
        shape = bedrock_converse.shape(ask_converse(**more))
        frames = bedrock_converse.frames(reply, shape, stamp, chunk_size)
        told = []
        for message in eventstream.messages(frame.data for frame in frames):
            event = orjson.loads(message.payload)
            event.pop("p", None)
            told.append((message.text(":event-type") or message.text(":exception-type"), event))
        return told

    return tell


def content(told: Any) -> Any:
    return told["output"]["message"]["content"]


def test_a_whole_answer_s_bytes(ask_converse: Ask, stamp: Stamp) -> None:
    """Members in alphabetical order, as the live service sends them."""
    reply = Reply((Text("Hi, né"), ToolCall("get_weather", '{"location": "Seattle"}', "tooluse_x")))
    assert bedrock_converse.encode(reply, bedrock_converse.shape(ask_converse()), stamp).decode() == (
        '{"metrics":{"latencyMs":500},"output":{"message":{"content":[{"text":"Hi, né"},{"toolUse":{"input":'
        '{"location": "Seattle"},"name":"get_weather","toolUseId":"tooluse_x"}}],"role":"assistant"}},'
        '"stopReason":"tool_use","usage":{"inputTokens":2,"outputTokens":10,"totalTokens":12}}'
    )


def test_a_stream_s_bytes(ask_converse: Ask, stamp: Stamp) -> None:
    frames = list(bedrock_converse.frames(Reply((Text("Hi"),)), bedrock_converse.shape(ask_converse()), stamp, 1))
    assert [frame.kind for frame in frames] == [FrameKind.OPEN, *[FrameKind.TOKEN] * 4, FrameKind.CLOSE]
    assert [message.payload.decode() for message in eventstream.messages(frame.data for frame in frames)] == [
        '{"p":"ab","role":"assistant"}',
        '{"contentBlockIndex":0,"delta":{"text":"H"},"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"}',
        '{"contentBlockIndex":0,"delta":{"text":"i"},"p":"abcdefghijklmnop"}',
        '{"contentBlockIndex":0,"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"}',
        '{"p":"abcdefghijklmnopqrstuvwxyzABCD","stopReason":"end_turn"}',
        '{"metrics":{"latencyMs":410},"p":"abcdefg","usage":{"inputTokens":2,"outputTokens":1,"totalTokens":3}}',
    ]


def test_the_events_of_everything(streamed: Streamed) -> None:
    """Only calls are begun: botocore takes no `start` that says nothing (wire-bedrock §4)."""
    reply = Reply(
        (ToolCall("f", '{"x":1}', "A"), Text("Hello"), ToolCall("g", "", "B")),
        reasoning="hmm",
        reasoning_signature="c2ln",
        redacted_thinking=("cmVk",),
    )
    told = streamed(reply, chunk_size=4)
    assert told[0] == ("messageStart", {"role": "assistant"})
    assert told[-2:] == [
        ("messageStop", {"stopReason": "tool_use"}),
        (
            "metadata",
            {"metrics": {"latencyMs": 440}, "usage": {"inputTokens": 2, "outputTokens": 4, "totalTokens": 6}},
        ),
    ]
    assert told[1:-2] == [
        delta(0, {"reasoningContent": {"redactedContent": "cmVk"}}),
        stop(0),
        delta(1, {"reasoningContent": {"text": "hmm"}}),
        delta(1, {"reasoningContent": {"signature": "c2ln"}}),
        stop(1),
        start(2, "f", "A"),
        delta(2, {"toolUse": {"input": '{"x"'}}),
        delta(2, {"toolUse": {"input": ":1}"}}),
        stop(2),
        delta(3, {"text": "Hell"}),
        delta(3, {"text": "o"}),
        stop(3),
        start(4, "g", "B"),
        delta(4, {"toolUse": {"input": "{}"}}),
        stop(4),
    ]


def start(index: int, name: str, call_id: str) -> Any:
    opening = {"toolUse": {"name": name, "toolUseId": call_id}}
    return ("contentBlockStart", {"contentBlockIndex": index, "start": opening})


def delta(index: int, told: Any) -> Any:
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": told})


def stop(index: int) -> Any:
    return ("contentBlockStop", {"contentBlockIndex": index})


@pytest.mark.parametrize("reply", [Reply(), Reply((Text(""),))], ids=["none", "empty"])
def test_no_text_is_no_block(whole: Whole, streamed: Streamed, reply: Reply) -> None:
    told = whole(reply)
    assert (content(told), told["stopReason"]) == ([], "end_turn")
    assert [name for name, _ in streamed(reply)] == ["messageStart", "messageStop", "metadata"]


@pytest.mark.parametrize(
    ("arguments", "whole_input", "pieces"),
    [
        ('{"x": 1}', {"x": 1}, '{"x": 1}'),
        ("", {}, "{}"),
        ("{}", {}, "{}"),
        ("[1]", {}, "{}"),
        ("null", {}, "{}"),
        ("oops", {}, "{}"),
        ('{"x": "brok', {}, '{"x": "brok'),
        ('{"x": 1} x', {}, "{}"),
    ],
)
def test_arguments(whole: Whole, streamed: Streamed, arguments: str, whole_input: Any, pieces: str) -> None:
    """An object when whole; in a stream one that breaks off goes as far as it goes."""
    reply = Reply((ToolCall("f", arguments),))
    assert content(whole(reply))[0]["toolUse"]["input"] == whole_input
    deltas = [event["delta"]["toolUse"]["input"] for name, event in streamed(reply, 3) if name == "contentBlockDelta"]
    assert "".join(deltas) == pieces


def test_ids_of_calls_are_minted(whole: Whole) -> None:
    first, second, given = (
        block["toolUse"]["toolUseId"]
        for block in content(whole(Reply((ToolCall("f", "{}"), ToolCall("f", "{}"), ToolCall("f", "{}", "mine")))))
    )
    assert first != second
    assert all(minted.startswith("tooluse_") and len(minted) == 30 for minted in (first, second))
    assert given == "mine"


@pytest.mark.parametrize(
    ("model", "reply", "thought"),
    [
        ("openai.gpt-oss-120b-1:0", Reply(reasoning="hm"), {"text": "hm"}),
        ("us.anthropic.claude-x", Reply(reasoning="hm"), {"text": "hm", "signature": PLACEHOLDER_SIGNATURE}),
        ("us.anthropic.claude-x", Reply(reasoning="hm", reasoning_signature="s"), {"text": "hm", "signature": "s"}),
        ("m", Reply(reasoning="hm", reasoning_signature="s"), {"text": "hm", "signature": "s"}),
        ("m", Reply(reasoning_signature="s"), {"text": "", "signature": "s"}),
    ],
)
def test_thoughts_are_signed_where_clients_must_send_signatures_back(
    whole: Whole, streamed: Streamed, model: str, reply: Reply, thought: Mapping[str, str]
) -> None:
    assert content(whole(reply, model=model)) == [{"reasoningContent": {"reasoningText": thought}}]
    deltas = [event["delta"] for name, event in streamed(reply, model=model) if name == "contentBlockDelta"]
    assert deltas == [{"reasoningContent": {key: text}} for key, text in thought.items() if text]


@pytest.mark.parametrize(
    ("data", "sent"),
    [("cmVk", "cmVk"), ("cmVkYWN0ZWQ", "cmVkYWN0ZWQ="), ("a b", "YSBi"), ("né", "bsOp"), ("abcde", "YWJjZGU=")],
)
def test_hidden_thoughts_are_base64(whole: Whole, data: str, sent: str) -> None:
    """SDKs decode them, and fail on anything else."""
    told = content(whole(Reply(redacted_thinking=(data,))))
    assert told == [{"reasoningContent": {"redactedContent": sent}}]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply((Text("a"),)), "end_turn"),
        (Reply((Text("a"), ToolCall("f", "{}"))), "tool_use"),
        (Reply((Text("a"), ToolCall("f", "{}")), finish_reason="stop"), "end_turn"),
        (Reply((Text("a"),), finish_reason="tool_calls"), "tool_use"),
        (Reply((Text("a"),), finish_reason="length"), "max_tokens"),
        (Reply((Text("a"),), finish_reason="content_filter"), "content_filtered"),
        (Reply((Text("a"),), finish_reason="guardrail_intervened"), "guardrail_intervened"),
        (Reply(refusal="No."), "content_filtered"),
    ],
)
def test_stop_reasons(whole: Whole, streamed: Streamed, reply: Reply, reason: str) -> None:
    assert whole(reply)["stopReason"] == reason
    assert streamed(reply)[-2] == ("messageStop", {"stopReason": reason})


def test_a_refusal_is_text(whole: Whole) -> None:
    assert content(whole(Reply(refusal="I cannot."))) == [{"text": "I cannot."}]


def test_a_stop_sequence_is_told_to_who_asks(whole: Whole, streamed: Streamed) -> None:
    asked = {
        "inferenceConfig": {"stopSequences": ["END"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
    }
    for reason, met in (("stop_sequence", "END"), ("stop", None)):
        reply = Reply((Text("a"),), finish_reason=reason)
        assert whole(reply, **asked)["additionalModelResponseFields"] == {"stop_sequence": met}
        assert streamed(reply, **asked)[-2][1]["additionalModelResponseFields"] == {"stop_sequence": met}
        assert "additionalModelResponseFields" not in whole(reply)


@pytest.mark.parametrize(
    ("usage", "told", "latency"),
    [
        (None, {"inputTokens": 2, "outputTokens": 9, "totalTokens": 11}, 490),
        ({"cost": 0.5}, {"inputTokens": 2, "outputTokens": 9, "totalTokens": 11, "cost": 0.5}, 490),
        ({"prompt_tokens": 5}, {"inputTokens": 5, "outputTokens": 0, "totalTokens": 5}, 400),
        (
            {"input_tokens": 5, "output_tokens": 7, "latencyMs": 123},
            {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12},
            123,
        ),
        (
            {"inputTokens": 5, "outputTokens": 7, "totalTokens": 99},
            {"inputTokens": 5, "outputTokens": 7, "totalTokens": 99},
            470,
        ),
        (
            {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4},
            {
                "cacheReadInputTokens": 3,
                "cacheWriteInputTokens": 4,
                "inputTokens": 1,
                "outputTokens": 1,
                "totalTokens": 2,
            },
            410,
        ),
    ],
)
def test_usage(whole: Whole, streamed: Streamed, usage: Any, told: Any, latency: int) -> None:
    reply = Reply((Text("x" * 33),), usage=usage)
    answer = whole(reply)
    assert (answer["usage"], answer["metrics"]) == (told, {"latencyMs": latency})
    assert streamed(reply)[-1] == ("metadata", {"metrics": {"latencyMs": latency}, "usage": told})


def test_the_estimate_counts_all_that_is_sent(whole: Whole) -> None:
    tools = {"tools": [{"toolSpec": {"name": "f"}}]}
    told = whole(Reply((Text("a"),)), system=[{"text": "x" * 95}], toolConfig=tools)
    assert told["usage"]["inputTokens"] == 25 + -(-len('[{"type":"function","function":{"name":"f"}}]') // 4)


def test_tiers_are_echoed(whole: Whole, streamed: Streamed) -> None:
    asked = {"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "flex"}}
    for told in (whole(Reply((Text("a"),)), **asked), streamed(Reply((Text("a"),)), **asked)[-1][1]):
        assert (told["performanceConfig"], told["serviceTier"]) == ({"latency": "optimized"}, {"type": "flex"})


@pytest.mark.parametrize("after", [0, 1, 2, 3, 99])
def test_an_exception_ends_a_stream(streamed: Streamed, after: int) -> None:
    """At the latest in place of `metadata`."""
    error = ErrorReply("slow", status=429)
    calm = streamed(Reply((Text("Hi"),)), 1)[:-1]
    told = streamed(Reply((Text("Hi"),), mid_stream_error=MidStreamError(after, error)), 1)
    assert told == [*calm[:after], ("throttlingException", {"message": "slow"})]


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_slices_have_a_size(ask_converse: Ask, stamp: Stamp, chunk_size: int) -> None:
    with pytest.raises(ValueError, match="slices"):
        list(bedrock_converse.frames(Reply((Text("a"),)), bedrock_converse.shape(ask_converse()), stamp, chunk_size))


def test_nothing_is_said_while_the_model_is_silent() -> None:
    assert bedrock_converse.keepalive is None

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
)

Ask = Callable[..., ChatRequest]
Streamed = Callable[..., list[Frame]]

WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
HEAD = (
    b'data: {"id":"chatcmpl-A1","object":"chat.completion.chunk","created":1795200000,"model":"gpt-4o",'
    b'"service_tier":"default","system_fingerprint":"fp_0a1b2c3d4e",'
)


@pytest.fixture
def streamed(ask: Ask, stamp: Stamp) -> Streamed:
    def streamed(reply: Reply, chunk_size: int = 5, **more: Any) -> list[Frame]:
        return list(openai_chat.frames(reply, openai_chat.shape(ask(stream=True, **more)), stamp, chunk_size))

    return streamed


def chunks(frames: list[Frame]) -> list[dict[str, Any]]:
    return [orjson.loads(event.data) for event in sse.events(f.data for f in frames) if event.data != "[DONE]"]


def deltas(frames: list[Frame], choice: int = 0) -> list[Any]:
    choices = [one for chunk in chunks(frames) for one in chunk["choices"] if one["index"] == choice]
    return [one["delta"] if one["finish_reason"] is None else one["finish_reason"] for one in choices]


def test_a_text_stream_byte_for_byte(ask: Ask, stamp: Stamp) -> None:
    reply = Reply((Text("Hello, wor"),), id="chatcmpl-A1", system_fingerprint="fp_0a1b2c3d4e")
    frames = list(openai_chat.frames(reply, openai_chat.shape(ask(**WITH_USAGE)), stamp, 5))
    assert [frame.data for frame in frames] == [
        HEAD + b'"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,'
        b'"finish_reason":null}],"usage":null}\n\n',
        HEAD + b'"choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],'
        b'"usage":null}\n\n',
        HEAD + b'"choices":[{"index":0,"delta":{"content":", wor"},"logprobs":null,"finish_reason":null}],'
        b'"usage":null}\n\n',
        HEAD + b'"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}\n\n',
        HEAD + b'"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,'
        b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,'
        b'"rejected_prediction_tokens":0}}}\n\n',
        b"data: [DONE]\n\n",
    ]
    kinds = [FrameKind.OPEN, *[FrameKind.TOKEN] * 3, *[FrameKind.CLOSE] * 2]
    assert [frame.kind for frame in frames] == kinds


def test_two_parallel_calls_byte_for_byte(ask: Ask, stamp: Stamp) -> None:
    """core-lessons C23"""
    calls = (ToolCall("f", '{"x":1}', "call_a"), ToolCall("g", "", "call_b"))
    reply = Reply(calls, id="chatcmpl-A1", system_fingerprint="fp_0a1b2c3d4e")
    expected = [
        b'{"role":"assistant","content":null}',
        b'{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]}',
        b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\":"}}]}',
        b'{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}',
        b'{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""}}]}',
        b'{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}',
    ]
    end = b',"logprobs":null,"finish_reason":'
    stream = [HEAD + b'"choices":[{"index":0,"delta":' + delta + end + b"null}]}\n\n" for delta in expected]
    stream += [HEAD + b'"choices":[{"index":0,"delta":{}' + end + b'"tool_calls"}]}\n\n', b"data: [DONE]\n\n"]
    assert [frame.data for frame in openai_chat.frames(reply, openai_chat.shape(ask(stream=True)), stamp, 5)] == stream


ROLE = {"role": "assistant", "content": "", "refusal": None}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(), [{"role": "assistant", "content": None}, "stop"]),
        (Reply((Text(""),)), [ROLE, "stop"]),
        (Reply((Text("abcdefg"),), finish_reason="length"), [ROLE, {"content": "abcde"}, {"content": "fg"}, "length"]),
        (Reply((Text("a"),), role="critic"), [ROLE | {"role": "critic"}, {"content": "a"}, "stop"]),
        (
            Reply((Text("a"),), reasoning="thought"),
            [ROLE, {"reasoning_content": "thoug"}, {"reasoning_content": "ht"}, {"content": "a"}, "stop"],
        ),
        (
            Reply(refusal="Cannot"),
            [{"role": "assistant", "content": None, "refusal": ""}, {"refusal": "Canno"}, {"refusal": "t"}, "stop"],
        ),
        (
            Reply((Text("a"), ToolCall("f", "{}", "i"), Text("b"))),
            [
                ROLE,
                {"content": "a"},
                {
                    "tool_calls": [
                        {"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
                {"content": "b"},
                "tool_calls",
            ],
        ),
        (
            Reply((ToolCall("f", "{}", "i"), Text("a")), reasoning="r"),
            [
                ROLE,
                {"reasoning_content": "r"},
                {
                    "tool_calls": [
                        {"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
                {"content": "a"},
                "tool_calls",
            ],
        ),
    ],
)
def test_deltas(streamed: Streamed, reply: Reply, expected: list[Any]) -> None:
    """core-lessons E14, field 2.19, 2.24, 2.31"""
    assert deltas(streamed(reply)) == expected


def test_legacy_functions(streamed: Streamed) -> None:
    frames = streamed(Reply((ToolCall("f", '{"x":1}', "i"), ToolCall("g", "{}"))), functions=[{"name": "f"}])
    assert deltas(frames) == [
        {"role": "assistant", "content": None},
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"x":'}},
        {"function_call": {"arguments": "1}"}},
        "function_call",
    ]


def test_without_include_usage_no_chunk_speaks_of_usage(streamed: Streamed) -> None:
    assert all("usage" not in chunk for chunk in chunks(streamed(Reply((Text("abc"),)), stream_options={"x": 1})))


def test_one_emoji_a_slice(streamed: Streamed) -> None:
    frames = streamed(Reply((Text("🚀👍🏽é"),)), chunk_size=1)
    assert deltas(frames) == [ROLE, {"content": "🚀"}, {"content": "👍🏽"}, {"content": "é"}, "stop"]


def test_roles_first_then_choice_by_choice(streamed: Streamed) -> None:
    frames = streamed(Reply((Text("abcdefg"),)), n=3, stream_options={"include_usage": True})
    told = chunks(frames)
    assert [choice["index"] for chunk in told for choice in chunk["choices"]] == [0, 1, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [frame.kind for frame in frames[:4]] == [FrameKind.OPEN] * 3 + [FrameKind.TOKEN]
    assert deltas(frames, 0) == deltas(frames, 1) == deltas(frames, 2)
    assert [bool(chunk["usage"]) for chunk in told] == [False] * 12 + [True]


def test_calls_of_different_choices_have_different_ids(streamed: Streamed) -> None:
    frames = streamed(Reply((ToolCall("f", "{}"), ToolCall("f", "{}"))), n=2)
    openers = [
        call
        for chunk in chunks(frames)
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", [])
        if "id" in call
    ]
    assert len({call["id"] for call in openers}) == 4


@pytest.mark.parametrize("chunk_size", range(1, 12))
def test_each_token_s_logprob_goes_with_the_slice_it_begins_in(streamed: Streamed, chunk_size: int) -> None:
    whole: list[str] = []
    for chunk in chunks(streamed(Reply((Text("Hi, you"), Text(" two"))), chunk_size, logprobs=True)):
        (choice,) = chunk["choices"]
        if choice["logprobs"] is not None:
            assert choice["logprobs"]["refusal"] is None
            tokens = [token["token"] for token in choice["logprobs"]["content"]]
            assert tokens
            assert tokens[0][0] in choice["delta"]["content"]
            whole += tokens
    assert whole == ["Hi,", " you", " two"]


def test_logprobs_of_the_fixture_are_all_sent(streamed: Streamed) -> None:
    tokens = [{"token": "far longer than the text", "logprob": -1}, {"token": "b"}, {"odd": 1}]
    told = chunks(streamed(Reply((Text("abcdefg"),), logprobs={"content": tokens})))
    sent = [choice["logprobs"] for chunk in told for choice in chunk["choices"]]
    assert sent == [
        None,
        {"content": tokens[:1], "refusal": None},
        {"content": tokens[1:], "refusal": None},
        None,
    ]


@pytest.mark.parametrize("logprobs", [3, [], {"content": 3}, {"content": [3]}, {}])
def test_logprobs_that_cannot_be_spread_are_left_out(streamed: Streamed, logprobs: Any) -> None:
    frames = streamed(Reply((Text("abc"),), logprobs=logprobs))
    assert all(choice["logprobs"] is None for chunk in chunks(frames) for choice in chunk["choices"])


@pytest.mark.parametrize(("after", "texts"), [(0, []), (1, [""]), (2, ["", "abcde"]), (3, ["", "abcde", "fg"])])
def test_a_mid_stream_error_ends_the_stream(streamed: Streamed, after: int, texts: list[str]) -> None:
    broken = MidStreamError(after, ErrorReply("boom", code="slow_down"))
    frames = streamed(Reply((Text("abcdefg"),), mid_stream_error=broken))
    assert [delta["content"] for delta in deltas(frames[:-1])] == texts
    assert frames[-1].data == (
        b'data: {"error":{"message":"boom","type":"server_error","param":null,"code":"slow_down"}}\n\n'
    )


def test_obfuscation_only_on_request(streamed: Streamed) -> None:
    reply = Reply((Text("abcdefg"),))
    options = {"include_usage": True, "include_obfuscation": True}
    padded = streamed(reply, stream_options=options)
    assert padded[-1].data == sse.DONE
    fillers = [chunk.pop("obfuscation") for chunk in chunks(padded)]
    assert len(set(fillers)) == len(fillers) == len(padded) - 1
    plain = streamed(reply, stream_options={"include_usage": True})
    assert all("obfuscation" not in chunk for chunk in chunks(plain))
    assert [chunk | {"obfuscation": ""} for chunk in chunks(plain)] == [
        chunk | {"obfuscation": ""} for chunk in chunks(padded)
    ]


def test_a_long_text_streams_like_a_short_one(streamed: Streamed) -> None:
    text = "0123456789" * 5000
    assert "".join(delta["content"] for delta in deltas(streamed(Reply((Text(text),)), 7))[:-1]) == text


def test_a_chunk_size_below_one_is_refused(streamed: Streamed) -> None:
    with pytest.raises(ValueError, match="slices of 0"):
        streamed(Reply((Text("a"),)), 0)

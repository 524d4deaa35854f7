"""Streams and bodies of many providers, read back (wire-openai-chat §17 and the collapse fixtures of §21)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols import framing, openai_chat, sse
from aimock_protocols.canonical import ErrorReply, MidStreamError, Part, Text, ToolCall, WireError


def deltas(*deltas: dict[str, Any]) -> list[bytes]:
    return chunks(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))


def chunks(*chunks: Any) -> list[bytes]:
    return [sse.encode(orjson.dumps(chunk)) for chunk in chunks]


def fragment(arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A delta with one piece of a tool call."""
    function = {key: more.pop(key) for key in ("name",) if key in more} | {"arguments": arguments}
    return {"tool_calls": [more | {"function": function}]}


PARTS = [
    pytest.param(
        deltas({"role": "assistant"} | fragment('{"a":1}', id="fc1", type="function", name="f", index=0)),
        (ToolCall("f", '{"a":1}', "fc1"),),
        id="Groq: the whole call at once",
    ),
    pytest.param(
        deltas(fragment("{", id="x", name="f"), fragment("}")),
        (ToolCall("f", "{}", "x"),),
        id="no index: the last call",
    ),
    pytest.param(
        deltas(fragment("{", id="x", name="f"), fragment("[", id="y", name="g"), fragment("}", id="x")),
        (ToolCall("f", "{}", "x"), ToolCall("g", "[", "y")),
        id="no index: by id",
    ),
    pytest.param(
        deltas(fragment("{}", index=0, id="a"), fragment("{}", index=0, id="b")),
        (ToolCall("", "{}", "a"), ToolCall("", "{}", "b")),
        id="same index, new id",
    ),
    pytest.param(
        deltas(fragment("", index=0, id="a", name="f"), fragment("{}", index=0, id="a", name="f")),
        (ToolCall("f", "{}", "a"),),
        id="id and name repeated",
    ),
    pytest.param(
        deltas(fragment("{}", index=0, name="f"), fragment("", index=0, id="a", name="")),
        (ToolCall("f", "{}", "a"),),
        id="a late id",
    ),
    pytest.param(
        deltas(fragment("2", index=2, id="c"), fragment("0", index=0, id="a")),
        (ToolCall("", "0", "a"), ToolCall("", "2", "c")),
        id="indices out of order, with a gap",
    ),
    pytest.param(
        deltas(fragment({"a": [1]}, index=0, name="f")), (ToolCall("f", '{"a":[1]}'),), id="arguments as an object"
    ),
    pytest.param(deltas(fragment(None, index=0, name="f")), (ToolCall("f", "{}"),), id="no arguments"),
    pytest.param(deltas(fragment(" ", index=0, name="f")), (ToolCall("f", "{}"),), id="blank arguments"),
    pytest.param(
        deltas({"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "[1]"}}),
        (ToolCall("f", "[1]"),),
        id="legacy function call",
    ),
    pytest.param(
        deltas({"content": "a", "function_call": {"name": "", "arguments": ""}}),
        (Text("a"),),
        id="an empty legacy call",
    ),
    pytest.param(
        deltas({"content": "a"}, fragment("{}", index=0, name="f"), {"content": "b"}),
        (Text("a"), ToolCall("f", "{}"), Text("b")),
        id="text after a call: order of arrival",
    ),
    pytest.param(
        deltas(fragment("1", index=1), fragment("0", index=0), {"content": "b"}),
        (ToolCall("", "1"), ToolCall("", "0"), Text("b")),
        id="call before text: order of arrival",
    ),
    pytest.param(
        deltas({"content": "a"}, {"content": "b"}, fragment("{}", index=0, name="f")),
        (Text("ab"), ToolCall("f", "{}")),
        id="text, then a call",
    ),
    pytest.param(
        deltas({"content": ""}, fragment("{}", index=0, name="f"), {"content": ""}),
        (ToolCall("f", "{}"),),
        id="empty text beside a call",
    ),
    pytest.param(deltas({"role": "assistant", "content": ""}, {}), (Text(""),), id="empty text alone"),
    pytest.param(deltas({"role": "assistant", "content": None}, {}), (), id="no text at all"),
    pytest.param(
        [b": ping\r\n\r\n", *(b'data:{"choices":[{"delta":{"content":"\xf0\x9f', b'\x9a\x80"}}]}\r\n\r\n')],
        (Text("🚀"),),
        id="comment, CRLF, a character in two reads",
    ),
    pytest.param(
        chunks({"choices": [], "prompt_filter_results": []}, {"choices": [{"delta": {"content": "a"}}]}),
        (Text("a"),),
        id="Azure: a first frame without choices",
    ),
    pytest.param(
        chunks({"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}),
        (Text("a"),),
        id="only the first choice",
    ),
    pytest.param(
        [*deltas({"content": "a"}), b"data: [DONE]\n\n", *deltas({"content": "b"})],
        (Text("a"),),
        id="nothing after DONE",
    ),
    pytest.param([*deltas({"content": "a"}), b"data:  [DONE] "], (Text("a"),), id="DONE unfinished"),
]


@pytest.mark.parametrize(("stream", "parts"), PARTS)
def test_parts(stream: list[bytes], parts: tuple[Part, ...]) -> None:
    assert openai_chat.collapse(stream).parts == parts
    whole = b"".join(stream)
    assert openai_chat.collapse([whole[at : at + 1] for at in range(len(whole))]).parts == parts


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"reasoning": "a", "reasoning_content": "a"},
        {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}, {"type": "reasoning.encrypted"}, 3]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}, 3]}]},
    ],
)
def test_reasoning_is_told_once(delta: dict[str, Any]) -> None:
    reply = openai_chat.collapse(deltas(delta, {"content": [{"type": "text", "text": "x"}, 3]}, {"content": "y"}))
    assert (reply.reasoning, reply.text) == ("a", "xy")


def test_a_refusal_takes_the_place_of_empty_content() -> None:
    reply = openai_chat.collapse(deltas({"content": ""}, {"refusal": "No"}, {"refusal": "."}))
    assert (reply.parts, reply.refusal) == ((), "No.")


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [], "usage": {"prompt_tokens": 1, "cost": 2}},
        {"choices": [{"delta": {}}], "usage": {"prompt_tokens": 1, "cost": 2}},
        {"choices": [{"delta": {}}], "x_groq": {"usage": {"prompt_tokens": 1, "cost": 2}}},
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 1, "cost": 2}}]},
    ],
)
def test_usage_is_found_wherever_it_sits_and_the_last_wins(chunk: dict[str, Any]) -> None:
    stream = chunks({"choices": [], "usage": {"prompt_tokens": 9}}, chunk, {"choices": [], "usage": None})
    assert openai_chat.collapse(stream).usage == {"prompt_tokens": 1, "cost": 2}


def test_the_envelope_is_kept() -> None:
    stream = chunks(
        {"choices": [], "id": "", "created": 0, "model": ""},
        {"id": "i", "created": 5, "model": "alias", "provider": "P", "system_fingerprint": "fp", "choices": []},
        {
            "id": "other",
            "created": 6,
            "model": "snapshot",
            "system_fingerprint": None,
            "choices": [{"delta": {"role": "assistant"}, "finish_reason": "length", "native_finish_reason": "MAX"}],
        },
        {"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]},
    )
    reply = openai_chat.collapse(stream)
    assert (reply.id, reply.created, reply.model, reply.system_fingerprint) == ("i", 5, "snapshot", "fp")
    assert (reply.role, reply.finish_reason, reply.native_finish_reason) == ("assistant", "length", "MAX")
    assert reply.provider == "P"


def test_logprobs_are_joined() -> None:
    a, b = {"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}
    choices = [{"delta": {}, "logprobs": logprobs} for logprobs in ({"content": [a]}, None, {"content": [b], "x": 1})]
    stream = chunks(*({"choices": [choice]} for choice in choices))
    assert openai_chat.collapse(stream).logprobs == {"content": [a, b], "refusal": None}


@pytest.mark.parametrize(
    ("stream", "truncated"),
    [
        ([], True),
        (deltas({"content": "a"}), True),
        ([*deltas({"content": "a"}), sse.DONE], False),
        (chunks({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}), False),
        (chunks({"choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}), True),
        (chunks({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}), True),
        ([*deltas({"content": "a"}), *chunks({"error": {"message": "boom"}}), sse.DONE], True),
        ([*deltas({"content": "a"}), b"data: " + b"x" * (framing.EVENT_LIMIT + 1)], True),
    ],
)
def test_truncation_is_seen(stream: list[bytes], truncated: bool) -> None:
    assert openai_chat.read_stream(stream).truncated is truncated


def test_what_cannot_be_read_is_counted_and_shown() -> None:
    deep = b'{"choices":[{"delta":{"function_call":{"name":"f","arguments":%b}}}]}' % (b"[" * 500 + b"]" * 500)
    stream = [b"data: {" + b"x" * 300 + b"\n\n", *chunks([], 3, {"choices": 5}), sse.encode(deep)]
    collapsed = openai_chat.read_stream([*stream, *deltas({"content": "a"}), sse.DONE])
    assert collapsed.reply.text == "a"
    assert collapsed.dropped == 4
    assert collapsed.first_dropped == "{" + "x" * 199
    assert openai_chat.read_stream([sse.DONE]).first_dropped is None


def test_an_error_after_content_is_part_of_the_reply() -> None:
    stream = deltas({"role": "assistant", "content": ""}, {"content": "ab"})
    stream += [b"event: error\n" + chunk for chunk in chunks({"error": {"message": "boom", "code": "slow_down"}})]
    collapsed = openai_chat.read_stream([*stream, *deltas({"content": "never"})])
    assert collapsed.reply.parts == (Text("ab"),)
    assert collapsed.reply.mid_stream_error == MidStreamError(2, ErrorReply("boom", code="slow_down"))
    assert collapsed.truncated


@pytest.mark.parametrize("before", [[], deltas({"role": "assistant", "content": ""}), [b": ping\n\n"]])
def test_an_error_alone_is_raised(before: list[bytes]) -> None:
    with pytest.raises(WireError) as raised:
        openai_chat.collapse(before + chunks({"error": {"message": "boom"}}))
    assert raised.value.reply == ErrorReply("boom")


def test_a_mistral_body() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    message = {"role": "assistant", "content": [thinking, {"type": "text", "text": "a"}], "tool_calls": None}
    reply = openai_chat.parse(orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}))
    assert (reply.reasoning, reply.parts) == ("hm", (Text("a"),))


@pytest.mark.parametrize(
    "calls",
    [
        [{"id": "a", "index": 0, "function": {"name": "f"}}, {"id": "b", "index": 0, "function": {"name": "g"}}],
        [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g"}}, 3, None],
    ],
)
def test_the_calls_of_a_body_are_told_apart_by_place(calls: list[Any]) -> None:
    reply = openai_chat.parse(orjson.dumps({"choices": [{"message": {"content": "", "tool_calls": calls}}]}))
    assert reply.parts == (ToolCall("f", "{}", "a"), ToolCall("g", "{}", "b"))


def test_a_body_after_blank_keep_alive_lines() -> None:
    assert openai_chat.parse(b'\n\n\n{"choices":[{"message":{"content":"a"}}]}').text == "a"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"{}", b'{"choices":[]}', b'{"choices":[3]}', b"\xff"])
def test_a_body_that_is_no_reply(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message of a JSON error is the parser's own
        openai_chat.parse(body)


def test_a_body_that_is_an_error() -> None:
    with pytest.raises(WireError, match="No auth"):
        openai_chat.parse(b'{"error":{"message":"No auth credentials found","code":401}}')

"""Ollama's answers read back (wire-stream-collapse §5, §10)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import Reply, Text, ToolCall, WireError
from aimock_protocols.ollama import chat


def stream(*lines: Any, end: bytes = b"\n") -> bytes:
    return b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + end for line in lines)


def said(done: bool = False, **message: Any) -> dict[str, Any]:
    return {"model": "m", "created_at": "2026-11-20T19:40:00.5+01:00", "message": message, "done": done}


DONE = said(True, role="assistant", content="") | {"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
BASE: dict[str, Any] = {"model": "m", "created": 1795200000}
FINISHED: dict[str, Any] = BASE | {"role": "assistant", "finish_reason": "stop", "usage": USAGE}
ARGUMENTS = [({"x": 1}, '{"x":1}'), ('{"x": 1}', '{"x": 1}'), (None, "{}"), ("", "{}"), (" ", "{}"), ({}, "{}")]

STREAMS = [
    pytest.param(
        [said(role="assistant", content="Hi"), said(content=" né"), DONE],
        Reply((Text("Hi né"),), **FINISHED),
        id="text",
    ),
    pytest.param([DONE], Reply((Text(""),), **FINISHED), id="nothing"),
    pytest.param(
        [said(content="", thinking="Hm"), said(thinking="."), said(content="Hi"), DONE],
        Reply((Text("Hi"),), reasoning="Hm.", **FINISHED),
        id="thinking",
    ),
    pytest.param(
        [said(content="", reasoning_content="Hm."), DONE],
        Reply((Text(""),), reasoning="Hm.", **FINISHED),
        id="reasoning_content",
    ),
    *[
        pytest.param(
            [said(content="", tool_calls=[{"id": "i", "function": {"name": "f", "arguments": given}}]), DONE],
            Reply((ToolCall("f", text, "i"),), **FINISHED | {"finish_reason": "tool_calls"}),
            id=f"arguments {given!r}",
        )
        for given, text in ARGUMENTS
    ],
    pytest.param(
        [said(tool_calls=[{"function": {"name": "f"}}, {"function": {"name": "g"}}]), said(content="Hi"), DONE],
        Reply((ToolCall("f", "{}"), ToolCall("g", "{}"), Text("Hi")), **FINISHED | {"finish_reason": "tool_calls"}),
        id="calls in one line, and text after them",
    ),
    pytest.param(
        [
            {"model": "m", "response": "Hi", "thinking": "Hm."},
            {"response": "", "tool_calls": [{"function": {"name": "f"}}]},
            {"response": "", "done": True, "done_reason": "length", "total_duration": 9},
        ],
        Reply(
            (Text("Hi"), ToolCall("f", "{}")),
            reasoning="Hm.",
            model="m",
            finish_reason="length",
            usage={"total_duration": 9},
        ),
        id="generate",
    ),
    pytest.param(
        [said(content="Hi") | {"logprobs": [{"token": "Hi", "logprob": -1}]}, DONE],
        Reply((Text("Hi"),), logprobs={"content": [{"token": "Hi", "logprob": -1}], "refusal": None}, **FINISHED),
        id="log probabilities",
    ),
    pytest.param(
        [said(True, content="Hi") | {"done_reason": "stop"}, said(content="more")],
        Reply((Text("Hi"),), finish_reason="stop", **BASE),
        id="nothing follows the last line",
    ),
]


@pytest.mark.parametrize(("lines", "reply"), STREAMS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
def test_a_stream_is_its_reply_however_it_is_split(lines: list[Any], reply: Reply, end: bytes) -> None:
    body = stream(*lines, end=end)
    for chunks in ([body], [body.rstrip()], [body[at : at + 1] for at in range(len(body))]):
        collapsed = chat.read_stream(chunks)
        assert (collapsed.reply, collapsed.truncated, collapsed.dropped) == (reply, False, 0)


def test_a_stream_without_its_last_line_is_truncated() -> None:
    collapsed = chat.read_stream([stream(said(role="assistant", content="Hi"))])
    assert collapsed.truncated
    assert collapsed.reply == Reply((Text("Hi"),), role="assistant", **BASE)
    assert chat.read_stream([b""]) == chat.read_stream([])
    assert chat.read_stream([]).truncated


@pytest.mark.parametrize("line", [b"{oops", b"[1]", b"null", b'{"message":{"content":"Hi"'])
def test_lines_that_cannot_be_read_are_dropped(line: bytes) -> None:
    collapsed = chat.read_stream([stream(said(content="Hi"), line, line, DONE)])
    assert (collapsed.dropped, collapsed.first_dropped) == (2, line.decode())
    assert (collapsed.reply.text, collapsed.truncated) == ("Hi", False)


def test_arguments_too_deep_are_dropped() -> None:
    deep = b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":%b}}]}}' % (
        b'{"a":' * 500 + b"1" + b"}" * 500
    )
    assert chat.read_stream([stream(said(content="Hi"), deep, DONE)]).dropped == 1
    with pytest.raises(ValueError, match="too deeply"):
        chat.parse(deep)


ODD = [5, None, "x", [], {}, [5], {"a": []}, True]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "key", ["message", "response", "thinking", "tool_calls", "logprobs", "done_reason", "eval_count", "created_at"]
)
def test_what_is_of_another_type_is_as_good_as_absent(key: str, odd: Any) -> None:
    reply = chat.collapse([stream(said(content="Hi"), {key: odd}, {"message": {key: odd}}, DONE | {key: odd})])
    assert (reply.text or "").startswith("Hi")


def test_an_error_alone_is_raised() -> None:
    for error, message in (("boom", "boom"), ({"message": "boom"}, "boom")):
        with pytest.raises(WireError, match=message):
            chat.collapse([stream({"error": error})])
        with pytest.raises(WireError, match=message):
            chat.parse(orjson.dumps({"error": error}))


def test_an_error_in_the_midst_is_told() -> None:
    collapsed = chat.read_stream([stream(said(content="Hi"), said(content=" you"), {"error": "boom"}, DONE)])
    assert collapsed.truncated
    assert collapsed.reply.text == "Hi you"
    assert collapsed.reply.mid_stream_error is not None
    assert collapsed.reply.mid_stream_error.after_chunks == 2
    assert collapsed.reply.mid_stream_error.error.message == "boom"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"message":"Hi"}', b'{"response":5}', b'{"choices":[]}'])
def test_a_body_that_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        chat.parse(body)


def test_a_model_that_was_loaded_said_nothing() -> None:
    """wire-ollama §3.3"""
    reply = chat.parse(orjson.dumps(said(True, role="assistant", content="") | {"done_reason": "load"}))
    assert reply == Reply((Text(""),), role="assistant", finish_reason="load", **BASE)

"""Cohere's streams read back, however they come (wire-stream-collapse §6, §10)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols import cohere, ndjson, sse
from aimock_protocols.canonical import ErrorReply, MidStreamError, Reply, Text, ToolCall, WireError
from aimock_protocols.cohere import v1

START = {"type": "message-start", "id": "i"}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}
SOURCE = {"type": "document", "id": "d", "document": {"text": "né"}}


def event(kind: str, index: Any = None, **message: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": kind}
    if index is not None:
        made["index"] = index
    if message:
        made["delta"] = {"message": message}
    return made


def text(piece: Any, index: Any = 0) -> dict[str, Any]:
    return event("content-delta", index, content={"text": piece})


def opened(name: str, call_id: str, index: Any = None, arguments: str = "") -> dict[str, Any]:
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return event("tool-call-start", index, tool_calls=call)


def arguments(piece: str, index: Any = None) -> dict[str, Any]:
    return event("tool-call-delta", index, tool_calls={"function": {"arguments": piece}})


def wire(*events: dict[str, Any], named: bool = True) -> bytes:
    return b"".join(sse.encode(orjson.dumps(each), each["type"].encode() if named else None) for each in events)


STREAMS: list[tuple[list[dict[str, Any]], Reply]] = [
    ([START, text("Hel"), text("lo"), END], Reply((Text("Hello"),), finish_reason="stop", id="i")),
    (
        [{**text("Hi"), "logprobs": {"text": "Hi", "token_ids": [5, 6], "logprobs": [-1.5, -0.5]}}, text("!"), END],
        Reply(
            (Text("Hi!"),),
            finish_reason="stop",
            logprobs={"content": [{"token": "Hi", "logprob": -2.0, "bytes": None}], "refusal": None},
        ),
    ),
    ([{**text("a"), "logprobs": {"logprobs": ["odd"]}}, END], Reply((Text("a"),), finish_reason="stop")),
    (
        [event("content-start", 0, content={"type": "thinking", "thinking": "H"}), text("x", 1), END],
        Reply((Text("x"),), reasoning="H", finish_reason="stop"),
    ),
    (
        [event("content-delta", 0, content={"thinking": "Hm"}), text("a", 1), text("b", 1), END],
        Reply((Text("ab"),), reasoning="Hm", finish_reason="stop"),
    ),
    ([event("content-start", 0, content={"type": "text", "text": ""}), END], Reply((Text(""),), finish_reason="stop")),
    ([event("content-delta", content={"text": "a"}), END], Reply((Text("a"),), finish_reason="stop")),
    ([text(5), text(None), text("a"), END], Reply((Text("a"),), finish_reason="stop")),
    (
        [event("tool-plan-delta", tool_plan="I "), event("tool-plan-delta", tool_plan="go"), opened("f", "F"), END],
        Reply((ToolCall("f", "{}", "F"),), tool_plan="I go", finish_reason="stop"),
    ),
    (
        [opened("g", "G", 1), opened("f", "F", 0), arguments('{"x":', 0), arguments("[]", 1), arguments("1}", 0), END],
        Reply((ToolCall("f", '{"x":1}', "F"), ToolCall("g", "[]", "G")), tool_plan="", finish_reason="stop"),
    ),
    (
        [opened("g", "G", 1), opened("f", "F", 0), text("a"), END],
        Reply((ToolCall("g", "{}", "G"), ToolCall("f", "{}", "F"), Text("a")), tool_plan="", finish_reason="stop"),
    ),
    (
        [opened("f", "F", arguments='{"x"'), arguments(":1}"), opened("g", "G"), arguments("[]"), END],
        Reply((ToolCall("f", '{"x":1}', "F"), ToolCall("g", "[]", "G")), tool_plan="", finish_reason="stop"),
    ),
    (
        [
            text("a"),
            event("citation-start", 0, citations={"start": 0, "sources": [SOURCE]}),
            event("citation-end"),
            END,
        ],
        Reply((Text("a"),), citations=({"start": 0, "sources": [SOURCE]},), finish_reason="stop"),
    ),
    (
        [{"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": {"tokens": {"input_tokens": 3}}}}],
        Reply(finish_reason="tool_calls", usage={"input_tokens": 3}),
    ),
    (
        [{"type": "debug", "prompt": "p"}, {"type": "of-tomorrow"}, text("a"), END],
        Reply((Text("a"),), finish_reason="stop"),
    ),
]


@pytest.mark.parametrize(("events", "reply"), STREAMS)
def test_streams(events: list[dict[str, Any]], reply: Reply) -> None:
    for named in (True, False):
        read = cohere.read_stream([wire(*events, named=named)])
        assert read.reply == reply
        assert (read.truncated, read.dropped) == (False, 0)


def test_the_type_may_stand_in_the_event_s_name_alone() -> None:
    data = {name: value for name, value in text("Hi").items() if name != "type"}
    assert cohere.collapse([sse.encode(orjson.dumps(data), b"content-delta")]).text == "Hi"


@pytest.mark.parametrize("ending", [b"", b"data: [DONE]\n\n", b"event: x\ndata: {}\n\n"])
def test_nothing_counts_after_the_end(ending: bytes) -> None:
    read = cohere.read_stream([wire(text("Hi"), END), ending, wire(text("!"))])
    assert (read.reply.text, read.truncated, read.dropped) == ("Hi", False, 0)


@pytest.mark.parametrize("form", ["\r\n", "\r", "\n"])
def test_line_ends_comments_and_what_cannot_be_read(form: str) -> None:
    body = (
        b": comment\n\n" + wire(text("né")) + b"data: {oops\n\n" + wire(arguments("{}", 3), END).removesuffix(b"\n\n")
    )
    body = body.replace(b"\n", form.encode())
    for size in (1, 7, 1000):
        read = cohere.read_stream(body[at : at + size] for at in range(0, len(body), size))
        assert (read.reply.text, read.reply.finish_reason) == ("né", "stop")
        assert (read.truncated, read.dropped, read.first_dropped) == (False, 2, "{oops")


@pytest.mark.parametrize("body", [b"", wire(START), wire(text("a")), wire(text("a"))[:-9], b"[1]"])
def test_a_stream_without_its_end_is_truncated(body: bytes) -> None:
    assert cohere.read_stream([body]).truncated


def test_errors_inside_a_stream() -> None:
    broken = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Boo"}}
    read = cohere.read_stream([wire(START, text("a"), broken)])
    assert read.truncated
    assert read.reply == Reply((Text("a"),), id="i", mid_stream_error=MidStreamError(2, ErrorReply("Boo")))
    for alone in (wire(broken), wire(START, broken), b'data: {"id":"i","message":"Boo"}\n\n'):
        with pytest.raises(WireError, match="Boo"):
            cohere.collapse([alone])
    without_a_reason = {"type": "message-end", "delta": {"finish_reason": "ERROR"}}
    assert cohere.collapse([wire(without_a_reason)]).finish_reason == "content_filter"


WHOLE: list[tuple[dict[str, Any], Reply]] = [
    ({"message": {}}, Reply()),
    (
        {"id": "i", "finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": "a"}, 5, {}]}},
        Reply((Text("a"),), finish_reason="stop", id="i"),
    ),
    (
        {
            "message": {
                "content": [{"type": "text", "text": "a"}],
                "tool_calls": [{"id": "F", "function": {"name": "f"}}],
            }
        },
        Reply((Text("a"), ToolCall("f", "{}", "F")), tool_plan=""),
    ),
    (
        {"message": {"content": "odd", "tool_calls": 5, "citations": [5, {"start": 1}]}},
        Reply(citations=({"start": 1},)),
    ),
]


@pytest.mark.parametrize(("body", "reply"), WHOLE)
def test_whole_bodies(body: dict[str, Any], reply: Reply) -> None:
    assert cohere.parse(orjson.dumps(body)) == reply


@pytest.mark.parametrize("protocol", [cohere, v1], ids=lambda protocol: protocol.name)
def test_bodies_that_are_no_reply(protocol: Any) -> None:
    for body in (b"", b"[]", b"{}", b'{"message":[]}', b'{"text":5}'):
        with pytest.raises(ValueError, match=r"no message|no text|not a JSON object|unexpected|zero-length"):
            protocol.parse(body)
    with pytest.raises(WireError, match="invalid api token"):
        protocol.parse(b'{"id":"i","message":"invalid api token"}')


# -- the first version -------------------------------------------------------------------------------------------------


def legacy(kind: str, **members: Any) -> dict[str, Any]:
    return {"is_finished": kind == "stream-end", "event_type": kind, **members}


def spoken(piece: Any) -> dict[str, Any]:
    return legacy("text-generation", text=piece)


CALLED = [
    legacy("tool-calls-chunk", text="I "),
    legacy("tool-calls-chunk", tool_call_delta={"text": "go"}),
    legacy("tool-calls-chunk", tool_call_delta={"index": 1.0, "name": "g"}),
    legacy("tool-calls-chunk", tool_call_delta={"index": 0, "name": "f"}),
    legacy("tool-calls-chunk", tool_call_delta={"index": 0, "parameters": '{"x":'}),
    legacy("tool-calls-chunk", tool_call_delta={"index": 0, "parameters": "1}"}),
]
CALLS = (Text("I go"), ToolCall("f", '{"x":1}'), ToolCall("g", "{}"))
TOGETHER = legacy("tool-calls-generation", tool_calls=[{"name": "f", "parameters": {"x": 1}}, {"name": "g"}])
FINISHED = legacy("stream-end", finish_reason="MAX_TOKENS")
STREAMS_V1: list[tuple[list[dict[str, Any]], Reply]] = [
    ([legacy("stream-start"), spoken("Hel"), spoken("lo"), spoken(5)], Reply((Text("Hello"),))),
    ([spoken("a"), FINISHED], Reply((Text("a"),), finish_reason="length")),
    (CALLED, Reply(CALLS)),
    ([*CALLED, TOGETHER], Reply(CALLS)),
    ([*CALLED[:2], TOGETHER], Reply(CALLS)),
    ([*CALLED, legacy("stream-end", finish_reason="COMPLETE")], Reply(CALLS, finish_reason="tool_calls")),
    (
        [legacy("citation-generation", citations=[{"start": 0, "document_ids": ["d"]}])],
        Reply(citations=({"start": 0, "sources": [{"type": "document", "id": "d", "document": {}}]},)),
    ),
    (
        [
            spoken("something else"),
            legacy(
                "stream-end",
                finish_reason="COMPLETE",
                response={
                    "text": "a",
                    "response_id": "i",
                    "citations": [{"start": 0, "document_ids": ["d", 5]}],
                    "documents": [{"id": "d", "text": "né"}, 5],
                    "meta": {"tokens": {"output_tokens": 3}},
                },
            ),
        ],
        Reply(
            (Text("a"),),
            citations=({"start": 0, "sources": [SOURCE]},),
            finish_reason="stop",
            usage={"output_tokens": 3},
            id="i",
        ),
    ),
]


@pytest.mark.parametrize(("events", "reply"), STREAMS_V1)
def test_streams_of_the_first_version_in_either_framing(events: list[dict[str, Any]], reply: Reply) -> None:
    data = [orjson.dumps(each) for each in events]
    framings = (b"".join(map(ndjson.encode, data)), b"\n\n".join(data), b"".join(map(sse.encode, data)))
    for body in framings:
        for size in (1, 7, 1000):
            read = v1.read_stream(body[at : at + size] for at in range(0, len(body), size))
            assert read.reply == reply
            assert (read.truncated, read.dropped) == (events[-1]["event_type"] != "stream-end", 0)


def test_what_cannot_be_read_of_the_first_version() -> None:
    read = v1.read_stream([b'{oops\n{"event_type":"of-tomorrow"}\n[1]\n', ndjson.encode(orjson.dumps(spoken("a")))])
    assert (read.reply.text, read.dropped, read.first_dropped) == ("a", 2, "{oops")


def test_parameters_too_deep_to_be_written() -> None:
    deep = b'"tool_calls":[{"name":"f","parameters":{"x":' + b"[" * 300 + b"]" * 300 + b"}}]}"
    with pytest.raises(ValueError, match=r"[Rr]ecursion"):
        v1.parse(b'{"text":"a",' + deep)
    read = v1.read_stream([b'{"event_type":"tool-calls-generation",' + deep + b"\n"])
    assert (read.reply, read.dropped) == (Reply(), 1)


def test_errors_inside_a_stream_of_the_first_version() -> None:
    broken = legacy("stream-end", finish_reason="ERROR", error="Boo", response={"text": ""})
    read = v1.read_stream(ndjson.encode(orjson.dumps(each)) for each in (legacy("stream-start"), spoken("a"), broken))
    assert read.truncated
    assert read.reply == Reply((Text("a"),), mid_stream_error=MidStreamError(2, ErrorReply("Boo")))
    for alone in (orjson.dumps(broken), b'{"message":"Boo"}'):
        with pytest.raises(WireError, match="Boo"):
            v1.collapse([alone])

"""Answers read back (wire-gemini §12, wire-stream-collapse §8, §10)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import framing, gemini
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    MidStreamError,
    Part,
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)

Chunk = dict[str, Any]


def chunk(*parts: Any, finish: str | None = None, **more: Any) -> Chunk:
    candidate: Chunk = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], **more}


def events(*chunks: Chunk) -> bytes:
    return b"".join(b"data: " + orjson.dumps(each) + b"\r\n\r\n" for each in chunks)


def array(*chunks: Chunk) -> bytes:
    return b"[" + b"\n,\r\n".join(orjson.dumps(each, option=orjson.OPT_INDENT_2) for each in chunks) + b"\n]\n"


BOTH = pytest.mark.parametrize("wire", [events, array])


def text(value: Any, **more: Any) -> Chunk:
    return {"text": value, **more}


def call(**more: Any) -> Chunk:
    return {"functionCall": more}


END = chunk(finish="STOP")
PARTS: list[Any] = [
    pytest.param([chunk(text("a")), chunk(text("b"))], (Text("ab"),), id="text"),
    pytest.param([chunk(text("a"), text("b"))], (Text("ab"),), id="texts of one chunk"),
    pytest.param([chunk(text(""))], (Text(""),), id="empty text alone"),
    pytest.param([chunk(call(name="f")), chunk(text(""))], (ToolCall("f", "{}"),), id="empty text beside a call"),
    pytest.param([chunk(text("", thoughtSignature="c2ln"))], (), id="empty text with a signature"),
    pytest.param([chunk()], (), id="nothing"),
    pytest.param(
        [chunk(call(name="f", args={"x": 1}, id="a"), call(name="g", id="b")), chunk(text("t"), call(name="h"))],
        (ToolCall("f", '{"x":1}', "a"), ToolCall("g", "{}", "b"), Text("t"), ToolCall("h", "{}")),
        id="calls and text",
    ),
    pytest.param([chunk(call(name="f", args='{"x": 1}'))], (ToolCall("f", '{"x": 1}'),), id="arguments as text"),
    pytest.param([chunk(call(args=[1]))], (ToolCall("", "{}"),), id="a call of nothing"),
    pytest.param(
        [
            chunk({"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}),
            chunk({"toolCall": {"id": "x"}}, {"toolResponse": {}}, {"inlineData": {"data": "aGk="}}),
            chunk(text("a")),
        ],
        (Text("a"),),
        id="the provider's own tools, and media",
    ),
    pytest.param([chunk(text(5), text(None), {}, None, "x", text("a"))], (Text("a"),), id="odd parts"),
    pytest.param(
        [
            {"candidates": [{"content": {"parts": [text("b")]}, "index": 1}, {"content": {"parts": [text("a")]}}]},
            {"candidates": [{"content": {"parts": [text("b")]}, "index": 1}]},
        ],
        (Text("a"),),
        id="the first of several candidates",
    ),
    pytest.param(
        [{"candidates": None}, {"candidates": [None]}, {"candidates": [{"content": None}]}, {}, chunk(text("a"))],
        (Text("a"),),
        id="odd candidates",
    ),
]


@BOTH
@pytest.mark.parametrize(("chunks", "parts"), PARTS)
def test_parts(wire: Any, chunks: list[Chunk], parts: tuple[Part, ...]) -> None:
    stream = wire(*chunks, END)
    read = gemini.read_stream([stream])
    assert (read.reply.parts, read.truncated, read.dropped) == (parts, False, 0)
    assert gemini.read_stream(stream[at : at + 1] for at in range(len(stream))) == read
    for line_end in (b"\n", b"\r"):
        if wire is events:
            assert gemini.read_stream([stream.replace(b"\r\n", line_end)]) == read


@BOTH
def test_thoughts_and_signatures(wire: Any) -> None:
    reply = gemini.collapse(
        [
            wire(
                chunk(text("a", thought=True)),
                chunk(text("b", thought=True, thoughtSignature="Zmlyc3Q=")),
                chunk(text("c", thoughtSignature="bGFzdA==")),
                chunk(text("d"), finish="STOP"),
            )
        ]
    )
    assert (reply.reasoning, reply.reasoning_signature, reply.text) == ("ab", "bGFzdA==", "cd")


def test_the_last_of_everything_counts() -> None:
    first = {"usageMetadata": {"promptTokenCount": 1}, "modelVersion": "m", "responseId": "i"}
    grounded = {"groundingMetadata": {"webSearchQueries": ["a", 5, ""]}}
    last = chunk(usageMetadata={"promptTokenCount": 9, "totalTokenCount": 9}, createTime="2026-01-31T23:59:59.5Z")
    last["candidates"][0] |= grounded | {"finishReason": "MAX_TOKENS"}
    reply = gemini.collapse([events(chunk(**first), chunk(usageMetadata=None, responseId=None), last)])
    assert (reply.id, reply.model, reply.created) == ("i", "m", 1769903999)
    assert reply.usage == {"promptTokenCount": 9, "totalTokenCount": 9}
    assert (reply.finish_reason, reply.web_searches, reply.role) == ("length", ("a",), None)


@pytest.mark.parametrize(
    ("reason", "parts", "told"),
    [
        ("STOP", [text("a")], "stop"),
        ("STOP", [call(name="f")], "tool_calls"),
        ("MAX_TOKENS", [call(name="f")], "length"),
        ("SAFETY", [], "content_filter"),
        ("RECITATION", [], "RECITATION"),
        (None, [], None),
        (3, [], None),
    ],
)
def test_the_reason_for_its_end(reason: Any, parts: list[Any], told: str | None) -> None:
    body = chunk(*parts, finish=reason)
    assert gemini.parse(orjson.dumps(body)).finish_reason == told
    assert gemini.collapse([events(body)]).finish_reason == told


@pytest.mark.parametrize(
    ("feedback", "refusal", "finish"),
    [
        ({"blockReason": "SAFETY"}, "", "content_filter"),
        ({"blockReason": "BLOCKLIST", "blockReasonMessage": "No."}, "No.", "BLOCKLIST"),
        ({"blockReason": 5}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_a_prompt_that_was_blocked(feedback: Any, refusal: str | None, finish: str | None) -> None:
    body = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}}
    read = gemini.read_stream([events(body)])
    assert read.reply == gemini.parse(orjson.dumps(body))
    assert (read.reply.refusal, read.reply.finish_reason, read.truncated) == (refusal, finish, finish is None)


def test_why_an_answer_was_broken_off() -> None:
    broken, called = chunk(text("Well"), finish="SAFETY"), chunk(call(name="f"), finish="STOP")
    for body in (broken, called):
        body["candidates"][0]["finishMessage"] = "Because."
    assert gemini.parse(orjson.dumps(broken)).refusal == "Because."
    assert gemini.parse(orjson.dumps(called)).refusal is None, "that calls were made is no refusal"


# -- transport ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        b": hello\n\n" + events(chunk(text("a"))) + b"event: x\nid: 1\n" + events(END),
        events(chunk(text("a")), END).replace(b"data: ", b"data:"),
        events(chunk(text("a")), END) + b"data: [DONE]\n\n",
        events(chunk(text("a")), END).rstrip(),
        b"\r\n\r\n" + events(chunk(text("a")), END),
        b" \n " + array(chunk(text("a")), END),
        array(chunk(text("a")), END).rstrip(),
        orjson.dumps(chunk(text("a"), finish="STOP")),
    ],
)
def test_transport(stream: bytes) -> None:
    read = gemini.read_stream([stream])
    assert (read.reply.text, read.truncated, read.dropped) == ("a", False, 0)
    assert gemini.read_stream(stream[at : at + 1] for at in range(len(stream))) == read


def test_without_an_end_a_stream_is_truncated() -> None:
    assert gemini.read_stream([events(chunk(text("a")))]).truncated
    assert gemini.read_stream([array(chunk(text("a")))]).truncated
    assert gemini.read_stream([]).truncated
    assert gemini.read_stream([b"", b" "]).truncated


@pytest.mark.parametrize("broken", [b"data: {oops\r\n\r\n", b"data: [1]\r\n\r\n"])
def test_what_cannot_be_read_is_counted_and_the_rest_kept(broken: bytes) -> None:
    read = gemini.read_stream([events(chunk(text("a"))) + broken * 2 + events(chunk(text("b"), finish="STOP"))])
    assert (read.reply.text, read.dropped, read.truncated) == ("ab", 2, False)
    assert read.first_dropped is not None
    assert read.first_dropped.encode() in broken


def test_an_array_that_breaks_off_within_an_element() -> None:
    whole = array(chunk(text("a")), chunk(text("b")), END)
    read = gemini.read_stream([whole[: whole.index(b'"b"') + 2]])
    assert (read.reply.text, read.truncated, read.dropped) == ("a", True, 1)


@BOTH
def test_an_event_beyond_the_limit_ends_the_stream(wire: Any) -> None:
    oversized = chunk(text("x" * (framing.EVENT_LIMIT + 1)))
    stream = wire(chunk(text("a")), oversized, chunk(text("b"), finish="STOP"))
    read = gemini.read_stream([stream[:500], stream[500:]])
    assert (read.reply.text, read.truncated) == ("a", True)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]x", b"3", b"{}", b"[1]", b'[{"candidates":[]},{}]', b'{"models":[]}', b"null"]
)
def test_a_body_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        gemini.parse(body)


def test_arguments_that_are_too_deep() -> None:
    deep = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":%b}}}]}}]}'
    body = deep % (b"[" * 400 + b"]" * 400)
    with pytest.raises(ValueError, match="ecursion"):
        gemini.parse(body)
    read = gemini.read_stream([b"data: " + body + b"\n\n", events(chunk(text("a"), finish="STOP"))])
    assert (read.reply.text, read.dropped) == ("a", 1)


# -- errors ------------------------------------------------------------------------------------------------------------

OVERLOADED = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize("before", [[], [chunk()], [chunk(text(""))]])
@BOTH
def test_an_error_before_anything_else_is_the_answer(wire: Any, before: list[Chunk]) -> None:
    with pytest.raises(WireError, match="Overloaded") as told:
        gemini.collapse([wire(*before, OVERLOADED)])
    assert told.value.reply == ErrorReply("Overloaded", status=503)


@pytest.mark.parametrize("body", [OVERLOADED, [OVERLOADED]])
def test_a_body_that_is_an_error(body: Any) -> None:
    for read in (gemini.parse, lambda body: gemini.collapse([body])):
        with pytest.raises(WireError, match="Overloaded"):
            read(orjson.dumps(body, option=orjson.OPT_INDENT_2))


@BOTH
@pytest.mark.parametrize("first", [text("a"), text("a", thought=True), call(name="f")])
def test_an_error_in_the_midst_of_a_stream(wire: Any, first: Chunk) -> None:
    read = gemini.read_stream([wire(chunk(first), chunk(), OVERLOADED, END)])
    assert read.reply.mid_stream_error == MidStreamError(2, ErrorReply("Overloaded", status=503))
    assert read.truncated


# -- whatever comes ----------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text('ab{}":1é🚀', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "parts", "name"]), inner),
    max_leaves=4,
)
odd_parts = st.fixed_dictionaries(
    {},
    optional={
        "text": anything,
        "thought": anything,
        "thoughtSignature": anything,
        "functionCall": st.fixed_dictionaries({}, optional={"name": anything, "args": anything, "id": anything}),
    },
)
odd_candidates = st.fixed_dictionaries(
    {},
    optional={
        "content": st.fixed_dictionaries({"parts": st.lists(odd_parts, max_size=3) | anything}) | anything,
        "index": anything,
        "finishReason": st.sampled_from(["STOP", "SAFETY"]) | anything,
        "finishMessage": anything,
        "groundingMetadata": st.fixed_dictionaries({"webSearchQueries": anything}) | anything,
    },
)
odd_chunks = st.fixed_dictionaries(
    {"candidates": st.lists(odd_candidates, max_size=2) | anything},
    optional={
        "usageMetadata": st.dictionaries(st.sampled_from(["promptTokenCount", "thoughtsTokenCount"]), anything),
        "promptFeedback": st.fixed_dictionaries({"blockReason": anything}) | anything,
        "error": st.fixed_dictionaries({"code": anything, "message": anything, "details": anything}) | anything,
        "createTime": anything,
        "responseId": anything,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(chunks=st.lists(odd_chunks, max_size=5), cuts=st.lists(st.integers(0, 2000), max_size=3), pretty=st.booleans())
def test_whatever_chunks_come_they_are_a_reply_or_an_error(
    ask_gemini: Callable[..., ChatRequest], stamp: Stamp, chunks: list[Chunk], cuts: list[int], pretty: bool
) -> None:
    """What is read can be sent again, and is the same however it came."""
    stream = array(*chunks) if pretty else events(*chunks)
    try:
        read = gemini.read_stream([stream])
    except WireError:
        assert any("error" in each for each in chunks)
        return
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert gemini.read_stream(stream[start:end] for start, end in pairwise(edges)) == read
    shape = gemini.shape(ask_gemini())
    whole = gemini.parse(gemini.encode(read.reply, shape, stamp))
    assert whole.text == (read.reply.text or whole.text)
    assert len(whole.tool_calls) == len(read.reply.tool_calls)


@BOTH
def test_reading_and_sending_again_changes_nothing(
    ask_gemini: Callable[..., ChatRequest], stamp: Stamp, wire: Any
) -> None:
    """wire-stream-collapse §10: the second reading is a fixed point, for every stream of the table above."""
    shape = gemini.shape(ask_gemini(query="alt=sse" if wire is events else ""))

    def again(reply: Reply) -> Reply:
        return gemini.collapse(frame.data for frame in gemini.frames(reply, shape, stamp, 3))

    for parameters in PARTS:
        once = again(gemini.collapse([wire(*parameters.values[0], END)]))
        assert again(once) == once

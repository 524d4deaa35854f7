"""Streams and bodies read back (wire-anthropic-messages §18, wire-stream-collapse §2, §3, §6, §10)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import anthropic_messages, framing, sse
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

Event = dict[str, Any]

KNOWN = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
)
STOP: Event = {"type": "message_stop"}


def wire(*events: Event, named: bool = True) -> bytes:
    return b"".join(sse.encode(orjson.dumps(event), str(event["type"]).encode() if named else None) for event in events)


def start(index: int | None, **block: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int | None, kind: str, **more: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta"} | more}


def text(index: int, value: str) -> Event:
    return delta(index, "text", text=value)


def json(index: int | None, value: str) -> Event:
    return delta(index, "input_json", partial_json=value)


def tool(index: int, name: str = "f", **more: Any) -> Event:
    return start(index, type="tool_use", id=f"i{index}", name=name, input=more.pop("input", {}), **more)


def stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def call(index: int, arguments: str = "{}", name: str = "f") -> ToolCall:
    return ToolCall(name, arguments, f"i{index}")


T0, T1, T2 = (start(index, type="text", text="") for index in range(3))

PARTS: list[Any] = [
    pytest.param([T0, text(0, "a"), text(0, "b"), stop(0)], (Text("ab"),), id="text"),
    pytest.param([T0, text(0, "a"), T1, text(1, "b")], (Text("ab"),), id="texts that touch"),
    pytest.param([start(0, type="text", text="a"), text(0, "b")], (Text("ab"),), id="text in the start"),
    pytest.param([T0, stop(0)], (Text(""),), id="empty text alone"),
    pytest.param([T0, stop(0), tool(1), stop(1)], (call(1),), id="empty text before a call"),
    pytest.param([], (), id="nothing"),
    pytest.param(
        [T0, text(0, "a"), tool(1), json(1, ""), json(1, '{"x"'), json(1, ": 1}")],
        (Text("a"), call(1, '{"x": 1}')),
        id="call",
    ),
    pytest.param([tool(0), T1, text(1, "a"), tool(2)], (call(0), Text("a"), call(2)), id="interleaved"),
    pytest.param([tool(0), stop(0)], (call(0),), id="no arguments"),
    pytest.param([tool(0), json(0, "  ")], (call(0),), id="blank arguments"),
    pytest.param([tool(0, input={"a": 1})], (call(0, '{"a":1}'),), id="arguments in the start"),
    pytest.param([tool(0, input={"a": 1}), json(0, '{"b":2}')], (call(0, '{"b":2}'),), id="pieces outrank the start"),
    pytest.param([tool(0), json(0, "{oops")], (call(0, "{oops"),), id="arguments that are no JSON"),
    pytest.param(
        [tool(2, "c"), tool(0, "a"), json(2, '{"c":1}')],
        (call(0, name="a"), call(2, '{"c":1}', "c")),
        id="out of order",
    ),
    pytest.param(
        [tool(0), tool(1), json(0, '{"x":'), json(1, "{}"), json(0, "1}")],
        (call(0, '{"x":1}'), call(1)),
        id="interleaved pieces",
    ),
    pytest.param([tool(7), tool(3)], (call(3), call(7)), id="gaps"),
    pytest.param([tool(0), json(None, '{"x":1}')], (call(0, '{"x":1}'),), id="pieces without an index"),
    pytest.param([text(0, "a"), text(0, "b")], (Text("ab"),), id="text of a block that nobody opened"),
    pytest.param(
        [start(0, type="server_tool_use", id="s", name="x", input={}), json(0, "{}"), T1, text(1, "a")],
        (Text("a"),),
        id="the provider's own tools",
    ),
    pytest.param([start(0, type="mcp_tool_use", id="s", name="x", input={}), T1, text(1, "a")], (Text("a"),), id="MCP"),
    pytest.param([T0, delta(0, "citations", citation={"cited_text": "x"}), text(0, "a")], (Text("a"),), id="citations"),
    pytest.param(
        [T0, {"type": "ping"}, {"type": "vertex_event"}, {"type": 3}, text(0, "a")], (Text("a"),), id="unknown events"
    ),
    pytest.param([start(0), start(1, type=3, text=["x"]), T2, text(2, "a")], (Text("a"),), id="odd blocks"),
    pytest.param(
        [T0, {"type": "content_block_delta", "index": 0}, delta(0, "odd"), text(0, "a")], (Text("a"),), id="odd deltas"
    ),
    pytest.param([start(0, type="tool_use", input=3)], (ToolCall("", "{}", None),), id="a call without anything"),
]


@pytest.mark.parametrize(("events", "parts"), PARTS)
@pytest.mark.parametrize("named", [True, False], ids=["named", "data only"])
def test_parts(events: list[Event], parts: tuple[Part, ...], named: bool) -> None:
    """Proxies drop the names of events: the JSON says the same."""
    stream = wire(*events, STOP, named=named)
    read = anthropic_messages.read_stream([stream])
    assert (read.reply.parts, read.truncated, read.dropped) == (parts, False, 0)
    assert anthropic_messages.read_stream(stream[at : at + 1] for at in range(len(stream))) == read


def test_the_event_s_name_counts_where_the_json_has_no_type() -> None:
    stream = b'event: content_block_delta\ndata: {"index":0,"delta":{"type":"text_delta","text":"a"}}\n\n'
    assert anthropic_messages.collapse([stream]).text == "a"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("tail", [b"", b"\n\n", b"\n"])
def test_transport(line_end: bytes, tail: bytes) -> None:
    """wire-stream-collapse §2.1: line ends, comments, several data lines, an event that the end cuts off, `[DONE]`."""
    stream = b": hello\n\n" + wire(T0, text(0, "né🚀")) + b"data: [DONE]\n\n"
    stream += b'event: message_stop\nid: 3\ndata: {"type":\ndata: "message_stop"}' + tail
    read = anthropic_messages.read_stream([stream.replace(b"\n", line_end)])
    assert (read.reply.text, read.truncated, read.dropped) == ("né🚀", False, 0)


def test_thoughts() -> None:
    """wire-anthropic §18, §23: texts joined, the last signature, hidden thoughts in order, none without data."""
    events = [
        start(0, type="redacted_thinking", data="one"),
        start(1, type="thinking", thinking="", signature=""),
        delta(1, "thinking", thinking="a"),
        delta(1, "thinking", thinking="b"),
        delta(1, "signature", signature="first"),
        start(2, type="redacted_thinking", data=""),
        start(3, type="redacted_thinking", data="two"),
        start(4, type="thinking", thinking="c"),
        delta(4, "signature", signature="la"),
        delta(4, "signature", signature="st"),
        start(5, type="thinking", thinking="d", signature=""),
        STOP,
    ]
    reply = anthropic_messages.collapse([wire(*events)])
    assert (reply.reasoning, reply.reasoning_signature) == ("abcd", "last")
    assert reply.redacted_thinking == ("one", "two")
    assert reply.parts == ()


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, Reply(reasoning="Hm.", reasoning_signature="s")),
        ({"type": "thinking", "thinking": "", "signature": "s"}, Reply(reasoning_signature="s")),
        ({"type": "redacted_thinking", "data": "d"}, Reply(redacted_thinking=("d",))),
        ({"type": "redacted_thinking", "data": ""}, Reply()),
    ],
)
def test_a_turn_of_thoughts_alone_is_a_reply(block: Event, expected: Reply) -> None:
    """wire-anthropic §23."""
    assert anthropic_messages.collapse([wire(start(0, **block), STOP)]) == expected
    assert anthropic_messages.parse(orjson.dumps({"type": "message", "content": [block]})) == expected


def test_searches() -> None:
    search = {"type": "server_tool_use", "id": "s", "input": {}}
    events = [
        start(0, **search, name="web_search"),
        json(0, '{"query": "one'),
        json(0, ' two"}'),
        start(1, **search | {"input": {"query": "three"}}, name="web_search"),
        start(2, **search | {"input": {"query": "not a search"}}, name="web_fetch"),
        start(3, **search, name="web_search"),
        start(4, **search, name="web_search"),
        json(4, "{oops"),
        STOP,
    ]
    assert anthropic_messages.collapse([wire(*events)]).web_searches == ("one two", "three")


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("stop_sequence", "stop_sequence"),
        (None, None),
        (3, None),
    ],
)
def test_the_reason_for_its_end(stop_reason: Any, finish_reason: str | None) -> None:
    events = [{"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_details": "odd"}}, STOP]
    assert anthropic_messages.collapse([wire(*events)]).finish_reason == finish_reason
    body = {"type": "message", "content": [], "stop_reason": stop_reason}
    assert anthropic_messages.parse(orjson.dumps(body)).finish_reason == finish_reason


def test_counts_are_totals_of_which_the_last_counts() -> None:
    begun = {"input_tokens": 1, "output_tokens": 1, "service_tier": "standard", "server_tool_use": None}
    events = [
        {"type": "message_start", "message": {"id": "m", "model": "claude-x", "role": "assistant", "usage": begun}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5, "input_tokens": None}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9, "input_tokens": 30}},
        {"type": "message_delta", "delta": {}, "usage": 3},
        STOP,
    ]
    reply = anthropic_messages.collapse([wire(*events)])
    assert reply.usage == {"input_tokens": 30, "output_tokens": 9, "service_tier": "standard"}
    assert (reply.id, reply.model, reply.role) == ("m", "claude-x", "assistant")


OVERLOADED = {"type": "error", "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 500), ("odd", 500), (None, 500)],
)
@pytest.mark.parametrize("before", [[], [T0], [{"type": "message_start", "message": {}}, T0, {"type": "ping"}]])
def test_an_error_before_anything_else_is_the_answer(kind: str | None, status: int, before: list[Event]) -> None:
    """A stream that brought nothing else is recorded as an error, by the status that its type has."""
    with pytest.raises(WireError, match="Overloaded") as told:
        anthropic_messages.collapse(
            [wire(*before, {"type": "error", "error": {"type": kind, "message": "Overloaded"}})]
        )
    assert (told.value.reply.type, told.value.reply.status) == (kind, status)
    with pytest.raises(WireError, match="Overloaded"):
        anthropic_messages.parse(orjson.dumps(OVERLOADED))


@pytest.mark.parametrize(
    ("first", "field"),
    [
        ((T0, text(0, "a")), "text"),
        ((start(0, type="thinking"), delta(0, "thinking", thinking="a")), "reasoning"),
        ((start(0, type="redacted_thinking", data="a"), {"type": "content_block_stop"}), "redacted_thinking"),
    ],
)
def test_an_error_in_the_midst_of_a_stream(first: tuple[Event, Event], field: str) -> None:
    read = anthropic_messages.read_stream([wire({"type": "message_start"}, {"type": "ping"}, *first, OVERLOADED, STOP)])
    assert getattr(read.reply, field)
    assert read.reply.mid_stream_error == MidStreamError(3, ErrorReply("Overloaded", "overloaded_error", status=529))
    assert read.truncated


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"code": "Unauthorized", "message": "Bad key"}}, "Bad key", "Unauthorized"),
        ({"error": "Bad key"}, "Bad key", None),
        ({"type": "error", "error": {"message": 3}}, "", None),
    ],
)
def test_the_errors_of_gateways(body: Any, message: str, code: Any) -> None:
    with pytest.raises(WireError) as told:
        anthropic_messages.parse(orjson.dumps(body))
    assert (told.value.reply.message, told.value.reply.code) == (message, code)
    with pytest.raises(WireError):
        anthropic_messages.collapse([sse.encode(orjson.dumps(body), b"error")])


def test_without_an_end_a_stream_is_truncated() -> None:
    read = anthropic_messages.read_stream([wire(T0, text(0, "a"), {"type": "message_delta", "delta": {}})])
    assert (read.reply.text, read.truncated) == ("a", True)
    assert anthropic_messages.read_stream([]).truncated


DEEP_INPUT = wire(tool(1, input=5)).replace(b":5", b":" + b'{"a":' * 300 + b"1" + b"}" * 300)


@pytest.mark.parametrize("broken", [b"data: {oops\n\n", b"data: [1]\n\n", wire(json(5, "{}")), DEEP_INPUT])
def test_what_cannot_be_read_is_counted_and_the_rest_kept(broken: bytes) -> None:
    read = anthropic_messages.read_stream([wire(T0, text(0, "a")) + broken * 2 + wire(text(0, "b"), STOP)])
    assert (read.reply.text, read.dropped, read.truncated) == ("ab", 2, False)
    assert read.first_dropped is not None
    assert read.first_dropped.encode() in broken


def test_the_sample_of_what_cannot_be_read_is_short() -> None:
    read = anthropic_messages.read_stream([b"data: " + b"x" * 1000 + b"\n\n"])
    assert read.first_dropped == "x" * 200


def test_an_event_beyond_the_limit_ends_the_stream() -> None:
    oversized = b"data: " + b"x" * (framing.EVENT_LIMIT + 1) + b"\n\n"
    read = anthropic_messages.read_stream([wire(T0, text(0, "a")), oversized, wire(text(0, "b"), STOP)])
    assert (read.reply.text, read.truncated) == ("a", True)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"content":"text"}', b'{"type":"message","content":null}'])
def test_a_body_that_is_no_message(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        anthropic_messages.parse(body)


def test_what_follows_the_end_is_not_read() -> None:
    assert anthropic_messages.collapse([wire(T0, text(0, "a"), STOP, text(0, "b"))]).text == "a"


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text('ab{}":1é🚀', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "query"]), inner),
    max_leaves=4,
)
odd_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "odd"])},
    optional=dict.fromkeys(("text", "thinking", "signature", "data", "id", "input"), anything)
    | {"name": st.just("web_search") | anything},
)
odd_deltas = st.fixed_dictionaries(
    {"type": st.sampled_from(["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "odd"])},
    optional=dict.fromkeys(("text", "thinking", "signature", "partial_json", "stop_reason"), anything),
)
odd_events = st.fixed_dictionaries(
    {"type": st.sampled_from([*KNOWN, "ping", "error", "odd"]) | anything},
    optional={
        "index": st.integers(0, 2) | anything,
        "content_block": odd_blocks | anything,
        "delta": odd_deltas | anything,
        "usage": st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), anything) | anything,
        "message": anything,
        "error": st.fixed_dictionaries({"type": anything, "message": anything, "code": anything}) | anything,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(events=st.lists(odd_events, max_size=8), cuts=st.lists(st.integers(0, 2000), max_size=3))
def test_whatever_events_come_they_are_a_reply_or_an_error(
    ask_claude: Callable[..., ChatRequest], stamp: Stamp, events: list[Event], cuts: list[int]
) -> None:
    """What is read can be sent again, and is the same however it came."""
    stream = wire(*events)
    try:
        read = anthropic_messages.read_stream([stream])
    except WireError:
        assert any("error" in event for event in events)
        return
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert anthropic_messages.read_stream(stream[start:end] for start, end in pairwise(edges)) == read
    shape = anthropic_messages.shape(ask_claude())
    whole = anthropic_messages.parse(anthropic_messages.encode(read.reply, shape, stamp))
    assert whole.text == (read.reply.text or whole.text)
    assert len(whole.tool_calls) == len(read.reply.tool_calls)


def test_reading_and_sending_again_changes_nothing(ask_claude: Callable[..., ChatRequest], stamp: Stamp) -> None:
    """wire-stream-collapse §10: the second reading is a fixed point, for every stream of the table above."""
    shape = anthropic_messages.shape(ask_claude())
    for parameters in PARTS:
        events, _ = parameters.values
        once = anthropic_messages.collapse([wire(*events, STOP)])
        again = anthropic_messages.collapse(frame.data for frame in anthropic_messages.frames(once, shape, stamp, 3))
        twice = anthropic_messages.collapse(frame.data for frame in anthropic_messages.frames(again, shape, stamp, 3))
        assert twice == again

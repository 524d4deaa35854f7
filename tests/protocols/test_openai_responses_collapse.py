"""Streams read back, also those of other servers that speak the dialect (wire-openai-responses §15, §18.13)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols import openai_responses, sse
from aimock_protocols.canonical import Part, Reply, Text, ToolCall, WireError


def event(kind: str, **members: Any) -> bytes:
    return sse.encode(orjson.dumps({"type": f"response.{kind}", **members}), f"response.{kind}".encode())


def completed(**response: Any) -> bytes:
    return event("completed", response={"id": "r", "status": "completed", **response})


def added(index: int, **item: Any) -> bytes:
    return event("output_item.added", output_index=index, item=item)


def done(index: int, **item: Any) -> bytes:
    return event("output_item.done", output_index=index, item=item)


def text(index: int, delta: str) -> bytes:
    return event("output_text.delta", output_index=index, content_index=0, delta=delta)


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}

PARTS: list[Any] = [
    pytest.param([added(0, type="message"), text(0, "a"), text(0, "b")], [Text("ab")], id="deltas alone"),
    pytest.param([done(0, **message("ab"))], [Text("ab")], id="done alone"),
    pytest.param([text(0, "a"), done(0, **message("ab"))], [Text("ab")], id="deltas were lost"),
    pytest.param([text(0, "ab"), done(0, **message(""))], [Text("ab")], id="done without its text"),
    pytest.param(
        [text(0, "a"), event("output_text.done", output_index=0, content_index=0, text="ab")],
        [Text("ab")],
        id="the end of a text",
    ),
    pytest.param(
        [event("content_part.done", output_index=0, content_index=0, part={"type": "output_text", "text": "ab"})],
        [Text("ab")],
        id="a part alone",
    ),
    pytest.param(
        [text(0, "a"), done(1, **CALL, arguments="{}"), text(2, "b")],
        [Text("a"), ToolCall("f", "{}", "call_1"), Text("b")],
        id="interleaved",
    ),
    pytest.param(
        [done(1, **CALL, arguments="{}"), done(0, **message("a"))],
        [Text("a"), ToolCall("f", "{}", "call_1")],
        id="out of order",
    ),
    pytest.param(
        [added(0, **CALL), event("function_call_arguments.delta", output_index=0, delta="{}")],
        [ToolCall("f", "{}", "call_1")],
        id="a call's deltas",
    ),
    pytest.param(
        [added(0, **CALL), event("function_call_arguments.done", output_index=0, arguments='{"x":1}')],
        [ToolCall("f", '{"x":1}', "call_1")],
        id="a call's end",
    ),
    pytest.param([done(0, **CALL, arguments="")], [ToolCall("f", "{}", "call_1")], id="a call without arguments"),
    pytest.param(
        [done(0, type="function_call", id="fc_1", name="f")], [ToolCall("f", "{}", "fc_1")], id="a call without its id"
    ),
    pytest.param(
        [done(0, type="custom_tool_call", call_id="c", name="f", input="")],
        [ToolCall("f", "", "c")],
        id="a custom tool",
    ),
    pytest.param(
        [event("output_text.delta", item_id="m", delta="a"), event("output_text.delta", item_id="m", delta="b")],
        [Text("ab")],
        id="ids for indices",
    ),
    pytest.param(
        [event("output_item.added", item={"id": "m", "type": "message"}), event("output_text.delta", delta="a")],
        [Text("a")],
        id="neither ids nor indices",
    ),
    pytest.param(
        [added(0, id="m", type="message"), event("output_text.delta", item_id="m", delta="a")],
        [Text("a")],
        id="an index only once",
    ),
    pytest.param(
        [completed(output=[message("a"), {**CALL, "arguments": "{}"}])],
        [Text("a"), ToolCall("f", "{}", "call_1")],
        id="the last event alone",
    ),
    pytest.param(
        [done(0, **message("")), done(1, **CALL)], [ToolCall("f", "{}", "call_1")], id="empty text beside others"
    ),
    pytest.param([done(0, **message(""))], [Text("")], id="empty text alone"),
    pytest.param([added(0, type="message", content=[])], [], id="a message without a part"),
    pytest.param(
        [event("audio.delta", delta="x"), event("odd"), done(0, type="odd"), done(1, **message("a"))],
        [Text("a")],
        id="unknown",
    ),
]


@pytest.mark.parametrize(("events", "parts"), PARTS)
def test_parts(events: list[bytes], parts: list[Part]) -> None:
    stream = b"".join([*events, completed()])
    collapsed = openai_responses.read_stream([stream])
    assert (list(collapsed.reply.parts), collapsed.dropped, collapsed.truncated) == (parts, 0, False)
    for line_end in (b"\r\n", b"\r"):
        assert openai_responses.collapse([stream.replace(b"\n", line_end)]) == collapsed.reply


def thinking(*summary: str, content: tuple[str, ...] = (), proof: str | None = None) -> dict[str, Any]:
    return {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": each} for each in summary],
        "content": [{"type": "reasoning_text", "text": each} for each in content],
        "encrypted_content": proof,
    }


@pytest.mark.parametrize(
    ("items", "reasoning", "signature", "hidden"),
    [
        ([thinking("a", "b")], "a\n\nb", None, ()),
        ([thinking("a", proof="p")], "a", "p", ()),
        ([thinking("a", proof="p"), thinking("b", proof="q")], "a\n\nb", "q", ()),
        ([thinking(proof="p"), thinking(proof="q")], None, None, ("p", "q")),
        ([thinking(content=("a", "b"))], "ab", None, ()),
        ([thinking("s", content=("a",))], "s", None, ()),
        ([thinking()], None, None, ()),
    ],
)
def test_thoughts(items: list[Any], reasoning: str | None, signature: str | None, hidden: tuple[str, ...]) -> None:
    streamed = openai_responses.collapse([*(done(at, **item) for at, item in enumerate(items)), completed()])
    whole = openai_responses.parse(orjson.dumps({"id": "r", "status": "completed", "output": items}))
    for reply in (streamed, whole):
        assert (reply.reasoning, reply.reasoning_signature, reply.redacted_thinking) == (reasoning, signature, hidden)


@pytest.mark.parametrize("name", ["reasoning_text", "reasoning_summary_text"])
def test_thoughts_in_deltas(name: str) -> None:
    deltas = [event(f"{name}.delta", output_index=0, delta=each) for each in ("a", "b")]
    assert openai_responses.collapse([*deltas, completed()]).reasoning == "ab"


@pytest.mark.parametrize(
    ("action", "query"),
    [
        ({"type": "search", "query": "q"}, ("q",)),
        ({"type": "search", "queries": ["p", "q"]}, ("p",)),
        ({"type": "open_page", "url": "u"}, ()),
        (None, ()),
        ({"queries": "q"}, ()),
    ],
)
def test_searches(action: Any, query: tuple[str, ...]) -> None:
    assert (
        openai_responses.collapse([done(0, type="web_search_call", action=action), completed()]).web_searches == query
    )


@pytest.mark.parametrize(
    ("kind", "response", "reason"),
    [
        ("completed", {"status": "completed"}, "stop"),
        ("incomplete", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ("incomplete", {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ("incomplete", {"status": "incomplete"}, "length"),
        ("failed", {"status": "failed", "error": {"code": "c", "message": "m"}}, "failed"),
        ("completed", {}, None),
    ],
)
def test_reasons(kind: str, response: Any, reason: str | None) -> None:
    collapsed = openai_responses.read_stream([text(0, "a"), event(kind, response=response)])
    assert (collapsed.reply.finish_reason, collapsed.truncated) == (reason, False)


def test_what_the_response_says() -> None:
    created = event("created", response={"id": "r", "model": "m", "created_at": 5.5, "status": "in_progress"})
    told = {"id": "r", "model": "m", "created_at": 5.5, "usage": {"input_tokens": 1, "odd": 2}, "status": "completed"}
    begun = openai_responses.read_stream([created, text(0, "a")])
    assert (begun.truncated, begun.reply.finish_reason, begun.reply.usage) == (True, None, None)
    ended = openai_responses.collapse([created, text(0, "a"), event("completed", response=told)])
    assert ended.usage == {"input_tokens": 1, "odd": 2}
    for reply in (begun.reply, ended):
        assert (reply.id, reply.model, reply.created, reply.parts) == ("r", "m", 5, (Text("a"),))


def test_refusals_and_log_probabilities() -> None:
    tokens = [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": -2.0}]
    deltas = [
        event("output_text.delta", output_index=1, content_index=0, delta=token["token"], logprobs=[token])
        for token in tokens
    ]
    refused = event("refusal.delta", output_index=0, content_index=0, delta="no")
    reply = openai_responses.collapse([refused, *deltas, completed()])
    assert (reply.refusal, reply.parts) == ("no", (Text("ab"),))
    assert reply.logprobs == {"content": tokens, "refusal": None}


# -- errors and streams that do not end well ---------------------------------------------------------------------------

NESTED = sse.encode(orjson.dumps({"type": "error", "error": {"type": "t", "code": "c", "message": "m"}}), b"error")
FLAT = sse.encode(orjson.dumps({"type": "error", "code": "c", "message": "m", "param": None}), b"error")
BARE = sse.encode(orjson.dumps({"error": {"code": "c", "message": "m"}}))
FAILED = event("failed", response={"status": "failed", "error": {"code": "c", "message": "m"}})


@pytest.mark.parametrize("error", [NESTED, FLAT, BARE, FAILED])
def test_an_error_and_nothing_else(error: bytes) -> None:
    created = event("created", response={"id": "r"})
    with pytest.raises(WireError) as raised:
        openai_responses.collapse([created, error])
    assert (raised.value.reply.message, raised.value.reply.code) == ("m", "c")


@pytest.mark.parametrize("error", [NESTED, FLAT, BARE])
def test_an_error_after_the_beginning(error: bytes) -> None:
    collapsed = openai_responses.read_stream([text(0, "a"), text(0, "b"), error, completed()])
    broken = collapsed.reply.mid_stream_error
    assert broken is not None
    assert (broken.after_chunks, broken.error.message, broken.error.code) == (2, "m", "c")
    assert (collapsed.reply.parts, collapsed.truncated) == ((Text("ab"),), True)


def test_what_breaks_off() -> None:
    assert openai_responses.read_stream([text(0, "a")]).truncated
    assert openai_responses.read_stream([text(0, "a"), sse.DONE]).truncated
    assert not openai_responses.read_stream([text(0, "a"), completed(), sse.DONE]).truncated
    assert openai_responses.read_stream([]).reply == Reply()


def test_what_cannot_be_read_is_dropped() -> None:
    orphan = event("function_call_arguments.delta", output_index=3, delta="{}")
    collapsed = openai_responses.read_stream([b"data: {oops\n\n", b"data: []\n\n", orphan, text(0, "a"), completed()])
    assert (collapsed.dropped, collapsed.first_dropped) == (3, "{oops")
    assert collapsed.reply.parts == (Text("a"),)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [None], {"a": 1}])
@pytest.mark.parametrize(
    "kind",
    [
        "created",
        "output_item.added",
        "output_item.done",
        "content_part.added",
        "reasoning_summary_part.done",
        "output_text.delta",
        "output_text.done",
        "completed",
        "failed",
    ],
)
def test_odd_events_harm_nothing(kind: str, value: Any) -> None:
    names = ("response", "item", "part", "delta", "text", "output_index", "content_index", "logprobs", "item_id")
    for name in names:
        odd = event(kind, **{name: value})
        nested = event(kind, item={"type": value, "content": value, "summary": value, "action": value, "id": value})
        openai_responses.collapse([odd, nested, text(7, "a"), completed(output=value, usage=value, status=value)])

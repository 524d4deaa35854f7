"""Interactions read back: whole ones, streams in every form that is sent, and what is neither."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols import gemini_interactions, sse
from aimock_protocols.canonical import ErrorReply, MidStreamError, Reply, Text, ToolCall, WireError


def stream(*events: Any, named: bool = True, ended: bool = True) -> bytes:
    """Events of the given types: (type, members)."""
    data = [
        sse.encode(orjson.dumps({**members, "event_type": kind}), kind.encode() if named else None)
        for kind, members in events
    ]
    return b"".join(data) + (b"event: done\ndata: [DONE]\n\n" if ended else b"")


CREATED = ("interaction.created", {"interaction": {"id": "v1_a", "status": "in_progress", "model": "m"}})
OUTPUT = ("step.start", {"index": 0, "step": {"type": "model_output"}})
HI = ("step.delta", {"index": 0, "delta": {"type": "text", "text": "Hi"}})


def completed(status: str = "completed", **more: Any) -> Any:
    return ("interaction.completed", {"interaction": {"id": "v1_a", "status": status, **more}})


def read(*events: Any, **options: Any) -> Reply:
    return gemini_interactions.collapse([stream(*events, **options)])


def test_a_stream_as_the_provider_documents_it() -> None:
    reply = read(
        CREATED,
        ("step.start", {"index": 0, "step": {"type": "thought", "signature": "", "summary": [{"text": "**Plan** "}]}}),
        (
            "step.delta",
            {"index": 0, "delta": {"type": "thought_summary", "content": {"type": "text", "text": "ahead"}}},
        ),
        ("step.delta", {"index": 0, "delta": {"type": "thought_signature", "signature": "c2ln"}}),
        ("step.stop", {"index": 0}),
        ("step.start", {"index": 1, "step": {"type": "model_output", "content": [{"type": "text", "text": "Once"}]}}),
        ("step.delta", {"index": 1, "delta": {"type": "text", "text": " upon"}}),
        ("step.stop", {"index": 1}),
        completed(usage={"total_tokens": 530}, created="1970-01-01T00:01:00Z"),
    )
    assert reply == Reply(
        (Text("Once upon"),),
        reasoning="**Plan** ahead",
        reasoning_signature="c2ln",
        finish_reason="stop",
        usage={"total_tokens": 530},
        id="v1_a",
        created=60,
        model="m",
    )


@pytest.mark.parametrize("named", [True, False])
def test_the_name_of_an_event_is_in_its_data_too(named: bool) -> None:
    assert read(CREATED, OUTPUT, HI, completed(), named=named).text == "Hi"


def test_the_name_beside_the_data_will_do() -> None:
    data = b'event: step.delta\ndata: {"index":0,"delta":{"type":"text","text":"Hi"}}\n\n'
    assert gemini_interactions.collapse([data]).text == "Hi"


def test_arguments_in_pieces_stand_instead_of_those_that_came_at_once() -> None:
    call = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
    reply = read(
        CREATED,
        ("step.start", {"index": 0, "step": call}),
        ("step.delta", {"index": 0, "delta": {"type": "arguments_delta", "arguments": '{"a"'}}),
        ("step.delta", {"index": 0, "delta": {"type": "arguments_delta", "arguments": ": 1}"}}),
        ("step.start", {"index": 1, "step": call | {"id": "c2", "arguments": {"b": 2}}}),
        ("step.start", {"index": 2, "step": call | {"id": "c3"}}),
        completed("requires_action"),
    )
    calls = (ToolCall("f", '{"a": 1}', "c1"), ToolCall("f", '{"b":2}', "c2"), ToolCall("f", "{}", "c3"))
    assert (reply.parts, reply.finish_reason) == (calls, "tool_calls")


def test_steps_that_only_the_end_tells_of() -> None:
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}]
    assert read(CREATED, completed(steps=steps)).text == "Hi"
    assert read(CREATED, OUTPUT, HI, completed(steps=steps)).text == "Hi"


def test_steps_that_begin_without_a_start() -> None:
    reply = read(
        ("step.delta", {"index": 3, "delta": {"type": "text", "text": "b"}}),
        ("step.delta", {"index": 1, "delta": {"type": "thought_summary", "content": {"text": "a"}}}),
        completed(),
    )
    assert (reply.text, reply.reasoning) == ("b", "a")
    collapsed = gemini_interactions.read_stream(
        [stream(("step.delta", {"index": 0, "delta": {"type": "arguments_delta", "arguments": "{}"}}), completed())]
    )
    assert (collapsed.dropped, collapsed.reply.parts) == (1, ())


def test_searches() -> None:
    call: Any = {"type": "google_search_call", "id": "s"}
    reply = read(
        ("step.start", {"index": 0, "step": call | {"arguments": {"queries": ["a", "b", 5, ""]}}}),
        ("step.start", {"index": 1, "step": call}),
        ("step.delta", {"index": 1, "delta": {"type": "google_search_call", "arguments": {"queries": ["c"]}}}),
        ("step.start", {"index": 2, "step": {"type": "google_search_result", "result": []}}),
        completed(),
    )
    assert reply.web_searches == ("a", "b", "c")


def test_texts_that_touch_are_one() -> None:
    second = ("step.delta", {"index": 1, "delta": {"type": "text", "text": "!"}})
    assert read(OUTPUT, HI, second, completed()).parts == (Text("Hi!"),)
    assert read(OUTPUT, completed()).parts == (Text(""),)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("completed", "stop"),
        ("requires_action", "tool_calls"),
        ("incomplete", "length"),
        ("failed", "content_filter"),
        ("budget_exceeded", "budget_exceeded"),
        ("in_progress", None),
        ("queued", None),
        (5, None),
    ],
)
def test_how_it_ended(status: Any, reason: str | None) -> None:
    assert read(OUTPUT, HI, completed(status)).finish_reason == reason
    body = orjson.dumps({"id": "v1_a", "status": status, "steps": []})
    assert gemini_interactions.parse(body).finish_reason == reason


def test_a_status_may_come_by_itself() -> None:
    assert read(OUTPUT, HI, ("interaction.status_update", {"status": "requires_action"})).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("data", "truncated"),
    [
        (stream(CREATED, OUTPUT, HI, completed()), False),
        (stream(CREATED, OUTPUT, HI, completed(), ended=False), False),
        (stream(CREATED, OUTPUT, HI), True),
        (stream(CREATED, OUTPUT, HI, ended=False), True),
        (stream(CREATED, OUTPUT, HI, completed())[:-200], True),
        (b"", True),
    ],
)
def test_whether_it_was_whole(data: bytes, truncated: bool) -> None:
    assert gemini_interactions.read_stream([data]).truncated is truncated


@pytest.mark.parametrize(
    "odd",
    [
        ("step.start", {"index": "x", "step": []}),
        ("step.start", {}),
        ("step.stop", {"index": {}}),
        ("step.delta", {"index": 0, "delta": {"type": "text", "text": 5}}),
        ("step.delta", {"index": 0, "delta": {"type": "novelty"}}),
        ("novelty", {"x": 1}),
        ("interaction.created", {"interaction": {"id": 5, "created": "yesterday", "usage": []}}),
        ("interaction.status_update", {"status": []}),
    ],
)
def test_what_is_odd_says_nothing(odd: Any) -> None:
    collapsed = gemini_interactions.read_stream([stream(CREATED, OUTPUT, odd, HI, completed())])
    assert "Hi" in (collapsed.reply.text or "")
    assert (collapsed.reply.id, collapsed.reply.created, collapsed.dropped) == ("v1_a", None, 0)


def test_what_cannot_be_read_is_counted() -> None:
    data = stream(CREATED, OUTPUT, ended=False) + b"data: {nonsense\n\n" + stream(HI, completed())
    collapsed = gemini_interactions.read_stream([data])
    assert (collapsed.dropped, collapsed.first_dropped, collapsed.reply.text) == (1, "{nonsense", "Hi")


# -- errors ------------------------------------------------------------------------------------------------------------

ERROR = ("error", {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}})


def test_an_error_in_the_midst_ends_the_reply() -> None:
    reply = read(CREATED, OUTPUT, HI, ERROR, HI)
    error = ErrorReply("Slow down", code="rate_limit_exceeded", status=429)
    assert (reply.text, reply.mid_stream_error) == ("Hi", MidStreamError(3, error))


def test_an_error_alone_is_raised() -> None:
    for data in (stream(ERROR), stream(CREATED, ERROR), b'data: {"error":{"code":"x","message":"Slow down"}}\n\n'):
        with pytest.raises(WireError, match="Slow down"):
            gemini_interactions.collapse([data])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": "not_found", "message": "No."}}, ErrorReply("No.", code="not_found", status=404)),
        ({"error": {"code": "novel", "message": "No."}}, ErrorReply("No.", code="novel", status=500)),
        ({"error": {"message": "No."}}, ErrorReply("No.", status=500)),
        ({"error": {}}, ErrorReply("", status=500)),
        (
            {"error": {"code": 429, "message": "No.", "status": "RESOURCE_EXHAUSTED"}},
            ErrorReply("No.", status=429),
        ),
    ],
)
def test_errors_of_both_envelopes(body: Any, error: ErrorReply) -> None:
    with pytest.raises(WireError) as raised:
        gemini_interactions.parse(orjson.dumps(body))
    assert raised.value.reply == error


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{}", b'{"steps":5}', b'{"status":5}', b'{"candidates":[]}'])
def test_what_is_no_interaction(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        gemini_interactions.parse(body)


def test_a_whole_one_with_its_input() -> None:
    """As it is fetched: what the user said is no part of the answer."""
    body = {
        "id": "v1_a",
        "status": "completed",
        "agent": "deep-research",
        "steps": [
            {"type": "user_input", "content": [{"type": "text", "text": "hello"}]},
            {"type": "model_output", "content": [{"type": "image"}, {"type": "text", "text": "Hi"}]},
            5,
        ],
    }
    reply = gemini_interactions.parse(orjson.dumps(body))
    assert (reply.text, reply.model) == ("Hi", "deep-research")
    assert gemini_interactions.parse(b'{"id":"v1_a","status":"in_progress"}').parts == ()


def test_arguments_that_are_too_deep_to_be_written() -> None:
    step = b'{"type":"function_call","name":"f","arguments":{"a":%b1%b}}' % (b"[" * 300, b"]" * 300)
    with pytest.raises(ValueError, match="too deeply"):
        gemini_interactions.parse(b'{"status":"completed","steps":[%b]}' % step)
    event = b'data: {"event_type":"step.start","index":1,"step":%b}\n\n' % step
    collapsed = gemini_interactions.read_stream([stream(CREATED, OUTPUT, HI, ended=False), event, stream(completed())])
    assert (collapsed.dropped, collapsed.reply.parts) == (1, (Text("Hi"),))

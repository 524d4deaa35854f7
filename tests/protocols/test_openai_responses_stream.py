"""Streamed responses (wire-openai-responses §7 to §10, §19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_responses, sse
from aimock_protocols.canonical import ChatRequest, ErrorReply, FrameKind, MidStreamError, Reply, Stamp, Text, ToolCall
from aimock_protocols.midstream import COUNTED

Ask = Callable[..., ChatRequest]
Streamed = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def streamed(ask_responses: Ask, stamp: Stamp) -> Streamed:
    """streamed(reply, …): the events of the stream that answers a request, as JSON."""

    def stream(reply: Reply, chunk_size: int = 20, **more: Any) -> list[dict[str, Any]]:
        shape = openai_responses.shape(ask_responses(**more))
        frames = openai_responses.frames(reply, shape, stamp, chunk_size)
        return [orjson.loads(event.data) for event in sse.events(frame.data for frame in frames)]

    return stream


def test_the_worked_stream_of_the_specification(streamed: Streamed, stamp: Stamp) -> None:
    """wire-openai-responses §19, byte for byte but for the ids: members in the order of the live service."""
    told = streamed(Reply((Text("Hi"), ToolCall("f", "{}", "call_1"))))
    message, call = (f"{prefix}_{stamp.hexadecimal(50, f'item {at}')}" for prefix, at in (("msg", 1), ("fc", 2)))
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi"}
    whole_message = {"id": message, "type": "message", "status": "completed", "content": [part], "role": "assistant"}
    whole_call = {
        "id": call,
        "type": "function_call",
        "status": "completed",
        "arguments": "{}",
        "call_id": "call_1",
        "name": "f",
    }
    place = {"item_id": message, "output_index": 0}
    expected: list[dict[str, Any]] = [
        {
            "type": "output_item.added",
            "item": {**whole_message, "status": "in_progress", "content": []},
            "output_index": 0,
        },
        {"type": "content_part.added", "content_index": 0, **place, "part": {**part, "text": ""}},
        {
            "type": "output_text.delta",
            "content_index": 0,
            "delta": "Hi",
            "item_id": message,
            "logprobs": [],
            "output_index": 0,
        },
        {
            "type": "output_text.done",
            "content_index": 0,
            "item_id": message,
            "logprobs": [],
            "output_index": 0,
            "text": "Hi",
        },
        {"type": "content_part.done", "content_index": 0, **place, "part": part},
        {"type": "output_item.done", "item": whole_message, "output_index": 0},
        {
            "type": "output_item.added",
            "item": {**whole_call, "status": "in_progress", "arguments": ""},
            "output_index": 1,
        },
        {"type": "function_call_arguments.delta", "delta": "{}", "item_id": call, "output_index": 1},
        {"type": "function_call_arguments.done", "arguments": "{}", "item_id": call, "name": "f", "output_index": 1},
        {"type": "output_item.done", "item": whole_call, "output_index": 1},
    ]
    numbered = [
        {**event, "type": f"response.{event['type']}", "sequence_number": number}
        for number, event in enumerate(expected, 2)
    ]
    assert told[2:-1] == numbered
    for event in told[2:-1]:
        assert list(event) == ["type", *sorted(name for name in event if name != "type")]
    created, progress, done = told[0], told[1], told[-1]
    assert created["response"] == progress["response"]
    assert [each["type"] for each in (created, progress, done)] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert done["response"]["output"] == [whole_message, whole_call]
    changed = {name for name, value in done["response"].items() if value != created["response"][name]}
    assert changed == {"status", "completed_at", "output", "service_tier", "usage"}


def test_events_are_framed_with_their_names(ask_responses: Ask, stamp: Stamp) -> None:
    shape = openai_responses.shape(ask_responses())
    stream = b"".join(frame.data for frame in openai_responses.frames(Reply((Text("Hi"),)), shape, stamp, 20))
    assert b"[DONE]" not in stream
    for event in stream.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = event.split(b"\n")
        assert orjson.loads(data.removeprefix(b"data: "))["type"] == name.removeprefix(b"event: ").decode()


def types(told: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


@pytest.mark.parametrize(
    ("reply", "more", "expected"),
    [
        (Reply(), {}, []),
        (
            Reply((Text(""),)),
            {},
            ["output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done"],
        ),
        (
            Reply(refusal="no"),
            {},
            [
                "output_item.added",
                "content_part.added",
                "refusal.delta",
                "refusal.done",
                "content_part.done",
                "output_item.done",
            ],
        ),
        (
            Reply(reasoning="t"),
            {},
            [
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ],
        ),
        (Reply(redacted_thinking=("a",)), {}, ["output_item.added", "output_item.done"]),
        (
            Reply(web_searches=("q",)),
            {},
            [
                "output_item.added",
                "web_search_call.in_progress",
                "web_search_call.searching",
                "web_search_call.completed",
                "output_item.done",
            ],
        ),
        (
            Reply((ToolCall("c", "x"),)),
            {"tools": [{"type": "custom", "name": "c"}]},
            ["output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"],
        ),
    ],
)
def test_sequences(streamed: Streamed, reply: Reply, more: dict[str, Any], expected: list[str]) -> None:
    told = streamed(reply, **more)
    assert types(told) == ["created", "in_progress", *expected, "completed"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_deltas_join_to_their_texts(streamed: Streamed, chunk_size: int) -> None:
    reply = Reply((Text("Hello, né 🚀👍🏽"), ToolCall("f", '{"x":"é"}')), reasoning="Let me think.", refusal="no no")
    told = streamed(reply, chunk_size)
    for name, key in (
        ("output_text", "text"),
        ("function_call_arguments", "arguments"),
        ("reasoning_summary_text", "text"),
        ("refusal", "refusal"),
    ):
        deltas = [event["delta"] for event in told if event["type"] == f"response.{name}.delta"]
        (done,) = [event[key] for event in told if event["type"] == f"response.{name}.done"]
        assert "".join(deltas) == done
        assert len(deltas) > 1 or chunk_size == 100
    indices = [event["summary_index"] for event in told if "reasoning_summary" in event["type"]]
    assert set(indices) == {0}


@pytest.mark.parametrize(
    ("reason", "last"),
    [
        (None, "completed"),
        ("stop", "completed"),
        ("length", "incomplete"),
        ("content_filter", "incomplete"),
        ("failed", "failed"),
        ("odd", "completed"),
    ],
)
def test_how_a_stream_ends(streamed: Streamed, reason: str | None, last: str) -> None:
    told = streamed(Reply((Text("Hi"),), finish_reason=reason))
    assert types(told)[-1] == last
    status = told[-2]["item"]["status"]
    assert status == told[-1]["response"]["output"][0]["status"]
    assert (status == "incomplete") is (last == "incomplete")


def test_every_event_counts(ask_responses: Ask, stamp: Stamp) -> None:
    """Physics: two that open, the rest is content (REF counts each event as a chunk)."""
    shape = openai_responses.shape(ask_responses())
    kinds = [frame.kind for frame in openai_responses.frames(Reply((Text("Hi"),)), shape, stamp, 20)]
    assert kinds == [FrameKind.OPEN] * 2 + [FrameKind.TOKEN] * (len(kinds) - 2)
    assert set(kinds) <= COUNTED


def test_in_the_background(streamed: Streamed) -> None:
    told = streamed(Reply((Text("Hi"),)), background=True)
    assert types(told)[:4] == ["created", "queued", "in_progress", "output_item.added"]
    assert [event["response"]["status"] for event in (*told[:3], told[-1])] == [
        "queued",
        "queued",
        "in_progress",
        "completed",
    ]


@pytest.mark.parametrize("after", [-1, 0, 1, 4, 100])
def test_an_error_in_the_midst(streamed: Streamed, after: int) -> None:
    """Nested and flat at once, and then the response that failed by it, at the latest in place of the last event."""
    error = ErrorReply("Slow down.", "requests", code="rate_limit_exceeded")
    reply = Reply((Text("Hello"),), id="resp_x")
    undisturbed = streamed(reply, 2)
    broken = streamed(Reply((Text("Hello"),), id="resp_x", mid_stream_error=MidStreamError(after, error)), 2)
    before = min(max(after, 0), len(undisturbed) - 1)
    assert broken[:before] == undisturbed[:before]
    told, failed = broken[before:]
    flat = {"code": "rate_limit_exceeded", "message": "Slow down.", "param": None}
    assert told == {"type": "error", "error": {"type": "requests", **flat}, **flat, "sequence_number": before}
    assert (failed["type"], failed["sequence_number"]) == ("response.failed", before + 1)
    assert (failed["response"]["id"], failed["response"]["status"]) == ("resp_x", "failed")
    assert failed["response"]["error"] == {"code": "rate_limit_exceeded", "message": "Slow down."}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ErrorReply("m"), "server_error"),
        (ErrorReply("m", code="odd"), "server_error"),
        (ErrorReply("m", code=["odd"]), "server_error"),
        (ErrorReply("m", status=429), "rate_limit_exceeded"),
        (ErrorReply("m", code="invalid_prompt", status=400), "invalid_prompt"),
    ],
)
def test_codes_with_which_a_response_fails(ask_responses: Ask, stamp: Stamp, error: ErrorReply, code: str) -> None:
    frame = openai_responses.error_frame(error, openai_responses.shape(ask_responses()), stamp)
    told, failed = (orjson.loads(event.data) for event in sse.events([frame.data]))
    assert (told["error"]["type"], told["code"]) == ("server_error", error.code)
    assert failed["response"]["error"]["code"] == code


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_slices_have_a_size(ask_responses: Ask, stamp: Stamp, chunk_size: int) -> None:
    with pytest.raises(ValueError, match="slices"):
        openai_responses.frames(Reply((Text("Hi"),)), openai_responses.shape(ask_responses()), stamp, chunk_size)


def test_obfuscation(streamed: Streamed) -> None:
    told = streamed(Reply((Text("Hello"),)), 2, stream_options={"include_obfuscation": True})
    fillers = [event.get("obfuscation") for event in told if event["type"].endswith(".delta")]
    assert [len(filler or "") for filler in fillers] == [16] * 3
    assert len(set(fillers)) == 3
    assert not [event for event in told if "obfuscation" in event and not event["type"].endswith(".delta")]

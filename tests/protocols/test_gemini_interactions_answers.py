"""Interactions as they are sent: whole, streamed, and as errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock_protocols import gemini_interactions, sse
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
from aimock_protocols.gemini_interactions.platform import CODES

Ask = Callable[..., ChatRequest]

NOW = "2026-11-20T18:40:00Z"
REPLY = Reply((Text("Hello, you"),), id="v1_a")
USAGE = {
    "total_input_tokens": 2,
    "total_output_tokens": 3,
    "total_thought_tokens": 0,
    "total_cached_tokens": 0,
    "total_tool_use_tokens": 0,
    "total_tokens": 5,
}


@pytest.fixture
def whole(ask_interactions: Ask, stamp: Stamp) -> Callable[..., Any]:
    def encode(reply: Reply, **more: Any) -> Any:
        return orjson.loads(
            gemini_interactions.encode(reply, gemini_interactions.shape(ask_interactions(**more)), stamp)
        )

    return encode


@pytest.fixture
def streamed(ask_interactions: Ask, stamp: Stamp) -> Callable[..., list[Frame]]:
    def frames(reply: Reply, chunk_size: int = 4, **more: Any) -> list[Frame]:
        shape = gemini_interactions.shape(ask_interactions(stream=True, **more))
        return list(gemini_interactions.frames(reply, shape, stamp, chunk_size))

    return frames


def events(frames: list[Frame]) -> list[Any]:
    found = list(sse.events(frame.data for frame in frames))
    assert all(event.name == orjson.loads(event.data)["event_type"] for event in found if event.name != "done")
    return [orjson.loads(event.data) for event in found if event.data != "[DONE]"]


# -- whole -------------------------------------------------------------------------------------------------------------


def test_a_whole_interaction(whole: Any) -> None:
    assert whole(REPLY) == {
        "id": "v1_a",
        "object": "interaction",
        "status": "completed",
        "model": "gemini-x",
        "role": "model",
        "created": NOW,
        "updated": NOW,
        "service_tier": "standard",
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": "Hello, you"}]}],
        "usage": USAGE,
    }


def test_whom_it_is_from_and_what_it_follows(whole: Any) -> None:
    told = whole(REPLY, model=None, agent="deep-research", previous_interaction_id="v1_0", service_tier="flex")
    assert "model" not in told
    assert (told["agent"], told["previous_interaction_id"], told["service_tier"]) == ("deep-research", "v1_0", "flex")
    own = whole(attrs.evolve(REPLY, model="other", created=0))
    assert (own["model"], own["created"], own["updated"]) == ("other", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z")


def test_ids_are_made_up(whole: Any, stamp: Stamp) -> None:
    told = whole(Reply((ToolCall("f", "{}"), ToolCall("f", "{}"), ToolCall("f", "{}", "mine"))))
    assert told["id"] == "v1_" + stamp.alphanumeric(32)
    first, second, third = (step["id"] for step in told["steps"])
    assert third == "mine"
    assert len({first, second}) == 2
    assert {len(first), len(second)} == {8}


def steps_of(whole: Any, *parts: Any, **more: Any) -> list[Any]:
    steps: list[Any] = whole(Reply(parts, **more))["steps"]
    return steps


def test_steps_are_in_order(whole: Any) -> None:
    steps = steps_of(
        whole,
        Text("a"),
        ToolCall("f", '{"x": 1}', "c1"),
        Text("b"),
        reasoning="I think",
        reasoning_signature="c2ln",
        web_searches=("x y",),
    )
    search = steps[1]["id"]
    assert steps == [
        {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": "I think"}]},
        {"type": "google_search_call", "id": search, "arguments": {"queries": ["x y"]}},
        {
            "type": "google_search_result",
            "call_id": search,
            "result": [{"search_suggestions": '<a href="https://example.com/search?q=x%20y">search</a>'}],
        },
        {"type": "model_output", "content": [{"type": "text", "text": "a"}]},
        {"type": "function_call", "id": "c1", "name": "f", "arguments": {"x": 1}},
        {"type": "model_output", "content": [{"type": "text", "text": "b"}]},
    ]


def test_thoughts_always_have_a_signature_and_may_be_hidden(whole: Any) -> None:
    reply = Reply((Text("a"),), reasoning="I think")
    assert whole(reply)["steps"][0]["signature"]
    hidden = whole(reply, generation_config={"thinking_summaries": "none"})["steps"][0]
    assert hidden.keys() == {"type", "signature"}
    assert steps_of(whole, reasoning_signature="c2ln") == [{"type": "thought", "signature": "c2ln"}]


@pytest.mark.parametrize(
    ("parts", "texts"),
    [((), []), ((Text(""),), [""]), ((Text(""), Text("a")), ["a"]), ((Text("a"), Text("b")), ["a", "b"])],
)
def test_empty_text_is_told_only_if_it_is_all(whole: Any, parts: Any, texts: list[str]) -> None:
    assert [step["content"][0]["text"] for step in steps_of(whole, *parts)] == texts


def test_a_refusal_is_text(whole: Any) -> None:
    told = whole(Reply(refusal="I cannot.", finish_reason="content_filter"))
    assert (told["status"], told["steps"][0]["content"][0]["text"]) == ("failed", "I cannot.")


@pytest.mark.parametrize("arguments", ["", "nonsense", "5", "[1]", '{"a":', "null"])
def test_arguments_that_are_no_object_are_an_empty_one(whole: Any, arguments: str) -> None:
    assert steps_of(whole, ToolCall("f", arguments))[0]["arguments"] == {}


@pytest.mark.parametrize(
    ("parts", "reason", "status"),
    [
        ((Text("a"),), None, "completed"),
        ((), None, "completed"),
        ((Text("a"), ToolCall("f", "{}")), None, "requires_action"),
        ((ToolCall("f", "{}"),), "stop", "completed"),
        ((Text("a"),), "tool_calls", "requires_action"),
        ((Text("a"),), "length", "incomplete"),
        ((Text("a"),), "content_filter", "failed"),
        ((Text("a"),), "budget_exceeded", "budget_exceeded"),
    ],
)
def test_how_it_ends(whole: Any, streamed: Any, parts: Any, reason: str | None, status: str) -> None:
    reply = Reply(parts, finish_reason=reason)
    assert whole(reply)["status"] == status
    assert events(streamed(reply))[-1]["interaction"]["status"] == status


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (None, (2, 3, 0, 0, 0, 5)),
        ({}, (2, 3, 0, 0, 0, 5)),
        ({"cost": 0.5}, (2, 3, 0, 0, 0, 5)),
        ({"total_input_tokens": 7}, (7, 0, 0, 0, 0, 7)),
        ({"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 99}, (7, 8, 0, 0, 0, 99)),
        ({"input_tokens": 7, "output_tokens": 8}, (7, 8, 0, 0, 0, 15)),
        ({"promptTokenCount": 7, "candidatesTokenCount": 8, "thoughtsTokenCount": 9}, (7, 8, 9, 0, 0, 24)),
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            (7, 8, 4, 3, 0, 19),
        ),
        (
            {"total_output_tokens": 8, "total_thought_tokens": 1, "total_cached_tokens": 2, "total_tool_use_tokens": 3},
            (0, 8, 1, 2, 3, 12),
        ),
    ],
)
def test_usage(whole: Any, usage: Any, told: tuple[int, ...]) -> None:
    sent = whole(attrs.evolve(REPLY, usage=usage))["usage"]
    assert tuple(sent[name] for name in USAGE) == told
    assert sent.keys() - USAGE.keys() == ({"cost"} if usage and "cost" in usage else set())


def test_thoughts_are_estimated_apart(whole: Any) -> None:
    sent = whole(attrs.evolve(REPLY, reasoning="x" * 33))["usage"]
    assert (sent["total_output_tokens"], sent["total_thought_tokens"], sent["total_tokens"]) == (3, 9, 14)


def test_what_runs_in_the_background_is_under_way(whole: Any) -> None:
    told = whole(REPLY, background=True)
    assert told["status"] == "in_progress"
    assert told.keys().isdisjoint({"steps", "usage"})


# -- streamed ----------------------------------------------------------------------------------------------------------


def test_a_stream_byte_for_byte(streamed: Any) -> None:
    reply = attrs.evolve(REPLY, reasoning="I see", reasoning_signature="c2ln", created=0)
    data = b"".join(frame.data for frame in streamed(reply, 6, store=False))
    completed = orjson.dumps(
        {
            "interaction": {
                "id": "v1_a",
                "status": "completed",
                "object": "interaction",
                "model": "gemini-x",
                "created": "1970-01-01T00:00:00Z",
                "updated": "1970-01-01T00:00:00Z",
                "service_tier": "standard",
                "usage": USAGE | {"total_thought_tokens": 2, "total_tokens": 7},
            },
            "event_type": "interaction.completed",
        }
    ).decode()
    assert data.decode() == (
        "event: interaction.created\n"
        'data: {"interaction":{"id":"v1_a","status":"in_progress","object":"interaction","model":"gemini-x"},'
        '"event_type":"interaction.created"}\n\n'
        "event: interaction.status_update\n"
        'data: {"interaction_id":"v1_a","status":"in_progress","event_type":"interaction.status_update"}\n\n'
        "event: step.start\n"
        'data: {"index":0,"step":{"type":"thought"},"event_type":"step.start"}\n\n'
        "event: step.delta\n"
        'data: {"index":0,"delta":{"content":{"text":"I see","type":"text"},"type":"thought_summary"},'
        '"event_type":"step.delta"}\n\n'
        "event: step.delta\n"
        'data: {"index":0,"delta":{"signature":"c2ln","type":"thought_signature"},"event_type":"step.delta"}\n\n'
        "event: step.stop\n"
        'data: {"index":0,"event_type":"step.stop"}\n\n'
        "event: step.start\n"
        'data: {"index":1,"step":{"type":"model_output"},"event_type":"step.start"}\n\n'
        "event: step.delta\n"
        'data: {"index":1,"delta":{"text":"Hello,","type":"text"},"event_type":"step.delta"}\n\n'
        "event: step.delta\n"
        'data: {"index":1,"delta":{"text":" you","type":"text"},"event_type":"step.delta"}\n\n'
        "event: step.stop\n"
        'data: {"index":1,"event_type":"step.stop"}\n\n'
        f"event: interaction.completed\ndata: {completed}\n\n"
        "event: done\n"
        "data: [DONE]\n\n"
    )


def test_calls_in_a_stream(streamed: Any) -> None:
    told = events(streamed(Reply((ToolCall("f", '{"city": "Paris"}', "c1"), ToolCall("g", "")))))
    started = [event["step"] for event in told if event["event_type"] == "step.start"]
    assert started[0] == {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
    deltas = [event for event in told if event["event_type"] == "step.delta"]
    assert {delta["delta"]["type"] for delta in deltas} == {"arguments_delta"}
    for index, arguments in ((0, '{"city": "Paris"}'), (1, "{}")):
        assert "".join(each["delta"]["arguments"] for each in deltas if each["index"] == index) == arguments
    assert told[-1]["interaction"]["status"] == "requires_action"


def test_arguments_that_break_off_are_streamed_as_far_as_they_go(streamed: Any) -> None:
    for sent, expected in (('{"a": "b', '{"a": "b'), ("nonsense", "{}"), ("[1]", "{}")):
        deltas = [event["delta"] for event in events(streamed(Reply((ToolCall("f", sent),)))) if "delta" in event]
        assert "".join(delta["arguments"] for delta in deltas) == expected


def test_events_of_what_is_kept_are_numbered(streamed: Any) -> None:
    numbered = events(streamed(REPLY))
    assert [event["event_id"] for event in numbered] == [f"evt_{place + 1}" for place in range(len(numbered))]
    assert all("event_id" not in event for event in events(streamed(REPLY, store=False)))


def test_kinds_of_frames(streamed: Any) -> None:
    kinds = [frame.kind for frame in streamed(REPLY)]
    assert kinds[:2] == [FrameKind.OPEN] * 2
    assert set(kinds[2:-2]) == {FrameKind.TOKEN}
    assert kinds[-2:] == [FrameKind.CLOSE] * 2


@pytest.mark.parametrize("after", [0, 1, 3, 5, 99])
def test_an_error_in_the_midst(streamed: Any, after: int) -> None:
    error = ErrorReply("boom", code="api_error")
    frames = streamed(attrs.evolve(REPLY, mid_stream_error=MidStreamError(after, error)))
    told = events(frames)
    assert told[-1] == {"error": {"code": "api_error", "message": "boom"}, "event_type": "error"}
    assert len(told) - 1 == min(after, 7)
    assert "interaction.completed" not in [event["event_type"] for event in told]


def test_slices_below_one_character_are_none(streamed: Any) -> None:
    with pytest.raises(ValueError, match="slices of 0"):
        streamed(REPLY, 0)


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *[(ErrorReply("x", status=status), code) for status, code in CODES.items()],
        (ErrorReply("x", status=418), "invalid_request"),
        (ErrorReply("x", status=599), "api_error"),
        (ErrorReply("x", "quota_exceeded", status=429), "quota_exceeded"),
        (ErrorReply("x", "rate_limit_error", status=429), "rate_limit_exceeded"),
        (ErrorReply("x", "not_found", code="mine", status=404), "mine"),
        (ErrorReply("x", code=5, status=404), "not_found"),
        (ErrorReply("x", code="", status=404), "not_found"),
    ],
)
def test_errors_have_a_code_that_is_a_string(stamp: Stamp, error: ErrorReply, code: str) -> None:
    response = gemini_interactions.error(error, stamp)
    assert response.status == error.status
    assert orjson.loads(response.body) == {"error": {"code": code, "message": "x"}}
    assert dict(response.headers)["content-type"] == "application/json; charset=UTF-8"
    assert ("retry-after" in dict(response.headers)) is (error.status == 429)


def test_a_hint_is_told(stamp: Stamp) -> None:
    body = gemini_interactions.error(ErrorReply("x", status=404, hint="look there"), stamp).body
    assert orjson.loads(body)["error"]["hint"] == "look there"

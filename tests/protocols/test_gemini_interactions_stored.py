"""Interactions that are kept: taken up, fetched, streamed again, cancelled, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import gemini_interactions, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Head,
    Memory,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
    WireError,
)

Ask = Callable[..., ChatRequest]
Side = Callable[..., SideRequest]

REPLY = Reply((Text("Hello, you"),), id="v1_a")


@pytest.fixture
def memory() -> Memory:
    return Memories().of("", "")


@pytest.fixture
def keep(ask_interactions: Ask, stamp: Stamp, memory: Memory) -> Callable[..., ChatRequest]:
    """keep(reply, input, …): asks, and has the reply remembered."""

    def keep(reply: Reply = REPLY, value: Any = "hello", **more: Any) -> ChatRequest:
        request = ask_interactions(value, **more)
        if request.recalls is not None:
            request = gemini_interactions.recall(request, memory)
        gemini_interactions.remember(request, reply, gemini_interactions.shape(request), stamp, 4, memory)
        return request

    return keep


@pytest.fixture
def side(side_request: Side, memory: Memory) -> Callable[..., SideRequest]:
    """side("v1_a", "stream=true")"""

    def make(wanted: str = "v1_a", query: str = "") -> SideRequest:
        request = side_request(id=wanted)
        return attrs.evolve(request, head=attrs.evolve(request.head, query=query), memory=memory)

    return make


def test_what_was_said_comes_before_what_is_said(keep: Any, ask_interactions: Ask, memory: Memory) -> None:
    keep(system_instruction="Be brief.")
    second = Reply((Text("a"), ToolCall("f", '{"x":1}', "c1"), ToolCall("g", "{}")), id="v1_b")
    keep(second, "and?", previous_interaction_id="v1_a", system_instruction="Be kind.")
    answer = [{"type": "function_result", "call_id": "c1", "result": "sunny"}]
    request = gemini_interactions.recall(
        ask_interactions(answer, previous_interaction_id="v1_b", system_instruction="Be quick."), memory
    )
    messages = request.body["messages"]
    minted = messages[4]["tool_calls"][1].pop("id")
    assert len(minted) == 8
    assert messages == [
        {"role": "system", "content": "Be quick."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hello, you"},
        {"role": "user", "content": "and?"},
        {
            "role": "assistant",
            "content": "a",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    assert gemini_interactions.shape(request).input_tokens == 9, "of all that was said"
    again = gemini_interactions.recall(ask_interactions("no", previous_interaction_id="v1_a"), memory)
    assert [message["content"] for message in again.body["messages"]] == ["hello", "Hello, you", "no"]


def test_what_is_not_kept_cannot_be_taken_up(ask_interactions: Ask, memory: Memory) -> None:
    with pytest.raises(WireError, match="Interaction not found: v1_x") as refused:
        gemini_interactions.recall(ask_interactions(previous_interaction_id="v1_x"), memory)
    assert refused.value.reply.status == 404


def test_an_interaction_is_fetched_as_it_was_told(keep: Any, side: Any, stamp: Stamp, memory: Memory) -> None:
    for reply in (REPLY, Reply((ToolCall("f", "{}"),), reasoning="I think")):
        request = keep(reply)
        body = gemini_interactions.encode(reply, gemini_interactions.shape(request), stamp)
        wanted = orjson.loads(body)["id"]
        later = attrs.evolve(side(wanted), stamp=Stamp(9e9, b"other" * 13))
        assert gemini_interactions.retrieve(later).body == body


def test_the_input_is_told_if_it_is_wanted(keep: Any, side: Any) -> None:
    keep(value=[{"type": "text", "text": "hello"}])
    told = orjson.loads(gemini_interactions.retrieve(side(query="include_input=true")).body)
    assert told["input"] == [{"type": "text", "text": "hello"}]
    assert "input" not in orjson.loads(gemini_interactions.retrieve(side(query="include_input=false")).body)


def test_a_stream_is_taken_up_after_the_event_that_came_last(keep: Any, side: Any, stamp: Stamp) -> None:
    request = keep()
    frames = list(gemini_interactions.frames(REPLY, gemini_interactions.shape(request), stamp, 4))
    again = gemini_interactions.retrieve(side(query="stream=true"))
    assert dict(again.headers)["content-type"] == "text/event-stream"
    assert again.body == b"".join(frame.data for frame in frames)
    for place, frame in enumerate(frames[:-1]):
        (event,) = sse.events([frame.data])
        query = "stream=true&last_event_id=" + orjson.loads(event.data)["event_id"]
        rest = gemini_interactions.retrieve(side(query=query)).body
        assert rest == b"".join(frame.data for frame in frames[place + 1 :])


@pytest.mark.parametrize("event_id", ["evt_99", "evt_", "5", "evt_-1", "evt_%31x", "evt_99999999999999999999"])
def test_events_that_there_are_not(keep: Any, side: Any, event_id: str) -> None:
    keep()
    with pytest.raises(WireError, match="last_event_id") as refused:
        gemini_interactions.retrieve(side(query=f"stream=true&last_event_id={event_id}"))
    assert refused.value.reply.status == 400


def test_what_runs_in_the_background_is_done_when_it_is_fetched(keep: Any, side: Any) -> None:
    keep(background=True)
    told = orjson.loads(gemini_interactions.retrieve(side()).body)
    assert (told["status"], len(told["steps"])) == ("completed", 1)


def test_what_is_cancelled_stays_so(keep: Any, side: Any) -> None:
    keep(background=True)
    for response in (gemini_interactions.cancel(side()), gemini_interactions.retrieve(side(query="stream=true"))):
        told = orjson.loads(response.body)
        assert (response.status, told["id"], told["status"]) == (200, "v1_a", "cancelled")
        assert "steps" not in told


def test_what_is_deleted_is_gone(keep: Any, side: Any) -> None:
    keep()
    response = gemini_interactions.delete(side())
    assert (response.status, response.body) == (200, b"{}")
    for act in (gemini_interactions.delete, gemini_interactions.retrieve, gemini_interactions.cancel):
        with pytest.raises(WireError, match="Interaction not found: v1_a") as refused:
            act(side())
        assert refused.value.reply.status == 404


def test_ids_are_percent_decoded(keep: Any, side: Any) -> None:
    keep(attrs.evolve(REPLY, id="a/b c"))
    assert orjson.loads(gemini_interactions.retrieve(side("a%2Fb%20c")).body)["id"] == "a/b c"
    gemini_interactions.cancel(side("a%2Fb%20c"))
    assert orjson.loads(gemini_interactions.retrieve(side("a%2Fb%20c")).body)["status"] == "cancelled"
    gemini_interactions.delete(side("a%2Fb%20c"))


def test_a_stream_that_ended_in_an_error_has_failed(keep: Any, side: Any) -> None:
    broken = attrs.evolve(REPLY, mid_stream_error=MidStreamError(4, ErrorReply("boom", status=503)))
    keep(broken, stream=True)
    told = orjson.loads(gemini_interactions.retrieve(side()).body)
    assert (told["status"], told["errors"]) == ("failed", [{"code": "service_unavailable", "message": "boom"}])
    assert b"boom" in gemini_interactions.retrieve(side(query="stream=true")).body
    keep(broken)
    assert orjson.loads(gemini_interactions.retrieve(side()).body)["status"] == "completed", "a whole one has no midst"


def test_what_is_too_deep_to_be_written_is_not_told(head: Head, stamp: Stamp, memory: Memory, side: Any) -> None:
    body = b'{"input":[{"type":"text","text":"hello","novelty":%b1%b}]}' % (b"[" * 300, b"]" * 300)
    request = gemini_interactions.decode(head, {}, body)
    gemini_interactions.remember(request, REPLY, gemini_interactions.shape(request), stamp, 4, memory)
    assert orjson.loads(gemini_interactions.retrieve(side(query="include_input=true")).body)["input"] is None


def test_what_is_kept_says_how_much_it_is(keep: Any, ask_interactions: Ask, stamp: Stamp) -> None:
    """Media count, and what was said before does not."""
    sizes: list[int] = []

    class Measuring:
        def put(self, key: str, value: Any, size: int = 0) -> None:
            sizes.append(size)

    for value in ("hello", [{"type": "image", "data": "x" * 1000}]):
        request = ask_interactions(value)
        shape = gemini_interactions.shape(request)
        gemini_interactions.remember(request, REPLY, shape, stamp, 4, Measuring())  # type: ignore[arg-type]
    assert sizes[0] == 14
    assert 2000 < sizes[1] < 2100

"""Google's own SDK as the judge: its types accept all that is sent, and know every kind of step and event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pydantic
import pytest
from google.genai import interactions as sdk
from google.genai._gaos import errors

from aimock.memories import Memories
from aimock_protocols import gemini_interactions, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
)

Ask = Callable[..., ChatRequest]

CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), {}, id="text"),
    pytest.param(Reply((Text(""),)), {}, id="empty text"),
    pytest.param(Reply(), {}, id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": 1}'), ToolCall("g", ""))), {}, id="calls"),
    pytest.param(Reply((Text("a"), ToolCall("f", '{"x": 1}', "i"), Text("b"))), {}, id="interleaved"),
    pytest.param(Reply((Text("a"),), reasoning="I think", reasoning_signature="c2ln"), {}, id="thought"),
    pytest.param(Reply((Text("a"),), reasoning_signature="c2ln"), {}, id="signature"),
    pytest.param(Reply((Text("a"),), web_searches=("x", "y")), {}, id="searches"),
    pytest.param(Reply(refusal="I cannot.", finish_reason="content_filter"), {}, id="refusal"),
    pytest.param(Reply((Text("a"),), usage={"prompt_tokens": 5, "cost": 0.5}), {"store": False}, id="usage"),
    pytest.param(Reply((Text("a"),)), {"model": None, "agent": "a"}, id="agent"),
]
OURS = {"object", "role", "cost"}
"""Members that the SDK's types do not have, though the service sends them or the fixture does."""


def known(value: Any) -> None:
    """Nothing in it is of a kind that the SDK does not know, nor has members that it does not know."""
    if isinstance(value, pydantic.BaseModel):
        assert not getattr(value, "is_unknown", False), value
        assert set(value.model_extra or ()) <= OURS, value
        for name in type(value).model_fields:
            known(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            known(each)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("reply", "more"), CASES)
def test_whole_bodies_have_the_sdk_s_types(ask_interactions: Ask, stamp: Stamp, reply: Reply, more: Any) -> None:
    body = gemini_interactions.encode(reply, gemini_interactions.shape(ask_interactions(**more)), stamp)
    told = sdk.Interaction.model_validate_json(body)
    known(told)
    assert told.status in {"completed", "requires_action", "failed"}
    assert told.usage is not None
    assert told.steps is not None


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_events_have_the_sdk_s_types(
    ask_interactions: Ask, stamp: Stamp, reply: Reply, more: Any, chunk_size: int
) -> None:
    shape = gemini_interactions.shape(ask_interactions(stream=True, **more))
    adapter = pydantic.TypeAdapter(sdk.InteractionSSEEvent)
    broken = attrs.evolve(reply, mid_stream_error=MidStreamError(3, ErrorReply("boom")))
    for each in (reply, broken):
        frames = gemini_interactions.frames(each, shape, stamp, chunk_size)
        for event in sse.events(frame.data for frame in frames):
            if event.data != "[DONE]":
                told = adapter.validate_json(event.data)
                known(told)
                assert told.event_type == event.name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_kept_has_the_sdk_s_types(
    ask_interactions: Ask, stamp: Stamp, side_request: Callable[..., SideRequest]
) -> None:
    memory = Memories().of("", "")
    failed = attrs.evolve(CASES[0].values[0], id="a", mid_stream_error=MidStreamError(3, ErrorReply("boom")))
    request = ask_interactions(stream=True)
    gemini_interactions.remember(request, failed, gemini_interactions.shape(request), stamp, 4, memory)
    side = attrs.evolve(side_request(id="a"), memory=memory)
    for act in (gemini_interactions.retrieve, gemini_interactions.cancel):
        known(sdk.Interaction.model_validate_json(act(side).body))


def test_errors_have_the_sdk_s_types(stamp: Stamp) -> None:
    """Strictly: what does not fit loses its message there."""
    for status in (400, 404, 429, 500, 503, 529):
        body = gemini_interactions.error(ErrorReply("No.", status=status), stamp).body
        told = errors.CreateInteractionClientErrorData.model_validate_json(body, strict=True)
        assert told.error.message == "No."
        assert told.error.code


def test_the_last_event_is_where_the_sdk_stops(ask_interactions: Ask, stamp: Stamp) -> None:
    shape = gemini_interactions.shape(ask_interactions(stream=True))
    *_, last = gemini_interactions.frames(Reply(), shape, stamp, 5)
    assert last.data == b"event: done\ndata: [DONE]\n\n"

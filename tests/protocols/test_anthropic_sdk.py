"""Anthropic's own SDK as the judge: its types accept what is sent, and its accumulator puts the streams together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from pydantic import TypeAdapter

from aimock_protocols import anthropic_messages, sse
from aimock_protocols.canonical import ChatRequest, Frame, Reply, SideRequest, Stamp, Text, ToolCall

Ask = Callable[..., ChatRequest]

EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), {}, id="text"),
    pytest.param(Reply((Text(""),)), {}, id="empty text"),
    pytest.param(Reply(), {}, id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": [1, {"é": "🚀"}]}'), ToolCall("g", ""))), {}, id="calls"),
    pytest.param(Reply((ToolCall("f", "{oops"), ToolCall("g", "[1]"))), {}, id="calls without an object"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}', "i"), Text("def"))), {}, id="interleaved"),
    pytest.param(Reply(refusal="I cannot."), {}, id="refusal"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), {}, id="thinking"),
    pytest.param(
        Reply((Text("answer"),), reasoning="thought"), {"thinking": {"display": "omitted"}}, id="thinking omitted"
    ),
    pytest.param(Reply((ToolCall("f", "{}"),), redacted_thinking=("a", "b")), {}, id="redacted thinking"),
    pytest.param(Reply((Text("a"),), web_searches=("one", "two né")), {}, id="searches"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), {}, id="length"),
    pytest.param(Reply((Text("Hi"),), finish_reason="stop_sequence"), {"stop_sequences": ["END"]}, id="stop sequence"),
    pytest.param(
        Reply((Text("Hi"),), usage={"input_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}), {}, id="usage"
    ),
]
versions = pytest.mark.parametrize("version", [None, "2023-06-01", "2026-10-21"])


def data(frames: list[Frame]) -> list[Any]:
    return [
        EVENTS.validate_json(event.data, strict=True)
        for event in sse.events(frame.data for frame in frames)
        if event.name != "ping"
    ]


@versions
@pytest.mark.parametrize(("reply", "more"), CASES)
def test_whole_bodies_have_the_sdk_s_types(
    ask_claude: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], version: str | None
) -> None:
    shape = anthropic_messages.shape(ask_claude(version, **more))
    message = Message.model_validate_json(anthropic_messages.encode(reply, shape, stamp), strict=True)
    assert "".join(block.text for block in message.content if block.type == "text") == (reply.text or "")


@versions
@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 100])
def test_the_sdk_puts_the_stream_together_as_the_whole(
    ask_claude: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], version: str | None, chunk_size: int
) -> None:
    shape = anthropic_messages.shape(ask_claude(version, **more))
    snapshot = None
    buffers: dict[int, bytes] = {}
    for event in data(list(anthropic_messages.frames(reply, shape, stamp, chunk_size))):
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    whole = Message.model_validate_json(anthropic_messages.encode(reply, shape, stamp))
    assert comparable(snapshot) == comparable(whole)


def comparable(message: Any) -> Any:
    """A message without what the SDK adds to streamed ones."""
    told = orjson.loads(message.model_dump_json(exclude_none=True, warnings=False))
    for block in told["content"]:
        block.pop("parsed_output", None)
    return told


def test_models_and_counts_have_the_sdk_s_types(side_request: Callable[..., SideRequest]) -> None:
    names = ("claude-opus-4-5-20251101", "claude-x", "gpt-4o")
    one = anthropic_messages.retrieve_model(side_request(*names, model="gpt-4o")).body
    ModelInfo.model_validate_json(one, strict=True)
    for model in orjson.loads(anthropic_messages.list_models(side_request(*names)).body)["data"]:
        ModelInfo.model_validate_json(orjson.dumps(model), strict=True)
    counted = anthropic_messages.count_tokens(side_request(body=b'{"messages":[]}')).body
    assert MessageTokensCount.model_validate_json(counted, strict=True).input_tokens == 1

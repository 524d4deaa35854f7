"""OpenAI's own SDK as the judge: its types accept what is sent, and its accumulator puts the streams together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import orjson
import pytest
from openai._types import NOT_GIVEN
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.conversations import Conversation, ConversationDeletedResource, ConversationItem, ConversationItemList
from openai.types.responses import (
    CompactedResponse,
    InputTokenCountResponse,
    Response,
    ResponseItemList,
    ResponseOutputItem,
    ResponseStreamEvent,
    ResponseUsage,
)
from pydantic import TypeAdapter, create_model

from aimock.memories import Memories
from aimock_protocols import openai_responses, sse
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, MidStreamError, Reply, Stamp, Text, ToolCall

Ask = Callable[..., ChatRequest]

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
Whole = create_model("Whole", __base__=Response, status=(str, ...), usage=(ResponseUsage | None, ...))
"""A response with what its own types leave open: that there is a status, and a usage or null."""

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CUSTOM = {"type": "custom", "name": "c"}
NAMESPACE = {"type": "namespace", "name": "n", "description": "tools", "tools": [TOOL]}
FORMAT = {"type": "json_schema", "name": "Answer", "schema": {"type": "object"}, "strict": True}
SETTINGS = {
    "instructions": "Be brief.",
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "metadata": {"a": "b"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "s",
    "service_tier": "flex",
    "store": False,
    "temperature": 0.5,
    "text": {"format": FORMAT, "verbosity": "low"},
    "tool_choice": {"type": "function", "name": "f"},
    "tools": [TOOL, CUSTOM, {"type": "web_search"}, {"type": "mcp", "server_label": "s", "headers": {"key": "secret"}}],
    "top_logprobs": 2,
    "top_p": 0.9,
    "truncation": "auto",
    "user": "u",
    "conversation": {"id": "conv_1"},
}
ENCRYPTED = {"include": ["reasoning.encrypted_content"], "model": "gpt-5"}

CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), {}, id="text"),
    pytest.param(Reply((Text(""),)), {}, id="empty text"),
    pytest.param(Reply(), {}, id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": "é🚀"}'), ToolCall("g", ""))), {"tools": [TOOL]}, id="calls"),
    pytest.param(Reply((ToolCall("c", "free text"),)), {"tools": [CUSTOM]}, id="custom tool"),
    pytest.param(Reply((ToolCall("f", "{}"),)), {"tools": [NAMESPACE]}, id="namespace"),
    pytest.param(Reply((Text("abc"), ToolCall("f", "{oops", "i"), Text("def"))), {}, id="interleaved"),
    pytest.param(Reply(refusal="I cannot."), {}, id="refusal"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), {}, id="thought"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), ENCRYPTED, id="encrypted thought"),
    pytest.param(Reply((Text("answer"),), redacted_thinking=("a", "b")), ENCRYPTED, id="hidden thoughts"),
    pytest.param(Reply((Text("answer"),)), ENCRYPTED, id="encrypted and made up"),
    pytest.param(Reply((Text("a"),), web_searches=("one", "two né")), {}, id="searches"),
    pytest.param(
        Reply((Text("a"),), web_searches=("one",)), {"include": ["web_search_call.action.sources"]}, id="sources"
    ),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), {}, id="length"),
    pytest.param(Reply((ToolCall("f", "{"),), finish_reason="length"), {}, id="length in a call"),
    pytest.param(Reply((Text("Hi"),), finish_reason="content_filter"), {}, id="content filter"),
    pytest.param(Reply((Text("Hi"),), finish_reason="failed"), {}, id="failed"),
    pytest.param(Reply((Text("Hi"),), usage={"input_tokens": 5, "cost": 0.5}), {}, id="usage"),
    pytest.param(Reply((Text("Hi"),)), SETTINGS, id="settings"),
    pytest.param(
        Reply((Text("Hi there, you"), Text("and you"))),
        {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        id="logprobs",
    ),
    pytest.param(Reply((Text("Hi"),)), {"background": True}, id="background"),
    pytest.param(Reply((Text("Hi"),)), {"stream_options": {"include_obfuscation": True}}, id="obfuscated"),
]


def data(frames: list[Frame]) -> list[Any]:
    told = list(sse.events(frame.data for frame in frames))
    for event in told:
        assert orjson.loads(event.data)["type"] == event.name
    return [EVENTS.validate_json(event.data, strict=True) for event in told]


@pytest.mark.parametrize(("reply", "more"), CASES)
def test_whole_bodies_have_the_sdk_s_types(
    ask_responses: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any]
) -> None:
    request = ask_responses(**more)
    body = openai_responses.encode(reply, openai_responses.shape(request), stamp)
    response = Whole.model_validate_json(body, strict=True)
    if not more.get("background"):
        assert response.output_text == (reply.text or "")
    told = orjson.loads(body)
    for name, value in more.items():
        if name not in ("include", "stream_options", "tools"):
            assert told[name] == value
    assert [tool.items() >= sent.items() for tool, sent in zip(told["tools"], more.get("tools", []), strict=True)] == [
        tool["type"] != "mcp" for tool in told["tools"]
    ]
    assert b"secret" not in body


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 100])
def test_the_sdk_puts_the_stream_together_as_the_whole(
    ask_responses: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], chunk_size: int
) -> None:
    shape = openai_responses.shape(ask_responses(**more))
    told = data(list(openai_responses.frames(reply, shape, stamp, chunk_size)))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    state = ResponseStreamState(input_tools=NOT_GIVEN, text_format=NOT_GIVEN)
    for event in told[:-1]:
        state.handle_event(event)
    snapshot = state.__dict__["_ResponseStreamState__current_snapshot"]
    final = told[-1].response
    whole = Response.model_validate_json(
        openai_responses.encode(reply, shape._replace(is_background=False), stamp), strict=True
    )
    assert [comparable(item) for item in snapshot.output] == [comparable(item) for item in final.output]
    expected = orjson.loads(whole.model_dump_json()) | {"background": shape.is_background}
    assert expected == orjson.loads(final.model_dump_json()) | {"billing": {"payer": "developer"}}


def comparable(item: Any) -> Any:
    """An item without what the accumulator adds, and without the ends and the deltas that it does not heed."""
    told = orjson.loads(item.model_dump_json(warnings=False))
    for name in ("status", "parsed_arguments", "action", "summary", "input"):
        told.pop(name, None)
    for part in told.get("content") or ():
        for name in ("parsed", "logprobs", "refusal"):
            part.pop(name, None)
    return told


@pytest.mark.parametrize("after", [0, 3, 1000])
def test_an_error_in_the_midst_has_the_sdk_s_types(ask_responses: Ask, stamp: Stamp, after: int) -> None:
    error = ErrorReply("Slow down.", "requests", code="rate_limit_exceeded", status=429)
    reply = Reply((Text("Hello"),), mid_stream_error=MidStreamError(after, error))
    told = data(list(openai_responses.frames(reply, openai_responses.shape(ask_responses()), stamp, 2)))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert [event.type for event in told[-2:]] == ["error", "response.failed"]
    assert told[-1].response.error.code == "rate_limit_exceeded"
    frame = openai_responses.error_frame(error, openai_responses.shape(ask_responses()), stamp)
    assert [event.type for event in data([frame])] == ["error", "response.failed"]


INPUT: list[Any] = [
    {"role": "user", "content": "hello"},
    {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]},
    {"role": "assistant", "content": "Hi"},
    {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "ok"},
    {"type": "custom_tool_call", "call_id": "b", "name": "c", "input": "x"},
    {"type": "custom_tool_call_output", "call_id": "b", "output": "ok"},
    {"type": "reasoning", "summary": []},
]


def test_what_is_beside_responses_has_the_sdk_s_types(stamp: Stamp, ask_responses: Ask, beside: Any) -> None:
    memory = Memories().of("", "")
    request = ask_responses(input=INPUT)
    shape = openai_responses.shape(request)
    openai_responses.remember(request, Reply((Text("Hi"),)), shape, stamp, 20, memory)
    (stored,) = memory.keys()

    def ask(function: str, kind: Any, query: str = "", body: Any = None, **params: str) -> Any:
        told = getattr(openai_responses, function)(beside(memory, query, body, **params))
        return TypeAdapter(kind).validate_json(told.body, strict=True)

    assert ask("retrieve", Whole, response=stored).id == stored
    items = ask("list_input_items", ResponseItemList, "order=asc", response=stored)
    assert [item.type for item in items.data] == [item.get("type", "message") for item in INPUT]
    assert ask("count_input_tokens", InputTokenCountResponse, body={"input": "hello"}).input_tokens == 2
    compacted = ask("compact", CompactedResponse | dict[str, Any], body={"model": "m", "input": INPUT})
    TypeAdapter(ResponseOutputItem).validate_python(compacted["output"][-1])
    ResponseUsage.model_validate(compacted["usage"], strict=True)
    conversation = ask("create_conversation", Conversation, body={"items": INPUT, "metadata": {"a": "b"}}).id
    listed = ask("list_conversation_items", ConversationItemList, "order=asc", conversation=conversation)
    assert len(listed.data) == len(INPUT)
    ask("retrieve_conversation", Conversation, conversation=conversation)
    ask("update_conversation", Conversation, body={"metadata": {"c": "d"}}, conversation=conversation)
    added = ask("create_conversation_items", ConversationItemList, body={"items": INPUT}, conversation=conversation)
    one = {"conversation": conversation, "item": added.last_id}
    ask("retrieve_conversation_item", ConversationItem, **one)
    ask("delete_conversation_item", Conversation, **one)
    ask("delete_conversation", ConversationDeletedResource, conversation=conversation)
    deleted = create_model("Deleted", id=(str, ...), object=(Literal["response"], ...), deleted=(Literal[True], ...))
    ask("delete", deleted, response=stored)
    assert memory.keys() == ()

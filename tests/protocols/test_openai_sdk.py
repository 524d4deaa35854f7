"""OpenAI's own SDK as the judge: its types accept all that is sent, and its accumulator puts the streams together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from aimock_protocols import openai_chat, openai_completions, sse
from aimock_protocols.canonical import ChatRequest, Frame, Head, Reply, SideRequest, Stamp, Text, ToolCall

Ask = Callable[..., ChatRequest]

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}, {"type": "custom", "custom": {"name": "c"}}]
CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), {}, id="text"),
    pytest.param(Reply((Text(""),)), {}, id="empty text"),
    pytest.param(Reply(), {}, id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": 1}'), ToolCall("g", ""))), {}, id="calls"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}', "i"), Text("def"))), {"tools": TOOLS}, id="interleaved"),
    pytest.param(Reply((ToolCall("c", "some input"),)), {"tools": TOOLS}, id="custom tool"),
    pytest.param(Reply((ToolCall("f", '{"x": 1}'),)), {"functions": [{"name": "f"}]}, id="legacy function"),
    pytest.param(Reply(refusal="I cannot."), {}, id="refusal"),
    pytest.param(Reply(refusal="I cannot."), {"logprobs": True}, id="refusal with logprobs"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), {}, id="reasoning"),
    pytest.param(Reply((Text("Hi there, you"),)), {"logprobs": True, "top_logprobs": 3}, id="logprobs"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), {"n": 3, "service_tier": "flex"}, id="several choices"),
    pytest.param(Reply((Text("Hi"),), usage={"prompt_tokens": 5, "cost": 0.5}), {}, id="usage"),
]
USAGE = {"stream_options": {"include_usage": True}}


def data(frames: list[Frame]) -> list[str]:
    return [event.data for event in sse.events(frame.data for frame in frames) if event.data != "[DONE]"]


@pytest.mark.parametrize(("reply", "more"), CASES)
def test_whole_bodies_have_the_sdk_s_types(ask: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any]) -> None:
    body = openai_chat.encode(reply, openai_chat.shape(ask(**more)), stamp)
    completion = ChatCompletion.model_validate_json(body, strict=True)
    assert completion.choices[0].message.content == reply.text
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("options", [{}, USAGE], ids=["", "usage"])
def test_chunks_have_the_sdk_s_types(
    ask: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], options: dict[str, Any]
) -> None:
    for chunk in data(list(openai_chat.frames(reply, openai_chat.shape(ask(**more, **options)), stamp, 2))):
        ChatCompletionChunk.model_validate_json(chunk, strict=True)


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 100])
def test_the_sdk_puts_the_stream_together_as_the_whole(
    ask: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], chunk_size: int
) -> None:
    request = ask(**more, **USAGE)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in data(list(openai_chat.frames(reply, openai_chat.shape(request), stamp, chunk_size))):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(chunk))
    streamed = state.current_completion_snapshot.to_dict(exclude_none=True)
    whole = ChatCompletion.model_validate_json(openai_chat.encode(reply, openai_chat.shape(request), stamp)).to_dict(
        exclude_none=True
    )
    assert comparable(streamed) == comparable(whole)


def comparable(completion: Any) -> Any:
    """A completion without what the SDK adds to streams, drops from them, or has types of function tools only for."""
    completion["object"] = "chat.completion"
    for choice in completion["choices"]:
        message = choice["message"]
        message.pop("annotations", None)
        for key in ("content", "refusal"):
            message[key] = message.get(key) or None
        if not any((choice.get("logprobs") or {}).values()):
            choice.pop("logprobs", None)
        for call in message.get("tool_calls", []):
            call.pop("index", None)
            custom = call.pop("custom", None)
            if custom is not None:
                call |= {"type": "function", "function": {"name": custom["name"], "arguments": custom["input"]}}
    return completion


@pytest.mark.parametrize(
    "reply", [Reply((Text("Hello"),)), Reply(), Reply((ToolCall("f", "{}"),)), Reply(refusal="No.")]
)
@pytest.mark.parametrize("more", [{}, {"n": 2, "echo": True}, USAGE])
def test_completions_have_the_sdk_s_types(head: Head, stamp: Stamp, reply: Reply, more: dict[str, Any]) -> None:
    request = openai_completions.decode(head, {}, orjson.dumps({"prompt": ["a", "b"]} | more))
    whole = Completion.model_validate_json(
        openai_completions.encode(reply, openai_completions.shape(request), stamp), strict=True
    )
    texts = [""] * len(whole.choices)
    for chunk in data(list(openai_completions.frames(reply, openai_completions.shape(request), stamp, 2))):
        # The SDK's type of a chunk is that of a whole completion, and so denies that a finish reason can be null.
        patched = chunk.replace('"finish_reason":null', '"finish_reason":"stop"')
        for choice in Completion.model_validate_json(patched, strict=True).choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]


def test_models_have_the_sdk_s_type(side_request: Callable[..., SideRequest]) -> None:
    Model.model_validate_json(openai_chat.retrieve_model(side_request("o3", model="o3")).body, strict=True)
    for model in orjson.loads(openai_chat.list_models(side_request("a", "b")).body)["data"]:
        Model.model_validate(model, strict=True)

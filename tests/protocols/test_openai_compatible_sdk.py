"""The providers' own SDKs as judges: their types accept what their dialects send, strictly; OpenAI's accept all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import groq.types.chat as groq_types
import mistralai.client.models as mistral_types
import openai.types.chat as openai_types
import pytest
import together.types.chat as together_types
from cerebras.cloud.sdk.types.chat.chat_completion import ChatChunkResponse, ChatCompletionResponse
from openai.lib.streaming.chat import ChatCompletionStreamState
from pydantic import BaseModel

from aimock_protocols import openrouter, sse
from aimock_protocols.azure_openai import chat as azure
from aimock_protocols.canonical import ChatRequest, Frame, Reply, Stamp, Text, ToolCall
from aimock_protocols.openai_compatible import PROVIDERS
from aimock_protocols.registry import PROTOCOLS

Ask = Callable[..., ChatRequest]

REPLIES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), id="text"),
    pytest.param(Reply((ToolCall("f", '{"x": 1}'), ToolCall("g", ""))), id="calls"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}'))), id="text and a call"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), id="reasoning"),
    pytest.param(Reply((Text("Hi"),), finish_reason="stop", usage={"prompt_tokens": 5}), id="usage"),
]
FRAGMENT = re.compile(r'\[\{"index":\d,"function"')
"""A fragment of a call, for which Together's type has no place, though it streams them."""

SDKS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "mistral": (mistral_types.ChatCompletionResponse, mistral_types.CompletionChunk),
    "groq": (groq_types.ChatCompletion, groq_types.ChatCompletionChunk),
    "together": (together_types.ChatCompletion, together_types.ChatCompletionChunk),
    "cerebras": (ChatCompletionResponse, ChatChunkResponse),
}
LOADED = {provider.name: f"openai_compatible:{provider.name}" for provider in PROVIDERS}
SPEAKERS: dict[str, Any] = {
    name: next(each for each in PROTOCOLS if each.name == registered).load() for name, registered in LOADED.items()
} | {"azure": azure, "openrouter": openrouter}


def events(frames: list[Frame]) -> list[str]:
    return [event.data for event in sse.events(frame.data for frame in frames) if event.data != "[DONE]"]


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("name", SDKS)
def test_the_provider_s_own_types(ask: Ask, stamp: Stamp, name: str, reply: Reply) -> None:
    protocol, (whole, chunk) = SPEAKERS[name], SDKS[name]
    asked = protocol.shape(ask(stream_options={"include_usage": True}))
    told = whole.model_validate_json(protocol.encode(reply, asked, stamp))
    assert told.choices[0].message.tool_calls or not reply.tool_calls  # type: ignore[attr-defined]
    for event in events(list(protocol.frames(reply, asked, stamp, 2))):
        if not (name == "together" and FRAGMENT.search(event)):
            chunk.model_validate_json(event)


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("name", SPEAKERS)
def test_openai_s_sdk_puts_every_stream_together(ask: Ask, stamp: Stamp, name: str, reply: Reply) -> None:
    """As it is used with a base URL: it validates nothing, but what it makes of a stream is what the body says."""
    protocol = SPEAKERS[name]
    asked = protocol.shape(ask(stream_options={"include_usage": True}))
    state: Any = ChatCompletionStreamState()
    for event in events(list(protocol.frames(reply, asked, stamp, 2))):
        if '"object":""' not in event and '"thinking"' not in event:  # Azure's preamble, and Mistral's lists
            state.handle_chunk(openai_types.ChatCompletionChunk.model_validate_json(event))
    assembled = state.get_final_completion().choices[0]
    assert (assembled.message.content or "") == (reply.text or "")
    calls = [(call.function.name, call.function.arguments) for call in assembled.message.tool_calls or ()]
    assert calls == [(call.name, call.arguments or "{}") for call in reply.tool_calls]
    assert assembled.finish_reason == reply.finish_reason or reply.finish_reason is None

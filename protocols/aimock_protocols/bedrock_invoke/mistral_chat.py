"""Mistral Large of 2024: Chat Completions in words of its own, whole and streamed alike (wire-bedrock §5.6)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols import openai_chat
from aimock_protocols.bedrock_invoke import openai_style, reframing
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.canonical import ChatRequest, FrameKind, Reply, Stamp, ToolCall
from aimock_protocols.collapsing import Collapsed, json_object
from aimock_protocols.openai_chat.envelope import call_arguments, created
from aimock_protocols.slicing import slices
from aimock_protocols.usage import estimate, prompt_length

name = "mistral_chat"
models = provided_by(r"mistral\.mistral-large-24")

asks = openai_style.asks


def answers(document: dict[str, Any]) -> bool:
    choices = document.get("choices")
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict) and _is_its_own(choices[0])


def _is_its_own(choice: dict[str, Any]) -> bool:
    return "stop_reason" in choice and "message" in choice


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    request = openai_style.decode(sent, model, stream)
    if request.body.get("tool_choice") == "any":
        request.body["tool_choice"] = "required"
    return request


def shape(request: ChatRequest) -> Shape:
    return Shape(name, request.model, estimate(prompt_length(request.body["messages"])))


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    message: dict[str, Any] = {"role": reply.role or "assistant", "content": reply.text or reply.refusal or ""}
    calls = _calls(reply, stamp)
    if calls:
        message["tool_calls"] = calls
    return orjson.dumps(_completion("chat.completion", reply, shape, stamp, message, _reason(reply)))


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    """Slices of the text, then all calls at once, then the reason, which comes with a message that is empty."""

    def document(message: dict[str, Any], reason: str | None = None) -> Document:
        told = _completion("chat.completion.chunk", reply, shape, stamp, message, reason)
        return Document(orjson.dumps(told), FrameKind.TOKEN)

    role = reply.role or "assistant"
    texts = slices(reply.text or reply.refusal or "", chunk_size)
    told = [document({"role": role, "content": text}) for text in texts]
    calls = _calls(reply, stamp)
    if calls:
        told.append(document({"role": role, "content": "", "tool_calls": calls}))
    told.append(document({"role": role, "content": ""}, _reason(reply)))
    return told


def _completion(
    kind: str, reply: Reply, shape: Shape, stamp: Stamp, message: dict[str, Any], reason: str | None
) -> dict[str, Any]:
    return {
        "id": stamp.uuid("answer") if reply.id is None else reply.id,
        "object": kind,
        "created": created(reply, stamp),
        "model": shape.own if reply.model is None else reply.model,
        "choices": [{"index": 0, "message": message, "stop_reason": reason}],
    }


def _calls(reply: Reply, stamp: Stamp) -> list[dict[str, Any]]:
    return [
        {
            "id": stamp.alphanumeric(9, f"call {position}") if call.id is None else call.id,
            "function": {"name": call.name, "arguments": call_arguments(call)},
        }
        for position, call in enumerate(reply.tool_calls)
    ]


def _reason(reply: Reply) -> str:
    """OpenAI's own names."""
    if reply.finish_reason is not None:
        return reply.finish_reason
    return "tool_calls" if any(isinstance(part, ToolCall) for part in reply.parts) else "stop"


def parse(body: bytes) -> Reply:
    return openai_chat.parse(reframing.dumped(_in_openais_words(json_object(body))))


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    return openai_chat.read_stream(reframing.events(_in_openais_words(document) for document in documents))


def _in_openais_words(document: dict[str, Any]) -> dict[str, Any]:
    if not answers(document):
        return document
    choices = [
        {**choice, "finish_reason": choice.get("stop_reason")} if isinstance(choice, dict) else choice
        for choice in document["choices"]
    ]
    return {**document, "choices": choices}

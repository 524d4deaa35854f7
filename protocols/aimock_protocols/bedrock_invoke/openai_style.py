"""Models that speak OpenAI's Chat Completions: gpt-oss, Qwen, DeepSeek V3, Kimi, Mistral's newer ones and many more
(wire-bedrock §5.8)."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import attrs

from aimock_protocols import openai_chat
from aimock_protocols.bedrock_invoke import reframing
from aimock_protocols.bedrock_invoke.counts import counted
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import objects, required
from aimock_protocols.canonical import ChatRequest, Reply, Stamp, Text
from aimock_protocols.collapsing import Collapsed, mapping
from aimock_protocols.openai_chat.decode import chat_request
from aimock_protocols.openai_chat.shape import Shape as CompletionShape

name = "openai_style"
models = provided_by(
    r"(?:openai|qwen|deepseek|moonshot(?:ai)?|minimax|zai|nvidia|google|writer|ai21|mistral(?!\.mistral-large-24))\."
)

_THINKS_ALOUD = provided_by(r"openai\.gpt-oss")
"""Models whose thought stands in the text of the answer, before it (AWS, "OpenAI models", response body)."""
_OPENING, _CLOSING = "<reasoning>", "</reasoning>"


class Own(NamedTuple):
    """What answers take from their request."""

    completion: CompletionShape
    thinks_aloud: bool


def asks(sent: dict[str, Any]) -> bool:
    return "messages" in sent


def answers(document: dict[str, Any]) -> bool:
    """Those that give a reason of another name are in words of their own."""
    choices = document.get("choices")
    return isinstance(choices, list) and not (choices and "stop_reason" in mapping(choices[0]))


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    objects(required(sent, "messages", list), "#/messages")
    sent = {**sent, "model": model, "stream": stream}
    return chat_request(sent, sent, {})


def shape(request: ChatRequest) -> Shape:
    own = openai_chat.shape(request)
    return Shape(name, Own(own, _THINKS_ALOUD.search(request.model) is not None), own.prompt_tokens)


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    own = cast(Own, shape.own)
    return openai_chat.encode(_aloud(reply, shape) if own.thinks_aloud else reply, own.completion, stamp)


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    own = cast(Own, shape.own)
    told = _aloud(reply, shape) if own.thinks_aloud else reply
    return reframing.documents(openai_chat.frames(told, own.completion, stamp, chunk_size))


def parse(body: bytes) -> Reply:
    return _silent(openai_chat.parse(body))


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    collapsed = openai_chat.read_stream(reframing.events(documents))
    return attrs.evolve(collapsed, reply=_silent(collapsed.reply))


def _aloud(reply: Reply, shape: Shape) -> Reply:
    """The reply with its thought in its text, which counts for as many tokens as without."""
    if reply.reasoning is None:
        return reply
    counts = counted(reply, shape.prompt_tokens)
    usage = {"prompt_tokens": counts.prompt, "completion_tokens": counts.completion} | dict(reply.usage or {})
    thought = Text(f"{_OPENING}{reply.reasoning}{_CLOSING}")
    return attrs.evolve(reply, reasoning=None, parts=(thought, *reply.parts), usage=usage)


def _silent(reply: Reply) -> Reply:
    """The inverse."""
    first = reply.parts[0] if reply.parts else None
    if not (isinstance(first, Text) and first.text.startswith(_OPENING)):
        return reply
    thought, closing, rest = first.text.removeprefix(_OPENING).partition(_CLOSING)
    if not closing:
        return reply
    parts = (Text(rest), *reply.parts[1:]) if rest else reply.parts[1:]
    return attrs.evolve(reply, reasoning=thought, parts=parts)

"""Whole replies of the first version (wire-cohere §5)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import Headers, Reply, Stamp
from aimock_protocols.cohere import envelope
from aimock_protocols.cohere.v1.grounding import documents, legacy
from aimock_protocols.cohere.v1.shape import Shape

FINISH_REASONS = {
    "stop": "COMPLETE",
    "tool_calls": "COMPLETE",
    "length": "MAX_TOKENS",
    "content_filter": "ERROR_TOXIC",
}
"""OpenAI's finish reasons in the provider's terms; any other passes through."""

API_VERSION = {"version": "1"}


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    return orjson.dumps(response(reply, shape, stamp))


def response(reply: Reply, shape: Shape, stamp: Stamp) -> dict[str, Any]:
    """A whole response, which is also what a stream ends with."""
    text, calls = spoken(reply), tool_calls(reply)
    answer: dict[str, Any] = {"role": "CHATBOT", "message": text}
    told: dict[str, Any] = {
        "response_id": envelope.reply_id(reply, stamp),
        "text": text,
        "generation_id": generation_id(stamp),
        "chat_history": None,
        "finish_reason": finish_reason(reply),
    }
    if calls:
        answer["tool_calls"] = told["tool_calls"] = calls
    if reply.citations:
        told["citations"] = [legacy(citation) for citation in reply.citations]
        told["documents"] = documents(reply.citations)
    separator = "" if shape.history == "[" else ","
    history = f"{shape.history}{separator}{orjson.dumps(answer).decode()}]"
    told["chat_history"] = orjson.Fragment(history)
    told["meta"] = {"api_version": API_VERSION, **envelope.usage(reply, shape.chat).told()}
    return told


def spoken(reply: Reply) -> str:
    """All that is said: a refusal, the text, the plan if the fixture has one. Thoughts are not told."""
    return f"{reply.refusal or ''}{reply.text or ''}{reply.tool_plan or ''}"


def tool_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"name": call.name, "parameters": orjson.Fragment(on_one_line(call.arguments))} for call in reply.tool_calls
    ]


def finish_reason(reply: Reply) -> str:
    """The reply's own reason; calls end a reply as text does."""
    reason = reply.finish_reason or "stop"
    return FINISH_REASONS.get(reason, reason)


def generation_id(stamp: Stamp) -> str:
    return stamp.uuid("generation")


def reply_headers(reply: Reply, shape: Shape) -> Headers:
    """Tokens and characters, as the second version tells them."""
    return envelope.reply_headers(reply, shape.chat)

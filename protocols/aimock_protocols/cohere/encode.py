"""Whole replies of the second version (wire-cohere §3)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.cohere import envelope
from aimock_protocols.cohere.contents import Content, Plan, contents
from aimock_protocols.cohere.logprobs import items_of
from aimock_protocols.cohere.shape import Shape


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response. What a message has nothing of it leaves out, as the provider does."""
    made = contents(reply)
    calls = [block for block in made if isinstance(block, ToolCall)]
    content = [block.whole() for block in made if isinstance(block, Content)]
    plan = next((block.text for block in made if isinstance(block, Plan)), "")
    message: dict[str, Any] = {"role": "assistant"}
    if plan:
        message["tool_plan"] = plan
    if calls:
        message["tool_calls"] = [_call(call, stamp, position) for position, call in enumerate(calls)]
    if content:
        message["content"] = content
    if reply.citations:
        message["citations"] = reply.citations
    told: dict[str, Any] = {
        "id": envelope.reply_id(reply, stamp),
        "finish_reason": envelope.finish_reason(reply),
        "message": message,
        "usage": envelope.usage(reply, shape).told(),
    }
    items = items_of(reply, made, shape.wants_logprobs)
    if items:
        told["logprobs"] = [item._asdict() for item in items]
    return orjson.dumps(told)


def _call(call: ToolCall, stamp: Stamp, position: int) -> dict[str, Any]:
    return {
        "id": envelope.call_id(call, stamp, position),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }

"""Whole chat completions (wire-openai-chat §5, §9)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.logprobs import logprobs_of
from aimock_protocols.openai_chat.shape import Shape


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response, keys in the order in which the live service sends them."""
    model = envelope.model_name(reply, shape)
    finish_reason = envelope.finish_reason(reply, shape)
    logprobs = logprobs_of(reply, shape)
    return orjson.dumps(
        {
            "id": envelope.reply_id(reply, stamp),
            "object": "chat.completion",
            "created": envelope.created(reply, stamp),
            "model": model,
            "choices": [
                {
                    "index": index,
                    "message": _message(reply, shape, stamp, index),
                    "logprobs": logprobs,
                    "finish_reason": finish_reason,
                }
                for index in range(shape.choices)
            ],
            "usage": envelope.usage(reply, shape),
            "service_tier": shape.service_tier,
            "system_fingerprint": envelope.fingerprint(reply, model),
        }
    )


def _message(reply: Reply, shape: Shape, stamp: Stamp, choice: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": reply.role or "assistant", "content": reply.text}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    calls = reply.tool_calls
    if calls and shape.speaks_functions:
        message["function_call"] = {"name": calls[0].name, "arguments": envelope.call_arguments(calls[0])}
    elif calls:
        message["tool_calls"] = [
            _tool_call(call, envelope.call_id(call, stamp, choice, position), call.name in shape.custom_tools)
            for position, call in enumerate(calls)
        ]
    message["refusal"] = reply.refusal
    message["annotations"] = []
    return message


def _tool_call(call: ToolCall, call_id: str, is_custom: bool) -> dict[str, Any]:
    if is_custom:
        return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": envelope.call_arguments(call)}
    return {"id": call_id, "type": "function", "function": function}

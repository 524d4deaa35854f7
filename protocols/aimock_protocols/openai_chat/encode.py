"""Whole chat completions (wire-openai-chat §5, §9)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import ChatRequest, Reply, Stamp, ToolCall
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.logprobs import logprobs_of


def encode(reply: Reply, request: ChatRequest, stamp: Stamp) -> bytes:
    """The body of a whole response, keys in the order in which the live service sends them."""
    model = envelope.model_name(reply, request)
    finish_reason = envelope.finish_reason(reply, request)
    logprobs = logprobs_of(reply, request)
    return orjson.dumps(
        {
            "id": envelope.reply_id(reply, stamp),
            "object": "chat.completion",
            "created": envelope.created(reply, stamp),
            "model": model,
            "choices": [
                {
                    "index": index,
                    "message": _message(reply, request, stamp, index),
                    "logprobs": logprobs,
                    "finish_reason": finish_reason,
                }
                for index in range(envelope.choice_count(request))
            ],
            "usage": envelope.usage(reply, request),
            "service_tier": envelope.service_tier(request),
            "system_fingerprint": envelope.fingerprint(reply, model),
        }
    )


def _message(reply: Reply, request: ChatRequest, stamp: Stamp, choice: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": reply.role or "assistant", "content": reply.text}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    calls = reply.tool_calls
    if calls and envelope.speaks_functions(request):
        message["function_call"] = {"name": calls[0].name, "arguments": envelope.call_arguments(calls[0])}
    elif calls:
        custom = _custom_tools(request)
        message["tool_calls"] = [
            _tool_call(call, envelope.call_id(call, stamp, choice, position), call.name in custom)
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


def _custom_tools(request: ChatRequest) -> set[str]:
    """The names of the custom tools, those with free text for input, that the request offers."""
    tools = request.body.get("tools")
    offered = [tool.get("custom") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = [custom.get("name") for custom in offered if isinstance(custom, dict)]
    return {name for name in names if isinstance(name, str)}

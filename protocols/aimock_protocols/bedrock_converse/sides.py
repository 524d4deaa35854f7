"""Operations beside the conversation: token counts, guardrails, and what is not served (wire-bedrock §1, §9)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from aimock_protocols.bedrock_converse.decode import chat_request
from aimock_protocols.bedrock_converse.shape import input_tokens
from aimock_protocols.bedrock_platform import WHOLE_HEADERS, compact, constraint, model_id, read_object, refusal
from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireResponse
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_PROMPTS = ("system", "prompt", "inputText", "message")
"""Where bodies of the families of models have text outside their messages."""


def count_tokens(request: SideRequest) -> WireResponse:
    """The estimate that a conversation of the same body would tell as its input. Raises WireError."""
    given = read_object(request.body).get("input")
    if type(given) is not dict or len(given) != 1:
        raise constraint("input", "it must have exactly one member")
    if type(given.get("converse")) is dict:
        sent = {"messages": [], **given["converse"]}
        count = input_tokens(chat_request(sent, model_id(request.params["model"])))
    elif type(given.get("invokeModel")) is dict:
        count = _invocation_tokens(_invocation(given["invokeModel"].get("body")))
    else:
        raise constraint("input", "it must be converse or invokeModel")
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps({"inputTokens": count}))


def _invocation(body: Any) -> dict[str, Any]:
    """The body of an invocation, which comes in base64. Raises WireError."""
    try:
        data = base64.b64decode(body if type(body) is str else "", validate=True)
    except (binascii.Error, ValueError):
        raise constraint("input.invokeModel.body", "it must be base64") from None
    return read_object(data)


def _invocation_tokens(body: dict[str, Any]) -> int:
    """An estimate over all text of a model's own body, whatever its family. Raises WireError on tools too deep."""
    length = prompt_length(body.get("messages"))
    for name in _PROMPTS:
        text = body.get(name)
        length += utf16_length(text) if type(text) is str else prompt_length([{"content": text}])
    tools = body.get("tools") or body.get("toolConfig")
    return estimate(length + (utf16_length(compact(tools, "tools")) if tools else 0))


_UNITS = (
    "topicPolicyUnits",
    "contentPolicyUnits",
    "wordPolicyUnits",
    "sensitiveInformationPolicyUnits",
    "sensitiveInformationPolicyFreeUnits",
    "contextualGroundingPolicyUnits",
)


def apply_guardrail(request: SideRequest) -> WireResponse:
    """A guardrail that lets everything pass. Raises WireError."""
    sent = read_object(request.body)
    if sent.get("source") not in ("INPUT", "OUTPUT"):
        raise constraint("source", "it must be one of INPUT, OUTPUT")
    if type(sent.get("content")) is not list:
        raise constraint("content", "it must be a list")
    passed = {"usage": dict.fromkeys(_UNITS, 0), "action": "NONE", "outputs": [], "assessments": []}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(passed))


def refuse_bidirectional(request: SideRequest) -> WireResponse:
    """Streams in both directions need HTTP/2, which nobody has to speak here. Raises WireError, always."""
    raise refusal("InvokeModelWithBidirectionalStream needs HTTP/2")


def unknown_operation(request: SideRequest) -> WireResponse:
    """The answer to operations that are not served. Raises WireError, always."""
    raise WireError(ErrorReply("Unknown operation", code="UnknownOperationException", status=404))

"""Chat Completions requests (wire-openai-chat §2 to §4).

This protocol's body is the canonical form itself, so decoding is validation: of what the provider refuses, and no more.
Unknown keys, odd content inside messages and empty message lists pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, Head
from aimock_protocols.openai_platform import invalid_type, missing, read_model, read_object, read_optional, refusal

MAX_CHOICES = 128


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request as sent. Azure's `deployment`, percent-decoded here, is the model of a body that names none.

    Raises WireError, always a 400.
    """
    request = read_object(body)
    if "messages" not in request:
        raise missing("messages")
    messages = request["messages"]
    if type(messages) is not list:
        raise invalid_type("messages", "an array of objects", messages)
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise invalid_type(f"messages[{index}]", "an object", message)
    return chat_request(request, request, params)


def chat_request(body: dict[str, Any], native: dict[str, Any], params: Mapping[str, str]) -> ChatRequest:
    """Checks the parameters that every completion endpoint shares. Raises WireError."""
    model = read_model(body, params)
    stream = read_optional(body, "stream", bool, "a boolean")
    choices = read_optional(body, "n", int, "an integer")
    if choices is not None:
        _check_choices(choices)
    return ChatRequest(body, native, model, stream or False)


def _check_choices(n: int) -> None:
    told = f"but got {n} instead."
    if n < 1:
        message = f"Invalid 'n': integer below minimum value. Expected a value >= 1, {told}"
        raise refusal(message, "n", "integer_below_min_value")
    if n > MAX_CHOICES:
        message = f"Invalid 'n': integer above maximum value. Expected a value <= {MAX_CHOICES}, {told}"
        raise refusal(message, "n", "integer_above_max_value")

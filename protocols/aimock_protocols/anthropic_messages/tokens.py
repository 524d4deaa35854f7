"""`POST /v1/messages/count_tokens` (wire-anthropic-messages §13)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.anthropic_messages.decode import chat_request
from aimock_protocols.anthropic_messages.platform import WHOLE_HEADERS, read_object
from aimock_protocols.anthropic_messages.shape import input_tokens
from aimock_protocols.canonical import SideRequest, WireResponse


def count_tokens(request: SideRequest) -> WireResponse:
    """The estimate that a message of the same body would tell as its input. Raises WireError."""
    sent = read_object(request.body)
    count = input_tokens(chat_request(sent, sent))
    told: dict[str, Any] = {"input_tokens": count}
    if sent.get("context_management") is not None:
        told["context_management"] = {"original_input_tokens": count}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))

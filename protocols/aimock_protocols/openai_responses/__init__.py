"""OpenAI Responses, also as Azure has it: the module is the protocol (see `canonical.ChatProtocol`), over HTTP and over
WebSockets (`sessions.SocketProtocol`)."""

from __future__ import annotations

from aimock_protocols.openai_platform import KEEPALIVE as keepalive
from aimock_protocols.openai_platform import STREAM_HEADERS as stream_headers
from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.openai_responses.collapse import collapse, parse, read_stream
from aimock_protocols.openai_responses.conversations import (
    create_conversation,
    create_conversation_items,
    delete_conversation,
    delete_conversation_item,
    list_conversation_items,
    retrieve_conversation,
    retrieve_conversation_item,
    update_conversation,
)
from aimock_protocols.openai_responses.counting import compact, count_input_tokens
from aimock_protocols.openai_responses.decode import decode
from aimock_protocols.openai_responses.encode import encode
from aimock_protocols.openai_responses.following import said_in
from aimock_protocols.openai_responses.session import ResponsesSession as connect
from aimock_protocols.openai_responses.shape import shape
from aimock_protocols.openai_responses.stored import cancel, delete, list_input_items, recall, remember, retrieve
from aimock_protocols.openai_responses.stream import error_frame, frames

name = "openai_responses"
heeds: tuple[str, ...] = ()

__all__ = [
    "cancel",
    "collapse",
    "compact",
    "connect",
    "count_input_tokens",
    "create_conversation",
    "create_conversation_items",
    "decode",
    "delete",
    "delete_conversation",
    "delete_conversation_item",
    "encode",
    "error",
    "error_frame",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "list_conversation_items",
    "list_input_items",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "recall",
    "remember",
    "retrieve",
    "retrieve_conversation",
    "retrieve_conversation_item",
    "said_in",
    "shape",
    "stream_headers",
    "update_conversation",
    "whole_headers",
]

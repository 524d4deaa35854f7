"""Side routes that take the body of a request and give no answer to it: token counts, compaction (wire §1, §13)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Reply, SideRequest, WireResponse
from aimock_protocols.openai_platform import WHOLE_HEADERS, read_object
from aimock_protocols.openai_responses import envelope
from aimock_protocols.openai_responses.decode import chat_request, read_input
from aimock_protocols.openai_responses.input_items import input_items
from aimock_protocols.openai_responses.shape import input_tokens, shape


def count_input_tokens(request: SideRequest) -> WireResponse:
    """`POST /v1/responses/input_tokens`: the estimate that a response would tell. Raises WireError."""
    count = input_tokens(chat_request(read_object(request.body)))
    return _answer({"object": "response.input_tokens", "input_tokens": count})


def compact(request: SideRequest) -> WireResponse:
    """`POST /v1/responses/compact`: the user's messages as they are, and one item that stands for all else. Raises
    WireError."""
    sent = read_object(request.body)
    chat = chat_request(sent)
    stamp = request.stamp
    given = read_input(sent)
    said = [item for item in given if item.get("role") == "user"] if isinstance(given, list) else given
    kept = [orjson.Fragment(item) for item in input_items(said, stamp).values()]
    compaction = {
        "id": f"cmp_{stamp.hexadecimal(50, 'compaction')}",
        "type": "compaction",
        "encrypted_content": f"gAAAAAB{stamp.alphanumeric(64, 'compaction')}",
    }
    return _answer(
        {
            "id": f"resp_{stamp.hexadecimal(50)}",
            "object": "response.compaction",
            "created_at": int(stamp.created),
            "output": [*kept, compaction],
            "usage": envelope.usage(Reply(), shape(chat)),
        }
    )


def _answer(told: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))

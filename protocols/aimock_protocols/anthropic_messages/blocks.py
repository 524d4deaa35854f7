"""The content blocks of a reply: each as it stands in a whole message, and as a stream builds it (wire §7, §8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from aimock_protocols.anthropic_messages.shape import Shape
from aimock_protocols.arguments import object_arguments
from aimock_protocols.canonical import Reply, Stamp, Text, ToolCall

PLACEHOLDER_SIGNATURE = "YWltb2NrLXNpZ25hdHVyZQ=="
"""For thoughts whose fixture has none: clients must find one, and send it back."""

_DIRECT = {"type": "direct"}


class Delta(NamedTuple):
    """A run of text that a stream adds to a block, under `key`."""

    type: str
    key: str
    text: str
    is_sliced: bool = True
    """Whether it comes in slices, of which empty text has none; else it is sent at once, even if it is empty."""


class Block(NamedTuple):
    """One content block."""

    whole: dict[str, Any]
    start: dict[str, Any]
    """How it begins in a stream."""
    deltas: tuple[Delta, ...] = ()


def blocks(reply: Reply, shape: Shape, stamp: Stamp) -> list[Block]:
    """All blocks of a reply: hidden thoughts, the thought, searches, then its parts in order."""
    made = [_complete({"type": "redacted_thinking", "data": data}) for data in reply.redacted_thinking]
    if reply.reasoning or reply.reasoning_signature:
        made.append(_thinking(reply, shape))
    for position, query in enumerate(reply.web_searches):
        made += _search(query, f"srvtoolu_{shape.platform}01{stamp.alphanumeric(22, f'search {position}')}")
    position = 0
    for part in reply.parts:
        if isinstance(part, ToolCall):
            minted = part.id if part.id is not None else _call_id(shape, stamp, position)
            made.append(_tool_use("tool_use", minted, part.name, part.arguments))
            position += 1
        elif part.text:
            made.append(_text(part.text))
    if not made and any(isinstance(part, Text) for part in reply.parts):
        made.append(_text(""))  # the provider never sends an empty block, and clients never expect no block at all
    return made


def _call_id(shape: Shape, stamp: Stamp, position: int) -> str:
    return f"toolu_{shape.platform}01{stamp.alphanumeric(22, f'call {position}')}"


def _complete(whole: dict[str, Any]) -> Block:
    return Block(whole, whole)


def _text(text: str) -> Block:
    return Block({"type": "text", "text": text}, {"type": "text", "text": ""}, (Delta("text_delta", "text", text),))


def _thinking(reply: Reply, shape: Shape) -> Block:
    thought = "" if shape.hides_thinking else reply.reasoning or ""
    signature = reply.reasoning_signature or PLACEHOLDER_SIGNATURE
    return Block(
        {"type": "thinking", "thinking": thought, "signature": signature},
        {"type": "thinking", "thinking": "", "signature": ""},
        (
            Delta("thinking_delta", "thinking", thought),
            Delta("signature_delta", "signature", signature, is_sliced=False),
        ),
    )


def _tool_use(kind: str, block_id: str, name: str, arguments: str) -> Block:
    """A call. In a stream the first piece of its arguments is empty, and if there are none, that is all: as the
    provider does it."""
    sent = object_arguments(arguments)
    whole, streamed = ("{}", "") if sent.is_empty else (sent.whole, sent.streamed)
    opening = {"type": kind, "id": block_id, "name": name}
    return Block(
        {**opening, "input": orjson.Fragment(whole), "caller": _DIRECT},
        {**opening, "input": {}, "caller": _DIRECT},
        (
            Delta("input_json_delta", "partial_json", "", is_sliced=False),
            Delta("input_json_delta", "partial_json", streamed),
        ),
    )


def _search(query: str, block_id: str) -> Iterator[Block]:
    """A search that the provider ran itself, and its one result, which leads nowhere."""
    arguments = orjson.dumps({"query": query}).decode()
    yield _tool_use("server_tool_use", block_id, "web_search", arguments)
    result = {
        "type": "web_search_result",
        "url": f"https://example.com/search?q={quote(query, safe='')}",
        "title": query,
        "encrypted_content": PLACEHOLDER_SIGNATURE,
        "page_age": None,
    }
    yield _complete({"type": "web_search_tool_result", "tool_use_id": block_id, "content": [result], "caller": _DIRECT})

"""The content blocks of a reply: each as it stands in a whole answer, and as a stream builds it (wire §4, §6.2)."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

import orjson

from aimock_protocols.arguments import object_arguments
from aimock_protocols.bedrock_converse.shape import Shape
from aimock_protocols.canonical import Reply, Stamp, ToolCall

PLACEHOLDER_SIGNATURE = "YWltb2NrLXNpZ25hdHVyZQ=="
"""For thoughts whose fixture has none, where clients must find one, and send it back."""


class Delta(NamedTuple):
    """A run of text that a stream adds to a block: the JSON of a delta, up to where its text stands and after it."""

    before: bytes
    after: bytes
    text: str
    is_sliced: bool = True
    """Whether it comes in slices, of which empty text has none; else it is sent at once."""


class Block(NamedTuple):
    """One content block."""

    whole: dict[str, Any]
    start: dict[str, Any] | None
    """How it begins in a stream; None: with its first delta, since only calls are begun."""
    deltas: tuple[Delta, ...]


def blocks(reply: Reply, shape: Shape, stamp: Stamp) -> list[Block]:
    """All blocks of a reply: hidden thoughts, the thought, then its parts in order. Empty text is no block; a refusal
    is text."""
    made = [_hidden(blob(data)) for data in reply.redacted_thinking]
    if reply.reasoning or reply.reasoning_signature:
        made.append(_thought(reply, shape))
    position = 0
    for part in reply.parts:
        if isinstance(part, ToolCall):
            call_id = part.id if part.id is not None else f"tooluse_{stamp.alphanumeric(22, f'call {position}')}"
            made.append(_call(call_id, part.name, part.arguments))
            position += 1
        elif part.text:
            made.append(_text(part.text))
    if reply.refusal:
        made.append(_text(reply.refusal))
    return made


def _text(text: str) -> Block:
    return Block({"text": text}, None, (Delta(b'{"text":', b"}", text),))


def _thought(reply: Reply, shape: Shape) -> Block:
    thought = {"text": reply.reasoning or ""}
    deltas = [Delta(b'{"reasoningContent":{"text":', b"}}", thought["text"])]
    signature = reply.reasoning_signature or (PLACEHOLDER_SIGNATURE if shape.signs_thoughts else None)
    if signature is not None:
        thought["signature"] = signature
        deltas.append(Delta(b'{"reasoningContent":{"signature":', b"}}", signature, is_sliced=False))
    return Block({"reasoningContent": {"reasoningText": thought}}, None, tuple(deltas))


def _hidden(data: str) -> Block:
    delta = Delta(b'{"reasoningContent":{"redactedContent":', b"}}", data, is_sliced=False)
    return Block({"reasoningContent": {"redactedContent": data}}, None, (delta,))


def blob(data: str) -> str:
    """A thought that the provider keeps to itself as the base64 that the wire has: what is none is made so."""
    padded = data + "=" * (-len(data) % 4)
    try:
        base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(data.encode("utf-8", "surrogatepass")).decode()
    return padded


def _call(call_id: str, name: str, arguments: str) -> Block:
    sent = object_arguments(arguments)
    opening = {"name": name, "toolUseId": call_id}
    return Block(
        {"toolUse": {"input": orjson.Fragment(sent.whole), **opening}},
        {"toolUse": opening},
        (Delta(b'{"toolUse":{"input":', b"}}", sent.streamed),),
    )

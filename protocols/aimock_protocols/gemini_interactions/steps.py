"""The steps of a reply: each as it stands in a whole interaction, and as a stream builds it (wire-gemini §9.2f)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from aimock_protocols.arguments import object_arguments
from aimock_protocols.canonical import Reply, Stamp, Text, ToolCall
from aimock_protocols.gemini.signatures import PLACEHOLDER
from aimock_protocols.gemini_interactions import envelope
from aimock_protocols.gemini_interactions.shape import Shape


class Delta(NamedTuple):
    """A run of text that a stream adds to a step, between constant pieces of JSON."""

    opening: bytes
    text: str
    closing: bytes
    is_sliced: bool = True
    """Whether it comes in slices, of which empty text has none; else it is sent at once."""


class Step(NamedTuple):
    """One step."""

    whole: dict[str, Any]
    start: dict[str, Any]
    """How it begins in a stream."""
    deltas: tuple[Delta, ...] = ()


def steps(reply: Reply, shape: Shape, stamp: Stamp) -> list[Step]:
    """All steps of a reply: the thought, searches, then its parts in order. Empty text is told only if it is all."""
    made = []
    if reply.reasoning or reply.reasoning_signature:
        made.append(_thought(reply, shape))
    for position, query in enumerate(reply.web_searches):
        made += _search(query, stamp.hexadecimal(8, f"search {position}"))
    position = 0
    for part in reply.parts:
        if isinstance(part, ToolCall):
            made.append(_function_call(part, envelope.call_id(part, stamp, position)))
            position += 1
        elif part.text:
            made.append(_output(part.text))
    if reply.refusal and not any(isinstance(part, Text) for part in reply.parts):
        made.append(_output(reply.refusal))
    if not made and any(isinstance(part, Text) for part in reply.parts):
        made.append(_output(""))
    return made


def _output(text: str) -> Step:
    delta = Delta(b'{"text":', text, b',"type":"text"}', is_sliced=bool(text))
    whole = {"type": "model_output", "content": [{"type": "text", "text": text}]}
    return Step(whole, {"type": "model_output"}, (delta,))


def _thought(reply: Reply, shape: Shape) -> Step:
    signature = reply.reasoning_signature or PLACEHOLDER
    whole: dict[str, Any] = {"type": "thought", "signature": signature}
    deltas = [Delta(b'{"signature":', signature, b',"type":"thought_signature"}', is_sliced=False)]
    if reply.reasoning and not shape.hides_thoughts:
        whole["summary"] = [{"type": "text", "text": reply.reasoning}]
        ending = b',"type":"text"},"type":"thought_summary"}'
        deltas.insert(0, Delta(b'{"content":{"text":', reply.reasoning, ending))
    return Step(whole, {"type": "thought"}, tuple(deltas))


def _function_call(call: ToolCall, call_id: str) -> Step:
    arguments = object_arguments(call.arguments)
    opening = {"type": "function_call", "id": call_id, "name": call.name}
    return Step(
        {**opening, "arguments": orjson.Fragment(arguments.whole)},
        {**opening, "arguments": {}},
        (Delta(b'{"arguments":', arguments.streamed, b',"type":"arguments_delta"}'),),
    )


def _search(query: str, call_id: str) -> Iterator[Step]:
    """A search that the provider ran itself, and what it found, which leads nowhere."""
    call = {"type": "google_search_call", "id": call_id, "arguments": {"queries": [query]}}
    suggestion = f'<a href="https://example.com/search?q={quote(query, safe="", errors="replace")}">search</a>'
    result = {"type": "google_search_result", "call_id": call_id, "result": [{"search_suggestions": suggestion}]}
    yield Step(call, call)
    yield Step(result, result)

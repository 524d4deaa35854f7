"""The parts of a reply's content, in the order in which they are sent (wire-gemini §3.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import Reply, Stamp, Text, ToolCall
from aimock_protocols.gemini.shape import Shape
from aimock_protocols.gemini.signatures import PLACEHOLDER, as_base64, signs_calls


def parts(reply: Reply, shape: Shape, stamp: Stamp) -> list[dict[str, Any]]:
    """The thought, then texts and calls. Empty text is sent only where there is nothing else.

    The signature is that of the first call, or else of the last text: where there is neither, of an empty one.
    """
    made: list[dict[str, Any]] = []
    if reply.reasoning:
        made.append({"text": reply.reasoning, "thought": True})
    said: list[dict[str, Any]] = []
    position = 0
    for part in reply.parts:
        if isinstance(part, ToolCall):
            minted = stamp.hexadecimal(8, f"call {position}") if part.id is None else part.id
            arguments = orjson.Fragment(on_one_line(part.arguments))
            said.append({"functionCall": {"name": part.name, "args": arguments, "id": minted}})
            position += 1
        elif part.text:
            said.append({"text": part.text})
    called = next((part for part in said if "functionCall" in part), None)
    signature = reply.reasoning_signature or (PLACEHOLDER if called and signs_calls(shape.model) else None)
    if not said and (signature or (not made and any(isinstance(part, Text) for part in reply.parts))):
        said.append({"text": ""})
    if signature:
        (called or said[-1])["thoughtSignature"] = as_base64(signature)
    return made + said


def grounding(reply: Reply) -> dict[str, Any]:
    """What an answer rests on: the searches that the provider ran itself, and a page for each that leads nowhere."""
    chips = "".join(f'<a class="chip" href="{_url(query)}">search</a>' for query in reply.web_searches)
    return {
        "webSearchQueries": list(reply.web_searches),
        "searchEntryPoint": {"renderedContent": f'<div class="container">{chips}</div>'},
        "groundingChunks": [{"web": {"uri": _url(query), "title": query}} for query in reply.web_searches],
    }


def _url(query: str) -> str:
    return f"https://example.com/search?q={quote(query, safe='', errors='replace')}"

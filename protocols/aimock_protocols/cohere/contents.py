"""What a reply consists of, in the order in which it is streamed (wire-cohere §3, §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aimock_protocols.canonical import Reply, Text, ToolCall
from aimock_protocols.collapsing import string


class Content(NamedTuple):
    """A content block: its kind, `text` or `thinking`, which is also the key of its text."""

    kind: str
    text: str

    def whole(self) -> dict[str, Any]:
        return {"type": self.kind, self.kind: self.text}


def contents(reply: Reply) -> list[Content | ToolCall]:
    """The thought, a refusal, which the provider tells as text, and the parts. Empty text counts if alone."""
    thoughts = [Content("thinking", reply.reasoning)] if reply.reasoning else []
    made: list[Content | ToolCall] = []
    texts = [Text(reply.refusal)] if reply.refusal else []
    for part in (*texts, *reply.parts):
        if isinstance(part, ToolCall):
            made.append(part)
        elif part.text:
            made.append(Content("text", part.text))
    if not made and reply.parts:
        made.append(Content("text", ""))
    return [*thoughts, *made]


Placed = tuple[int, Mapping[str, Any]]
"""A citation, and its place among all of them."""


def cited(
    citations: Sequence[Mapping[str, Any]], blocks: Sequence[Content | ToolCall]
) -> dict[int | None, list[Placed]]:
    """The citations of each content block, by its index: a citation that names none is of the first block of its kind.
    Those of no block, as the plan's are, stand under None."""
    kinds = [block.kind for block in blocks if isinstance(block, Content)]
    found: dict[int | None, list[Placed]] = {}
    for place, citation in enumerate(citations):
        index = citation.get("content_index")
        if index is None:
            kind = _CITED.get(string(citation.get("type")) or "TEXT_CONTENT")
            index = kinds.index(kind) if kind in kinds else None
        if type(index) is not int or not 0 <= index < len(kinds):
            index = None
        found.setdefault(index, []).append((place, citation))
    return found


_CITED = {"TEXT_CONTENT": "text", "THINKING_CONTENT": "thinking"}
"""The kind of block that each type of citation is about."""

"""What a reply consists of, in the order in which it is streamed (wire-cohere §3, §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aimock_protocols.canonical import Reply, Text, ToolCall
from aimock_protocols.collapsing import string

DEFAULT_PLAN = "I will use a tool to find this out."
"""What a model says before it calls tools, if the fixture does not say it."""


class Content(NamedTuple):
    """A content block: its kind, `text` or `thinking`, which is also the key of its text."""

    kind: str
    text: str

    def whole(self) -> dict[str, Any]:
        return {"type": self.kind, self.kind: self.text}


class Plan(NamedTuple):
    """What the model means to do with the tools that it calls."""

    text: str


Block = Content | Plan | ToolCall


def contents(reply: Reply) -> list[Block]:
    """The thought, a refusal, which the provider tells as text, and the parts, with the plan before the first call.
    Empty text counts if alone."""
    made: list[Block] = []
    texts = [Text(reply.refusal)] if reply.refusal else []
    for part in (*texts, *reply.parts):
        if isinstance(part, ToolCall):
            made.append(part)
        elif part.text:
            made.append(Content("text", part.text))
    if not made and reply.parts:
        made.append(Content("text", ""))
    first_call = next((place for place, block in enumerate(made) if isinstance(block, ToolCall)), None)
    plan = (DEFAULT_PLAN if first_call is not None else "") if reply.tool_plan is None else reply.tool_plan
    if plan:
        made.insert(len(made) if first_call is None else first_call, Plan(plan))
    return [Content("thinking", reply.reasoning), *made] if reply.reasoning else made


Placed = tuple[int, Mapping[str, Any]]
"""A citation, and its place among all of them."""


def cited(citations: Sequence[Mapping[str, Any]], blocks: Sequence[Block]) -> dict[int | None, list[Placed]]:
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

"""Output items as they are read: what events tell of each, put together (wire-openai-responses §15)."""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs

from aimock_protocols.canonical import ToolCall
from aimock_protocols.collapsing import arguments_in, dicts, mapping, string


class Run(NamedTuple):
    """Where the text of a kind of part stands."""

    kind: str
    index_key: str | None
    """What its index is called; None: its item has only one."""
    key: str
    """Where the event of its end has the text, and the part or the item."""
    item: str | None
    """The type of item that it belongs to; None: that cannot be told from it."""


RUNS = {
    "response.output_text": Run("output_text", "content_index", "text", "message"),
    "response.refusal": Run("refusal", "content_index", "refusal", "message"),
    "response.reasoning_text": Run("reasoning_text", "content_index", "text", "reasoning"),
    "response.reasoning_summary_text": Run("summary_text", "summary_index", "text", "reasoning"),
    "response.function_call_arguments": Run("arguments", None, "arguments", None),
    "response.custom_tool_call_input": Run("input", None, "input", None),
}
"""By the beginning of their events' names."""

PARTS = {run.kind: run for run in RUNS.values() if run.index_key is not None}
_MEMBERS = [run for run in RUNS.values() if run.index_key is None]


@attrs.define(eq=False)
class Item:
    """An output item in the making."""

    order: int
    told: dict[str, Any] = attrs.field(factory=dict)
    """As it was told last."""
    texts: dict[tuple[str, int], list[str]] = attrs.field(factory=dict)
    """The pieces of each run, by its kind and the index of its part."""
    logprobs: dict[int, list[Any]] = attrs.field(factory=dict)

    @property
    def kind(self) -> str:
        return string(self.told.get("type")) or ""

    def tell(self, told: dict[str, Any]) -> None:
        """The item as an event has it, with texts that outrank what came in pieces."""
        self.told = told
        for name in ("content", "summary"):
            for index, part in enumerate(dicts(told.get(name))):
                self.part(index, part)
        for run in _MEMBERS:
            self.settle(run, 0, told.get(run.key))

    def part(self, index: int, part: dict[str, Any]) -> None:
        run = PARTS.get(string(part.get("type")) or "")
        if run is not None:
            self.settle(run, index, part.get(run.key))
            if isinstance(part.get("logprobs"), list) and part["logprobs"]:
                self.logprobs[index] = part["logprobs"]

    def settle(self, run: Run, index: int, text: Any) -> None:
        if isinstance(text, str) and (text or (run.kind, index) not in self.texts):
            self.texts[run.kind, index] = [text]

    def text(self, kind: str, between: str = "") -> str | None:
        """The text of all runs of a kind, in order; None if there are none."""
        places = sorted(place for place in self.texts if place[0] == kind)
        return between.join("".join(self.texts[place]) for place in places) if places else None

    def query(self) -> str | None:
        """What a web search looked for."""
        action = mapping(self.told.get("action"))
        queries = action.get("queries")
        return string(action.get("query")) or (string(queries[0]) if isinstance(queries, list) and queries else None)

    def call(self) -> ToolCall:
        is_custom = self.kind == "custom_tool_call"
        text = self.text("input" if is_custom else "arguments") or ""
        call_id = string(self.told.get("call_id")) or string(self.told.get("id"))
        return ToolCall(string(self.told.get("name")) or "", text if is_custom else arguments_in(text), call_id)

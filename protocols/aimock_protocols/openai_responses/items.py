"""The output items of a reply: each as it stands in a whole response, and as a stream builds it (wire §6, §8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aimock_protocols.canonical import Part, Reply, Stamp, Text, ToolCall
from aimock_protocols.openai_chat.logprobs import dealt, made_up
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.reasoning import is_reasoning_model

CALLS = ("function_call", "custom_tool_call")
"""The types of items that call tools which clients run."""

_NO_ARGUMENTS = "{}"


class Run(NamedTuple):
    """A run of text that a stream adds to an item."""

    name: str
    """What its events are called: `response.{name}.delta` and `.done`."""
    key: str
    """Where the text stands, in the event of its end and in its part."""
    text: str
    place: Mapping[str, int] = MappingProxyType({})
    """Which of the item's parts it is, under the name of that index."""
    frame: str | None = None
    """What the events are called that begin and end its part, if the part has some."""
    part: Mapping[str, Any] = MappingProxyType({})
    """The part, whole."""
    named: Mapping[str, Any] = MappingProxyType({})
    """What its end says besides."""

    def begun(self) -> dict[str, Any]:
        """The part before there is anything in it."""
        return {name: type(value)() if name in (self.key, "logprobs") else value for name, value in self.part.items()}


class Item(NamedTuple):
    """One output item."""

    whole: dict[str, Any]
    start: dict[str, Any]
    """How it begins in a stream."""
    runs: tuple[Run, ...] = ()
    stages: tuple[str, ...] = ()
    """Events that tell only how far it is, in order."""

    @property
    def is_call(self) -> bool:
        """Whether the client is to answer it."""
        return self.whole["type"] in CALLS


def items(reply: Reply, shape: Shape, stamp: Stamp) -> list[Item]:
    """All items of a reply: thoughts, searches, a refusal, then its parts in order."""
    maker = _Maker(reply, shape, stamp)
    made = [maker.thought(None, data) for data in reply.redacted_thinking]
    if reply.reasoning or reply.reasoning_signature:
        made.append(maker.thought(reply.reasoning, reply.reasoning_signature))
    elif shape.wants_encrypted and not made and is_reasoning_model(shape.model):
        made.append(maker.thought(None, None))
    made += [maker.search(query) for query in reply.web_searches]
    if reply.refusal is not None:
        made.append(maker.refusal(reply.refusal))
    parts = [part for part in reply.parts if part != Text("")] or reply.parts
    tokens = iter(_tokens(reply, shape, parts))
    for part in parts:
        made.append(maker.call(part) if isinstance(part, ToolCall) else maker.text(part.text, next(tokens)))
    if reply.finish_reason in ("length", "content_filter") and made and "status" in made[-1].whole:
        made[-1] = made[-1]._replace(whole=made[-1].whole | {"status": "incomplete"})
    return made


def _tokens(reply: Reply, shape: Shape, parts: Iterable[Part]) -> list[list[dict[str, Any]]]:
    """The log probabilities of each text: the reply's own, or made up where the request asks for them."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    given = reply.logprobs.get("content") if isinstance(reply.logprobs, dict) else reply.logprobs
    if isinstance(given, list):
        return dealt([token for token in given if isinstance(token, dict)], texts)
    top = shape.top_logprobs
    return [[] if top is None else made_up(text, top) for text in texts]


class _Maker:
    """Makes items, each with an id of its own."""

    def __init__(self, reply: Reply, shape: Shape, stamp: Stamp) -> None:
        self._role = reply.role or "assistant"
        self._shape = shape
        self._stamp = stamp
        self._made = 0
        self._calls = 0

    def _id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_{self._stamp.hexadecimal(50, f'item {self._made}')}"

    def thought(self, summary: str | None, encrypted: str | None) -> Item:
        """A thought without a summary is one that is kept from the client."""
        opening: dict[str, Any] = {"id": self._id("rs"), "type": "reasoning"}
        if self._shape.encrypts:
            minted = self._stamp.alphanumeric(64, f"encrypted {self._made}")
            opening["encrypted_content"] = f"gAAAAAB{minted}" if encrypted is None else encrypted
        start = {**opening, "summary": []}
        if not summary:
            return Item(start, start)
        part = {"type": "summary_text", "text": summary}
        run = Run("reasoning_summary_text", "text", summary, {"summary_index": 0}, "reasoning_summary_part", part)
        return Item({**opening, "summary": [part]}, start, (run,))

    def search(self, query: str) -> Item:
        opening = {"id": self._id("ws"), "type": "web_search_call"}
        action: dict[str, Any] = {"type": "search", "query": query, "queries": [query]}
        if self._shape.tells_sources:
            action["sources"] = [{"type": "url", "url": "https://example.com/"}]
        return Item(
            {**opening, "status": "completed", "action": action},
            {**opening, "status": "in_progress", "action": {"type": "search", "query": query}},
            stages=("web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed"),
        )

    def text(self, text: str, logprobs: list[dict[str, Any]]) -> Item:
        part = {"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text}
        return self._message("output_text", "text", part, {"logprobs": logprobs})

    def refusal(self, text: str) -> Item:
        part = {"type": "refusal", "refusal": text}
        return self._message("refusal", "refusal", part, {})

    def _message(self, name: str, key: str, part: dict[str, Any], named: dict[str, Any]) -> Item:
        opening = {"id": self._id("msg"), "type": "message"}
        run = Run(name, key, part[key], {"content_index": 0}, "content_part", part, named)
        return Item(
            {**opening, "status": "completed", "content": [part], "role": self._role},
            {**opening, "status": "in_progress", "content": [], "role": self._role},
            (run,),
        )

    def call(self, call: ToolCall) -> Item:
        call_id = f"call_{self._stamp.alphanumeric(24, f'call {self._calls}')}" if call.id is None else call.id
        self._calls += 1
        named: dict[str, Any] = {"call_id": call_id, "name": call.name}
        namespace = next((space for name, space in sorted(self._shape.tools.spaced) if name == call.name), None)
        if namespace is not None:
            named["namespace"] = namespace
        if call.name in self._shape.tools.custom:
            run = Run("custom_tool_call_input", "input", call.arguments)
            return self._call("ctc", "custom_tool_call", run, named)
        arguments = call.arguments or _NO_ARGUMENTS
        run = Run("function_call_arguments", "arguments", arguments, named={"name": call.name})
        return self._call("fc", "function_call", run, named)

    def _call(self, prefix: str, kind: str, run: Run, named: dict[str, Any]) -> Item:
        opening = {"id": self._id(prefix), "type": kind}
        return Item(
            {**opening, "status": "completed", run.key: run.text, **named},
            {**opening, "status": "in_progress", run.key: "", **named},
            (run,),
        )

"""Responses read back, whole and streamed, from OpenAI and all who speak its dialect (wire-openai-responses §15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import attrs

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.collapsing import (
    Collapsed,
    collapsed_sse,
    dicts,
    ended,
    is_silent,
    json_object,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.openai_platform import read_error
from aimock_protocols.openai_responses.envelope import REASONS
from aimock_protocols.openai_responses.gathering import PARTS, RUNS, Item, Run
from aimock_protocols.openai_responses.items import CALLS

_FINISH_REASONS = {theirs: ours for ours, theirs in REASONS.items()}
_PARAGRAPH = "\n\n"
"""What parts a summary's parts from each other."""


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed_sse(chunks, _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    if not isinstance(value.get("output"), list):
        error = read_error(value)
        if error is not None:
            raise WireError(error)
        raise ValueError("no output in the body")
    reader = _Reader()
    reader.finish({"response": value})
    return reader.reply()


_UNTOLD = 1_000_000
"""The order of items whose index is not told begins here."""


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its events; a whole response is the last event of a stream."""

    is_done: bool = False
    _response: dict[str, Any] = attrs.field(factory=dict)
    _error: ErrorReply | None = None
    _events: int = 0
    """Those before an error."""
    _items: dict[Any, Item] = attrs.field(factory=dict)
    """By output index, or by id where none is told."""

    def take(self, event: sse.Event) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        if event.data.strip() == "[DONE]":  # what bridges from other APIs end with
            return True
        value = json_object(event.data)
        self.read(string(value.get("type")) or event.name or "", value)
        return self.is_done or self._error is not None

    def read(self, name: str, event: dict[str, Any]) -> None:
        """Takes in one event; those that are not known say nothing. Raises ValueError on one that has no place."""
        if name == "error" or not name:
            self._error = read_error(event) or (_flat_error(event) if name else None)
            return
        self._events += 1
        handle = _HANDLERS.get(name)
        stem, _, verb = name.rpartition(".")
        if handle is not None:
            handle(self, event)
        elif stem in RUNS and verb in ("delta", "done"):
            self._run(RUNS[stem], verb, event)

    def begin(self, event: dict[str, Any]) -> None:
        self._response = mapping(event.get("response"))

    def finish(self, event: dict[str, Any]) -> None:
        """The response at its end, whose items count where none came before."""
        self.begin(event)
        self.is_done = True
        if not self._items:
            for index, told in enumerate(dicts(self._response.get("output"))):
                self._item({"output_index": index}).tell(told)

    def item(self, event: dict[str, Any]) -> None:
        told = mapping(event.get("item"))
        self._item({"item_id": told.get("id"), **event}).tell(told)

    def part(self, event: dict[str, Any]) -> None:
        part = mapping(event.get("part"))
        run = PARTS.get(string(part.get("type")) or "")
        if run is not None:
            item = self._item(event, run.item)
            item.part(_index(event, run), part)

    def _run(self, run: Run, verb: str, event: dict[str, Any]) -> None:
        item = self._item(event, run.item)
        index = _index(event, run)
        logprobs = event.get("logprobs")
        if verb == "done":
            item.settle(run, index, event.get(run.key))
            if isinstance(logprobs, list) and logprobs:
                item.logprobs[index] = logprobs
            return
        item.texts.setdefault((run.kind, index), []).append(string(event.get("delta")) or "")
        if isinstance(logprobs, list):
            item.logprobs.setdefault(index, []).extend(logprobs)

    def _item(self, event: dict[str, Any], kind: str | None = "") -> Item:
        """The item that an event is about, or a new one of a kind. Raises ValueError if the kind cannot be told."""
        order = event.get("output_index")
        key = order if type(order) is int else self._key_of(string(event.get("item_id")))
        if key not in self._items:
            if kind is None:
                raise ValueError("arguments of a call that was not begun")
            place = order if type(order) is int else _UNTOLD + len(self._items)
            self._items[key] = Item(place, {"type": kind} if kind else {})
        return self._items[key]

    def _key_of(self, item_id: str | None) -> Any:
        """Where there is no index: that of the item with an id, or else of the last."""
        if item_id is None:
            return next(reversed(self._items), None)
        return next((key for key, item in self._items.items() if item.told.get("id") == item_id), item_id)

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        items = sorted(self._items.values(), key=lambda item: item.order)
        thoughts = list(_thoughts(items))
        messages = [item for item in items if item.kind == "message"]
        refusal = "".join(text for item in messages if (text := item.text("refusal"))) or None
        parts = tuple(_parts(items))
        if len(parts) > 1:
            parts = tuple(part for part in parts if part != Text(""))
        reply = Reply(
            parts=parts,
            reasoning=_PARAGRAPH.join(thought.text for thought in thoughts if thought.text) or None,
            reasoning_signature=next((each.proof for each in reversed(thoughts) if each.text and each.proof), None),
            redacted_thinking=tuple(each.proof for each in thoughts if each.proof and not each.text),
            web_searches=tuple(query for item in items if item.kind == "web_search_call" and (query := item.query())),
            refusal=refusal,
            finish_reason=self._finish_reason(parts),
            usage=mapping(self._response.get("usage")) or None,
            logprobs=_logprobs(messages),
            id=string(self._response.get("id")),
            created=_whole(self._response.get("created_at")),
            model=string(self._response.get("model")),
            role=next((role for item in messages if (role := string(item.told.get("role")))), None),
        )
        error = self._error or self._failure()
        if error is not None and is_silent(attrs.evolve(reply, redacted_thinking=())):  # proofs come before thoughts
            raise WireError(error)
        return ended(reply, self._error, self._events)

    def _failure(self) -> ErrorReply | None:
        return read_error(self._response) if self._response.get("status") == "failed" else None

    def _finish_reason(self, parts: Iterable[Part]) -> str | None:
        status = string(self._response.get("status"))
        if status == "completed":
            return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"
        if status == "incomplete":
            reason = string(mapping(self._response.get("incomplete_details")).get("reason"))
            return _FINISH_REASONS.get(reason or "", "length")
        return status if self.is_done else None


_HANDLERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "response.created": _Reader.begin,
    "response.in_progress": _Reader.begin,
    "response.output_item.added": _Reader.item,
    "response.output_item.done": _Reader.item,
    "response.content_part.added": _Reader.part,
    "response.content_part.done": _Reader.part,
    "response.reasoning_summary_part.added": _Reader.part,
    "response.reasoning_summary_part.done": _Reader.part,
    "response.completed": _Reader.finish,
    "response.incomplete": _Reader.finish,
    "response.failed": _Reader.finish,
}


class _Thought(NamedTuple):
    """What a reasoning item holds."""

    text: str
    proof: str | None
    """Its encrypted content."""


def _thoughts(items: Iterable[Item]) -> Iterator[_Thought]:
    for item in items:
        if item.kind == "reasoning":
            text = item.text("summary_text", between=_PARAGRAPH) or item.text("reasoning_text") or ""
            yield _Thought(text, string(item.told.get("encrypted_content")))


def _parts(items: Iterable[Item]) -> Iterator[Part]:
    """The text of each message that has some, and the calls that the client is to answer, in the order of the items."""
    for item in items:
        if item.kind == "message":
            text = item.text("output_text")
            if text is not None:
                yield Text(text)
        elif item.kind in CALLS:
            yield item.call()


def _logprobs(messages: Iterable[Item]) -> dict[str, Any] | None:
    """As the chat has them."""
    tokens = [token for item in messages for index in sorted(item.logprobs) for token in dicts(item.logprobs[index])]
    return {"content": tokens, "refusal": None} if tokens else None


def _index(event: dict[str, Any], run: Run) -> int:
    index = event.get(run.index_key) if run.index_key is not None else 0
    return index if type(index) is int else 0


def _flat_error(event: dict[str, Any]) -> ErrorReply:
    message, param = event.get("message"), event.get("param")
    return ErrorReply(
        message if isinstance(message, str) else "",
        param=param if isinstance(param, str) else None,
        code=event.get("code"),
    )


def _whole(value: Any) -> int | None:
    """A point in time in whole seconds, which some tell as a fraction."""
    return int(value) if type(value) in (int, float) else None

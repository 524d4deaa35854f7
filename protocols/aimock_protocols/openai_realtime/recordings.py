"""What a provider said in a response, read back: from OpenAI, and from those whose words are still the Beta's, or a
dialect of their own (xAI leaves out what is empty)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import Part, Reply, Text, ToolCall
from aimock_protocols.collapsing import arguments_in, dicts, mapping, string
from aimock_protocols.openai_realtime.beta import modern_name
from aimock_protocols.openai_realtime.events import ServerEvent
from aimock_protocols.openai_realtime.saying import told_so_far

_CONTENTS = {"text": "output_text", "audio": "output_audio"}
_FINISH_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def read(message: str | bytes) -> dict[str, Any]:
    """A message as it is; empty if it cannot be read."""
    try:
        return mapping(orjson.loads(message))
    except orjson.JSONDecodeError:
        return {}


def event_in(message: str | bytes) -> ServerEvent:
    """A provider's event in the GA API's words; its type is empty if it cannot be read."""
    event = read(message)
    made = event | {"type": modern_name(string(event.get("type")) or "")}
    if isinstance(event.get("item"), Mapping):
        made["item"] = item_in(event["item"])
    if isinstance(event.get("response"), Mapping):
        output = [item_in(item) for item in dicts(event["response"].get("output"))]
        made["response"] = event["response"] | {"output": output}
    return made


def item_in(told: Mapping[str, Any]) -> dict[str, Any]:
    """An item in the same words. What a user said is not transcribed in it: providers tell that at one time or another,
    and a request would not be known again by it."""
    item = dict(told)
    if item.get("type") != "message":
        return item
    parts = dicts(item.get("content"))
    if item.get("role") == "assistant":
        item["content"] = [part | {"type": _CONTENTS.get(part.get("type", ""), part.get("type"))} for part in parts]
    else:
        item["content"] = [part | {"transcript": None} if part.get("type") == "input_audio" else part for part in parts]
    return item


def said_in(messages: Sequence[bytes]) -> Reply:
    """The reply that the events of a response make. Raises ValueError if it has no end."""
    events = [event_in(message) for message in messages]
    ended = next((event for event in reversed(events) if event["type"] == "response.done"), None)
    if ended is None:
        raise ValueError("the response has no end")
    response = mapping(ended.get("response"))
    parts = tuple(_parts(response["output"]))
    reason = string(mapping(response.get("status_details")).get("reason"))
    if response.get("status") == "incomplete":
        finish_reason = _FINISH_REASONS.get(reason or "", "length")
    else:
        finish_reason = "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"
    return Reply(
        parts or (Text(""),),
        finish_reason=finish_reason,
        usage=mapping(response.get("usage")) or None,
        id=string(response.get("id")),
        role="assistant",
    )


class Telling(NamedTuple):
    """How a recorded response was given, as far as it says."""

    id: str
    items: list[str]
    """The ids of its items."""
    modality: str | None
    format: Mapping[str, Any] | None
    """That of its audio."""
    is_apart: bool | None
    """Whether it is none of the conversation's."""

    def suits(self, modality: str, form: Mapping[str, Any], is_apart: bool) -> bool:
        """Whether a response that is to be given so can be told in the same words."""
        wanted = ((self.modality, modality), (self.format, form), (self.is_apart, is_apart))
        return all(told is None or told == wish for told, wish in wanted)


def telling_of(events: Sequence[ServerEvent]) -> Telling | None:
    """None if they are not those of a response, from its beginning, in words that are known here."""
    response = mapping(events[0].get("response")) if events and events[0].get("type") == "response.created" else {}
    try:
        items = [str(output.told["id"]) for output in told_so_far(events)]
        named = str(response["id"])
    except (KeyError, IndexError, TypeError):
        return None
    kinds = {event["type"] for event in events}
    modalities = response.get("output_modalities") or response.get("modalities")
    modality: str | None
    if modalities:
        modality = "audio" if "audio" in modalities else "text"
    else:
        speech, writing = "response.output_audio.delta" in kinds, "response.output_text.delta" in kinds
        modality = "audio" if speech else "text" if writing else None
    form = mapping(mapping(response.get("audio")).get("output")).get("format") if modality == "audio" else None
    has_place = any(kind.startswith("conversation.item.") for kind in kinds)
    return Telling(named, items, modality, form, not has_place if items else None)


def _parts(items: Iterable[Mapping[str, Any]]) -> Iterator[Part]:
    for item in items:
        if item.get("type") == "function_call":
            arguments = arguments_in(string(item.get("arguments")) or "")
            yield ToolCall(string(item.get("name")) or "", arguments, string(item.get("call_id")))
        elif item.get("type") == "message":
            parts = dicts(item.get("content"))
            yield Text("".join(string(part.get("text")) or string(part.get("transcript")) or "" for part in parts))

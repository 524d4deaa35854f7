"""What the service said in a turn, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from aimock_protocols.canonical import Part, Reply, Text, ToolCall
from aimock_protocols.collapsing import dicts, joined, mapping, string

_ENDED = "turnComplete"


def message_in(message: str | bytes) -> dict[str, Any]:
    """A message of the service; empty if it cannot be read."""
    try:
        return mapping(orjson.loads(message))
    except orjson.JSONDecodeError:
        return {}


def parts_in(message: Mapping[str, Any]) -> Iterator[Part]:
    """What of an answer a message brings: texts, transcripts of what is spoken, calls."""
    content = mapping(message.get("serverContent"))
    for part in dicts(mapping(content.get("modelTurn")).get("parts")):
        text = string(part.get("text"))
        if text is not None and part.get("thought") is not True:
            yield Text(text)
    transcript = string(mapping(content.get("outputTranscription")).get("text"))
    if transcript is not None:
        yield Text(transcript)
    for call in dicts(mapping(message.get("toolCall")).get("functionCalls")):
        arguments = orjson.dumps(mapping(call.get("args"))).decode()
        yield ToolCall(string(call.get("name")) or "", arguments, string(call.get("id")))


def is_spoken(messages: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether a turn is told in audio; None: there is nothing in it that would say so."""
    parts = [
        part
        for message in messages
        for part in dicts(mapping(mapping(message.get("serverContent")).get("modelTurn")).get("parts"))
        if part.get("thought") is not True
    ]
    if any("inlineData" in part for part in parts):
        return True
    return False if any("text" in part for part in parts) else None


def said_in(messages: Sequence[bytes]) -> Reply:
    """The reply that the messages of a turn make. Raises ValueError if they do not come to its end."""
    told = [message_in(message) for message in messages]
    contents = [mapping(message.get("serverContent")) for message in told]
    if not any(content.get(_ENDED) for content in contents) and not any("toolCall" in message for message in told):
        raise ValueError("the turn has no end")
    parts = joined(part for message in told for part in parts_in(message))
    thoughts = "".join(
        string(part.get("text")) or ""
        for content in contents
        for part in dicts(mapping(content.get("modelTurn")).get("parts"))
        if part.get("thought") is True
    )
    reasons = [reason for content in contents if (reason := string(content.get("turnCompleteReason")))]
    usage = [counted for message in told if (counted := mapping(message.get("usageMetadata")))]
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    return Reply(
        parts or (Text(""),),
        reasoning=thoughts or None,
        finish_reason=reasons[-1] if reasons else "tool_calls" if has_calls else "stop",
        usage=usage[-1] if usage else None,
        role="assistant",
    )

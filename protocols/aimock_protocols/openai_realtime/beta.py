"""The retired Beta: how its clients are refused, or served in its words (wire-openai-realtime §0, §9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.openai_realtime.events import ServerEvent
from aimock_protocols.openai_realtime.spellings import FORMATS

_RENAMED = (
    ("response.output_audio_transcript.", "response.audio_transcript."),
    ("response.output_audio.", "response.audio."),
    ("response.output_text.", "response.text."),
)
_CONTENTS = {"output_text": "text", "output_audio": "audio"}
_FORMATS = {modern: old for old, modern in FORMATS.items()}


def beta(event: ServerEvent) -> ServerEvent | None:
    """An event as the Beta told it; it had no end of an item."""
    kind = event["type"]
    if kind == "conversation.item.done":
        return None
    made = event | {"type": _name(kind)}
    if "item" in event:
        made["item"] = _item(event["item"])
    if "response" in event:
        made["response"] = _response(event["response"])
    if "session" in event:
        made["session"] = beta_session(event["session"])
    return made


def _name(kind: str) -> str:
    if kind == "conversation.item.added":
        return "conversation.item.created"
    for modern, old in _RENAMED:
        if kind.startswith(modern):
            return old + kind.removeprefix(modern)
    return kind


def modern_name(kind: str) -> str:
    """What the GA API calls an event of the Beta."""
    if kind == "conversation.item.created":
        return "conversation.item.added"
    for modern, old in _RENAMED:
        if kind.startswith(old):
            return modern + kind.removeprefix(old)
    return kind


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    made = {"id": item["id"], "object": "realtime.item"}
    made |= {name: value for name, value in item.items() if name != "phase"}
    if "content" in item:
        made["content"] = [part | {"type": _CONTENTS.get(part["type"], part["type"])} for part in item["content"]]
    return made


def _modalities(modern: list[str]) -> list[str]:
    return ["audio", "text"] if modern == ["audio"] else modern


def _response(response: Mapping[str, Any]) -> dict[str, Any]:
    output = response["audio"]["output"]
    made = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
    return made | {
        "output": [_item(item) for item in response["output"]],
        "modalities": _modalities(response["output_modalities"]),
        "voice": output["voice"],
        "output_audio_format": _FORMATS[output["format"]["type"]],
        "temperature": 0.8,
    }


def beta_session(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session as the Beta's clients know it."""
    heard = session["audio"]["input"]
    made = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_format": _FORMATS[heard["format"]["type"]],
        "input_audio_transcription": heard["transcription"],
        "input_audio_noise_reduction": heard["noise_reduction"],
        "turn_detection": heard["turn_detection"],
        "include": session["include"],
    }
    if session["type"] == "transcription":
        return made
    output = session["audio"]["output"]
    return made | {
        "model": session["model"],
        "modalities": _modalities(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": output["voice"],
        "output_audio_format": _FORMATS[output["format"]["type"]],
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": 0.8,
        "max_response_output_tokens": session["max_output_tokens"],
        "speed": output["speed"],
        "tracing": session["tracing"],
        "prompt": session["prompt"],
    }

"""Input that is to change the direction of a response under way (`response.steer`; wire-openai-realtime §11)."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from aimock_protocols.openai_platform import missing, read_optional, refusal

_MEMBERS = frozenset({"previous_response_id", "input"})
_PARTS = ("input_text", "input_image", "input_file")
"""Types of the parts that a message may have."""


@attrs.frozen
class Steer:
    """One submission."""

    previous: str
    """The id of the response that is meant."""
    input: Any = attrs.field(hash=False)
    """As sent."""
    id: str | None = None
    """None: it was refused."""


def read_steer(sent: dict[str, Any]) -> Steer:
    """What a client sent but for its type, good or not. Raises WireError on what cannot even be refused in its own
    words."""
    previous = read_optional(sent, "previous_response_id", str, "a string")
    if not previous:
        raise missing("previous_response_id")
    if sent.get("input") is None:
        raise missing("input")
    try:
        orjson.dumps(sent["input"])
    except orjson.JSONEncodeError:
        raise refusal("Input is nested too deeply", "input") from None
    return Steer(previous, sent["input"])


def fault_of(sent: dict[str, Any]) -> str | None:
    """Why the input is none to steer by: it is a text, or messages of the user."""
    unknown = sorted(sent.keys() - _MEMBERS)
    if unknown:
        return f"Unknown parameter: '{unknown[0]}'."
    given = sent["input"]
    if isinstance(given, str):
        return None
    if not isinstance(given, list) or not given:
        return "Invalid 'input': expected a string or a non-empty array of messages."
    if not all(_is_users(item) for item in given):
        return "Invalid 'input': only messages of the user can steer a response."
    return None


def _is_users(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type", "message") != "message" or item.get("role") != "user":
        return False
    content = item.get("content")
    if isinstance(content, list):
        return all(isinstance(part, dict) and part.get("type") in _PARTS for part in content)
    return isinstance(content, str)

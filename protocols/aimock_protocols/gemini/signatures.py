"""Thought signatures: what clients send back with a call so that the model goes on from its thought (wire-gemini §3.2).

From Gemini 3 on the provider refuses a conversation in which a call of the turn under way lacks its signature; so its
calls always have one here, and a request without is objected to.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from aimock_protocols.gemini.fields import field, many

PLACEHOLDER = "YWltb2NrLXNpZ25hdHVyZQ=="
"""For calls whose fixture has none."""

_SIGNING = re.compile(r"(?:.*/)?gemini-(\d+)")
_FIRST_SIGNING = 3
_STANDARD = str.maketrans("-_", "+/")


def signs_calls(model: str) -> bool:
    """Whether each step of the model's calls has a signature."""
    found = _SIGNING.match(model)
    return found is not None and int(found[1][:4]) >= _FIRST_SIGNING


def as_base64(signature: str) -> str:
    """A signature as the wire can hold it: SDKs decode base64, in either alphabet. What is none is encoded."""
    plain = signature.rstrip("=").translate(_STANDARD)
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        decoded = b""
    if decoded and base64.b64encode(decoded).rstrip(b"=") == plain.encode():
        return signature
    return base64.b64encode(signature.encode("utf-8", "replace")).decode()


def missing_signature(contents: list[dict[str, Any]], model: str) -> str | None:
    """What the provider would say of the first call that lacks its signature: of each step since the user last spoke,
    the first call must have it. None if all is in order."""
    if len(contents) < 2 or not signs_calls(model):
        return None
    for place in range(_turn_start(contents), len(contents)):
        content = contents[place]
        called = [part for part in many(content, "parts", "parts") if type(field(part, "functionCall")) is dict]
        if content.get("role") == "model" and called and not field(called[0], "thoughtSignature"):
            return (
                "Function call is missing a thought_signature in functionCall parts. Function call "
                f"`{field(called[0], 'functionCall').get('name')}`, position {place + 1}."
            )
    return None


def _turn_start(contents: list[dict[str, Any]]) -> int:
    """Where the user last said something, and did not only bring results."""
    for place in range(len(contents) - 1, -1, -1):
        parts = many(contents[place], "parts", "parts")
        if contents[place].get("role") != "model" and any("text" in part for part in parts):
            return place
    return 0

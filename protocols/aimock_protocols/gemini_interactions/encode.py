"""Whole interactions (wire-gemini §9.2)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Reply, Stamp
from aimock_protocols.gemini_interactions import envelope
from aimock_protocols.gemini_interactions.shape import Shape
from aimock_protocols.gemini_interactions.steps import steps


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response. One in the background is under way, and complete when it is fetched."""
    if shape.in_background:
        return orjson.dumps(envelope.begun(reply, shape, stamp, "in_progress"))
    return orjson.dumps(interaction(reply, shape, stamp))


def interaction(reply: Reply, shape: Shape, stamp: Stamp) -> dict[str, Any]:
    """The whole interaction."""
    return {
        **envelope.begun(reply, shape, stamp, envelope.status(reply)),
        "steps": [step.whole for step in steps(reply, shape, stamp)],
        "usage": envelope.usage(reply, shape),
    }

"""Whole responses (wire-openai-responses §5)."""

from __future__ import annotations

from aimock_protocols.canonical import Reply, Stamp
from aimock_protocols.openai_responses import envelope
from aimock_protocols.openai_responses.items import items
from aimock_protocols.openai_responses.shape import Shape

_BILLING = b',"billing":{"payer":"developer"}}'
"""The last member of whole responses, which streams do not have."""


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response. One in the background is only queued as yet."""
    return under_way(reply, shape, stamp, "queued") if shape.is_background else finished(reply, shape, stamp)


def finished(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The response at its end."""
    output = [item.whole for item in items(reply, shape, stamp)]
    return _told(reply, shape, stamp, envelope.ended(reply, shape, output))


def under_way(reply: Reply, shape: Shape, stamp: Stamp, status: str) -> bytes:
    """The response while there is nothing of it yet: `queued`, `in_progress`; or when there never will be:
    `cancelled`."""
    return _told(reply, shape, stamp, envelope.Standing(status))


def _told(reply: Reply, shape: Shape, stamp: Stamp, standing: envelope.Standing) -> bytes:
    return envelope.response(reply, shape, stamp, standing)[:-1] + _BILLING

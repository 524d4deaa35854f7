"""Whole answers (wire-gemini §3)."""

from __future__ import annotations

import orjson

from aimock_protocols.canonical import Reply, Stamp
from aimock_protocols.gemini import chunks, envelope
from aimock_protocols.gemini.parts import parts
from aimock_protocols.gemini.shape import Shape


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    if envelope.is_blocked(reply):
        said = chunks.feedback(reply)
    else:
        content = orjson.dumps(parts(reply, shape, stamp))[1:-1]
        said = chunks.Candidates(shape).write(content, chunks.ending(reply))
    usage = envelope.usage(reply, shape).at_the_end()
    return chunks.WHOLE.write(said, usage, chunks.identity(reply, shape, stamp))

"""GenerateContentResponses, put together from pieces of bytes: a whole answer is one (wire-gemini §3)."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from aimock_protocols.canonical import Reply, Stamp
from aimock_protocols.gemini import envelope
from aimock_protocols.gemini.parts import grounding
from aimock_protocols.gemini.shape import Shape


class Form(NamedTuple):
    """How a response is written: what stands between its members."""

    opening: bytes
    usage: bytes
    identity: bytes
    closing: bytes

    def write(self, said: bytes, usage: bytes, identity: bytes) -> bytes:
        """One response: its candidates or what stands instead of them, its usage, and whose it is."""
        return self.opening + said + self.usage + usage + self.identity + identity + self.closing


WHOLE = Form(b"{", b',"usageMetadata":', b",", b"}")
EVENT = Form(b"data: {", b',"usageMetadata":', b",", b"}\r\n\r\n")
"""A server-sent event, of which the service ends lines so."""
ELEMENT = Form(b"{\n  ", b',\n  "usageMetadata": ', b",\n  ", b"\n}")
"""An element of an array, on several lines as the service writes it: who reads line by line reads wrongly."""


def identity(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The members that all responses of one answer share, without braces."""
    return orjson.dumps(envelope.identity(reply, shape, stamp))[1:-1]


class Candidates:
    """The candidates of one answer: all say the same, each under its index. Vertex has none for an only one."""

    def __init__(self, shape: Shape) -> None:
        has_index = shape.candidates > 1 or not shape.is_vertex
        self._indices = [b',"index":%d' % index if has_index else b"" for index in range(shape.candidates)]

    def write(self, parts: bytes, ending: bytes = b"") -> bytes:
        """They with parts, which are JSON objects with commas between them, and with what ends them."""
        content = b'{"parts":[' + parts + b'],"role":"model"}' if parts else b'{"role":"model"}'
        candidates = [b'{"content":' + content + index + ending + b"}" for index in self._indices]
        return b'"candidates":[' + b",".join(candidates) + b"]"


def ending(reply: Reply) -> bytes:
    """What the last response of an answer says of its candidates besides their content."""
    told: dict[str, object] = {"finishReason": envelope.finish_reason(reply)}
    if reply.refusal:
        told["finishMessage"] = reply.refusal
    if reply.web_searches:
        told["groundingMetadata"] = grounding(reply)
    return b"," + orjson.dumps(told)[1:-1]


def feedback(reply: Reply) -> bytes:
    """What stands instead of candidates where the prompt was blocked."""
    return b'"promptFeedback":' + orjson.dumps(envelope.feedback(reply))

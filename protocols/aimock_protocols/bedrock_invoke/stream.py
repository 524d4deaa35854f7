"""Streams: each document of a family in an event of its own, wrapped and padded (wire-bedrock §3)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import cast

import attrs
import orjson

from aimock_protocols import eventstream
from aimock_protocols.bedrock_invoke.counts import METRICS, metrics
from aimock_protocols.bedrock_invoke.families import FAMILIES
from aimock_protocols.bedrock_invoke.family import ChatFamily, Shape
from aimock_protocols.bedrock_platform import padding, stream_exception
from aimock_protocols.canonical import ErrorReply, Frame, Opened, Reply, Stamp
from aimock_protocols.midstream import until_error

_EXCEPTIONS = frozenset({"modelTimeoutException"})
"""Exceptions that these streams can end in, and Converse's cannot."""
_BEFORE, _AFTER = b'{"bytes":"', b'","p":'
"""What stands before a document in base64, and after it, before the filler."""


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply; the last document has the metrics of the invocation.

    A reply with a mid-stream error ends in that error instead, at the latest in place of the last document. Raises
    ValueError if `chunk_size` is below 1.
    """
    undisturbed = attrs.evolve(reply, mid_stream_error=None)
    family = cast(ChatFamily, FAMILIES[shape.family])
    *told, last = family.documents(undisturbed, shape, stamp, chunk_size)
    measured = orjson.dumps({METRICS: metrics(reply, shape.prompt_tokens)})
    told.append(last._replace(data=last.data[:-1] + b"," + measured[1:]))
    events = [Frame(_event(data, padding(place)), kind) for place, (data, kind) in enumerate(told)]
    return until_error(events, reply, error_frame, shape, stamp, replaces_last=True)


def _event(document: bytes, filler: bytes) -> bytes:
    return eventstream.event("chunk", _wrapped(document, _AFTER + filler + b"}"))


def _wrapped(document: bytes, end: bytes) -> bytes:
    return _BEFORE + base64.b64encode(document) + end


def opened(frame: bytes) -> Opened:
    """The document in an event, or the payload of an exception."""
    payload, seal = eventstream.opened(frame)
    if not payload.startswith(_BEFORE):
        return Opened(payload, seal)
    at = payload.index(_AFTER)
    end = payload[at:]
    return Opened(base64.b64decode(payload[len(_BEFORE) : at]), lambda document: seal(_wrapped(document, end)))


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: an exception, after which nothing follows."""
    return stream_exception(error, _EXCEPTIONS)

"""Streams: each document of a family in an event of its own, wrapped and padded (wire-bedrock §3)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import attrs
import orjson

from aimock_protocols import eventstream
from aimock_protocols.bedrock_invoke.counts import METRICS, metrics
from aimock_protocols.bedrock_invoke.families import FAMILIES
from aimock_protocols.bedrock_invoke.family import ChatFamily, Shape
from aimock_protocols.bedrock_platform import padding, stream_exception
from aimock_protocols.canonical import ErrorReply, Frame, Reply, Stamp
from aimock_protocols.midstream import interrupted

_EXCEPTIONS = frozenset({"modelTimeoutException"})
"""Exceptions that these streams can end in, and Converse's cannot."""
_KEPT_LENGTH = 512


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply; the last document has the metrics of the invocation.

    A reply with a mid-stream error ends in that error instead, at the latest in place of the last document. Raises
    ValueError if `chunk_size` is below 1.
    """
    broken = reply.mid_stream_error
    if broken is not None:
        reply = attrs.evolve(reply, mid_stream_error=None)
    family = cast(ChatFamily, FAMILIES[shape.family])
    *told, last = family.documents(reply, shape, stamp, chunk_size)
    measured = orjson.dumps({METRICS: metrics(reply, shape.prompt_tokens)})
    told.append(last._replace(data=last.data[:-1] + b"," + measured[1:]))
    events = [Frame(_event(data, padding(place)), kind) for place, (data, kind) in enumerate(told)]
    if broken is None:
        return iter(events)
    return interrupted(events[:-1], broken.after_chunks, error_frame(broken.error, shape, stamp))


def _event(document: bytes, filler: bytes) -> bytes:
    """One document on the wire. Only the ends of most streams have ids, so what is between is kept."""
    return (_kept_event if len(document) <= _KEPT_LENGTH else _kept_event.__wrapped__)(document, filler)


@lru_cache(maxsize=4096)
def _kept_event(document: bytes, filler: bytes) -> bytes:
    return eventstream.event("chunk", b'{"bytes":"' + base64.b64encode(document) + b'","p":' + filler + b"}")


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: an exception, after which nothing follows."""
    return stream_exception(error, _EXCEPTIONS)

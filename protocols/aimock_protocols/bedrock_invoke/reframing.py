"""Documents that another provider sends as server-sent events: the same JSON in another framing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aimock_protocols import json_bodies, sse
from aimock_protocols.bedrock_invoke.family import Document
from aimock_protocols.canonical import Frame, FrameKind

_DATA = b"data: "
_END = b"\n\n"


def documents(frames: Iterable[Frame]) -> list[Document]:
    """The documents of a stream, without its pings, and without the mark of its end."""
    return [
        Document(data[data.index(_DATA) + len(_DATA) : -len(_END)], kind)
        for data, kind in frames
        if kind is not FrameKind.PING and data != sse.DONE
    ]


def events(documents: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """The inverse."""
    return (sse.encode(dumped(document)) for document in documents)


def dumped(document: dict[str, Any]) -> bytes:
    """A document as its JSON again. One that is nested deeper than can be written tells nothing."""
    return json_bodies.dumped(document, otherwise=b"{}")

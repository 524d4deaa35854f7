"""`POST /api/chat` (wire-ollama §2, §3): the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aimock_protocols.canonical import ChatRequest, Frame, Head, Reply, Stamp
from aimock_protocols.ollama import lines
from aimock_protocols.ollama.collapse import collapse, parse, read_stream
from aimock_protocols.ollama.fields import ASKED, Field, check_asked, model_of
from aimock_protocols.ollama.library import copy, create, delete, find_blob, keep_blob, pull, push
from aimock_protocols.ollama.loading import loading
from aimock_protocols.ollama.messages import canonical as canonical_messages
from aimock_protocols.ollama.messages import objection
from aimock_protocols.ollama.models import ps, root, show, tags, version
from aimock_protocols.ollama.names import other_names
from aimock_protocols.ollama.parameters import canonical as canonical_parameters
from aimock_protocols.ollama.parameters import is_streamed
from aimock_protocols.ollama.platform import KEEPALIVE as keepalive
from aimock_protocols.ollama.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.ollama.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.ollama.platform import error, error_frame, fresh_headers, rate_limited, rate_limits, read_object
from aimock_protocols.ollama.shape import Shape, shape

name = "ollama.chat"
heeds: tuple[str, ...] = ()

__all__ = [
    "collapse",
    "copy",
    "create",
    "decode",
    "delete",
    "encode",
    "error",
    "error_frame",
    "find_blob",
    "frames",
    "fresh_headers",
    "heeds",
    "keep_blob",
    "keepalive",
    "name",
    "parse",
    "ps",
    "pull",
    "push",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "root",
    "shape",
    "show",
    "stream_headers",
    "tags",
    "version",
    "whole_headers",
]

_FIELDS: Mapping[str, Field] = {
    **ASKED,
    "messages": Field(list, "[]api.Message"),
    "tools": Field(list, "api.Tools"),
}


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form. One without messages is settled: it loads its model. Raises WireError, a 400."""
    sent = read_object(body)
    check_asked(sent, _FIELDS, "ChatRequest")
    model = model_of(sent)
    messages = sent.get("messages") or []
    asked = {name: value for name, value in sent.items() if name != "format"}
    asked["messages"] = canonical_messages(messages)
    asked |= canonical_parameters(sent)
    if not messages:
        empty = {"message": {"role": "assistant", "content": ""}}
        return ChatRequest(asked, sent, model, settled=loading(sent, empty))
    names = other_names(model)
    return ChatRequest(asked, sent, model, is_streamed(sent), objection=objection(messages), aliases=names)


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole answer."""
    return lines.encode(lines.CHAT, reply, shape, stamp)


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The lines of a streamed answer (see `lines.frames`)."""
    return lines.frames(lines.CHAT, reply, shape, stamp, chunk_size)

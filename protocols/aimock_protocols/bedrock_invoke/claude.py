"""Claude: Anthropic's Messages, but for where the model stands, and what ids look like (wire-bedrock §5.1)."""

from __future__ import annotations

import re
from typing import Any, cast

from aimock_protocols import anthropic_messages
from aimock_protocols.anthropic_messages.decode import VERSION, chat_request
from aimock_protocols.anthropic_messages.shape import Shape as MessageShape
from aimock_protocols.bedrock_invoke import reframing
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.canonical import ChatRequest, Reply, Stamp
from aimock_protocols.collapsing import Collapsed

name = "claude"
models = provided_by(r"anthropic\.")

_NAME = re.compile(r"(?:\A|[./])(claude[^/]*)\Z")
_VERSION = re.compile(r"(?:(?<=\d)-v\d+)?(?::\w+)*\Z", re.ASCII)
_DOCUMENTS = ("message", "content_block_")
"""How the types of its documents begin."""

parse = anthropic_messages.parse


def asks(sent: dict[str, Any]) -> bool:
    return VERSION in sent


def answers(document: dict[str, Any]) -> bool:
    kind = document.get("type")
    return isinstance(kind, str) and kind.startswith(_DOCUMENTS)


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    sent = {**sent, "model": model, "stream": stream}
    return chat_request(sent, sent)


def shape(request: ChatRequest) -> Shape:
    """Ids tell that they are from Bedrock, and the model has the name that Anthropic itself has for it."""
    own = anthropic_messages.shape(request)._replace(platform="bdrk_", model=_name_of(request.model))
    return Shape(name, own, own.input_tokens)


def _name_of(model: str) -> str:
    """`claude-3-5-sonnet-20240620` of `us.anthropic.claude-3-5-sonnet-20240620-v1:0`; empty if the id tells none."""
    found = _NAME.search(model)
    return _VERSION.sub("", found[1]) if found is not None else ""


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    return anthropic_messages.encode(reply, cast(MessageShape, shape.own), stamp)


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    return reframing.documents(anthropic_messages.frames(reply, cast(MessageShape, shape.own), stamp, chunk_size))


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    return anthropic_messages.read_stream(reframing.events(documents))

"""Cohere's Command R: the first version of Cohere's chat (wire-bedrock §5.7, wire-cohere §5)."""

from __future__ import annotations

from typing import Any, cast

from aimock_protocols import ndjson
from aimock_protocols.bedrock_invoke import reframing
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import required
from aimock_protocols.canonical import ChatRequest, Reply, Stamp
from aimock_protocols.cohere import v1
from aimock_protocols.cohere.v1.decode import chat_request
from aimock_protocols.cohere.v1.shape import Shape as ConversationShape
from aimock_protocols.collapsing import Collapsed

name = "command_r"
models = provided_by(r"cohere\.command-r")

parse = v1.parse


def asks(sent: dict[str, Any]) -> bool:
    return type(sent.get("message")) is str or "chat_history" in sent


def answers(document: dict[str, Any]) -> bool:
    return "event_type" in document or "generation_id" in document


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    required(sent, "message", str)
    return chat_request({**sent, "model": model, "stream": stream})


def shape(request: ChatRequest) -> Shape:
    own = v1.shape(request)
    return Shape(name, own, own.chat.input_tokens)


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    return v1.encode(reply, cast(ConversationShape, shape.own), stamp)


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    frames = v1.frames(reply, cast(ConversationShape, shape.own), stamp, chunk_size)
    return [Document(line.removesuffix(b"\n"), kind) for line, kind in frames]


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    return v1.read_stream(ndjson.encode(reframing.dumped(document)) for document in documents)

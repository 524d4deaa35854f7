"""Nova: Converse in a body of InvokeModel, but for some names, and for a stream whose every slice of text is a block of
its own (wire-bedrock §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import attrs
import orjson

from aimock_protocols import bedrock_converse
from aimock_protocols.bedrock_converse import envelope
from aimock_protocols.bedrock_converse.blocks import Block, blocks
from aimock_protocols.bedrock_converse.decode import chat_request
from aimock_protocols.bedrock_converse.reading import EVENTS, Reader
from aimock_protocols.bedrock_converse.shape import Shape as ConverseShape
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import objects, required
from aimock_protocols.canonical import ChatRequest, FrameKind, Reply, Stamp, ToolCall
from aimock_protocols.collapsing import Collapsed, mapping, read_events
from aimock_protocols.slicing import slices

name = "nova"
models = provided_by(r"amazon\.nova-(?!2-multimodal)")

_INFERENCE = {"max_new_tokens": "maxTokens", "top_p": "topP", "top_k": "topK", "stop_sequences": "stopSequences"}
"""Spellings that Nova takes too, and Converse does not."""
_CACHE = {
    "cache_read_input_tokens": "cacheReadInputTokenCount",
    "cache_creation_input_tokens": "cacheWriteInputTokenCount",
}
"""Counts of a usage as fixtures call them, and as Nova does, which has names of its own for them."""
_USAGE = {envelope.USAGE[ours]: theirs for ours, theirs in _CACHE.items()}
_COUNTS = {theirs: ours for ours, theirs in _CACHE.items()}


def asks(sent: dict[str, Any]) -> bool:
    messages = sent.get("messages")
    return "schemaVersion" in sent or (isinstance(messages, list) and any(map(_has_untyped_blocks, messages)))


def _has_untyped_blocks(message: Any) -> bool:
    content = mapping(message).get("content")
    return isinstance(content, list) and any("type" not in block for block in content if isinstance(block, dict))


def answers(document: dict[str, Any]) -> bool:
    return isinstance(document.get("output"), dict) or not EVENTS.isdisjoint(document)


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    objects(required(sent, "messages", list), "#/messages")
    given = mapping(sent.get("inferenceConfig"))
    config = {_INFERENCE.get(option, option): value for option, value in given.items()}
    request = chat_request({**sent, "inferenceConfig": config}, model)
    if config.get("topK") is not None:
        request.body["top_k"] = config["topK"]
    if stream:
        request.body["stream"] = True
    return attrs.evolve(request, native=sent, stream=stream)


def shape(request: ChatRequest) -> Shape:
    own = bedrock_converse.shape(request)
    return Shape(name, own, own.input_tokens)


# -- answers -----------------------------------------------------------------------------------------------------------


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    own = cast(ConverseShape, shape.own)
    content = [block.whole for block in _blocks(reply, own, stamp)]
    message = {"content": content, "role": reply.role or "assistant"}
    told = {"output": {"message": message}, **envelope.stop(reply, own), "usage": _usage(reply, own)}
    return orjson.dumps(told)


def _blocks(reply: Reply, own: ConverseShape, stamp: Stamp) -> list[Block]:
    """The blocks of a reply. Ids of calls are bare UUIDs."""
    parts = [
        attrs.evolve(part, id=stamp.uuid(f"call {place}")) if isinstance(part, ToolCall) and part.id is None else part
        for place, part in enumerate(reply.parts)
    ]
    return blocks(attrs.evolve(reply, parts=tuple(parts)), own, stamp)


def _usage(reply: Reply, own: ConverseShape) -> dict[str, Any]:
    told = envelope.metadata(reply, own)["usage"]
    return {_USAGE.get(count, count): value for count, value in told.items()}


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    own = cast(ConverseShape, shape.own)
    told = [_document({"messageStart": {"role": reply.role or "assistant"}}, FrameKind.OPEN)]
    index = 0
    for block in _blocks(reply, own, stamp):
        for pieces in _runs(block, chunk_size):
            if block.start is not None:
                told.append(_document({"contentBlockStart": {"start": block.start, "contentBlockIndex": index}}))
            told += [
                Document(b'{"contentBlockDelta":{"delta":%b,"contentBlockIndex":%d}}' % (piece, index), FrameKind.TOKEN)
                for piece in pieces
            ]
            told.append(_document({"contentBlockStop": {"contentBlockIndex": index}}))
            index += 1
    told.append(_document({"messageStop": envelope.stop(reply, own)}))
    metadata = {"usage": _usage(reply, own), "metrics": {}, "trace": {}}
    told.append(_document({"metadata": metadata}, FrameKind.CLOSE))
    return told


def _runs(block: Block, chunk_size: int) -> Iterator[list[bytes]]:
    """The JSON of a block's deltas, as they are spread over blocks of the stream: each slice of text has its own, the
    arguments of a call come at once, and a thought in slices that stay together."""
    if block.start is not None:
        yield [delta.before + orjson.dumps(delta.text) + delta.after for delta in block.deltas]
        return
    pieces = [
        delta.before + orjson.dumps(piece) + delta.after
        for delta in block.deltas
        for piece in (slices(delta.text, chunk_size) if delta.is_sliced else (delta.text,))
    ]
    if "text" in block.whole:
        yield from ([piece] for piece in pieces)
    else:
        yield pieces


def _document(told: dict[str, Any], kind: FrameKind = FrameKind.TOKEN) -> Document:
    return Document(orjson.dumps(told), kind)


# -- answers read back -------------------------------------------------------------------------------------------------


def parse(body: bytes) -> Reply:
    return _with_counts(bedrock_converse.parse(body))


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    reader = Reader()
    read = read_events(documents, lambda document: _take(reader, document), str)
    return Collapsed(_with_counts(reader.reply()), not reader.is_done, read.dropped, read.first_dropped)


def _take(reader: Reader, document: dict[str, Any]) -> bool:
    """Takes in one document, which has an event under its name. Raises ValueError."""
    for event in EVENTS & document.keys():
        reader.read(event, mapping(document[event]))
    return False


def _with_counts(reply: Reply) -> Reply:
    """The reply with the usage in the words of fixtures."""
    usage = {_COUNTS.get(count, count): value for count, value in (reply.usage or {}).items()}
    return attrs.evolve(reply, usage=usage or None)

"""The SDKs as judges: botocore reads framing and wrapper, and the types of other SDKs what is inside."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder, get_response_stream_shape
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import EventStreamJSONParser
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from aimock_protocols import bedrock_invoke
from aimock_protocols.bedrock_invoke.family import Shape
from aimock_protocols.canonical import ErrorReply, Head, Reply, Stamp, Text, ToolCall
from protocol_cases.bedrock_families import FAMILIES

EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

REPLIES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), id="text"),
    pytest.param(Reply((Text(""),)), id="empty text"),
    pytest.param(Reply(), id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": [1, {"é": "🚀"}]}'), ToolCall("g", ""))), id="calls"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}', "i"))), id="text and a call"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), id="thinking"),
    pytest.param(Reply((Text("answer"),), redacted_thinking=("a", "b")), id="redacted thinking"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), id="length"),
]
every_family = pytest.mark.parametrize("family", FAMILIES)
every_reply = pytest.mark.parametrize("reply", REPLIES)
chunk_sizes = pytest.mark.parametrize("chunk_size", [1, 3, 100])


def shape_of(head: Head, family: str) -> Shape:
    known = FAMILIES[family]
    request = {**known.request, "stream_options": None}
    return bedrock_invoke.shape(bedrock_invoke.decode(head, {"model": known.model}, orjson.dumps(request)))


def stream(head: Head, stamp: Stamp, family: str, reply: Reply, chunk_size: int) -> bytes:
    frames = bedrock_invoke.frames(reply, shape_of(head, family), stamp, chunk_size)
    return b"".join(frame.data for frame in frames)


def read(body: bytes) -> list[Any]:
    """Each event as botocore gives it, its bytes fed to it one at a time."""
    parser, buffer = EventStreamJSONParser(), EventStreamBuffer()
    events = []
    for at in range(len(body)):
        buffer.add_data(body[at : at + 1])
        events += [parser.parse(event.to_response_dict(), get_response_stream_shape()) for event in buffer]
    return events


def documents(body: bytes) -> list[Any]:
    return [orjson.loads(event["chunk"]["bytes"]) for event in read(body)]


@every_family
@every_reply
@chunk_sizes
def test_botocore_reads_every_document(head: Head, stamp: Stamp, family: str, reply: Reply, chunk_size: int) -> None:
    told = documents(stream(head, stamp, family, reply, chunk_size))
    assert "amazon-bedrock-invocationMetrics" in told[-1]


def test_botocore_reads_the_exception(head: Head, stamp: Stamp) -> None:
    error = ErrorReply("Enough.", code="ModelTimeoutException", status=408)
    frame = bedrock_invoke.error_frame(error, shape_of(head, "claude"), stamp)
    (told,) = read(frame.data)
    assert told["Error"] == {"Code": "modelTimeoutException", "Message": "Enough."}


@every_reply
def test_whole_messages_have_anthropic_s_types(head: Head, stamp: Stamp, reply: Reply) -> None:
    body = bedrock_invoke.encode(reply, shape_of(head, "claude"), stamp)
    message = Message.model_validate_json(body, strict=True)
    assert "".join(block.text for block in message.content if block.type == "text") == (reply.text or "")


@every_reply
@chunk_sizes
def test_anthropic_s_sdk_puts_the_stream_together_as_the_whole(
    head: Head, stamp: Stamp, reply: Reply, chunk_size: int
) -> None:
    """By the SDK's own decoder for Bedrock."""
    body = stream(head, stamp, "claude", reply, chunk_size)
    events = list(AWSEventStreamDecoder().iter_bytes(iter([body])))
    snapshot = None
    buffers: dict[int, bytes] = {}
    for event in events:
        typed = EVENTS.validate_json(event.data, strict=True)
        assert typed.type == event.event
        snapshot = accumulate_event(event=typed, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    whole = Message.model_validate_json(bedrock_invoke.encode(reply, shape_of(head, "claude"), stamp))
    assert comparable(snapshot) == comparable(whole)


def comparable(message: Any) -> Any:
    """A message without what the SDK adds to streamed ones."""
    told = orjson.loads(message.model_dump_json(exclude_none=True, warnings=False))
    for block in told["content"]:
        block.pop("parsed_output", None)
    return told


@every_reply
@chunk_sizes
@pytest.mark.parametrize("family", ["openai_style", "openai_style, aloud"])
def test_openai_s_types(head: Head, stamp: Stamp, family: str, reply: Reply, chunk_size: int) -> None:
    body = bedrock_invoke.encode(reply, shape_of(head, family), stamp)
    whole = ChatCompletion.model_validate_json(body, strict=True)
    chunks = [
        ChatCompletionChunk.model_validate_json(orjson.dumps(document), strict=True)
        for document in documents(stream(head, stamp, family, reply, chunk_size))
    ]
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert content == (whole.choices[0].message.content or "")
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason

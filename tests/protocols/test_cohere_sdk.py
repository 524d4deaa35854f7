"""Cohere's own SDK as the judge: its types accept what is sent, with nothing missing and nothing that they do not know.

In use the SDK passes over events that it cannot read, so nothing else would show a wrong one.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable
from typing import Any

import cohere
import orjson
import pydantic
import pytest
from cohere.types import (
    CheckApiKeyResponse,
    DetokenizeResponse,
    EmbedByTypeResponse,
    EmbedResponse,
    GetModelResponse,
    ListModelsResponse,
    NonStreamedChatResponse,
    StreamedChatResponse,
    TokenizeResponse,
)
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse

from aimock_protocols import cohere as chat
from aimock_protocols import ndjson, sse
from aimock_protocols.canonical import ErrorReply, Frame, MidStreamError, Reply, SideRequest, Stamp, Text, ToolCall
from aimock_protocols.canonical import Vectors as Embedded
from aimock_protocols.cohere import embed, v1
from aimock_protocols.cohere.embed import v1 as embed_v1

Ask = Callable[..., Any]

STREAMED: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(V2ChatStreamResponse)
STREAMED_V1: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(StreamedChatResponse)
EMBEDDED_V1: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(EmbedResponse)

SOURCE = {"type": "document", "id": "doc_0", "document": {"text": "né"}}
CITATIONS = (
    {"start": 0, "end": 5, "text": "Hello", "sources": [SOURCE], "type": "TEXT_CONTENT"},
    {"start": 0, "end": 2, "text": "Hm", "sources": [{"type": "tool", "id": "t", "tool_output": {"a": "1"}}]},
)
BROKEN = MidStreamError(2, ErrorReply("Overloaded"))
CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), id="text"),
    pytest.param(Reply((Text(""),)), id="empty text"),
    pytest.param(Reply(), id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": [1, {"é": "🚀"}]}'), ToolCall("g", ""))), id="calls"),
    pytest.param(Reply((ToolCall("f", "{oops"), ToolCall("g", "[1]"))), id="calls without an object"),
    pytest.param(Reply((ToolCall("f", '{\r\n  "x":\n1\n}'),), tool_plan="I'll go."), id="a plan"),
    pytest.param(Reply((ToolCall("f", "{}"),), tool_plan=""), id="no plan"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}', "i"), Text("def"))), id="interleaved"),
    pytest.param(Reply(refusal="I cannot."), id="refusal"),
    pytest.param(Reply((Text("Hello"),), reasoning="Hm, né."), id="thinking"),
    pytest.param(Reply((Text("Hello"),), reasoning="Hm", citations=CITATIONS), id="citations"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), id="length"),
    pytest.param(Reply((Text("Hi"),), usage={"input_tokens": 5, "output_tokens": 2, "cached_tokens": 1}), id="usage"),
    pytest.param(Reply((Text("Hello, né 🚀"),), mid_stream_error=BROKEN), id="an error"),
]

STARTS = {"content", "tool_plan", "tool_calls", "citations"}
"""What the message of `message-start` has, though the SDK does not say so."""


def unknown(value: Any, path: str = "") -> Iterable[str]:
    """The members that the SDK's types do not have."""
    if isinstance(value, pydantic.BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each, path)


def is_known(value: Any, *but: str) -> bool:
    return set(unknown(value)) <= set(but)


def events(frames: Iterable[Frame]) -> list[Any]:
    """Events of the second version, each as its type has it."""
    found = list(sse.events(frame.data for frame in frames))
    validated = [STREAMED.validate_json(event.data, strict=True) for event in found]
    assert [event.type for event in validated] == [event.name for event in found]
    for event in validated:
        assert is_known(event, *(f".delta.message.{name}" for name in STARTS if event.type == "message-start"))
    return validated


@pytest.mark.parametrize("logprobs", [False, True])
@pytest.mark.parametrize("reply", CASES)
def test_whole_replies_have_the_sdk_s_types(ask_cohere: Ask, stamp: Stamp, reply: Reply, logprobs: bool) -> None:
    body = chat.encode(reply, chat.shape(ask_cohere(logprobs=logprobs)), stamp)
    told = V2ChatResponse.model_validate_json(body, strict=True)
    assert is_known(told)
    texts = [block.text for block in told.message.content or [] if block.type == "text"]
    assert "".join(texts) == (reply.text or reply.refusal or "")


@pytest.mark.parametrize("logprobs", [False, True])
@pytest.mark.parametrize("reply", CASES)
@pytest.mark.parametrize("chunk_size", [1, 2, 5, 100])
def test_the_stream_and_the_whole_say_the_same(
    ask_cohere: Ask, stamp: Stamp, reply: Reply, chunk_size: int, logprobs: bool
) -> None:
    """Put together as the SDK's users do it: by the type of each event."""
    shape = chat.shape(ask_cohere(logprobs=logprobs))
    told = events(chat.frames(reply, shape, stamp, chunk_size))
    if reply.mid_stream_error is not None:
        assert (told[-1].delta.finish_reason, told[-1].delta.error) == ("ERROR", "Overloaded")
        assert len(told) == 3
        return
    whole = V2ChatResponse.model_validate_json(chat.encode(reply, shape, stamp))
    assert (told[0].type, told[0].id, told[-1].type) == ("message-start", whole.id, "message-end")
    assert (told[-1].delta.finish_reason, told[-1].delta.usage) == (whole.finish_reason, whole.usage)
    assert put_together(told) == orjson.loads(whole.message.model_dump_json(exclude_none=True))
    likely = [event.logprobs for event in told if event.type == "content-delta" and event.logprobs]
    for name in ("token_ids", "logprobs"):
        pieces, items = (
            [each for item in items for each in getattr(item, name)] for items in (likely, whole.logprobs or ())
        )
        assert pieces == items
    assert bool(likely) is bool(logprobs and (reply.text or reply.refusal))


def put_together(events: list[Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    for event in events[1:-1]:
        if event.type.endswith("-end"):
            continue
        (name,) = event.delta.message.model_fields_set
        piece = orjson.loads(event.delta.message.model_dump_json(exclude_none=True))[name]
        if name == "tool_plan":
            message[name] = message.get(name, "") + piece
        elif event.type.endswith("-start"):
            message.setdefault(name, []).append(piece)
        elif name == "content":
            ((kind, text),) = piece.items()
            assert message[name][event.index]["type"] == kind
            message[name][event.index][kind] += text
        else:
            message[name][event.index]["function"]["arguments"] += piece["function"]["arguments"]
    return message


def events_v1(frames: Iterable[Frame], *, as_sse: bool) -> list[Any]:
    data = b"".join(frame.data for frame in frames)
    found = [event.data for event in sse.events([data])] if as_sse else list(ndjson.lines([data]))
    told = [STREAMED_V1.validate_json(each, strict=True) for each in found]
    assert all(is_known(event, ".is_finished", ".error", ".response.meta.cached_tokens") for event in told)
    assert [event.is_finished for event in told] == [False] * (len(told) - 1) + [True]
    return told


@pytest.mark.parametrize("reply", CASES)
def test_whole_replies_of_the_first_version(ask_cohere_v1: Ask, stamp: Stamp, reply: Reply) -> None:
    body = v1.encode(reply, v1.shape(ask_cohere_v1()), stamp)
    told = NonStreamedChatResponse.model_validate_json(body, strict=True)
    assert is_known(told)
    assert told.chat_history[-1].message == told.text == (reply.text or reply.refusal or "") + (reply.tool_plan or "")


@pytest.mark.parametrize("as_sse", [False, True], ids=["lines", "events"])
@pytest.mark.parametrize("reply", CASES)
@pytest.mark.parametrize("chunk_size", [1, 5, 100])
def test_streams_of_the_first_version(
    ask_cohere_v1: Ask, stamp: Stamp, reply: Reply, chunk_size: int, as_sse: bool
) -> None:
    shape = v1.shape(ask_cohere_v1({"accepts": "text/event-stream"} if as_sse else {}))
    told = events_v1(v1.frames(reply, shape, stamp, chunk_size), as_sse=as_sse)
    if reply.mid_stream_error is not None:
        assert (told[-1].finish_reason, told[-1].error) == ("ERROR", "Overloaded")
        assert len(told) == 3
        return
    whole = NonStreamedChatResponse.model_validate_json(v1.encode(reply, shape, stamp))
    assert (told[0].event_type, told[0].generation_id) == ("stream-start", whole.generation_id)
    assert (told[-1].finish_reason, told[-1].response) == (whole.finish_reason, whole)
    texts = [event.text for event in told if event.event_type == "text-generation"]
    plan = [event.text for event in told if event.event_type == "tool-calls-chunk" and event.text]
    assert "".join([*texts, *plan]) == whole.text
    called = [event.tool_calls for event in told if event.event_type == "tool-calls-generation"]
    assert called == ([whole.tool_calls] if whole.tool_calls else [])
    arguments = ["" for _ in whole.tool_calls or ()]
    for event in told:
        if event.event_type == "tool-calls-chunk" and event.tool_call_delta.parameters:
            arguments[int(event.tool_call_delta.index)] += event.tool_call_delta.parameters
    assert [orjson.loads(text) for text in arguments] == [call.parameters for call in whole.tool_calls or ()]


PIXEL = "data:image/png;base64," + base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBB", 3, 2, 8, 6) + bytes(7)
).decode("ascii")
"""As much of an image as says how large it is."""
TYPES = ["float", "int8", "uint8", "binary", "ubinary", "base64"]


@pytest.mark.parametrize(
    "asked",
    [
        {"texts": ["hello", "né"]},
        {"texts": ["hello"], "embedding_types": TYPES, "output_dimension": 256},
        {"images": [PIXEL]},
        {"inputs": [{"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PIXEL}}]}]},
    ],
    ids=["texts", "types", "images", "inputs"],
)
@pytest.mark.parametrize("protocol", [embed, embed_v1], ids=lambda protocol: protocol.name)
def test_embeddings(head: Any, stamp: Stamp, protocol: Any, asked: dict[str, Any]) -> None:
    body = {"model": "embed-v4.0", "input_type": "search_query", **asked}
    request = protocol.decode(head, {}, orjson.dumps(body))
    assert request.objection is None
    count = len(request.body["input"])
    made = protocol.encode(Embedded((None,) * count), protocol.shape(request), stamp)
    kind = EMBEDDED_V1 if protocol is embed_v1 else pydantic.TypeAdapter(EmbedByTypeResponse)
    told = kind.validate_json(made, strict=True)
    assert is_known(told)
    is_plain = protocol is embed_v1 and "embedding_types" not in asked
    assert told.response_type == ("embeddings_floats" if is_plain else "embeddings_by_type")
    forms = [told.embeddings] if is_plain else [each for _, each in told.embeddings if each is not None]
    assert [len(form) for form in forms] == [count] * len(asked.get("embedding_types", ["float"]))


def test_what_stands_beside_the_chat(side_request: Callable[..., SideRequest]) -> None:
    model = chat.retrieve_model(side_request("command-a", model="command-a")).body
    assert is_known(GetModelResponse.model_validate_json(model, strict=True))
    models = chat.list_models(side_request("command-a", "embed-v4.0")).body
    assert is_known(ListModelsResponse.model_validate_json(models, strict=True))
    tokens = chat.tokenize(side_request(body=b'{"text":"hello","model":"m"}')).body
    told = TokenizeResponse.model_validate_json(tokens, strict=True)
    assert is_known(told)
    text = chat.detokenize(side_request(body=orjson.dumps({"tokens": told.tokens, "model": "m"}))).body
    assert DetokenizeResponse.model_validate_json(text, strict=True).text == "hello"
    assert is_known(CheckApiKeyResponse.model_validate_json(chat.check_api_key(side_request()).body, strict=True))


def test_the_judge_sees_what_is_wrong() -> None:
    assert cohere.__version__.startswith("7.")
    wrong = [b'{"type":"content-delt","index":0}', b'{"type":"content-start","index":"0"}']
    for data in wrong:
        with pytest.raises(pydantic.ValidationError):
            STREAMED.validate_json(data, strict=True)
    odd = STREAMED.validate_json(b'{"type":"content-end","index":0,"delta":{}}', strict=True)
    assert list(unknown(odd)) == [".delta"]

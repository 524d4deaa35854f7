"""OpenAI's legacy text completions (wire-openai-chat §13): prompts in, text out.

Fixtures see the prompt as one user message. Several prompts are joined with newlines into one message, so one fixture
answers them all, and each prompt gets its choice; a prompt of token numbers reads as those numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Frame, FrameKind, Head, Reply, Stamp
from aimock_protocols.midstream import interrupted
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.collapse import collapse, parse
from aimock_protocols.openai_chat.decode import chat_request
from aimock_protocols.openai_chat.shape import Shape as ChatShape
from aimock_protocols.openai_chat.shape import shape as chat_shape
from aimock_protocols.openai_chat.stream import DONE
from aimock_protocols.openai_inputs import texts_of
from aimock_protocols.openai_platform import KEEPALIVE as keepalive
from aimock_protocols.openai_platform import STREAM_HEADERS as stream_headers
from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import (
    error,
    error_frame,
    fresh_headers,
    missing,
    rate_limited,
    rate_limits,
    read_object,
)
from aimock_protocols.slicing import slices

__all__ = [
    "collapse",
    "decode",
    "encode",
    "error",
    "error_frame",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "shape",
    "stream_headers",
    "whole_headers",
]

name = "openai_completions"
heeds: tuple[str, ...] = ()


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its prompt as a user message. Raises WireError, always a 400."""
    native = read_object(body)
    if "prompt" not in native:
        raise missing("prompt")
    content = "\n".join(texts_of(native["prompt"], "prompt"))
    canonical = {key: value for key, value in native.items() if key != "prompt"}
    canonical["messages"] = [{"role": "user", "content": content}]
    return chat_request(canonical, native, params)


class Shape(NamedTuple):
    """What the answer takes from the request."""

    chat: ChatShape
    echoes: tuple[str, ...]
    """What precedes the answer to each prompt: the prompt itself, if the request asks for its echo."""


def shape(request: ChatRequest) -> Shape:
    echo = request.body.get("echo") is True
    prompts = texts_of(request.native["prompt"], "prompt")
    return Shape(chat_shape(request), tuple(prompt if echo else "" for prompt in prompts))


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    model = envelope.model_name(reply, shape.chat)
    finish_reason = _finish_reason(reply)
    return orjson.dumps(
        {
            "id": envelope.reply_id(reply, stamp, "cmpl-"),
            "object": "text_completion",
            "created": envelope.created(reply, stamp),
            "model": model,
            "choices": [
                {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}
                for index, text in enumerate(_texts(reply, shape))
            ],
            "usage": envelope.usage(reply, shape.chat),
            "system_fingerprint": envelope.fingerprint(reply, model),
        }
    )


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The same response, streamed, one choice after another. Raises ValueError if `chunk_size` is below 1."""
    events = _chunks(reply, shape, stamp, chunk_size)
    if reply.mid_stream_error is None:
        return iter(events)
    broken = reply.mid_stream_error
    return interrupted(events, broken.after_chunks, error_frame(broken.error, shape, stamp))


def _chunks(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    model = envelope.model_name(reply, shape.chat)
    constant = {
        "id": envelope.reply_id(reply, stamp, "cmpl-"),
        "object": "text_completion",
        "created": envelope.created(reply, stamp),
        "model": model,
        "system_fingerprint": envelope.fingerprint(reply, model),
    }
    head = b"data: " + orjson.dumps(constant)[:-1]
    end = b',"usage":null}\n\n' if shape.chat.include_usage else b"}\n\n"
    finish_reason = orjson.dumps(_finish_reason(reply))
    chunks = []
    for index, text in enumerate(_texts(reply, shape)):
        opening = head + b',"choices":[{"text":'
        closing = b',"index":%d,"logprobs":null,"finish_reason":' % index
        pieces = [(piece, b"null") for piece in slices(text, chunk_size)] + [("", finish_reason)]
        for piece, reason in pieces:
            chunks.append(Frame(opening + orjson.dumps(piece) + closing + reason + b"}]" + end, FrameKind.TOKEN))
    if shape.chat.include_usage:
        counts = orjson.dumps(envelope.usage(reply, shape.chat))
        chunks.append(Frame(head + b',"choices":[],"usage":' + counts + b"}\n\n", FrameKind.CLOSE))
    chunks.append(DONE)
    return chunks


def _texts(reply: Reply, shape: Shape) -> list[str]:
    """The text of every choice: `n` for each prompt."""
    answer = reply.text or reply.refusal or ""
    return [echo + answer for echo in shape.echoes for _ in range(shape.chat.choices)]


def _finish_reason(reply: Reply) -> str:
    return "stop" if reply.finish_reason is None else reply.finish_reason

"""OpenAI's legacy text completions (wire-openai-chat §13): prompts in, text out.

Fixtures see the prompt as one user message. Several prompts are joined with newlines into one message, so one fixture
answers them all, and each prompt gets its choice; a prompt of token numbers reads as those numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, Frame, FrameKind, Head, Reply, Stamp
from aimock_protocols.midstream import until_error
from aimock_protocols.openai_chat.collapse import collapse, parse
from aimock_protocols.openai_chat.decode import chat_request
from aimock_protocols.openai_chat.envelope import Telling, dumps
from aimock_protocols.openai_chat.errors import error_frame as chat_error_frame
from aimock_protocols.openai_chat.shape import Shape as ChatShape
from aimock_protocols.openai_chat.shape import shape as chat_shape
from aimock_protocols.openai_chat.stream import around, closing, constant
from aimock_protocols.openai_dialects.dialect import Dialect, Fact, Mint, filled
from aimock_protocols.openai_dialects.openai import OPENAI
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

_CHUNK = {
    "id": Fact.ID,
    "object": "text_completion",
    "created": Fact.CREATED,
    "model": Fact.MODEL,
    "system_fingerprint": Fact.FINGERPRINT,
    "choices": Fact.CHOICES,
    "usage": Fact.USAGE_TO_COME,
}
TEXTS = attrs.evolve(
    OPENAI,
    reply_id=Mint("cmpl-", "alphanumeric", 29),
    whole={
        "id": Fact.ID,
        "object": "text_completion",
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "choices": Fact.CHOICES,
        "usage": Fact.USAGE,
        "system_fingerprint": Fact.FINGERPRINT,
    },
    choice={
        "text": Fact.CONTENT,
        "index": Fact.INDEX,
        "logprobs": Fact.LOGPROBS,
        "finish_reason": Fact.FINISH_REASON,
    },
    chunk=_CHUNK,
    streamed_choice={
        "text": Fact.DELTA,
        "index": Fact.INDEX,
        "logprobs": Fact.LOGPROBS,
        "finish_reason": Fact.FINISH_REASON,
    },
    last_chunk=_CHUNK | {"usage": Fact.USAGE},
)
"""OpenAI's dialect of text: what is streamed is no delta, but text."""

_NOTHING = b'""'

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


def shape(request: ChatRequest, dialect: Dialect = TEXTS) -> Shape:
    echo = request.body.get("echo") is True
    prompts = texts_of(request.native["prompt"], "prompt")
    return Shape(chat_shape(request, dialect), tuple(prompt if echo else "" for prompt in prompts))


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    dialect = shape.chat.dialect
    tell = Telling(reply, shape.chat, stamp)
    place = {Fact.LOGPROBS: None, Fact.FINISH_REASON: _finish_reason(reply)}
    choices = [
        filled(dialect.choice, tell.at({**place, Fact.INDEX: index, Fact.CONTENT: text}))
        for index, text in enumerate(_texts(reply, shape))
    ]
    return dumps(filled(dialect.whole, tell.at({Fact.CHOICES: choices})), dialect)


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The same response, streamed, one choice after another. Raises ValueError if `chunk_size` is below 1."""
    events = _chunks(reply, shape, stamp, chunk_size)
    return until_error(events, reply, chat_error_frame, shape.chat, stamp)


def _chunks(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    tell = Telling(reply, shape.chat, stamp)
    finish_reason = _finish_reason(reply)
    chunk = constant(tell)
    chunks = []
    for choice, text in enumerate(_texts(reply, shape)):
        before, after = around(chunk, tell, choice)
        chunks += [Frame(before + orjson.dumps(piece) + after, FrameKind.TOKEN) for piece in slices(text, chunk_size)]
        before, after = around(chunk, tell, choice, finish_reason)
        chunks.append(Frame(before + _NOTHING + after, FrameKind.TOKEN))
    return chunks + closing(tell, finish_reason, _NOTHING)


def _texts(reply: Reply, shape: Shape) -> list[str]:
    """The text of every choice: `n` for each prompt."""
    answer = reply.text or reply.refusal or ""
    return [echo + answer for echo in shape.echoes for _ in range(shape.chat.choices)]


def _finish_reason(reply: Reply) -> str:
    return "stop" if reply.finish_reason is None else reply.finish_reason

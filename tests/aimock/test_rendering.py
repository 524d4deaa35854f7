"""A kept rendering is what the protocol itself gives, for whatever reply, shape and stamp."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock.net.exchange import Head
from aimock.rendering import _LARGEST_KEPT, Renderer
from aimock_protocols import openai_chat, rfc3339
from aimock_protocols.canonical import (
    ENTROPY_BYTES,
    ChatProtocol,
    ErrorReply,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
)
from aimock_protocols.registry import chat_protocols
from protocol_cases import CHATS

HEAD = Head("POST", "/v1/chat/completions", "/v1/chat/completions", "", {}, ())
MARKED = Stamp(7_919_283_746, bytes((37 * place + 11) % 251 for place in range(ENTROPY_BYTES)))
"""The very stamp whose ids and time mark the slots: content that holds them must not be mistaken for slots."""

texts = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    [
        "7919283746",
        MARKED.alphanumeric(29),
        f"id {MARKED.alphanumeric(29)} at 7919283746",
        "{}%b%d\\1",
    ]
)
parts = st.builds(Text, texts) | st.builds(ToolCall, st.just("f"), texts, st.none() | st.just("call_mine"))
replies = st.builds(
    Reply,
    parts=st.lists(parts, max_size=3).map(tuple),
    reasoning=st.none() | texts,
    id=st.none() | st.just("mine"),
    created=st.none() | st.just(5),
)
stamps = st.builds(Stamp, st.floats(0, 4e9), st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)) | st.just(
    MARKED
)
options = st.fixed_dictionaries(
    {}, optional={"n": st.integers(1, 3), "stream_options": st.just({"include_usage": True})}
)
every_protocol = pytest.mark.parametrize("protocol", chat_protocols(), ids=lambda protocol: protocol.name)


def shape(more: dict[str, Any]) -> Any:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], **more}
    return openai_chat.shape(openai_chat.decode(HEAD, {}, orjson.dumps(body)))


@given(replies, options, st.lists(stamps, min_size=2, max_size=4), st.integers(1, 30))
def test_kept_renderings_are_what_the_protocol_gives(reply, more, moments, size):
    asked = shape(more)
    renderings = Renderer(openai_chat).of(asked)
    for stamp in moments:
        frames = list(openai_chat.frames(reply, asked, stamp, size))
        assert renderings.whole("source", reply, stamp) == openai_chat.encode(reply, asked, stamp)
        assert list(renderings.frames("source", reply, stamp, size)) == frames
        assert renderings.stream("source", reply, stamp, size) == b"".join(frame.data for frame in frames)


def shape_for(protocol: ChatProtocol) -> Any:
    case = CHATS[protocol.name]
    return protocol.shape(protocol.decode(HEAD, case.params, orjson.dumps(case.asks(stream=True)[1])))


@every_protocol
@settings(max_examples=30)
@given(replies, st.booleans(), st.lists(stamps, min_size=2, max_size=4), st.integers(1, 30))
def test_kept_renderings_are_what_every_protocol_gives(protocol, reply, searched, moments, size):
    if searched:
        reply = attrs.evolve(reply, web_searches=("a", "b"))
    asked = shape_for(protocol)
    renderings = Renderer(protocol).of(asked)
    for stamp in moments:
        frames = list(protocol.frames(reply, asked, stamp, size))
        assert renderings.whole("source", reply, stamp) == protocol.encode(reply, asked, stamp)
        assert list(renderings.frames("source", reply, stamp, size)) == frames
        assert renderings.stream("source", reply, stamp, size) == b"".join(frame.data for frame in frames)


@every_protocol
def test_usual_replies_are_kept_by_every_protocol(protocol):
    """Texts, calls, thoughts and errors in their midst, whole and streamed: their marks are told apart."""
    asked = shape_for(protocol)
    renderings = Renderer(protocol).of(asked)
    stamp = Stamp(1795200000.0, b"kept" * 16)
    broken = MidStreamError(2, ErrorReply("Overloaded"))
    said = (Text("Hi"), ToolCall("f", "{}"), ToolCall("g", "{}"))
    for number, error in enumerate((None, broken)):
        reply = Reply(said, reasoning="Hm.", web_searches=("a", "b"), mid_stream_error=error)
        renderings.whole(number, reply, stamp)
        list(renderings.frames(number, reply, stamp, 5))
    assert [type(kept).__name__ for kept in renderings.kept.values()] == ["_Template"] * 4


def test_every_kind_of_id_is_a_mark():
    """Whatever the stamp is asked for is filled in anew, be it short or long."""

    class Minting:
        name = "minting"

        def encode(self, reply, shape, stamp):
            said = (stamp.alphanumeric(9, "a"), stamp.hexadecimal(12, "b"), stamp.uuid(), stamp.uuid("c"))
            said += (stamp.written(rfc3339.in_microseconds),)
            return " ".join((*said, str(int(stamp.created)))).encode()

    renderings = Renderer(Minting()).of(None)
    for stamp in (Stamp(5.0, b"one " * 16), Stamp(6.0, b"two " * 16)):
        assert renderings.whole("source", None, stamp) == Minting().encode(None, None, stamp)
    assert [type(kept).__name__ for kept in renderings.kept.values()] == ["_Template"]


@pytest.mark.parametrize("length", [10, _LARGEST_KEPT])
def test_without_a_source_or_beyond_the_bound_nothing_is_kept(length):
    renderer, asked = Renderer(openai_chat), shape({})
    reply = Reply((Text("x" * length),))
    for source in (None, "source"):
        assert renderer.of(asked).whole(source, reply, MARKED) == openai_chat.encode(reply, asked, MARKED)
    assert renderer._size <= 2 * _LARGEST_KEPT


def test_all_renderings_together_are_bounded():
    renderer, asked = Renderer(openai_chat), shape({})
    for number in range(200):
        renderer.of(asked).whole(number, Reply((Text("x" * 200_000),)), MARKED)
    assert renderer._size <= 16 * 1024 * 1024 + 210_000
    assert len(renderer.of(asked).kept) < 100


def test_shapes_are_bounded_too():
    renderer = Renderer(openai_chat)
    for number in range(20_000):
        renderer.of(number)
    assert len(renderer._shapes) <= 16 * 1024


@pytest.mark.parametrize("shape", [("m" * 100_000,), (1, (b"m" * 100_000, frozenset({"n" * 10}))), "m" * 100_000])
def test_the_text_in_shapes_counts(shape):
    """Clients decide how long a model's name is, or a list of tools."""
    renderer = Renderer(openai_chat)
    for number in range(1000):
        renderer.of((shape, number))
    assert len(renderer._shapes) <= 16 * 1024 * 1024 // 100_000 + 1


def test_what_is_still_in_use_is_bounded_with_the_rest():
    renderer = Renderer(openai_chat)
    in_use = [renderer.of(shape({"n": n})) for n in range(1, 4)]
    for number in range(300):
        in_use[number % 3].whole(number, Reply((Text("x" * 200_000),)), MARKED)
    assert sum(len(renderings.kept) for renderings in in_use) < 100


def test_headers_that_tell_of_a_reply_are_made_once_for_what_it_comes_from():
    asked = []

    class Telling:
        name = "telling"

        def reply_headers(self, reply, shape):
            asked.append((reply, shape))
            return (("x-said", str(reply)),)

    renderings = Renderer(Telling()).of("shape")
    told = [renderings.headers(source, 5) for source in ("source", "source", None, None)]
    assert told == [(("x-said", "5"),)] * 4
    assert asked == [(5, "shape")] * 3
    renderings.forget()
    renderings.headers("source", 5)
    assert len(asked) == 4
    assert Renderer(openai_chat).of(shape({})).headers("source", Reply()) == ()

"""`collapse(frames(r)) == r` and `parse(encode(r)) == r` for every reply that a protocol can express.

A reply here says everything itself (id, model, usage, …), since what it left open would come back filled in. It is also
in normal form: texts are not empty and do not touch, for the wire would join them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols.canonical import (
    ChatProtocol,
    ChatRequest,
    ErrorReply,
    Head,
    MidStreamError,
    Part,
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.midstream import COUNTED
from aimock_protocols.registry import chat_protocols

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.text(
    'ab🚀é\u0301👍🏽\n"\\ ', min_size=1, max_size=12
)
names = st.text("abcxyz_-", min_size=1, max_size=12)
counts = st.integers(0, 10**9)
calls = st.builds(ToolCall, names, words.filter(str.strip), names)
tokens = st.fixed_dictionaries({"token": words, "logprob": st.floats(-20, 0), "bytes": st.none()})


usages = st.fixed_dictionaries(
    {
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": counts, "audio_tokens": counts}),
        "completion_tokens_details": st.fixed_dictionaries(
            {
                "reasoning_tokens": counts,
                "audio_tokens": counts,
                "accepted_prediction_tokens": counts,
                "rejected_prediction_tokens": counts,
            }
        ),
    },
    optional={"cost": st.floats(0, 10)},
)


def replies(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, st.SearchStrategy[Any]] = {
        "finish_reason": st.sampled_from(["stop", "length", "tool_calls", "content_filter", "odd"]),
        "usage": usages,
        "id": names,
        "created": st.integers(1, 2**40),
        "model": names,
        "system_fingerprint": names,
    }
    return st.builds(Reply, parts=parts, **said | more)


def in_normal_form(parts: list[Part]) -> bool:
    return not any(isinstance(a, Text) and isinstance(b, Text) for a, b in pairwise(parts))


texts = st.builds(Text, words)
interleaved = st.lists(texts | calls, max_size=5).filter(in_normal_form).map(tuple)
text_first = st.builds(lambda *parts: (*parts[0], *parts[1]), st.lists(texts, max_size=1), st.lists(calls, max_size=3))
text_alone = st.tuples(st.builds(Text, words | st.just("")))
some_text = st.tuples(texts)
extras = {
    "reasoning": st.none() | words,
    "refusal": st.none() | words,
    "role": st.sampled_from(["assistant", "critic"]),
}


class Expressible(NamedTuple):
    """What a protocol can say, and a request that lets it say all of that."""

    whole: st.SearchStrategy[Reply]
    streamed: st.SearchStrategy[Reply]
    request: dict[str, Any]
    params: Mapping[str, str] = MappingProxyType({})
    """What its route finds in the path."""
    derived: tuple[str, ...] = ("id", "created", "model", "finish_reason", "usage")
    """What it always says, whether the reply does or not."""
    streams_usage: bool = False
    """Whether a stream tells the usage unasked."""


content_tokens = st.none() | st.fixed_dictionaries(
    {"content": st.lists(tokens, min_size=1, max_size=5), "refusal": st.none()}
)
CHAT = Expressible(
    whole=replies(text_first, **extras) | replies(text_alone, logprobs=content_tokens, role=extras["role"]),
    streamed=replies(interleaved, **extras)
    | replies(some_text, logprobs=content_tokens, role=extras["role"])
    | replies(text_alone, reasoning=extras["reasoning"], role=extras["role"]),
    request={"messages": [{"role": "user", "content": "hello"}], "stream_options": {"include_usage": True}},
)
COMPLETIONS = Expressible(
    whole=replies(text_alone),
    streamed=replies(text_alone),
    request={"prompt": "hello", "stream_options": {"include_usage": True}},
)

anthropic_usages = st.fixed_dictionaries(
    {
        "input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation": st.fixed_dictionaries({"ephemeral_5m_input_tokens": counts}),
        "output_tokens": counts,
        "service_tier": st.sampled_from(["standard", "batch"]),
        "server_tool_use": st.fixed_dictionaries({"web_search_requests": counts}),
    },
    optional={
        "output_tokens_details": st.fixed_dictionaries({"thinking_tokens": counts}),
        "cost": st.floats(0, 10),
    },
)
objects = st.dictionaries(words, words | counts, max_size=3).map(lambda value: orjson.dumps(value).decode())
object_calls = st.builds(ToolCall, names, objects, names)


def messages(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, st.SearchStrategy[Any]] = {
        "usage": anthropic_usages,
        "created": st.none(),
        "system_fingerprint": st.none(),
        "role": extras["role"],
    }
    return replies(parts, **said | more)


thoughts: dict[str, st.SearchStrategy[Any]] = {
    "reasoning": st.none() | words,
    "reasoning_signature": names,
    "redacted_thinking": st.lists(names, max_size=2).map(tuple),
    "web_searches": st.lists(words, max_size=2).map(tuple),
}
MESSAGES = Expressible(
    whole=messages(st.lists(texts | object_calls, max_size=5).filter(in_normal_form).map(tuple), **thoughts)
    | messages(st.just(()), refusal=words, finish_reason=st.just("content_filter"))
    | messages(text_alone),
    streamed=messages(st.lists(texts | object_calls, max_size=5).filter(in_normal_form).map(tuple), **thoughts)
    | messages(st.just(()), refusal=words, finish_reason=st.just("content_filter"))
    | messages(text_alone),
    request={"messages": [{"role": "user", "content": "hello"}]},
    params={"model": "claude-x"},
    derived=("id", "model", "finish_reason", "usage", "role"),
    streams_usage=True,
)
EXPRESSIBLE = {
    "openai_chat": CHAT,
    "openai_completions": COMPLETIONS,
    "anthropic_messages": MESSAGES,
    "anthropic_messages.vertex": MESSAGES,
}

every_protocol = pytest.mark.parametrize("protocol", chat_protocols(), ids=lambda protocol: protocol.name)


def ask(protocol: ChatProtocol, head: Head, **more: Any) -> ChatRequest:
    expressible = EXPRESSIBLE[protocol.name]
    return protocol.decode(head, expressible.params, orjson.dumps(expressible.request | more))


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def test_every_protocol_says_what_it_can_express() -> None:
    assert {protocol.name for protocol in chat_protocols()} == set(EXPRESSIBLE)


@every_protocol
@SETTINGS
@given(data=st.data())
def test_whole(protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject) -> None:
    reply = data.draw(EXPRESSIBLE[protocol.name].whole)
    body = protocol.encode(reply, protocol.shape(ask(protocol, head)), stamp)
    assert protocol.parse(body) == reply
    assert protocol.encode(reply, protocol.shape(ask(protocol, head)), stamp) == body


@every_protocol
@SETTINGS
@given(data=st.data(), chunk_size=st.integers(1, 40), cuts=st.lists(st.integers(0, 2**16), max_size=8))
def test_streamed(
    protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject, chunk_size: int, cuts: list[int]
) -> None:
    reply = data.draw(EXPRESSIBLE[protocol.name].streamed)
    stream = b"".join(
        frame.data for frame in protocol.frames(reply, protocol.shape(ask(protocol, head)), stamp, chunk_size)
    )
    assert protocol.collapse([stream]) == reply
    assert protocol.collapse(split(stream, cuts)) == reply
    assert protocol.collapse(stream[at : at + 1] for at in range(len(stream))) == reply


@every_protocol
@SETTINGS
@given(data=st.data(), after=st.integers(0, 6), chunk_size=st.integers(1, 5))
def test_interrupted(
    protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject, after: int, chunk_size: int
) -> None:
    """The frames up to the error are those of the undisturbed stream, and come back as the beginning of its text."""
    whole = data.draw(replies(st.tuples(st.builds(Text, st.text("abc🚀", min_size=40)))))
    error = ErrorReply("boom", "server_error", code="slow_down")
    reply = attrs.evolve(whole, mid_stream_error=MidStreamError(after, error))
    request = ask(protocol, head)
    undisturbed = list(protocol.frames(whole, protocol.shape(request), stamp, chunk_size))
    counted = [place for place, frame in enumerate(undisturbed) if frame.kind in COUNTED]
    before = undisturbed[: counted[after]]
    frames = list(protocol.frames(reply, protocol.shape(request), stamp, chunk_size))
    assert frames == [*before, protocol.error_frame(error, protocol.shape(request), stamp)]
    kept = protocol.collapse(frame.data for frame in before).text
    if kept:
        back = protocol.collapse(frame.data for frame in frames)
        assert (back.text, back.mid_stream_error) == (kept, reply.mid_stream_error)
        assert (whole.text or "").startswith(kept)
    else:
        with pytest.raises(WireError, match="boom"):
            protocol.collapse(frame.data for frame in frames)


@every_protocol
@pytest.mark.parametrize("more", [{}, {"n": 3}, {"stream_options": None}])
def test_the_stream_and_the_whole_say_the_same(
    protocol: ChatProtocol, head: Head, stamp: Stamp, more: dict[str, Any]
) -> None:
    """Also what the protocol derives or mints itself is the same in both."""
    request = ask(protocol, head, **more)
    reply = Reply((Text("Hello, you"), ToolCall("f", "{}")))
    whole = protocol.parse(protocol.encode(reply, protocol.shape(request), stamp))
    streamed = protocol.collapse(frame.data for frame in protocol.frames(reply, protocol.shape(request), stamp, 3))
    if "stream_options" in more and not EXPRESSIBLE[protocol.name].streams_usage:
        assert streamed.usage is None
        streamed = attrs.evolve(streamed, usage=whole.usage)
    assert streamed == whole
    assert all(getattr(whole, name) is not None for name in EXPRESSIBLE[protocol.name].derived)


@every_protocol
def test_another_stamp_gives_other_ids(protocol: ChatProtocol, head: Head) -> None:
    request = ask(protocol, head)
    bodies = [
        protocol.encode(Reply(), protocol.shape(request), Stamp(1.0, seed))
        for seed in (b"a" * 64, b"a" * 64, b"b" * 64)
    ]
    assert bodies[0] == bodies[1] != bodies[2]

"""`collapse(frames(r)) == r` and `parse(encode(r)) == r` for every reply that a protocol can express.

A reply here says everything itself (id, model, usage, …), since what it left open would come back filled in. It is also
in normal form: texts are not empty and do not touch, for the wire would join them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

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
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.midstream import COUNTED
from aimock_protocols.registry import chat_protocols
from protocol_cases import CHATS
from protocol_cases.strategies import replies

every_protocol = pytest.mark.parametrize("protocol", chat_protocols(), ids=lambda protocol: protocol.name)
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def ask(protocol: ChatProtocol, head: Head, **more: Any) -> ChatRequest:
    case = CHATS[protocol.name]
    return protocol.decode(head, case.params, orjson.dumps(case.asks(stream=False, **more)[1]))


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def test_every_protocol_says_what_it_can_express() -> None:
    assert {protocol.name for protocol in chat_protocols()} == set(CHATS)


@every_protocol
@SETTINGS
@given(data=st.data())
def test_whole(protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject) -> None:
    reply = data.draw(CHATS[protocol.name].whole)
    body = protocol.encode(reply, protocol.shape(ask(protocol, head)), stamp)
    assert protocol.parse(body) == reply
    assert protocol.encode(reply, protocol.shape(ask(protocol, head)), stamp) == body


@every_protocol
@SETTINGS
@given(data=st.data(), chunk_size=st.integers(1, 40), cuts=st.lists(st.integers(0, 2**16), max_size=8))
def test_streamed(
    protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject, chunk_size: int, cuts: list[int]
) -> None:
    reply = data.draw(CHATS[protocol.name].streamed)
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
    assert frames[: len(before)] == before
    assert b"boom" in b"".join(frame.data for frame in frames[len(before) :])
    kept = protocol.collapse(frame.data for frame in before).text
    if kept:
        back = protocol.collapse(frame.data for frame in frames)
        assert back.text == kept
        assert back.mid_stream_error is not None
        assert (back.mid_stream_error.after_chunks, back.mid_stream_error.error.message) == (after, "boom")
        for name in CHATS[protocol.name].error_keeps:
            assert getattr(back.mid_stream_error.error, name) == getattr(error, name)
        assert (whole.text or "").startswith(kept)
    else:
        with pytest.raises(WireError, match="boom"):
            protocol.collapse(frame.data for frame in frames)


DEEP = '{"a":' * 300 + "1" + "}" * 300


@every_protocol
def test_arguments_nested_deeper_than_can_be_written(protocol: ChatProtocol, head: Head, stamp: Stamp) -> None:
    """They come back where they are sent as text. Where they are sent as an object, a whole body with them is none,
    and a stream drops them."""
    reply, shape = Reply((ToolCall("f", DEEP),)), protocol.shape(ask(protocol, head))
    streamed = protocol.collapse(frame.data for frame in protocol.frames(reply, shape, stamp, 20))
    assert {call.arguments for call in streamed.tool_calls} <= {DEEP}
    body = protocol.encode(reply, shape, stamp)
    if DEEP.encode() in body:
        with pytest.raises(ValueError, match="nested too deeply"):
            protocol.parse(body)
    else:
        assert {call.arguments for call in protocol.parse(body).tool_calls} <= {DEEP}


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
    if "stream_options" in more and not CHATS[protocol.name].streams_usage:
        assert streamed.usage is None
        streamed = attrs.evolve(streamed, usage=whole.usage)
    assert streamed == whole
    assert all(getattr(whole, name) is not None for name in CHATS[protocol.name].derived)


@every_protocol
def test_another_stamp_gives_other_ids(protocol: ChatProtocol, head: Head) -> None:
    """Those of calls, where answers have none of their own."""
    case = CHATS[protocol.name]
    request, reply = ask(protocol, head), Reply((ToolCall("f", "{}"),) if case.ids is None else ())
    bodies = [
        protocol.encode(reply, protocol.shape(request), Stamp(1.0, seed)) for seed in (b"a" * 64, b"a" * 64, b"b" * 64)
    ]
    assert bodies[0] == bodies[1]
    assert (bodies[1] != bodies[2]) is bool(case.ids or case.call_ids)

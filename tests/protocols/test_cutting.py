"""Streams cut into frames: the same bytes in other pieces, whatever the framing and however they came."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import eventstream
from aimock_protocols.canonical import Head, Stamp
from aimock_protocols.cutting import cutter_for, is_terminal
from aimock_protocols.registry import chat_protocols
from protocol_cases import CHATS
from recorded import body_of, is_stream, needs_corpus, rows_of

SSE, LINES, BINARY, ARRAY = TYPES = (
    "text/event-stream",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "application/json",
)
MESSAGE, ANOTHER = eventstream.event("chunk", b'{"a":1}'), eventstream.exception("throttled", b"{}")
BROKEN = MESSAGE[:8] + b"\0\0\0\0" + MESSAGE[12:]


def cut(content_type: str, pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    cutter = cutter_for(content_type)
    assert cutter is not None
    frames = [frame for piece in pieces for frame in cutter.feed(piece)]
    return frames, cutter.rest()


def in_pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


TABLE = [
    (SSE, [b"data: 1\n\n", b"event: x\ndata: 2\n\n"], b""),
    (SSE, [b"data: 1\r\n\r\n", b"data: 2\r\r", b"data: 3\r\n\n"], b""),
    (SSE, [b": ping\n\n", b"data: [DONE]\n\n"], b"\n"),
    (SSE, [b"data: a\r\n\r"], b"b\n"),
    (SSE, [b"data: 1\n\n"], b"data: 2\n"),
    (SSE, [b"data: 1\n\n"], b"data: 2\r\n\r"),
    (SSE, ["data: né🚀\n\n".encode()], b"data: \xf0\x9f"),
    (SSE, [], b"data: no event"),
    (LINES, [b'{"a":1}\n', b'{"b":2}\r\n', b"\n"], b'{"c"'),
    (BINARY, [MESSAGE, ANOTHER], MESSAGE[:20]),
    (BINARY, [MESSAGE], MESSAGE[:5]),
    (ARRAY, [b'[{"a":1}', b'\n,\r\n{"b":[2]}', b"\n]"], b"\n"),
    (ARRAY, [b'[{"a":"]},[{"}', b",[[1]]", b"]"], b" more"),
    (ARRAY, [b'{"error":{"code":[1]}}'], b"\n"),
    (ARRAY, [b'[{"a":1}'], b',{"b":'),
    (ARRAY, [b'[1,"two" ]'], b""),
]


@pytest.mark.parametrize(("content_type", "frames", "rest"), TABLE)
@pytest.mark.parametrize("size", [1, 2, 3, 10**6])
def test_frames(content_type: str, frames: list[bytes], rest: bytes, size: int) -> None:
    assert cut(content_type, in_pieces(b"".join(frames) + rest, size)) == (frames, rest)


def test_what_cannot_be_cut_any_more_passes_as_it_comes() -> None:
    assert cut(BINARY, [MESSAGE + BROKEN, MESSAGE, b"xy"]) == ([MESSAGE, BROKEN, MESSAGE, b"xy"], b"")


LETTERS = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b": c", b'{"', b'"', b"\\", b"[", b"]", b"}", b",", b" "])
    | st.sampled_from([MESSAGE, ANOTHER, BROKEN, MESSAGE[:9]])
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)


@pytest.mark.parametrize("content_type", TYPES)
@given(stream=LETTERS, cuts=st.lists(st.integers(0, 2**16), max_size=12))
def test_any_bytes_in_any_split_are_the_same_again(content_type: str, stream: bytes, cuts: list[int]) -> None:
    frames, rest = cut(content_type, split(stream, cuts))
    assert b"".join(frames) + rest == stream
    assert all(frames)
    if content_type != BINARY:  # where a broken prelude ends the cutting; those that are whole are the next test's
        assert (frames, rest) == cut(content_type, [stream])


@given(count=st.integers(0, 5), cuts=st.lists(st.integers(0, 2**16), max_size=12), more=st.integers(0, 11))
def test_binary_messages_are_the_same_in_any_split(count: int, cuts: list[int], more: int) -> None:
    stream = MESSAGE * count + ANOTHER[:more]
    assert cut(BINARY, split(stream, cuts)) == ([MESSAGE] * count, ANOTHER[:more])


@pytest.mark.parametrize("content_type", TYPES)
def test_the_work_grows_with_the_bytes_and_no_faster(content_type: str) -> None:
    """A frame that comes a few bytes at a time, and a piece with many frames: eight times as much may take twenty times
    as long, and would take sixty-four times if anything were looked at again."""
    one = {SSE: b"data: 1\n\n", LINES: b"{}\n", BINARY: MESSAGE, ARRAY: b",{}"}[content_type]
    long = {SSE: b"data: ", LINES: b"{", BINARY: MESSAGE[:8], ARRAY: b'[{"'}[content_type]

    def seconds(times: int) -> float:
        began = time.process_time()
        cut(content_type, [one * times])
        cut(content_type, [long, *[b"12345"] * times])
        return time.process_time() - began

    assert min(seconds(40_000) for _ in range(3)) < 20 * min(seconds(5_000) for _ in range(5))


@pytest.mark.parametrize(
    ("content_type", "there"),
    [
        ("text/event-stream; charset=utf-8", True),
        ("Text/Event-Stream", True),
        ("application/stream+json", True),
        ("application/json; charset=UTF-8", True),
        ("audio/mpeg", False),
        ("", False),
    ],
)
def test_types(content_type: str, there: bool) -> None:
    assert (cutter_for(content_type) is not None) is there


# -- ends --------------------------------------------------------------------------------------------------------------


def wrapped(document: Any) -> bytes:
    return eventstream.event("chunk", orjson.dumps({"bytes": base64.b64encode(orjson.dumps(document)).decode()}))


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}}
ENDS = [
    ("openai_chat", b"data: [DONE]\n\n", True),
    ("openai_chat", b'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n', False),
    ("azure_openai:chat", b": x\r\ndata:[DONE]\r\n\r\n", True),
    ("openai_transcriptions", b'data: {"type":"transcript.text.done","text":"x"}\n\n', True),
    ("anthropic_messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
    ("anthropic_messages.vertex", b'data: {"type":"message_stop"}\n\n', True),
    ("anthropic_messages", b'data: {"type":"content_block_delta","delta":{"text":"message_stop"}}\n\n', False),
    ("openai_responses", b'data: {"type":"response.completed"}\n\n', True),
    ("openai_responses", b'data: {"type":"response.failed"}\n\n', True),
    ("openai_responses", b'data: {"type":"response.incomplete"}\n\n', True),
    ("openai_responses", b'data: {"type":"response.output_item.done"}\n\n', False),
    ("cohere", b'data: {"type":"message-end"}\n\n', True),
    ("cohere.v1", b'{"is_finished":true,"event_type":"stream-end"}\n', True),
    ("cohere.v1", b'{"event_type":"text-generation"}\n', False),
    ("gemini", b'data: {"candidates":[{"finishReason":"STOP"}]}\r\n\r\n', True),
    ("gemini.vertex", b'\n,\r\n{"candidates":[{"finishReason":"STOP"}]}', True),
    ("gemini", b'[{"promptFeedback":{"blockReason":"SAFETY"}}', True),
    ("gemini", b'[{"candidates":[{"content":{}}]}', False),
    ("gemini", b"\n]", False),
    ("gemini_interactions", b'data: {"event_type":"interaction.completed"}\n\n', True),
    ("gemini_interactions", b"event: done\ndata: [DONE]\n\n", False),
    ("ollama.chat", b'{"done":true}\n', True),
    ("ollama.generate", b'{"done":false}\n', False),
    ("bedrock_converse", eventstream.event("metadata", b"{}"), True),
    ("bedrock_converse", eventstream.event("metadata", b'{"a":"\\ndata: x"}'), True),
    ("bedrock_converse", eventstream.event("messageStop", b"{}"), False),
    ("bedrock_invoke", wrapped({"type": "message_stop"} | METRICS), True),
    ("bedrock_invoke", wrapped({"type": "message_delta"}), False),
    ("bedrock_invoke", eventstream.exception("throttlingException", b'{"message":"x"}'), False),
    *((name, frame, False) for name in ("openai_chat", "gemini", "bedrock_invoke") for frame in (b"", b"\n", b"\xff{")),
    ("bedrock_invoke", BROKEN, False),
    ("openai_chat", b"data: {\n\n", False),
    ("anthropic_messages", b"data: [1]\n\n", False),
]


@pytest.mark.parametrize(("protocol", "frame", "ends"), ENDS)
def test_which_frames_are_the_last(protocol: str, frame: bytes, ends: bool) -> None:
    assert is_terminal(protocol, frame) is ends


@pytest.mark.parametrize("protocol", ["openai_chat", "gemini", "bedrock_converse", "bedrock_invoke", "unknown"])
@given(frame=LETTERS)
def test_of_any_bytes_it_can_be_asked(protocol: str, frame: bytes) -> None:
    assert is_terminal(protocol, frame) in (True, False)


@pytest.mark.parametrize("protocol", chat_protocols(), ids=lambda protocol: protocol.name)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.integers(1, 5))
def test_a_stream_of_ours_has_one_that_is_the_last(
    protocol: Any, head: Head, stamp: Stamp, data: st.DataObject, size: int
) -> None:
    case = CHATS[protocol.name]
    asked = protocol.decode(head, case.params, orjson.dumps(case.asks(stream=True)[1]))
    frames = protocol.frames(data.draw(case.streamed), protocol.shape(asked), stamp, size)
    told, rest = cut(case.stream_type, [b"".join(frame.data for frame in frames)])
    assert sum(is_terminal(protocol.name, frame) for frame in (*told, rest)) == 1


STREAMS = {
    "anthropic.messages": ("anthropic_messages", 9, 9),
    "bedrock.converse-stream": ("bedrock_converse", 4, 4),
    "gemini.generate": ("gemini", 12, 12),
    "openai.chat": ("openai_chat", 32, 31),  # one ends with an error instead
    "openai.responses": ("openai_responses", 12, 12),
}


@needs_corpus
@pytest.mark.parametrize("name", STREAMS)
def test_a_provider_s_stream_has_one_that_is_the_last(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    protocol, streams, ended = STREAMS[name]
    last: list[list[int]] = []
    for row in rows_of(name):
        if is_stream(row):
            frames, rest = cut(row["content_type"], [body_of(row)])
            assert rest == b""
            last.append([len(frames) - place for place, frame in enumerate(frames) if is_terminal(protocol, frame)])
    record_property(
        "counted", f"{name}: {last.count([1])} of {len(last)} streams end with the one frame that ends them"
    )
    assert (len(last), last.count([1]), last.count([])) == (streams, ended, streams - ended)

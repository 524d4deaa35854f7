"""Streamed generateContent answers, as events and as an array (wire-gemini §4)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import gemini, json_array
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.gemini import vertex
from protocol_cases.gemini import DEVELOPER, VERTEX

Ask = Callable[..., ChatRequest]
TOKEN, PING, CLOSE = FrameKind.TOKEN, FrameKind.PING, FrameKind.CLOSE

FORMS = pytest.mark.parametrize("query", ["alt=sse", ""], ids=["events", "array"])


@pytest.fixture
def frames(ask_gemini: Ask, stamp: Stamp) -> Callable[..., list[Frame]]:
    """The frames of a reply: frames(reply, "alt=sse", chunk_size=3), with what is added to the request."""

    def make(reply: Reply, query: str, protocol: Any = gemini, chunk_size: int = 3, **more: Any) -> list[Frame]:
        return list(protocol.frames(reply, protocol.shape(ask_gemini(query=query, **more)), stamp, chunk_size))

    return make


def read(frames: list[Frame]) -> list[Any]:
    """The chunks, of either form."""
    stream = b"".join(frame.data for frame in frames)
    if stream.startswith(b"["):
        whole: list[Any] = orjson.loads(stream)
        assert [orjson.loads(element) for element in json_array.elements([stream])] == whole
        return whole
    return [orjson.loads(event.removeprefix(b"data: ")) for event in stream.split(b"\r\n\r\n")[:-1]]


def parts(chunks: list[Any]) -> list[Any]:
    return [chunk["candidates"][0]["content"].get("parts") for chunk in chunks]


def test_an_event_is_what_the_service_sends(frames: Callable[..., list[Frame]], stamp: Stamp) -> None:
    minted = stamp.alphanumeric(22).encode()
    assert frames(Reply((Text("Hi"),)), "alt=sse") == [
        Frame(
            b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0,'
            b'"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1,"totalTokenCount":3,'
            b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":2}],"serviceTier":"standard"},'
            b'"modelVersion":"gemini-x","responseId":"' + minted + b'"}\r\n\r\n',
            TOKEN,
        )
    ]


def test_an_array_opens_grows_and_closes(frames: Callable[..., list[Frame]]) -> None:
    """Its end is no chunk: so it has as many chunks as the events have."""
    sent = frames(Reply((Text("Hello!"),)), "")
    assert [frame.kind for frame in sent] == [PING, TOKEN, TOKEN, CLOSE]
    assert sent[0].data == b"["
    for frame in sent[1:-1]:
        assert frame.data.startswith(b"{\n  ")
        assert frame.data.endswith(b"\n}\n,\r\n")
    assert sent[-1].data.endswith(b"\n}\n]\n")


CONTENTS: list[Any] = [
    pytest.param(Reply((Text("Hello"),)), [[{"text": "Hel"}], [{"text": "lo"}]], [{"text": ""}], id="text"),
    pytest.param(Reply((Text(""),)), [[{"text": ""}]], [{"text": ""}], id="empty text"),
    pytest.param(
        Reply((Text("Hi"),), reasoning="Hm, so"),
        [[{"text": "Hm,", "thought": True}], [{"text": " so", "thought": True}], [{"text": "Hi"}]],
        [{"text": ""}],
        id="a thought first",
    ),
    pytest.param(Reply(reasoning="Hm."), [[{"text": "Hm.", "thought": True}]], None, id="a thought alone"),
    pytest.param(
        Reply((ToolCall("f", "{}", "i"), ToolCall("g", '{"x":1}', "j"))),
        [
            [
                {"functionCall": {"name": "f", "args": {}, "id": "i"}},
                {"functionCall": {"name": "g", "args": {"x": 1}, "id": "j"}},
            ]
        ],
        [{"text": ""}],
        id="parallel calls are one chunk",
    ),
    pytest.param(
        Reply((ToolCall("f", "{}", "i"), Text("a"), ToolCall("g", "{}", "j"))),
        [
            [{"functionCall": {"name": "f", "args": {}, "id": "i"}}],
            [{"text": "a"}],
            [{"functionCall": {"name": "g", "args": {}, "id": "j"}}],
        ],
        [{"text": ""}],
        id="calls with text between",
    ),
    pytest.param(
        Reply((Text("Hello"),), reasoning_signature="c2ln"),
        [[{"text": "Hel"}], [{"text": "lo", "thoughtSignature": "c2ln"}]],
        [{"text": ""}],
        id="the last slice has the signature",
    ),
]


@pytest.mark.parametrize(("reply", "expected", "closing"), CONTENTS)
def test_contents(frames: Callable[..., list[Frame]], reply: Reply, expected: list[Any], closing: Any) -> None:
    events, elements = read(frames(reply, "alt=sse")), read(frames(reply, ""))
    assert parts(events) == expected
    assert parts(elements) == [*expected, closing]
    for chunks in (events, elements):
        assert ["finishReason" in chunk["candidates"][0] for chunk in chunks[-2:]][-1:] == [True]
        assert not any("finishReason" in chunk["candidates"][0] for chunk in chunks[:-1])
        assert len({(chunk["responseId"], chunk["modelVersion"]) for chunk in chunks}) == 1


@FORMS
def test_an_answer_of_nothing(frames: Callable[..., list[Frame]], query: str) -> None:
    (chunk,) = read(frames(Reply(finish_reason="length"), query))
    assert chunk["candidates"] == [{"content": {"role": "model"}, "index": 0, "finishReason": "MAX_TOKENS"}]


@FORMS
def test_a_prompt_that_is_blocked(frames: Callable[..., list[Frame]], query: str) -> None:
    (chunk,) = read(frames(Reply(refusal="No."), query))
    assert chunk["promptFeedback"] == {"blockReason": "SAFETY", "blockReasonMessage": "No."}
    assert "candidates" not in chunk


@FORMS
@pytest.mark.parametrize("protocol", [gemini, vertex])
def test_what_is_told_at_the_end_alone(frames: Callable[..., list[Frame]], query: str, protocol: Any) -> None:
    *before, last = read(frames(Reply((Text("Hello"),), web_searches=("a",)), query, protocol))
    assert last["candidates"][0]["groundingMetadata"]["webSearchQueries"] == ["a"]
    assert before
    assert not any("groundingMetadata" in chunk["candidates"][0] for chunk in before)


@FORMS
@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"promptTokenCount": 5, "candidatesTokenCount": 100, "thoughtsTokenCount": 50, "totalTokenCount": 155},
        {"promptTokenCount": 5, "candidatesTokenCount": 1},
        {"promptTokenCount": 5, "candidatesTokenCount": 100, "totalTokenCount": 3},
    ],
)
def test_counts_grow_to_those_of_the_whole(
    frames: Callable[..., list[Frame]], ask_gemini: Ask, stamp: Stamp, query: str, usage: Any
) -> None:
    """wire-gemini §4.1, §12: on every chunk, since clients subtract each from the next."""
    reply = Reply((Text("Hello, you there"), ToolCall("f", "{}")), reasoning="Well, let me see", usage=usage)
    usages = [chunk["usageMetadata"] for chunk in read(frames(reply, query))]
    for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"):
        counts = [told.get(name, 0) for told in usages]
        assert counts == sorted(counts)
    whole = orjson.loads(gemini.encode(reply, gemini.shape(ask_gemini()), stamp))
    assert usages[-1] == whole["usageMetadata"]
    assert "candidatesTokenCount" not in usages[0], "of thoughts"


@FORMS
@pytest.mark.parametrize("protocol", [gemini, vertex])
def test_every_chunk_has_all_candidates(frames: Callable[..., list[Frame]], query: str, protocol: Any) -> None:
    chunks = read(frames(Reply((Text("Hello"),)), query, protocol, generationConfig={"candidateCount": 2}))
    assert all([candidate["index"] for candidate in chunk["candidates"]] == [0, 1] for chunk in chunks)
    assert len(chunks) >= 2


@FORMS
def test_slices_may_not_be_empty(frames: Callable[..., list[Frame]], query: str) -> None:
    with pytest.raises(ValueError, match="slices of 0"):
        frames(Reply((Text("a"),)), query, chunk_size=0)


# -- errors within -----------------------------------------------------------------------------------------------------

BOOM = ErrorReply("boom", "server_error", code="slow_down")


@FORMS
@pytest.mark.parametrize("after", [0, 1, 2, 9])
def test_an_error_ends_a_stream(frames: Callable[..., list[Frame]], query: str, after: int) -> None:
    reply = Reply((Text("Hello"),), mid_stream_error=MidStreamError(after, BOOM))
    sent = frames(reply, query)
    *chunks, last = read(sent)
    assert len(chunks) == min(after, 2)
    assert (last["error"]["code"], last["error"]["message"], last["error"]["status"]) == (500, "boom", "INTERNAL")
    stream = [frame.data for frame in sent]
    if not chunks:
        with pytest.raises(WireError, match="boom"):
            gemini.collapse(stream)
        return
    back = gemini.read_stream(stream)
    assert back.reply.text == "Hello"[: 3 * after]
    assert back.reply.mid_stream_error == MidStreamError(min(after, 2), BOOM)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (ErrorReply("x", "UNAVAILABLE"), 503, "UNAVAILABLE"),
        (ErrorReply("x", code="RESOURCE_EXHAUSTED"), 429, "RESOURCE_EXHAUSTED"),
        (ErrorReply("x", "FAILED_PRECONDITION"), 400, "FAILED_PRECONDITION"),
        (ErrorReply("x", status=429), 429, "RESOURCE_EXHAUSTED"),
        (ErrorReply("x", "UNAVAILABLE", status=429), 429, "UNAVAILABLE"),
    ],
)
def test_the_code_within_a_stream_follows_from_the_name(
    ask_gemini: Ask, stamp: Stamp, error: ErrorReply, code: int, status: str
) -> None:
    """Clients raise by the code, and the HTTP status was 200."""
    frame = gemini.error_frame(error, gemini.shape(ask_gemini(query="alt=sse")), stamp)
    told = orjson.loads(frame.data.removeprefix(b"data: "))["error"]
    assert (told["code"], told["status"]) == (code, status)


# -- the round trip, in the form that is not the protocol's own --------------------------------------------------------


@pytest.mark.parametrize(("protocol", "replies"), [(gemini, DEVELOPER), (vertex, VERTEX)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), chunk_size=st.integers(1, 40), cuts=st.lists(st.integers(0, 2**16), max_size=8))
def test_an_array_comes_back(
    ask_gemini: Ask, stamp: Stamp, protocol: Any, replies: Any, data: Any, chunk_size: int, cuts: list[int]
) -> None:
    reply = data.draw(replies)
    shape = protocol.shape(ask_gemini(query=""))
    stream = b"".join(frame.data for frame in protocol.frames(reply, shape, stamp, chunk_size))
    orjson.loads(stream)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    assert protocol.collapse([stream]) == reply
    assert protocol.collapse(stream[start:end] for start, end in pairwise(edges)) == reply
    assert protocol.parse(stream) == reply

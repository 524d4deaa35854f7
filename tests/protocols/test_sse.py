from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import framing, sse
from aimock_protocols.sse import Event

STREAMS = [
    pytest.param(b"data: a\n\n", [Event("a")], id="lf"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")], id="crlf"),
    pytest.param(b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")], id="cr"),
    pytest.param(b"data: a\r\n\ndata: b\r\r\ndata: c\n\r", [Event("a"), Event("b"), Event("c")], id="mixed ends"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="byte order mark"),
    pytest.param(b"data: a\n\xef\xbb\xbfdata: b\n\n", [Event("a")], id="no byte order mark later on"),
    pytest.param(b"data:a\n\n", [Event("a")], id="no space"),
    pytest.param(b"data:  a \n\n", [Event(" a ")], id="one space is taken"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [Event("a\nb")], id="several data lines in crlf"),
    pytest.param(b"data: a\ndata\ndata: b\n\n", [Event("a\n\nb")], id="several data lines"),
    pytest.param(b"data:\n\n", [Event("")], id="empty data is an event"),
    pytest.param(b": ping\n\n:\n\ndata: a\n\n", [Event("a")], id="comments"),
    pytest.param(b"event: x\n\ndata: a\n\n", [Event("a")], id="a name without data is forgotten"),
    pytest.param(b"event: x\ndata: a\n\ndata: b\n\n", [Event("a", "x"), Event("b")], id="a name lasts one event"),
    pytest.param(b"id: 1\nretry: 2\nnonsense\ndata: a\n\n", [Event("a")], id="other fields"),
    pytest.param(b"data: a\n\ndata: b", [Event("a"), Event("b")], id="cut off in a line"),
    pytest.param(b"data: a\n\ndata: b\n", [Event("a"), Event("b")], id="cut off after a line"),
    pytest.param("data: 🚀 é\n\n".encode(), [Event("🚀 é")], id="several bytes a character"),
    pytest.param(b"data: \xff\n\n", [Event("\ufffd")], id="not utf-8"),
    pytest.param(b"", [], id="empty"),
    pytest.param(b"\xef", [], id="half a byte order mark"),
    pytest.param(b"\n\r\n\r", [], id="only blank lines"),
]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_a_stream_is_read_alike_however_it_is_split(stream: bytes, expected: list[Event]) -> None:
    """field 2.37"""
    assert list(sse.events([stream])) == expected
    assert list(sse.events([stream[at : at + 1] for at in range(len(stream))])) == expected
    assert list(sse.events([byte for at in range(len(stream)) for byte in (b"", stream[at : at + 1])])) == expected
    for cut in range(len(stream)):
        assert list(sse.events([stream[:cut], stream[cut:]])) == expected


def test_an_event_comes_as_soon_as_its_blank_line_does() -> None:
    decoder = sse.Decoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event("a")]
    assert decoder.feed(b"\ndata: b\n") == []
    assert decoder.feed(b"\n") == [Event("b")]
    assert decoder.close() == []


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_bytes_in_any_split(stream: bytes, cuts: list[int]) -> None:
    """field 2.37"""
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert list(sse.events(pieces)) == list(sse.events([stream]))


@given(st.lists(st.tuples(st.text("a🚀 :{}", max_size=8), st.none() | st.text("xy", min_size=1, max_size=3))))
def test_what_is_encoded_is_decoded(events: list[tuple[str, str | None]]) -> None:
    stream = b"".join(sse.encode(data.encode(), name.encode() if name else None) for data, name in events)
    assert list(sse.events([stream])) == [Event(*event) for event in events]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"data: " + b"x" * 100], id="one unfinished line"),
        pytest.param([b"x"] * 100, id="an unfinished line byte by byte"),
        pytest.param([b"data: xxxxxxxxx\n"] * 100, id="many lines"),
        pytest.param([b"data: " + b"x" * 100 + b"\n\n"], id="a finished event"),
    ],
)
def test_an_event_beyond_the_limit_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(framing.EventTooLarge, match="more than 64 bytes"):
        list(sse.events(pieces, limit=64))


def test_the_limit_is_for_each_event() -> None:
    stream = [b"data: " + b"x" * 50 + b"\n\n", b": " + b"x" * 50 + b"\n"] * 20
    assert len(list(sse.events(stream, limit=64))) == 20

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import framing, ndjson

STREAMS = [
    pytest.param(b'{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}'], id="lf"),
    pytest.param(b"1\r\n2\r\n", ["1", "2"], id="crlf"),
    pytest.param(b"1\r\n2\n3\r\n", ["1", "2", "3"], id="mixed ends"),
    pytest.param(b"1\n\n\r\n \n2\n", ["1", "2"], id="blank lines"),
    pytest.param(b"1\n2", ["1", "2"], id="nothing ends the last line"),
    pytest.param(b"1\n2\r", ["1", "2"], id="half a line end"),
    pytest.param(b"1\r2\n", ["1\r2"], id="cr alone ends nothing"),
    pytest.param("🚀 é\n".encode(), ["🚀 é"], id="several bytes a character"),
    pytest.param(b"\xff\n", ["\ufffd"], id="not utf-8"),
    pytest.param(b"", [], id="empty"),
    pytest.param(b"\n\r\n", [], id="only blank lines"),
]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_a_stream_is_read_alike_however_it_is_split(stream: bytes, expected: list[str]) -> None:
    assert list(ndjson.lines([stream])) == expected
    assert list(ndjson.lines([stream[at : at + 1] for at in range(len(stream))])) == expected
    for cut in range(len(stream)):
        assert list(ndjson.lines([stream[:cut], b"", stream[cut:]])) == expected


def test_a_line_comes_as_soon_as_it_ends() -> None:
    decoder = ndjson.Decoder()
    assert decoder.feed(b"1\r\n2\r") == ["1"]
    assert decoder.feed(b"\n3") == ["2"]
    assert decoder.close() == ["3"]
    assert decoder.close() == []


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_bytes_in_any_split(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert list(ndjson.lines(pieces)) == list(ndjson.lines([stream]))


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53)), max_size=5))
def test_what_is_encoded_is_read_back(values: list[object]) -> None:
    encoded = [ndjson.encode(orjson.dumps(value)) for value in values]
    assert [orjson.loads(line) for line in ndjson.lines(encoded)] == values


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([b"x" * 11], id="at once"),
        pytest.param([b"x" * 6] * 2, id="in pieces"),
        pytest.param([b"x\n" + b"x" * 11 + b"\n"], id="ended"),
    ],
)
def test_a_line_beyond_the_limit_is_refused(stream: list[bytes]) -> None:
    with pytest.raises(framing.EventTooLarge, match="more than 10 bytes"):
        list(ndjson.lines(stream, limit=10))


def test_the_limit_is_for_one_line() -> None:
    assert list(ndjson.lines([b"x" * 10 + b"\n", b"y" * 5, b"y" * 5], limit=10)) == ["x" * 10, "y" * 10]

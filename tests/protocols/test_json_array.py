"""The framing of a JSON array that grows: whole elements, however its bytes were split."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import json_array
from aimock_protocols.framing import EventTooLarge

TABLE = [
    pytest.param(b'[{"a":1}\n,\r\n{"b":[2]}\n]\n', ['{"a":1}', '{"b":[2]}'], id="as the provider sends it"),
    pytest.param(b'[ {"a" : 1 } ]', ['{"a" : 1 }'], id="one element"),
    pytest.param(b"[]", [], id="none"),
    pytest.param(b" \r\n[\n]\n", [], id="none, with space"),
    pytest.param(b'[1, "two", null, [3], []]', ["1", '"two"', "null", "[3]", "[]"], id="values of any kind"),
    pytest.param(rb'[{"a":"]},[{\"\\"},"\\\""]', [r'{"a":"]},[{\"\\"}', r'"\\\""'], id="structure within strings"),
    pytest.param('[{"a":"né🚀"}]'.encode(), ['{"a":"né🚀"}'], id="characters of several bytes"),
    pytest.param(b'[{"a":"\xff"}]', ['{"a":"\ufffd"}'], id="no UTF-8"),
    pytest.param(b'{"error":{"code":[1]}}', ['{"error":{"code":[1]}}'], id="no array but an object"),
    pytest.param(b'[{"a":1}] [{"b":2}]', ['{"a":1}'], id="more behind the end"),
    pytest.param(b'[{"a":1},{"b":', ['{"a":1}', '{"b":'], id="broken off within an element"),
    pytest.param(b'[{"a":1}\n,\r\n', ['{"a":1}'], id="broken off between elements"),
    pytest.param(b"]{[", ["]"], id="an end at the start"),
    pytest.param(b"", [], id="nothing"),
]


@pytest.mark.parametrize(("stream", "expected"), TABLE)
def test_elements(stream: bytes, expected: list[str]) -> None:
    assert list(json_array.elements([stream])) == expected
    assert list(json_array.elements(stream[at : at + 1] for at in range(len(stream)))) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('[]{},"\\aé🚀\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"]a', max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(
    given=st.lists(values, min_size=1, max_size=5), cuts=st.lists(st.integers(0, 400), max_size=6), pretty=st.booleans()
)
def test_what_was_encoded_comes_back_at_any_split(given: list[object], cuts: list[int], pretty: bool) -> None:
    *first, last = [orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else None) for value in given]
    stream = json_array.OPENING + b"".join(map(json_array.encode, first)) + json_array.encode_last(last)
    assert orjson.loads(stream) == given
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert [orjson.loads(element) for element in json_array.elements(pieces)] == given


def test_an_element_is_there_as_soon_as_it_is_whole() -> None:
    decoder = json_array.Decoder()
    assert decoder.feed(json_array.OPENING) == []
    assert decoder.feed(json_array.encode(b'{"a":1}')) == ['{"a":1}']
    assert decoder.feed(b'{"b"') == []
    assert decoder.feed(b":2}\n]\n") == ['{"b":2}']
    assert decoder.close() == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_element_has_a_limit(size: int) -> None:
    """However it comes; and several that are small are as many as they like."""
    stream = b"[" + b'"12345678",' * 50 + b'"' + b"x" * 100 + b'"]'
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    read = json_array.elements(pieces, limit=50)
    with pytest.raises(EventTooLarge):
        list(read)
    assert list(json_array.elements([b"[" + b'"12345678",' * 50 + b"]"], limit=50)) == ['"12345678"'] * 50

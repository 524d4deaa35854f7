"""Bytes to lines, however they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aimock.surfaces.mcp.stdio import Lines

MOST = 8


@given(st.binary(max_size=60).map(lambda data: data.replace(b"x", b"\n")), st.lists(st.integers(0, 60), max_size=6))
def test_lines_are_the_same_however_they_are_split(data: bytes, cuts: list[int]) -> None:
    lines, found, start = Lines(MOST), [], 0
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        if data[start:cut]:  # nothing read is the end
            found += lines.feed(data[start:cut])
        start = cut
    assert not lines.is_over
    found += lines.feed(b"")
    assert lines.is_over
    *whole, rest = data.split(b"\n")
    expected = [*whole, rest] if rest else whole
    assert found == [line if len(line) <= MOST else None for line in expected]


def test_a_line_that_is_too_long_is_told_at_once_and_once() -> None:
    lines = Lines(MOST)
    assert lines.feed(b"123456789") == [None]
    assert lines.feed(b"still") == []
    assert lines.feed(b"more\nnext\n") == [b"next"]
    assert lines.feed(b"") == []

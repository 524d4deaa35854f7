from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.slicing import slices

ASTRAL = st.characters(exclude_categories=["Cs"])


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("", 1, []),
        ("abcde", 2, ["ab", "cd", "e"]),
        ("abcd", 2, ["ab", "cd"]),
        ("a\r\nb", 2, ["a\r", "\nb"]),
        ("abc", 99, ["abc"]),
        ("a🚀b", 1, ["a", "🚀", "b"]),
        ("e\u0301a", 1, ["e\u0301", "a"]),
        ("👍🏽x", 1, ["👍🏽", "x"]),
        ("👩\u200d👩\u200d👧x", 1, ["👩\u200d👩\u200d👧", "x"]),
        ("❤\ufe0fx", 1, ["❤\ufe0f", "x"]),
        ("🇩🇪🇫🇷x", 1, ["🇩🇪", "🇫🇷", "x"]),
        ("a🇩🇪🇫🇷", 2, ["a🇩🇪", "🇫🇷"]),
        ("日本語", 2, ["日本", "語"]),
    ],
)
def test_slices(text: str, size: int, expected: list[str]) -> None:
    assert slices(text, size) == expected


@given(st.text(ASTRAL), st.integers(1, 30))
def test_slices_add_up_to_the_text(text: str, size: int) -> None:
    cut = slices(text, size)
    assert "".join(cut) == text
    assert all(len(piece) >= size for piece in cut[:-1])


@given(st.text(st.characters(max_codepoint=127)), st.integers(1, 30))
def test_ascii_is_cut_at_every_size(text: str, size: int) -> None:
    assert all(len(piece) == size for piece in slices(text, size)[:-1])


@pytest.mark.parametrize("size", [0, -1])
def test_a_slice_holds_something(size: int) -> None:
    with pytest.raises(ValueError, match="slices of"):
        slices("abc", size)

"""Vectors by which related texts are near."""

from __future__ import annotations

import hashlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.semantic import semantic_vector_of

words = st.text(st.characters(categories=("Ll", "Lu", "Lo", "Nd")), min_size=1, max_size=12)
texts = st.text(max_size=200) | st.lists(words, max_size=20).map(" ".join)
dimensions = st.integers(1, 2000)


def likeness(one: str, other: str, dimensions: int = 256) -> float:
    """The cosine, which for vectors of length 1 is the product."""
    pairs = zip(semantic_vector_of(one, dimensions), semantic_vector_of(other, dimensions), strict=True)
    return sum(first * second for first, second in pairs)


@given(texts, dimensions)
def test_every_text_has_a_vector_of_length_one(text: str, dimensions: int) -> None:
    vector = semantic_vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.sqrt(sum(value * value for value in vector)), 1)


@given(texts, dimensions)
def test_the_same_text_has_the_same_vector(text: str, dimensions: int) -> None:
    first = semantic_vector_of(text, dimensions)
    semantic_vector_of.cache_clear()
    assert semantic_vector_of(text, dimensions) == first


@given(st.lists(words, min_size=1, max_size=20))
def test_case_spaces_and_punctuation_say_nothing(several: list[str]) -> None:
    plain = likeness(" ".join(several), "...  " + "!\n".join(several) + "?", 1536)
    assert math.isclose(plain, 1, abs_tol=1e-9)
    assert math.isclose(likeness("The Café in ZÜRICH", "the cafe in Zurich"), 1)


@pytest.mark.parametrize("dimensions", [128, 256, 384, 768, 1024, 1536, 3072])
@pytest.mark.parametrize(
    ("text", "related", "unrelated"),
    [
        ("How do I get a refund for my order?", "Refunds are paid within 14 days of an order", "How do I get there?"),
        ("reset my password", "Resetting a password that was forgotten", "Shipping takes three to five days"),
        ("What is the capital of France?", "Paris is the capital of France", "What is the weather in Berlin like?"),
        ("Where is my package?", "Track the package that you have ordered", "Where is the meeting?"),
        ("pricing of the enterprise plan", "How much does the enterprise plan cost?", "How do I delete a file?"),
        ("database connection errors", "an error when connecting to the database", "how to bake bread at home"),
        ("What are the opening hours on Sunday?", "We open at 9 on Sundays", "What are the parts of the soup?"),
        ("Passwort zurücksetzen", "Passwörter werden hier zurückgesetzt", "Eine Bestellung stornieren"),
        ("東京の天気はどうですか", "今日の東京の天気", "パスワードを変更する"),
        ("비밀번호를 재설정하려면", "비밀번호 재설정", "오늘 서울의 날씨"),
        ("पासवर्ड कैसे बदलें", "पासवर्ड बदलना", "आज का मौसम"),
        ("party 🎉 tonight", "🎉 for all", "🍞 recipes"),
    ],
)
def test_related_texts_are_nearer(text: str, related: str, unrelated: str, dimensions: int) -> None:
    assert likeness(text, related, dimensions) > likeness(text, unrelated, dimensions)


def test_order_says_nothing_and_repetition_a_little() -> None:
    assert math.isclose(likeness("dog bites man", "man bites dog"), 1)
    assert 0.9 < likeness("refund the order", "refund refund the order") < 1


def test_texts_without_words_differ_as_well() -> None:
    assert semantic_vector_of("!!!", 64) != semantic_vector_of("???", 64)
    assert semantic_vector_of("", 64).count(1.0) == 1


def test_half_a_surrogate_is_read() -> None:
    assert len(semantic_vector_of("\ud800 broken", 8)) == 8


def test_no_more_is_read_than_a_model_would() -> None:
    read = "word " * 7000
    assert semantic_vector_of(read + "other", 64) == semantic_vector_of(read + "words", 64)


def test_the_vectors_stay_what_they_are() -> None:
    """Recorded scores and kept stores depend on them: what changes here must be told in the changelog."""
    vector = semantic_vector_of("How do I reset my password? Passwörter, 東京, 🎉!", 1536)
    assert hashlib.sha256(struct.pack("<1536d", *vector)).hexdigest() == (
        "c5cd24de0d4ef9d446854297f7b2b06c28a4ae9d331ce37cd26081b0ebaf678a"
    )

"""Vectors of texts such that related texts rank nearer, without a model: words and their parts, hashed to places.

A text is the words in it, and each word the runs of three and four letters in it besides, so that "refund", "refunds"
and "refunding" are alike. Each of these has a place and a sign by its hash (Weinberger et al., "Feature Hashing for
Large Scale Multitask Learning"), and a weight by how often it comes. It knows no synonyms: texts that share no part of
a word are as far apart as any two.

The same text has the same vector everywhere: hashes are BLAKE2b's, and of floating point only what is rounded one way
is used (Python's own `sum` has not always rounded alike).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from functools import lru_cache

from aimock_protocols.words import SAYING_LITTLE, words_of

_LONGEST_TEXT = 32_768
"""Characters that are read of a text: some 8,192 tokens, which is as many as embedding models take."""
_KEPT_WORDS = 8192

_PARTS = (3, 4)
_WEIGHT_OF_PARTS = 3.0
"""That of all parts of a word together; the word itself has 1. A value is the root of its weight, since a cosine is
made of products."""
_WEIGHT_OF_FUNCTION = 0.1

Feature = tuple[int, float]
"""A hash of 30 bits (with which Python reckons fastest), and a weight whose sign is another bit of it."""


@lru_cache(maxsize=64)
def semantic_vector_of(text: str, dimensions: int) -> tuple[float, ...]:
    """The vector of a text, of length 1, with so many values."""
    values: dict[int, float] = {}
    for digest, weight in features(text):
        place = digest % dimensions
        values[place] = values.get(place, 0.0) + weight
    length = math.sqrt(math.fsum([value * value for value in values.values()]))
    if length == 0:  # no word in it, or what is in it cancels out
        place, length = _feature(text[:_LONGEST_TEXT], 1.0)
        values = {place % dimensions: length}
    vector = [0.0] * dimensions
    for place, value in values.items():
        vector[place] = value / length
    return tuple(vector)


def features(text: str) -> list[Feature]:
    """What a text consists of, in the order in which it comes; the same feature may come in several words."""
    found: list[Feature] = []
    for word, times in Counter(words_of(text[:_LONGEST_TEXT])).items():
        if times == 1:
            found += _features(word)
        else:
            often = math.sqrt(times)
            found += [(digest, often * weight) for digest, weight in _features(word)]
    return found


@lru_cache(maxsize=_KEPT_WORDS)
def _features(word: str) -> tuple[Feature, ...]:
    """A word and its parts, of which the first and the last know that they are."""
    if word in SAYING_LITTLE:
        return (_feature(word, _WEIGHT_OF_FUNCTION),)
    marked = f"<{word}>"  # neither sign is in any word, nor the slash
    parts = [marked[at : at + size] for size in _PARTS for at in range(len(marked) - size + 1)]
    return (_feature(word, 1.0), *[_feature(f"/{part}", _WEIGHT_OF_PARTS / len(parts)) for part in parts])


def _feature(what: str, weight: float) -> Feature:
    digest = int.from_bytes(hashlib.blake2b(what.encode("utf-8", "replace"), digest_size=4).digest(), "big")
    return digest >> 2, math.sqrt(weight) * (1 if digest & 1 else -1)

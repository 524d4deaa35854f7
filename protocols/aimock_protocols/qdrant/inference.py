"""Vectors made of texts, in place of the server's inference: the same ones for the same texts.

A text without meaning to it: a dense vector follows from the whole of it, a sparse one has an index for each of its
words, weighted as BM25 weighs them, and one of several rows has a row for each.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import orjson

from aimock_protocols.embedding import normalised, vector_of
from aimock_protocols.qdrant import bm25
from aimock_protocols.qdrant.tokens import WORDS
from aimock_protocols.qdrant.vectors import Dense, Inferred, Multi, Sparse, Vector

_MEAN_WORDS = 256
"""Words of a text of usual length."""

Embed = Callable[[str, int], Sequence[float]]
"""The vector of a text, in so many dimensions."""


def _hashed(text: str, size: int) -> Sequence[float]:
    return normalised(vector_of(text, size))


def inferred(told: Inferred, form: str, size: int, embed: Embed = _hashed) -> Vector:
    """The vector of a text, or of an image or object by its JSON. `form`: `dense`, `multi` or `sparse`."""
    text = told.content if isinstance(told.content, str) else orjson.dumps(told.content).decode()
    if form == "dense":
        return Dense([*embed(text, size)])
    words = WORDS.of_document(text)
    if form == "multi":
        return Multi([[*embed(word, size)] for word in words or [text]])
    weights: dict[int, float] = {}
    norm = bm25.K1 * (1 - bm25.B + bm25.B * len(words) / _MEAN_WORDS)
    for word, count in Counter(words).items():
        index = zlib.crc32(word.encode())
        weights[index] = weights.get(index, 0.0) + count * (bm25.K1 + 1) / (count + norm)
    return Sparse((*sorted(weights),), tuple(weights[index] for index in sorted(weights)))

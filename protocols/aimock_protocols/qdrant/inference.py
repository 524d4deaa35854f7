"""Vectors made of texts, in place of the server's inference: the same ones for the same texts, whatever the model.

A dense vector is nearer to those of texts with the same words, a sparse one has an index for each word, weighted as
BM25 weighs it, and one of several rows has a row for each.
"""

from __future__ import annotations

import zlib
from collections import Counter

import orjson

from aimock_protocols.qdrant import bm25
from aimock_protocols.qdrant.tokens import WORDS
from aimock_protocols.qdrant.vectors import Dense, Inferred, Multi, Sparse, Vector
from aimock_protocols.semantic import semantic_vector_of

_MEAN_WORDS = 256
"""Words of a text of usual length."""


def inferred(told: Inferred, form: str, size: int) -> Vector:
    """The vector of a text, or of an image or object by its JSON. `form`: `dense`, `multi` or `sparse`."""
    text = told.content if isinstance(told.content, str) else orjson.dumps(told.content).decode()
    if form == "dense":
        return Dense([*semantic_vector_of(text, size)])
    words = WORDS.of_document(text)
    if form == "multi":
        return Multi([[*semantic_vector_of(word, size)] for word in words or [text]])
    weights: dict[int, float] = {}
    norm = bm25.K1 * (1 - bm25.B + bm25.B * len(words) / _MEAN_WORDS)
    for word, count in Counter(words).items():
        index = zlib.crc32(word.encode())
        weights[index] = weights.get(index, 0.0) + count * (bm25.K1 + 1) / (count + norm)
    return Sparse((*sorted(weights),), tuple(weights[index] for index in sorted(weights)))

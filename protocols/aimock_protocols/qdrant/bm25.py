"""Scores of texts by the words of a query: Okapi BM25 (Robertson and Zaragoza, 2009)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Document = TypeVar("Document", bound=Hashable)

K1, B = 1.2, 0.75
"""How soon a word's repetitions count no more, and how much a document's length counts."""


def idf(having: int, documents: int) -> float:
    """How much a word tells that so many of the documents have."""
    return math.log((documents - having + 0.5) / (having + 0.5) + 1)


def scores(
    documents: Mapping[Document, Sequence[str]], query: Sequence[str], k1: float = K1, b: float = B
) -> dict[Document, float]:
    """Of those documents that have any of the query's words. `documents`: their words, at least one each."""
    if not documents:
        return {}
    counted = {name: Counter(words) for name, words in documents.items()}
    mean = sum(map(len, documents.values())) / len(documents)
    weights = {word: idf(sum(word in words for words in counted.values()), len(documents)) for word in set(query)}
    found: dict[Document, float] = {}
    for name, words in counted.items():
        norm = k1 * (1 - b + b * len(documents[name]) / mean)
        score = sum(weight * words[word] * (k1 + 1) / (words[word] + norm) for word, weight in weights.items())
        if score > 0:
            found[name] = score
    return found

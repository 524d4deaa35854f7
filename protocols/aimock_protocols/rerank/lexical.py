"""How well documents answer a query by the words that they share, without a model.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) over the query's words and the runs
of letters in them, so that "refunds" finds "refund" too; divided by what a document could reach at most, so that it is
between 0 and 1. It knows no synonyms.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence

from aimock_protocols.words import SAYING_LITTLE, words_of

LONGEST_TEXT = 16_384
"""Characters that are read of a document: some 4,096 tokens, after which Cohere's models cut them."""
LONGEST_TEXTS = 500_000
"""Characters that are read of all of them, each having an equal share: so much takes some 50 ms."""

_SATURATION = 0.3
"""BM25's k1: how slowly a term that comes again stops to count."""
_LENGTH_WEIGHT = 0.5
"""BM25's b: how much longer documents must do with more."""
_PART = 4
"""Letters in a part of a word, its beginning and end being one each."""
_WEIGHT_OF_FUNCTION = 0.05
"""Of words that say little; others have 1."""
_DIGITS = 6
"""Decimal digits of a score."""
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Kana and ideographs, whose words nothing parts: they are looked for two by two."""


def relevance(query: str, documents: Sequence[str]) -> list[float]:
    """The score of each document, from 0 (nothing in common) to below 1."""
    share = min(LONGEST_TEXT, LONGEST_TEXTS // max(1, len(documents)))
    texts = [document[:share] for document in documents]
    worth = _wanted(query)
    counts = _counted(texts, worth)
    having = Counter(term for counted in counts for term in counted)
    weights = {term: weight * _rarity(having[term], len(texts)) for term, weight in worth.items()}
    average, most = sum(map(len, texts)) / max(1, len(texts)), math.fsum(weights.values())
    scores = []
    for text, counted in zip(texts, counts, strict=True):
        resistance = _resistance(len(text) / average) if counted else 0.0
        reached = math.fsum([weights[term] * count / (count + resistance) for term, count in counted.items()])
        scores.append(round(reached / most, _DIGITS) if reached else 0.0)
    return scores


def _wanted(query: str) -> dict[str, float]:
    """What is looked for, and what each is worth: words, and the parts of one together as much again."""
    worth: dict[str, float] = {}
    for word in dict.fromkeys(words_of(query[:LONGEST_TEXT])):
        if word in SAYING_LITTLE:
            worth[word] = _WEIGHT_OF_FUNCTION
            continue
        worth[word] = 1.0
        parts = _parts(word)
        for part in parts:
            worth[part] = worth.get(part, 0.0) + 1 / len(parts)
    return worth


def _counted(texts: list[str], wanted: Collection[str]) -> list[dict[str, int]]:
    """How often each text has what is wanted. Most words come again and again: each is looked into once."""
    known: dict[str, list[str]] = {}
    counts = []
    for text in texts:
        counted: dict[str, int] = {}
        for word, times in Counter(words_of(text)).items():
            terms = known.get(word)
            if terms is None:
                terms = known[word] = [term for term in (word, *_parts(word)) if term in wanted]
            for term in terms:
                counted[term] = counted.get(term, 0) + times
        counts.append(counted)
    return counts


def _parts(word: str) -> list[str]:
    """The runs of letters in a word, marked: no word begins so."""
    size, marked = (2, word) if _UNSPACED.search(word) else (_PART, f" {word} ")
    return [f"/{marked[at : at + size]}" for at in range(len(marked) - size + 1)]


def _rarity(having: int, of: int) -> float:
    """BM25's weight of a term that so many of the documents have."""
    return math.log(1 + (of - having + 0.5) / (having + 0.5))


def _resistance(length: float) -> float:
    """What a count is weighed against in a document so many times as long as the average."""
    return _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length)

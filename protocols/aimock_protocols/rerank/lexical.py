"""How well documents answer a query by the words that they share, without a model.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) over the query's words and the runs
of letters in them, so that "refunds" finds "refund" too; divided by what a document could reach at most, so that it is
between 0 and 1. It knows no synonyms.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

LONGEST_TEXT = 16_384
"""Characters that are read of a document: some 4,096 tokens, after which Cohere's models cut them."""
LONGEST_TEXTS = 1_000_000
"""Characters that are read of all of them, each having an equal share: so much takes some 70 ms."""

_LONGEST_QUERY_WORDS = 256
"""Words of a query that are looked for."""
_SATURATION = 0.3
"""BM25's k1: how slowly a term that comes again stops to count."""
_LENGTH_WEIGHT = 0.5
"""BM25's b: how much longer documents must do with more."""
_PART = 4
"""Letters in a part of a word, its beginning and end being one each."""
_WEIGHT_OF_FUNCTION = 0.05
_DIGITS = 6
"""Decimal digits of a score."""

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Kana and ideographs, whose words nothing parts: they are looked for two by two."""
_OF_FUNCTION = (
    "a an the this that these those and or but if then than so as of in on at by for from to with into about over "
    "under i me my we us our you your he him his she her it its they them their who which what when where why how "
    "is are was were be been am do does did have has had can could will would shall should may might must not no "
    "there s t"
)
_FUNCTION_WORDS = frozenset(_OF_FUNCTION.split())
"""English words that say little of what is asked for."""


def relevance(query: str, documents: Sequence[str]) -> list[float]:
    """The score of each document, from 0 (nothing in common) to below 1."""
    share = min(LONGEST_TEXT, LONGEST_TEXTS // max(1, len(documents)))
    texts = [_readable(document[:share]) for document in documents]
    average = sum(map(len, texts)) / len(texts) if texts else 0
    scores = [0.0] * len(texts)
    most = 0.0
    for term, weight in _terms(query).items():
        counts = [text.count(term) for text in texts]
        weight *= _rarity(sum(map(bool, counts)), len(texts))
        most += weight
        for place, count in enumerate(counts):
            if count:
                scores[place] += weight * count / (count + _resistance(len(texts[place]) / average))
    return [round(score / most, _DIGITS) for score in scores] if most else scores


def _readable(text: str) -> str:
    """The words of a text, without case and accents, with two spaces between them and one around: so that no two of
    them share any, and each can be counted by itself."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return f" {'  '.join(_WORD.findall(plain))} "


def _terms(query: str) -> dict[str, float]:
    """What is looked for in a readable text, and what each is worth: words, and their parts together as much again."""
    terms: dict[str, float] = {}
    for word in dict.fromkeys(_readable(query[:LONGEST_TEXT]).split()[:_LONGEST_QUERY_WORDS]):
        if word in _FUNCTION_WORDS:
            terms[f" {word} "] = _WEIGHT_OF_FUNCTION
            continue
        terms[f" {word} "] = 1.0
        parts = _parts(word)
        for part in parts:
            terms[part] = terms.get(part, 0.0) + 1 / len(parts)
    return terms


def _parts(word: str) -> list[str]:
    size, marked = (2, word) if _UNSPACED.search(word) else (_PART, f" {word} ")
    return [marked[at : at + size] for at in range(len(marked) - size + 1)]


def _rarity(having: int, of: int) -> float:
    """BM25's weight of a term that so many of the documents have."""
    return math.log(1 + (of - having + 0.5) / (having + 0.5))


def _resistance(length: float) -> float:
    """What a count is weighed against in a document so many times as long as the average."""
    return _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length)

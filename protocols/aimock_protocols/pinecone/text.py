"""Full-text search: words, what of them a filter may ask for, and how well texts fit.

Texts are compared by their words, neither stemmed nor without the frequent ones. Relevance is BM25's
(Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with k1 = 1.2 and b = 0.75).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Compile, Condition
from aimock_protocols.pinecone.reading import filled
from aimock_protocols.words import words_of

_K1 = 1.2
_B = 0.75


def tokens_of(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return tuple(words_of(text))


def has_phrase(tokens: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether words stand in a text just so, one after the other."""
    return occurrences(tokens, phrase) > 0


def occurrences(tokens: tuple[str, ...], phrase: tuple[str, ...]) -> int:
    """How often they do."""
    length = len(phrase)
    return sum(tokens[start : start + length] == phrase for start in range(len(tokens) - length + 1)) if length else 0


def _matching(holds: Callable[[tuple[str, ...], tuple[str, ...]], bool]) -> Compile:
    def compile_match(operand: Any, operator: str) -> Condition:
        wanted = tokens_of(filled(operand, operator))
        if not wanted:
            raise refusal(f"the {operator} operator must be followed by a string with at least one word")
        return lambda value: type(value) is str and holds(tokens_of(value), wanted)

    return compile_match


TEXT: Mapping[str, Compile] = {
    "$match_phrase": _matching(has_phrase),
    "$match_all": _matching(lambda tokens, wanted: {*wanted} <= {*tokens}),
    "$match_any": _matching(lambda tokens, wanted: not {*wanted}.isdisjoint(tokens)),
}
"""What a field takes in filters that is searched by its words."""


@attrs.define(eq=False)
class Texts:
    """One field of all documents: how often its words are in each."""

    tokens: Sequence[tuple[str, ...]]
    """Of each document; of one that lacks the field none."""
    average: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        held = [len(each) for each in self.tokens if each]
        self.average = sum(held) / len(held) if held else 1.0

    def scores(self, phrase: tuple[str, ...]) -> list[float]:
        """How relevant each document is for a word, or for several that must stand together; 0: not at all."""
        if len(phrase) == 1:
            found = [each.count(phrase[0]) for each in self.tokens]
        else:
            found = [occurrences(each, phrase) for each in self.tokens]
        holding = sum(map(bool, found))
        idf = math.log1p((len(self.tokens) - holding + 0.5) / (holding + 0.5))
        return [
            idf * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * len(tokens) / self.average)) if count else 0.0
            for count, tokens in zip(found, self.tokens, strict=True)
        ]


def summed(scores: Iterable[Sequence[float]], length: int) -> list[float]:
    """Scores of the same documents, added up."""
    total = [0.0] * length
    for each in scores:
        total = [one + other for one, other in zip(total, each, strict=True)]
    return total

"""How texts are taken apart into tokens, for conditions on text and for BM25.

A field with a text index is taken apart as the index says, any other by words in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

_WORD = re.compile(r"[^\W_]+")
_LONGEST_PREFIX = 20
"""Characters of the longest prefix that is a token, where the index does not say."""


@attrs.frozen
class Tokenizer:
    """The tokens of documents, and of what is looked for in them."""

    kind: str = "word"
    lowercase: bool = True
    ascii_folding: bool = False
    least: int = 0
    """Characters of a token; shorter ones are left out."""
    most: int | None = None
    stopwords: frozenset[str] = frozenset()

    def of_document(self, text: str) -> list[str]:
        if self.kind != "prefix":
            return [*self._words(text)]
        most = self.most or _LONGEST_PREFIX
        return [word[:end] for word in self._words(text) for end in range(max(self.least, 1), min(len(word), most) + 1)]

    def of_query(self, text: str) -> list[str]:
        if self.kind != "prefix":
            return [*self._words(text)]
        return [word[: self.most or _LONGEST_PREFIX] for word in self._words(text)]

    def _words(self, text: str) -> Iterator[str]:
        if self.lowercase:
            text = text.lower()
        if self.ascii_folding:
            text = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
        for word in text.split() if self.kind == "whitespace" else _WORD.findall(text):
            too_long = self.kind != "prefix" and self.most is not None and len(word) > self.most
            if len(word) >= self.least and not too_long and word not in self.stopwords:
                yield word


WORDS = Tokenizer()
"""Of fields without a text index."""


def of_index(params: Mapping[str, Any]) -> Tokenizer:
    """As the parameters of a text index say. Stemmers and the lists of stop words of a language are not known here."""
    stopwords = params.get("stopwords")
    custom = stopwords.get("custom") if isinstance(stopwords, dict) else None
    return Tokenizer(
        params.get("tokenizer") or "word",
        params.get("lowercase") is not False,
        params.get("ascii_folding") is True,
        params.get("min_token_len") or 0,
        params.get("max_token_len"),
        frozenset(word.lower() for word in custom or ()),
    )


def holds_in_a_row(tokens: list[str], wanted: list[str]) -> bool:
    """Whether all that is wanted stands among the tokens, one after the other."""
    last = len(tokens) - len(wanted)
    return any(tokens[start : start + len(wanted)] == wanted for start in range(last + 1))

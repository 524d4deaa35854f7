"""Query strings as Lucene's classic parser has them: which documents match, and how well.

Understood are words, "phrases", `field:…`, parentheses, `AND`, `OR`, `NOT` (also `&&`, `||`, `!`), `+must`, `-not` and
`^boost`. Words beside each other are alternatives. Wildcards, ranges, fuzziness and slop are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.text import Texts, summed, tokens_of

_MAX_DEPTH = 32
_MAX_CLAUSES = 1024

_LEXEME = re.compile(
    r'\s*(?:(?P<phrase>"(?:[^"\\]|\\.)*")|(?P<sign>&&|\|\||[()+\-!])|\^(?P<boost>\d+(?:\.\d+)?)'
    r'|(?P<field>[^\s:"()^+\-!][^\s:"()^]*):|(?P<word>(?:[^\s:"()^\\]|\\.)+))'
)
_UNSUPPORTED = re.compile(r"(?<!\\)[*?~\[\]{}/]")
_JOINS = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR"}


class Scored(NamedTuple):
    """What a query makes of each document."""

    matched: Sequence[bool]
    scores: Sequence[float]


@attrs.frozen
class Phrase:
    fields: tuple[str, ...]
    tokens: tuple[str, ...]
    boost: float = 1.0


@attrs.frozen
class Clauses:
    """All of `must`, none of `never`, and at least one of `should` where nothing must be."""

    must: tuple[Query, ...] = ()
    should: tuple[Query, ...] = ()
    never: tuple[Query, ...] = ()
    boost: float = 1.0


Query = Phrase | Clauses


def parsed(query: str, fields: Sequence[str]) -> Query:
    """`fields`: all that can be searched, and where words are sought that name none. Raises WireError."""
    parser = _Parser(_lexemes(query), fields)
    found = parser.clauses(fields, 0)
    if parser.lexemes:
        raise refusal(f"Invalid query string: unexpected {parser.lexemes[0].text!r}")
    return found


def scored(query: Query, texts: Mapping[str, Texts], length: int) -> Scored:
    """`texts`: of each field; `length`: how many documents there are."""
    if isinstance(query, Phrase):
        scores = summed((texts[field].scores(query.tokens) for field in query.fields), length)
        return Scored([score > 0 for score in scores], [score * query.boost for score in scores])
    must, should, never = (
        [scored(each, texts, length) for each in each_of] for each_of in (query.must, query.should, query.never)
    )
    matched = [
        all(each.matched[place] for each in must)
        and (bool(must) or any(each.matched[place] for each in should))
        and not any(each.matched[place] for each in never)
        for place in range(length)
    ]
    total = summed((each.scores for each in (*must, *should)), length)
    return Scored(matched, [score * query.boost if holds else 0.0 for holds, score in zip(matched, total, strict=True)])


class _Lexeme(NamedTuple):
    kind: str
    text: str


def _lexemes(query: str) -> list[_Lexeme]:
    found, place, query = [], 0, query.rstrip()
    while place < len(query):
        match = _LEXEME.match(query, place)
        if match is None or match.lastgroup is None:
            raise refusal(f"Invalid query string: cannot read {query[place : place + 20]!r}")
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "word":
            if _UNSUPPORTED.search(value):
                raise refusal(f"Invalid query string: wildcards, ranges and fuzziness are not supported: {value!r}")
            if value in ("AND", "OR", "NOT"):
                kind = "sign"
        found.append(_Lexeme(kind, value))
        place = match.end()
        if len(found) > _MAX_CLAUSES:
            raise refusal(f"Invalid query string: more than {_MAX_CLAUSES} terms")
    if not found:
        raise refusal("Invalid query string: it is empty")
    return found


class _Parser:
    def __init__(self, lexemes: list[_Lexeme], known: Sequence[str]) -> None:
        self.lexemes = lexemes
        self._known = known

    def clauses(self, fields: Sequence[str], depth: int) -> Query:
        """Clauses up to a closing parenthesis, or to the end."""
        if depth > _MAX_DEPTH:
            raise refusal("Invalid query string: nested too deeply")
        signs: list[str] = []
        queries: list[Query] = []
        join = ""
        while self.lexemes and self.lexemes[0] != ("sign", ")"):
            lexeme = self.lexemes[0]
            if lexeme.kind == "sign" and lexeme.text in _JOINS:
                if not signs:
                    raise refusal(f"Invalid query string: unexpected {lexeme.text!r}")
                join = _JOINS[self._next().text]
                if join == "AND" and not signs[-1]:
                    signs[-1] = "+"
                continue
            signs.append(self._sign() or ("+" if join == "AND" else ""))
            queries.append(self._clause(fields, depth))
            join = ""
        if join or not signs:
            raise refusal("Invalid query string: a term is missing")
        must, should, never = (
            tuple(query for each, query in zip(signs, queries, strict=True) if each == sign) for sign in ("+", "", "-")
        )
        return Clauses(must, should, never)

    def _sign(self) -> str:
        if self.lexemes[0].kind != "sign" or self.lexemes[0].text == "(":
            return ""
        return "+" if self._next().text == "+" else "-"

    def _clause(self, fields: Sequence[str], depth: int) -> Query:
        lexeme = self._next()
        if lexeme.kind == "field":
            if lexeme.text not in self._known:
                raise refusal(f"Invalid query string: {lexeme.text!r} is no field with full-text search")
            return self._clause((lexeme.text,), depth)
        if lexeme == ("sign", "("):
            inner = self.clauses(fields, depth + 1)
            if not self.lexemes:
                raise refusal("Invalid query string: ')' is missing")
            self._next()
            return attrs.evolve(inner, boost=self._boost())
        if lexeme.kind not in ("word", "phrase"):
            raise refusal(f"Invalid query string: unexpected {lexeme.text!r}")
        written = lexeme.text[1:-1] if lexeme.kind == "phrase" else lexeme.text
        return Phrase(tuple(fields), tokens_of(re.sub(r"\\(.)", r"\1", written)), self._boost())

    def _boost(self) -> float:
        return float(self._next().text) if self.lexemes and self.lexemes[0].kind == "boost" else 1.0

    def _next(self) -> _Lexeme:
        if not self.lexemes:
            raise refusal("Invalid query string: a term is missing")
        return self.lexemes.pop(0)

"""From what a fixture says to the results of a request: only documents that there are, the best first, no more than
are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs

from aimock_protocols.rerank.asking import Shape
from aimock_protocols.rerank.lexical import relevance
from aimock_protocols.services import RANKINGS

_BEST, _STEP = 0.99, 0.01


@attrs.frozen
class Hit:
    """One result."""

    index: int
    """Of the document."""
    score: float
    told: Mapping[str, Any] = attrs.field(factory=dict)
    """What the fixture has of it."""


class Ranking(NamedTuple):
    """The results of a request."""

    hits: list[Hit]
    """Best first; of equals, in the order given."""
    warnings: list[str]
    """Which results were dropped, and why."""


def ranking(given: Mapping[str, Any], shape: Shape) -> Ranking:
    """The results that `given` tells, each by its document's `index` or by a part of its text under `document`, without
    regard to case; those without a `relevance_score` descend from 0.99. Without `results`, those of the manner of
    ranking that it names, or by shared words."""
    if not isinstance(given.get("results"), list):
        found = Ranking(MANNERS[given.get("ranking", RANKINGS[0])](shape), [])
    else:
        found = _found(given["results"], shape)
    best_first = sorted(found.hits, key=lambda hit: -hit.score)
    return found._replace(hits=best_first[: shape.most])


def _found(results: list[Any], shape: Shape) -> Ranking:
    taken: dict[int, Hit] = {}
    warnings: list[str] = []
    for place, result in enumerate(results):
        told = result if isinstance(result, dict) else {}
        index = _index(told, shape, taken)
        if isinstance(index, str):
            warnings.append(f"result {place} is left out: {index}")
            continue
        score: Any = told.get("relevance_score")
        if type(score) not in (float, int):
            score = _descending(place, len(results))
        taken[index] = Hit(index, score, told)
    return Ranking(list(taken.values()), warnings)


def left_out(given: Mapping[str, Any], shape: Shape) -> list[str]:
    """Which of the results that `given` tells are none of this request's, and why."""
    return _found(given["results"], shape).warnings if isinstance(given.get("results"), list) else []


def _index(told: dict[str, Any], shape: Shape, taken: Mapping[int, Hit]) -> int | str:
    """Which document a result is about; or why none."""
    index, text = told.get("index"), told.get("document")
    if index is None and isinstance(text, str):
        part = text.casefold()
        having = [place for place, document in enumerate(shape.documents) if part in document.casefold()]
        free = [place for place in having if place not in taken]
        return free[0] if free else f"{'no other' if having else 'no'} document has {text!r} in it"
    if type(index) is not int:
        return "it has neither an index nor a part of a document's text"
    if not 0 <= index < len(shape.documents):
        return f"index {index} is not that of one of the {len(shape.documents)} documents"
    return f"document {index} has a result already" if index in taken else index


def _descending(place: int, of: int) -> float:
    """0.99, 0.98, …; in smaller steps where there are so many that they would end below 0."""
    return round(_BEST - place * min(_STEP, _BEST / of), 6)


def _empty(shape: Shape) -> list[Hit]:
    return []


def _identity(shape: Shape) -> list[Hit]:
    of = len(shape.documents)
    return [Hit(index, _descending(index, of)) for index in range(of)]


def _lexical(shape: Shape) -> list[Hit]:
    return [Hit(index, score) for index, score in enumerate(relevance(shape.query, shape.documents))]


MANNERS: Mapping[str, Callable[[Shape], list[Hit]]] = {"lexical": _lexical, "identity": _identity, "empty": _empty}
"""How documents are ranked of which nothing is told: by the words that they share with the query, in the order in which
they came, or not at all."""

"""Reads what a query asks, from the universal query route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aimock_protocols.qdrant import bm25
from aimock_protocols.qdrant.errors import bad_request, invalid, malformed, shown
from aimock_protocols.qdrant.filters import EVERYTHING, Filter, Filters
from aimock_protocols.qdrant.formula import Formula, formula
from aimock_protocols.qdrant.fusion import RRF_K
from aimock_protocols.qdrant.moments import microseconds_of
from aimock_protocols.qdrant.paths import path, selecting
from aimock_protocols.qdrant.queries import (
    LIMIT,
    Discover,
    Feedback,
    Fusion,
    Grouping,
    Lookup,
    Matrix,
    Nearest,
    OrderBy,
    Query,
    Recommend,
    Sample,
    Search,
    Shown,
    TextQuery,
    WithVectors,
)
from aimock_protocols.qdrant.reading import (
    Fields,
    Reader,
    count,
    counted,
    listed,
    measured,
    number,
    one_of,
    one_or_many,
    text,
    unexpected,
)
from aimock_protocols.qdrant.vectors import Input, query_input

_DEEPEST = 64
"""Prefetches within prefetches."""
_GROUP_SIZE = 3
_NEIGHBOURS = 3
"""Of a point in a matrix."""


def with_vectors(value: Any, place: str) -> WithVectors:
    return value if isinstance(value, bool) else tuple(listed(text)(value, place))


def shown_of(fields: Fields, payload: bool = False) -> Shown:
    """What a request wants to be told. `payload`: whether it is, where the request does not say."""
    name = "with_vector" if "with_vector" in fields else "with_vectors"
    return Shown(
        fields.get("with_payload", selecting, selecting(payload, "with_payload")),
        fields.get(name, with_vectors, False),
    )


def order_by(value: Any, place: str) -> OrderBy:
    """Reads a key, or an object with a direction and a start. Raises WireError."""
    if isinstance(value, str):
        return OrderBy(value, path(value, place))
    fields = Fields(value, place)
    return OrderBy(
        fields.need("key", text),
        fields.need("key", path),
        fields.get("direction", one_of("asc", "desc"), "asc") == "desc",
        fields.get("start_from", _start),
    )


def _start(value: Any, place: str) -> float:
    if isinstance(value, str):
        at = microseconds_of(value)
        if at is None:
            raise malformed(f"{place}: data did not match any variant of untagged enum StartFrom: {shown(value)}")
        return at
    return number(value, place)


def lookup_from(value: Any, place: str) -> Lookup:
    fields = Fields(value, place)
    return Lookup(fields.need("collection", text), fields.get("vector", text))


def corpus(filters: Filters) -> Reader[Filter | None]:
    """Reads search parameters: of them only the corpus counts, for the search is exact."""

    def read(value: Any, place: str) -> Filter | None:
        idf = Fields(value, place).value.get("idf")
        return Fields(idf, f"{place}.idf").get("corpus", filters.filter) if isinstance(idf, dict) else None

    return read


def search(filters: Filters, value: Any, place: str = "", depth: int = 0) -> Search:
    """Reads a universal query, or a prefetch. Raises WireError."""
    fields = Fields(value, place)
    if depth > _DEEPEST:
        raise bad_request(f"prefetches depth {depth} exceeds max depth {_DEEPEST}")
    asked = Search(
        fields.get("query", lambda told, where: _query(filters, told, where)),
        fields.get("prefetch", one_or_many(lambda told, where: search(filters, told, where, depth + 1)), []),
        fields.get("using", text),
        fields.get("filter", filters.filter, EVERYTHING),
        fields.get("limit", counted(1), LIMIT),
        fields.get("offset", count, 0),
        fields.get("score_threshold", number),
        fields.get("lookup_from", lookup_from),
        fields.get("params", corpus(filters)),
    )
    _check(asked)
    return asked


def _check(asked: Search) -> None:
    """Raises WireError for parts that do not go together."""
    query = asked.query
    if asked.prefetch and query is None:
        raise bad_request("A query is needed to merge the prefetches. Can't have prefetches without defining a query.")
    if asked.score_threshold is not None and query is None:
        raise bad_request(
            "A query is needed to use the score_threshold. Can't have score_threshold without defining a query."
        )
    if asked.score_threshold is not None and isinstance(query, OrderBy):
        raise bad_request("Can't use score_threshold with an order_by query.")
    if isinstance(query, Fusion) and asked.using:
        raise bad_request("Fusion queries cannot be combined with the 'using' field.")
    if isinstance(query, Fusion | Formula) and not asked.prefetch:
        raise bad_request(f"cannot apply {type(query).__name__} without prefetches")


def _query(filters: Filters, value: Any, place: str) -> Query:
    if isinstance(value, dict) and "model" not in value:  # an inferred vector has a text too
        for name, read in _QUERIES.items():
            if value.get(name) is not None:
                return read(filters, Fields(value, place))
    return Nearest(query_input(value, place))


def _nearest(filters: Filters, fields: Fields) -> Query:
    to = fields.need("nearest", query_input)
    if "mmr" not in fields:
        return Nearest(to)
    mmr = fields.within("mmr")
    candidates = mmr.get("candidates_limit", counted(1, 16_384))
    return Nearest(to, mmr.get("diversity", measured(0.0, 1.0), 0.5), candidates)


def _recommend(filters: Filters, fields: Fields) -> Query:
    return recommendation(fields.within("recommend"))


def recommendation(fields: Fields) -> Recommend:
    """Reads the examples and the strategy. Raises WireError."""
    strategy = fields.get("strategy", one_of("average_vector", "best_score", "sum_scores"), "average_vector")
    positive, negative = (fields.get(name, listed(query_input), []) for name in ("positive", "negative"))
    if not positive and not negative:
        raise invalid("positives, negatives", "At least one positive or negative vector/id must be provided")
    if not positive and strategy == "average_vector":
        raise bad_request("At least one positive vector ID required with this strategy")
    return Recommend(positive, negative, strategy)


def pair(value: Any, place: str) -> tuple[Input, Input]:
    fields = Fields(value, place)
    return fields.need("positive", query_input), fields.need("negative", query_input)


def _discover(filters: Filters, fields: Fields) -> Query:
    told = fields.within("discover")
    return Discover(told.need("target", query_input), told.get("context", one_or_many(pair), []))


def _context(filters: Filters, fields: Fields) -> Query:
    pairs = fields.need("context", one_or_many(pair))
    if not pairs:
        raise bad_request("Context query needs at least one pair")
    return Discover(None, pairs)


def _fusion(filters: Filters, fields: Fields) -> Query:
    return Fusion(RRF_K if fields.need("fusion", one_of("rrf", "dbsf")) == "rrf" else None)


def _rrf(filters: Filters, fields: Fields) -> Query:
    told = fields.within("rrf")
    return Fusion(told.get("k", counted(1), RRF_K), told.get("weights", listed(number)))


def _sample(filters: Filters, fields: Fields) -> Query:
    fields.need("sample", one_of("random"))
    return Sample()


def _feedback(filters: Filters, fields: Fields) -> Query:
    told = fields.within("relevance_feedback")
    strategy = told.within("strategy")
    naive = strategy.within("naive")

    def judged(value: Any, place: str) -> tuple[Input, float]:
        item = Fields(value, place)
        return item.need("example", query_input), item.need("score", number)

    weights = (naive.need(name, number) for name in "abc")
    return Feedback(told.need("target", query_input), told.need("feedback", listed(judged)), *weights)


def _text(filters: Filters, fields: Fields) -> Query:
    told = fields.value["text"]
    if isinstance(told, str):
        return TextQuery(told, bm25.K1, bm25.B)
    asked = Fields(told, fields.place("text"))
    scoring = Fields(asked.value.get("scoring") or {}, asked.place("scoring"))
    weights = Fields(scoring.value.get("bm25") or {}, scoring.place("bm25"))
    k1, b = weights.get("k", number, bm25.K1), weights.get("b", number, bm25.B)
    if k1 < 0:
        raise invalid(weights.place("k"), f"value {k1} invalid, must be 0.0 or larger")
    if not 0 <= b <= 1:
        raise invalid(weights.place("b"), f"value {b} invalid, must be from 0.0 to 1.0")
    return TextQuery(asked.need("query", text), k1, b)


_QUERIES: Mapping[str, Callable[[Filters, Fields], Query]] = {
    "nearest": _nearest,
    "recommend": _recommend,
    "discover": _discover,
    "context": _context,
    "order_by": lambda filters, fields: fields.need("order_by", order_by),
    "fusion": _fusion,
    "rrf": _rrf,
    "sample": _sample,
    "formula": formula,
    "relevance_feedback": _feedback,
    "text": _text,
}


def query(filters: Filters, value: Any) -> tuple[Search, Shown]:
    """Reads a universal query. Raises WireError."""
    return search(filters, value), shown_of(Fields(value))


def grouping(value: Any) -> Grouping:
    """Reads by what results are grouped. Raises WireError."""
    fields = Fields(value)
    lookup, shown_there = None, Shown(selecting(True, ""), False)
    if "with_lookup" in fields:
        told = fields.value["with_lookup"]
        if isinstance(told, str):
            lookup = told
        elif isinstance(told, dict):
            asked = Fields(told, fields.place("with_lookup"))
            lookup, shown_there = asked.need("collection", text), shown_of(asked, payload=True)
        else:
            raise unexpected(told, fields.place("with_lookup"), "a collection name or a map")
    return Grouping(
        fields.need("group_by", path), fields.get("group_size", counted(1), _GROUP_SIZE), lookup, shown_there
    )


def matrix(filters: Filters, value: Any) -> Matrix:
    """Raises WireError."""
    fields = Fields(value)
    return Matrix(
        fields.get("filter", filters.filter, EVERYTHING),
        fields.get("sample", counted(2), LIMIT),
        fields.get("limit", counted(1), _NEIGHBOURS),
        fields.get("using", text),
    )

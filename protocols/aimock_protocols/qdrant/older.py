"""Reads the older routes (search, recommend, discover) as the universal queries that they are."""

from __future__ import annotations

from typing import Any

from aimock_protocols.qdrant.asking import corpus, lookup_from, pair, recommendation, shown_of
from aimock_protocols.qdrant.errors import bad_request, malformed, shown
from aimock_protocols.qdrant.filters import EVERYTHING, Filters
from aimock_protocols.qdrant.queries import Discover, Nearest, Query, Search, Shown
from aimock_protocols.qdrant.reading import Fields, anything, count, counted, number, one_or_many, text
from aimock_protocols.qdrant.vectors import UNNAMED, Dense, query_input


def _search(filters: Filters, value: Any, asked: Query, using: str | None) -> tuple[Search, Shown]:
    fields = Fields(value)
    named = fields.need("limit", counted(1)) if "top" not in fields else fields.need("top", counted(1))
    return Search(
        asked,
        using=using,
        filter=fields.get("filter", filters.filter, EVERYTHING),
        limit=named,
        offset=fields.get("offset", count, 0),
        score_threshold=fields.get("score_threshold", number),
        lookup=fields.get("lookup_from", lookup_from),
        idf_corpus=fields.get("params", corpus(filters)),
    ), shown_of(fields)


def search(filters: Filters, value: Any) -> tuple[Search, Shown]:
    """Reads `/points/search`: a plain vector, or `{name, vector}`. Raises WireError."""
    fields = Fields(value)
    told = fields.need("vector", anything)
    if isinstance(told, dict):
        named = Fields(told, "vector")
        return _search(filters, value, Nearest(named.need("vector", query_input)), named.need("name", text))
    asked = query_input(told, "vector")
    if not isinstance(asked, Dense):
        raise malformed(f"vector: data did not match any variant of untagged enum NamedVectorStruct: {shown(told)}")
    return _search(filters, value, Nearest(asked), UNNAMED)


def recommend(filters: Filters, value: Any) -> tuple[Search, Shown]:
    """Reads `/points/recommend`. Raises WireError."""
    fields = Fields(value)
    return _search(filters, value, recommendation(fields), fields.get("using", _using))


def discover(filters: Filters, value: Any) -> tuple[Search, Shown]:
    """Reads `/points/discover`. Raises WireError."""
    fields = Fields(value)
    target, pairs = fields.get("target", query_input), fields.get("context", one_or_many(pair), [])
    if target is None and not pairs:
        raise bad_request("target or context must be specified")
    return _search(filters, value, Discover(target, pairs), fields.get("using", _using))


def _using(value: Any, place: str) -> str:
    return text(value.get("name") if isinstance(value, dict) else value, place)

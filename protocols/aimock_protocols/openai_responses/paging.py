"""Lists of items, a page at a time (wire-openai-responses §13)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

import orjson

from aimock_protocols.openai_platform import refusal

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
_LONGEST_NUMBER = 9


def page(items: Mapping[str, bytes], query: str) -> bytes:
    """A list object with one page of items, which come as JSON by their ids, oldest first. Raises WireError on
    parameters that make no page."""
    asked = parse_qs(query)
    order = asked.get("order", ["desc"])[0]
    if order not in ("asc", "desc"):
        raise refusal("Invalid 'order': expected 'asc' or 'desc'.", "order", "invalid_value")
    limit = whole_number(asked, "limit", DEFAULT_LIMIT)
    if not 1 <= limit <= LARGEST_LIMIT:
        raise refusal(f"Invalid 'limit': expected a number from 1 to {LARGEST_LIMIT}.", "limit", "invalid_value")
    ids = list(items)
    if order == "desc":
        ids.reverse()
    if "after" in asked:
        after = asked["after"][0]
        if after not in items:
            raise refusal(f"Item with id '{after}' not found.", "after")
        ids = ids[ids.index(after) + 1 :]
    return listed({each: items[each] for each in ids[:limit]}, has_more=limit < len(ids))


def listed(items: Mapping[str, bytes], *, has_more: bool = False) -> bytes:
    """A list object. Ids of an empty one are empty, for clients' types have no null there."""
    ids = list(items) or [""]
    data = [orjson.Fragment(item) for item in items.values()]
    return orjson.dumps({"object": "list", "data": data, "first_id": ids[0], "last_id": ids[-1], "has_more": has_more})


def whole_number(asked: Mapping[str, list[str]], name: str, default: int) -> int:
    """A parameter of a query that is a whole number. Raises WireError, a 400, on any other."""
    given = asked.get(name)
    if given is None:
        return default
    text = given[0]
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise refusal(f"Invalid '{name}': expected a whole number.", name, "invalid_type")
    return int(text)

"""Lists of items, a page at a time (wire-openai-responses §13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from aimock_protocols.openai_platform import refusal

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
_LONGEST_NUMBER = 9


def page(items: Mapping[str, Any], query: str) -> bytes:
    """A list object with one page of items, which come by their ids, oldest first. Raises WireError on parameters that
    make no page."""
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
    shown = ids[:limit]
    return listed([items[each] for each in shown], shown, has_more=len(shown) < len(ids))


def listed(items: list[Any], ids: list[str], has_more: bool = False) -> bytes:
    """A list object. Ids of an empty one are empty, for clients' types have no null there."""
    first, last = (ids[0], ids[-1]) if ids else ("", "")
    told = {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}
    return orjson.dumps(told)


def whole_number(asked: Mapping[str, list[str]], name: str, default: int) -> int:
    """A parameter of a query that is a whole number. Raises WireError, a 400, on any other."""
    given = asked.get(name)
    if given is None:
        return default
    text = given[0]
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise refusal(f"Invalid '{name}': expected a whole number.", name, "invalid_type")
    return int(text)

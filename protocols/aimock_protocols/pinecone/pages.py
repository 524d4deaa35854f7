"""Pages of a listing: items in order, and a token that says after which one the next page begins."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.reading import text


class Page(NamedTuple):
    keys: Sequence[str]
    token: str | None
    """None: it is the last."""

    @property
    def pagination(self) -> dict[str, Any]:
        """The member of an answer that tells of it; absent on the last page, for clients go on while it is there."""
        return {} if self.token is None else {"pagination": {"next": self.token}}


def page(keys: Sequence[str], limit: int, token: Any) -> Page:
    """The page of sorted keys that a token asks for, the first if it is None. Raises WireError if it is no token."""
    start = 0 if token is None else bisect_right(keys, _after(text(token, "pagination token")))
    shown = keys[start : start + limit]
    return Page(shown, _token(shown[-1]) if start + limit < len(keys) else None)


def _token(after: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"after": after})).decode()


def _after(token: str) -> str:
    try:
        return str(orjson.loads(base64.urlsafe_b64decode(token))["after"])
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise refusal("Invalid pagination token") from None

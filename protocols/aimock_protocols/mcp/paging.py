"""Lists in pages: opaque cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from aimock_protocols.mcp.errors import invalid_params

T = TypeVar("T")


class Page(NamedTuple):
    items: Sequence[Any]
    next: str | None


def page(items: Sequence[Any], cursor: Any, size: int | None) -> Page:
    """The page that a cursor stands for; `size` None: all at once. Raises RpcError (-32602)."""
    start = 0 if cursor is None else _start(cursor)
    if start > len(items) or (cursor is not None and (size is None or start % size)):
        raise invalid_params("Invalid cursor")
    if size is None:
        return Page(items, None)
    end = start + size
    return Page(items[start:end], _cursor(end) if end < len(items) else None)


def _cursor(start: int) -> str:
    return base64.urlsafe_b64encode(b"from:%d" % start).decode()


def _start(cursor: Any) -> int:
    try:
        text = base64.b64decode(cursor, b"-_", validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid_params("Invalid cursor") from None
    number = text.removeprefix(b"from:")
    if not (text.startswith(b"from:") and number.isdigit() and len(number) < 10):
        raise invalid_params("Invalid cursor")
    return int(number)

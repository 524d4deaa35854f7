"""The headers by which a request steers this server (spec: core-server §4), read once for each head."""

from __future__ import annotations

import logging
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import attrs

from aimock.chaos import KINDS
from aimock.fixtures import DEFAULT_TEST_ID, Chaos
from aimock.fixtures.faults import FaultError, read_faults
from aimock.net.exchange import Head
from aimock.net.handshake import asks_for_websocket

logger = logging.getLogger("aimock")

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@attrs.frozen
class Steering:
    """What a request says to the server rather than to the model."""

    test_id: str
    strict: bool | None
    """Overrides the server's setting; None: the header is absent, or says nothing that we know."""
    context: str | None
    request_id: str | None
    """The caller's own, if it is fit to be echoed."""
    chaos: Chaos | None = None
    """What the request wishes to go wrong with it."""


_FAULT = "x-aimock-fault"
_SWITCH = {"true": True, "1": True, "false": False, "0": False}


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise ValueError("true or false")
    return _SWITCH[text.lower()]


_CHAOS: dict[str, tuple[str, Callable[[str], Any]]] = {
    **{f"x-aimock-chaos-{kind}": field for kind, field in KINDS.items()},
    _FAULT: ("faults", read_faults),
    "x-aimock-chaos-websocket": ("websocket", _switch),
}
"""Header to field, and its reader; a reader's ValueError says what was expected."""
_HEADERS = frozenset({"x-test-id", "x-request-id", "x-aimock-strict", "x-aimock-context", *_CHAOS})
_UNSTEERED = Steering(DEFAULT_TEST_ID, None, None, None)


def steering_of(head: Head) -> Steering:
    """Reads the control headers. `?testId=` stands in where no header can be set, and so does, where a page asks for a
    WebSocket, a query key of each header's name."""
    headers = head.headers
    if not head.query and headers.keys().isdisjoint(_HEADERS):
        return _UNSTEERED
    if head.query and asks_for_websocket(head):
        lines = [(name.lower(), value) for name, value in urllib.parse.parse_qsl(head.query)]
        lines = [(name, value) for name, value in lines if name in _HEADERS and name not in headers]
        headers = {**dict(lines), **headers}
        head = attrs.evolve(head, headers=headers, header_lines=(*head.header_lines, *lines))
    test_id = headers.get("x-test-id") or query_value(head.query, "testId") or DEFAULT_TEST_ID
    request_id = headers.get("x-request-id", "")
    return Steering(
        test_id=test_id,
        strict=_SWITCH.get(headers.get("x-aimock-strict", "").strip().lower()),
        context=headers.get("x-aimock-context") or None,
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else None,
        chaos=_chaos_of(head),
    )


def _chaos_of(head: Head) -> Chaos | None:
    """What the chaos headers ask for. One that cannot be read is passed over with a warning, and so the level below
    holds; `?fault=` stands in where no header can be set."""
    wishes: dict[str, Any] = {}
    for header, (field, read) in _CHAOS.items():
        texts = [value.strip() for name, value in head.header_lines if name == header and value.strip()]
        if header == _FAULT and not texts:
            texts = [text for text in [query_value(head.query, "fault")] if text]
        if not texts:
            continue
        if len(set(texts)) > 1:
            logger.warning("%s is said more than once: %r is used", header, texts[0])
        try:
            wishes[field] = read(texts[0])
        except ValueError as error:
            expected = error if isinstance(error, FaultError) else f"expected {error}"
            logger.warning("%s: %r is ignored: %s", header, texts[0][:80], expected)
    return Chaos(**wishes) if wishes else None


def query_value(query: str, key: str) -> str | None:
    """The first value of a query key, decoded; None if it is absent."""
    if key not in query:
        return None
    return next((value for name, value in urllib.parse.parse_qsl(query) if name == key), None)

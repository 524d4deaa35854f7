"""The headers by which a request steers this server (spec: core-server §4), read once for each head."""

from __future__ import annotations

import re
import urllib.parse

import attrs

from aimock.fixtures import DEFAULT_TEST_ID
from aimock.net.exchange import Head

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_SWITCH = {"true": True, "1": True, "false": False, "0": False}


@attrs.frozen
class Steering:
    """What a request says to the server rather than to the model."""

    test_id: str
    strict: bool | None
    """Overrides the server's setting; None: the header is absent, or says nothing that we know."""
    context: str | None
    request_id: str | None
    """The caller's own, if it is fit to be echoed."""


_HEADERS = frozenset({"x-test-id", "x-request-id", "x-aimock-strict", "x-aimock-context"})
_UNSTEERED = Steering(DEFAULT_TEST_ID, None, None, None)


def steering_of(head: Head) -> Steering:
    """Reads the control headers; `?testId=` stands in where no header can be set."""
    headers = head.headers
    if not head.query and headers.keys().isdisjoint(_HEADERS):
        return _UNSTEERED
    test_id = headers.get("x-test-id") or query_value(head.query, "testId") or DEFAULT_TEST_ID
    request_id = headers.get("x-request-id", "")
    return Steering(
        test_id=test_id,
        strict=_SWITCH.get(headers.get("x-aimock-strict", "").strip().lower()),
        context=headers.get("x-aimock-context") or None,
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else None,
    )


def query_value(query: str, key: str) -> str | None:
    """The first value of a query key, decoded; None if it is absent."""
    if key not in query:
        return None
    return next((value for name, value in urllib.parse.parse_qsl(query) if name == key), None)

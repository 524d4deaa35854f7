"""Pinecone's errors, in the words of either plane.

Operations on vectors, imports and namespaces answer as gRPC's gateway does (`code` is a number of gRPC's); all others,
in both planes, answer with an `error` object whose `code` is a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from aimock_protocols.canonical import ErrorReply, Headers, WireError, WireResponse
from aimock_protocols.retrying import wait_of


class _Kind(NamedTuple):
    name: str
    number: int
    """gRPC's."""


_KINDS: Mapping[int, _Kind] = {
    400: _Kind("INVALID_ARGUMENT", 3),
    401: _Kind("UNAUTHENTICATED", 16),
    402: _Kind("PAYMENT_REQUIRED", 9),
    403: _Kind("FORBIDDEN", 7),
    404: _Kind("NOT_FOUND", 5),
    409: _Kind("ALREADY_EXISTS", 6),
    412: _Kind("FAILED_PRECONDITION", 9),
    413: _Kind("PAYLOAD_TOO_LARGE", 11),
    422: _Kind("UNPROCESSABLE_ENTITY", 3),
    429: _Kind("RESOURCE_EXHAUSTED", 8),
    500: _Kind("UNKNOWN", 2),
    501: _Kind("UNKNOWN", 12),
    503: _Kind("SERVICE_UNAVAILABLE", 14),
    504: _Kind("DEADLINE_EXCEEDED", 4),
}

_GATEWAY = re.compile(
    r"(?:/pinecone)?(?:/i/[^/]+)?/(?:vectors/[^/]+|query|describe_index_stats|bulk/.+|namespaces(?:/[^/]+)?)/?"
)
"""Paths of operations that answer as gRPC's gateway does."""


def refusal(message: str, status: int = 400) -> WireError:
    """What is raised for a request that is refused."""
    return WireError(ErrorReply(message, status=status))


def not_found(what: str) -> WireError:
    return refusal(f"{what} not found", 404)


def encode(error: ErrorReply, path: str) -> WireResponse:
    """An error as the operation at a path, inside the mount, tells it."""
    kind = _KINDS.get(error.status) or _KINDS[400 if error.status < 500 else 500]
    wait = wait_of(error)
    headers: Headers = (("content-type", "application/json"),)
    if wait is not None:
        headers = (*headers, ("retry-after", f"{wait:g}"))
    if _GATEWAY.fullmatch(path):
        body: object = {"code": kind.number, "message": error.message, "details": []}
    else:
        name = error.code if isinstance(error.code, str) else kind.name
        body = {"error": {"code": name, "message": error.message}, "status": error.status}
    return WireResponse(error.status, headers, orjson.dumps(body))

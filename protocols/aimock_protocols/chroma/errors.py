"""Errors of Chroma, in its server's words.

Clients tell errors apart by the name under `error` (Python: `chromadb.errors.error_types`) or by the status (Node).
The server gives names to few: a conflict, a body of the wrong shape and what it has not built are all `ChromaError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import ErrorReply, WireError

INVALID = "InvalidArgumentError"
NOT_FOUND = "NotFoundError"
INTERNAL = "InternalError"
OTHER = "ChromaError"

_BY_STATUS: Mapping[int, str] = {
    400: INVALID,
    401: "AuthError",
    403: "AuthorizationError",
    404: NOT_FOUND,
    413: "BatchSizeExceededError",
    429: "RateLimitError",
}
_NAMES = frozenset({*_BY_STATUS.values(), INTERNAL, OTHER, "UniqueConstraintError", "QuotaError", "Unimplemented"})
_MALFORMED = "malformed"
"""The type of an error that says why a body is no JSON."""


def refused(message: str) -> WireError:
    """What was asked makes no sense."""
    return WireError(ErrorReply(message, INVALID, status=400))


def not_found(message: str) -> WireError:
    return WireError(ErrorReply(message, NOT_FOUND, status=404))


def exists(message: str) -> WireError:
    return WireError(ErrorReply(message, OTHER, status=409))


def unreadable(message: str) -> WireError:
    """JSON, but not of the shape that is wanted. The server says also in which column; here only JSON values are
    known."""
    return WireError(
        ErrorReply(f"Failed to deserialize the JSON body into the target type: {message}", OTHER, status=422)
    )


def too_deep() -> WireError:
    return refused("Failed to parse the request body as JSON: recursion limit exceeded")


def forbidden(message: str) -> WireError:
    return WireError(ErrorReply(message, OTHER, status=403))


def failed(message: str) -> WireError:
    """What goes wrong inside the server."""
    return WireError(ErrorReply(message, INTERNAL, status=500))


def over_quota(message: str) -> WireError:
    return WireError(ErrorReply(message, "QuotaError", status=422))


def unsupported(message: str) -> WireError:
    """What only Chroma's cloud has."""
    return WireError(ErrorReply(message, OTHER, status=501))


def body_of(error: ErrorReply) -> dict[str, Any]:
    """The body of an error, also of one that was not made here."""
    if error.type == _MALFORMED:
        detail = error.message.partition(": ")[2] or error.message
        return {"error": INVALID, "message": f"Failed to parse the request body as JSON: {detail}"}
    fallback = INTERNAL if error.status in (500, 502, 503, 504) else OTHER
    name = error.type if error.type in _NAMES else _BY_STATUS.get(error.status, fallback)
    return {"error": name, "message": error.message}

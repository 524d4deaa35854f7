"""The errors of the Interactions API, which are not those of Google's other APIs: a code in lower case, and a message.

Source: ai.google.dev/gemini-api/docs/api-errors, wire-gemini §9.3. Headers and rate limits are as Google has them.
"""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp, WireError, WireResponse
from aimock_protocols.gemini import platform as google
from aimock_protocols.retrying import retry_headers
from aimock_protocols.statuses import named_by

CODES = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    409: "aborted",
    416: "out_of_range",
    429: "rate_limit_exceeded",
    499: "cancelled",
    500: "api_error",
    501: "unimplemented",
    503: "service_unavailable",
    504: "deadline_exceeded",
    529: "service_unavailable",
}
"""What an error of each status is called."""

_STATUSES = {code: status for status, code in reversed(CODES.items())} | {
    "failed_precondition": 400,
    "parameter_unknown": 400,
    "model_not_found": 404,
    "already_exists": 409,
    "quota_exceeded": 429,
    "too_many_requests": 429,
}
"""The status that goes with every code that there is."""


def refusal(message: str) -> WireError:
    """A request that the API will not take: always a 400."""
    return google.refusal(message)


def not_found(interaction: str) -> WireError:
    """The refusal of a request about an interaction that is not kept."""
    return WireError(ErrorReply(f"Interaction not found: {interaction}", status=404))


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a 429 always says when to come back."""
    body = orjson.dumps({"error": _told(error)})
    return WireResponse(error.status, google.WHOLE_HEADERS + retry_headers(error), body)


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream, after which nothing follows."""
    told = {"error": _told(error), "event_type": "error"}
    return Frame(sse.encode(orjson.dumps(told), b"error"), FrameKind.CLOSE)


def _told(error: ErrorReply) -> dict[str, Any]:
    """The provider's own members, and `hint` if there is one, for the person who reads it."""
    inner = {"code": code_of(error), "message": error.message}
    if error.hint is not None:
        inner["hint"] = error.hint
    return inner


def code_of(error: ErrorReply) -> str:
    """The error's own code; else its type, if that is a code; else that of its status."""
    if type(error.code) is str and error.code:
        return error.code
    if error.type in _STATUSES:
        return error.type
    return named_by(CODES, error.status)


def read_error(value: Any) -> ErrorReply | None:
    """The error that a JSON value from upstream tells, None if it tells none; what comes from Google's gateway has the
    envelope of its other APIs."""
    inner = value.get("error") if isinstance(value, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not (isinstance(code, str) or code is None):
        return google.read_error(value)
    message = inner.get("message")
    return ErrorReply(message if isinstance(message, str) else "", code=code, status=_STATUSES.get(code or "", 500))

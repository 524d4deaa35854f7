"""What all of Anthropic's endpoints have in common: headers, the error envelope, and how a JSON body is refused.

Source: wire-anthropic-messages §11, §12.
"""

from __future__ import annotations

import math
from typing import Any

import orjson

from aimock_protocols import rfc3339, sse
from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
    Frame,
    FrameKind,
    Headers,
    Keepalive,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.json_bodies import JsonBodies
from aimock_protocols.retrying import retry_headers
from aimock_protocols.statuses import named_by

PING = Frame(sse.encode(b'{"type":"ping"}', b"ping"), FrameKind.PING)
KEEPALIVE = Keepalive(PING, 15.0)

_ORGANIZATION = "a10c0000-0000-4000-8000-000000000000"
_IDENTITY: Headers = (("anthropic-organization-id", _ORGANIZATION),)
WHOLE_HEADERS: Headers = (("content-type", "application/json"), *_IDENTITY)
STREAM_HEADERS: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
    *_IDENTITY,
)

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""What an error of each status is called."""

_STATUSES = {kind: status for status, kind in TYPES.items()}

_INPUT_SHARE = 0.8
"""Of a client's tokens; the rest are output. The provider keeps one quota for each and tells their sum besides."""


def fresh_headers(stamp: Stamp) -> Headers:
    """The id by which the provider's support would find the request; an error tells it in its body too."""
    return (("request-id", request_id(stamp)),)


def request_id(stamp: Stamp) -> str:
    return "req_011C" + stamp.alphanumeric(20, "request")


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """The `anthropic-ratelimit-…` families, whose resets are points in time."""
    requests_reset = rfc3339.in_seconds(math.ceil(now + allowance.requests_reset))
    tokens_reset = rfc3339.in_seconds(math.ceil(now + allowance.tokens_reset))
    limit, remaining = allowance.limit_tokens, allowance.remaining_tokens
    limit_in, remaining_in = int(limit * _INPUT_SHARE), int(remaining * _INPUT_SHARE)
    return (
        *_family("requests", allowance.limit_requests, allowance.remaining_requests, requests_reset),
        *_family("input-tokens", limit_in, remaining_in, tokens_reset),
        *_family("output-tokens", limit - limit_in, remaining - remaining_in, tokens_reset),
        *_family("tokens", limit, remaining, tokens_reset),
    )


def _family(name: str, limit: int, remaining: int, reset: str) -> Headers:
    prefix = f"anthropic-ratelimit-{name}-"
    return ((prefix + "limit", str(limit)), (prefix + "remaining", str(remaining)), (prefix + "reset", reset))


def rate_limited(excess: Excess) -> ErrorReply:
    """A 429 that says which quota of the organization was too small."""
    where = f"the rate limit of your organization ({_ORGANIZATION}, model: {excess.model or 'default'})"
    message = f"This request would exceed {where} of {excess.limit} {excess.unit} per minute."
    return ErrorReply(message, status=429, retry_after=excess.wait)


def refusal(message: str) -> WireError:
    """A request that the API will not take: always a 400."""
    return WireError(ErrorReply(message, status=400))


_BODIES = JsonBodies(refusal)
read_object, compact = _BODIES.read_object, _BODIES.compact


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a 429 always says when to come back."""
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), _envelope(error, stamp))


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: the same envelope as an event, after which nothing follows."""
    return Frame(sse.encode(_envelope(error, stamp), b"error"), FrameKind.CLOSE)


def _envelope(error: ErrorReply, stamp: Stamp) -> bytes:
    """The provider's own members, and `code` and `hint` if there are any, for the person who reads it."""
    inner = {"type": error.type or type_of(error.status), "message": error.message, "details": None}
    if error.code is not None:
        inner["code"] = error.code
    if error.hint is not None:
        inner["hint"] = error.hint
    return orjson.dumps({"type": "error", "error": inner, "request_id": request_id(stamp)})


def type_of(status: int) -> str:
    return named_by(TYPES, status)


def read_error(value: Any) -> ErrorReply | None:
    """The error that a JSON value from upstream tells, None if it tells none; gateways of others leave out `type`."""
    if not isinstance(value, dict) or "error" not in value:
        return None
    inner = value["error"]
    if isinstance(inner, str):
        return ErrorReply(inner)
    if not isinstance(inner, dict):
        return None
    kind, message, code = (inner.get(key) for key in ("type", "message", "code"))
    kind = kind if isinstance(kind, str) else None
    return ErrorReply(
        message if isinstance(message, str) else "", kind, code=code, status=_STATUSES.get(kind or "", 500)
    )

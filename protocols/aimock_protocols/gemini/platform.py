"""What all of Google's endpoints have in common: headers, the google.rpc.Status envelope, how a body is refused.

Source: wire-gemini §8. What an error says that the envelope has no member for (a code and a type in the words of other
providers, a hint) travels in a `google.rpc.ErrorInfo`, under a domain of our own.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
    Headers,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.collapsing import mapping, string
from aimock_protocols.json_bodies import JsonBodies
from aimock_protocols.retrying import retry_headers, wait_of
from aimock_protocols.statuses import named_by

_VARY: Headers = (("vary", "Origin, X-Origin, Referer"),)
WHOLE_HEADERS: Headers = (("content-type", "application/json; charset=UTF-8"), *_VARY)
_UNHINDERED: Headers = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
STREAM_HEADERS: Headers = (
    ("content-type", "text/event-stream"),
    ("content-disposition", "attachment"),
    *_VARY,
    *_UNHINDERED,
)
ARRAY_HEADERS: Headers = WHOLE_HEADERS + _UNHINDERED
"""Of a stream that is one JSON array."""

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
"""What an error of each status is called."""

_CODES = {name: status for status, name in reversed(STATUSES.items())} | {
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "ALREADY_EXISTS": 409,
    "DATA_LOSS": 500,
    "UNKNOWN": 500,
}
"""The status of every name of google.rpc.Code that is one of an error."""

_DETAIL = "type.googleapis.com/google.rpc."
_DOMAIN = "aimock"
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s", re.ASCII)
_METRIC = "generativelanguage.googleapis.com/generate_content_free_tier_"


def fresh_headers(stamp: Stamp) -> Headers:
    """Google's responses have no id of their own."""
    return ()


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """Google tells no rate limits but in its errors."""
    return ()


def rate_limited(excess: Excess) -> ErrorReply:
    """A 429 that says which quota of the project was too small."""
    metric = _METRIC + {"requests": "requests", "tokens": "input_token_count"}[excess.unit]
    message = (
        f"You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: "
        f"{metric}, limit: {excess.limit}, model: {excess.model}\nPlease retry in {excess.wait:g}s."
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": f"Generate{excess.unit.capitalize()}PerMinutePerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": excess.model},
        "quotaValue": str(excess.limit),
    }
    details = [{"@type": _DETAIL + "QuotaFailure", "violations": [violation]}]
    return ErrorReply(message, status=429, retry_after=excess.wait, metadata=details)


def refusal(message: str) -> WireError:
    """A request that the API will not take: always a 400."""
    return WireError(ErrorReply(message, status=400))


_BODIES = JsonBodies(refusal, too_deep=lambda where: refusal(f"Invalid value at '{where}': nested too deeply"))
read_object, compact = _BODIES.read_object, _BODIES.compact


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a 429 always says when to come back, in its headers and in its body."""
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), orjson.dumps(envelope(error)))


def envelope(error: ErrorReply) -> dict[str, Any]:
    """The error as Google tells it. `metadata` that is a list of details is sent as such."""
    status = _name_of(error)
    inner = {"code": error.status, "message": error.message, "status": status or status_of(error.status)}
    details = list(error.metadata) if isinstance(error.metadata, list | tuple) else []
    said = {"type": error.type, "code": error.code, "param": error.param, "hint": error.hint}
    unsaid = {name: str(value) for name, value in said.items() if value is not None and value != status}
    if unsaid:
        reason = unsaid.get("code") or unsaid.get("type") or "UNKNOWN"
        details.append({"@type": _DETAIL + "ErrorInfo", "reason": reason, "domain": _DOMAIN, "metadata": unsaid})
    wait = wait_of(error)
    if wait is not None:
        details.append({"@type": _DETAIL + "RetryInfo", "retryDelay": duration(wait)})
    if details:
        inner["details"] = details
    return {"error": inner}


def envelope_within(error: ErrorReply) -> dict[str, Any]:
    """The same within a stream, whose status says nothing: where the error has none, it follows from its name."""
    name = _name_of(error)
    return envelope(attrs.evolve(error, status=_CODES[name]) if name and error.status == 500 else error)


def _name_of(error: ErrorReply) -> str | None:
    """The name in the words of google.rpc.Code that the error has, if it has any."""
    return next((name for name in (error.code, error.type) if type(name) is str and name in _CODES), None)


def duration(seconds: float) -> str:
    """A google.protobuf.Duration: `34s`, `0.25s`."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def status_of(status: int) -> str:
    """The name of an HTTP status."""
    return named_by(STATUSES, status)


def read_error(value: Any) -> ErrorReply | None:
    """The error that a JSON value from upstream tells, None if it tells none; it may be the only element of a list.

    A status that follows from the HTTP status is no type of its own.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or "error" not in value:
        return None
    inner = value["error"]
    if isinstance(inner, str):
        return ErrorReply(inner)
    if not isinstance(inner, dict):
        return None
    code = inner.get("code")
    http = code if type(code) is int and 400 <= code < 600 else 500
    name = string(inner.get("status"))
    listed = inner.get("details")
    details = [detail for detail in listed if isinstance(detail, dict)] if isinstance(listed, list) else []
    info = next((detail for detail in details if detail.get("@type") == _DETAIL + "ErrorInfo"), {})
    ours = mapping(info.get("metadata")) if info.get("domain") == _DOMAIN else {}
    kept = [detail for detail in details if detail is not info or not ours]
    return ErrorReply(
        string(inner.get("message")) or "",
        string(ours.get("type")) or (name if name != status_of(http) else None),
        code=string(ours.get("code")),
        status=http,
        metadata=[detail for detail in kept if detail.get("@type") != _DETAIL + "RetryInfo"] or None,
        retry_after=_wait(details),
    )


def _wait(details: list[dict[str, Any]]) -> float | None:
    """The seconds of a RetryInfo."""
    delays = (string(detail.get("retryDelay")) or "" for detail in details)
    found = next(filter(None, map(_DURATION.fullmatch, delays)), None)
    return float(found[1]) if found is not None else None

"""What all of Cohere's endpoints have in common: headers, the flat error, and how a JSON body is refused.

Source: wire-cohere §8, and the recorded traffic.
"""

from __future__ import annotations

from typing import Any

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
from aimock_protocols.json_bodies import JsonBodies
from aimock_protocols.retrying import retry_headers

_UNCACHED: Headers = (
    ("cache-control", "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("pragma", "no-cache"),
    ("vary", "Origin"),
)
WHOLE_HEADERS: Headers = (("content-type", "application/json"), *_UNCACHED)
EVENT_HEADERS: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)

_JSON_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_UNITS = {"requests": "API calls", "tokens": "tokens"}


def fresh_headers(stamp: Stamp) -> Headers:
    """The id by which the provider's support would find the request."""
    return (("x-debug-trace-id", stamp.hexadecimal(32, "trace")),)


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """None: the provider tells trial keys how many calls they have left, and production keys nothing."""
    return ()


def rate_limited(excess: Excess) -> ErrorReply:
    """The 429 of a key that has used up what it may."""
    message = f"You are limited to {excess.limit} {_UNITS[excess.unit]} / minute, and have used {excess.used} of them."
    return ErrorReply(message, status=429, retry_after=excess.wait)


def refusal(message: str) -> WireError:
    """A request that the API will not take: always a 400."""
    return WireError(ErrorReply(message, status=400))


def unknown_model(model: str) -> WireError:
    """The refusal of a model that there is not, a 404."""
    message = f"model '{model}' not found, make sure that its name is right and that you have access to it."
    return WireError(ErrorReply(message, status=404))


_BODIES = JsonBodies(refusal)
read_object, compact = _BODIES.read_object, _BODIES.compact


def read_required(sent: dict[str, Any], name: str) -> str:
    """A parameter that must be text, and not empty. Raises WireError."""
    value = read_optional(sent, name, str)
    if not value:
        raise refusal(f"{name} is required")
    return str(value)


def read_optional(sent: dict[str, Any], name: str, kind: type) -> Any:
    """A parameter that may be missing or null, and is then None. Raises WireError if it is of another type."""
    value = sent.get(name)
    if value is not None and type(value) is not kind:
        raise wrong_type(name, value, kind)
    return value


def wrong_type(name: str, value: Any, kind: type) -> WireError:
    """The refusal of a parameter of the wrong JSON type."""
    return refusal(
        f"invalid type: parameter {name} is of type {_JSON_TYPES[type(value)]} but should be of type "
        f"{_JSON_TYPES[kind]}."
    )


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response, flat: an id and a message, and a `hint` if there is one, for the person who reads it. A 429
    always says when to come back."""
    told = {"id": stamp.uuid("error"), "message": error.message}
    if error.hint is not None:
        told["hint"] = error.hint
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), orjson.dumps(told))


def read_error(value: dict[str, Any]) -> ErrorReply | None:
    """The error that a JSON object from upstream tells, None if it tells none."""
    message = value.get("message")
    return ErrorReply(message) if isinstance(message, str) else None

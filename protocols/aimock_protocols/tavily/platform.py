"""What all of Tavily's endpoints have in common: headers, errors, and how a body is read.

Source: wire-services §1, Tavily's API reference, and its official clients, which read `detail.error`; in keyless mode
they read another envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
    Head,
    Headers,
    Results,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.collapsing import json_object
from aimock_protocols.json_bodies import JsonBodies
from aimock_protocols.retrying import retry_headers

WHOLE_HEADERS: Headers = (("content-type", "application/json"),)
RESPONSE_TIME = 0.5
"""Seconds that an answer says it took, if its fixture does not."""


def fresh_headers(stamp: Stamp) -> Headers:
    """None: the id of a request is in the body of its answer."""
    return ()


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """None: the service tells nothing before a limit is reached."""
    return ()


def rate_limited(excess: Excess) -> ErrorReply:
    """The 429 of a client that asks too often."""
    message = "Your request has been blocked due to excessive requests. Please reduce rate of requests."
    return ErrorReply(message, status=429, retry_after=excess.wait)


def refusal(message: str, status: int = 400) -> WireError:
    """A request that the API will not take."""
    return WireError(ErrorReply(message, status=status))


_BODIES = JsonBodies(refusal)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request, without the key that clients of old put into it: nobody here may see that. Raises
    WireError."""
    sent = _BODIES.read_object(body)
    sent.pop("api_key", None)
    _BODIES.compact(sent, "Request body")  # what is told of it again must be JSON
    return sent


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a `hint` beside the message, if there is one, for the person who reads it."""
    detail = {"error": error.message}
    if error.hint is not None:
        detail["hint"] = error.hint
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), orjson.dumps({"detail": detail}))


def framed_error(response: WireResponse, head: Head) -> WireResponse:
    """A client without a key is told of its limit so that it can act on it."""
    if head.headers.get("x-tavily-access-mode") != "keyless" or response.status != 429:
        return response
    told = {
        "code": "rate_limit_exceeded",
        "message": orjson.loads(response.body)["detail"]["error"],
        "window": "minute",
        "retry_after_seconds": int(dict(response.headers).get("retry-after", "1")),
        "next_actions": [],
    }
    return response._replace(body=orjson.dumps({"error": told}))


def read_error(value: Mapping[str, Any]) -> ErrorReply | None:
    """The error that a JSON object from upstream tells, None if it tells none."""
    detail, keyless = value.get("detail"), value.get("error")
    message = detail.get("error") if isinstance(detail, Mapping) else None
    if isinstance(keyless, Mapping):
        message = keyless.get("message")
    return ErrorReply(message) if isinstance(message, str) else None


def parse_without(body: bytes, *echoed: str) -> Results:
    """What an answer says but for what it echoes of its request. Raises WireError if it is an error, ValueError if it
    is no JSON object."""
    value = json_object(body)
    told = read_error(value)
    if told is not None:
        raise WireError(told)
    return Results(({key: each for key, each in value.items() if key not in echoed},))


def closing(said: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    """What stands at the end of every answer, but for what its fixture says itself."""
    told = {key: each for key, each in said.items() if key in ("response_time", "request_id")}
    return {"response_time": RESPONSE_TIME, "request_id": stamp.uuid()} | told

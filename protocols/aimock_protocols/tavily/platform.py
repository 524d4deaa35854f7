"""What all of Tavily's endpoints have in common: headers, errors, and how a body is read.

Source: wire-services §1, Tavily's API reference, and the official clients, which read `detail.error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
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
    message = "Your request has been blocked due to excessive requests. Please reduce the rate of requests."
    return ErrorReply(message, status=429, retry_after=excess.wait)


def refusal(message: str) -> WireError:
    """A request that the API will not take: always a 400."""
    return WireError(ErrorReply(message, status=400))


_BODIES = JsonBodies(refusal)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request, without the key that clients of old put into it: nobody here may see that. Raises
    WireError."""
    sent = _BODIES.read_object(body)
    sent.pop("api_key", None)
    return sent


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a `hint` beside the message, if there is one, for the person who reads it."""
    detail = {"error": error.message}
    if error.hint is not None:
        detail["hint"] = error.hint
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), orjson.dumps({"detail": detail}))


def parse_without(body: bytes, *echoed: str) -> Results:
    """What an answer says but for what it echoes of its request. Raises WireError if it is an error, ValueError if it
    is no JSON object."""
    value = json_object(body)
    detail = value.get("detail")
    if isinstance(detail, Mapping) and isinstance(detail.get("error"), str):
        raise WireError(ErrorReply(detail["error"]))
    return Results(({key: each for key, each in value.items() if key not in echoed},))

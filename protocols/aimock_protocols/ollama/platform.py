"""What all of Ollama's endpoints have in common: headers, errors, and how a JSON body is refused.

Source: wire-ollama §5.
"""

from __future__ import annotations

import orjson

from aimock_protocols import ndjson
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

WHOLE_HEADERS: Headers = (("content-type", "application/json; charset=utf-8"),)
STREAM_HEADERS: Headers = (("content-type", "application/x-ndjson"),)
KEEPALIVE: Keepalive | None = None


def refusal(message: str, status: int = 400) -> WireError:
    """A request that the server will not take."""
    return WireError(ErrorReply(message, status=status))


def unknown_model(model: str) -> WireError:
    """The 404 that clients take for a hint to pull the model."""
    return refusal(f"model '{model}' not found", 404)


_BODIES = JsonBodies(refusal)
read_object, compact = _BODIES.read_object, _BODIES.compact


def fresh_headers(stamp: Stamp) -> Headers:
    """None: Ollama tells nothing of a single response."""
    return ()


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """None: Ollama keeps no quotas that it would tell of."""
    return ()


def rate_limited(excess: Excess) -> ErrorReply:
    """The 429 of Ollama's cloud."""
    message = f"you have reached your usage limit of {excess.limit} {excess.unit} per minute, please try again later"
    return ErrorReply(message, status=429, retry_after=excess.wait)


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a 429 always says when to come back."""
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), _envelope(error))


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: the same envelope as one line, after which nothing follows."""
    return Frame(ndjson.encode(_envelope(error)), FrameKind.CLOSE)


def _envelope(error: ErrorReply) -> bytes:
    """The message is all that an error tells; but a hint, for the person who reads it, stands beside it."""
    told = {"error": error.message}
    if error.hint is not None:
        told["hint"] = error.hint
    return orjson.dumps(told)

"""What all of Ollama's endpoints have in common: headers, errors, and how a JSON body is refused.

Source: wire-ollama §5.
"""

from __future__ import annotations

from typing import Any

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


def read_object(body: bytes) -> dict[str, Any]:
    """A request body as the JSON object that it must be. Raises WireError."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(f"Malformed JSON: {error}") from None
    if type(value) is not dict:
        raise refusal("Request body must be a JSON object")
    return value


def compact(value: Any, where: str) -> str:
    """A value that came in a request as JSON text. Raises WireError, a 400, if it is nested too deeply."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise refusal(f"{where}: nested too deeply") from None


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

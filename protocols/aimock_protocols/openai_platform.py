"""What all of OpenAI's endpoints have in common: headers, the error envelope, and how a JSON body is refused.

Source: wire-openai-chat §4, §10, §11.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from aimock_protocols import sse
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

_IDENTITY: Headers = (
    ("openai-version", "2020-10-01"),
    ("openai-organization", "org-aimock"),
    ("openai-project", "proj_aimock"),
    ("openai-processing-ms", "10"),
)
_JSON: Headers = (("content-type", "application/json"),)
_EVENTS: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)

WHOLE_HEADERS: Headers = _JSON + _IDENTITY
STREAM_HEADERS: Headers = _EVENTS + _IDENTITY
KEEPALIVE: Keepalive | None = None

_JSON_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    type(None): "null",
}


def refusal(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> WireError:
    """A request that the API will not take."""
    return WireError(ErrorReply(message, "invalid_request_error", param, code, status))


def invalid_type(param: str, expected: str, value: Any) -> WireError:
    """The refusal of a parameter of the wrong JSON type; `expected` is worded with its article."""
    got = _JSON_TYPES[type(value)]
    return refusal(f"Invalid type for '{param}': expected {expected}, but got {got} instead.", param, "invalid_type")


def missing(param: str) -> WireError:
    """The refusal of a request without a parameter that it must have."""
    return refusal(f"Missing required parameter: '{param}'", param, "missing_required_parameter")


read_object = JsonBodies(refusal, lambda message: refusal(message, code="invalid_json")).read_object


def read_optional(body: dict[str, Any], param: str, kind: type, expected: str) -> Any:
    """A parameter that may be missing or null, and is then None. Raises WireError if it is of another type."""
    value = body.get(param)
    if value is not None and type(value) is not kind:
        raise invalid_type(param, expected, value)
    return value


def read_model(body: dict[str, Any], params: Mapping[str, str]) -> str:
    """The model asked for, empty if there is none. Azure's `deployment`, percent-decoded here, is that of a body that
    names none, and is put there. Raises WireError."""
    model: str | None = read_optional(body, "model", str, "a string")
    if not model and "deployment" in params:
        body["model"] = model = unquote(params["deployment"])
    return model or ""


def fresh_headers(stamp: Stamp) -> Headers:
    """None: what is this response's alone is `x-request-id`, which every response of this server has."""
    return ()


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """The `x-ratelimit-…` family."""
    return (
        ("x-ratelimit-limit-requests", str(allowance.limit_requests)),
        ("x-ratelimit-limit-tokens", str(allowance.limit_tokens)),
        ("x-ratelimit-remaining-requests", str(allowance.remaining_requests)),
        ("x-ratelimit-remaining-tokens", str(allowance.remaining_tokens)),
        ("x-ratelimit-reset-requests", duration(allowance.requests_reset)),
        ("x-ratelimit-reset-tokens", duration(allowance.tokens_reset)),
    )


def duration(seconds: float) -> str:
    """Seconds as these headers have them: `0s`, `6ms`, `1s`, `8.64s`, `6m0s`."""
    milliseconds = math.ceil(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest / 1000:g}s"


_UNITS = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}


def rate_limited(excess: Excess) -> ErrorReply:
    """A 429 of type `requests` or `tokens`."""
    figures = f"Limit {excess.limit}, Used {excess.used}, Requested {excess.requested}"
    where = f"for {excess.model or 'default'} in organization org-aimock on {_UNITS[excess.unit]}"
    if excess.requested > excess.limit:
        message = f"Request too large {where}: Limit {excess.limit}, Requested {excess.requested}."
    else:
        message = f"Rate limit reached {where}: {figures}. Please try again in {duration(excess.wait)}."
    return ErrorReply(message, excess.unit, code="rate_limit_exceeded", status=429, retry_after=excess.wait)


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response; a 429 always says when to come back."""
    return WireResponse(error.status, WHOLE_HEADERS + retry_headers(error), _envelope(error))


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: the same envelope as one event, after which nothing follows."""
    return Frame(sse.encode(_envelope(error)), FrameKind.CLOSE)


def _envelope(error: ErrorReply) -> bytes:
    return orjson.dumps({"error": told_error(error)})


def told_error(error: ErrorReply) -> dict[str, Any]:
    """An error as it is told, under `error`."""
    told = {
        "message": error.message,
        "type": "server_error" if error.type is None else error.type,
        "param": error.param,
        "code": error.code,
    }
    if error.hint is not None:
        told["hint"] = error.hint
    return told


def read_error(value: Any, status: int = 500) -> ErrorReply | None:
    """The error that a JSON value from upstream tells, None if it tells none.

    Besides OpenAI's envelope: a bare string under `error` (Hugging Face, Ollama, xAI), the flat object that names
    itself `"object": "error"` (Mistral, older vLLM) or has a message and a type (Cerebras), a list of details
    (Mistral), a list of one envelope (Gemini), and a status inside the error (OpenRouter, Groq), which outranks
    `status`.
    """
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    inner = value.get("error") or _flat_error(value)
    if isinstance(inner, str):
        return ErrorReply(inner, code=value.get("code"), status=status)
    if not isinstance(inner, dict):
        return None
    metadata = inner.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    message, kind, param = (inner.get(key) for key in ("message", "type", "param"))
    kind, code = kind or told.get("error_type"), told.get("provider_code") or inner.get("code")
    inside = (inner.get("status_code"), inner.get("code"))
    return ErrorReply(
        message if isinstance(message, str) else "",
        kind if isinstance(kind, str) else None,
        param if isinstance(param, str) else None,
        code,
        next((found for found in inside if type(found) is int and 400 <= found <= 599), status),
        metadata=metadata,
    )


def _flat_error(value: dict[str, Any]) -> Any:
    """An error that is not under `error`."""
    if value.get("object") == "error" or (isinstance(value.get("message"), str) and "type" in value):
        return value
    detail = value.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        return {"message": detail[0].get("msg"), "type": detail[0].get("type"), "status_code": 422}
    return detail if isinstance(detail, str) else None

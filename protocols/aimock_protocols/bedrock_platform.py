"""What all of Amazon Bedrock's runtime operations have in common: model ids, headers, errors, padding, limits.

Source: wire-bedrock §1, §2.2, §7.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import attrs
import orjson

from aimock_protocols import eventstream
from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
    Frame,
    FrameKind,
    Headers,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.json_bodies import JsonBodies
from aimock_protocols.retrying import retry_headers
from aimock_protocols.statuses import named_by

WHOLE_HEADERS: Headers = (("content-type", "application/json"),)
STREAM_HEADERS: Headers = (("content-type", eventstream.CONTENT_TYPE),)

# -- headers -----------------------------------------------------------------------------------------------------------


def fresh_headers(stamp: Stamp) -> Headers:
    """The id of the request, which SDKs show as its metadata."""
    return (("x-amzn-RequestId", stamp.uuid("request")),)


def rate_limits(allowance: Allowance, now: float) -> Headers:
    """None: the service tells nobody how much is left."""
    return ()


# -- models ------------------------------------------------------------------------------------------------------------

_REGION = re.compile(r"\A(?:us-gov|us|eu|apac|jp|au|ca|global)\.")
"""With which the ids of inference profiles begin."""
_VENDOR = re.compile(r"\A[a-z][a-z0-9]*\.")
_ENDINGS = tuple(
    re.compile(ending, re.ASCII)
    for ending in (
        r"(?::\w+)+\Z",
        r"-v\d+(?::\w+)+\Z|(?<=-\d{8})-v\d+\Z",
        r"-\d{8}(?:-v\d+)?(?::\w+)*\Z",
    )
)
"""How ids end: `:0`, `-v1:0`, `-20250514-v1:0`."""

_LONGEST_ID = 2048


@lru_cache(maxsize=256)
def model_id(raw: str) -> str:
    """The model of a path, whose parameter is percent-encoded by most clients, and not by all. Raises WireError."""
    model = unquote(raw)
    if len(model) > _LONGEST_ID:
        raise constraint("modelId", f"it must have at most {_LONGEST_ID} characters")
    return model


@lru_cache(maxsize=256)
def aliases(raw: str) -> tuple[str, ...]:
    """Other names of the model in a path: the last part of an ARN, that without its region, that without its vendor,
    each also without version or date; and all of it percent-encoded, as older recordings have it."""
    model = unquote(raw)
    last = model.rpartition("/")[2] if model.startswith("arn:") else model
    regionless = _REGION.sub("", last)
    names = (model, last, regionless, _VENDOR.sub("", regionless))
    known = dict.fromkeys(
        (*names, *(ending.sub("", name) for name in names for ending in _ENDINGS), quote(model, safe=""))
    )
    return tuple(name for name in known if name != model)


# -- requests ----------------------------------------------------------------------------------------------------------


def refusal(message: str) -> WireError:
    """A request that the service will not take: a ValidationException."""
    return WireError(ErrorReply(message, status=400))


def constraint(where: str, what: str) -> WireError:
    """A request of which one member breaks a rule."""
    return refusal(f"1 validation error detected: Value at '{where}' failed to satisfy constraint: {what}")


_BODIES = JsonBodies(refusal, too_deep=lambda where: constraint(where, "it is nested too deeply"))
read_object, compact = _BODIES.read_object, _BODIES.compact


# -- errors ------------------------------------------------------------------------------------------------------------

EXCEPTIONS = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "UnknownOperationException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    422: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}
"""What an error of each status is called; of others, those from 500 on are as 500, the rest as 400."""

STREAM_EXCEPTIONS = {
    400: "validationException",
    408: "modelStreamErrorException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
    529: "serviceUnavailableException",
}
"""The only ones that a stream can end in, as it names them; of other statuses those from 500 on are as 500, the rest
as 400."""

STATUSES_OF_TYPES = {
    "invalid_request_error": 400,
    "timeout_error": 408,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""The statuses that other providers' types stand for, inside streams, where an error has no status to tell."""

_ORIGINS = ("originalStatusCode", "originalMessage", "resourceName")
"""What an exception may tell of the model's own error."""

_ORIGIN_OF_ERRORS = "http://internal.amazon.com/coral/com.amazon.bedrock/"


def rate_limited(excess: Excess) -> ErrorReply:
    """A 429 that says of what there was too much."""
    return ErrorReply(f"Too many {excess.unit}, please wait before trying again.", status=429, retry_after=excess.wait)


def exception_of(error: ErrorReply) -> str:
    """The name of the exception: the error's own code or type if that is one, else what its status calls for."""
    for name in (error.code, error.type):
        if isinstance(name, str) and name.endswith("Exception"):
            return name[:1].upper() + name[1:]
    return named_by(EXCEPTIONS, error.status)


def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
    """An error response. SDKs tell which exception it is by its header, and wait as many
    milliseconds as another tells."""
    kind = ("x-amzn-ErrorType", f"{exception_of(error)}:{_ORIGIN_OF_ERRORS}")
    headers = (*WHOLE_HEADERS, kind, *retry_headers(error))
    if error.retry_after is not None:
        headers += (("x-amz-retry-after", str(math.ceil(error.retry_after * 1000))),)
    return WireResponse(error.status, headers, _envelope(error))


def stream_exception(error: ErrorReply, others: frozenset[str] = frozenset()) -> Frame:
    """An error inside a stream, after which nothing follows. `others` are names of exceptions that its operation's
    streams know besides; one that they do not know would reach no client."""
    status = STATUSES_OF_TYPES.get(error.type or "", error.status)
    name = exception_of(attrs.evolve(error, status=status))
    name = name[:1].lower() + name[1:]
    if name not in others and name not in STREAM_EXCEPTIONS.values():
        name = named_by(STREAM_EXCEPTIONS, status)
    return Frame(eventstream.exception(name, _envelope(error)), FrameKind.CLOSE)


def _envelope(error: ErrorReply) -> bytes:
    """The provider's own members, and a `hint` if there is one, for the person who reads it."""
    told: dict[str, Any] = {"message": error.message}
    if isinstance(error.metadata, dict):
        told |= {name: error.metadata[name] for name in _ORIGINS if name in error.metadata}
    if error.hint is not None:
        told["hint"] = error.hint
    return orjson.dumps(told)


_STATUSES = {name: status for status, name in reversed(EXCEPTIONS.items())} | {
    "AccessDeniedException": 403,
    "ConflictException": 400,
    "ServiceQuotaExceededException": 400,
    "ModelNotReadyException": 429,
    "ModelStreamErrorException": 424,
    "UnrecognizedClientException": 403,
    "ExpiredTokenException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnknownOperationException": 404,
}


def read_error(value: dict[str, Any]) -> ErrorReply | None:
    """The error that a JSON body from upstream tells; None if it tells none. The name of its exception is in a header,
    or in `__type`."""
    message = value.get("message", value.get("Message"))
    if not isinstance(message, str):
        return None
    name = value.get("__type")
    return named_error(name.rpartition("#")[2] if isinstance(name, str) else "", message, value)


def read_exception(message: eventstream.Message) -> ErrorReply | None:
    """The error that a message of an event stream tells; None if it is an event."""
    kind = message.text(":message-type")
    if kind == "error":
        return named_error(message.text(":error-code") or "", message.text(":error-message") or "", {})
    if kind != "exception":
        return None
    try:
        value = orjson.loads(message.payload)
    except orjson.JSONDecodeError:
        value = None
    told = value if isinstance(value, dict) else {}
    text = told.get("message", told.get("Message"))
    return named_error(message.text(":exception-type") or "", text if isinstance(text, str) else "", told)


def payload_of(message: eventstream.Message) -> str:
    """What a message brings, as far as it can be shown."""
    return message.payload.decode("utf-8", "replace")


def named_error(name: str, message: str, members: dict[str, Any]) -> ErrorReply:
    """The error of an exception by its name, of either case, with what its members tell of its origin."""
    name = name[:1].upper() + name[1:]
    origins = {member: members[member] for member in _ORIGINS if member in members}
    return ErrorReply(message, code=name or None, status=_STATUSES.get(name, 500), metadata=origins or None)


# -- padding -----------------------------------------------------------------------------------------------------------

_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SHORTEST, _LENGTHS, _STRIDE = 2, 60, 37
"""Padding has 2 to 61 characters. A stride that has no divisor in common with their number reaches them all."""

_PADDINGS = tuple(b'"%b"' % _PADDING[: _SHORTEST + place * _STRIDE % _LENGTHS].encode() for place in range(_LENGTHS))


def padding(place: int) -> bytes:
    """The JSON of the member `p` of a stream's event, by its place in the stream: it hides how long the text is."""
    return _PADDINGS[place % _LENGTHS]

"""What a whole response and the events of a stream say alike: ids, status, settings, tokens (wire §5, §10, §11)."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ErrorReply, Reply, Stamp
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.usage import Spellings, estimated_counts, extras, first, given_counts

DEFAULT_MODEL = "gpt-4o"
"""The model that answers a request that names none: clients need the field."""

REASONS = {"length": "max_output_tokens", "content_filter": "content_filter", "steered": "steered"}
"""Why a response is incomplete, by OpenAI's finish reasons in the chat, which knows of no steering."""

_COMPLETED = frozenset({None, "stop", "tool_calls", "function_call"})

_ERROR_CODES = (
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "vector_store_timeout",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "invalid_image_mode",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
)
"""The codes with which a response may fail; others are the first."""

_FAILURE = ErrorReply("The model could not finish this response.", code="server_error")

_SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("input_tokens_details", "prompt_tokens_details"),
    completion_details=("output_tokens_details", "completion_tokens_details"),
)


class Standing(NamedTuple):
    """How far a response is, and what there is of it."""

    status: str
    output: list[Any] = []  # noqa: RUF012 - never changed
    usage: dict[str, Any] | None = None
    reason: str | None = None
    """Why it is incomplete."""
    error: ErrorReply | None = None

    @property
    def is_under_way(self) -> bool:
        return self.status in ("queued", "in_progress")


def response_id(reply: Reply, stamp: Stamp) -> str:
    return f"resp_{stamp.hexadecimal(50)}" if reply.id is None else reply.id


def status_of(reply: Reply) -> str:
    """The status that follows from the reply's reason to end; one that is not known is the status."""
    if reply.finish_reason in _COMPLETED:
        return "completed"
    return "incomplete" if reply.finish_reason in REASONS else str(reply.finish_reason)


def ended(reply: Reply, shape: Shape, output: list[Any]) -> Standing:
    """How a response stands at its end."""
    status = status_of(reply)
    if status == "failed":
        return failed(output, _FAILURE)
    return Standing(status, output, usage(reply, shape), REASONS.get(reply.finish_reason or ""))


def failed(output: list[Any], error: ErrorReply) -> Standing:
    """How a response stands that failed."""
    return Standing("failed", output, error=error)


def response(reply: Reply, shape: Shape, stamp: Stamp, standing: Standing) -> bytes:
    """The response object, members in the order in which the live service sends them."""
    created = int(stamp.created) if reply.created is None else reply.created
    tier = shape.service_tier
    groups = (
        _members(
            id=response_id(reply, stamp),
            object="response",
            created_at=created,
            status=standing.status,
            background=shape.is_background,
            completed_at=created if standing.status == "completed" else None,
            error=_error(standing.error),
            frequency_penalty=0.0,
            incomplete_details=None if standing.reason is None else {"reason": standing.reason},
        ),
        shape.echo.limits,
        _members(
            model=(reply.model if reply.model is not None else shape.model) or DEFAULT_MODEL,
            moderation=None,
            output=standing.output,
        ),
        shape.echo.identity,
        _members(service_tier="default" if tier == "auto" and not standing.is_under_way else tier),
        shape.echo.sampling,
        _members(usage=standing.usage),
        shape.echo.owner,
    )
    return b"{" + b",".join(groups) + b"}"


def _members(**values: Any) -> bytes:
    return orjson.dumps(values)[1:-1]


def _error(error: ErrorReply | None) -> dict[str, Any] | None:
    if error is None:
        return None
    code = error.code if error.code in _ERROR_CODES else "rate_limit_exceeded" if error.status == 429 else None
    return {"code": code or "server_error", "message": error.message}


def usage(reply: Reply, shape: Shape) -> dict[str, Any]:
    """The usage object: given counts or estimated ones, both detail objects in full, then what else the reply gives."""
    given = reply.usage or {}
    counts = given_counts(given, _SPELLINGS) or estimated_counts(reply, shape.prompt_tokens)
    prompt_details = first(given, _SPELLINGS.prompt_details, dict) or {}
    completion_details = first(given, _SPELLINGS.completion_details, dict) or {}
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **prompt_details},
        "output_tokens": counts.completion,
        "output_tokens_details": {"reasoning_tokens": 0, **completion_details},
        "total_tokens": counts.total,
        **extras(given, _SPELLINGS),
    }

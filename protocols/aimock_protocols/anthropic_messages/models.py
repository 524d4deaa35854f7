"""Anthropic's model list (wire-anthropic-messages §14): `GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from aimock_protocols.anthropic_messages.platform import WHOLE_HEADERS, refusal
from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireResponse

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 1000

_DATED = re.compile(r"(.+?)-(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\Z", re.ASCII)
_UNKNOWN_RELEASE = "1970-01-01T00:00:00Z"
_LINES = ("opus", "sonnet", "haiku", "fable", "mythos")


def list_models(request: SideRequest) -> WireResponse:
    """One page of the models, newest first; of Claude's alone, if there are any. Raises WireError, a 400, on parameters
    that make no page."""
    known = [model for model in request.models if "claude" in model] or request.models
    models = sorted(map(_model, known), key=lambda model: str(model["created_at"]), reverse=True)
    query = parse_qs(request.head.query)
    limit = _limit(query)
    names = [model["id"] for model in models]
    start, end = 0, len(models)
    if "after_id" in query:
        start = _position(names, query, "after_id") + 1
    if "before_id" in query:
        end = _position(names, query, "before_id")
    page = models[start:end]
    page = page[-limit:] if "before_id" in query and "after_id" not in query else page[:limit]
    body = {
        "data": page,
        "has_more": len(page) < end - start,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


def retrieve_model(request: SideRequest) -> WireResponse:
    """One model, by its id or by its id without the date. Raises WireError, a 404, if there is none of that name."""
    wanted = unquote(request.params["model"])
    for model in sorted(request.models, reverse=True):
        if wanted in (model, _undated(model)):
            return WireResponse(200, WHOLE_HEADERS, orjson.dumps(_model(model)))
    raise WireError(ErrorReply(f"model: {wanted}", status=404))


def _limit(query: dict[str, list[str]]) -> int:
    given = query.get("limit", [str(DEFAULT_LIMIT)])[0]
    if given.isdecimal() and given.isascii() and 1 <= int(given[:5]) <= LARGEST_LIMIT and len(given) <= 4:
        return int(given)
    raise refusal(f"limit: Input should be a whole number from 1 to {LARGEST_LIMIT}")


def _position(names: list[str], query: dict[str, list[str]], name: str) -> int:
    wanted = query[name][0]
    if wanted not in names:
        raise refusal(f"{name}: no such model")
    return names.index(wanted)


def _model(model: str) -> dict[str, Any]:
    found = _DATED.match(model)
    return {
        "type": "model",
        "id": model,
        "display_name": _display_name(model),
        "created_at": f"{found[2]}-{found[3]}-{found[4]}T00:00:00Z" if found else _UNKNOWN_RELEASE,
        "lifecycle": "active",
        "line": next((line for line in _LINES if line in model.split("-")), None),
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "capabilities": None,
        "deprecated_at": None,
        "retires_at": None,
    }


def _undated(model: str) -> str:
    found = _DATED.match(model)
    return found[1] if found else model


def _display_name(model: str) -> str:
    """`claude-opus-4-5-20251101` → `Claude Opus 4.5`; what is not called so is shown as it is."""
    if not model.startswith("claude-"):
        return model
    versioned = re.sub(r"(?<=\d)-(?=\d)", ".", _undated(model))
    return " ".join(word.capitalize() for word in versioned.split("-"))

"""Gemini's model lists (wire-gemini §11): what there is, and what fixtures name besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireResponse
from aimock_protocols.gemini.platform import WHOLE_HEADERS, refusal

BUILT_IN = (
    "gemini-3-pro-preview",
    "gemini-3-flash-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.0-flash",
    "gemini-embedding-001",
)
DEFAULT_SIZE = 50
LARGEST_SIZE = 1000

_EMBEDS = ["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]
_GENERATES = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]


def list_models(request: SideRequest) -> WireResponse:
    """One page of the models. Raises WireError, a 400, on parameters that make no page."""
    return _listed(request, "models", _model)


def retrieve_model(request: SideRequest) -> WireResponse:
    """One model. Raises WireError, a 404, if there is none of that name."""
    return _retrieved(request, _model)


def list_publisher_models(request: SideRequest) -> WireResponse:
    """The same as Vertex AI has it."""
    return _listed(request, "publisherModels", _publisher_model)


def retrieve_publisher_model(request: SideRequest) -> WireResponse:
    """The same as Vertex AI has it."""
    return _retrieved(request, _publisher_model)


def _listed(request: SideRequest, key: str, describe: Callable[[str], dict[str, Any]]) -> WireResponse:
    named = [model for model in request.models if "gem" in model] or request.models
    models = list(dict.fromkeys((*BUILT_IN, *map(_bare, named))))
    query = dict(parse_qsl(request.head.query, errors="replace"))
    size = _number(query, "pageSize", DEFAULT_SIZE)
    start = _number(query, "pageToken", 0)
    page = models[start : start + min(size or DEFAULT_SIZE, LARGEST_SIZE)]
    body: dict[str, Any] = {key: [describe(model) for model in page]}
    if start + len(page) < len(models):
        body["nextPageToken"] = str(start + len(page))
    return _response(body)


def _retrieved(request: SideRequest, describe: Callable[[str], dict[str, Any]]) -> WireResponse:
    wanted = unquote(request.params["model"])
    if wanted in BUILT_IN or wanted in map(_bare, request.models):
        return _response(describe(wanted))
    message = f"models/{wanted} is not found. Call ListModels to see the list of available models."
    raise WireError(ErrorReply(message, status=404))


def _number(query: dict[str, str], name: str, default: int) -> int:
    given = query.get(name, str(default))
    if given.isdecimal() and given.isascii() and len(given) < 10:
        return int(given)
    raise refusal(f"Invalid value at '{name}': {given}")


def _bare(model: str) -> str:
    return model.removeprefix("models/")


def _model(model: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": f"models/{model}",
        "version": "001",
        "displayName": _display_name(model),
        "description": f"{_display_name(model)}, mocked",
    }
    if "embedding" in model:
        return told | {"inputTokenLimit": 2048, "outputTokenLimit": 1, "supportedGenerationMethods": _EMBEDS}
    return told | {
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": _GENERATES,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }


def _publisher_model(model: str) -> dict[str, Any]:
    return {
        "name": f"publishers/google/models/{model}",
        "versionId": "default",
        "openSourceCategory": "PROPRIETARY",
        "launchStage": "GA",
        "publisherModelTemplate": (f"projects/{{project}}/locations/{{location}}/publishers/google/models/{model}"),
    }


def _display_name(model: str) -> str:
    """`gemini-2.5-flash` → `Gemini 2.5 Flash`."""
    return " ".join(word.capitalize() for word in model.split("-"))


def _response(body: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))

"""Cohere's model list (wire-cohere §1): `GET /v1/models` and `GET /v1/models/{model}`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.cohere.platform import WHOLE_HEADERS, refusal, unknown_model

DEFAULT_SIZE = 20
LARGEST_SIZE = 1000

_FAMILIES = (("embed", 512, ["embed"]), ("rerank", 4096, ["rerank"]), ("", 256_000, ["chat"]))
"""What models are good for, by what their names hold: their context in tokens, and the endpoints that serve them."""
_OWN = ("command", "embed", "rerank", "c4ai", "aya")
"""What the names of the provider's own models hold."""


def list_models(request: SideRequest) -> WireResponse:
    """One page of the models, in the order in which fixtures name them; of Cohere's alone, if there are any. Raises
    WireError, a 400, on parameters that make no page."""
    known = [model for model in request.models if any(each in model for each in _OWN)] or request.models
    query = {name: values[0] for name, values in parse_qs(request.head.query).items()}
    wanted = query.get("endpoint")
    models = [told for told in map(_model, known) if wanted is None or wanted in told["endpoints"]]
    if query.get("default_only") == "true":
        models = models[:1]
    size = _size(query.get("page_size", str(DEFAULT_SIZE)))
    start = _start([told["name"] for told in models], query.get("page_token"))
    page = models[start : start + size]
    body: dict[str, Any] = {"models": page}
    if start + size < len(models):
        body["next_page_token"] = page[-1]["name"]
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


def retrieve_model(request: SideRequest) -> WireResponse:
    """One model. Raises WireError, a 404, if there is none of that name."""
    model = unquote(request.params["model"])
    if model not in request.models:
        raise unknown_model(model)
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(_model(model)))


def _size(given: str) -> int:
    """The models in a page; SDKs may write it with a decimal point."""
    whole = given.removesuffix(".0")
    if whole.isdecimal() and whole.isascii() and len(whole) <= 4 and 1 <= int(whole) <= LARGEST_SIZE:
        return int(whole)
    raise refusal(f"page_size must be between 1 and {LARGEST_SIZE} inclusive.")


def _start(names: list[str], token: str | None) -> int:
    """Where a page begins: after the model that the one before ended with."""
    if token is None:
        return 0
    if token not in names:
        raise refusal("page_token is invalid.")
    return names.index(token) + 1


def _model(model: str) -> dict[str, Any]:
    """A model. It has no tokenizer to download: SDKs then ask the server to count tokens."""
    context, endpoints = next((context, endpoints) for name, context, endpoints in _FAMILIES if name in model)
    return {
        "name": model,
        "is_deprecated": False,
        "endpoints": endpoints,
        "finetuned": False,
        "context_length": context,
        "tokenizer_url": None,
        "default_endpoints": [],
        "features": None,
        "sampling_defaults": None,
    }

"""OpenAI's model list (wire-openai-chat §12): `GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireResponse
from aimock_protocols.openai_platform import WHOLE_HEADERS

CREATED = 1686935002
OWNED_BY = "aimock"


def list_models(request: SideRequest) -> WireResponse:
    """All models, in the order in which fixtures name them."""
    body = {"object": "list", "data": [_model(model) for model in request.models]}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


def retrieve_model(request: SideRequest) -> WireResponse:
    """One model; its id may hold slashes, percent-encoded or not. Raises WireError if there is none of that name."""
    model = unquote(request.params["model"])
    if model not in request.models:
        message = f"The model '{model}' does not exist"
        raise WireError(ErrorReply(message, "invalid_request_error", "model", "model_not_found", 404))
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(_model(model)))


def _model(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": CREATED, "owned_by": OWNED_BY}

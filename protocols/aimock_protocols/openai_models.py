"""OpenAI's model list (wire-openai-chat §12): `GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from aimock_protocols.canonical import ErrorReply

CREATED = 1686935002
OWNED_BY = "aimock"


def encode_list(ids: Iterable[str], created: int = CREATED, owned_by: str = OWNED_BY) -> bytes:
    """The body that lists the models `ids`, in their order."""
    return orjson.dumps({"object": "list", "data": [_model(model, created, owned_by) for model in ids]})


def encode_one(model: str, created: int = CREATED, owned_by: str = OWNED_BY) -> bytes:
    """The body that describes one model."""
    return orjson.dumps(_model(model, created, owned_by))


def model_id(params: Mapping[str, str]) -> str:
    """The model that a path of RETRIEVE_ROUTE names, percent-decoded; it may hold slashes."""
    return unquote(params["model"])


def not_found(model: str) -> ErrorReply:
    """The answer for a model that is not in the list."""
    message = f"The model '{model}' does not exist"
    return ErrorReply(message, "invalid_request_error", "model", "model_not_found", 404)


def _model(model: str, created: int, owned_by: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": created, "owned_by": owned_by}

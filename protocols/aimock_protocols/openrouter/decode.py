"""OpenRouter's requests: OpenAI's, and which models are to be asked in turn (wire-openai-chat §16.1, §16.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock_protocols import openai_chat
from aimock_protocols.canonical import ChatRequest, Head
from aimock_protocols.openai_dialects.dialect import Dialect
from aimock_protocols.openrouter.dialect import OPENROUTER, WITHOUT_REASONING

Decode = Callable[[Head, Mapping[str, str], bytes], ChatRequest]


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its fallbacks. Raises WireError, always a 400."""
    return routed(openai_chat.decode(head, params, body))


def routed(request: ChatRequest) -> ChatRequest:
    """A request of OpenAI's with OpenRouter's fallbacks. Every reply is remembered, since its generation can be asked
    for."""
    request.remembers = True
    models = _models(request)
    if models:
        if not request.model:
            request = attrs.evolve(request, model=models[0], body={**request.body, "model": models[0]})
        if _mapping(request.body.get("provider")).get("allow_fallbacks") is not False:
            request.fallbacks = models[1:]
    return request


def _models(request: ChatRequest) -> tuple[str, ...]:
    """All models that may answer, in order, each once; a list that is none names none."""
    named = request.body.get("models")
    others = [model for model in named if isinstance(model, str)] if isinstance(named, list) else []
    return tuple(dict.fromkeys(model for model in (request.model, *others) if model))


def dialect_of(request: ChatRequest) -> Dialect:
    """The dialect that a request is answered in."""
    reasoning = _mapping(request.body.get("reasoning"))
    excluded = reasoning.get("exclude") is True or request.body.get("include_reasoning") is False
    return WITHOUT_REASONING if excluded else OPENROUTER


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

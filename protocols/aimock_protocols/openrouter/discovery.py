"""What OpenRouter tells of models, providers and keys (wire-openai-chat §16.5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireResponse
from aimock_protocols.openrouter.authors import author_of, slugs

_JSON = (("content-type", "application/json"),)
_CREATED = 1686935002
_CONTEXT = 128_000
_PARAMETERS = (
    "frequency_penalty",
    "include_reasoning",
    "logprobs",
    "max_tokens",
    "presence_penalty",
    "reasoning",
    "response_format",
    "seed",
    "stop",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
)
_FREE = {"prompt": "0", "completion": "0", "request": "0", "image": "0", "web_search": "0", "internal_reasoning": "0"}


def list_models(request: SideRequest) -> WireResponse:
    """All models, in the order in which fixtures name them."""
    models = [_model(name) for name in request.models]
    return _told({"data": models, "links": {"next": None}, "total_count": len(models)})


def count_models(request: SideRequest) -> WireResponse:
    return _told({"data": {"count": len(request.models)}})


def retrieve_model(request: SideRequest) -> WireResponse:
    """One model. Raises WireError if there is none of that slug."""
    return _told({"data": _model(_known(request))})


def list_endpoints(request: SideRequest) -> WireResponse:
    """Who serves a model: its author alone. Raises WireError if there is no such model."""
    model = _model(_known(request))
    author = author_of(model["id"])
    slug = model["id"].partition("/")[0]
    endpoint = {
        "name": f"{author.provider} | {model['canonical_slug']}",
        "model_id": model["id"],
        "model_name": model["name"],
        "context_length": _CONTEXT,
        "pricing": _FREE | {"discount": 0},
        "provider_name": author.provider,
        "tag": slug,
        "quantization": "unknown",
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "supported_parameters": list(_PARAMETERS),
        "status": 0,
        "uptime_last_5m": 100.0,
        "uptime_last_30m": 100.0,
        "uptime_last_1d": 100.0,
        "latency_last_30m": None,
        "throughput_last_30m": None,
        "supports_implicit_caching": False,
        "supports_diarization": False,
        "supports_tool_choice": {"auto": True, "function": True, "none": True, "required": True},
        "native_tools": {},
        "service_tier": None,
    }
    told = {name: model[name] for name in ("id", "name", "created", "description", "architecture")}
    return _told({"data": told | {"endpoints": [endpoint]}})


def list_providers(request: SideRequest) -> WireResponse:
    providers = [
        {"name": author.provider, "slug": slug, "privacy_policy_url": None, "terms_of_service_url": None}
        | {"status_page_url": None}
        for slug, author in slugs().items()
    ]
    return _told({"data": providers})


def read_key(request: SideRequest) -> WireResponse:
    """A key without limits that has not been used: nothing costs anything here."""
    spent = {
        f"{kind}{period}": 0 for kind in ("usage", "byok_usage") for period in ("", "_daily", "_weekly", "_monthly")
    }
    return _told(
        {
            "data": {
                "label": "sk-or-v1-aimock",
                "is_management_key": False,
                "is_provisioning_key": False,
                "limit": None,
                "limit_reset": None,
                "limit_remaining": None,
                "include_byok_in_limit": False,
                **spent,
                "is_free_tier": False,
                "expires_at": None,
                "creator_user_id": None,
                "organization_id": None,
                "workspace_id": None,
                "allowed_data_regions": [],
                "budgets": [],
                "effective_budget": None,
                "free_model_daily_requests": {"limit": 1000, "remaining": 1000, "used": 0},
                "rate_limit": {
                    "requests": -1,
                    "interval": "10s",
                    "note": "Deprecated: it says nothing.",
                },
            }
        }
    )


def read_credits(request: SideRequest) -> WireResponse:
    return _told({"data": {"total_credits": 0, "total_usage": 0}})


def _known(request: SideRequest) -> str:
    """The model that the path names."""
    slug = "/".join(unquote(request.params[part]) for part in ("author", "slug"))
    if slug not in request.models:
        raise WireError(ErrorReply(f"No endpoints found for {slug}.", status=404))
    return slug


def _model(slug: str) -> dict[str, Any]:
    author, _, name = slug.rpartition("/")
    return {
        "id": slug,
        "canonical_slug": slug,
        "hugging_face_id": None,
        "name": f"{author_of(slug).provider}: {name}" if author else slug,
        "created": _CREATED,
        "description": f"{slug}, answered by aimock",
        "context_length": _CONTEXT,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": author_of(slug).tokenizer,
            "instruct_type": None,
        },
        "pricing": _FREE,
        "top_provider": {"context_length": _CONTEXT, "max_completion_tokens": None, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": list(_PARAMETERS),
        "default_parameters": {},
        "supported_voices": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{slug}/endpoints"},
        "reasoning": {"mandatory": False, "default_enabled": False},
    }


def _told(value: Any) -> WireResponse:
    return WireResponse(200, _JSON, orjson.dumps(value))

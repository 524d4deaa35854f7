"""What a generation took, asked for by its id after it has been answered (`GET /api/v1/generation?id=`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson

from aimock_protocols import rfc3339
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Memory,
    Reply,
    SideRequest,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.collapsing import mapping
from aimock_protocols.openai_chat.envelope import Telling
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_dialects.dialect import Fact, filled
from aimock_protocols.openrouter.dialect import OPENROUTER, provider_of

_JSON = (("content-type", "application/json"),)


def remember(request: ChatRequest, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int, memory: Memory) -> None:
    """Keeps what a generation is, to be told when it is asked for."""
    tell = Telling(reply, shape, stamp)
    memory.put(filled(OPENROUTER.whole["id"], tell), (tell, request.stream))


def generation(request: SideRequest) -> WireResponse:
    """One generation. Raises WireError if the request names none, or none that there was."""
    (name,) = parse_qs(request.head.query).get("id", [""])[-1:]
    if not name:
        raise WireError(ErrorReply("Missing required parameter: id", status=400))
    kept = request.memory.get(name)
    if kept is None:
        raise WireError(ErrorReply(f"Generation {name} not found", status=404))
    return WireResponse(200, _JSON, orjson.dumps({"data": _told(name, *kept)}))


def _told(name: str, tell: Telling, streamed: bool) -> dict[str, Any]:
    usage = tell(Fact.USAGE)
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return {
        "id": name,
        "upstream_id": None,
        "total_cost": usage["cost"],
        "cache_discount": None,
        "upstream_inference_cost": mapping(usage["cost_details"]).get("upstream_inference_cost"),
        "created_at": rfc3339.in_microseconds(tell.stamp.created),
        "model": tell(Fact.MODEL),
        "app_id": None,
        "streamed": streamed,
        "cancelled": False,
        "provider_name": provider_of(tell),
        "latency": 10,
        "moderation_latency": None,
        "generation_time": 10,
        "finish_reason": tell(Fact.FINISH_REASON),
        "native_finish_reason": tell(Fact.NATIVE_FINISH_REASON),
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_completion_images": 0,
        "native_tokens_reasoning": mapping(usage["completion_tokens_details"]).get("reasoning_tokens"),
        "native_tokens_cached": mapping(usage["prompt_tokens_details"]).get("cached_tokens"),
        "num_media_prompt": 0,
        "num_input_audio_prompt": 0,
        "num_media_completion": 0,
        "num_search_results": 0,
        "num_fetches": 0,
        "origin": "",
        "usage": usage["cost"],
        "is_byok": usage["is_byok"],
        "external_user": None,
        "api_type": "completions",
        "router": None,
        "provider_responses": None,
        "user_agent": None,
        "http_referer": None,
        "preset_id": None,
        "service_tier": None,
        "web_search_engine": None,
        "data_region": "global",
        "workspace_id": None,
    }

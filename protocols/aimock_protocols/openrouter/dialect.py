"""What OpenRouter says otherwise than OpenAI (wire-openai-chat §16.3, §16.4)."""

from __future__ import annotations

from typing import Any

import attrs

from aimock_protocols.canonical import Headers, Stamp
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.envelope import Telling
from aimock_protocols.openai_dialects.dialect import ABSENT, Deltas, Fact, comment
from aimock_protocols.openai_dialects.openai import COUNTS, OPENAI
from aimock_protocols.openrouter.authors import author_of


def generation_id(created: int, stamp: Stamp) -> str:
    return f"gen-{created}-{stamp.alphanumeric(20)}"


def fresh_headers(stamp: Stamp) -> Headers:
    """The id of the generation, as its body tells it."""
    return (("x-generation-id", generation_id(int(stamp.created), stamp)),)


def _id(tell: Telling) -> str:
    reply = tell.reply
    return generation_id(envelope.created(reply, tell.stamp), tell.stamp) if reply.id is None else reply.id


def provider_of(tell: Telling) -> str:
    """The reply's own, else who serves the models of the author."""
    if tell.reply.provider is not None:
        return tell.reply.provider
    return author_of(tell.reply.model or tell.shape.model).provider


def _details(tell: Telling) -> Any:
    """All thoughts of a reply: what was thought, and what of it is encrypted."""
    reply = tell.reply
    if reply.reasoning is None:
        return _sealed(tell) or ABSENT
    detail, *sealed = _sealed(tell) or [{}]
    if detail.get("type") == "reasoning.encrypted":
        sealed, detail = [detail, *sealed], {}
    return [_thought(tell, reply.reasoning) | detail, *sealed]


def _slice_of_details(tell: Telling) -> Any:
    return [_thought(tell, tell(Fact.PIECE))]


def _thought(tell: Telling, text: Any) -> dict[str, Any]:
    author = author_of(tell(Fact.MODEL))
    name = "summary" if author.summarises else "text"
    return {"type": f"reasoning.{name}", name: text, "format": author.thoughts, "index": 0}


def _sealed(tell: Telling) -> list[dict[str, Any]]:
    """The signature of thoughts, and thoughts that are encrypted."""
    reply, author = tell.reply, author_of(tell(Fact.MODEL))
    told = {"format": author.thoughts, "index": 0}
    encrypted = list(reply.redacted_thinking)
    sealed = []
    if reply.reasoning_signature is not None and author.summarises:
        encrypted.append(reply.reasoning_signature)
    elif reply.reasoning_signature is not None:
        sealed.append({"type": "reasoning.text", "signature": reply.reasoning_signature} | told)
    return sealed + [{"type": "reasoning.encrypted", "data": data} | told for data in encrypted]


def _thought_end(tell: Telling) -> Any:
    sealed = _sealed(tell)
    return {"content": "", "role": tell(Fact.ROLE), "reasoning_details": sealed} if sealed else ABSENT


_CHUNK = {
    "id": _id,
    "object": "chat.completion.chunk",
    "created": Fact.CREATED,
    "model": Fact.MODEL,
    "provider": provider_of,
    "choices": Fact.CHOICES,
}
_FINISHES = {"finish_reason": Fact.FINISH_REASON, "native_finish_reason": Fact.NATIVE_FINISH_REASON}
_SILENCE = {"content": "", "role": Fact.ROLE}
_ERROR = {"code": Fact.ERROR_STATUS, "message": Fact.ERROR_MESSAGE}

OPENROUTER = attrs.evolve(
    OPENAI,
    whole={
        "id": _id,
        "object": "chat.completion",
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "provider": provider_of,
        "system_fingerprint": Fact.GIVEN_FINGERPRINT,
        "service_tier": None,
        "choices": Fact.CHOICES,
        "usage": Fact.USAGE,
    },
    choice={"index": Fact.INDEX, "logprobs": Fact.LOGPROBS} | _FINISHES | {"message": Fact.MESSAGE},
    message={
        "role": Fact.ROLE,
        "content": Fact.CONTENT,
        "refusal": Fact.REFUSAL,
        "reasoning": Fact.REASONING,
        "reasoning_details": _details,
        "tool_calls": Fact.CALLS,
    },
    call={"type": "function", "index": Fact.POSITION, "id": Fact.CALL_ID, "function": Fact.CALL},
    chunk=_CHUNK,
    streamed_choice={"index": Fact.INDEX, "delta": Fact.DELTA, "logprobs": Fact.LOGPROBS_IF_ANY} | _FINISHES,
    deltas=Deltas(
        role=ABSENT,
        reasoning=_SILENCE | {"reasoning": Fact.PIECE, "reasoning_details": _slice_of_details},
        reasoning_end=_thought_end,
        text={"content": Fact.PIECE, "role": Fact.ROLE},
        refusal=_SILENCE | {"refusal": Fact.PIECE},
        calls={"content": None, "role": Fact.ROLE, "tool_calls": Fact.CALLS},
        arguments={"content": None, "role": Fact.ROLE} | OPENAI.deltas.arguments,
        finish=_SILENCE,
    ),
    usage_chunk=True,
    usage_choice=True,
    last_chunk=_CHUNK | {"service_tier": None, "usage": Fact.USAGE},
    usage=COUNTS
    | {
        "cost": 0,
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
        "cost_details": {
            "upstream_inference_cost": 0,
            "upstream_inference_prompt_cost": 0,
            "upstream_inference_completions_cost": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
    },
    error={"error": _ERROR | {"metadata": Fact.ERROR_METADATA, "hint": Fact.ERROR_HINT}},
    streamed_error={name: fact for name, fact in _CHUNK.items() if fact is not Fact.CHOICES}
    | {
        "error": _ERROR
        | {
            "metadata": {"error_type": Fact.ERROR_TYPE, "provider_code": Fact.ERROR_CODE_IF_ANY},
            "hint": Fact.ERROR_HINT,
        },
        "choices": [
            {"index": 0, "delta": _SILENCE, "finish_reason": "error", "native_finish_reason": "error"},
        ],
    },
    error_types={
        400: "invalid_request",
        401: "authentication",
        402: "payment_required",
        403: "permission_denied",
        404: "not_found",
        408: "timeout",
        413: "payload_too_large",
        422: "unprocessable",
        429: "rate_limit_exceeded",
        500: "server",
        502: "provider_unavailable",
        503: "provider_unavailable",
        504: "timeout",
        529: "provider_overloaded",
    },
    stream_type="text/event-stream",
    tells_quotas=False,
    keepalive=comment("OPENROUTER PROCESSING"),
)

WITHOUT_REASONING = attrs.evolve(
    OPENROUTER,
    message=OPENROUTER.message | {"reasoning": None, "reasoning_details": ABSENT},
    deltas=attrs.evolve(OPENROUTER.deltas, reasoning=ABSENT, reasoning_end=ABSENT),
)
"""For requests that ask for none to be told."""

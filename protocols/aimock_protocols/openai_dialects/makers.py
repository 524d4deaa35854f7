"""Those who serve models of their own: Mistral, DeepSeek, xAI, Z.ai, and Google's Gemini (wire-openai-chat §15)."""

from __future__ import annotations

import attrs

from aimock_protocols.openai_dialects.dialect import ABSENT, CallStyle, Fact, Mint, comment
from aimock_protocols.openai_dialects.openai import COUNTS, ERROR, OPENAI
from aimock_protocols.openai_dialects.pieces import (
    BARE_STREAMED_CHOICE,
    FINGERPRINTED,
    FINGERPRINTED_CHUNK,
    INDEXED_CALL,
    OPENED,
    PLAIN_CHOICE,
    PLAIN_CHUNK,
    PLAIN_STREAMED_CHOICE,
    PLAIN_WHOLE,
    deltas,
    message,
    repeating,
)

_MISTRAL_CALL = {"function": Fact.CALL, "id": Fact.CALL_ID, "index": Fact.POSITION}
_MISTRAL_THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": Fact.PIECE}]}
MISTRAL = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "hexadecimal", 32),
    call_id=Mint("", "alphanumeric", 9),
    whole=PLAIN_WHOLE,
    choice=PLAIN_CHOICE,
    message=message(None),
    thought=_MISTRAL_THOUGHT,
    no_content="",
    no_calls=None,
    call=_MISTRAL_CALL,
    chunk=PLAIN_CHUNK,
    streamed_choice=PLAIN_STREAMED_CHOICE,
    streamed_call=_MISTRAL_CALL,
    finishing={"usage": Fact.USAGE},
    deltas=attrs.evolve(
        OPENAI.deltas,
        role=OPENED,
        reasoning={"content": [_MISTRAL_THOUGHT]},
        refusal=ABSENT,
        calls={"content": "", "tool_calls": Fact.CALLS},
        finish={"content": ""},
    ),
    call_style=CallStyle.TOGETHER,
    calls_finish=True,
    usage_chunk=False,
    usage=COUNTS | {"prompt_tokens_details": {"cached_tokens": 0}},
    error={"object": "error"} | ERROR,
    errors={
        422: {
            "detail": [
                {
                    "type": Fact.ERROR_TYPE,
                    "loc": ["body", Fact.ERROR_PARAM_IF_ANY],
                    "msg": Fact.ERROR_MESSAGE,
                    "input": None,
                    "hint": Fact.ERROR_HINT,
                }
            ]
        }
    },
    model={
        "id": Fact.MODEL_NAME,
        "object": "model",
        "created": OPENAI.model["created"],
        "owned_by": "mistralai",
        "capabilities": {
            "completion_chat": True,
            "completion_fim": False,
            "function_calling": True,
            "fine_tuning": False,
            "vision": False,
        },
        "name": Fact.MODEL_NAME,
        "description": None,
        "max_context_length": 131_072,
        "aliases": [],
        "deprecation": None,
        "default_model_temperature": 0.3,
        "type": "base",
    },
    minted_headers=(("mistral-correlation-id", Mint("", "uuid")),),
)

DEEPSEEK = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "uuid"),
    call_id=Mint("call_00_", "alphanumeric", 24),
    whole=PLAIN_WHOLE | FINGERPRINTED,
    message=message("reasoning_content"),
    no_content="",
    call=INDEXED_CALL,
    chunk=FINGERPRINTED_CHUNK,
    finishing={"usage": Fact.USAGE},
    deltas=attrs.evolve(
        deltas("reasoning_content", finish={"content": "", "reasoning_content": Fact.NULL_IF_REASONING}),
        reasoning={"content": None, "reasoning_content": Fact.PIECE},
        text={"content": Fact.PIECE, "reasoning_content": Fact.NULL_IF_REASONING},
    ),
    usage_chunk=False,
    usage=COUNTS
    | {
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": Fact.PROMPT_TOKENS,
    },
    model={"id": Fact.MODEL_NAME, "object": "model", "owned_by": "deepseek"},
    keepalive=comment("keep-alive"),
    tells_quotas=False,
)

XAI = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "uuid"),
    call_id=Mint("call_", "digits", 8),
    whole=PLAIN_WHOLE | FINGERPRINTED,
    choice=PLAIN_CHOICE,
    message=message("reasoning_content", refusal=Fact.REFUSAL),
    no_content="",
    chunk=PLAIN_CHUNK | FINGERPRINTED,
    streamed_choice=BARE_STREAMED_CHOICE,
    deltas=repeating("reasoning_content", finish={}),
    call_style=CallStyle.ONE_BY_ONE,
    usage_chunk=True,
    last_chunk=PLAIN_CHUNK | {"usage": Fact.USAGE} | FINGERPRINTED,
    usage=COUNTS
    | {
        "prompt_tokens_details": {"text_tokens": Fact.PROMPT_TOKENS, "audio_tokens": 0, "image_tokens": 0}
        | {"cached_tokens": 0},
        "completion_tokens_details": OPENAI.usage["completion_tokens_details"],
        "num_sources_used": 0,
    },
    error={"code": Fact.ERROR_CODE_OR_TYPE, "error": Fact.ERROR_MESSAGE, "hint": Fact.ERROR_HINT},
    streamed_error={"error": {"code": Fact.ERROR_CODE_OR_TYPE, "message": Fact.ERROR_MESSAGE}},
    error_types={
        400: "Client specified an invalid argument",
        401: "Unauthenticated",
        403: "The caller does not have permission to execute the specified operation",
        404: "Some requested entity was not found",
        429: "Some resource has been exhausted",
    },
    model=OPENAI.model | {"owned_by": "xai"},
)

ZAI = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "hexadecimal", 30),
    call_id=Mint("call_", "digits", 19),
    whole={
        "choices": Fact.CHOICES,
        "created": Fact.CREATED,
        "id": Fact.ID,
        "model": Fact.MODEL,
        "object": "chat.completion",
        "request_id": Fact.ID,
        "usage": Fact.USAGE,
    },
    choice=PLAIN_CHOICE,
    message=message("reasoning_content"),
    no_content="",
    call=INDEXED_CALL,
    chunk=PLAIN_CHUNK,
    streamed_choice=BARE_STREAMED_CHOICE,
    finishing={"usage": Fact.USAGE},
    deltas=attrs.evolve(repeating("reasoning_content"), reasoning={"role": Fact.ROLE, "reasoning_content": Fact.PIECE}),
    call_style=CallStyle.ONE_BY_ONE,
    usage_chunk=False,
    usage=COUNTS
    | {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}},
    error={"error": {"code": Fact.ERROR_CODE_OR_STATUS, "message": Fact.ERROR_MESSAGE, "hint": Fact.ERROR_HINT}},
    model=OPENAI.model | {"owned_by": "z-ai"},
    tells_quotas=False,
)

_GEMINI_ERROR = {
    "error": {
        "code": Fact.ERROR_STATUS,
        "message": Fact.ERROR_MESSAGE,
        "status": Fact.ERROR_RPC,
        "hint": Fact.ERROR_HINT,
    }
}
GEMINI = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "alphanumeric", 22),
    call_id=Mint("function-call-", "digits", 19),
    whole=PLAIN_WHOLE,
    choice=PLAIN_CHOICE,
    message=message(None),
    no_content=ABSENT,
    chunk=PLAIN_CHUNK,
    streamed_choice=BARE_STREAMED_CHOICE,
    deltas=attrs.evolve(
        repeating("reasoning", finish={"role": Fact.ROLE}),
        reasoning=ABSENT,
        calls={"role": Fact.ROLE, "tool_calls": Fact.CALLS},
    ),
    call_style=CallStyle.ONE_BY_ONE,
    last_chunk=PLAIN_CHUNK | {"usage": Fact.USAGE},
    sorts_members=True,
    usage=COUNTS,
    error=[_GEMINI_ERROR],
    streamed_error=_GEMINI_ERROR,
    models={"object": "list", "data": Fact.MODELS},
    model={"id": Fact.GEMINI_MODEL, "object": "model", "owned_by": "google", "display_name": Fact.MODEL_NAME},
    unknown_model="models/{name} is not found for API version v1main",
    stream_type="text/event-stream",
    tells_quotas=False,
)

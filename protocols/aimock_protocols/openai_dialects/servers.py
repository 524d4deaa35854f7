"""Servers that people run themselves: vLLM, LiteLLM's proxy, Ollama (wire-openai-chat §15)."""

from __future__ import annotations

import attrs

from aimock_protocols.openai_dialects.dialect import ABSENT, CallStyle, Fact, Mint
from aimock_protocols.openai_dialects.openai import CHUNK, COUNTS, ERROR, OPENAI
from aimock_protocols.openai_dialects.pieces import (
    BARE_STREAMED_CHOICE,
    FINGERPRINTED,
    OPENED,
    PLAIN_CHOICE,
    PLAIN_CHUNK,
    PLAIN_STREAMED_CHOICE,
    PLAIN_WHOLE,
    deltas,
    message,
    repeating,
    without,
)

VLLM = attrs.evolve(
    OPENAI,
    reply_id=Mint("chatcmpl-", "hexadecimal", 16),
    call_id=Mint("chatcmpl-tool-", "hexadecimal", 16),
    whole=PLAIN_WHOLE
    | {
        "service_tier": None,
        "system_fingerprint": Fact.GIVEN_FINGERPRINT,
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "prompt_text": None,
        "kv_transfer_params": None,
        "metrics": None,
    },
    choice=OPENAI.choice | {"stop_reason": None, "token_ids": None, "routed_experts": None},
    message={
        "role": Fact.ROLE,
        "content": Fact.CONTENT,
        "refusal": Fact.REFUSAL,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": Fact.CALLS,
        "reasoning": Fact.REASONING,
    },
    chunk=PLAIN_CHUNK,
    streamed_choice=OPENAI.streamed_choice | {"token_ids": None},
    opening={"prompt_token_ids": None, "prompt_text": None},
    opening_choice={"token_ids": ABSENT},
    finishing_choice={"stop_reason": None},
    deltas=deltas("reasoning"),
    last_chunk=PLAIN_CHUNK | {"usage": Fact.USAGE, "system_fingerprint": Fact.GIVEN_FINGERPRINT},
    usage=COUNTS
    | {
        "prompt_tokens_details": {"cached_tokens": 0, "multimodal_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
    error={"error": ERROR | {"code": Fact.ERROR_CODE_OR_STATUS_NUMBER}},
    error_types={
        400: "BadRequestError",
        401: "AuthenticationError",
        404: "NotFoundError",
        422: "UnprocessableEntityError",
        429: "RateLimitError",
        500: "InternalServerError",
        503: "ServiceUnavailableError",
    },
    model=OPENAI.model
    | {"owned_by": "vllm", "root": Fact.MODEL_NAME, "parent": None, "max_model_len": 131_072, "permission": []},
    unknown_model="The model `{name}` does not exist.",
    tells_quotas=False,
)

LITELLM = attrs.evolve(
    OPENAI,
    reply_id=Mint("chatcmpl-", "uuid"),
    whole=PLAIN_WHOLE | FINGERPRINTED,
    choice={"finish_reason": Fact.FINISH_REASON, "index": Fact.INDEX, "message": Fact.MESSAGE}
    | {"logprobs": Fact.LOGPROBS_IF_ANY},
    message=message("reasoning_content"),
    chunk=PLAIN_CHUNK | FINGERPRINTED,
    streamed_choice=BARE_STREAMED_CHOICE,
    deltas=attrs.evolve(OPENAI.deltas, role=OPENED, refusal=ABSENT),
    last_chunk=PLAIN_CHUNK | FINGERPRINTED | {"usage": Fact.USAGE},
    error={"error": ERROR | {"code": Fact.ERROR_CODE_OR_STATUS}},
    model=OPENAI.model | {"owned_by": "openai"},
    headers=(("x-litellm-version", "1.91.0"), ("x-litellm-response-cost", "0.0")),
    minted_headers=(("x-litellm-call-id", Mint("", "uuid")),),
)

OLLAMA = attrs.evolve(
    OPENAI,
    reply_id=Mint("chatcmpl-", "digits", 3),
    call_id=Mint("call_", "hexadecimal", 8),
    whole={
        "id": Fact.ID,
        "object": "chat.completion",
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "system_fingerprint": "fp_ollama",
        "choices": Fact.CHOICES,
        "usage": Fact.USAGE,
    },
    choice=PLAIN_CHOICE,
    message=message("reasoning"),
    no_content="",
    call={"id": Fact.CALL_ID, "index": Fact.POSITION, "type": "function", "function": Fact.CALL},
    chunk=without(CHUNK, "service_tier") | {"system_fingerprint": "fp_ollama"},
    streamed_choice=PLAIN_STREAMED_CHOICE,
    streamed_call={"id": Fact.CALL_ID, "index": Fact.POSITION, "type": "function", "function": Fact.CALL},
    deltas=repeating("reasoning"),
    call_style=CallStyle.ONE_BY_ONE,
    last_chunk=without(CHUNK, "service_tier") | {"system_fingerprint": "fp_ollama", "usage": Fact.USAGE},
    usage=COUNTS,
    model=OPENAI.model | {"owned_by": "library"},
    unknown_model="model '{name}' not found",
    stream_type="text/event-stream",
    tells_quotas=False,
)

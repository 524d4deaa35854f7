"""OpenAI's own dialect, from which all others are made (wire-openai-chat §5, §6, §8, §10)."""

from __future__ import annotations

from aimock_protocols.openai_dialects.dialect import ABSENT, NONE, CallStyle, Deltas, Dialect, Fact, Members, Mint

CHUNK: Members = {
    "id": Fact.ID,
    "object": "chat.completion.chunk",
    "created": Fact.CREATED,
    "model": Fact.MODEL,
    "service_tier": Fact.SERVICE_TIER,
    "system_fingerprint": Fact.FINGERPRINT,
    "choices": Fact.CHOICES,
    "usage": Fact.USAGE_TO_COME,
}
COUNTS: Members = {
    "prompt_tokens": Fact.PROMPT_TOKENS,
    "completion_tokens": Fact.COMPLETION_TOKENS,
    "total_tokens": Fact.TOTAL_TOKENS,
}
ERROR: Members = {
    "message": Fact.ERROR_MESSAGE,
    "type": Fact.ERROR_TYPE,
    "param": Fact.ERROR_PARAM,
    "code": Fact.ERROR_CODE,
    "hint": Fact.ERROR_HINT,
}

OPENAI = Dialect(
    reply_id=Mint("chatcmpl-", "alphanumeric", 29),
    call_id=Mint("call_", "alphanumeric", 24),
    whole={
        "id": Fact.ID,
        "object": "chat.completion",
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "choices": Fact.CHOICES,
        "usage": Fact.USAGE,
        "service_tier": Fact.SERVICE_TIER,
        "system_fingerprint": Fact.FINGERPRINT,
    },
    choice={
        "index": Fact.INDEX,
        "message": Fact.MESSAGE,
        "logprobs": Fact.LOGPROBS,
        "finish_reason": Fact.FINISH_REASON,
    },
    message={
        "role": Fact.ROLE,
        "content": Fact.CONTENT,
        "reasoning_content": Fact.REASONING_IF_ANY,
        "function_call": Fact.FUNCTION_CALL,
        "tool_calls": Fact.CALLS,
        "refusal": Fact.REFUSAL,
        "annotations": [],
    },
    thought=None,
    no_content=None,
    no_calls=ABSENT,
    call={"id": Fact.CALL_ID, "type": "function", "function": Fact.CALL},
    chunk=CHUNK,
    streamed_choice={
        "index": Fact.INDEX,
        "delta": Fact.DELTA,
        "logprobs": Fact.LOGPROBS,
        "finish_reason": Fact.FINISH_REASON,
    },
    streamed_call={"index": Fact.POSITION, "id": Fact.CALL_ID, "type": "function", "function": Fact.CALL},
    preamble=None,
    opening=NONE,
    opening_choice=NONE,
    finishing=NONE,
    finishing_choice=NONE,
    deltas=Deltas(
        role={"role": Fact.ROLE, "content": Fact.OPENING_CONTENT, "refusal": Fact.OPENING_REFUSAL},
        reasoning={"reasoning_content": Fact.PIECE},
        reasoning_end=ABSENT,
        text={"content": Fact.PIECE},
        refusal={"refusal": Fact.PIECE},
        calls={"tool_calls": Fact.CALLS},
        arguments={"tool_calls": [{"index": Fact.POSITION, "function": {"arguments": Fact.PIECE}}]},
        finish={},
    ),
    call_style=CallStyle.IN_FRAGMENTS,
    calls_finish=False,
    usage_chunk=None,
    usage_choice=False,
    last_chunk=CHUNK | {"usage": Fact.USAGE},
    ends_with_done=True,
    sorts_members=False,
    usage=COUNTS
    | {
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    error={"error": ERROR},
    errors={},
    streamed_error=None,
    error_event=None,
    error_types={},
    models={"object": "list", "data": Fact.MODELS},
    model={"id": Fact.MODEL_NAME, "object": "model", "created": 1686935002, "owned_by": "aimock"},
    unknown_model="The model '{name}' does not exist",
    headers=(),
    minted_headers=(),
    stream_type="text/event-stream; charset=utf-8",
    tells_quotas=True,
    keepalive=None,
)

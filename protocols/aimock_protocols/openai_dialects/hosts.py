"""Those who host others' models: Groq, Together, Fireworks, Cerebras, Hugging Face's router (wire-openai-chat §15)."""

from __future__ import annotations

import attrs

from aimock_protocols.openai_dialects.dialect import ABSENT, CallStyle, Fact, Mint
from aimock_protocols.openai_dialects.openai import COUNTS, ERROR, OPENAI
from aimock_protocols.openai_dialects.pieces import (
    BARE_STREAMED_CHOICE,
    FINGERPRINTED,
    FINGERPRINTED_CHUNK,
    INDEXED_CALL,
    PLAIN_CHOICE,
    PLAIN_CHUNK,
    PLAIN_STREAMED_CHOICE,
    PLAIN_WHOLE,
    deltas,
    message,
    repeating,
    without,
)

_GROQ_USAGE = {
    "queue_time": 0.05,
    "prompt_tokens": Fact.PROMPT_TOKENS,
    "prompt_time": 0.01,
    "completion_tokens": Fact.COMPLETION_TOKENS,
    "completion_time": 0.1,
    "total_tokens": Fact.TOTAL_TOKENS,
    "total_time": 0.11,
}
_GROQ_ERROR = {
    "message": Fact.ERROR_MESSAGE,
    "type": Fact.ERROR_TYPE,
    "code": Fact.ERROR_CODE_IF_ANY,
    "failed_generation": Fact.ERROR_METADATA,
    "hint": Fact.ERROR_HINT,
}
GROQ = attrs.evolve(
    OPENAI,
    reply_id=Mint("chatcmpl-", "uuid"),
    call_id=Mint("", "hexadecimal", 9),
    whole=PLAIN_WHOLE
    | {"usage_breakdown": None}
    | FINGERPRINTED
    | {"x_groq": {"id": Fact.REQUEST_ID, "seed": 42}, "service_tier": "on_demand"},
    message=message("reasoning"),
    no_content=ABSENT,
    chunk=FINGERPRINTED_CHUNK,
    opening={"x_groq": {"id": Fact.REQUEST_ID, "seed": 42}},
    finishing={"x_groq": {"id": Fact.REQUEST_ID, "usage": Fact.USAGE}, "usage": Fact.USAGE},
    deltas=deltas("reasoning"),
    call_style=CallStyle.ONE_BY_ONE,
    last_chunk=FINGERPRINTED_CHUNK | {"usage": Fact.USAGE},
    usage=_GROQ_USAGE,
    error={"error": _GROQ_ERROR},
    streamed_error={"error": _GROQ_ERROR | {"status_code": Fact.ERROR_STATUS}},
    error_event=b"error",
    model=OPENAI.model | {"owned_by": "Groq", "active": True, "context_window": 131_072, "public_apps": None},
    unknown_model="The model `{name}` does not exist or you do not have access to it.",
    stream_type="text/event-stream",
    headers=(("x-groq-region", "dls"),),
)

TOGETHER = attrs.evolve(
    OPENAI,
    reply_id=Mint("o", "alphanumeric", 32),
    call_id=Mint("call_", "hexadecimal", 24),
    whole={
        "id": Fact.ID,
        "object": "chat.completion",
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "prompt": [],
        "choices": Fact.CHOICES,
        "usage": Fact.USAGE,
        "metadata": {"weight_version": "default"},
    },
    choice={
        "finish_reason": Fact.FINISH_REASON,
        "seed": None,
        "logprobs": Fact.LOGPROBS,
        "index": Fact.INDEX,
        "message": Fact.MESSAGE,
    },
    message=message("reasoning", Fact.REASONING),
    no_content="",
    no_calls=[],
    call=INDEXED_CALL,
    chunk=PLAIN_CHUNK | {"usage": None},
    streamed_choice=OPENAI.streamed_choice | {"seed": None},
    finishing={"usage": Fact.USAGE},
    deltas=repeating("reasoning"),
    calls_finish=True,
    usage_chunk=False,
    usage=COUNTS | {"cached_tokens": 0},
    model={
        "id": Fact.MODEL_NAME,
        "object": "model",
        "created": OPENAI.model["created"],
        "type": "chat",
        "running": False,
        "display_name": Fact.MODEL_NAME,
        "organization": "aimock",
        "link": "",
        "license": "",
        "context_length": 131_072,
        "pricing": {"hourly": 0, "input": 0, "output": 0, "base": 0, "finetune": 0},
    },
    models=Fact.MODELS,
    stream_type="text/event-stream;charset=utf-8",
)

FIREWORKS = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "uuid"),
    whole=PLAIN_WHOLE,
    choice=PLAIN_CHOICE,
    message=message("reasoning_content"),
    chunk=PLAIN_CHUNK | {"usage": None},
    streamed_choice=PLAIN_STREAMED_CHOICE,
    finishing={"usage": Fact.USAGE},
    deltas=deltas("reasoning_content", role={"role": Fact.ROLE}),
    usage_chunk=False,
    usage=COUNTS | {"prompt_tokens_details": {"cached_tokens": 0}},
    error={"error": {"object": "error"} | ERROR},
    model=OPENAI.model
    | {"owned_by": "fireworks", "kind": "HF_BASE_MODEL", "supports_chat": True, "supports_tools": True}
    | {"supports_image_input": False, "context_length": 131_072},
)

CEREBRAS = attrs.evolve(
    OPENAI,
    reply_id=Mint("chatcmpl-", "uuid"),
    call_id=Mint("", "hexadecimal", 9),
    whole={
        "id": Fact.ID,
        "choices": Fact.CHOICES,
        "created": Fact.CREATED,
        "model": Fact.MODEL,
        "system_fingerprint": Fact.FINGERPRINT,
        "object": "chat.completion",
        "usage": Fact.USAGE,
        "time_info": {"queue_time": 0.01, "prompt_time": 0.01, "completion_time": 0.1, "total_time": 0.12}
        | {"created": Fact.CREATED},
    },
    choice=PLAIN_CHOICE,
    message=message("reasoning"),
    no_content=ABSENT,
    chunk=PLAIN_CHUNK | FINGERPRINTED,
    streamed_choice=BARE_STREAMED_CHOICE,
    finishing={
        "usage": Fact.USAGE,
        "time_info": {"queue_time": 0.01, "prompt_time": 0.01, "completion_time": 0.1, "total_time": 0.12}
        | {"created": Fact.CREATED},
    },
    deltas=deltas("reasoning", role={"role": Fact.ROLE}),
    call_style=CallStyle.ONE_BY_ONE,
    usage_chunk=False,
    usage=COUNTS
    | {
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": without(OPENAI.usage["completion_tokens_details"], "audio_tokens"),
    },
    error=ERROR,
    streamed_error={"error": ERROR},
    model=OPENAI.model | {"owned_by": "Cerebras"},
    unknown_model="Model {name} does not exist or you do not have access to it.",
)

HUGGINGFACE = attrs.evolve(
    OPENAI,
    reply_id=Mint("", "hexadecimal", 32),
    whole=PLAIN_WHOLE | FINGERPRINTED,
    message=message("reasoning"),
    chunk=PLAIN_CHUNK | FINGERPRINTED,
    streamed_choice=PLAIN_STREAMED_CHOICE,
    deltas=deltas("reasoning", role={"role": Fact.ROLE}),
    usage_chunk=True,
    last_chunk=PLAIN_CHUNK | FINGERPRINTED | {"usage": Fact.USAGE},
    usage=COUNTS | {"prompt_tokens_details": None, "completion_tokens_details": None},
    model=OPENAI.model | {"owned_by": "aimock", "providers": []},
    minted_headers=(("inference-id", Mint("0-", "uuid")),),
    stream_type="text/event-stream",
    tells_quotas=False,
)

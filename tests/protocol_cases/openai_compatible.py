"""The providers that speak OpenAI's chat in dialects of their own: what each can say follows from its dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from aimock_protocols.azure_openai import AZURE
from aimock_protocols.canonical import Reply
from aimock_protocols.openai_compatible import PROVIDERS
from aimock_protocols.openai_dialects.dialect import ABSENT, Dialect, Fact, Mint
from aimock_protocols.openrouter.completions import TEXTS
from aimock_protocols.openrouter.dialect import OPENROUTER
from protocol_cases import Case
from protocol_cases.openai import FINISH, NO_PROMPT, content_tokens, told_tokens
from protocol_cases.strategies import (
    calls,
    counts,
    interleaved,
    names,
    replies,
    some_text,
    text_alone,
    text_first,
    words,
)

MESSAGES = {"messages": [{"role": "user", "content": "hello"}], "stream_options": {"include_usage": True}}
ERROR_KEEPS = {"zai": ("code",), "xai": ("code",), "gemini": ()}
STYLES = {
    "uuid": "[0-9a-f-]{36}",
    "hexadecimal": "[0-9a-f]{%d}",
    "alphanumeric": "[0-9A-Za-z]{%d}",
    "digits": "[0-9]{%d}",
}


def pattern(mint: Mint) -> str | None:
    """Where an id of this kind stands; None for ids so short that they recur."""
    if 0 < mint.length < 4:
        return None
    style = STYLES[mint.style]
    return rf'"id":"({mint.prefix}{style % mint.length if mint.length else style})"'


def drawn(layout: Any) -> st.SearchStrategy[Any]:
    """Usages that have all members of a dialect's."""
    if isinstance(layout, dict):
        return st.fixed_dictionaries({name: drawn(value) for name, value in layout.items()})
    if isinstance(layout, Fact):
        return counts
    by_kind: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: counts,
        float: st.floats(0, 10),
        type(None): st.none(),
    }
    return by_kind[type(layout)]


def message_of(error: Any) -> str:
    """The message of an error, whatever the envelope."""
    told = error[0] if isinstance(error, list) else error
    inner = told.get("error", told)
    return str(inner if isinstance(inner, str) else inner["message"])


def shows_reasoning(dialect: Dialect) -> Callable[[str, Mapping[str, Any]], bool]:
    is_told = dialect.deltas.reasoning is not ABSENT
    return lambda body, thought: ("I think" in body) is (is_told and "reasoning" in thought)


def saying(
    dialect: Dialect, **more: st.SearchStrategy[Any]
) -> tuple[st.SearchStrategy[Reply], st.SearchStrategy[Reply]]:
    """What a dialect can say, whole and streamed. Without text and calls, most say empty text; so there is some."""
    told = more | {
        "usage": drawn(dialect.usage),
        "role": st.sampled_from(["assistant", "critic"]),
        "system_fingerprint": fingerprints(dialect),
    }
    if dialect.deltas.reasoning is not ABSENT:
        told["reasoning"] = st.none() | words
    refusals = st.none() | words if dialect.message.get("refusal") is Fact.REFUSAL else st.none()
    streamed_refusals = refusals if dialect.deltas.refusal is not ABSENT else st.none()
    return (
        replies(text_first(calls).filter(bool), **told, refusal=refusals)
        | replies(text_alone, **told, logprobs=content_tokens),
        replies(interleaved(calls).filter(bool), **told, refusal=streamed_refusals)
        | replies(some_text, **told | {"reasoning": st.none()}, logprobs=content_tokens),
    )


def fingerprints(dialect: Dialect) -> st.SearchStrategy[str | None]:
    """Those that whole bodies and streams both tell."""
    told = dialect.whole.get("system_fingerprint")
    if isinstance(told, Fact) and told in dialect.last_chunk.values():
        return names
    return st.just(told if isinstance(told, str) else None)


def case(path: str, dialect: Dialect, **more: Any) -> Case:
    whole, streamed = saying(dialect)
    settings: dict[str, Any] = {
        "whole": whole,
        "streamed": streamed,
        "request": MESSAGES,
        "path": path,
        "streams_at": path,
        "tokens": told_tokens,
        "finish": FINISH,
        "ends": "stop",
        "calls": "tool_calls",
        "ids": pattern(dialect.reply_id),
        "call_ids": pattern(dialect.call_id),
        "shows": shows_reasoning(dialect),
        "streams_usage": dialect.usage_chunk is True or "usage" in dialect.finishing,
        "error": message_of,
        "stream_type": dialect.stream_type,
    }
    return Case(**settings | more)


def openrouter() -> Case:
    sealed = {
        "provider": names,
        "native_finish_reason": names,
        "reasoning_signature": st.none() | names,
        "redacted_thinking": st.lists(names, max_size=2).map(tuple),
    }
    whole, streamed = saying(OPENROUTER, **sealed)
    return case(
        "/api/v1/chat/completions",
        OPENROUTER,
        whole=whole,
        streamed=streamed,
        ids=r'"id":"(gen-\d{10}-[0-9A-Za-z]{20})"',
        derived=("id", "created", "model", "finish_reason", "usage", "provider", "native_finish_reason"),
        error_keeps=(),
        tells_status=True,
    )


def openrouter_texts() -> Case:
    said = {
        "usage": drawn(TEXTS.usage),
        "provider": names,
        "native_finish_reason": names,
        "system_fingerprint": st.none(),
    }
    return openrouter()._replace(
        path="/api/v1/completions",
        streams_at="/api/v1/completions",
        whole=replies(text_alone, **said),
        streamed=replies(text_alone, **said),
        request={"prompt": "hello"},
        calls=None,
        call_ids=None,
        shows=lambda body, thought: True,
        wrong={"prompt": NO_PROMPT},
    )


CASES = {
    "azure_openai:chat": case("/openai/deployments/{model}/chat/completions?api-version=2024-10-21", AZURE),
    "openrouter": openrouter(),
    "openrouter.completions": openrouter_texts(),
} | {
    f"openai_compatible:{provider.name}": case(
        f"/{provider.name}{provider.bases[0]}/chat/completions",
        provider.dialect,
        error_keeps=ERROR_KEEPS.get(provider.name, ("type", "code")),
        tells_status=provider.name == "gemini",
    )
    for provider in PROVIDERS
}

"""Anthropic's Messages, on its own paths and on Vertex AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from aimock_protocols.canonical import Part, Reply
from protocol_cases import Case, one_of
from protocol_cases.strategies import counts, interleaved, names, object_calls, replies, text_alone, words

usages = st.fixed_dictionaries(
    {
        "input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation": st.fixed_dictionaries({"ephemeral_5m_input_tokens": counts}),
        "output_tokens": counts,
        "service_tier": st.sampled_from(["standard", "batch"]),
        "server_tool_use": st.fixed_dictionaries({"web_search_requests": counts}),
    },
    optional={
        "output_tokens_details": st.fixed_dictionaries({"thinking_tokens": counts}),
        "cost": st.floats(0, 10),
    },
)
thoughts: dict[str, st.SearchStrategy[Any]] = {
    "reasoning": st.none() | words,
    "reasoning_signature": names,
    "redacted_thinking": st.lists(names, max_size=2).map(tuple),
    "web_searches": st.lists(words, max_size=2).map(tuple),
}


def messages(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, st.SearchStrategy[Any]] = {
        "usage": usages,
        "created": st.none(),
        "system_fingerprint": st.none(),
        "role": st.sampled_from(["assistant", "critic"]),
    }
    return replies(parts, **said | more)


def told_tokens(told: Any) -> int | None:
    return told["usage"]["output_tokens"] if "usage" in told else None


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return "thinking" in body and all(hidden in body for hidden in thought.get("redactedThinking", ()))


REPLIES = (
    messages(interleaved(object_calls), **thoughts)
    | messages(st.just(()), refusal=words, finish_reason=st.just("content_filter"))
    | messages(text_alone)
)
MESSAGES = Case(
    whole=REPLIES,
    streamed=REPLIES,
    request={"messages": [{"role": "user", "content": "hello"}]},
    path="/v1/messages",
    streams_at="/v1/messages",
    tokens=told_tokens,
    finish=one_of(r'"stop_reason":"(\w+)"'),
    ends="end_turn",
    calls="tool_use",
    ids=r'"id":"(msg_\w+)"',
    call_ids=r'"id":"(toolu_\w+)"',
    shows=shows_reasoning,
    derived=("id", "model", "finish_reason", "usage", "role"),
)
VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/{model}"

CASES = {
    "anthropic_messages": MESSAGES,
    "anthropic_messages.vertex": MESSAGES._replace(
        path=VERTEX + ":rawPredict", streams_at=VERTEX + ":streamRawPredict", params={"model": "claude-x"}
    ),
}

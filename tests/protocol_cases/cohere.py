"""Cohere's chat and embeddings, in both versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from aimock_protocols.canonical import Part, Reply, ToolCall
from protocol_cases import NO_MESSAGES, Case, one_of
from protocol_cases.strategies import calls, counts, interleaved, replies, text_alone, text_first, words

usages = st.fixed_dictionaries(
    {
        "input_tokens": counts,
        "output_tokens": counts,
        "billed_units": st.fixed_dictionaries(
            {"input_tokens": counts, "output_tokens": counts}, optional={"search_units": counts}
        ),
        "cached_tokens": counts,
    },
    optional={"cost": st.floats(0, 10)},
)
sources = st.fixed_dictionaries({"type": st.just("document"), "id": words, "document": st.dictionaries(words, words)})
citations = st.lists(
    st.fixed_dictionaries({"start": counts, "end": counts, "text": words, "sources": st.lists(sources, max_size=2)}),
    max_size=3,
).map(tuple)


def told_tokens(told: Any) -> int | None:
    usage = told.get("usage") or told.get("delta", {}).get("usage")
    return usage["tokens"]["output_tokens"] if usage else None


def told_error(told: Any) -> str:
    return str(told["message"] if "message" in told else told["delta"]["error"])


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return ("thinking" in body and "I think" in body) is ("reasoning" in thought)


def chats(parts: st.SearchStrategy[tuple[Part, ...]]) -> st.SearchStrategy[Reply]:
    """Replies with all that the second version tells. One that calls tools has a plan, if an empty one."""
    said: dict[str, st.SearchStrategy[Any]] = {
        "usage": usages,
        "reasoning": st.none() | words,
        "tool_plan": words,
        "citations": citations,
        **dict.fromkeys(("created", "model", "system_fingerprint"), st.none()),
    }

    def without_plan(reply: Reply) -> Reply:
        is_calling = any(isinstance(part, ToolCall) for part in reply.parts)
        return attrs.evolve(reply, tool_plan="" if is_calling else None)

    drawn = replies(parts, **said)
    return drawn | drawn.map(without_plan)


CASES = {
    "cohere": Case(
        whole=chats(text_first(calls)) | chats(text_alone),
        streamed=chats(interleaved(calls)) | chats(text_alone),
        request={"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hello"}]},
        path="/v2/chat",
        streams_at="/v2/chat",
        tokens=told_tokens,
        finish=one_of(r'"finish_reason":"(\w+)"'),
        ends="COMPLETE",
        calls="TOOL_CALL",
        ids=r'"id":"([0-9a-f-]{36})"',
        call_ids=r'"id":"(f_[0-9a-f]{12})"',
        shows=shows_reasoning,
        derived=("id", "finish_reason", "usage", "tool_plan"),
        wrong={"messages": NO_MESSAGES, "model": [None, "", 5]},
        error=told_error,
        error_keeps=(),
    ),
}

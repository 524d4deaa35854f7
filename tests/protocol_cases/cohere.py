"""Cohere's chat and embeddings, in both versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import orjson
from hypothesis import strategies as st

from aimock_protocols import ndjson
from aimock_protocols.canonical import Part, Reply, ToolCall, Vectors
from protocol_cases import NO_MESSAGES, Case, VectorCase, one_of
from protocol_cases.strategies import (
    calls,
    counts,
    interleaved,
    object_calls,
    replies,
    some_text,
    text_alone,
    text_first,
    words,
)

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

tokens = st.fixed_dictionaries({"token": words, "logprob": st.floats(-20, 0), "bytes": st.none()})
logprobs = st.fixed_dictionaries({"content": st.lists(tokens, min_size=1, max_size=5), "refusal": st.none()})


def told_tokens(told: Any) -> int | None:
    usage = told.get("usage") or told.get("delta", {}).get("usage")
    return usage["tokens"]["output_tokens"] if usage else None


def told_error(told: Any) -> str:
    return str(told.get("message") or told.get("error") or told["delta"]["error"])


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return ("thinking" in body and "I think" in body) is ("reasoning" in thought)


def chats(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
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

    drawn = replies(parts, **said | more)
    return drawn | drawn.map(without_plan)


def told_legacy_tokens(told: Any) -> int | None:
    meta = told.get("meta") or told.get("response", {}).get("meta", {})
    return meta["tokens"]["output_tokens"] if "tokens" in meta else None


NO_TURNS: list[Any] = [
    5,
    {},
    "hello",
    [None],
    [[]],
    [{"role": "USER"}],
    [{"role": "USER", "message": 5}],
    [{"role": "judge", "message": "x"}],
    [{"role": "TOOL", "tool_results": 5}],
    [{"role": "CHATBOT", "message": "x", "tool_calls": [5]}],
]


def finished(reply: Reply) -> Reply:
    """The reply ending as replies of the first version do: calls end it as text does."""
    if reply.finish_reason in ("stop", "tool_calls"):
        return attrs.evolve(reply, finish_reason="tool_calls" if reply.tool_calls else "stop")
    return reply


unnamed_calls = object_calls.map(lambda call: attrs.evolve(call, id=None))
legacy_said: dict[str, st.SearchStrategy[Any]] = {
    "usage": usages,
    **dict.fromkeys(("created", "model", "system_fingerprint"), st.none()),
}
legacy_chats = (
    replies(text_first(unnamed_calls).filter(bool), **legacy_said) | replies(text_alone, **legacy_said)
).map(finished)
vectors = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9).map(tuple)
embeddings = VectorCase(
    vectors=st.builds(
        Vectors,
        st.tuples(vectors, vectors),
        usage=st.fixed_dictionaries({"input_tokens": counts, "image_tokens": counts}),
        id=words,
    ),
    request={"model": "embed-v4.0", "input_type": "search_query", "texts": ["hello", "you"]},
    path="/v2/embed",
    floats=lambda told: told["embeddings"]["float"],
    wrong={
        "texts": [None, "hello", 5, {}, [], [None], [5], [["hello"]]],
        "embedding_types": ["float", 5, {}, [5], [None], ["odd"], [[]]],
        "output_dimension": ["256", 0, 3, 1.5, True, -1, 10**30],
    },
    error=told_error,
)

CASES: dict[str, Case | VectorCase] = {
    "cohere": Case(
        whole=chats(text_first(calls)) | chats(text_alone) | chats(some_text, logprobs=logprobs),
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
        bodyless=frozenset({"/v1/check-api-key"}),
    ),
    "cohere.v1": Case(
        whole=legacy_chats,
        streamed=legacy_chats,
        request={"model": "command-r", "message": "hello"},
        path="/v1/chat",
        streams_at="/v1/chat",
        tokens=told_legacy_tokens,
        finish=one_of(r'"finish_reason":"(\w+)"'),
        ends="COMPLETE",
        calls="COMPLETE",
        ids=r'"generation_id":"([0-9a-f-]{36})"',
        shows=lambda body, thought: "I think" not in body,
        derived=("id", "finish_reason", "usage"),
        wrong={"message": [None, "", 5, {}, []], "chat_history": NO_TURNS},
        events=lambda body: [orjson.loads(line) for line in ndjson.lines([body])],
        error=told_error,
        error_keeps=(),
        stream_type="application/stream+json",
    ),
    "cohere.embed": embeddings,
    "cohere.embed.v1": embeddings._replace(
        path="/v1/embed", request={"texts": ["hello", "you"]}, floats=lambda told: told["embeddings"]
    ),
}

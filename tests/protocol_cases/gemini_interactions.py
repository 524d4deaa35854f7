"""Google's Interactions API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from aimock_protocols.canonical import Part, Reply
from protocol_cases import Case, one_of
from protocol_cases.strategies import counts, interleaved, names, object_calls, replies, text_alone, words

NO_INPUT: list[Any] = [None, [], 5, True, [None], ["hello"], [[]], [{"type": "text", "text": "x"}, None]]
NO_FLAG: list[Any] = ["true", 1, [], {}]

usages = st.fixed_dictionaries(
    {
        "total_input_tokens": counts,
        "total_output_tokens": counts,
        "total_thought_tokens": counts,
        "total_cached_tokens": counts,
        "total_tool_use_tokens": counts,
        "total_tokens": counts,
    },
    optional={
        "input_tokens_by_modality": st.lists(st.fixed_dictionaries({"modality": st.just("text"), "tokens": counts})),
        "cost": st.floats(0, 10),
    },
)


def interactions(
    parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Reply]:
    return replies(parts, usage=usages, system_fingerprint=st.none(), **more)


def told_tokens(told: Any) -> int | None:
    usage = told.get("usage") or told.get("interaction", {}).get("usage")
    return usage["total_output_tokens"] if usage else None


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    """Hidden thoughts are unknown to this provider."""
    told = {"reasoning", "reasoningSignature"} & thought.keys()
    return ('"type":"thought"' in body) is bool(told) and ("I think" in body) is ("reasoning" in thought)


def last_status(body: str) -> str:
    """A stream begins in progress."""
    return one_of(r'"status":"(\w+)"')(body.replace('"status":"in_progress"', ""))


REPLIES = (
    interactions(
        interleaved(object_calls),
        reasoning=words,
        reasoning_signature=names,
        web_searches=st.lists(words, max_size=2).map(tuple),
    )
    | interactions(interleaved(object_calls), reasoning_signature=st.none() | names)
    | interactions(text_alone)
)
CASES = {
    "gemini_interactions": Case(
        whole=REPLIES,
        streamed=REPLIES,
        request={"input": "hello"},
        path="/v1beta/interactions",
        streams_at="/v1beta/interactions",
        tokens=told_tokens,
        finish=last_status,
        ends="completed",
        calls="requires_action",
        ids=r'"(?:id|interaction_id)":"(v1_\w+)"',
        call_ids=r'"type":"function_call","id":"(\w+)"',
        shows=shows_reasoning,
        wrong={
            "input": NO_INPUT,
            "stream": NO_FLAG,
            "store": NO_FLAG,
            "background": NO_FLAG,
            "model": [5, [], {}],
            "system_instruction": [5, [], {}],
            "previous_interaction_id": [5, [], {}],
            "generation_config": [5, [], "x"],
        },
        error=lambda error: str(error["error"]["message"]),
        error_keeps=("code",),
        error_type="application/json; charset=UTF-8",
        whole_type="application/json; charset=UTF-8",
        stream_type="text/event-stream",
        bodyless=frozenset(
            f"{version}{parent}/interactions/{{id}}/cancel"
            for version in ("/v1beta", "/v1", "/v1alpha", "/v1beta1")
            for parent in ("", "/projects/{project}/locations/{location}")
        ),
    )
}

"""OpenAI's Responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from aimock_protocols.canonical import Reply, Text, ToolCall
from protocol_cases import Case
from protocol_cases.strategies import calls, counts, interleaved, names, replies, some_text, text_alone, words

NO_INPUT: list[Any] = [None, 5, {}, True, [None], ["hello"], [[]], [{"role": "user", "content": "x"}, None]]
"""What is no input."""

usages = st.fixed_dictionaries(
    {
        "input_tokens": counts,
        "input_tokens_details": st.fixed_dictionaries({"cached_tokens": counts, "cache_write_tokens": counts}),
        "output_tokens": counts,
        "output_tokens_details": st.fixed_dictionaries({"reasoning_tokens": counts}),
        "total_tokens": counts,
    },
    optional={"cost": st.floats(0, 10)},
)
tokens = st.fixed_dictionaries({"token": words, "logprob": st.floats(-20, 0), "bytes": st.none()})
logprobs = st.none() | st.fixed_dictionaries(
    {"content": st.lists(tokens, min_size=1, max_size=5), "refusal": st.none()}
)
thoughts: list[dict[str, Any]] = [
    {"reasoning": words, "reasoning_signature": names, "redacted_thinking": st.lists(names, max_size=2).map(tuple)},
    {"redacted_thinking": st.lists(names, min_size=1, max_size=2).map(tuple)},
]


def as_told(reply: Reply) -> Reply:
    """A reply that ends as its parts do, for that is all that `completed` says, and whose role stands in a message."""
    has_calls = any(isinstance(part, ToolCall) for part in reply.parts)
    has_message = reply.refusal is not None or any(isinstance(part, Text) for part in reply.parts)
    reason = reply.finish_reason
    if reason in ("stop", "tool_calls"):
        reason = "tool_calls" if has_calls else "stop"
    return attrs.evolve(reply, finish_reason=reason, role="assistant" if has_message else None)


def responses(parts: Any, thought: Mapping[str, Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, Any] = {"usage": usages, "system_fingerprint": st.none(), **thought}
    return replies(parts, **said | more).map(as_told)


REPLIES = st.one_of(
    *(
        drawn
        for thought in thoughts
        for drawn in (
            responses(
                interleaved(calls),
                thought,
                web_searches=st.lists(words, max_size=2).map(tuple),
                refusal=st.none() | words,
            ),
            responses(some_text, thought, logprobs=logprobs),
            responses(text_alone, thought),
        )
    )
)


def told_tokens(told: Any) -> int | None:
    usage = told.get("response", told).get("usage")
    return usage["output_tokens"] if usage else None


def last_status(body: str) -> str:
    return re.findall(r'"object":"response","created_at":\d+,"status":"(\w+)"', body)[-1]


def message(error: Any) -> str:
    """That of an error, whole or nested in its event, or of the response that failed by it."""
    return str(error.get("response", error)["error"]["message"])


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    proofs = [thought.get("reasoningSignature", ""), *thought.get("redactedThinking", ())]
    return (
        '"type":"reasoning"' in body and thought.get("reasoning", "") in body and all(each in body for each in proofs)
    )


CASES = {
    "openai_responses": Case(
        whole=REPLIES,
        streamed=REPLIES,
        request={"input": [{"role": "user", "content": "hello"}], "include": ["reasoning.encrypted_content"]},
        path="/v1/responses",
        streams_at="/v1/responses",
        tokens=told_tokens,
        finish=last_status,
        ends="completed",
        calls="completed",
        ids=r'"id":"(resp_\w+)"',
        call_ids=r'"call_id":"(call_\w+)"',
        shows=shows_reasoning,
        derived=("id", "created", "model", "finish_reason", "usage", "role"),
        wrong={
            "input": NO_INPUT,
            "instructions": [5, []],
            "store": ["yes"],
            "background": [1],
            "previous_response_id": [{}],
            "conversation": [5, {"id": 5}],
        },
        error=message,
        bodyless=frozenset({"/v1/responses/{response}/cancel", "/responses/{response}/cancel"}),
    ),
}

"""OpenAI's chat and legacy completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from protocol_cases import NO_MESSAGES, Case, one_of
from protocol_cases.strategies import calls, interleaved, replies, some_text, text_alone, text_first, words

NO_PROMPT: list[Any] = [None, 5, {}, [], [None], ["hello", None], [{}], [1.5], [True], [[5], None], [[5], "hello"]]

extras = {
    "reasoning": st.none() | words,
    "refusal": st.none() | words,
    "role": st.sampled_from(["assistant", "critic"]),
}
tokens = st.fixed_dictionaries({"token": words, "logprob": st.floats(-20, 0), "bytes": st.none()})
content_tokens = st.none() | st.fixed_dictionaries(
    {"content": st.lists(tokens, min_size=1, max_size=5), "refusal": st.none()}
)


def told_tokens(told: Any) -> int | None:
    return told["usage"]["completion_tokens"] if told.get("usage") else None


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return ("reasoning_content" in body and "I think" in body) is ("reasoning" in thought)


FINISH = one_of(r'"finish_reason":"(\w+)"')

CASES = {
    "openai_chat": Case(
        whole=replies(text_first(calls), **extras) | replies(text_alone, logprobs=content_tokens, role=extras["role"]),
        streamed=replies(interleaved(calls), **extras)
        | replies(some_text, logprobs=content_tokens, role=extras["role"])
        | replies(text_alone, reasoning=extras["reasoning"], role=extras["role"]),
        request={"messages": [{"role": "user", "content": "hello"}], "stream_options": {"include_usage": True}},
        path="/v1/chat/completions",
        streams_at="/v1/chat/completions",
        tokens=told_tokens,
        finish=FINISH,
        ends="stop",
        calls="tool_calls",
        ids=r'"id":"(chatcmpl-\w+)"',
        call_ids=r'"id":"(call_\w+)"',
        shows=shows_reasoning,
        streams_usage=False,
        wrong={"messages": NO_MESSAGES},
    ),
    "openai_completions": Case(
        whole=replies(text_alone),
        streamed=replies(text_alone),
        request={"prompt": "hello", "stream_options": {"include_usage": True}},
        path="/v1/completions",
        streams_at="/v1/completions",
        tokens=told_tokens,
        finish=FINISH,
        ends="stop",
        calls=None,
        ids=r'"id":"(cmpl-\w+)"',
        streams_usage=False,
        wrong={"prompt": NO_PROMPT},
    ),
}

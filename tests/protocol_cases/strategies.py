"""What replies are drawn from: parts, usages, and whole replies that say everything themselves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
from hypothesis import strategies as st

from aimock_protocols.canonical import Part, Reply, Text, ToolCall

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.text(
    'ab🚀é\u0301👍🏽\n"\\ ', min_size=1, max_size=12
)
names = st.text("abcxyz_-", min_size=1, max_size=12)
counts = st.integers(0, 10**9)

calls = st.builds(ToolCall, names, words.filter(str.strip), names)
"""With arguments that may be no JSON."""
objects = st.dictionaries(words, words | counts, max_size=3).map(lambda value: orjson.dumps(value).decode())
object_calls = st.builds(ToolCall, names, objects, names)
"""With arguments that are compact JSON objects."""

texts = st.builds(Text, words)
text_alone = st.tuples(st.builds(Text, words | st.just("")))
some_text = st.tuples(texts)

finish_reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "odd"])


def in_normal_form(parts: list[Part]) -> bool:
    return not any(isinstance(a, Text) and isinstance(b, Text) for a, b in pairwise(parts))


def interleaved(calls: st.SearchStrategy[ToolCall]) -> st.SearchStrategy[tuple[Part, ...]]:
    """Texts and calls in any order."""
    return st.lists(texts | calls, max_size=5).filter(in_normal_form).map(tuple)


def text_first(calls: st.SearchStrategy[ToolCall]) -> st.SearchStrategy[tuple[Part, ...]]:
    """At most one text, then calls."""
    return st.builds(lambda *parts: (*parts[0], *parts[1]), st.lists(texts, max_size=1), st.lists(calls, max_size=3))


openai_usages = st.fixed_dictionaries(
    {
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": counts, "audio_tokens": counts}),
        "completion_tokens_details": st.fixed_dictionaries(
            {
                "reasoning_tokens": counts,
                "audio_tokens": counts,
                "accepted_prediction_tokens": counts,
                "rejected_prediction_tokens": counts,
            }
        ),
    },
    optional={"cost": st.floats(0, 10)},
)


def replies(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    """Replies as OpenAI's chat tells them; keywords take the place of what another protocol tells otherwise."""
    said: dict[str, st.SearchStrategy[Any]] = {
        "finish_reason": finish_reasons,
        "usage": openai_usages,
        "id": names,
        "created": st.integers(1, 2**40),
        "model": names,
        "system_fingerprint": names,
    }
    return st.builds(Reply, parts=parts, **said | more)

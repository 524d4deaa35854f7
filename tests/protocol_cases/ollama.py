"""Ollama's chat and generate, and its embeddings, new and old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

from aimock_protocols import ndjson
from aimock_protocols.canonical import Part, Reply, Vectors
from protocol_cases import Case, VectorCase, one_of
from protocol_cases.strategies import interleaved, names, object_calls, replies, text_alone, text_first, words

counts = st.integers(1, 10**9)
"""What is zero is left out, and comes back as nothing."""
durations = st.fixed_dictionaries(
    dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), counts)
)
usages = st.builds(
    lambda took, prompt, count: took | {"prompt_tokens": prompt, "completion_tokens": count}, durations, counts, counts
)
calling = st.lists(object_calls, min_size=1, max_size=3).map(tuple)

NO_TYPES: dict[str, Sequence[Any]] = {
    "model": [None, "", 5, []],
    "stream": ["yes", 1],
    "options": ["hot", []],
    "format": ["yaml", 5, []],
    "think": ["hardly", 5, []],
    "keep_alive": ["5", "soon", "", [], True],
    "top_logprobs": [-1, 21, "5"],
}
NO_MESSAGES = ["hello", 5, {}, [None], ["hello"], [[]], [{"role": "user", "content": "x"}, None]]
NO_CONTENT = [[{"role": "user", "content": value}] for value in (5, {}, [{"type": "text", "text": "hello"}])]


def answers(parts: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, st.SearchStrategy[Any]] = {
        "finish_reason": st.sampled_from(["stop", "length", "odd"]),
        "usage": usages,
        "id": st.none(),
        "created": st.integers(1, 253_402_300_799),
        "system_fingerprint": st.none(),
        "reasoning": st.none() | words,
    }
    return replies(parts, **said | more)


def all_answers(mixed: st.SearchStrategy[tuple[Part, ...]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    """Of a turn that calls it is only told that it stops, and of one that says nothing, that it says an empty text."""
    without_calls = text_alone
    with_calls = mixed.filter(lambda parts: any(hasattr(part, "arguments") for part in parts))
    finish = st.sampled_from(["tool_calls", "length", "odd"])
    return answers(without_calls, **more) | answers(with_calls, finish_reason=finish, **more)


def told_lines(body: bytes) -> list[Any]:
    return [orjson.loads(line) for line in ndjson.lines([body])]


def told_tokens(told: Any) -> int | None:
    return told.get("eval_count")


def error_of(told: Any) -> str:
    return str(told["error"])


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return ('"thinking":"I think"' in body) is ("reasoning" in thought)


roles = st.sampled_from(["assistant", "critic"])
CHAT = Case(
    whole=all_answers(text_first(object_calls), role=roles),
    streamed=all_answers(interleaved(object_calls), role=roles),
    request={"model": "o3", "messages": [{"role": "user", "content": "hello"}]},
    path="/api/chat",
    streams_at="/api/chat",
    tokens=told_tokens,
    finish=one_of(r'"done_reason":"(\w+)"'),
    ends="stop",
    calls="stop",
    call_ids=r'"id":"(call_\w+)"',
    shows=shows_reasoning,
    derived=("created", "model", "finish_reason", "usage", "role"),
    streams_by_default=True,
    wrong={**NO_TYPES, "messages": NO_MESSAGES + NO_CONTENT, "tools": ["f", {}]},
    events=told_lines,
    error=error_of,
    error_keeps=(),
    error_type="application/json; charset=utf-8",
    whole_type="application/json; charset=utf-8",
    stream_type="application/x-ndjson",
    bodyless=frozenset({"/api/blobs/{digest}"}),
)
vectors = st.lists(st.floats(-1, 1), max_size=5).map(tuple)
embed_usages = st.fixed_dictionaries({"total_duration": counts, "load_duration": counts, "prompt_tokens": counts})
VECTORS = VectorCase(
    vectors=st.builds(Vectors, st.tuples(vectors, vectors), usage=embed_usages, model=names),
    request={"model": "m", "input": ["hello", "you"]},
    path="/api/embed",
    floats=lambda told: told["embeddings"],
    wrong={"model": NO_TYPES["model"], "input": [5, {}, True, [None], ["hello", 5]], "dimensions": ["5"]},
    error=error_of,
    error_type="application/json; charset=utf-8",
    whole_type="application/json; charset=utf-8",
    normalises=True,
)

CASES = {
    "ollama.chat": CHAT,
    "ollama.generate": CHAT._replace(
        whole=all_answers(text_first(object_calls), role=st.none()),
        streamed=all_answers(interleaved(object_calls), role=st.none()),
        request={"model": "o3", "prompt": "hello"},
        path="/api/generate",
        streams_at="/api/generate",
        derived=("created", "model", "finish_reason", "usage"),
        wrong={**NO_TYPES, "prompt": [5, {}, ["hello"]], "system": [5], "images": ["x"], "context": ["x"]},
    ),
    "ollama.embed": VECTORS,
    "ollama.embeddings": VECTORS._replace(
        vectors=st.builds(Vectors, st.tuples(vectors)),
        request={"model": "m", "prompt": "hello"},
        path="/api/embeddings",
        floats=lambda told: [told["embedding"]],
        texts=("hello",),
        wrong={"model": NO_TYPES["model"], "prompt": [5, ["hello"]]},
        normalises=False,
    ),
}

"""Google's Gemini, on the Developer API and on Vertex AI, and its embeddings."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from aimock_protocols.canonical import Reply, ToolCall, Vectors
from protocol_cases import Case, VectorCase, one_of
from protocol_cases.strategies import interleaved, object_calls, replies, text_alone, words

counts = st.integers(1, 10**9)
"""Those that are zero are left out, as in all proto3 JSON."""
told_modality = st.fixed_dictionaries({"modality": st.sampled_from(["TEXT", "IMAGE"]), "tokenCount": counts})
details = st.lists(told_modality, min_size=1, max_size=2)
signatures = st.binary(min_size=1, max_size=12).map(lambda value: base64.b64encode(value).decode())


def usages(**platform: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "promptTokenCount": counts,
            "candidatesTokenCount": counts,
            "totalTokenCount": counts,
            "promptTokensDetails": details,
            **platform,
        },
        optional={
            "thoughtsTokenCount": counts,
            "cachedContentTokenCount": counts,
            "toolUsePromptTokenCount": counts,
            "cost": st.floats(0, 10),
        },
    )


def answers(usage: st.SearchStrategy[Any], created: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    said: dict[str, st.SearchStrategy[Any]] = {
        "usage": usage,
        "created": created,
        "system_fingerprint": st.none(),
        "web_searches": st.lists(words, max_size=2).map(tuple),
    }
    blocked = st.sampled_from(["content_filter", "BLOCKLIST", "JAILBREAK"])
    parts = interleaved(object_calls).filter(bool)
    return (
        st.builds(_finished, replies(parts, **said, reasoning=st.none() | words))
        | st.builds(_finished, replies(parts, **said, reasoning_signature=signatures))
        | st.builds(_finished, replies(st.just(()), **said, reasoning=st.none() | words))
        | st.builds(_finished, replies(text_alone, **said))
        | replies(st.just(()), **said | _NO_SEARCHES, refusal=words | st.just(""), finish_reason=blocked)
        | replies(parts, **said, refusal=words, finish_reason=st.just("content_filter"))
    )


_NO_SEARCHES: dict[str, st.SearchStrategy[Any]] = {"web_searches": st.just(())}
_ENDS = {"odd": "MALFORMED_RESPONSE"}


def _finished(reply: Reply) -> Reply:
    """The reply with a reason that the wire has: whether a turn ends in calls is told by its calls alone."""
    called = any(isinstance(part, ToolCall) for part in reply.parts)
    ends = _ENDS | {"stop": "tool_calls" if called else "stop", "tool_calls": "tool_calls" if called else "stop"}
    reason = reply.finish_reason or ""
    return attrs.evolve(reply, finish_reason=ends.get(reason, reason))


def told_tokens(told: Any) -> int | None:
    count = told["usageMetadata"].get("candidatesTokenCount")
    return count if isinstance(count, int) else None


def message(error: Any) -> str:
    """Of an error that may be the only element of an array."""
    return str((error[0] if isinstance(error, list) else error)["error"]["message"])


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return ('"thought":true' in body and "I think" in body) is ("reasoning" in thought) and ("c2lnbmVk" in body) is (
        "reasoningSignature" in thought
    )


WRONG: list[Any] = [None, "hello", 5, {"parts": "x"}, [], [None], ["hello"], [[]], [{"parts": ["x"]}], [{"parts": 5}]]
DEVELOPER = answers(usages(serviceTier=st.sampled_from(["standard", "flex"])), st.none())
VERTEX = answers(usages(trafficType=st.just("ON_DEMAND"), candidatesTokensDetails=details), st.integers(0, 2**33))
GENERATE = Case(
    whole=DEVELOPER,
    streamed=DEVELOPER,
    request={"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    path="/v1beta/models/{model}:generateContent",
    streams_at="/v1beta/models/{model}:streamGenerateContent?alt=sse",
    tokens=told_tokens,
    finish=one_of(r'"finishReason":"(\w+)"'),
    ends="STOP",
    calls="STOP",
    ids=r'"responseId":"(\w+)"',
    call_ids=r'"id":"([0-9a-z]{8})"',
    shows=shows_reasoning,
    params={"model": "gemini-x"},
    derived=("id", "model", "finish_reason", "usage"),
    wrong={"contents": WRONG},
    error=message,
    tells_status=True,
    error_type="application/json; charset=UTF-8",
    whole_type="application/json; charset=UTF-8",
    stream_type="text/event-stream",
)
PUBLISHED = "/v1beta1/projects/p/locations/l/publishers/google/models/{model}"

finite = st.floats(-1, 1, width=32)
vectors = st.lists(finite, min_size=1, max_size=5).map(tuple)


def embeddings(texts: int) -> st.SearchStrategy[Vectors]:
    return st.builds(Vectors, st.tuples(*[vectors] * texts))


def content(text: str) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}]}}


BATCH = VectorCase(
    vectors=embeddings(2),
    request={"requests": [content("hello"), content("you")]},
    path="/v1beta/models/{model}:batchEmbedContents",
    floats=lambda body: [each["values"] for each in body["embeddings"]],
    params={"model": "gemini-embedding-001"},
    wrong={"requests": [None, [], "x", [None], [{}], [{"content": "x"}], [{"content": {"parts": 5}}]]},
    error_type="application/json; charset=UTF-8",
    whole_type="application/json; charset=UTF-8",
)

CASES = {
    "gemini": GENERATE,
    "gemini.vertex": GENERATE._replace(
        whole=VERTEX,
        streamed=VERTEX,
        path=PUBLISHED + ":generateContent",
        streams_at=PUBLISHED + ":streamGenerateContent?alt=sse",
        derived=("id", "created", "model", "finish_reason", "usage"),
    ),
    "gemini.embeddings:batch_embed_contents": BATCH,
    "gemini.embeddings:embed_content": BATCH._replace(
        vectors=embeddings(1),
        request=content("hello"),
        texts=("hello",),
        path="/v1beta/models/{model}:embedContent",
        floats=lambda body: [body["embedding"]["values"]],
        wrong={"content": [None, "x", 5, [], {"parts": [None]}], "outputDimensionality": [0, "x", 10**6, True]},
    ),
    "gemini.embeddings:predict": BATCH._replace(
        request={"instances": [{"content": "hello"}, {"content": "you"}]},
        path=PUBLISHED + ":predict",
        floats=lambda body: [each["embeddings"]["values"] for each in body["predictions"]],
        wrong={"instances": [None, [], "x", [None], [{}], [{"content": 5}]], "parameters": ["x"]},
    ),
}

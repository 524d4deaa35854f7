"""Amazon Bedrock's Converse."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import strategies as st

from aimock_protocols import eventstream
from aimock_protocols.canonical import Part, Reply
from aimock_protocols.framing import FramingError
from protocol_cases import Case, one_of
from protocol_cases.strategies import counts, interleaved, names, object_calls, replies, words

usages = st.fixed_dictionaries(
    {
        "input_tokens": counts,
        "output_tokens": counts,
        "total_tokens": counts,
        "latencyMs": counts,
    },
    optional={
        "cache_read_input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cacheDetails": st.just([{"ttl": "5m", "inputTokens": 3}]),
        "serverToolUsage": st.just({}),
        "cost": st.floats(0, 10),
    },
)
blobs = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())


def answers(parts: st.SearchStrategy[tuple[Part, ...]]) -> st.SearchStrategy[Reply]:
    nothing = ("id", "created", "model", "system_fingerprint")
    said: dict[str, st.SearchStrategy[Any]] = {
        **{name: st.none() for name in nothing},
        "usage": usages,
        "role": st.sampled_from(["assistant", "critic"]),
        "reasoning": st.none() | words,
        "reasoning_signature": st.none() | names,
        "redacted_thinking": st.lists(blobs, max_size=2).map(tuple),
    }
    return replies(parts, **said)


def messages(body: bytes) -> list[Any]:
    """The JSON of all events of a stream, up to where it breaks off."""
    read: list[Any] = []
    try:
        for message in eventstream.messages([body]):
            read.append(orjson.loads(message.payload))  # noqa: PERF401  what came before a fault counts
    except FramingError:
        pass
    return read


def in_the_open(body: bytes) -> str:
    if body.startswith(b"{"):
        return body.decode()
    return "\n".join(orjson.dumps(event).decode() for event in messages(body))


def told_tokens(told: Any) -> int | None:
    return told["usage"]["outputTokens"] if "usage" in told else None


def shows_reasoning(body: str, thought: Mapping[str, Any]) -> bool:
    return "reasoningContent" in body and all(hidden in body for hidden in thought.get("redactedThinking", ()))


CASES = {
    "bedrock_converse": Case(
        whole=answers(interleaved(object_calls)),
        streamed=answers(interleaved(object_calls)),
        request={"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
        path="/model/{model}/converse",
        streams_at="/model/{model}/converse-stream",
        params={"model": "m"},
        tokens=told_tokens,
        finish=one_of(r'"stopReason":"(\w+)"'),
        ends="end_turn",
        calls="tool_use",
        call_ids=r'"toolUseId":"(tooluse_\w+)"',
        shows=shows_reasoning,
        derived=("finish_reason", "usage", "role"),
        events=messages,
        readable=in_the_open,
        error=lambda error: str(error["message"]),
        error_keeps=(),
        stream_type="application/vnd.amazon.eventstream",
        bodyless=frozenset(
            {
                "/model/{model:path}/invoke-with-bidirectional-stream",
                "/guardrail-checks/invoke",
                "/async-invoke",
            }
        ),
    )
}

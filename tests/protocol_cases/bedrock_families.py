"""The families of models that InvokeModel serves: a model of each, a body that asks it, and what it can say."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from aimock_protocols.canonical import Reply, Vectors
from protocol_cases.anthropic import MESSAGES
from protocol_cases.bedrock_converse import blobs
from protocol_cases.cohere import legacy_chats
from protocol_cases.strategies import (
    calls,
    counts,
    interleaved,
    names,
    object_calls,
    openai_usages,
    replies,
    text_alone,
    text_first,
    words,
)

TURNS = [{"role": "user", "content": "hello"}]


class Family(NamedTuple):
    """One family that talks."""

    model: str
    request: dict[str, Any]
    """Its user says `hello`."""
    whole: st.SearchStrategy[Reply]
    """Replies that come back from `parse(encode(reply))` as they were."""
    streamed: st.SearchStrategy[Reply]
    """The same of `collapse(frames(reply))`."""
    speaks_tools: bool = False


class VectorFamily(NamedTuple):
    """One family that embeds."""

    model: str
    request: dict[str, Any]
    """Asks for the vector of `hello`."""
    vectors: st.SearchStrategy[Vectors]


tokens = st.fixed_dictionaries({"input_tokens": counts, "output_tokens": counts})
unsaid: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(
    ("id", "created", "model", "system_fingerprint", "usage"), st.none()
)
reasons = st.sampled_from(["stop", "length", "odd"])


def completion(model: str, request: dict[str, Any], *, tells_tokens: bool = False, has_id: bool = False) -> Family:
    """A family that goes on with a prompt. A stream tells tokens in any case: by its metrics."""
    said = {**unsaid, "finish_reason": reasons, "id": names if has_id else st.none()}
    streamed = replies(text_alone, **{**said, "usage": tokens})
    return Family(model, request, streamed if tells_tokens else replies(text_alone, **said), streamed)


def openai_style(model: str, **thoughts: st.SearchStrategy[Any]) -> Family:
    said = replies(text_first(calls).filter(bool), refusal=st.none() | words, **thoughts)
    streamed = replies(text_first(calls).filter(bool), usage=openai_usages, **thoughts)
    request = {"messages": TURNS, "stream_options": {"include_usage": True}}
    return Family(model, request, said, streamed, speaks_tools=True)


def mistral_chat() -> Family:
    said = {**unsaid, "id": names, "created": st.integers(1, 2**40), "model": names, "role": st.just("assistant")}
    parts = text_first(calls).filter(bool)
    return Family(
        "mistral.mistral-large-2402-v1:0",
        {"messages": TURNS},
        replies(parts, **said),
        replies(parts, **{**said, "usage": tokens}),
        speaks_tools=True,
    )


def nova() -> Family:
    usages = st.fixed_dictionaries(
        {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts},
        optional={"cache_read_input_tokens": counts, "cache_creation_input_tokens": counts, "cost": st.floats(0, 10)},
    )
    said = {
        **unsaid,
        "usage": usages,
        "role": st.sampled_from(["assistant", "critic"]),
        "reasoning": st.none() | words,
        "reasoning_signature": st.none() | names,
        "redacted_thinking": st.lists(blobs, max_size=2).map(tuple),
    }
    request = {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    strategy = replies(interleaved(object_calls), **said)
    return Family("us.amazon.nova-pro-v1:0", request, strategy, strategy, speaks_tools=True)


FAMILIES: dict[str, Family] = {
    "claude": Family(
        "anthropic.claude-3-haiku-20240307-v1:0",
        {"anthropic_version": "bedrock-2023-05-31", "messages": TURNS},
        MESSAGES.whole,
        MESSAGES.streamed,
        speaks_tools=True,
    ),
    "claude_text": completion(
        "anthropic.claude-instant-v1", {"prompt": "\n\nHuman: hello\n\nAssistant:", "max_tokens_to_sample": 9}
    ),
    "titan_text": completion("amazon.titan-text-express-v1", {"inputText": "hello"}, tells_tokens=True),
    "nova": nova(),
    "llama": completion(
        "meta.llama3-8b-instruct-v1:0",
        {"prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhello<|eot_id|>", "max_gen_len": 9},
        tells_tokens=True,
    ),
    "mistral_text": completion("mistral.mistral-7b-instruct-v0:2", {"prompt": "<s>[INST] hello [/INST]"}),
    "mistral_chat": mistral_chat(),
    "command_r": Family("cohere.command-r-v1:0", {"message": "hello"}, legacy_chats, legacy_chats, speaks_tools=True),
    "cohere_text": completion("cohere.command-light-text-v14", {"prompt": "hello"}, has_id=True),
    "deepseek_text": completion("us.deepseek.r1-v1:0", {"prompt": "<｜User｜>hello<｜Assistant｜><think>\n"}),
    "openai_style": openai_style("qwen.qwen3-32b-v1:0", reasoning=st.none() | words, role=st.just("assistant")),
    "openai_style, aloud": openai_style("openai.gpt-oss-120b-1:0", reasoning=words, role=st.just("assistant")),
}

vector = st.lists(st.floats(-1, 1), min_size=1, max_size=5).map(tuple)
VECTORS: dict[str, VectorFamily] = {
    "titan_embedding": VectorFamily(
        "amazon.titan-embed-text-v2:0",
        {"inputText": "hello"},
        st.builds(Vectors, st.tuples(vector), usage=st.fixed_dictionaries({"input_tokens": counts})),
    ),
    "cohere_embedding": VectorFamily(
        "cohere.embed-english-v3",
        {"texts": ["hello"], "input_type": "search_query"},
        st.builds(Vectors, st.tuples(vector), id=names),
    ),
    "nova_embedding": VectorFamily(
        "amazon.nova-2-multimodal-embeddings-v1:0",
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", "text": {"value": "hello"}},
        },
        st.builds(Vectors, st.tuples(vector)),
    ),
}

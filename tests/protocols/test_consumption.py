"""What an exchange took: every provider's way of counting, and all counts of recorded traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aimock_protocols.canonical import WireError
from aimock_protocols.consumption import Consumption, consumed
from aimock_protocols.registry import PROTOCOLS
from recorded import body_of, is_stream, needs_corpus, rows_of

CASES: list[tuple[str, dict[str, Any], Consumption]] = [
    ("counts alone", {"prompt_tokens": 8, "completion_tokens": 17, "total_tokens": 25}, Consumption(8, output=17)),
    (
        "OpenAI: cached and reasoning are parts",
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        Consumption(36, cached=64, output=50, reasoning=30),
    ),
    (
        "OpenAI Responses, with what went into the cache",
        {
            "input_tokens": 4020,
            "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4000},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 4025,
        },
        Consumption(12, cached=8, cache_writes=4000, output=5, reasoning=2),
    ),
    (
        "Anthropic: cached tokens come beside",
        {
            "input_tokens": 16,
            "cache_read_input_tokens": 13637,
            "cache_creation_input_tokens": 7049,
            "cache_creation": {"ephemeral_5m_input_tokens": 7000, "ephemeral_1h_input_tokens": 49},
            "output_tokens": 344,
            "output_tokens_details": {"thinking_tokens": 33},
        },
        Consumption(16, cached=13637, cache_writes=7000, long_cache_writes=49, output=344, reasoning=33),
    ),
    (
        "a gateway that has Anthropic's words in OpenAI's chat",
        {"prompt_tokens": 100, "cache_read_input_tokens": 60, "completion_tokens": 5},
        Consumption(40, cached=60, output=5),
    ),
    (
        "Google: thoughts come beside, cached tokens do not",
        {
            "promptTokenCount": 345,
            "cachedContentTokenCount": 230,
            "toolUsePromptTokenCount": 10,
            "candidatesTokenCount": 51,
            "thoughtsTokenCount": 7,
            "totalTokenCount": 413,
        },
        Consumption(125, cached=230, output=58, reasoning=7),
    ),
    (
        "Google's interactions",
        {"total_input_tokens": 9, "total_cached_tokens": 4, "total_output_tokens": 3, "total_thought_tokens": 2},
        Consumption(5, cached=4, output=5, reasoning=2),
    ),
    (
        "xAI: its total says that reasoning comes beside",
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 45,
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        Consumption(10, output=35, reasoning=30),
    ),
    ("Mistral", {"prompt_tokens": 64, "num_cached_tokens": 32, "completion_tokens": 6}, Consumption(32, 32, output=6)),
    ("embeddings of Voyage", {"total_tokens": 3}, Consumption(3)),
    (
        "OpenRouter says the cost",
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25},
        Consumption(1, output=1, charged=0.25),
    ),
    (
        "and with a key of one's own its fee, and what comes beside",
        {"prompt_tokens": 1, "cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}},
        Consumption(1, charged=0.75),
    ),
    ("what cannot be is not", {"prompt_tokens": 5, "cached_tokens": 9, "completion_tokens": True}, Consumption(0, 5)),
    (
        "Google in OpenAI's chat: only the total knows of thoughts",
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        Consumption(35, output=74, reasoning=62),
    ),
]


@pytest.mark.parametrize(("usage", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_way_of_counting(usage: dict[str, Any], expected: Consumption) -> None:
    assert consumed(usage) == expected


@pytest.mark.parametrize("usage", [None, {}, {"cost": 1}, {"input_tokens": -1}, {"prompt_tokens": "5"}])
def test_what_counts_nothing(usage: Any) -> None:
    assert consumed(usage) is None


TRAFFIC = {
    "anthropic.messages": "anthropic_messages",
    "bedrock.converse": "bedrock_converse",
    "bedrock.converse-stream": "bedrock_converse",
    "cohere.chat": "cohere",
    "gemini.generate": "gemini",
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
}


@needs_corpus
@pytest.mark.parametrize("name", TRAFFIC)
def test_the_parts_are_the_total_that_the_provider_tells(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    protocol: Any = next(each for each in PROTOCOLS if each.name == TRAFFIC[name]).load()
    read = totals = 0
    for row in rows_of(name):
        try:
            reply = protocol.collapse([body_of(row)]) if is_stream(row) else protocol.parse(body_of(row))
        except WireError:
            continue
        found = consumed(reply.usage)
        if reply.usage is None:
            continue
        assert found is not None, reply.usage
        read += 1
        total = next((reply.usage[key] for key in ("total_tokens", "totalTokenCount") if key in reply.usage), None)
        if total is not None:
            totals += 1
            assert found.prompt + found.output == total, reply.usage
        assert found.reasoning <= found.output
    record_property("counted", f"{name}: {read} usages read, of which {totals} tell a total")
    assert read > 0

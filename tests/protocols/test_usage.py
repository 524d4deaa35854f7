from __future__ import annotations

from typing import Any

import pytest

from aimock_protocols.canonical import Reply, Text, ToolCall
from aimock_protocols.usage import OPENAI_CHAT, Counts, estimate, estimated_counts, extras, given_counts, prompt_length


def hello(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, None),
        ({"cost": 0.5}, None),
        ({"prompt_tokens": None}, None),
        ({"prompt_tokens": "7"}, None),
        ({"prompt_tokens": 7}, Counts(7, 0, 7)),
        ({"completion_tokens": 3}, Counts(0, 3, 3)),
        ({"total_tokens": 9}, Counts(0, 0, 9)),
        ({"prompt_tokens": 0}, Counts(0, 0, 0)),
        ({"input_tokens": 1, "output_tokens": 2}, Counts(1, 2, 3)),
        ({"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 9}, Counts(1, 2, 9)),
        ({"input_tokens": 1, "prompt_tokens": 5}, Counts(5, 0, 5)),
    ],
)
def test_given_counts(usage: dict[str, Any], expected: Counts | None) -> None:
    assert given_counts(usage, OPENAI_CHAT) == expected


def test_extras_are_what_is_not_spelled() -> None:
    usage = {"input_tokens": 1, "prompt_tokens_details": {}, "cost": 0.5, "x": None}
    assert extras(usage, OPENAI_CHAT) == {"cost": 0.5, "x": None}


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("hello", 2),
        ("four", 1),
        ("", 1),
        (None, 1),
        ([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}, {"type": "image_url"}, 3], 2),
        ([{"text": 7}], 1),
        ("🚀🚀", 1),
        ("🚀🚀🚀", 2),
    ],
)
def test_the_prompt_is_estimated_from_all_its_text(content: Any, prompt: int) -> None:
    assert estimate(prompt_length(hello(content)["messages"])) == prompt


@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}])
def test_a_prompt_without_text_is_one_token(body: dict[str, Any]) -> None:
    assert estimate(prompt_length(body.get("messages"))) == 1


@pytest.mark.parametrize(
    ("reply", "completion"),
    [
        (Reply(), 1),
        (Reply((Text("x" * 32),)), 8),
        (Reply((Text("x" * 33),)), 9),
        (Reply((ToolCall("name", '{"a":1}'),)), 3),
        (Reply((Text("x" * 8), ToolCall("f", "{}"), ToolCall("g", "{}"))), 4),
        (Reply((Text("x"),), reasoning="y" * 400), 1),
    ],
)
def test_the_completion_is_estimated_from_text_and_calls(reply: Reply, completion: int) -> None:
    assert estimated_counts(reply, 3) == Counts(3, completion, 3 + completion)

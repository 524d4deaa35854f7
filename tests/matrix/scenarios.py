"""What is asked and answered, in no provider's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs
import orjson

from matrix import Call, Question, Seen

HELLO = Question([{"role": "user", "content": "hello"}])
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
WITH_TOOLS = Question([{"role": "user", "content": "weather?"}], [WEATHER])
PARIS, ROME = {"city": "Paris"}, {"city": "Rome"}
CALL_PARIS, CALL_ROME = ({"name": "get_weather", "arguments": city} for city in (PARIS, ROME))

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"sky": {"type": "string"}},
    "required": ["sky"],
    "additionalProperties": False,
}
BLUE = {"sky": "blue"}

AFTER_TOOLS = Question(
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_paris0001",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": orjson.dumps(PARIS).decode()},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_paris0001", "content": "sunny"},
    ],
    [WEATHER],
)
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


class Scenario(NamedTuple):
    """A question, the fixture that answers it, and what a client then has in hand."""

    question: Question
    response: dict[str, Any]
    expected: Seen | None = None
    """None: it fails, and the page says how."""
    match: Mapping[str, Any] = {}
    options: Mapping[str, Any] = {}


SCENARIOS: dict[str, Scenario] = {
    "text": Scenario(
        HELLO,
        {"content": "Hello, you", "usage": USAGE},
        Seen("Hello, you", order=["text"], tokens=(12, 5)),
        match={"userMessage": "hello"},
    ),
    "tools": Scenario(
        WITH_TOOLS,
        {"toolCalls": [CALL_PARIS]},
        Seen(calls=[Call("get_weather", PARIS)], order=["call"]),
        match={"toolName": "get_weather"},
    ),
    "parallel tools": Scenario(
        WITH_TOOLS,
        {"toolCalls": [CALL_PARIS, CALL_ROME]},
        Seen(calls=[Call("get_weather", PARIS), Call("get_weather", ROME)], order=["call", "call"]),
    ),
    "reasoning": Scenario(
        HELLO,
        {"content": "Hello", "reasoning": "They greet me."},
        Seen("Hello", "They greet me.", order=["reasoning", "text"]),
    ),
    "tools after text": Scenario(
        WITH_TOOLS,
        {"content": "Let me see.", "toolCalls": [CALL_PARIS]},
        Seen("Let me see.", calls=[Call("get_weather", PARIS)], order=["text", "call"]),
    ),
    "tools before text": Scenario(
        WITH_TOOLS,
        {"blocks": [{"type": "toolCall", **CALL_PARIS}, {"type": "text", "text": "I have asked."}]},
        Seen("I have asked.", calls=[Call("get_weather", PARIS)], order=["call", "text"]),
    ),
    "structured output": Scenario(
        HELLO._replace(schema=SCHEMA),
        {"content": BLUE},
        Seen(orjson.dumps(BLUE).decode(), order=["text"]),
        match={"where": "response_format"},
    ),
    "after tool results": Scenario(
        AFTER_TOOLS,
        {"content": "It is sunny."},
        Seen("It is sunny.", order=["text"]),
        match={"toolResultContains": "sunny", "systemMessage": "Be brief", "hasToolResult": True, "turnIndex": 1},
    ),
    "physics": Scenario(
        HELLO,
        {"content": "Hello, you"},
        Seen("Hello, you", order=["text"]),
        options={"chunk_size": 3, "latency": 1},
    ),
    "bad request": Scenario(HELLO, {"error": {"message": "No.", "type": "invalid_request_error"}, "status": 400}),
    "rate limit": Scenario(HELLO, {"error": {"message": "Slow down."}, "status": 429}),
    "overloaded": Scenario(HELLO, {"error": {"message": "Busy."}, "status": 503}),
    "chaos drop": Scenario(HELLO, {"content": "Hello"}, options={"chaos": {"faults": "drop"}}),
    "chaos malformed": Scenario(HELLO, {"content": "Hello"}, options={"chaos": {"faults": "malformed"}}),
    "chaos disconnect": Scenario(HELLO, {"content": "Hello"}, options={"chaos": {"faults": "disconnect"}}),
}
PIECEMEAL = frozenset({"physics"})
"""Scenarios whose text must come in pieces where it is streamed."""


def agrees(seen: Seen, expected: Seen, *, in_pieces: bool) -> bool:
    """Whether what was seen is what was to be seen. Order and tokens count only where the SDK tells them."""
    told = attrs.evolve(seen, finish=None, pieces=0)
    if not seen.order:
        told.order = expected.order
    if expected.tokens is None or seen.tokens is None:
        told.tokens = expected.tokens
    return told == expected and (not in_pieces or seen.pieces > 1)

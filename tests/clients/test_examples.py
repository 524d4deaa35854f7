"""The example fixtures do what their comments promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from pydantic import BaseModel

from aimock import AIMock
from aimock.fixtures.check import check_paths

Connect = Callable[..., OpenAI]

EXAMPLES = Path(__file__).parents[2] / "examples" / "fixtures"
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


@pytest.fixture
def mock() -> Iterator[AIMock]:
    """A server with the examples, a thousand times faster than they are written."""
    with AIMock(fixtures=EXAMPLES, replay_speed=1000) as running:
        yield running


def user(text: str) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}]}


def test_they_are_sound() -> None:
    report = check_paths([str(EXAMPLES)], strict=True)
    assert not report.failed, report.lines()


@pytest.mark.parametrize("greeting", ["hello", "Say Hello"])
def test_hello(client: OpenAI, greeting: str) -> None:
    content = client.chat.completions.create(**user(greeting)).choices[0].message.content
    assert content == "Hello! I am a mock, and I always say the same thing."


def test_reasoning(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(**user("How many r's in strawberry?"), stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "There are three r's in strawberry."
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas).startswith("The letters are")


def test_retry(mock: AIMock, connect: Connect) -> None:
    def sleepless(*_: Any, **__: Any) -> float:
        return 0.0

    client = connect(max_retries=1)
    client._calculate_retry_timeout = sleepless  # the file asks for a second, which nobody needs to wait here
    answer = client.chat.completions.create(**user("Are you busy?"))
    assert answer.choices[0].message.content == "Not any more. Thank you for waiting."
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


def test_structured_output(client: OpenAI) -> None:
    class Person(BaseModel):
        name: str
        born: int
        occupation: str

    answer = client.chat.completions.parse(**user("Who was Ada Lovelace?"), response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada Lovelace", born=1815, occupation="mathematician")


def test_weather(client: OpenAI) -> None:
    question = user("What is the weather in Paris?")
    message = client.chat.completions.create(**question, tools=[WEATHER]).choices[0].message
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Paris"}')
    question["messages"] += [message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "18"}]
    answer = client.chat.completions.create(**question, tools=[WEATHER])
    assert answer.choices[0].message.content == "It is 18 °C and sunny in Paris."


def test_anything_else(client: OpenAI) -> None:
    content = client.chat.completions.create(**user("What is the meaning of life?")).choices[0].message.content
    assert content == "No fixture is about that. Add one beside this file."

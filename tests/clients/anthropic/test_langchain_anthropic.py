"""LangChain's ChatAnthropic against the live server (wire-anthropic-messages §19, §21.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import anyio
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel, SecretStr

from aimock import AIMock

Chat = Callable[..., ChatAnthropic]


@pytest.fixture
def chat(mock: AIMock) -> Iterator[Chat]:
    """Makes a ChatAnthropic that talks to the server."""

    def make(**options: Any) -> ChatAnthropic:
        settings: dict[str, Any] = {
            "model_name": "claude-haiku-4-5",
            "base_url": mock.url,
            "api_key": SecretStr("test"),
            "max_retries": 0,
            "max_tokens_to_sample": 100,
        }
        return ChatAnthropic(**settings | options)

    yield make
    _forget_kept_clients()


def _forget_kept_clients() -> None:
    """LangChain keeps HTTP clients for as long as the process lives."""
    from langchain_anthropic import _client_utils

    _client_utils._get_default_httpx_client.cache_clear()
    _client_utils._get_default_async_httpx_client.cache_clear()


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


@tool
def get_time() -> str:
    """The time."""
    return "Noon."


class Person(BaseModel):
    """Somebody."""

    name: str
    born: int


def test_invoke(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi there", "finishReason": "length"})
    answer = chat().invoke([SystemMessage("Be kind."), HumanMessage("hello")])
    assert answer.content == "Hi there"
    assert answer.response_metadata["stop_reason"] == "max_tokens"
    assert answer.response_metadata["model_name"] == "claude-haiku-4-5"
    assert answer.usage_metadata["input_tokens"] == 4  # "Be kind." and "hello": 13 characters
    assert answer.usage_metadata["output_tokens"] == 2
    assert answer.usage_metadata["total_tokens"] == 6


@pytest.mark.parametrize(
    ("usage", "totals"),
    [
        (None, (2, 4, 6)),
        ({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3}, (13, 5, 18)),
    ],
)
def test_the_totals_of_a_stream(
    mock: AIMock, chat: Chat, usage: dict[str, int] | None, totals: tuple[int, int, int]
) -> None:
    """wire-anthropic §21.4: they come from the last event of usage alone."""
    response: dict[str, Any] = {"content": "Hi there, né 🚀"} | ({} if usage is None else {"usage": usage})
    mock.on_message("hello", response, chunk_size=3)
    chunks = list(chat().stream("hello"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    assert total.text == "Hi there, né 🚀"
    assert total.response_metadata["stop_reason"] == "end_turn"
    told = total.usage_metadata
    assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == totals
    assert chat().invoke("hello").usage_metadata["total_tokens"] == totals[2]


@pytest.mark.parametrize("streaming", [False, True])
def test_tools_round_trip(mock: AIMock, chat: Chat, streaming: bool) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]
    mock.on_tool_call("get_weather", {"toolCalls": calls}, has_tool_result=False, chunk_size=3)
    mock.on({"toolResultContains": "sunny in Tokyo"}, {"content": "Both are sunny."})
    model = chat(streaming=streaming).bind_tools([get_weather])
    conversation: list[Any] = [HumanMessage("weather?")]
    call = model.invoke(conversation)
    assert [each["args"] for each in call.tool_calls] == [{"city": "Paris"}, {"city": "Tokyo"}]
    assert call.invalid_tool_calls == []
    conversation += [call, *(get_weather.invoke(each) for each in call.tool_calls)]
    assert model.invoke(conversation).text == "Both are sunny."


@pytest.mark.parametrize("streaming", [False, True])
def test_a_call_without_arguments(mock: AIMock, chat: Chat, streaming: bool) -> None:
    mock.on_message("now", {"toolCalls": [{"name": "get_time", "arguments": ""}]})
    answer = chat(streaming=streaming).bind_tools([get_time]).invoke("now")
    assert [each["args"] for each in answer.tool_calls] == [{}]
    assert answer.invalid_tool_calls == []


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(mock: AIMock, chat: Chat, method: Any) -> None:
    ada = {"name": "Ada", "born": 1815}
    mock.on({"responseFormat": "json_schema"}, {"content": ada})
    mock.on_tool_call("Person", {"toolCalls": [{"name": "Person", "arguments": ada}]})
    assert chat().with_structured_output(Person, method=method).invoke("Who was Ada?") == Person(name="Ada", born=1815)


@pytest.mark.parametrize("streaming", [False, True])
def test_thinking_is_sent_back(mock: AIMock, chat: Chat, streaming: bool) -> None:
    """What a stream brought of a thought is enough for a strict server."""
    response = {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}], "reasoning": "Hm, Paris."}
    mock.on_tool_call("get_weather", response, has_tool_result=False, chunk_size=3)
    mock.on({"hasToolResult": True}, {"content": "Sunny."})
    model = chat(
        streaming=streaming,
        max_tokens_to_sample=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        default_headers={"X-AIMock-Strict": "true"},
    ).bind_tools([get_weather])
    conversation: list[Any] = [HumanMessage("weather?")]
    call = model.invoke(conversation)
    assert [block["thinking"] for block in call.content if block["type"] == "thinking"] == ["Hm, Paris."]
    conversation += [call, *(get_weather.invoke(each) for each in call.tool_calls)]
    assert model.invoke(conversation).text == "Sunny."


def test_asynchronously(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)

    async def work() -> tuple[Any, str]:
        model = chat()
        text = "".join([chunk.text async for chunk in model.astream("hello")])
        answer = (await model.ainvoke("hello")).content
        await model._async_client.close()
        return answer, text

    assert anyio.run(work, backend="asyncio") == ("Hi there", "Hi there")


def test_errors_are_the_sdk_s(mock: AIMock, chat: Chat) -> None:
    mock.on_message("busy", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001})
    with pytest.raises(anthropic.RateLimitError):
        chat().invoke("busy")
    with pytest.raises(anthropic.NotFoundError, match="No fixture matched"):
        chat().invoke("unknown")
    mock.on_message("broken", {"content": "Hi", "midStreamError": {"afterChunks": 2, "message": "boom"}})
    with pytest.raises(anthropic.APIError, match="boom"):
        list(chat().stream("broken"))


def test_token_counting(mock: AIMock, chat: Chat) -> None:
    assert chat().get_num_tokens_from_messages([HumanMessage("hello")]) == 2

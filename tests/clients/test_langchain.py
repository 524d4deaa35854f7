"""LangChain's ChatOpenAI against the live server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import BaseModel, SecretStr

from aimock import AIMock

Chat = Callable[..., ChatOpenAI]


@pytest.fixture
def chat(mock: AIMock) -> Iterator[Chat]:
    """Makes a ChatOpenAI that talks to the server."""
    clients: list[DefaultHttpxClient] = []

    def make(**options: Any) -> ChatOpenAI:
        clients.append(DefaultHttpxClient(verify=False))
        settings = {
            "model": "gpt-4o",
            "base_url": f"{mock.url}/v1",
            "api_key": SecretStr("test"),
            "max_retries": 0,
            "http_client": clients[-1],
            "http_async_client": DefaultAsyncHttpxClient(verify=False),
        }
        return ChatOpenAI(**settings | options)

    yield make
    for client in clients:
        client.close()


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


class Person(BaseModel):
    """Somebody."""

    name: str
    born: int


def test_invoke(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi there", "finishReason": "length"})
    answer = chat().invoke([SystemMessage("Be kind."), HumanMessage("hello")])
    assert answer.content == "Hi there"
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.response_metadata["model_name"] == "gpt-4o"
    assert answer.usage_metadata["input_tokens"] == 4  # "Be kind." and "hello": 13 characters
    assert answer.usage_metadata["output_tokens"] == 2
    assert answer.usage_metadata["total_tokens"] == 6


def test_stream(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, chunk_size=3)
    chunks = list(chat(stream_usage=True).stream("hello"))
    assert len([chunk for chunk in chunks if chunk.content]) > 3
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    assert total.content == "Hi there, né 🚀"
    assert total.response_metadata["finish_reason"] == "stop"
    assert total.usage_metadata["total_tokens"] == 6


@pytest.mark.parametrize("streaming", [False, True])
def test_tools_round_trip(mock: AIMock, chat: Chat, streaming: bool) -> None:
    mock.on_tool_call(
        "get_weather",
        {"toolCalls": [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]},
        has_tool_result=False,
        chunk_size=3,
    )
    mock.on({"toolResultContains": "sunny in Tokyo"}, {"content": "Both are sunny."})
    model = chat(streaming=streaming).bind_tools([get_weather])
    conversation: list[Any] = [HumanMessage("weather?")]
    call = model.invoke(conversation)
    assert [each["args"] for each in call.tool_calls] == [{"city": "Paris"}, {"city": "Tokyo"}]
    assert call.invalid_tool_calls == []
    conversation += [call, *(get_weather.invoke(each) for each in call.tool_calls)]
    assert all(isinstance(message, ToolMessage) for message in conversation[2:])
    assert model.invoke(conversation).content == "Both are sunny."


def test_arguments_that_are_no_json_are_invalid_calls(mock: AIMock, chat: Chat) -> None:
    mock.on_message("weather", {"toolCalls": [{"name": "get_weather", "arguments": '{"city": '}]})
    answer = chat().bind_tools([get_weather]).invoke("weather")
    assert (answer.tool_calls, len(answer.invalid_tool_calls)) == ([], 1)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(mock: AIMock, chat: Chat, method: Any) -> None:
    ada = {"name": "Ada", "born": 1815}
    mock.on({"responseFormat": "json_schema"}, {"content": ada})
    mock.on({"responseFormat": "json_object"}, {"content": ada})
    mock.on_tool_call("Person", {"toolCalls": [{"name": "Person", "arguments": ada}]})
    answer = chat().with_structured_output(Person, method=method).invoke("Who was Ada? Answer in JSON.")
    assert answer == Person(name="Ada", born=1815)


@pytest.mark.parametrize("backend", ["asyncio"])
def test_asynchronously(mock: AIMock, chat: Chat, backend: str) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)

    async def work() -> tuple[Any, str]:
        async with DefaultAsyncHttpxClient(verify=False) as http:
            model = chat(http_async_client=http)
            text = "".join([str(chunk.content) async for chunk in model.astream("hello")])
            return (await model.ainvoke("hello")).content, text

    assert anyio.run(work, backend=backend) == ("Hi there", "Hi there")


def test_errors_are_the_sdk_s(mock: AIMock, chat: Chat) -> None:
    mock.on_message("busy", {"error": {"message": "Slow down", "code": "x"}, "status": 429, "retryAfter": 0.001})
    with pytest.raises(openai.RateLimitError):
        chat().invoke("busy")
    with pytest.raises(openai.NotFoundError, match="No fixture matched"):
        chat().invoke("unknown")
    mock.on_message("broken", {"content": "Hi", "midStreamError": {"afterChunks": 1, "message": "boom"}})
    with pytest.raises(openai.APIError, match="boom"):
        list(chat().stream("broken"))


def test_a_retry_is_counted(mock: AIMock, chat: Chat) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    assert chat(max_retries=1).invoke("hello").content == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


def test_several_generations(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi"})
    (generations,) = chat(n=2).generate([[HumanMessage("hello")]]).generations
    assert [generation.text for generation in generations] == ["Hi", "Hi"]


def test_c5_azure_without_a_model_in_the_body(mock: AIMock, chat: Chat) -> None:
    mock.on({"model": "my-deployment"}, {"content": "Hi"})
    with DefaultHttpxClient(verify=False) as http:
        azure = AzureChatOpenAI(
            azure_endpoint=mock.url,
            azure_deployment="my-deployment",
            api_version="2024-10-21",
            api_key=SecretStr("test"),
            http_client=http,
            http_async_client=DefaultAsyncHttpxClient(verify=False),
        )
        assert azure.invoke("hello").content == "Hi"

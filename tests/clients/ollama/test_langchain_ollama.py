"""LangChain's ChatOllama and OllamaEmbeddings against the live server (wire-ollama §9)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from ollama import ResponseError
from pydantic import BaseModel

from aimock import AIMock

Chat = Callable[..., ChatOllama]


@pytest.fixture
def connect(mock: AIMock) -> Iterator[Callable[..., Any]]:
    """Makes a model that talks to the server, and whose connections, which LangChain leaves open, end with the test."""
    made: list[Any] = []

    def make(kind: type[Any], model: str, **options: Any) -> Any:
        made.append(kind(model=model, base_url=mock.url, client_kwargs={"verify": False}, **options))
        return made[-1]

    yield make
    for each in made:
        each._client.close()


@pytest.fixture
def chat(connect: Callable[..., Any]) -> Chat:
    return functools.partial(connect, ChatOllama, "qwen3")


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


def test_text_and_what_it_cost(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2)
    told = chat().invoke("hello")
    assert (told.content, told.response_metadata["done_reason"]) == ("Hi there", "stop")
    assert told.usage_metadata == {"input_tokens": 2, "output_tokens": 2, "total_tokens": 4}
    pieces = list(chat().stream("hello"))
    assert [piece.content for piece in pieces if piece.content] == ["Hi", " t", "he", "re"]


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_and_calls(mock: AIMock, chat: Chat, streamed: bool) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]
    mock.on_message("weather", {"content": "Let me see.", "reasoning": "Hm.", "toolCalls": calls}, chunk_size=3)
    model = chat(reasoning=True).bind_tools([get_weather])
    told: Any = model.invoke("weather")
    if streamed:
        told = AIMessageChunk(content="")
        for piece in model.stream("weather"):
            told += piece
    assert (told.content, told.additional_kwargs["reasoning_content"]) == ("Let me see.", "Hm.")
    assert [call["args"] for call in told.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]


def test_a_conversation_with_tools(mock: AIMock, chat: Chat) -> None:
    """LangChain mints ids of its own, but the SDK below it sends none: a result is that of the call before it."""
    mock.on({"hasToolResult": True}, {"content": "Sunny."})
    mock.on_message("weather", {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})
    model = chat().bind_tools([get_weather])
    asked = HumanMessage("weather")
    called = model.invoke([asked])
    results = [get_weather.invoke(call) for call in called.tool_calls]
    assert model.invoke([asked, called, *results]).content == "Sunny."
    messages = mock.get_last_request()["body"]["messages"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "call_0"
    assert messages[2]["content"] == "It is sunny in Paris."


class Country(BaseModel):
    name: str
    capital: str


def test_structured_output(mock: AIMock, chat: Chat) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": {"name": "France", "capital": "Paris"}})
    assert chat().with_structured_output(Country).invoke("France?") == Country(name="France", capital="Paris")


def test_embeddings(connect: Callable[..., Any]) -> None:
    vectors = connect(OllamaEmbeddings, "nomic-embed-text").embed_documents(["hello", "you"])
    assert [len(vector) for vector in vectors] == [1536, 1536]


def test_a_model_is_looked_for(mock: AIMock, chat: Chat) -> None:
    mock.on({"model": "qwen3"}, {"content": "Hi"})
    assert chat(validate_model_on_init=True).invoke("hello").content == "Hi"


def test_errors(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"error": {"message": "Busy."}, "status": 503})
    with pytest.raises(ResponseError, match=r"Busy\.") as raised:
        chat().invoke("hello")
    assert raised.value.status_code == 503

"""LangChain's ChatBedrockConverse and Pydantic AI's BedrockConverseModel against the live server (wire-bedrock §10)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from langchain_aws import ChatBedrockConverse
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, ThinkingPart
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from aimock import AIMock

MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


@pytest.fixture
def chat(bedrock: Any) -> ChatBedrockConverse:
    return ChatBedrockConverse(model=MODEL, client=bedrock, bedrock_client=bedrock)


def test_langchain_text(mock: AIMock, chat: ChatBedrockConverse) -> None:
    mock.on({"userMessage": "hello", "systemMessage": "Be kind."}, {"content": "Hi there"}, chunk_size=3)
    asked = [SystemMessage("Be kind."), HumanMessage("hello")]
    answer = chat.invoke(asked)
    assert (answer.content, answer.response_metadata["stopReason"]) == ("Hi there", "end_turn")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 2
    chunks = list(chat.stream(asked))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert isinstance(whole, AIMessageChunk)
    assert whole.text == "Hi there"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == answer.usage_metadata["total_tokens"]


def test_langchain_tools(mock: AIMock, chat: ChatBedrockConverse) -> None:
    mock.on({"hasToolResult": True, "toolResultContains": "sunny"}, {"content": "Sunny!"})
    mock.on_message(
        "weather", {"content": "Let me see.", "toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}
    )
    bound = chat.bind_tools([get_weather])
    messages: list[Any] = [HumanMessage("weather")]
    answer = bound.invoke(messages)
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    streamed = None
    for chunk in bound.stream(messages):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed is not None
    assert [each["args"] for each in streamed.tool_calls] == [{"city": "Paris"}]
    messages += [answer, get_weather.invoke(call)]
    assert bound.invoke(messages).content == "Sunny!"


class City(BaseModel):
    """A city."""

    name: str


def test_langchain_structured_output(mock: AIMock, chat: ChatBedrockConverse) -> None:
    mock.on({"toolName": "City"}, {"toolCalls": [{"name": "City", "arguments": {"name": "Paris"}}]})
    assert chat.with_structured_output(City).invoke("Which city?") == City(name="Paris")


@pytest.fixture
def model(bedrock: Any) -> BedrockConverseModel:
    return BedrockConverseModel(MODEL, provider=BedrockProvider(bedrock_client=bedrock))


@pytest.mark.parametrize("stream", [False, True])
def test_pydantic_ai(mock: AIMock, model: BedrockConverseModel, stream: bool) -> None:
    """An agent that thinks, calls its tool, and answers."""
    mock.on({"hasToolResult": True, "toolResultContains": "sunny"}, {"content": "Sunny!"}, chunk_size=2)
    call = {"name": "get_weather", "arguments": {"city": "Paris"}}
    mock.on_message("weather", {"reasoning": "Hm.", "reasoningSignature": "c2ln", "toolCalls": [call]})
    agent = Agent(model)
    agent.tool_plain(lambda city: f"It is sunny in {city}.", name="get_weather")

    async def ask() -> Any:
        if not stream:
            result = await agent.run("weather")
            return result.output, result.all_messages()
        async with agent.run_stream("weather") as running:
            return await running.get_output(), running.all_messages()

    output, messages = anyio.run(ask, backend="asyncio")
    assert output == "Sunny!"
    parts = [part for each in messages if isinstance(each, ModelResponse) for part in each.parts]
    thoughts = [(part.content, part.signature) for part in parts if isinstance(part, ThinkingPart)]
    assert thoughts == [("Hm.", "c2ln")]
    assert len(mock.get_requests()) == 2

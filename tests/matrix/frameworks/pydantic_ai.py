"""Pydantic AI's models, asked directly."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.tools import ToolDefinition

from matrix import Client, Question, Seen, client, functions
from matrix.clients.bedrock_converse import Converse


class PydanticAI(Client):
    """A model, asked without an agent, in an event loop of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._loop = asyncio.Runner()
        self._model = self.connected()

    def close(self) -> None:
        self._loop.close()

    def connected(self) -> Any:
        """The model, with its client."""
        raise NotImplementedError

    def ask(self, question: Question, stream: bool) -> Seen:
        asked: dict[str, Any] = {"messages": _messages(question), "model_request_parameters": _parameters(question)}
        if stream:
            return self._loop.run(self._streamed(asked))
        seen = _seen(self._loop.run(model_request(self._model, **asked)))
        if self.speaks == "openai_chat" and seen.text and seen.calls:
            seen.order.clear()  # a message has both, and does not say which came first
        return seen

    async def _streamed(self, asked: dict[str, Any]) -> Seen:
        pieces = 1  # the first comes with the part that it begins
        async with model_request_stream(self._model, **asked) as events:
            async for event in events:
                pieces += isinstance(getattr(event, "delta", None), TextPartDelta)
        return _seen(events.get(), pieces)


def _messages(question: Question) -> list[Any]:
    messages: list[Any] = []
    for message in question.messages:
        if message["role"] == "system":
            messages.append(ModelRequest([SystemPromptPart(message["content"])]))
        elif message["role"] == "tool":
            part = ToolReturnPart("get_weather", message["content"], message["tool_call_id"])
            messages.append(ModelRequest([part]))
        elif "tool_calls" in message:
            calls = [
                ToolCallPart(call["function"]["name"], call["function"]["arguments"], call["id"])
                for call in message["tool_calls"]
            ]
            messages.append(ModelResponse(calls))
        else:
            messages.append(ModelRequest([UserPromptPart(message["content"])]))
    return messages


def _parameters(question: Question) -> ModelRequestParameters:
    tools = functions(question.tools, _tool)
    if question.schema is None:
        return ModelRequestParameters(function_tools=tools, allow_text_output=True)
    wanted = OutputObjectDefinition(json_schema=question.schema, name="answer", strict=True)
    return ModelRequestParameters(
        function_tools=tools, output_mode="native", output_object=wanted, allow_text_output=True
    )


def _tool(function: dict[str, Any]) -> ToolDefinition:
    return ToolDefinition(
        name=function["name"], description=function["description"], parameters_json_schema=function["parameters"]
    )


def _seen(response: ModelResponse, pieces: int = 0) -> Seen:
    seen = Seen(tokens=(response.usage.input_tokens, response.usage.output_tokens))
    for part in response.parts:
        if isinstance(part, ThinkingPart):
            seen.think(part.content)
        elif isinstance(part, TextPart):
            seen.say(part.content)
        elif isinstance(part, ToolCallPart):
            seen.call(part.tool_name, part.args if isinstance(part.args, dict) else orjson.loads(part.args or "{}"))
    seen.pieces = pieces
    return seen


@client
class OpenAI(PydanticAI):
    name = "pydantic-ai openai"
    speaks = "openai_chat"
    model = "gpt-5"

    def connected(self) -> Any:
        sdk = AsyncOpenAI(base_url=f"{self.url}/v1", api_key="test", max_retries=0)
        return OpenAIChatModel(self.model, provider=OpenAIProvider(openai_client=sdk))


@client
class OpenAIResponses(PydanticAI):
    name = "pydantic-ai openai responses"
    speaks = "openai_responses"
    model = "gpt-5"

    def connected(self) -> Any:
        sdk = AsyncOpenAI(base_url=f"{self.url}/v1", api_key="test", max_retries=0)
        return OpenAIResponsesModel(self.model, provider=OpenAIProvider(openai_client=sdk))


@client
class Anthropic(PydanticAI):
    name = "pydantic-ai anthropic"
    speaks = "anthropic_messages"
    model = "claude-haiku-4-5"

    def connected(self) -> Any:
        sdk = AsyncAnthropic(base_url=self.url, api_key="test", max_retries=0)
        return AnthropicModel(self.model, provider=AnthropicProvider(anthropic_client=sdk))


@client
class Google(PydanticAI):
    name = "pydantic-ai google"
    speaks = "gemini"
    model = "gemini-2.5-flash"

    def connected(self) -> Any:
        return GoogleModel(self.model, provider=GoogleProvider(api_key="test", base_url=self.url))


@client
class Bedrock(PydanticAI):
    name = "pydantic-ai bedrock"
    speaks = "bedrock_converse"
    model = "us.anthropic.claude-sonnet-4-20250514-v1:0"
    lacks = frozenset({"structured output"})  # it has none for this model

    def connected(self) -> Any:
        return BedrockConverseModel(self.model, provider=BedrockProvider(bedrock_client=Converse(self.url).sdk))

"""LangChain's chat models."""

from __future__ import annotations

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI

from matrix import client
from matrix.frameworks.asking_langchain import LangChain


@client
class OpenAI(LangChain):
    name = "langchain-openai"
    speaks = "openai_chat"
    model = "gpt-5"
    lacks = frozenset({"reasoning"})

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatOpenAI(model=self.model, base_url=f"{url}/v1", api_key="test", max_retries=0, stream_usage=True)


@client
class OpenAIResponses(LangChain):
    name = "langchain-openai responses"
    speaks = "openai_responses"
    model = "gpt-5"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatOpenAI(
            model=self.model, base_url=f"{url}/v1", api_key="test", max_retries=0, use_responses_api=True
        )


@client
class Anthropic(LangChain):
    name = "langchain-anthropic"
    speaks = "anthropic_messages"
    model = "claude-haiku-4-5"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        thinking = {"type": "enabled", "budget_tokens": 1024}
        self.sdk = ChatAnthropic(
            model=self.model, base_url=url, api_key="test", max_retries=0, max_tokens=2048, thinking=thinking
        )

    def structured(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


@client
class Bedrock(LangChain):
    name = "langchain-aws ChatBedrockConverse"
    speaks = "bedrock_converse"
    model = "us.anthropic.claude-sonnet-4-20250514-v1:0"
    lacks = frozenset({"structured output"})

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatBedrockConverse(
            model=self.model,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            max_retries=0,
        )


@client
class Mistral(LangChain):
    name = "langchain-mistralai"
    speaks = "openai_compatible:mistral"
    model = "magistral-medium-latest"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatMistralAI(model=self.model, endpoint=f"{url}/mistral/v1", api_key="test", max_retries=0)


@client
class Ollama(LangChain):
    name = "langchain-ollama"
    speaks = "ollama.chat"
    model = "qwen3"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatOllama(model=self.model, base_url=url, reasoning=True)

    def structured(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {"format": schema}

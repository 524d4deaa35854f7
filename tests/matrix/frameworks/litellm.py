"""LiteLLM: one function for every provider, whose answers are in OpenAI's terms."""

from __future__ import annotations

from typing import Any

import litellm

from matrix import Question, Seen, client
from matrix.clients.openai import Chat

litellm.suppress_debug_info = True
litellm.telemetry = False


class LiteLLM(Chat):
    """`litellm.completion(…)` for one provider."""

    reasoning_key = "reasoning_content"

    def asked(self, question: Question) -> dict[str, Any]:
        return super().asked(question) | {"num_retries": 0, "max_retries": 0} | self.where()

    def where(self) -> dict[str, Any]:
        return {"api_base": self.url, "api_key": "test"}

    def ask(self, question: Question, stream: bool) -> Seen:
        self.sdk = _Sdk
        return super().ask(question, stream)


class _Sdk:
    """LiteLLM as the SDK that it takes the place of."""

    class chat:
        class completions:
            create = staticmethod(litellm.completion)


@client
class OpenAI(LiteLLM):
    name = "litellm openai"
    speaks = "openai_chat"
    model = "openai/gpt-5"

    def where(self) -> dict[str, Any]:
        return {"api_base": f"{self.url}/v1", "api_key": "test"}


@client
class Anthropic(LiteLLM):
    name = "litellm anthropic"
    speaks = "anthropic_messages"
    model = "anthropic/claude-haiku-4-5"


@client
class Gemini(LiteLLM):
    name = "litellm gemini"
    speaks = "gemini"
    model = "gemini/gemini-2.5-flash"

    def where(self) -> dict[str, Any]:
        return {"api_base": f"{self.url}/v1beta/models/gemini-2.5-flash", "api_key": "test"}


@client
class Bedrock(LiteLLM):
    name = "litellm bedrock"
    speaks = "bedrock_converse"
    model = "bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0"
    lacks = frozenset({"structured output"})  # it asks for a tool instead

    def where(self) -> dict[str, Any]:
        return {
            "aws_bedrock_runtime_endpoint": self.url,
            "aws_region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }


@client
class Ollama(LiteLLM):
    name = "litellm ollama"
    speaks = "ollama.chat"
    model = "ollama_chat/qwen3"
    lacks = frozenset({"parallel tools"})  # it takes those of a stream for one

"""Providers that speak OpenAI's chat: with their own SDKs, or with OpenAI's at their address."""

from __future__ import annotations

from typing import Any, ClassVar

from cerebras.cloud.sdk import Cerebras
from groq import Groq
from mistralai.client import Mistral
from openai import OpenAI
from together import Together

from matrix import Question, Seen, client
from matrix.clients.openai import Chat, Completions, tokens_of


class Hosted(Chat):
    """OpenAI's SDK at a provider's base path."""

    base: ClassVar[str]

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = OpenAI(base_url=url + self.base, api_key="test", max_retries=0)


def hosted(provider: str, base: str, reasoning: str) -> None:
    """Adds a client for a provider; `reasoning` is its key for thoughts, empty if it tells none."""
    lacks = frozenset() if reasoning else frozenset({"reasoning"})
    members = {
        "__module__": __name__,
        "name": f"openai at {provider}",
        "speaks": f"openai_compatible:{provider}",
        "base": base,
        "reasoning_key": reasoning,
        "lacks": lacks,
    }
    client(type(provider.title(), (Hosted,), members))


for named in (
    ("huggingface", "/huggingface/v1", "reasoning"),
    ("fireworks", "/inference/v1", "reasoning_content"),
    ("zai", "/api/paas/v4", "reasoning_content"),
    ("gemini", "/v1beta/openai", ""),
    ("deepseek", "/deepseek", "reasoning_content"),
    ("xai", "/xai/v1", "reasoning_content"),
    ("vllm", "/vllm/v1", "reasoning"),
    ("litellm", "/litellm", "reasoning_content"),
    ("ollama", "/ollama/v1", "reasoning"),
):
    hosted(*named)


class Stainless(Chat):
    """SDKs that are generated as OpenAI's is."""

    reasoning_key = "reasoning"

    def streaming(self) -> dict[str, Any]:
        return {"stream": True}


@client
class GroqChat(Stainless):
    name = "groq"
    speaks = "openai_compatible:groq"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = Groq(base_url=url, api_key="test", max_retries=0)


@client
class TogetherChat(Stainless):
    name = "together"
    speaks = "openai_compatible:together"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = Together(base_url=url, api_key="test", max_retries=0)


@client
class CerebrasChat(Stainless):
    name = "cerebras"
    speaks = "openai_compatible:cerebras"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = Cerebras(base_url=url, api_key="test", max_retries=0, warm_tcp_connection=False)


@client
class MistralChat(Chat):
    name = "mistralai"
    speaks = "openai_compatible:mistral"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = Mistral(server_url=url, api_key="test")

    def _whole(self, question: Question) -> Seen:
        answer = self.sdk.chat.complete(**self.asked(question))
        (choice,) = answer.choices
        seen = Seen(finish=choice.finish_reason, tokens=tokens_of(answer.usage))
        _take(seen, choice.message.content)
        for call in choice.message.tool_calls or ():
            seen.call(call.function.name, call.function.arguments)
        if seen.calls and seen.text:
            seen.order.clear()
        return seen

    def _streamed(self, question: Question) -> Seen:
        seen = Seen()
        with self.sdk.chat.stream(**self.asked(question)) as stream:
            for event in stream:
                (choice,) = event.data.choices
                seen.finish = choice.finish_reason or seen.finish
                seen.tokens = tokens_of(event.data.usage) or seen.tokens
                _take(seen, choice.delta.content)
                for call in choice.delta.tool_calls or ():
                    seen.call(call.function.name, call.function.arguments)
        return seen


def _take(seen: Seen, content: Any) -> None:
    """Mistral's content: text, or a list of thoughts and texts."""
    for part in content if isinstance(content, list) else ():
        if part.type == "thinking":
            seen.think("".join(thought.text for thought in part.thinking))
        else:
            seen.say(part.text)
    if isinstance(content, str):
        seen.say(content)


@client
class OpenRouterChat(Hosted):
    name = "openai at OpenRouter"
    speaks = "openrouter"
    base = "/api/v1"
    reasoning_key = "reasoning"


@client
class OpenRouterCompletions(Completions):
    name = "openai completions at OpenRouter"
    speaks = "openrouter.completions"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = OpenAI(base_url=f"{url}/api/v1", api_key="test", max_retries=0)

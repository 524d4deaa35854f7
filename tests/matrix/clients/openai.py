"""The official OpenAI SDK: chat completions, its own and Azure's, and legacy completions."""

from __future__ import annotations

from typing import Any, ClassVar

from openai import AzureOpenAI, OpenAI

from matrix import BEYOND_TEXT, Client, Pieces, Question, Seen, client


class Chat(Client):
    """An SDK whose chat is that of OpenAI's: `client.chat.completions.create(…)`."""

    model = "gpt-5"
    sdk: Any
    reasoning_key: ClassVar[str] = "reasoning_content"

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model, "messages": list(question.messages)}
        if question.tools:
            asked["tools"] = list(question.tools)
        if question.schema is not None:
            schema = {"name": "answer", "schema": question.schema, "strict": True}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        return self._streamed(question) if stream else self._whole(question)

    def _whole(self, question: Question) -> Seen:
        completion = self.sdk.chat.completions.create(**self.asked(question))
        (choice,) = completion.choices
        seen = Seen(finish=choice.finish_reason, tokens=tokens_of(completion.usage))
        seen.think(getattr(choice.message, self.reasoning_key, None))
        seen.say(choice.message.content)
        for call in choice.message.tool_calls or ():
            seen.call(call.function.name, call.function.arguments)
        if seen.calls and seen.text:
            seen.order.clear()  # a message has both, and does not say which came first
        return seen

    def streaming(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_usage": True}}

    def _streamed(self, question: Question) -> Seen:
        seen = Seen()
        calls = Pieces(seen)
        for chunk in self.sdk.chat.completions.create(**self.asked(question), **self.streaming()):
            seen.tokens = tokens_of(getattr(chunk, "usage", None)) or seen.tokens
            for choice in chunk.choices:
                seen.finish = choice.finish_reason or seen.finish
                seen.think(getattr(choice.delta, self.reasoning_key, None))
                seen.say(choice.delta.content)
                for call in choice.delta.tool_calls or ():
                    calls.add(call.index, call.function.name, call.function.arguments)
        calls.end()
        return seen


def tokens_of(usage: Any) -> tuple[int, int] | None:
    return (usage.prompt_tokens, usage.completion_tokens) if usage else None


@client
class OpenAIChat(Chat):
    name = "openai"
    speaks = "openai_chat"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)


@client
class AzureChat(Chat):
    name = "openai AzureOpenAI"
    speaks = "azure_openai:chat"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = AzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key="test", max_retries=0)


@client
class Completions(Client):
    name = "openai completions"
    speaks = "openai_completions"
    model = "gpt-3.5-turbo-instruct"
    lacks = BEYOND_TEXT

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)

    def ask(self, question: Question, stream: bool) -> Seen:
        asked: dict[str, Any] = {"model": self.model, "prompt": question.messages[-1]["content"]}
        seen = Seen()
        if stream:
            completions = self.sdk.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        else:
            completions = [self.sdk.completions.create(**asked)]
        for completion in completions:
            seen.tokens = tokens_of(completion.usage) or seen.tokens
            for choice in completion.choices:
                seen.say(choice.text)
                seen.finish = choice.finish_reason or seen.finish
        return seen

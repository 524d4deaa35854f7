"""The official OpenAI SDK: Responses, OpenAI's own and Azure's."""

from __future__ import annotations

from typing import Any

from openai import AzureOpenAI, OpenAI

from matrix import Client, Question, Seen, client, functions


class Responses(Client):
    """A client of the SDK: `client.responses.create(…)`, and `.stream(…)`."""

    model = "gpt-5"
    sdk: Any

    def asked(self, question: Question) -> dict[str, Any]:
        items = [item for message in question.messages for item in _items(message)]
        asked: dict[str, Any] = {"model": self.model, "input": items}
        if question.tools:
            asked["tools"] = functions(question.tools, lambda function: {"type": "function", **function})
        if question.schema is not None:
            asked["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": question.schema}}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        if not stream:
            return _seen(self.sdk.responses.create(**self.asked(question)))
        with self.sdk.responses.stream(**self.asked(question)) as events:
            pieces = sum(event.type == "response.output_text.delta" for event in events)
            return _seen(events.get_final_response(), pieces)


def _items(message: dict[str, Any]) -> list[dict[str, Any]]:
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": message["content"]}]
    calls = [
        {"type": "function_call", "call_id": call["id"], **call["function"]} for call in message.get("tool_calls", ())
    ]
    return calls or [message]


def _seen(response: Any, pieces: int = 0) -> Seen:
    seen = Seen(finish=response.status, tokens=(response.usage.input_tokens, response.usage.output_tokens))
    for item in response.output:
        if item.type == "reasoning":
            for part in item.summary:
                seen.think(part.text)
        elif item.type == "message":
            for part in item.content:
                seen.say(part.text)
        elif item.type == "function_call":
            seen.call(item.name, item.arguments)
    seen.pieces = pieces
    return seen


@client
class OpenAIResponses(Responses):
    name = "openai responses"
    speaks = "openai_responses"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)


@client
class AzureResponses(Responses):
    name = "openai AzureOpenAI responses"
    speaks = "openai_responses"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = AzureOpenAI(azure_endpoint=url, api_version="2025-03-01-preview", api_key="test", max_retries=0)

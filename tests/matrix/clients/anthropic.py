"""The official Anthropic SDK, on Anthropic's own paths and on other platforms'."""

from __future__ import annotations

import json
from typing import Any

from anthropic import Anthropic, AnthropicFoundry, AnthropicVertex

from matrix import Client, Question, Seen, client, functions


class Messages(Client):
    """A client of the SDK: `client.messages.create(…)`."""

    model = "claude-haiku-4-5"
    sdk: Any

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model, "max_tokens": 1000, "messages": []}
        for message in question.messages:
            if message["role"] == "system":
                asked["system"] = message["content"]
            else:
                asked["messages"].append(_message(message))
        if question.tools:
            asked["tools"] = functions(question.tools, _tool)
        if question.schema is not None:
            asked["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        if stream:
            with self.sdk.messages.stream(**self.asked(question)) as events:
                pieces = sum(event.type == "text" for event in events)
                return _seen(events.get_final_message(), pieces)
        return _seen(self.sdk.messages.create(**self.asked(question)))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        result = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}
        return {"role": "user", "content": [result]}
    calls = message.get("tool_calls", ())
    if not calls:
        return message
    return {
        "role": "assistant",
        "content": [
            {
                "type": "tool_use",
                "id": call["id"],
                "name": call["function"]["name"],
                "input": json.loads(call["function"]["arguments"]),
            }
            for call in calls
        ],
    }


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": function["name"],
        "description": function["description"],
        "input_schema": function["parameters"],
    }


def _seen(message: Any, pieces: int = 0) -> Seen:
    seen = Seen(finish=message.stop_reason, tokens=(message.usage.input_tokens, message.usage.output_tokens))
    for block in message.content:
        if block.type == "thinking":
            seen.think(block.thinking)
        elif block.type == "text":
            seen.say(block.text)
        elif block.type == "tool_use":
            seen.call(block.name, block.input)
    seen.pieces = pieces
    return seen


@client
class AnthropicMessages(Messages):
    name = "anthropic"
    speaks = "anthropic_messages"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = Anthropic(base_url=url, api_key="test", max_retries=0)


@client
class Foundry(Messages):
    name = "anthropic AnthropicFoundry"
    speaks = "anthropic_messages"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = AnthropicFoundry(base_url=f"{url}/anthropic", api_key="test", max_retries=0)


@client
class Vertex(Messages):
    name = "anthropic AnthropicVertex"
    speaks = "anthropic_messages.vertex"
    model = "claude-haiku-4-5@20251001"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = AnthropicVertex(
            base_url=f"{url}/v1", region="us-east5", project_id="p", access_token="test", max_retries=0
        )

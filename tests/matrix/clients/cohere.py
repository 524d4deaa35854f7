"""The official Cohere SDK, in both versions of the API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import cohere

from matrix import Client, Pieces, Question, Seen, client, functions


@client
class Chat(Client):
    name = "cohere ClientV2"
    speaks = "cohere"
    model = "command-a-03-2025"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = cohere.ClientV2(base_url=url, api_key="test", max_retries=0)

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model, "messages": question.messages}
        if question.tools:
            asked["tools"] = question.tools
        if question.schema is not None:
            asked["response_format"] = {"type": "json_object", "json_schema": question.schema}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        if stream:
            return _streamed(self.sdk.chat_stream(**self.asked(question)))
        answer = self.sdk.chat(**self.asked(question))
        seen = Seen(finish=answer.finish_reason, tokens=_tokens(answer.usage))
        for block in answer.message.content or ():
            if block.type == "thinking":
                seen.think(block.thinking)
            else:
                seen.say(block.text)
        for call in answer.message.tool_calls or ():
            seen.call(call.function.name, call.function.arguments)
        seen.order.clear()  # contents and calls stand apart
        return seen


def _streamed(events: Iterable[Any]) -> Seen:
    seen = Seen()
    calls = Pieces(seen)
    for event in events:
        if event.type == "content-delta":
            seen.think(event.delta.message.content.thinking)
            seen.say(event.delta.message.content.text)
        elif event.type == "tool-call-start":
            calls.add(event.index, event.delta.message.tool_calls.function.name, None)
        elif event.type == "tool-call-delta":
            calls.add(event.index, None, event.delta.message.tool_calls.function.arguments)
        elif event.type == "message-end":
            seen.finish, seen.tokens = event.delta.finish_reason, _tokens(event.delta.usage)
    calls.end()
    return seen


def _tokens(told: Any) -> tuple[int, int]:
    return (told.tokens.input_tokens, told.tokens.output_tokens)


@client
class LegacyChat(Client):
    name = "cohere Client"
    speaks = "cohere.v1"
    model = "command-r"
    lacks = frozenset({"reasoning"})

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = cohere.Client(base_url=url, api_key="test", max_retries=0, log_warning_experimental_features=False)

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model, "message": "", "chat_history": [], "tool_results": []}
        called: dict[str, Any] = {}
        for message in question.messages:
            if message["role"] == "system":
                asked["preamble"] = message["content"]
            elif message["role"] == "user":
                asked["chat_history"].append({"role": "USER", "message": message["content"]})
            elif message["role"] == "assistant":
                calls = {call["id"]: _call(call["function"]) for call in message.get("tool_calls", ())}
                called |= calls
                turn = {"role": "CHATBOT", "message": message["content"] or "", "tool_calls": list(calls.values())}
                asked["chat_history"].append(turn)
            else:
                result = {"call": called[message["tool_call_id"]], "outputs": [{"output": message["content"]}]}
                asked["tool_results"].append(result)
        if not asked["tool_results"]:
            asked["message"] = asked["chat_history"].pop()["message"]
        if question.tools:
            asked["tools"] = functions(question.tools, _tool)
        if question.schema is not None:
            asked["response_format"] = {"type": "json_object", "schema": question.schema}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        pieces = 0
        if stream:
            answer = None
            for event in self.sdk.chat_stream(**self.asked(question)):
                pieces += event.event_type == "text-generation"
                answer = event.response if event.event_type == "stream-end" else answer
            if answer is None:
                return Seen()
        else:
            answer = self.sdk.chat(**self.asked(question))
        seen = Seen(finish=answer.finish_reason, tokens=_tokens(answer.meta))
        seen.say(answer.text)
        for call in answer.tool_calls or ():
            seen.call(call.name, call.parameters)
        seen.order.clear()  # text and calls stand apart
        seen.pieces = pieces
        return seen


def _call(function: dict[str, Any]) -> dict[str, Any]:
    return {"name": function["name"], "parameters": json.loads(function["arguments"])}


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": function["name"],
        "description": function["description"],
        "parameter_definitions": {
            name: {"type": each["type"], "required": name in function["parameters"]["required"]}
            for name, each in function["parameters"]["properties"].items()
        },
    }

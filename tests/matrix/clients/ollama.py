"""The official Ollama SDK."""

from __future__ import annotations

import json
from typing import Any

from ollama import Client as SDK

from matrix import BEYOND_TEXT, Client, Question, Seen, client


class Ollama(Client):
    """A client of the SDK."""

    model = "qwen3"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = SDK(url)


@client
class Chat(Ollama):
    name = "ollama"
    speaks = "ollama.chat"

    def ask(self, question: Question, stream: bool) -> Seen:
        asked: dict[str, Any] = {
            "messages": [_message(message) for message in question.messages],
            "tools": question.tools,
            "format": question.schema,
        }
        if stream:
            seen = Seen()
            for line in self.sdk.chat(self.model, **asked, stream=True):
                _take(seen, line)
            return seen
        seen = _take(Seen(), self.sdk.chat(self.model, **asked))
        seen.order.clear()  # text and calls stand beside one another
        return seen


@client
class Generate(Ollama):
    name = "ollama generate"
    speaks = "ollama.generate"
    lacks = BEYOND_TEXT - {"reasoning", "structured output"}

    def ask(self, question: Question, stream: bool) -> Seen:
        asked: dict[str, Any] = {"prompt": question.messages[-1]["content"], "format": question.schema}
        seen = Seen()
        lines = (
            self.sdk.generate(self.model, **asked, stream=True) if stream else [self.sdk.generate(self.model, **asked)]
        )
        for line in lines:
            seen.think(line.thinking)
            seen.say(line.response)
            _end(seen, line)
        return seen


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """The SDK knows no ids of calls, and takes their arguments as objects."""
    told = {"role": message["role"], "content": message["content"]}
    if message["role"] == "tool":
        told["tool_name"] = "get_weather"
    if "tool_calls" in message:
        functions = [call["function"] for call in message["tool_calls"]]
        told["tool_calls"] = [
            {"function": {"name": function["name"], "arguments": json.loads(function["arguments"])}}
            for function in functions
        ]
    return told


def _take(seen: Seen, line: Any) -> Seen:
    seen.think(line.message.thinking)
    seen.say(line.message.content)
    for call in line.message.tool_calls or ():
        seen.call(call.function.name, dict(call.function.arguments))
    _end(seen, line)
    return seen


def _end(seen: Seen, line: Any) -> None:
    if line.done:
        seen.finish = line.done_reason
        seen.tokens = (line.prompt_eval_count, line.eval_count)

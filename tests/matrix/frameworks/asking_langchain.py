"""How LangChain's chat models are asked, and their answers read, whichever provider they are for."""

from __future__ import annotations

from typing import Any

import orjson
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from matrix import Client, Question, Seen


class LangChain(Client):
    """A chat model: `model.invoke(…)` and `model.stream(…)`."""

    sdk: Any

    def ask(self, question: Question, stream: bool) -> Seen:
        model = self.sdk
        if question.tools:
            model = model.bind_tools(list(question.tools))
        if question.schema is not None:
            model = model.bind(**self.structured(question.schema))
        messages = [_message(each) for each in question.messages]
        if not stream:
            return _seen(model.invoke(messages), 0)
        whole, pieces = None, 0
        for chunk in model.stream(messages):
            pieces += bool(chunk.text)
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        return _seen(whole, pieces)

    def structured(self, schema: dict[str, Any]) -> dict[str, Any]:
        named = {"name": "answer", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": named}}


def _message(message: dict[str, Any]) -> Any:
    if message["role"] == "system":
        return SystemMessage(message["content"])
    if message["role"] == "tool":
        return ToolMessage(message["content"], tool_call_id=message["tool_call_id"], name="get_weather")
    if "tool_calls" in message:
        calls = [
            {"id": call["id"], "name": call["function"]["name"], "args": orjson.loads(call["function"]["arguments"])}
            for call in message["tool_calls"]
        ]
        return AIMessage("", tool_calls=calls)
    return HumanMessage(message["content"])


def _seen(message: Any, pieces: int) -> Seen:
    seen = Seen()
    if message.usage_metadata:
        seen.tokens = (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"])
    for block in message.content_blocks:
        if block["type"] == "reasoning":
            seen.think(block.get("reasoning"))
        elif block["type"] == "text":
            seen.say(block["text"])
        elif block["type"] == "tool_call":
            seen.call(block["name"], block["args"])
    if seen.text and seen.calls:
        seen.order.clear()  # calls come last, wherever they were
    seen.pieces = pieces
    return seen

"""The official Google SDK's interactions, on the Gemini API and on Vertex AI."""

from __future__ import annotations

from typing import Any

import google.auth.credentials
import orjson
from google import genai
from google.genai import types

from matrix import Client, Pieces, Question, Seen, client, functions


@client
class Interactions(Client):
    name = "google-genai interactions"
    speaks = "gemini_interactions"
    model = "gemini-3-flash-preview"

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url)
        http = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
        self.sdk = genai.Client(http_options=http, **options or {"api_key": "test"})

    def ask(self, question: Question, stream: bool) -> Seen:
        return self._streamed(question) if stream else self._whole(question)

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model, "input": []}
        for message in question.messages:
            if message["role"] == "system":
                asked["system_instruction"] = message["content"]
            else:
                asked["input"] += _steps(message)
        if question.tools:
            asked["tools"] = functions(question.tools, lambda function: {"type": "function", **function})
        if question.schema is not None:
            wanted = {"type": "text", "mime_type": "application/json", "schema": question.schema}
            asked["response_format"] = wanted
        return asked

    def _whole(self, question: Question) -> Seen:
        told = self.sdk.interactions.create(**self.asked(question))
        seen = Seen(finish=told.status, tokens=_tokens(told.usage))
        for step in told.steps:
            if step.type == "thought":
                seen.think("".join(content.text for content in step.summary or ()))
            elif step.type == "model_output":
                seen.say("".join(content.text for content in step.content))
            elif step.type == "function_call":
                seen.call(step.name, step.arguments)
        return seen

    def _streamed(self, question: Question) -> Seen:
        seen = Seen()
        calls = Pieces(seen)
        for event in self.sdk.interactions.create(**self.asked(question), stream=True):
            if event.event_type == "step.start" and event.step.type == "function_call":
                calls.add(event.index, event.step.name, None)
            elif event.event_type == "step.delta":
                delta = event.delta
                if delta.type == "arguments_delta":
                    calls.add(event.index, None, delta.arguments)
                elif delta.type == "thought_summary":
                    seen.think(delta.content.text)
                elif delta.type == "text":
                    seen.say(delta.text)
            elif event.event_type == "interaction.completed":
                seen.finish, seen.tokens = event.interaction.status, _tokens(event.interaction.usage)
        calls.end()
        return seen


@client
class VertexInteractions(Interactions):
    name = "google-genai interactions on Vertex"

    def __init__(self, url: str) -> None:
        credentials = google.auth.credentials.AnonymousCredentials()
        credentials.token = "test"
        super().__init__(url, vertexai=True, project="p", location="global", credentials=credentials)


def _steps(message: dict[str, Any]) -> list[dict[str, Any]]:
    if message["role"] == "tool":
        return [{"type": "function_result", "call_id": message["tool_call_id"], "result": message["content"]}]
    kind = "user_input" if message["role"] == "user" else "model_output"
    said = [{"type": kind, "content": [{"type": "text", "text": message["content"]}]}] if message["content"] else []
    calls = [
        {
            "type": "function_call",
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": orjson.loads(call["function"]["arguments"]),
        }
        for call in message.get("tool_calls", ())
    ]
    return said + calls


def _tokens(usage: Any) -> tuple[int, int] | None:
    return (usage.total_input_tokens, usage.total_output_tokens) if usage else None

"""Google's official Gen AI SDK, on the Developer API and on Vertex AI."""

from __future__ import annotations

import json
from typing import Any

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from matrix import Client, Question, Seen, client, functions


class Generate(Client):
    """A client of the SDK: `client.models.generate_content(…)`."""

    model = "gemini-2.5-flash"
    sdk: genai.Client

    def asked(self, question: Question) -> dict[str, Any]:
        config: dict[str, Any] = {"automatic_function_calling": {"disable": True}}
        contents = []
        names: dict[str, str] = {}
        for message in question.messages:
            if message["role"] == "system":
                config["system_instruction"] = message["content"]
            else:
                contents.append(_content(message, names))
        if question.tools:
            declared = functions(question.tools, _declaration)
            config["tools"] = [types.Tool(function_declarations=declared)]
        if question.schema is not None:
            config |= {"response_mime_type": "application/json", "response_json_schema": question.schema}
        return {"model": self.model, "contents": contents, "config": config}

    def ask(self, question: Question, stream: bool) -> Seen:
        seen = Seen()
        if stream:
            for chunk in self.sdk.models.generate_content_stream(**self.asked(question)):
                _see(chunk, seen)
        else:
            _see(self.sdk.models.generate_content(**self.asked(question)), seen)
        return seen


def _content(message: dict[str, Any], names: dict[str, str]) -> types.Content:
    """A message as a turn; `names` has those of the calls so far, since results tell them too."""
    if message["role"] == "tool":
        call_id = message["tool_call_id"]
        response = {"result": message["content"]}
        part = types.Part(function_response=types.FunctionResponse(id=call_id, name=names[call_id], response=response))
        return types.Content(role="user", parts=[part])
    if "tool_calls" not in message:
        role = "user" if message["role"] == "user" else "model"
        return types.Content(role=role, parts=[types.Part(text=message["content"])])
    parts = []
    for call in message["tool_calls"]:
        name = names[call["id"]] = call["function"]["name"]
        arguments = json.loads(call["function"]["arguments"])
        parts.append(types.Part(function_call=types.FunctionCall(id=call["id"], name=name, args=arguments)))
    return types.Content(role="model", parts=parts)


def _declaration(function: dict[str, Any]) -> types.FunctionDeclaration:
    return types.FunctionDeclaration(
        name=function["name"],
        description=function["description"],
        parameters_json_schema=function["parameters"],
    )


def _see(response: types.GenerateContentResponse, seen: Seen) -> None:
    """Takes in a whole answer, or a chunk of one."""
    (candidate,) = response.candidates or ()
    content = candidate.content or types.Content()
    for part in content.parts or ():
        if part.function_call is not None:
            seen.call(part.function_call.name or "", part.function_call.args)
        elif part.thought:
            seen.think(part.text)
        else:
            seen.say(part.text)
    if candidate.finish_reason is not None:
        seen.finish = candidate.finish_reason.value
    usage = response.usage_metadata
    if usage is not None:
        seen.tokens = (usage.prompt_token_count or 0, usage.candidates_token_count or 0)


@client
class Developer(Generate):
    name = "google-genai"
    speaks = "gemini"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=url))


@client
class Beta(Generate):
    name = "google-genai v1beta"
    speaks = "gemini"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        options = types.HttpOptions(base_url=url, api_version="v1beta")
        self.sdk = genai.Client(api_key="test", http_options=options)


@client
class Vertex(Generate):
    name = "google-genai Vertex AI"
    speaks = "gemini.vertex"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = genai.Client(
            vertexai=True,
            project="p",
            location="us-central1",
            credentials=Credentials(token="test"),  # type: ignore[no-untyped-call]
            http_options=types.HttpOptions(base_url=url),
        )


@client
class Express(Generate):
    name = "google-genai Vertex AI express"
    speaks = "gemini.vertex"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = genai.Client(vertexai=True, api_key="test", http_options=types.HttpOptions(base_url=url))

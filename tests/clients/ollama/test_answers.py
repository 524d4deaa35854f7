"""Chats and generated texts through the official SDK (wire-ollama §9, §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ollama import Client
from pydantic import BaseModel

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "qwen3", "messages": [{"role": "user", "content": "hello"}]}
PROMPT: dict[str, Any] = {"model": "qwen3", "prompt": "hello"}

Call = Callable[..., Any]


def calls_of(message: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.function.name, dict(call.function.arguments)) for call in message.tool_calls or ()]


# -- chat --------------------------------------------------------------------------------------------------------------


def test_text(mock: AIMock, called: Call) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"})
    told = called("chat", **QUESTION)
    assert (told.model, told.message.role, told.message.content) == ("qwen3", "assistant", "Hi there, né 🚀")
    assert (told.done, told.done_reason) == (True, "stop")
    assert (told.prompt_eval_count, told.eval_count) == (2, 4)
    assert told.eval_count / told.eval_duration * 10**9 == 100
    assert told.message.tool_calls is told.message.thinking is None


def test_lines(mock: AIMock, streamed: Call) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, chunk_size=4)
    told = streamed("chat", **QUESTION)
    assert [line.message.content for line in told] == ["Hi t", "here", ", né", " 🚀", ""]
    assert [line.done for line in told] == [False] * 4 + [True]
    assert [line.eval_count for line in told] == [None] * 4 + [4]
    assert len({line.created_at for line in told}) == 5


REPLIES: list[Any] = [
    ({"content": "Hi"}, ("Hi", "", [])),
    ({"content": ""}, ("", "", [])),
    ({"content": "Hi", "reasoning": "Hm."}, ("Hi", "Hm.", [])),
    ({"toolCalls": [{"name": "f", "arguments": {"x": [1]}}]}, ("", "", [("f", {"x": [1]})])),
    (
        {"toolCalls": [{"name": "f", "arguments": '{"x": 1}'}, {"name": "f", "arguments": ""}]},
        ("", "", [("f", {"x": 1}), ("f", {})]),
    ),
    (
        {"content": "Hi", "reasoning": "Hm.", "toolCalls": [{"name": "f", "arguments": "{}"}]},
        ("Hi", "Hm.", [("f", {})]),
    ),
    (
        {"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}"}, {"type": "text", "text": "Hi"}]},
        ("Hi", "", [("f", {})]),
    ),
]


@pytest.mark.parametrize(("response", "expected"), REPLIES)
def test_a_chat_is_the_same_whole_and_streamed(
    mock: AIMock, called: Call, streamed: Call, response: dict[str, Any], expected: Any
) -> None:
    mock.on_message("hello", response, chunk_size=1)
    whole = called("chat", **QUESTION, think=True).message
    lines = [line.message for line in streamed("chat", **QUESTION, think=True)]
    together = ("".join(line.content for line in lines), "".join(line.thinking or "" for line in lines))
    assert (whole.content, whole.thinking or "", calls_of(whole)) == expected
    assert (*together, [call for line in lines for call in calls_of(line)]) == expected


def test_a_conversation_with_tools(mock: AIMock, called: Call) -> None:
    """The SDK makes a tool of a function; its results are correlated by name, for it knows no ids."""

    def get_weather(city: str) -> str:
        """Tells the weather.

        Args:
          city: where
        """
        return f"sunny in {city}"

    mock.on({"toolCallId": "call_1"}, {"content": "Sunny in Rome."})
    mock.on({"toolName": "get_weather", "hasToolResult": False}, {"toolCalls": [_weather("Paris"), _weather("Rome")]})
    messages: list[Any] = [{"role": "user", "content": "weather?"}]
    told = called("chat", model="qwen3", messages=messages, tools=[get_weather])
    messages.append(told.message)
    for call in told.message.tool_calls:
        content = get_weather(**call.function.arguments)
        messages.append({"role": "tool", "content": content, "tool_name": call.function.name})
    assert called("chat", model="qwen3", messages=messages, tools=[get_weather]).message.content == "Sunny in Rome."
    seen = mock.get_last_request()["body"]
    assert [message.get("tool_call_id") for message in seen["messages"]] == [None, None, "call_0", "call_1"]
    assert seen["tools"][0]["function"]["parameters"]["required"] == ["city"]


def _weather(city: str) -> dict[str, Any]:
    return {"name": "get_weather", "arguments": {"city": city}}


class Country(BaseModel):
    name: str
    capital: str


def test_structured_output(mock: AIMock, called: Call) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": '{"name": "France", "capital": "Paris"}'})
    told = called("chat", **QUESTION, format=Country.model_json_schema(), options={"temperature": 0, "num_predict": 50})
    assert Country.model_validate_json(told.message.content) == Country(name="France", capital="Paris")
    seen = mock.get_last_request()["body"]
    assert (seen["temperature"], seen["max_tokens"]) == (0, 50)


def test_images(mock: AIMock, llama: Client) -> None:
    mock.on_message("what is this?", {"content": "A dot."})
    question = {"role": "user", "content": "what is this?", "images": [b"\x89PNG\r\n\x1a\n"]}
    assert llama.chat("qwen3", [question]).message.content == "A dot."
    (part,) = [part for part in mock.get_last_request()["body"]["messages"][0]["content"] if part["type"] != "text"]
    assert part["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGg")


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("tool_calls", "stop"), ("odd", "odd")])
def test_done_reasons_and_counts(mock: AIMock, called: Call, streamed: Call, finish: str, reason: str) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 9}
    mock.on_message("hello", {"content": "Hi", "finishReason": finish, "usage": usage})
    for told in (called("chat", **QUESTION), streamed("chat", **QUESTION)[-1]):
        assert (told.done_reason, told.prompt_eval_count, told.eval_count) == (reason, 7, 9)


def test_log_probabilities(mock: AIMock, called: Call, streamed: Call) -> None:
    mock.on_message("hello", {"content": "Hi you"})
    told = called("chat", **QUESTION, logprobs=True, top_logprobs=1).logprobs
    assert [token.token for token in told] == ["Hi", " you"]
    lines = streamed("chat", **QUESTION, logprobs=True, top_logprobs=1)
    assert [token for line in lines for token in line.logprobs or ()] == told


@pytest.mark.parametrize(("asked", "named"), [("qwen3", "qwen3:latest"), ("qwen3:latest", "qwen3")])
def test_a_model_is_its_latest(mock: AIMock, llama: Client, asked: str, named: str) -> None:
    mock.on({"model": named}, {"content": "Hi"})
    assert llama.chat(asked, QUESTION["messages"]).model == asked


def test_a_slow_stream_comes_line_by_line(mock: AIMock, llama: Client) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2, latency=1)
    assert [line.message.content for line in llama.chat(**QUESTION, stream=True)] == ["Hi", " t", "he", "re", ""]


# -- generate ----------------------------------------------------------------------------------------------------------


def test_generated_text(mock: AIMock, called: Call, streamed: Call) -> None:
    mock.on_message("hello", {"content": "Hi there", "reasoning": "Hm."}, chunk_size=5)
    told = called("generate", **PROMPT, think=True)
    assert (told.response, told.thinking, told.done_reason) == ("Hi there", "Hm.", "stop")
    lines = streamed("generate", **PROMPT, think=True)
    assert [line.response for line in lines] == ["", "Hi th", "ere", ""]
    assert lines[0].thinking == "Hm."
    assert lines[-1].context == told.context
    again = called("generate", model="qwen3", prompt="hello again", context=told.context)
    assert again.response == "Hi there"


def test_the_system_s_prompt(mock: AIMock, called: Call) -> None:
    mock.on({"systemMessage": "brief", "userMessage": "hello"}, {"content": "Hi"})
    assert called("generate", **PROMPT, system="Be brief.").response == "Hi"


def test_models_are_loaded_and_unloaded(mock: AIMock, called: Call) -> None:
    """wire-ollama §3.3: without asking any fixture."""
    for method in ("chat", "generate"):
        for keep_alive, reason in ((None, "load"), ("5m", "load"), (0, "unload"), ("0s", "unload")):
            told = called(method, model="qwen3", keep_alive=keep_alive)
            assert (told.done, told.done_reason, told.eval_count) == (True, reason, None)
    assert {entry["response"]["status"] for entry in mock.get_requests()} == {200}


# -- embeddings --------------------------------------------------------------------------------------------------------


def test_embeddings(mock: AIMock, called: Call) -> None:
    mock.on({"endpoint": "embedding", "inputText": {"$regex": "^you$"}}, {"embedding": [0.6, 0.8]})
    told = called("embed", model="nomic-embed-text", input=["hello", "you"], dimensions=64)
    assert [len(vector) for vector in told.embeddings] == [64, 2]
    assert told.embeddings[1] == [0.6, 0.8]
    assert sum(value * value for value in told.embeddings[0]) == pytest.approx(1)
    assert told.prompt_eval_count == 3
    assert called("embed", model="nomic-embed-text", input="hello", dimensions=64).embeddings == [told.embeddings[0]]
    assert called("embed", model="nomic-embed-text", input="").embeddings == []


def test_embeddings_of_the_older_form(mock: AIMock, called: Call) -> None:
    """Not taken for OpenAI's, whose path ends alike."""
    mock.on({"endpoint": "embedding", "inputText": "you"}, {"embedding": [3.0, 4.0]})
    assert called("embeddings", model="nomic-embed-text", prompt="you").embedding == [3.0, 4.0]
    assert len(called("embeddings", model="nomic-embed-text", prompt="hello").embedding) == 1536
    assert called("embeddings", model="nomic-embed-text", prompt="").embedding == []

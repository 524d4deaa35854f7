"""Mistral's SDK, unmodified, at the server's address: known by its own header on paths that are OpenAI's too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "magistral-x", "messages": [{"role": "user", "content": "hello"}]}
CALLS = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]


@pytest.fixture
def mistral(mock: AIMock) -> Iterator[Mistral]:
    with Mistral(api_key="test", server_url=mock.url) as client:
        yield client


def test_text_whole_and_streamed(mock: AIMock, mistral: Mistral) -> None:
    mock.on_message("hello", {"content": "Hi there, né"}, chunk_size=3)
    answer = mistral.chat.complete(**QUESTION)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hi there, né", "stop")
    assert (len(answer.id), answer.usage.prompt_tokens) == (32, 2)
    with mistral.chat.stream(**QUESTION) as stream:
        chunks = [event.data for event in stream]
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "Hi there, né"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens
    assert all(entry["path"] == "/v1/chat/completions" for entry in mock.get_requests())


def test_parallel_calls_with_text_come_whole_and_finish(mock: AIMock, mistral: Mistral) -> None:
    mock.on_message("hello", {"content": "Hi", "toolCalls": CALLS})
    message = mistral.chat.complete(**QUESTION).choices[0].message
    with mistral.chat.stream(**QUESTION) as stream:
        *_, last = [event.data.choices[0] for event in stream]
    assert last.finish_reason == "tool_calls"
    for calls in (message.tool_calls, last.delta.tool_calls):
        assert [(call.index, call.function.name) for call in calls] == [(0, "f"), (1, "g")]
        assert [json.loads(call.function.arguments) for call in calls] == [{"x": 1}, {}]
        assert all(len(call.id) == 9 for call in calls)


def test_thoughts_are_parts_of_the_content(mock: AIMock, mistral: Mistral) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm, I see"}, chunk_size=4)
    thought, text = mistral.chat.complete(**QUESTION).choices[0].message.content
    assert (thought.type, thought.thinking[0].text, text.text) == ("thinking", "Hm, I see", "Hi")
    with mistral.chat.stream(**QUESTION) as stream:
        contents = [event.data.choices[0].delta.content for event in stream]
    thoughts = [content[0].thinking[0].text for content in contents if isinstance(content, list)]
    assert "".join(thoughts) == "Hm, I see"
    assert "".join(content for content in contents if isinstance(content, str)) == "Hi"


def test_asynchronously(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)

    async def ask() -> tuple[str, str]:
        async with Mistral(api_key="test", server_url=mock.url) as client:
            whole = await client.chat.complete_async(**QUESTION)
            stream = await client.chat.stream_async(**QUESTION)
            pieces = [event.data.choices[0].delta.content async for event in stream]
        return whole.choices[0].message.content, "".join(pieces)

    assert asyncio.run(ask()) == ("Hi there", "Hi there")


def test_several_turns(mock: AIMock, mistral: Mistral) -> None:
    mock.on({"hasToolResult": True}, {"content": "It is 5."})
    mock.on_message("hello", {"toolCalls": CALLS[:1]})
    call = mistral.chat.complete(**QUESTION).choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "name": "f", "content": "5"}
    told = mistral.chat.complete(model="m", messages=[*QUESTION["messages"], call, result])
    assert told.choices[0].message.content == "It is 5."


def test_structured_output(mock: AIMock, mistral: Mistral) -> None:
    mock.on({"responseFormat": "json_object"}, {"content": {"city": "Paris"}})
    answer = mistral.chat.complete(**QUESTION, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_errors(mock: AIMock, mistral: Mistral, status: int) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "type": "odd", "code": "c"}, "status": status})
    for ask in (mistral.chat.complete, mistral.chat.stream):
        with pytest.raises(SDKError) as raised:
            ask(**QUESTION)
        assert raised.value.status_code == status
        assert json.loads(raised.value.body) == {
            "object": "error",
            "message": "No.",
            "type": "odd",
            "param": None,
            "code": "c",
        }


def test_what_cannot_be_processed_is_an_exception_of_its_own(mock: AIMock, mistral: Mistral) -> None:
    mock.on_message("hello", {"error": {"message": "Field required", "type": "missing"}, "status": 422})
    with pytest.raises(HTTPValidationError) as raised:
        mistral.chat.complete(**QUESTION)
    (detail,) = raised.value.data.detail
    assert (detail.msg, detail.type, detail.loc) == ("Field required", "missing", ["body"])


def test_a_miss_says_what_came_nearest(mock: AIMock, mistral: Mistral) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    with pytest.raises(SDKError, match="No fixture matched") as raised:
        mistral.chat.complete(**QUESTION)
    assert "goodbye" in json.loads(raised.value.body)["hint"]


def test_models(mock: AIMock, mistral: Mistral) -> None:
    mock.on({"model": "org/x"}, {"content": "Hi"})
    (listed,) = mistral.models.list().data
    assert (listed.id, listed.capabilities.completion_chat) == ("org/x", True)
    assert mistral.models.retrieve(model_id="org/x").id == "org/x"
    with pytest.raises(SDKError):
        mistral.models.retrieve(model_id="none")

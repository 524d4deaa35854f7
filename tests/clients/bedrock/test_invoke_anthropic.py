"""Claude on Bedrock by the official Anthropic SDK: as sync code, under asyncio and under Trio (wire-bedrock §10)."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anthropic
import anyio
import pytest
from anthropic import AnthropicBedrock, AsyncAnthropicBedrock, DefaultAsyncHttpxClient, DefaultHttpxClient

from aimock import AIMock

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NAME = "claude-sonnet-4-5-20250929"
QUESTION: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}

Ask = Callable[..., Any]
Work = Callable[[AsyncAnthropicBedrock], Awaitable[Any]]


@pytest.fixture
def connect(mock: AIMock) -> Iterator[Ask]:
    """Makes a client of the SDK, closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> AnthropicBedrock:
            settings = settings_for(mock) | {"http_client": DefaultHttpxClient(verify=False)} | options
            return stack.enter_context(AnthropicBedrock(**settings))

        yield make


@pytest.fixture
def run(mock: AIMock) -> Callable[[str, Work], Any]:
    """Runs an async function of a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work) -> Any:
        async def main() -> Any:
            http = DefaultAsyncHttpxClient(verify=False)
            async with AsyncAnthropicBedrock(**settings_for(mock), http_client=http) as connected:
                return await work(connected)

        return anyio.run(main, backend=backend)

    return run


def settings_for(mock: AIMock) -> dict[str, Any]:
    keys = {"aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "secret"}
    return {"base_url": mock.url, "aws_region": "us-east-1", "max_retries": 0, **keys}


@pytest.fixture
def said(flavour: str, connect: Ask, run: Ask) -> Ask:
    """`create()`; keyword arguments add to QUESTION."""

    def ask(**more: Any) -> Any:
        if flavour == "sync":
            return connect().messages.create(**QUESTION | more)
        return run(flavour, lambda client: client.messages.create(**QUESTION | more))

    return ask


@pytest.fixture
def put_together(flavour: str, connect: Ask, run: Ask) -> Ask:
    """`.stream()`, the helper that puts a stream together, to its final message."""

    def ask(**more: Any) -> Any:
        async def work(client: Any) -> Any:
            async with client.messages.stream(**QUESTION | more) as stream:
                return await stream.get_final_message()

        if flavour != "sync":
            return run(flavour, work)
        with connect().messages.stream(**QUESTION | more) as stream:
            return stream.get_final_message()

    return ask


@pytest.fixture(params=["whole", "streamed"])
def message(request: pytest.FixtureRequest, said: Ask, put_together: Ask) -> Ask:
    return said if request.param == "whole" else put_together


def test_text(mock: AIMock, message: Ask) -> None:
    mock.on({"userMessage": "hello", "model": MODEL}, {"content": "Hello, né 🚀"}, chunk_size=3)
    told = message()
    assert (told.content[0].text, told.stop_reason, told.model) == ("Hello, né 🚀", "end_turn", NAME)
    assert told.id.startswith("msg_bdrk_01")
    assert (told.usage.input_tokens, told.usage.output_tokens) == (2, 3)


def test_tools_in_parallel_and_after_text(mock: AIMock, message: Ask) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]
    mock.on({"toolName": "get_weather"}, {"content": "I look.", "toolCalls": calls}, chunk_size=4)
    told = message(tools=[TOOL], system="Be kind.")
    text, first, second = told.content
    assert (text.text, first.input, second.input) == ("I look.", {"city": "Paris"}, {"city": "Rome"})
    assert told.stop_reason == "tool_use"
    assert first.id.startswith("toolu_bdrk_01")
    assert first.id != second.id


def test_thinking(mock: AIMock, message: Ask) -> None:
    mock.on({}, {"content": "Hi", "reasoning": "Be kind.", "reasoningSignature": "c2lnbmVk"}, chunk_size=3)
    thought, text = message().content
    assert (thought.thinking, thought.signature, text.text) == ("Be kind.", "c2lnbmVk", "Hi")


def test_structured_output(mock: AIMock, message: Ask) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": '{"city": "Paris"}'})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    told = message(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert told.content[0].text == '{"city": "Paris"}'


def test_a_conversation(mock: AIMock, said: Ask) -> None:
    mock.on({"hasToolResult": False}, {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})
    mock.on({"hasToolResult": True}, {"content": "Sunny."})
    asked = said(tools=[TOOL])
    (use,) = asked.content
    turns = [
        *QUESTION["messages"],
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sun"}]},
    ]
    assert said(tools=[TOOL], messages=turns).content[0].text == "Sunny."
    roles = [each["role"] for each in mock.get_last_request()["body"]["messages"]]
    assert roles == ["user", "assistant", "tool"]


def test_events(mock: AIMock, connect: Ask) -> None:
    mock.on({}, {"content": "Hello"}, chunk_size=3)
    types = [event.type for event in connect().messages.create(**QUESTION, stream=True)]
    assert types == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_key_of_bedrock_s(mock: AIMock) -> None:
    mock.on({}, {"content": "Hi"})
    with AnthropicBedrock(api_key="key", aws_region="us-east-1", base_url=mock.url) as client:
        assert client.messages.create(**QUESTION).content[0].text == "Hi"


CLASSES = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (503, anthropic.InternalServerError),
]


@pytest.mark.parametrize(("status", "kind"), CLASSES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_status_has_its_class(mock: AIMock, connect: Ask, status: int, kind: Any, stream: bool) -> None:
    mock.on({}, {"error": {"message": "No."}, "status": status})
    with pytest.raises(kind, match="No") as raised:
        connect().messages.create(**QUESTION, stream=stream)
    assert raised.value.body == {"message": "No."}


def test_an_error_within_a_stream(mock: AIMock, connect: Ask) -> None:
    error = {"message": "Enough.", "afterChunks": 4}
    mock.on({}, {"content": "0123456789", "midStreamError": error}, chunk_size=2)
    seen: list[Any] = []
    with pytest.raises(anthropic.APIStatusError, match="Enough"):
        seen.extend(connect().messages.create(**QUESTION, stream=True))
    types = [event.type for event in seen]
    assert types == ["message_start", "content_block_start", "content_block_delta", "content_block_delta"]

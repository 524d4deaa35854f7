"""The SDKs of Groq, Together and Cerebras, which are generated alike, unmodified at the server's address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import cerebras.cloud.sdk as cerebras
import groq
import pytest
import together

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CALLS = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]


class SDK(NamedTuple):
    module: Any
    client: Callable[..., Any]
    asynchronous: Callable[..., Any]
    path: str
    options: Mapping[str, Any] = MappingProxyType({})


SDKS = {
    "groq": SDK(groq, groq.Groq, groq.AsyncGroq, "/openai/v1/chat/completions"),
    "together": SDK(together, together.Together, together.AsyncTogether, "/v1/chat/completions"),
    "cerebras": SDK(
        cerebras,
        cerebras.Cerebras,
        cerebras.AsyncCerebras,
        "/v1/chat/completions",
        {"warm_tcp_connection": False},
    ),
}


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> SDK:
    return SDKS[request.param]


@pytest.fixture
def client(mock: AIMock, sdk: SDK) -> Iterator[Any]:
    with sdk.client(api_key="test", base_url=mock.url, max_retries=0, **sdk.options) as connected:
        yield connected


def joined(chunks: list[Any], name: str = "content") -> str:
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    return "".join(getattr(delta, name) or "" for delta in deltas)


def calls_of(chunks: list[Any]) -> list[tuple[str, str]]:
    """The calls of a stream, whether they came whole or in fragments."""
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for chunk in chunks:
        for call in (chunk.choices and chunk.choices[0].delta.tool_calls) or ():
            names.setdefault(int(call.index), call.function.name)
            arguments[int(call.index)] = arguments.get(int(call.index), "") + call.function.arguments
    return [(names[index], arguments[index]) for index in sorted(names)]


def test_text_whole_and_streamed(mock: AIMock, sdk: SDK, client: Any) -> None:
    mock.on_message("hello", {"content": "Hi there, né"}, chunk_size=3)
    whole = client.chat.completions.create(**QUESTION)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hi there, né", "stop")
    chunks = list(client.chat.completions.create(**QUESTION, stream=True))
    assert joined(chunks) == "Hi there, né"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens == 3
    assert {entry["path"] for entry in mock.get_requests()} == {sdk.path}


def test_parallel_calls_with_text_and_reasoning(mock: AIMock, client: Any) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm, I see", "toolCalls": CALLS}, chunk_size=3)
    message = client.chat.completions.create(**QUESTION).choices[0].message
    assert (message.content, message.reasoning) == ("Hi", "Hm, I see")
    told = [(call.function.name, call.function.arguments) for call in message.tool_calls]
    chunks = list(client.chat.completions.create(**QUESTION, stream=True))
    assert told == calls_of(chunks) == [("f", '{"x":1}'), ("g", "{}")]
    assert (joined(chunks), joined(chunks, "reasoning")) == ("Hi", "Hm, I see")
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"


def test_several_turns(mock: AIMock, client: Any) -> None:
    mock.on({"hasToolResult": True}, {"content": "It is 5."})
    mock.on_message("hello", {"toolCalls": CALLS[:1]})
    message = client.chat.completions.create(**QUESTION).choices[0].message
    assert not message.content
    (call,) = message.tool_calls
    said = {"role": "assistant", "content": "", "tool_calls": [call.model_dump(exclude_none=True)]}
    result = {"role": "tool", "tool_call_id": call.id, "content": "5"}
    told = client.chat.completions.create(model="m", messages=[*QUESTION["messages"], said, result])
    assert told.choices[0].message.content == "It is 5."


def test_structured_output(mock: AIMock, client: Any) -> None:
    mock.on({"responseFormat": "json_object"}, {"content": {"city": "Paris"}})
    answer = client.chat.completions.create(**QUESTION, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}


def test_asynchronously(mock: AIMock, sdk: SDK) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)

    async def ask() -> tuple[str, str]:
        async with sdk.asynchronous(api_key="test", base_url=mock.url, max_retries=0, **sdk.options) as client:
            whole = await client.chat.completions.create(**QUESTION)
            chunks = [chunk async for chunk in await client.chat.completions.create(**QUESTION, stream=True)]
        return whole.choices[0].message.content, joined(chunks)

    assert asyncio.run(ask()) == ("Hi there", "Hi there")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
    ],
)
def test_errors(mock: AIMock, sdk: SDK, client: Any, status: int, kind: str) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "type": "odd", "code": "c"}, "status": status})
    for stream in (False, True):
        with pytest.raises(getattr(sdk.module, kind), match="No") as raised:
            client.chat.completions.create(**QUESTION, stream=stream)
        assert raised.value.status_code == status


def test_retries(mock: AIMock, sdk: SDK) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    with sdk.client(api_key="test", base_url=mock.url, max_retries=1, **sdk.options) as client:
        assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


def test_an_error_in_the_midst_of_a_stream(mock: AIMock, sdk: SDK, client: Any) -> None:
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": 2, "message": "boom"}})
    with pytest.raises(sdk.module.APIError, match="boom"):
        list(client.chat.completions.create(**QUESTION, stream=True))


def test_a_request_that_is_none(sdk: SDK, client: Any) -> None:
    with pytest.raises(sdk.module.BadRequestError, match="messages"):
        client.chat.completions.create(**QUESTION | {"messages": "hello"})


def test_groq_has_what_is_its_own(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi"})
    with groq.Groq(api_key="test", base_url=mock.url) as client:
        whole = client.chat.completions.create(**QUESTION)
        first, *_, last = client.chat.completions.create(**QUESTION, stream=True)
    assert (whole.x_groq.seed, whole.service_tier) == (42, "on_demand")
    assert first.x_groq.id == last.x_groq.id
    assert last.x_groq.usage == last.usage


def test_models(mock: AIMock) -> None:
    mock.on({"model": "org/x"}, {"content": "Hi"})
    with groq.Groq(api_key="test", base_url=mock.url) as client:
        (model,) = client.models.list().data
        assert (model.id, model.owned_by, model.active) == ("org/x", "Groq", True)  # type: ignore[attr-defined]
        assert client.models.retrieve("org/x") == model
        with pytest.raises(groq.NotFoundError, match="`none` does not exist"):
            client.models.retrieve("none")
    with cerebras.Cerebras(api_key="test", base_url=mock.url, warm_tcp_connection=False) as client:
        assert [model.id for model in client.models.list().data] == ["org/x"]

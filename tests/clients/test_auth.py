"""API keys, with the official SDK: the right key is let in, any other is the SDK's own AuthenticationError."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, AuthenticationError, AzureOpenAI, OpenAI

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def mock() -> Iterator[AIMock]:
    with AIMock(api_keys=["sk-aimock-1", "sk-aimock-2"]) as running:
        running.on_message("hello", {"content": "Hi"})
        yield running


def azure(mock: AIMock, connect: Callable[..., Any], key: str) -> AzureOpenAI:
    return connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-06-01", api_key=key)


@pytest.mark.parametrize("key", ["sk-aimock-1", "sk-aimock-2"])
def test_the_right_key_is_let_in(mock: AIMock, connect: Callable[..., Any], key: str) -> None:
    for client in (connect(OpenAI, api_key=key), azure(mock, connect, key)):
        assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"
        chunks = list(client.chat.completions.create(**QUESTION, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [200] * 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_key_is_an_authentication_error(mock: AIMock, connect: Callable[..., Any], stream: bool) -> None:
    for client in (connect(OpenAI, api_key="sk-wrong", max_retries=2), azure(mock, connect, "sk-wrong")):
        with pytest.raises(AuthenticationError) as raised:
            client.chat.completions.create(**QUESTION, stream=stream)
        error = raised.value
        assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "authentication_error")
        assert error.body == {
            "message": "Invalid API key",
            "type": "authentication_error",
            "code": "invalid_api_key",
        }
        assert error.request_id
        assert error.response.headers["www-authenticate"] == 'Bearer realm="aimock"'
    assert mock.get_requests() == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_wrong_key_is_an_authentication_error_in_async_code(run_async: Callable[..., Any], backend: str) -> None:
    async def work(client: AsyncOpenAI) -> APIStatusError:
        with pytest.raises(AuthenticationError) as raised:
            await client.chat.completions.create(**QUESTION)
        return raised.value

    assert run_async(backend, work, api_key="sk-wrong").status_code == 401


def test_the_model_list_needs_a_key_too(connect: Callable[..., Any]) -> None:
    assert connect(OpenAI, api_key="sk-aimock-1").models.list().data
    with pytest.raises(AuthenticationError):
        connect(OpenAI, api_key="sk-wrong").models.list()

"""Errors as the official SDK raises them (wire-ollama §5, §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ollama import Client, ResponseError

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "qwen3", "messages": [{"role": "user", "content": "hello"}]}
PROMPT: dict[str, Any] = {"model": "qwen3", "prompt": "hello"}

Call = Callable[..., Any]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize(("method", "asked"), [("chat", QUESTION), ("generate", PROMPT)])
def test_every_status_and_its_message(
    mock: AIMock, called: Call, streamed: Call, method: str, asked: dict[str, Any], status: int
) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "type": "t", "code": "c"}, "status": status})
    for ask in (called, streamed):
        with pytest.raises(ResponseError) as raised:
            ask(method, **asked)
        assert (raised.value.error, raised.value.status_code) == ("No.", status)
    assert len(mock.get_requests()) == 2, "the SDK never retries"


@pytest.mark.parametrize(("strict", "status"), [("false", 404), ("true", 503)])
def test_a_miss(mock: AIMock, strict: str, status: int) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    client = Client(mock.url, headers={"X-AIMock-Strict": strict}, verify=False)
    with client, pytest.raises(ResponseError, match="o fixture matched") as raised:
        client.chat(**QUESTION)
    assert raised.value.status_code == status


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"options": {"stop": ["x"]}, "format": "yaml"}, "invalid format"),
        ({"think": "hard"}, "invalid think value"),
        ({"keep_alive": "soon"}, "invalid duration"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
    ],
)
def test_bad_requests(mock: AIMock, llama: Client, asked: dict[str, Any], message: str) -> None:
    mock.on({}, {"content": "never"})
    for method, question in (("chat", QUESTION), ("generate", PROMPT)):
        with pytest.raises(ResponseError, match=message) as raised:
            llama._request(dict, "POST", f"/api/{method}", json=question | asked)
        assert raised.value.status_code == 400


def test_arguments_as_text_are_refused_by_strict_servers(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi"})
    call = {"function": {"name": "f", "arguments": "{}"}}
    body = {"model": "m", "messages": [*QUESTION["messages"], {"role": "assistant", "tool_calls": [call]}]}
    for strict, status in (("true", 400), ("false", 200)):
        with Client(mock.url, headers={"X-AIMock-Strict": strict}, verify=False) as client:
            assert client._client.post("/api/chat", json=body).status_code == status


@pytest.mark.parametrize("after", [0, 1, 2, 50])
@pytest.mark.parametrize(("method", "asked"), [("chat", QUESTION), ("generate", PROMPT)])
def test_an_error_in_the_midst_of_a_stream_is_raised(
    mock: AIMock, streamed: Call, method: str, asked: dict[str, Any], after: int
) -> None:
    """wire-ollama §9: the status was 200, so the SDK has none."""
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": after, "message": "boom"}})
    seen: list[Any] = []
    with pytest.raises(ResponseError) as raised:
        streamed(method, seen, **asked)
    assert (raised.value.error, raised.value.status_code) == ("boom", -1)
    assert [line.done for line in seen] == [False] * min(after, 1)


def test_a_stream_that_breaks_off(mock: AIMock, streamed: Call) -> None:
    """core-lessons E7, field 2.41"""
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2, truncate_after_chunks=3)
    seen: list[Any] = []
    with pytest.raises(Exception, match="peer closed connection"):
        streamed("chat", seen, **QUESTION)
    assert [line.done for line in seen] == [False] * 3
    assert mock.get_last_request()["response"]["interruptReason"] == "truncateAfterChunks"


def test_quotas() -> None:
    with AIMock(quota={"requestsPerMinute": 1}) as limited, Client(limited.url, verify=False) as client:
        limited.on_message("hello", {"content": "Hi"})
        assert client.chat(**QUESTION).message.content == "Hi"
        with pytest.raises(ResponseError, match="1 requests per minute") as raised:
            client.chat(**QUESTION)
        assert raised.value.status_code == 429

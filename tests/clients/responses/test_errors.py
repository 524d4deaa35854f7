"""Errors of Responses as the official SDK raises them, and its retries (wire-openai-responses §4, §10, §18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from aimock import AIMock

Said = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "gpt-5", "input": "hello"}
STRICT = {"X-AIMock-Strict": "true"}

CLASSES = [
    (400, openai.BadRequestError, 1),
    (401, openai.AuthenticationError, 1),
    (403, openai.PermissionDeniedError, 1),
    (404, openai.NotFoundError, 1),
    (409, openai.ConflictError, 3),
    (422, openai.UnprocessableEntityError, 1),
    (429, openai.RateLimitError, 3),
    (500, openai.InternalServerError, 3),
    (503, openai.InternalServerError, 3),
]


@pytest.mark.parametrize(("status", "kind", "requests"), CLASSES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_error_has_its_class(
    mock: AIMock, connect: Said, status: int, kind: type[Any], requests: int, stream: bool
) -> None:
    """What the SDK retries is asked for three times."""
    mock.on_message("hello", {"error": {"message": "No.", "code": "c"}, "status": status, "retryAfter": 0.001})
    with pytest.raises(kind, match=r"No\.") as raised:
        connect(max_retries=2).responses.create(**QUESTION, stream=stream)
    assert (raised.value.status_code, raised.value.code) == (status, "c")
    assert len(mock.get_requests()) == requests


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
def test_a_retry_after_an_error_succeeds(mock: AIMock, connect: Said, run_async: Said, flavour: str) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    if flavour == "sync":
        response = connect(max_retries=1).responses.create(**QUESTION)
    else:
        response = run_async(flavour, lambda client: client.responses.create(**QUESTION), max_retries=1)
    assert response.output_text == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("after", [0, 1, 5, 50])
def test_an_error_event_is_raised(mock: AIMock, client: OpenAI, run_async: Said, flavour: str, after: int) -> None:
    """wire-openai-responses §18.8: the status was 200, so the event is what tells."""
    broken = {"afterChunks": after, "message": "Overloaded", "type": "server_error", "code": "slow_down"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    seen: list[Any] = []

    async def listen(client: Any) -> None:
        async for event in await client.responses.create(**QUESTION, stream=True):
            seen.append(event)  # noqa: PERF401 - what was seen before the error counts

    def ask() -> None:
        if flavour == "sync":
            seen.extend(client.responses.create(**QUESTION, stream=True))
        else:
            run_async(flavour, listen)

    with pytest.raises(openai.APIError, match="Overloaded") as raised:
        ask()
    assert (raised.value.type, raised.value.code) == ("server_error", "slow_down")
    assert len(seen) == min(after, 10)
    assert "response.completed" not in [event.type for event in seen]


def test_the_helper_raises_it_too(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": 5, "message": "boom"}})
    with client.responses.stream(**QUESTION) as stream, pytest.raises(openai.APIError, match="boom"):
        stream.until_done()


def test_a_stream_that_breaks_off_is_an_error(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2, truncate_after_chunks=5)
    with pytest.raises(Exception, match=r"peer closed connection|Connection error"):
        list(client.responses.create(**QUESTION, stream=True))
    assert mock.get_requests()[0]["response"]["interruptReason"] == "truncateAfterChunks"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": [None]}, "input[0]", "invalid_type"),
        ({"input": [{"role": "user", "content": "x"}, "x"]}, "input[1]", "invalid_type"),
        ({"model": 5}, "model", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"store": "yes"}, "store", "invalid_type"),
        ({"instructions": ["x"]}, "instructions", "invalid_type"),
        ({"conversation": {"id": 5}}, "conversation", "invalid_type"),
        ({"previous_response_id": "a", "conversation": "b"}, None, "mutually_exclusive_parameters"),
    ],
)
def test_a_request_that_is_none(
    mock: AIMock, client: OpenAI, body: dict[str, Any], param: str | None, code: str
) -> None:
    """core-lessons A21"""
    mock.on({}, {"content": "never"})
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**QUESTION, extra_body=body)
    assert (raised.value.type, raised.value.param, raised.value.code) == ("invalid_request_error", param, code)


CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "ok"}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([CALL], "No tool output found for function call a."),
        ([RESULT], "No tool call found for function call output with call_id a."),
        ([CALL, RESULT], None),
        ([{"type": "item_reference", "id": "fc_1"}, RESULT], None),
    ],
)
def test_strict_servers_want_each_call_with_its_result(
    mock: AIMock, client: OpenAI, items: list[Any], message: str | None
) -> None:
    mock.on({}, {"content": "Hi"})
    assert client.responses.create(model="gpt-5", input=items).output_text == "Hi"
    if message is None:
        assert client.responses.create(model="gpt-5", input=items, extra_headers=STRICT).output_text == "Hi"
        return
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="gpt-5", input=items, extra_headers=STRICT)
    assert (raised.value.body["message"], raised.value.param) == (message, "input")


def test_a_miss(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    with pytest.raises(openai.NotFoundError) as raised:
        client.responses.create(**QUESTION)
    assert raised.value.code == "no_fixture_match"
    assert "goodbye" in raised.value.body["hint"]
    with pytest.raises(openai.InternalServerError):
        client.responses.create(**QUESTION, extra_headers=STRICT)

"""Errors as the official SDK raises them, and its retries (wire-anthropic-messages §11, §19, §21)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from aimock import AIMock

QUESTION: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}

Connect = Callable[..., Any]

CLASSES = [
    (400, anthropic.BadRequestError, "invalid_request_error", False),
    (401, anthropic.AuthenticationError, "authentication_error", False),
    (402, anthropic.APIStatusError, "billing_error", False),
    (403, anthropic.PermissionDeniedError, "permission_error", False),
    (404, anthropic.NotFoundError, "not_found_error", False),
    (409, anthropic.ConflictError, "conflict_error", True),
    (413, anthropic.APIStatusError, "request_too_large", False),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error", False),
    (429, anthropic.RateLimitError, "rate_limit_error", True),
    (500, anthropic.InternalServerError, "api_error", True),
    (503, anthropic.InternalServerError, "api_error", True),
    (504, anthropic.InternalServerError, "timeout_error", True),
    (529, anthropic.InternalServerError, "overloaded_error", True),
]


@pytest.mark.parametrize(("status", "kind", "type_", "retried"), CLASSES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_error_has_its_class_and_its_type(
    mock: AIMock, connect_claude: Connect, status: int, kind: type[Any], type_: str, retried: bool, stream: bool
) -> None:
    """wire-anthropic §21.7: what the SDK retries is asked for three times."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status, "retryAfter": 0.001})
    with pytest.raises(kind, match=r"No\.") as raised:
        connect_claude(max_retries=2).messages.create(**QUESTION, stream=stream)
    error = raised.value
    assert (error.status_code, error.type, error.api_message) == (status, type_, "No.")
    assert error.request_id == error.body["request_id"] == error.response.headers["request-id"]
    assert len(mock.get_requests()) == (3 if retried else 1)


def test_overloaded(mock: AIMock, connect_claude: Connect) -> None:
    """529 is a class of its own."""
    mock.on_message("hello", {"error": {"message": "Overloaded"}, "status": 529})
    with pytest.raises(anthropic.APIStatusError) as raised:
        connect_claude().messages.create(**QUESTION)
    assert type(raised.value).__name__ == "OverloadedError"


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
def test_a_retry_after_an_error_succeeds(
    mock: AIMock, connect_claude: Connect, run_claude: Connect, flavour: str
) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    if flavour == "sync":
        message = connect_claude(max_retries=1).messages.create(**QUESTION)
    else:
        message = run_claude(flavour, lambda client: client.messages.create(**QUESTION), max_retries=1)
    assert message.content[0].text == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


def test_a_429_says_that_the_limits_are_reached(mock: AIMock, claude: Any) -> None:
    """core-lessons C21"""
    mock.on_message("hello", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 7})
    with pytest.raises(anthropic.RateLimitError) as raised:
        claude.messages.create(**QUESTION)
    headers = raised.value.response.headers
    assert (headers["retry-after"], headers["anthropic-ratelimit-requests-remaining"]) == ("7", "0")
    assert not [name for name in headers if name.startswith("x-ratelimit")]


def test_one_shot_errors(mock: AIMock, claude: Any) -> None:
    """field 2.15"""
    mock.on_message("hello", {"content": "Hi"})
    mock.next_request_error(529, {"message": "Overloaded"})
    with pytest.raises(anthropic.InternalServerError) as raised:
        claude.messages.create(**QUESTION)
    assert raised.value.type == "overloaded_error"
    assert claude.messages.create(**QUESTION).content[0].text == "Hi"


@pytest.mark.parametrize(
    ("strict", "kind"), [("false", anthropic.NotFoundError), ("true", anthropic.InternalServerError)]
)
def test_a_miss(mock: AIMock, claude: Any, strict: str, kind: type[Any]) -> None:
    """wire-anthropic §5, core-lessons C7: in the provider's envelope, so that the SDK has something to say."""
    mock.on_message("goodbye", {"content": "Bye"})
    with pytest.raises(kind) as raised:
        claude.messages.create(**QUESTION, extra_headers={"X-AIMock-Strict": strict})
    told = raised.value.body
    assert told["type"] == "error"
    assert told["error"]["code"] == "no_fixture_match"
    assert "goodbye" in told["error"]["hint"]
    assert told["request_id"] == raised.value.request_id


@pytest.mark.parametrize("messages", [None, "hello", [None], ["hello"], [[]]])
def test_a_request_that_is_none(mock: AIMock, claude: Any, messages: Any) -> None:
    """core-lessons A21"""
    with pytest.raises(anthropic.BadRequestError, match="messages") as raised:
        claude.messages.create(**QUESTION, extra_body={"messages": messages})
    assert raised.value.type == "invalid_request_error"


# -- in the midst of a stream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("after", [0, 1, 2, 4, 50])
def test_an_error_event_is_raised(mock: AIMock, claude: Any, run_claude: Connect, flavour: str, after: int) -> None:
    """wire-anthropic §21.8, field 2.38: the status was 200, so the type is what tells."""
    broken = {"afterChunks": after, "message": "Overloaded", "type": "overloaded_error"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    seen: list[str] = []

    async def listen(client: Any) -> None:
        seen.extend([event.type async for event in await client.messages.create(**QUESTION, stream=True)])

    def ask() -> None:
        if flavour == "sync":
            seen.extend(event.type for event in claude.messages.create(**QUESTION, stream=True))
        else:
            run_claude(flavour, listen)

    with pytest.raises(anthropic.APIStatusError) as raised:
        ask()
    assert (raised.value.type, raised.value.status_code) == ("overloaded_error", 200)
    assert raised.value.body["request_id"] == raised.value.request_id
    assert "message_stop" not in seen


def test_the_helper_raises_it_too(mock: AIMock, claude: Any) -> None:
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": 4, "message": "boom"}})
    with claude.messages.stream(**QUESTION) as stream, pytest.raises(anthropic.APIStatusError, match="boom") as raised:
        stream.until_done()
    assert raised.value.type == "api_error"


def test_a_stream_that_breaks_off_is_a_connection_error(mock: AIMock, claude: Any) -> None:
    """core-lessons E7, field 2.41"""
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2, truncate_after_chunks=4)
    seen = []
    with pytest.raises(Exception, match=r"peer closed connection|Connection error"):
        seen.extend(event.type for event in claude.messages.create(**QUESTION, stream=True))
    assert len(mock.get_requests()) == 1
    assert mock.get_requests()[0]["response"]["interruptReason"] == "truncateAfterChunks"


# -- elsewhere ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "kind", "message"),
    [
        ("post", "/v1/nope", anthropic.NotFoundError, "Not Found"),
        ("get", "/v1/messages/batches", anthropic.NotFoundError, "Not Found"),
        ("get", "/v1/messages", anthropic.APIStatusError, "Method Not Allowed"),
        ("delete", "/v1/models", anthropic.APIStatusError, "Method Not Allowed"),
    ],
)
def test_paths_that_there_are_not(claude: Any, method: str, path: str, kind: type[Any], message: str) -> None:
    with pytest.raises(kind, match=message) as raised:
        getattr(claude, method)(path, cast_to=object)
    assert raised.value.body["type"] == "error"


def test_a_model_that_there_is_not(claude: Any) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: claude-none"):
        claude.models.retrieve("claude-none")


def test_a_page_that_there_is_not(claude: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="limit: "):
        claude.models.list(limit=0)

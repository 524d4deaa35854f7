"""Errors as the official SDK raises them, and its retries (wire-cohere §8, §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cohere
import cohere.errors
import httpx
import pytest
from cohere.core.api_error import ApiError

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hello"}]}

Connect = Callable[..., Any]

CLASSES = [
    (400, cohere.errors.BadRequestError, False),
    (401, cohere.errors.UnauthorizedError, False),
    (403, cohere.errors.ForbiddenError, False),
    (404, cohere.errors.NotFoundError, False),
    (408, ApiError, True),
    (409, ApiError, True),
    (418, ApiError, False),
    (422, cohere.errors.UnprocessableEntityError, False),
    (429, cohere.errors.TooManyRequestsError, True),
    (498, cohere.errors.InvalidTokenError, False),
    (499, cohere.errors.ClientClosedRequestError, False),
    (500, cohere.errors.InternalServerError, True),
    (501, cohere.errors.NotImplementedError, True),
    (503, cohere.errors.ServiceUnavailableError, True),
    (504, cohere.errors.GatewayTimeoutError, True),
]


WAYS: dict[str, tuple[type[Any], Callable[[Any], Any]]] = {
    "chat": (cohere.ClientV2, lambda client: client.chat(**QUESTION)),
    "chat_stream": (cohere.ClientV2, lambda client: list(client.chat_stream(**QUESTION))),
    "chat v1": (cohere.Client, lambda client: client.chat(message="hello")),
    "chat_stream v1": (cohere.Client, lambda client: list(client.chat_stream(message="hello"))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "kind", "retried"), CLASSES)
def test_every_error_has_its_class(
    mock: AIMock, connect_cohere: Connect, way: str, status: int, kind: type[ApiError], retried: bool
) -> None:
    """What the SDK retries is asked for three times; streams it never asks for again."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status, "retryAfter": 0.001})
    version, ask = WAYS[way]
    with pytest.raises(ApiError) as raised:
        ask(connect_cohere(version, max_retries=2))
    error = raised.value
    assert (type(error), error.status_code, error.body["message"]) == (kind, status, "No.")
    assert len(error.body["id"]) == 36
    assert len(mock.get_requests()) == (3 if retried and "stream" not in way else 1)


@pytest.mark.parametrize("flavour", ["sync", "asyncio"])
def test_a_retry_after_an_error_succeeds(
    mock: AIMock, connect_cohere: Connect, run_cohere: Connect, flavour: str
) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    if flavour == "sync":
        answer = connect_cohere(max_retries=1).chat(**QUESTION)
    else:
        answer = run_cohere(flavour, lambda client: client.chat(**QUESTION), max_retries=1)
    assert answer.message.content[0].text == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


def test_one_shot_errors(mock: AIMock, co: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    mock.next_request_error(401, {"message": "invalid api token"})
    with pytest.raises(cohere.errors.UnauthorizedError) as raised:
        co.chat(**QUESTION)
    assert raised.value.body["message"] == "invalid api token"
    assert co.chat(**QUESTION).message.content[0].text == "Hi"


@pytest.mark.parametrize(
    ("strict", "kind"),
    [("false", cohere.errors.NotFoundError), ("true", cohere.errors.ServiceUnavailableError)],
)
def test_a_miss(mock: AIMock, co: Any, strict: str, kind: type[ApiError]) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    with pytest.raises(kind) as raised:
        co.chat(**QUESTION, request_options={"additional_headers": {"X-AIMock-Strict": strict}})
    assert "matched" in raised.value.body["message"]
    assert "goodbye" in raised.value.body["hint"]


@pytest.mark.parametrize(
    "body", [{"messages": None}, {"messages": "hello"}, {"messages": [None]}, {"model": ""}, {"stream": "yes"}]
)
def test_a_request_that_is_none(co: Any, body: dict[str, Any]) -> None:
    with pytest.raises(cohere.errors.BadRequestError) as raised:
        co.chat(**QUESTION, request_options={"additional_body_parameters": body})
    assert next(iter(body)) in raised.value.body["message"]


def test_a_path_that_nobody_has_is_refused_in_cohere_s_words(co: Any) -> None:
    """Data sets are no matter of answers; their clients can read that they are not there."""
    with pytest.raises(cohere.errors.NotFoundError) as raised:
        co.datasets.list()
    assert set(raised.value.body) >= {"id", "message"}


def test_an_embedding_without_an_input_type_is_refused_by_strict_servers(mock: AIMock, co: Any) -> None:
    asked = {"model": "embed-v4.0", "texts": ["a"], "input_type": "odd", "embedding_types": ["float"]}
    mock.on({"inputText": "a"}, {"embedding": [1.0]})
    assert co.embed(**asked).embeddings.float_ == [[1.0]]
    mock.strict = True
    with pytest.raises(cohere.errors.BadRequestError) as raised:
        co.embed(**asked)
    assert "input_type" in raised.value.body["message"]


# -- in the midst of a stream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("after", [0, 1, 3, 50])
def test_an_error_ends_the_message(mock: AIMock, events: Connect, after: int) -> None:
    """wire-cohere §4: the SDK raises nothing, the end of the message tells."""
    broken = {"afterChunks": after, "message": "Overloaded"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    *before, end = events()
    assert (end.type, end.delta.finish_reason, end.delta.error) == ("message-end", "ERROR", "Overloaded")
    assert len(before) == min(after, 6)


def test_an_error_ends_a_stream_of_the_first_version(mock: AIMock, connect_cohere: Connect) -> None:
    broken = {"afterChunks": 2, "message": "Overloaded"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    told = list(connect_cohere(cohere.Client).chat_stream(message="hello"))
    assert [event.event_type for event in told] == ["stream-start", "text-generation", "stream-end"]
    assert (told[-1].finish_reason, told[-1].error) == ("ERROR", "Overloaded")


def test_a_stream_that_breaks_off(mock: AIMock, co: Any) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3, truncate_after_chunks=3)
    seen = []
    with pytest.raises(httpx.RemoteProtocolError):
        seen.extend(event.type for event in co.chat_stream(**QUESTION))
    assert seen == ["message-start", "content-start", "content-delta"]

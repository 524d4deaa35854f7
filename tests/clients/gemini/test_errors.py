"""Errors as the official SDK raises them, and its retries, which it must be asked for (wire-gemini §4.3, §8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import types
from google.genai.errors import APIError, ClientError, ServerError

from aimock import AIMock

Said = Callable[..., list[types.GenerateContentResponse]]
Connect = Callable[..., genai.Client]

CLASSES = [
    (400, ClientError, "INVALID_ARGUMENT"),
    (401, ClientError, "UNAUTHENTICATED"),
    (403, ClientError, "PERMISSION_DENIED"),
    (404, ClientError, "NOT_FOUND"),
    (409, ClientError, "ABORTED"),
    (422, ClientError, "INVALID_ARGUMENT"),
    (429, ClientError, "RESOURCE_EXHAUSTED"),
    (499, ClientError, "CANCELLED"),
    (500, ServerError, "INTERNAL"),
    (501, ServerError, "UNIMPLEMENTED"),
    (503, ServerError, "UNAVAILABLE"),
    (504, ServerError, "DEADLINE_EXCEEDED"),
]
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.mark.parametrize(("status", "kind", "name"), CLASSES)
@whole_and_streamed
def test_every_error_has_its_class_and_its_name(
    mock: AIMock, said: Said, status: int, kind: type[APIError], name: str, stream: bool
) -> None:
    """By default nothing is asked for twice."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status})
    with pytest.raises(kind) as raised:
        said("hello", stream)
    error = raised.value
    assert (error.code, error.status, error.message) == (status, name, "No.")
    assert len(mock.get_requests()) == 1


@whole_and_streamed
def test_a_name_of_the_fixture_s_own(mock: AIMock, said: Said, stream: bool) -> None:
    told = {"message": "API key not valid.", "type": "FAILED_PRECONDITION", "code": "API_KEY_INVALID"}
    mock.on_message("hello", {"error": told, "status": 400})
    with pytest.raises(ClientError) as raised:
        said("hello", stream)
    assert raised.value.status == "FAILED_PRECONDITION"
    assert raised.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_retries_that_were_asked_for(mock: AIMock, connect_gemini: Connect, status: int) -> None:
    limited = {"error": {"message": "Slow down"}, "status": status}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    retries = types.HttpRetryOptions(attempts=3, initial_delay=0.001, max_delay=0.002, jitter=0.001)
    client = connect_gemini(retry_options=retries)
    assert client.models.generate_content(model="gemini-2.5-flash", contents="hello").text == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [status, 200]


def test_a_429_says_when_to_come_back(mock: AIMock, gemini: genai.Client) -> None:
    mock.on_message("hello", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 7})
    with pytest.raises(ClientError) as raised:
        gemini.models.generate_content(model="gemini-2.5-flash", contents="hello")
    (retry,) = raised.value.details["error"]["details"]
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
    assert raised.value.response.headers["retry-after"] == "7"


def test_a_quota() -> None:
    with AIMock(quota={"requestsPerMinute": 1}) as limited:
        limited.on_message("hello", {"content": "Hi"})
        options = types.HttpOptions(base_url=limited.url, client_args={"verify": False})
        with genai.Client(api_key="k", http_options=options) as client:
            asked: Any = {"model": "gemini-2.5-flash", "contents": "hello"}
            assert client.models.generate_content(**asked).text == "Hi"
            with pytest.raises(ClientError, match="exceeded your current quota") as raised:
                client.models.generate_content(**asked)
    quota, retry = raised.value.details["error"]["details"]
    assert quota["violations"][0]["quotaValue"] == "1"
    assert float(retry["retryDelay"].removesuffix("s")) > 1


@pytest.mark.parametrize(("strict", "code", "kind"), [("false", 404, ClientError), ("true", 503, ServerError)])
@whole_and_streamed
def test_a_miss(mock: AIMock, said: Said, strict: str, code: int, kind: type[APIError], stream: bool) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    headers = {"X-AIMock-Strict": strict}
    with pytest.raises(kind) as raised:
        said("hello", stream, http_options=types.HttpOptions(headers=headers))
    (info,) = raised.value.details["error"]["details"]
    assert (raised.value.code, info["reason"]) == (code, "no_fixture_match")
    assert "goodbye" in info["metadata"]["hint"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"contents": None},
        {"contents": "hello"},
        {"contents": [None]},
        {"contents": [{"role": "user", "parts": ["hello"]}]},
        {"tools": [5]},
        {"generationConfig": {"candidateCount": 99}},
    ],
)
def test_a_request_that_is_none(mock: AIMock, gemini: genai.Client, wrong: Any) -> None:
    """core-lessons A21"""
    options = types.HttpOptions(extra_body=wrong)
    with pytest.raises(ClientError) as raised:
        gemini.models.generate_content(
            model="gemini-2.5-flash", contents="hello", config=types.GenerateContentConfig(http_options=options)
        )
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("model", ["gemini-embedding-001", "text-embedding-004"])
@pytest.mark.parametrize("platform", ["default", "vertex"])
def test_errors_of_embeddings(mock: AIMock, connect_gemini: Connect, model: str, platform: str) -> None:
    mock.on({"inputText": "one"}, {"error": {"message": "No."}, "status": 429})
    client = connect_gemini(platform)
    with pytest.raises(ClientError) as raised:
        client.models.embed_content(model=model, contents="one")
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    mock.strict = True
    with pytest.raises(ServerError):
        client.models.embed_content(model=model, contents="two")
    with pytest.raises(ClientError, match="output_dimensionality"):
        client.models.embed_content(
            model=model, contents="two", config=types.EmbedContentConfig(output_dimensionality=10**6)
        )


# -- in the midst of a stream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 50])
@pytest.mark.parametrize("platform", ["default", "vertex"])
@pytest.mark.parametrize(("name", "code", "kind"), [("UNAVAILABLE", 503, ServerError), (None, 500, ServerError)])
def test_an_error_event_is_raised(
    mock: AIMock, said: Said, after: int, platform: str, name: str | None, code: int, kind: type[APIError]
) -> None:
    """wire-gemini §4.3: the HTTP status was 200, the code within tells."""
    broken = {"afterChunks": after, "message": "Overloaded"} | ({"type": name} if name else {})
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    with pytest.raises(kind, match="Overloaded") as raised:
        said("hello", True, platform)
    assert (raised.value.code, raised.value.status) == (code, name or "INTERNAL")


def test_what_came_before_the_error_was_heard(mock: AIMock, gemini: genai.Client) -> None:
    broken = {"afterChunks": 2, "message": "Slow down", "type": "RESOURCE_EXHAUSTED"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    seen: list[str | None] = []
    with pytest.raises(ClientError) as raised:
        seen.extend(
            chunk.text for chunk in gemini.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")
        )
    assert seen == ["Hi ", "the"]
    assert raised.value.code == 429


def test_a_stream_that_breaks_off_is_a_connection_error(mock: AIMock, said: Said) -> None:
    """core-lessons E7, field 2.41"""
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=2, truncate_after_chunks=2)
    with pytest.raises(Exception, match=r"peer closed connection|not enough data|payload is not completed"):
        said("hello", True)
    assert mock.get_requests()[0]["response"]["interruptReason"] == "truncateAfterChunks"

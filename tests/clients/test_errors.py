"""What goes wrong, as the official SDK sees it: error classes, retries, misses, streams that break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import APIConnectionError, APIError, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from aimock import AIMock

Whole = Callable[..., ChatCompletion]
Streamed = Callable[..., list[ChatCompletionChunk]]
Connect = Callable[..., OpenAI]

QUESTION: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
SOON = 0.001
"""Seconds: a `retryAfter` that the SDK obeys and nobody notices."""

ERRORS = [
    (400, openai.BadRequestError, "invalid_request_error", "context_length_exceeded", "messages"),
    (401, openai.AuthenticationError, "invalid_request_error", "invalid_api_key", None),
    (403, openai.PermissionDeniedError, "request_forbidden", "unsupported_country_region_territory", None),
    (404, openai.NotFoundError, "invalid_request_error", "model_not_found", "model"),
    (409, openai.ConflictError, "invalid_request_error", None, None),
    (422, openai.UnprocessableEntityError, "invalid_request_error", None, "temperature"),
    (429, openai.RateLimitError, "tokens", "rate_limit_exceeded", None),
    (500, openai.InternalServerError, "server_error", None, None),
    (503, openai.InternalServerError, "service_unavailable", "slow_down", None),
]


# -- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize(("status", "kind", "type_", "code", "param"), ERRORS, ids=[str(row[0]) for row in ERRORS])
def test_every_error_has_its_class(
    request: pytest.FixtureRequest,
    mock: AIMock,
    way: str,
    flavour: str,
    status: int,
    kind: type[openai.APIStatusError],
    type_: str,
    code: str | None,
    param: str | None,
) -> None:
    """core-lessons C22, field 2.19"""
    error = {"message": "It went wrong.", "type": type_, "code": code, "param": param}
    mock.on_message("hello", {"error": error, "status": status})
    with pytest.raises(kind) as raised:
        request.getfixturevalue(way)()
    caught = raised.value
    assert type(caught) is kind
    assert (caught.status_code, caught.type, caught.code, caught.param) == (status, type_, code, param)
    assert caught.body == error, "C22: the status stays out of the body"
    assert caught.request_id == mock.get_last_request()["headers"]["x-request-id"]
    assert (mock.get_last_request()["response"]["status"], len(mock.get_requests())) == (status, 1)


def test_an_error_that_says_little_is_a_server_error(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"error": {"message": "Oh."}})
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(**QUESTION)
    assert raised.value.body == {"message": "Oh.", "type": "server_error", "param": None, "code": None}


def test_c21_a_429_says_when_to_come_back(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 7})
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(**QUESTION)
    headers = raised.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("7", "7000")
    assert {name: headers[name] for name in headers if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }


@pytest.mark.parametrize("path", ["/v1/nope", "/v1/chat/completionz", "/openai/nope"])
def test_an_unknown_route_is_told_in_the_sdk_s_terms(mock: AIMock, client: OpenAI, path: str) -> None:
    with pytest.raises(openai.NotFoundError, match=f"Invalid URL \\(POST {path}\\)") as raised:
        client.post(f"{mock.url}{path}", body={}, cast_to=object)
    assert (raised.value.type, raised.value.code, raised.value.param) == ("invalid_request_error", None, None)


# -- what the client sent is wrong -----------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "no messages": ({"model": "m"}, "messages", "missing_required_parameter"),
    "messages is text": ({"messages": "hello"}, "messages", "invalid_type"),
    "A21 a null message": ({"messages": [None]}, "messages[0]", "invalid_type"),
    "A21 a number among messages": ({"messages": [{"role": "user", "content": "x"}, 3]}, "messages[1]", "invalid_type"),
    "20_5 stream is text": ({"messages": [], "stream": "true"}, "stream", "invalid_type"),
    "model is a number": ({"messages": [], "model": 4}, "model", "invalid_type"),
    "n is 0": ({"messages": [], "n": 0}, "n", "integer_below_min_value"),
    "n is 1000": ({"messages": [], "n": 1000}, "n", "integer_above_max_value"),
}


@pytest.mark.parametrize(("body", "param", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_as_openai_does(
    mock: AIMock, client: OpenAI, body: dict[str, Any], param: str | None, code: str | None
) -> None:
    mock.on({}, {"content": "never"})
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/chat/completions", body=body, cast_to=object)
    assert (raised.value.type, raised.value.param, raised.value.code) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"messages": []}, id="no message"),
        pytest.param({"messages": [{}]}, id="an empty message"),
        pytest.param({"messages": [{"role": "user", "content": 5}]}, id="content is a number"),
        pytest.param({"messages": [{"role": "user", "content": [None, 1, "x"]}]}, id="odd parts"),
        pytest.param({"messages": [{"role": 7}], "tools": "x"}, id="tools is text"),
        pytest.param({"messages": [], "tools": [None, {"type": "web_search"}]}, id="A20 odd tools"),
        pytest.param({"messages": [], "response_format": "x", "stream_options": 3}, id="odd options"),
        pytest.param({"messages": [], "model": None, "stream": None, "n": None}, id="nulls"),
    ],
)
def test_odd_requests_match_nothing_but_break_nothing(mock: AIMock, client: OpenAI, body: dict[str, Any]) -> None:
    mock.on({"toolName": "x"}, {"content": "tool"}).on({"userMessage": "x"}, {"content": "user"})
    mock.on({"systemMessage": "x"}, {"content": "system"}).on({"responseFormat": "x"}, {"content": "format"})
    with pytest.raises(openai.NotFoundError, match="No fixture matched"):
        client.post("/chat/completions", body=body, cast_to=object)


# -- misses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strict", "header", "status", "override"),
    [
        (False, None, 404, None),
        (True, None, 503, None),
        (False, "true", 503, True),
        (False, "True", 503, True),
        (False, "TRUE", 503, True),
        (False, "1", 503, True),
        (False, "yes", 404, None),
        (False, "false", 404, None),
        (True, "false", 404, False),
        (True, "0", 404, False),
        (True, "true", 503, None),
    ],
)
def test_20_11_c7_field_49_a_miss_is_503_if_strict_and_404_if_not(
    mock: AIMock, client: OpenAI, strict: bool, header: str | None, status: int, override: bool | None
) -> None:
    mock.strict = strict
    mock.on_message("goodbye", {"content": "x"})
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(
            **QUESTION, extra_headers={"X-AIMock-Strict": header} if header is not None else {}
        )
    caught = raised.value
    message = "Strict mode: no fixture matched" if status == 503 else "No fixture matched"
    assert (caught.status_code, caught.body["message"], caught.code) == (status, message, "no_fixture_match")
    assert 'userMessage "goodbye" is not in "hello"' in caught.body["hint"]
    response = mock.get_last_request()["response"]
    assert (response["status"], response["fixture"], response.get("strictOverride")) == (status, None, override)


def test_a14_field_13_a_strict_miss_counts_what_its_state_skipped(mock: AIMock, client: OpenAI) -> None:
    mock.strict = True
    mock.on_message("hello", {"content": "once"}, sequence_index=0)
    mock.on_message("hello", {"content": "never"}, has_tool_result=True)
    assert client.chat.completions.create(**QUESTION).choices[0].message.content == "once"
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(**QUESTION)
    assert raised.value.body["message"] == "Strict mode: 1 candidate fixture(s) skipped by sequence/turn state"


# -- retries ---------------------------------------------------------------------------------------------------------


def retry_counts(mock: AIMock) -> list[tuple[int, str]]:
    return [(entry["response"]["status"], entry["headers"]["x-stainless-retry-count"]) for entry in mock.get_requests()]


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_retries_through_a_sequence(mock: AIMock, connect: Connect, stream: bool) -> None:
    limited = {"error": {"message": "Slow down", "type": "requests"}, "status": 429, "retryAfter": SOON}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    answer = connect(max_retries=2).chat.completions.create(**QUESTION, stream=stream)
    if stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in answer) == "Hi"
    else:
        assert answer.choices[0].message.content == "Hi"
    assert retry_counts(mock) == [(429, "0"), (200, "1")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_sdk_retries_too(mock: AIMock, run_async: Callable[..., Any], backend: str) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": SOON}
    mock.on_message("hello", limited, sequence_index=0).on_message("hello", {"content": "Hi"})
    answer = run_async(backend, lambda client: client.chat.completions.create(**QUESTION), max_retries=2)
    assert answer.choices[0].message.content == "Hi"
    assert retry_counts(mock) == [(429, "0"), (200, "1")]


def test_20_6_a_429_is_hit_three_times_by_default_and_once_without_retries(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": SOON})
    with pytest.raises(openai.RateLimitError):
        connect(max_retries=openai.DEFAULT_MAX_RETRIES).chat.completions.create(**QUESTION)
    assert retry_counts(mock) == [(429, "0"), (429, "1"), (429, "2")]
    mock.clear_requests()
    with pytest.raises(openai.RateLimitError):
        connect(max_retries=0).chat.completions.create(**QUESTION)
    assert retry_counts(mock) == [(429, "0")]


def test_a_one_shot_error_is_overcome_by_one_retry(mock: AIMock, connect: Connect, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"}).next_request_error(404, {"message": "gone", "code": "model_not_found"})
    with pytest.raises(openai.NotFoundError, match="gone") as raised:
        client.chat.completions.create(**QUESTION)
    assert (raised.value.type, raised.value.code) == ("server_error", "model_not_found")
    assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"


# -- broken streams --------------------------------------------------------------------------------------------------


def read_until_broken(client: OpenAI, **more: Any) -> tuple[list[ChatCompletionChunk], Exception | None]:
    """The chunks of a stream, and what ended it."""
    chunks: list[ChatCompletionChunk] = []
    try:
        with client.chat.completions.create(**QUESTION | more, stream=True) as stream:
            for chunk in stream:
                chunks.append(chunk)  # noqa: PERF402 — extend() would lose what came before the exception
    except Exception as error:
        return chunks, error
    return chunks, None


@pytest.mark.parametrize("after", [0, 1, 3, 99])
def test_field_38_c10_an_error_inside_a_stream_is_raised(mock: AIMock, client: OpenAI, after: int) -> None:
    broken = {"afterChunks": after, "message": "The server had an error", "type": "server_error", "code": "overloaded"}
    mock.on_message("hello", {"content": "Hello, world", "midStreamError": broken}, chunk_size=5)
    chunks, error = read_until_broken(client, stream_options={"include_usage": True})
    assert len(chunks) == min(after, 5), "role, three slices and the finish, but no usage"
    assert type(error) is APIError
    assert (error.message, error.type, error.code) == ("The server had an error", "server_error", "overloaded")
    whole = client.chat.completions.create(**QUESTION)
    assert whole.choices[0].message.content == "Hello, world", "whole answers have no midst"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_error_inside_a_stream_is_raised_to_async_clients(
    mock: AIMock, run_async: Callable[..., Any], backend: str
) -> None:
    mock.on_message("hello", {"content": "Hi", "midStreamError": {"afterChunks": 1, "message": "boom"}})

    async def work(client: openai.AsyncOpenAI) -> tuple[str, int]:
        seen = 0
        stream = await client.chat.completions.create(**QUESTION, stream=True)
        try:
            async for _ in stream:
                seen += 1
        except APIError as error:
            return error.message, seen
        return "", seen

    assert run_async(backend, work) == ("boom", 1)


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_e6_a_truncated_stream_brings_exactly_so_many_chunks(
    mock: AIMock, client: OpenAI, count: int, latency: float
) -> None:
    mock.on_message(
        "hello", {"content": "Hello, world"}, chunk_size=5, truncate_after_chunks=count, latency=latency
    )  # role, three slices, finish: five chunks
    chunks, error = read_until_broken(client, stream_options={"include_usage": True})
    assert len(chunks) == count
    assert isinstance(error, APIConnectionError)
    assert "incomplete chunked read" in str(error.__cause__), "20_10: not a clean end"


def test_a_stream_shorter_than_its_truncation_ends_well(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"}, truncate_after_chunks=4)
    chunks, error = read_until_broken(client)
    assert (len(chunks), error) == (3, None)
    assert "interrupted" not in mock.get_last_request()["response"]


def test_a_stream_disconnected_before_its_first_chunk_is_empty(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"}, streaming_profile={"ttft": 60_000}, disconnect_after_ms=1)
    chunks, error = read_until_broken(client)
    assert chunks == []
    assert isinstance(error, APIConnectionError)


def test_e6_whole_answers_are_not_interrupted(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"}, truncate_after_chunks=1, disconnect_after_ms=0)
    assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"


def test_c12_a_client_that_leaves_harms_nobody_else(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("long", {"content": "x" * 20_000}, chunk_size=1).on_message("hello", {"content": "Hi"})
    messages: Any = [{"role": "user", "content": "long"}]
    for _ in range(3):
        with client.chat.completions.create(model="m", messages=messages, stream=True) as stream:
            assert next(iter(stream)).choices[0].delta.role == "assistant"
    assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"


def test_a_timeout_of_the_client_is_a_timeout(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"}, streaming_profile={"ttft": 60_000})
    with (
        pytest.raises(openai.APITimeoutError),
        client.chat.completions.create(**QUESTION, stream=True, timeout=0.05) as stream,
    ):
        next(iter(stream))


# -- headers ---------------------------------------------------------------------------------------------------------


def test_request_ids_and_limits_are_on_every_answer(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"})
    completion = client.chat.completions.create(**QUESTION)
    assert completion._request_id.startswith("req_")
    assert completion._request_id == mock.get_last_request()["headers"]["x-request-id"]
    for stream in (False, True):
        raw = client.chat.completions.with_raw_response.create(**QUESTION, stream=stream)
        assert raw.request_id == mock.get_last_request()["headers"]["x-request-id"]
        assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
        assert int(raw.headers["x-ratelimit-remaining-tokens"]) > 0
        assert raw.headers["openai-version"] == "2020-10-01"
        assert int(raw.headers["openai-processing-ms"]) >= 0
        if stream:
            list(raw.parse())
    mine = client.chat.completions.create(**QUESTION, extra_headers={"X-Request-Id": "mine-1"})
    assert mine._request_id == "mine-1"

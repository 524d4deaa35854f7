"""What the SDK makes of errors: an exception for each status, retries, and refusals of what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import _interactions as sdk

from aimock import AIMock

Create = Callable[..., Any]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, sdk.BadRequestError, "invalid_request"),
        (401, sdk.AuthenticationError, "authentication"),
        (403, sdk.PermissionDeniedError, "permission_denied"),
        (404, sdk.NotFoundError, "not_found"),
        (409, sdk.ConflictError, "aborted"),
        (422, sdk.UnprocessableEntityError, "invalid_request"),
        (429, sdk.RateLimitError, "rate_limit_exceeded"),
        (500, sdk.InternalServerError, "api_error"),
        (503, sdk.InternalServerError, "service_unavailable"),
        (529, sdk.InternalServerError, "service_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_status_is_its_exception(
    mock: AIMock, create: Create, status: int, kind: type[Exception], code: str, stream: bool
) -> None:
    mock.on_message("hello", {"error": {"message": "No."}, "status": status, "retryAfter": 0.001})
    with pytest.raises(kind) as raised:
        create(stream=stream)
    told: Any = raised.value
    assert (told.status_code, told.body) == (status, {"error": {"code": code, "message": "No."}})


def test_a_code_of_the_fixture_s_own(mock: AIMock, create: Create) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "code": "quota_exceeded"}, "status": 429})
    with pytest.raises(sdk.RateLimitError) as raised:
        create()
    assert raised.value.body["error"]["code"] == "quota_exceeded"


def test_a_miss(mock: AIMock, create: Create) -> None:
    mock.on_message("bye", {"content": "Hi"})
    with pytest.raises(sdk.NotFoundError) as raised:
        create()
    assert raised.value.body["error"]["message"] == "No fixture matched"
    assert '"bye"' in raised.value.body["error"]["hint"]
    mock.strict = True
    with pytest.raises(sdk.InternalServerError) as refused:
        create()
    assert refused.value.status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        {"input": []},
        {"input": [5]},
        {"input": 5},
        {"stream": "yes"},
        {"background": True, "store": False},
        {"generation_config": []},
        {"model": 5},
    ],
)
def test_bad_input(google: Callable[..., genai.Client], body: Any) -> None:
    client = google()
    asked: Any = {"model": "m", "input": "x", "extra_body": body}
    with pytest.raises(sdk.BadRequestError) as raised:
        client.interactions.create(**asked)
    assert raised.value.body["error"]["code"] == "invalid_request"


def test_what_is_not_kept(interactions: Any) -> None:
    for act in (interactions.get, interactions.delete, interactions.cancel):
        with pytest.raises(sdk.NotFoundError) as raised:
            act("v1_nope")
        assert raised.value.body == {"error": {"code": "not_found", "message": "Interaction not found: v1_nope"}}


def test_an_event_that_there_is_not(mock: AIMock, create: Create, interactions: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    with pytest.raises(sdk.BadRequestError):
        interactions.get(create().id, stream=True, last_event_id="nope")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_sdk_asks_again(mock: AIMock, google: Callable[..., genai.Client], status: int) -> None:
    busy = {"error": {"message": "Later"}, "status": status, "retryAfter": 0.001}
    mock.on_message("hello", busy, sequence_index=0).on_message("hello", {"content": "Hi"})
    assert google(attempts=2).interactions.create(model="m", input="hello").output_text == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [status, 200]

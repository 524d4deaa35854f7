"""Errors, headers and side routes (wire-anthropic-messages §11 to §14)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import anthropic_messages
from aimock_protocols.anthropic_messages import vertex
from aimock_protocols.canonical import (
    Allowance,
    ErrorReply,
    Excess,
    FrameKind,
    SideRequest,
    Stamp,
    WireError,
)

Side = Callable[..., SideRequest]

every_protocol = pytest.mark.parametrize("protocol", [anthropic_messages, vertex], ids=lambda protocol: protocol.name)

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
    405: "invalid_request_error",
    422: "invalid_request_error",
    503: "api_error",
    599: "api_error",
}


@every_protocol
@pytest.mark.parametrize(("status", "kind"), TYPES.items())
def test_the_type_of_an_error_follows_from_its_status(protocol: Any, stamp: Stamp, status: int, kind: str) -> None:
    told = protocol.error(ErrorReply("No.", status=status), stamp)
    assert told.status == status
    assert orjson.loads(told.body)["error"] == {"type": kind, "message": "No.", "details": None}


@every_protocol
def test_an_error_in_the_envelope(protocol: Any, stamp: Stamp) -> None:
    """wire-anthropic §11: the id of the request is in the body and in a header."""
    told = protocol.error(ErrorReply("No."), stamp)
    ((name, request_id),) = protocol.fresh_headers(stamp)
    assert name == "request-id"
    assert request_id.startswith("req_011C")
    assert len(request_id) == 28
    assert told.body == (
        b'{"type":"error","error":{"type":"api_error","message":"No.","details":null},"request_id":"%b"}'
        % request_id.encode()
    )
    assert dict(told.headers)["content-type"] == "application/json"
    frame = protocol.error_frame(ErrorReply("No."), None, stamp)
    assert frame == (b"event: error\ndata: " + told.body + b"\n\n", FrameKind.CLOSE)


def test_an_error_says_what_it_is_told_to(stamp: Stamp) -> None:
    error = ErrorReply("No.", "server_error", "messages", "no_fixture_match", 404, hint="look here")
    told = orjson.loads(anthropic_messages.error(error, stamp).body)["error"]
    assert told == {
        "type": "server_error",
        "message": "No.",
        "details": None,
        "code": "no_fixture_match",
        "hint": "look here",
    }


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (429, None, ("1", "1000")),
        (429, 7, ("7", "7000")),
        (429, 0.25, ("1", "250")),
        (429, 0, ("0", "0")),
        (529, 2, ("2", "2000")),
        (503, 2, ("2", "2000")),
        (529, None, (None, None)),
        (400, None, (None, None)),
    ],
)
def test_when_to_come_back(
    stamp: Stamp, status: int, retry_after: float | None, expected: tuple[str | None, str | None]
) -> None:
    error = ErrorReply("Slow", status=status, retry_after=retry_after)
    headers = dict(anthropic_messages.error(error, stamp).headers)
    assert (headers.get("retry-after"), headers.get("retry-after-ms")) == expected


def test_a_quota_that_is_used_up(stamp: Stamp) -> None:
    error = anthropic_messages.rate_limited(Excess("tokens", 1000, 900, 200, 6.0, "claude-x"))
    assert (error.status, error.type, error.retry_after) == (429, None, 6.0)
    assert "1000 tokens per minute" in error.message
    assert "claude-x" in error.message
    assert "default" in anthropic_messages.rate_limited(Excess("requests", 1, 1, 1, 1.0, "")).message


@every_protocol
def test_rate_limits(protocol: Any) -> None:
    """wire-anthropic §12."""
    allowance = Allowance(60, 59, 1.0, 100_000, 50_001, 30.5)
    assert dict(protocol.rate_limits(allowance, 1795200000.25)) == {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2026-11-20T18:40:02Z",
        "anthropic-ratelimit-input-tokens-limit": "80000",
        "anthropic-ratelimit-input-tokens-remaining": "40000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-20T18:40:31Z",
        "anthropic-ratelimit-output-tokens-limit": "20000",
        "anthropic-ratelimit-output-tokens-remaining": "10001",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-20T18:40:31Z",
        "anthropic-ratelimit-tokens-limit": "100000",
        "anthropic-ratelimit-tokens-remaining": "50001",
        "anthropic-ratelimit-tokens-reset": "2026-11-20T18:40:31Z",
    }


@given(st.integers(0, 253_402_300_799))
def test_resets_are_rfc_3339(seconds: int) -> None:
    """All that the years 1970 to 9999 hold."""
    told = dict(anthropic_messages.rate_limits(Allowance(1, 1, 0.0, 1, 1, 0.0), seconds))
    expected = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    assert told["anthropic-ratelimit-requests-reset"] == expected.isoformat() + "Z"


@every_protocol
def test_headers(protocol: Any, stamp: Stamp) -> None:
    whole, stream = dict(protocol.whole_headers), dict(protocol.stream_headers)
    assert whole["content-type"] == "application/json"
    assert stream["content-type"] == "text/event-stream; charset=utf-8"
    assert (stream["cache-control"], stream["x-accel-buffering"]) == ("no-cache", "no")
    for headers in (whole, stream, dict(protocol.error(ErrorReply("Slow", status=429), stamp).headers)):
        assert all(name == name.lower() for name in headers)
        assert "anthropic-organization-id" in headers


# -- tokens ------------------------------------------------------------------------------------------------------------

TOOLS = [{"name": "f", "description": "does", "input_schema": {"type": "object"}}]
COUNTED: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "hello"}]},
    {"messages": [{"role": "user", "content": "hello"}], "system": "Be kind.", "tools": TOOLS},
    {"messages": []},
]


@every_protocol
@pytest.mark.parametrize("body", COUNTED)
def test_tokens_are_counted_as_a_message_of_the_same_body_tells_them(
    protocol: Any, side_request: Side, stamp: Stamp, body: dict[str, Any]
) -> None:
    response = protocol.count_tokens(side_request(body=orjson.dumps(body)))
    assert (response.status, response.headers) == (200, protocol.whole_headers)
    request = protocol.decode(side_request().head, {"model": "m"}, orjson.dumps(body))
    reply = anthropic_messages.parse(protocol.encode(anthropic_reply(), protocol.shape(request), stamp))
    assert reply.usage is not None
    assert orjson.loads(response.body) == {"input_tokens": reply.usage["input_tokens"]}
    assert reply.usage["input_tokens"] >= 1


def anthropic_reply() -> Any:
    return anthropic_messages.parse(b'{"content":[]}')


def test_what_context_management_would_have_counted(side_request: Side) -> None:
    body = orjson.dumps(COUNTED[0] | {"context_management": {"edits": []}})
    told = orjson.loads(anthropic_messages.count_tokens(side_request(body=body)).body)
    assert told == {"input_tokens": 2, "context_management": {"original_input_tokens": 2}}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":[null]}', b'{"messages":[],"system":3}'])
def test_a_body_that_cannot_be_counted_is_refused(side_request: Side, body: bytes) -> None:
    with pytest.raises(WireError) as refused:
        anthropic_messages.count_tokens(side_request(body=body))
    assert refused.value.reply.status == 400


# -- models ------------------------------------------------------------------------------------------------------------

OPUS, SONNET, HAIKU = "claude-opus-4-5-20251101", "claude-3-5-sonnet-20241022", "claude-haiku"


def ids(side: SideRequest, query: str = "") -> dict[str, Any]:
    head: Any = side.head
    response = anthropic_messages.list_models(attrs.evolve(side, head=attrs.evolve(head, query=query)))
    told: dict[str, Any] = orjson.loads(response.body)
    return told | {"data": [model["id"] for model in told["data"]]}


def test_a_model(side_request: Side) -> None:
    response = anthropic_messages.retrieve_model(side_request(OPUS, model=OPUS))
    assert orjson.loads(response.body) == {
        "type": "model",
        "id": OPUS,
        "display_name": "Claude Opus 4.5",
        "created_at": "2025-11-01T00:00:00Z",
        "lifecycle": "active",
        "line": "opus",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "capabilities": None,
        "deprecated_at": None,
        "retires_at": None,
    }


@pytest.mark.parametrize(
    ("model", "name", "created_at", "line"),
    [
        (SONNET, "Claude 3.5 Sonnet", "2024-10-22T00:00:00Z", "sonnet"),
        (HAIKU, "Claude Haiku", "1970-01-01T00:00:00Z", "haiku"),
        ("claude-x-20251399", "Claude X 20251399", "1970-01-01T00:00:00Z", None),
        ("my-deployment", "my-deployment", "1970-01-01T00:00:00Z", None),
    ],
)
def test_what_a_name_tells_of_a_model(
    side_request: Side, model: str, name: str, created_at: str, line: str | None
) -> None:
    told = orjson.loads(anthropic_messages.retrieve_model(side_request(model, model=model)).body)
    assert (told["display_name"], told["created_at"], told["line"]) == (name, created_at, line)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("claude-opus-4-5", "claude-opus-4-5-20251101"),
        ("claude-opus-4-5-20250101", "claude-opus-4-5-20250101"),
        ("my%2Fmodel", "my/model"),
    ],
)
def test_a_model_is_known_without_its_date(side_request: Side, wanted: str, found: str) -> None:
    side = side_request("claude-opus-4-5-20250101", OPUS, "my/model", model=wanted)
    assert orjson.loads(anthropic_messages.retrieve_model(side).body)["id"] == found


def test_a_model_that_is_not_there(side_request: Side) -> None:
    with pytest.raises(WireError) as refused:
        anthropic_messages.retrieve_model(side_request(OPUS, model="claude-opus"))
    assert (refused.value.reply.status, refused.value.reply.message) == (404, "model: claude-opus")


def test_the_list_is_of_claude_s_models_newest_first(side_request: Side) -> None:
    side = side_request("gpt-4o", HAIKU, SONNET, OPUS)
    assert ids(side) == {"data": [OPUS, SONNET, HAIKU], "has_more": False, "first_id": OPUS, "last_id": HAIKU}
    assert ids(side_request("b", "a"))["data"] == ["b", "a"]
    assert ids(side_request()) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("query", "page", "has_more"),
    [
        ("limit=2", [0, 1], True),
        ("limit=4", [0, 1, 2, 3], False),
        ("limit=1000", [0, 1, 2, 3], False),
        ("limit=2&after_id=claude-a1", [2, 3], False),
        ("limit=1&after_id=claude-a1", [2], True),
        ("after_id=claude-a3", [], False),
        ("limit=2&before_id=claude-a3", [1, 2], True),
        ("before_id=claude-a2", [0, 1], False),
        ("after_id=claude-a0&before_id=claude-a3", [1, 2], False),
        ("beta=true", [0, 1, 2, 3], False),
    ],
)
def test_pages(side_request: Side, query: str, page: list[int], has_more: bool) -> None:
    told = ids(side_request(*(f"claude-a{number}" for number in range(4))), query)
    assert told["data"] == [f"claude-a{number}" for number in page]
    assert told["has_more"] is has_more
    assert (told["first_id"], told["last_id"]) == ((told["data"][0], told["data"][-1]) if page else (None, None))


def test_a_page_has_twenty_unless_told(side_request: Side) -> None:
    told = ids(side_request(*(f"claude-{number}" for number in range(30))))
    assert (len(told["data"]), told["has_more"]) == (20, True)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *((f"limit={limit}", "limit") for limit in ("0", "1001", "-1", "x", "1.5", "9" * 5000, "²")),
        ("after_id=x", "after_id"),
        ("before_id=x", "before_id"),
    ],
)
def test_a_page_that_there_is_not(side_request: Side, query: str, name: str) -> None:
    with pytest.raises(WireError, match=f"^{name}: ") as refused:
        ids(side_request(OPUS), query)
    assert refused.value.reply.status == 400

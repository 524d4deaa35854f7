from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat, openai_completions
from aimock_protocols.canonical import Allowance, ErrorReply, FrameKind, SideRequest, Stamp, WireError
from aimock_protocols.openai_platform import duration, read_error

SPENT = Allowance(60, 0, 1.0, 150_000, 0, 360.0)

every_protocol = pytest.mark.parametrize(
    "protocol", [openai_chat, openai_completions], ids=lambda protocol: protocol.name
)


@every_protocol
def test_an_error_in_the_envelope(protocol: Any, stamp: Stamp) -> None:
    told = protocol.error(ErrorReply("No."), stamp)
    assert told.status == 500
    assert told.body == b'{"error":{"message":"No.","type":"server_error","param":null,"code":null}}'
    assert dict(told.headers)["content-type"] == "application/json"
    frame = protocol.error_frame(ErrorReply("No."), None, stamp)
    assert frame == (b"data: " + told.body + b"\n\n", FrameKind.CLOSE)


def test_an_error_says_what_it_is_told_to(stamp: Stamp) -> None:
    error = ErrorReply("No.", "tokens", "messages", 42, 418, hint="look here", metadata={"not": "ours"})
    told = openai_chat.error(error, stamp)
    assert told.status == 418
    inner = {"message": "No.", "type": "tokens", "param": "messages", "code": 42, "hint": "look here"}
    assert orjson.loads(told.body) == {"error": inner}


@pytest.mark.parametrize(
    ("retry_after", "seconds", "milliseconds"),
    [(None, "1", "1000"), (7, "7", "7000"), (0.25, "1", "250"), (0, "0", "0")],
)
def test_a_429_says_when_to_come_back(stamp: Stamp, retry_after: float | None, seconds: str, milliseconds: str) -> None:
    headers = dict(openai_chat.error(ErrorReply("Slow", status=429, retry_after=retry_after), stamp).headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == (seconds, milliseconds)


def test_a_spent_allowance(stamp: Stamp) -> None:
    assert dict(openai_chat.rate_limits(SPENT, stamp.created)) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }


def test_other_errors_say_when_to_come_back_if_the_fixture_does(stamp: Stamp) -> None:
    assert "retry-after" not in dict(openai_chat.error(ErrorReply("No.", status=503), stamp).headers)
    assert dict(openai_chat.error(ErrorReply("No.", status=503, retry_after=7), stamp).headers)["retry-after"] == "7"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.006, "6ms"), (1, "1s"), (8.64, "8.64s"), (59.9999, "1m0s"), (360, "6m0s"), (3725.5, "62m5.5s")],
)
def test_resets_are_told_as_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@every_protocol
def test_headers(protocol: Any, stamp: Stamp) -> None:
    whole, stream = dict(protocol.whole_headers), dict(protocol.stream_headers)
    assert whole["content-type"] == "application/json"
    assert stream["content-type"] == "text/event-stream; charset=utf-8"
    assert (stream["cache-control"], stream["x-accel-buffering"]) == ("no-cache", "no")
    for headers in (whole, stream, dict(protocol.error(ErrorReply("Slow", status=429), stamp).headers)):
        assert all(name == name.lower() for name in headers)
        assert headers["openai-version"] == "2020-10-01"
        assert headers["openai-processing-ms"].isdecimal()
    limits = [name for name, _ in protocol.rate_limits(SPENT, stamp.created)]
    assert len([name for name in limits if name.startswith("x-ratelimit-")]) == 6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}, ErrorReply("m", "t", "p", "c")),
        ({"error": {"message": "m", "code": 502, "metadata": {"raw": 1}}},
         ErrorReply("m", code=502, status=502, metadata={"raw": 1})),
        ({"error": {"message": "m", "code": "x", "status_code": 400}}, ErrorReply("m", code="x", status=400)),
        ({"error": {"message": "m", "code": 7}}, ErrorReply("m", code=7)),
        ({"error": {"message": 3, "type": [], "param": {}}}, ErrorReply("")),
        ({"error": "plain"}, ErrorReply("plain")),
        ({"object": "error", "message": "m", "type": "t"}, ErrorReply("m", "t")),
        ({"error": None, "choices": []}, None),
        ({"error": {}}, None),
        ({"error": 3}, None),
        ({"choices": []}, None),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_upstream_errors_are_read(value: Any, expected: ErrorReply | None) -> None:
    assert read_error(value) == expected


def test_the_status_of_an_upstream_error_is_kept() -> None:
    told = read_error({"error": {"message": "m"}}, 429)
    assert told is not None
    assert told.status == 429


def test_the_model_list(side_request: Callable[..., SideRequest]) -> None:
    model = b'{"id":"%b","object":"model","created":1686935002,"owned_by":"aimock"}'
    assert openai_chat.list_models(side_request("gpt-4o", "o3")).body == (
        b'{"object":"list","data":[' + model % b"gpt-4o" + b"," + model % b"o3" + b"]}"
    )
    assert openai_chat.list_models(side_request()).body == b'{"object":"list","data":[]}'
    asked = side_request("openai/gpt-4o/x", model="openai%2Fgpt-4o/x")
    assert openai_chat.retrieve_model(asked).body == model % b"openai/gpt-4o/x"


def test_a_model_that_is_not_there(side_request: Callable[..., SideRequest], stamp: Stamp) -> None:
    with pytest.raises(WireError) as refused:
        openai_chat.retrieve_model(side_request("y", model="x"))
    told = openai_chat.error(refused.value.reply, stamp)
    assert told.status == 404
    assert orjson.loads(told.body)["error"] == {
        "message": "The model 'x' does not exist",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }

"""Google's error envelope and headers, token counts and model lists (wire-gemini §5, §7.1, §8, §11)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock_protocols import gemini
from aimock_protocols.canonical import Allowance, ErrorReply, Excess, SideRequest, Stamp, WireError
from aimock_protocols.gemini import vertex
from aimock_protocols.gemini.models import BUILT_IN
from aimock_protocols.gemini.platform import read_error

Side = Callable[..., SideRequest]
RPC = "type.googleapis.com/google.rpc."


def told(error: ErrorReply, stamp: Stamp) -> dict[str, Any]:
    inner: dict[str, Any] = orjson.loads(gemini.error(error, stamp).body)["error"]
    return inner


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ErrorReply("x", status=400), "INVALID_ARGUMENT"),
        (ErrorReply("x", status=401), "UNAUTHENTICATED"),
        (ErrorReply("x", status=403), "PERMISSION_DENIED"),
        (ErrorReply("x", status=404), "NOT_FOUND"),
        (ErrorReply("x", status=409), "ABORTED"),
        (ErrorReply("x", status=418), "INVALID_ARGUMENT"),
        (ErrorReply("x", status=429), "RESOURCE_EXHAUSTED"),
        (ErrorReply("x", status=499), "CANCELLED"),
        (ErrorReply("x"), "INTERNAL"),
        (ErrorReply("x", status=501), "UNIMPLEMENTED"),
        (ErrorReply("x", status=502), "INTERNAL"),
        (ErrorReply("x", status=503), "UNAVAILABLE"),
        (ErrorReply("x", status=504), "DEADLINE_EXCEEDED"),
        (ErrorReply("x", status=529), "UNAVAILABLE"),
        (ErrorReply("x", "FAILED_PRECONDITION", status=400), "FAILED_PRECONDITION"),
        (ErrorReply("x", code="ALREADY_EXISTS", status=409), "ALREADY_EXISTS"),
        (ErrorReply("x", "UNAVAILABLE", code="DATA_LOSS"), "DATA_LOSS"),
    ],
)
def test_errors_have_the_name_of_their_status_or_the_one_that_they_give(
    stamp: Stamp, error: ErrorReply, status: str
) -> None:
    inner = told(error, stamp)
    assert list(inner)[:3] == ["code", "message", "status"]
    assert (inner["code"], inner["message"], inner["status"]) == (error.status, "x", status)
    assert gemini.error(error, stamp).status == error.status


def test_what_the_envelope_has_no_member_for_is_a_detail(stamp: Stamp) -> None:
    error = ErrorReply("x", "rate_limit_error", "messages", "slow_down", 400, hint="the nearest is …")
    (detail,) = told(error, stamp)["details"]
    assert detail == {
        "@type": RPC + "ErrorInfo",
        "reason": "slow_down",
        "domain": "aimock",
        "metadata": {"type": "rate_limit_error", "code": "slow_down", "param": "messages", "hint": "the nearest is …"},
    }
    assert told(ErrorReply("x", code="API_KEY_INVALID", status=400), stamp)["details"][0]["reason"] == "API_KEY_INVALID"
    assert told(ErrorReply("x", "odd"), stamp)["details"][0]["reason"] == "odd"
    assert told(ErrorReply("x", hint="h"), stamp)["details"][0]["reason"] == "UNKNOWN"
    assert told(ErrorReply("x", code=7), stamp)["details"][0]["metadata"] == {"code": "7"}
    assert "details" not in told(ErrorReply("x"), stamp)
    assert "details" not in told(ErrorReply("x", metadata={"a": 1}), stamp)


def test_details_of_one_s_own(stamp: Stamp) -> None:
    details = [{"@type": RPC + "Help", "links": [{"description": "d", "url": "u"}]}]
    assert told(ErrorReply("x", metadata=details), stamp)["details"] == details


@pytest.mark.parametrize(
    ("error", "delay", "header"),
    [
        (ErrorReply("x", status=429), "1s", "1"),
        (ErrorReply("x", status=429, retry_after=34), "34s", "34"),
        (ErrorReply("x", status=429, retry_after=0.25), "0.25s", "1"),
        (ErrorReply("x", status=429, retry_after=0), "0s", "0"),
        (ErrorReply("x", status=503, retry_after=2), "2s", "2"),
        (ErrorReply("x", status=503), None, None),
    ],
)
def test_when_to_come_back(stamp: Stamp, error: ErrorReply, delay: str | None, header: str | None) -> None:
    """wire-gemini §8: in the body, as Google has it, and in a header."""
    details = told(error, stamp).get("details", [])
    assert [detail["retryDelay"] for detail in details if detail["@type"] == RPC + "RetryInfo"] == (
        [] if delay is None else [delay]
    )
    assert dict(gemini.error(error, stamp).headers).get("retry-after") == header


def test_a_quota_that_is_spent(stamp: Stamp) -> None:
    for unit, metric in (("requests", "requests"), ("tokens", "input_token_count")):
        inner = told(gemini.rate_limited(Excess(unit, 10, 10, 1, 2.5, "gemini-x")), stamp)
        assert (inner["code"], inner["status"]) == (429, "RESOURCE_EXHAUSTED")
        quota, retry = inner["details"]
        (violation,) = quota["violations"]
        assert violation["quotaMetric"].endswith(metric)
        assert (violation["quotaValue"], violation["quotaDimensions"]["model"]) == ("10", "gemini-x")
        assert retry == {"@type": RPC + "RetryInfo", "retryDelay": "2.5s"}
        assert "limit: 10, model: gemini-x\nPlease retry in 2.5s." in inner["message"]


def test_headers(stamp: Stamp) -> None:
    """Google tells neither ids nor rate limits there."""
    assert dict(gemini.whole_headers) == {
        "content-type": "application/json; charset=UTF-8",
        "vary": "Origin, X-Origin, Referer",
    }
    assert dict(gemini.stream_headers).items() >= {"content-disposition": "attachment"}.items()
    assert gemini.fresh_headers(stamp) == gemini.rate_limits(Allowance(1, 1, 1.0, 1, 1, 1.0), 0.0) == ()


@pytest.mark.parametrize(
    "error",
    [
        ErrorReply("x", status=503),
        ErrorReply("x", "FAILED_PRECONDITION", status=400),
        ErrorReply("x", "server_error", code="slow_down", status=500),
        ErrorReply("x", status=429, retry_after=7.5),
        ErrorReply("x", status=400, metadata=[{"@type": RPC + "Help", "links": []}]),
        ErrorReply("x", status=400, metadata=[{"@type": RPC + "ErrorInfo", "reason": "R", "domain": "googleapis.com"}]),
    ],
)
def test_errors_come_back(stamp: Stamp, error: ErrorReply) -> None:
    body = orjson.loads(gemini.error(error, stamp).body)
    assert read_error(body) == read_error([body]) == error


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        ({"error": "Bad key"}, "Bad key", 500),
        ({"error": {}}, "", 500),
        ({"error": {"code": "401", "message": 3, "status": [], "details": [3, {"retryDelay": "nans"}]}}, "", 500),
        ({"error": {"code": 200, "details": {"a": 1}}}, "", 500),
    ],
)
def test_odd_errors(body: Any, message: str, status: int) -> None:
    error = read_error(body)
    assert error is not None
    assert (error.message, error.status, error.type, error.retry_after) == (message, status, None, None)


@pytest.mark.parametrize("body", [None, [], {}, {"error": None}, {"error": 3}, [{"error": {}}, {"error": {}}], "error"])
def test_what_is_no_error(body: Any) -> None:
    assert read_error(body) is None


# -- tokens ------------------------------------------------------------------------------------------------------------

HELLO = {"contents": [{"parts": [{"text": "hello"}]}]}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (HELLO, 2),
        (
            {
                "generateContentRequest": {
                    "model": "models/m",
                    **HELLO,
                    "systemInstruction": {"parts": {"text": "x" * 7}},
                }
            },
            3,
        ),
        ({"generate_content_request": HELLO}, 2),
        ({**HELLO, "tools": [{"functionDeclarations": [{"name": "f"}]}]}, 13),
    ],
)
def test_tokens_are_counted(side_request: Side, body: Any, tokens: int) -> None:
    counted = orjson.loads(gemini.count_tokens(side_request(body=orjson.dumps(body), model="m")).body)
    assert counted == {
        "totalTokens": tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    }


def test_vertex_counts_characters_too(side_request: Side) -> None:
    counted = orjson.loads(vertex.count_billable(side_request(body=orjson.dumps(HELLO), model="m")).body)
    assert (counted["totalTokens"], counted["totalBillableCharacters"]) == (2, 5)


@pytest.mark.parametrize("body", [{}, {"contents": []}, {"contents": "x"}, {"generateContentRequest": {}}])
def test_what_cannot_be_counted(side_request: Side, body: Any) -> None:
    with pytest.raises(WireError) as refused:
        gemini.count_tokens(side_request(body=orjson.dumps(body), model="m"))
    assert refused.value.reply.status == 400


@pytest.mark.parametrize(
    ("body", "role", "text"),
    [
        ({"instances": [{"prompt": "Hello, né 🚀"}]}, "user", "Hello, né 🚀"),
        ({"instances": [{"content": "Hello"}]}, "user", "Hello"),
        ({"contents": [{"role": "model", "parts": [{"text": "Hel"}, {"text": "lo"}]}]}, "model", "Hello"),
        ({"contents": {"parts": {"text": "Hello"}}}, "user", "Hello"),
    ],
)
def test_tokens_are_the_text(side_request: Side, body: Any, role: str, text: str) -> None:
    (info,) = orjson.loads(vertex.compute_tokens(side_request(body=orjson.dumps(body))).body)["tokensInfo"]
    assert info["role"] == role
    assert b"".join(map(base64.b64decode, info["tokens"])).decode() == text
    assert len(info["tokenIds"]) == len(info["tokens"]) == -(-len(text) // 4)
    assert all(token.isdecimal() for token in info["tokenIds"])


@pytest.mark.parametrize("body", [{}, {"instances": []}, {"instances": [{}]}, {"instances": [{"prompt": 5}]}])
def test_what_has_no_tokens(side_request: Side, body: Any) -> None:
    with pytest.raises(WireError) as refused:
        vertex.compute_tokens(side_request(body=orjson.dumps(body)))
    assert refused.value.reply.status == 400


# -- models ------------------------------------------------------------------------------------------------------------


def names(side_request: Side, *models: str, query: str = "") -> tuple[list[str], str | None]:
    request = side_request(*models)
    asked = attrs.evolve(request, head=attrs.evolve(request.head, query=query))
    body = orjson.loads(gemini.list_models(asked).body)
    return [model["name"].removeprefix("models/") for model in body["models"]], body.get("nextPageToken")


@pytest.mark.parametrize(
    ("models", "more"),
    [
        ((), ()),
        (("gemini-mine", "gpt-4o"), ("gemini-mine",)),
        (("models/gemini-mine", "gemini-mine", "gemini-2.5-pro"), ("gemini-mine",)),
        (("my-own",), ("my-own",)),
    ],
)
def test_the_list_has_what_there_is_and_what_fixtures_name(
    side_request: Side, models: tuple[str, ...], more: tuple[str, ...]
) -> None:
    assert names(side_request, *models) == ([*BUILT_IN, *more], None)


def test_pages(side_request: Side) -> None:
    whole, _ = names(side_request)
    seen: list[str] = []
    token: str | None = "0"
    while token is not None:
        page, token = names(side_request, query=f"pageSize=3&pageToken={token}&key=k")
        assert len(page) == 3 or token is None
        seen += page
    assert seen == whole
    assert names(side_request, query="pageSize=0") == names(side_request, query="pageToken=") == (whole, None)


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "pageToken=x", "pageToken=99999999999999999999"])
def test_pages_that_there_are_not(side_request: Side, query: str) -> None:
    with pytest.raises(WireError) as refused:
        names(side_request, query=query)
    assert refused.value.reply.status == 400


def test_one_model(side_request: Side) -> None:
    for model in ("gemini-2.5-flash", "gemini-mine", "my%2Down"):
        body = orjson.loads(gemini.retrieve_model(side_request("gemini-mine", "my-own", model=model)).body)
        assert body["name"] == "models/" + model.replace("%2D", "-")
        assert body["supportedGenerationMethods"][0] == "generateContent"
    embeds = orjson.loads(gemini.retrieve_model(side_request(model="gemini-embedding-001")).body)
    assert embeds["supportedGenerationMethods"][0] == "embedContent"
    assert orjson.loads(vertex.retrieve_publisher_model(side_request(model="gemini-2.5-pro")).body)["name"] == (
        "publishers/google/models/gemini-2.5-pro"
    )
    with pytest.raises(WireError, match="models/nope is not found") as missing:
        gemini.retrieve_model(side_request("gpt-4o", model="nope"))
    assert missing.value.reply.status == 404

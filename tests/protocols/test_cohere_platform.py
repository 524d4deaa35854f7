"""Errors, headers and side routes of Cohere's (wire-cohere §1, §8)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import cohere
from aimock_protocols.canonical import Allowance, ErrorReply, Excess, SideRequest, Stamp, WireError
from aimock_protocols.cohere import embed, v1
from aimock_protocols.cohere.embed import v1 as embed_v1

Side = Callable[..., SideRequest]

every_protocol = pytest.mark.parametrize(
    "protocol", [cohere, v1, embed, embed_v1], ids=lambda protocol: str(protocol.name)
)


@every_protocol
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 498, 499, 500, 501, 503, 504])
def test_errors_are_flat(protocol: Any, stamp: Stamp, status: int) -> None:
    response = protocol.error(ErrorReply("No.", "odd", "p", "c", status=status, retry_after=0.2), stamp)
    told = orjson.loads(response.body)
    assert (response.status, told.keys(), told["message"]) == (status, {"id", "message"}, "No.")
    assert uuid.UUID(told["id"]).version == 4
    headers = dict(response.headers)
    assert headers["content-type"] == "application/json"
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "200")


def test_a_hint_is_told_and_a_429_says_when_to_come_back(stamp: Stamp) -> None:
    hinted = cohere.error(ErrorReply("No.", hint="nearly"), stamp)
    assert orjson.loads(hinted.body)["hint"] == "nearly"
    assert "retry-after" not in dict(hinted.headers)
    assert dict(cohere.error(ErrorReply("No.", status=429), stamp).headers)["retry-after"] == "1"


@every_protocol
def test_headers(protocol: Any, stamp: Stamp) -> None:
    assert dict(protocol.whole_headers)["cache-control"].startswith("no-cache, no-store")
    assert protocol.rate_limits(Allowance(9, 8, 0.0, 9, 8, 0.0), 0.0) == ()
    ((name, value),) = protocol.fresh_headers(stamp)
    assert (name, len(value), int(value, 16) > 0) == ("x-debug-trace-id", 32, True)


@pytest.mark.parametrize(("unit", "named"), [("requests", "20 API calls / minute"), ("tokens", "20 tokens / minute")])
def test_a_quota_that_is_used_up(unit: str, named: str) -> None:
    told = cohere.rate_limited(Excess(unit, limit=20, used=20, requested=1, wait=3.5, model="m"))
    assert (told.status, told.retry_after) == (429, 3.5)
    assert named in told.message


# -- models ------------------------------------------------------------------------------------------------------------


def names(request: SideRequest) -> list[str]:
    return [model["name"] for model in orjson.loads(cohere.list_models(request).body)["models"]]


def test_models_are_cohere_s_own_if_there_are_any(side_request: Side) -> None:
    assert names(side_request("gpt-4o", "command-a", "embed-v4.0", "rerank-v3.5")) == [
        "command-a",
        "embed-v4.0",
        "rerank-v3.5",
    ]
    assert names(side_request("gpt-4o", "mine")) == ["gpt-4o", "mine"]


MODELS = ("command-a", "command-r", "embed-v4.0", "rerank-v3.5")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", list(MODELS)),
        ("endpoint=chat", ["command-a", "command-r"]),
        ("endpoint=chat&default_only=true", ["command-a"]),
        ("endpoint=embed", ["embed-v4.0"]),
        ("endpoint=rerank", ["rerank-v3.5"]),
        ("endpoint=classify", []),
        ("page_size=2", ["command-a", "command-r"]),
        ("page_size=2.0&page_token=command-r", ["embed-v4.0", "rerank-v3.5"]),
        ("page_token=rerank-v3.5", []),
    ],
)
def test_pages_of_models(side_request: Side, query: str, found: list[str]) -> None:
    request = side_request(*MODELS)
    assert names(attrs.evolve(request, head=attrs.evolve(request.head, query=query))) == found


def test_every_page_leads_to_the_next(side_request: Side) -> None:
    request, query, seen = side_request(*MODELS), "page_size=3", []
    while query:
        head: Any = attrs.evolve(request.head, query=query)
        page = orjson.loads(cohere.list_models(attrs.evolve(request, head=head)).body)
        seen += [model["name"] for model in page["models"]]
        query = f"page_size=3&page_token={page['next_page_token']}" if "next_page_token" in page else ""
    assert seen == list(MODELS)


@pytest.mark.parametrize("query", ["page_size=0", "page_size=1001", "page_size=x", "page_size=²", "page_token=odd"])
def test_no_page(side_request: Side, query: str) -> None:
    request = side_request(*MODELS)
    head: Any = attrs.evolve(request.head, query=query)
    with pytest.raises(WireError) as refused:
        cohere.list_models(attrs.evolve(request, head=head))
    assert refused.value.reply.status == 400


def test_one_model(side_request: Side) -> None:
    told = orjson.loads(cohere.retrieve_model(side_request("a/b", model="a%2Fb")).body)
    assert (told["name"], told["endpoints"], told["tokenizer_url"]) == ("a/b", ["chat"], None)
    with pytest.raises(WireError, match="model 'odd' not found") as refused:
        cohere.retrieve_model(side_request("a", model="odd"))
    assert refused.value.reply.status == 404


# -- tokens and keys ---------------------------------------------------------------------------------------------------


def tokens(request: SideRequest) -> Any:
    return orjson.loads(cohere.tokenize(request).body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_back_from_its_tokens(side_request: Side, text: str) -> None:
    told = tokens(side_request(body=orjson.dumps({"text": text, "model": "m"})))
    assert "".join(told["token_strings"]) == text
    assert len(told["tokens"]) == len(told["token_strings"])
    assert all(0 <= token < 2**53 for token in told["tokens"])
    asked = side_request(body=orjson.dumps({"tokens": told["tokens"], "model": "m"}))
    assert orjson.loads(cohere.detokenize(asked).body)["text"] == text


def test_tokens_are_about_four_characters(side_request: Side) -> None:
    told = tokens(side_request(body=b'{"text":"hello world","model":"m"}'))
    assert told["token_strings"] == ["hell", "o wo", "rld"]
    assert told["meta"] == {"api_version": {"version": "1"}}


@pytest.mark.parametrize("token", [0, 1, 10002, -1, 2**80, 2**56])
def test_tokens_that_no_text_has(side_request: Side, token: int) -> None:
    body = b'{"tokens":[%d],"model":"m"}' % token
    try:
        told = orjson.loads(cohere.detokenize(side_request(body=body)).body)["text"]
    except WireError as refused:
        told = refused.reply.message  # what JSON has beyond 64 bits is no integer
    assert told in ("\ufffd", "", "invalid type: parameter tokens is of type number but should be of type integer.")


@pytest.mark.parametrize(
    ("function", "body", "message"),
    [
        (cohere.tokenize, b"{}", "text is required"),
        (cohere.tokenize, b'{"text":"","model":"m"}', "text is required"),
        (cohere.tokenize, b'{"text":"a"}', "model is required"),
        (cohere.tokenize, b'{"text":"%b","model":"m"}' % (b"a" * 65537), "at most 65536 characters"),
        (cohere.tokenize, b"[]", "Request body must be a JSON object"),
        (cohere.detokenize, b'{"model":"m"}', "tokens is required"),
        (cohere.detokenize, b'{"tokens":5,"model":"m"}', "tokens is of type integer"),
        (cohere.detokenize, b'{"tokens":["a"],"model":"m"}', "tokens is of type string"),
        (cohere.detokenize, b'{"tokens":[1]}', "model is required"),
        (cohere.detokenize, b"{", "Malformed JSON"),
    ],
)
def test_refusals_beside_the_chat(side_request: Side, function: Any, body: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message) as refused:
        function(side_request(body=body))
    assert refused.value.reply.status == 400


@pytest.mark.parametrize(
    ("header", "valid"), [("Bearer x", True), ("bearer x", True), ("Bearer ", False), ("x", False), (None, False)]
)
def test_keys(side_request: Side, header: str | None, valid: bool) -> None:
    request = side_request()
    head: Any = attrs.evolve(request.head, headers={} if header is None else {"authorization": header})
    assert orjson.loads(cohere.check_api_key(attrs.evolve(request, head=head)).body)["valid"] is valid

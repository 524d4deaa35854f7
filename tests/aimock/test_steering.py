"""The headers that steer the server: test ids, contexts, strictness, request ids (core-server §2 and §4)."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from aimock import AIMock

Call = Callable[..., Any]


def sequence(mock: AIMock, **match: Any) -> None:
    for place, answer in enumerate(("one", "two", "three")):
        mock.on_message("hello", {"content": answer}, sequence_index=place, **match)


# -- test ids --------------------------------------------------------------------------------------------------------


def test_a15_field_14_tests_have_sequences_of_their_own(mock: AIMock, chat: Call) -> None:
    sequence(mock)
    answers = [chat(headers={"X-Test-Id": test}).content for test in ("a", "b", "a", "b", "a", "c")]
    assert answers == ["one", "one", "two", "two", "three", "one"]
    assert chat().content == "one", "no test id is a test id of its own"


def test_a_test_id_may_stand_in_the_query_and_the_header_outranks_it(mock: AIMock, call: Call) -> None:
    sequence(mock)
    body = {"messages": [{"role": "user", "content": "hello"}]}

    def ask(query: str, **headers: str) -> str | None:
        return call("POST", f"/v1/chat/completions{query}", body, headers).content

    assert ask("?testId=a%20b") == "one"
    assert ask("?x=1&testId=a+b") == "two"
    assert ask("?testId=c", **{"X-Test-Id": "a b"}) == "three"
    assert ask("?testId=c") == "one"
    assert ask("?testid=c") == "one", "case counts"


def test_the_first_of_two_test_ids_counts(mock: AIMock, chat: Call) -> None:
    sequence(mock)
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}]})
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/chat/completions")
        for name, value in (("X-Test-Id", "a"), ("X-Test-Id", "b"), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        assert json.loads(connection.getresponse().read())["choices"][0]["message"]["content"] == "one"
    assert chat(headers={"X-Test-Id": "a"}).content == "two"
    assert chat(headers={"X-Test-Id": "b"}).content == "one"


def test_a16_d11_the_oldest_of_too_many_test_ids_is_forgotten(chat: Call, call: Call) -> None:
    with AIMock(fixture_counts_max_test_ids=2) as mock:
        sequence(mock)
        body = {"messages": [{"role": "user", "content": "hello"}]}
        answers = [
            call("POST", "/v1/chat/completions", body, {"X-Test-Id": test}, mock.port).content
            for test in ("a", "b", "a", "c", "b", "a")
        ]
    assert answers == ["one", "one", "two", "one", "two", "one"]


def test_counts_are_reset_for_one_test_or_for_all(mock: AIMock, chat: Call) -> None:
    sequence(mock)

    def ask(test: str) -> str | None:
        answer: str | None = chat(headers={"X-Test-Id": test}).content
        return answer

    assert [ask("a"), ask("b")] == ["one", "one"]
    mock.reset_match_counts("a")
    assert [ask("a"), ask("b")] == ["one", "two"]
    mock.reset_match_counts()
    assert [ask("a"), ask("b")] == ["one", "one"]
    mock.reset_match_counts("never seen")
    mock.clear_requests()
    assert [ask("a"), ask("b")] == ["one", "one"]


def test_reading_the_journal_counts_nothing(mock: AIMock, call: Call, chat: Call) -> None:
    sequence(mock)
    assert chat().content == "one"
    call("GET", "/__aimock/journal?testId=unknown")
    assert chat().content == "two"


# -- contexts --------------------------------------------------------------------------------------------------------


def test_a17_contexts_choose_fixtures_and_count_apart(mock: AIMock, chat: Call) -> None:
    sequence(mock, context="blue")
    sequence(mock, context="red")
    mock.on_message("hello", {"content": "none"})
    answers = [
        chat(headers={"X-AIMock-Context": context}).content for context in ("blue", "red", "blue", "green", "Red")
    ]
    assert answers == ["one", "one", "two", "none", "none"]
    assert chat().content == "none"
    assert chat(headers={"X-AIMock-Context": ""}).content == "none"


def test_a_context_is_no_path(mock: AIMock, chat: Call) -> None:
    assert chat(headers={"X-AIMock-Context": "../../etc"}).status == 404
    assert mock.get_last_request()["body"]["_context"] == "../../etc"


# -- strictness ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strict", "header", "status"),
    [
        (False, "true", 503),
        (False, "True", 503),
        (False, "TRUE", 503),
        (False, "  true  ", 503),
        (False, "1", 503),
        (False, "\ttRuE", 503),
        (False, "yes", 404),
        (False, "", 404),
        (False, "truee", 404),
        (False, "true, true", 404),
        (True, "false", 404),
        (True, " False", 404),
        (True, "0", 404),
        (True, "no", 503),
        (True, "", 503),
    ],
)
def test_c7_field_49_the_strict_header(mock: AIMock, chat: Call, strict: bool, header: str, status: int) -> None:
    mock.strict = strict
    assert chat(headers={"X-AIMock-Strict": header}).status == status
    shown = mock.get_last_request()["response"].get("strictOverride")
    assert shown == (None if (status == 503) is strict else not strict), "shown only where it changed something"


def test_strict_may_be_set_while_the_server_runs(mock: AIMock, chat: Call) -> None:
    assert (mock.strict, chat().status) == (False, 404)
    mock.strict = True
    assert (mock.strict, chat().status) == (True, 503)


def test_strict_misses_nothing_that_matches(mock: AIMock, chat: Call) -> None:
    mock.on_message("hello", {"content": "Hi"})
    assert chat(headers={"X-AIMock-Strict": "true"}).content == "Hi"


# -- request ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["a", "A-z_0.9:x", "x" * 128, "req_1"])
@pytest.mark.parametrize("path", ["/health", "/nope", "/v1/chat/completions", "/__aimock/health", "/v1/models"])
def test_a_fit_request_id_is_echoed_everywhere(call: Call, path: str, sent: str) -> None:
    method = "POST" if path.endswith("completions") else "GET"
    assert call(method, path, {"messages": []}, {"X-Request-Id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "é", "a/b", "a\tb", "a,b", None])
def test_c26_an_unfit_request_id_is_replaced(mock: AIMock, chat: Call, sent: str | None) -> None:
    response = chat(headers={} if sent is None else {"X-Request-Id": sent.encode("latin-1")})
    minted = response.headers["x-request-id"]
    assert re.fullmatch("req_[0-9a-f]{32}", minted)
    assert mock.get_last_request()["headers"]["x-request-id"] == minted


def test_minted_request_ids_differ(call: Call) -> None:
    ids = {call("GET", "/health").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10

"""The journal (core-server §9): what an entry says, what it leaves out, and how much is kept."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from aimock import AIMock
from aimock.redaction import CREDENTIAL_HEADERS
from aimock.settings import Settings

Call = Callable[..., Any]

SECRET = "sk-very-secret"


def test_an_entry_is_complete(call: Call) -> None:
    with AIMock(wall_clock=lambda: 1795200000.25) as mock:
        mock.add_fixture({"match": {"userMessage": "hello"}, "response": {"content": "Hi"}, "chunkSize": 3})
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "custom": [1]}
        headers = {"X-Request-Id": "mine", "X-AIMock-Context": "ctx", "User-Agent": "test"}
        call("POST", "/v1/chat/completions?a=b", body, headers, port=mock.port)
        entry = mock.get_last_request()
        assert mock.get_requests() == [entry]
    assert list(entry) == ["id", "timestamp", "method", "path", "headers", "body", "response"]
    assert re.fullmatch("req-[0-9A-Za-z]{16}", entry["id"])
    assert (entry["timestamp"], entry["method"]) == (1795200000250, "POST")
    assert entry["path"] == "/v1/chat/completions?a=b"
    assert entry["body"] == {**body, "_endpointType": "chat", "_context": "ctx"}
    assert entry["headers"]["user-agent"] == "test"
    assert entry["headers"]["x-request-id"] == "mine"
    assert entry["response"] == {
        "status": 200,
        "fixture": {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}, "chunkSize": 3},
    }


def test_ids_are_unique_and_entries_are_stable(mock: AIMock, chat: Call) -> None:
    for _ in range(20):
        chat()
    entries = mock.get_requests()
    assert len({entry["id"] for entry in entries}) == 20
    assert len({entry["headers"]["x-request-id"] for entry in entries}) == 20
    assert mock.get_requests() == entries, "reading changes nothing"


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted({"authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key", "cookie"})
)
@pytest.mark.parametrize("spelling", [str.lower, str.title, str.upper])
def test_c17_field_52_no_credential_header_is_kept(
    mock: AIMock, call: Call, chat: Call, name: str, spelling: Callable[[str], str]
) -> None:
    chat(headers={spelling(name): f"Bearer {SECRET}"})
    assert mock.get_last_request()["headers"][name] == "[REDACTED]"
    assert SECRET not in call("GET", "/__aimock/journal").body.decode()
    assert SECRET not in call("GET", "/v1/_requests").body.decode()


def test_c17_what_is_accepted_as_a_credential_is_redacted(mock: AIMock, chat: Call) -> None:
    chat(headers=dict.fromkeys(CREDENTIAL_HEADERS, SECRET))
    shown = mock.get_last_request()["headers"]
    assert {shown[name] for name in CREDENTIAL_HEADERS} == {"[REDACTED]"}
    assert {"authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key"} <= CREDENTIAL_HEADERS


@pytest.mark.parametrize(
    "key", ["key", "api_key", "apikey", "api-key", "access_token", "token", "KEY", "X-Amz-Signature"]
)
def test_field_52_no_credential_in_a_query_is_kept(mock: AIMock, call: Call, key: str) -> None:
    call("POST", f"/v1/chat/completions?a=1&{key}={SECRET}&b=2", {"messages": []})
    entry = mock.get_last_request()
    assert entry["path"] == f"/v1/chat/completions?a=1&{key}=[REDACTED]&b=2"
    assert SECRET not in json.dumps(entry)


def test_a_query_key_that_only_ends_like_a_secret_is_kept(mock: AIMock, call: Call) -> None:
    call("POST", "/v1/chat/completions?monkey=1&keys=2", {"messages": []})
    assert mock.get_last_request()["path"] == "/v1/chat/completions?monkey=1&keys=2"


# -- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["x", "é", "🚀"])
def test_d10_field_51_a_huge_body_is_cut_to_a_note_of_its_size(mock: AIMock, chat: Call, letter: str) -> None:
    empty = len(json.dumps(asked("")).encode())
    room = 65536 - empty - len(',"_endpointType":"chat"')
    fits = letter * (room // len(letter.encode()))
    for text, cut in ((fits, False), (fits + letter * 8, True)):
        chat(text)
        body = mock.get_last_request()["body"]
        assert ("__aimock_truncated" in body) is cut
        if cut:
            assert set(body) == {"__aimock_truncated", "originalByteSize", "note"}
            assert 65536 < body["originalByteSize"] < 65536 + 100, "UTF-8 bytes of the neutral body"
        else:
            assert body["messages"][0]["content"] == text


def asked(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


def test_d11_field_51_only_the_last_entries_are_kept(call: Call) -> None:
    with AIMock(journal_max_entries=3) as mock:
        for text in "abcde":
            call("POST", "/v1/chat/completions", asked(text), port=mock.port)
        assert [entry["body"]["messages"][0]["content"] for entry in mock.get_requests()] == ["c", "d", "e"]


def test_d11_everything_is_bounded_by_default_however_it_is_started() -> None:
    settings, parameters = Settings(), inspect.signature(AIMock).parameters
    for name, bound in (("journal_max_entries", 1000), ("fixture_counts_max_test_ids", 500)):
        assert getattr(settings, name) == parameters[name].default == bound  # and `test_cli.test_defaults`


def test_0_entries_means_all_of_them(call: Call) -> None:
    with AIMock(journal_max_entries=0) as mock:
        for text in "abcde":
            call("POST", "/v1/chat/completions", asked(text), port=mock.port)
        assert len(mock.get_requests()) == 5


# -- what is journaled -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/x"),
        ("GET", "/v1/_requests"),
        ("GET", "/nope"),
        ("POST", "/nope"),
        ("GET", "/v1/chat/completions"),
        ("OPTIONS", "/v1/chat/completions"),
    ],
)
def test_what_is_no_conversation_is_not_journaled(mock: AIMock, call: Call, method: str, path: str) -> None:
    call(method, path)
    assert mock.get_requests() == []


def test_requests_that_are_none_are_journaled_without_a_body(mock: AIMock, call: Call) -> None:
    for body in (b"{", b"[]", b'{"messages": 3}'):
        call("POST", "/v1/chat/completions", body)
        entry = mock.get_last_request()
        assert (entry["response"], entry["body"]) == ({"status": 400, "fixture": None}, None)


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        pytest.param({"content": {"a": 1}}, {"content": '{"a":1}'}, id="B13 an object is its text"),
        pytest.param(
            {"error": {"message": "x"}, "status": 418}, {"error": {"message": "x"}, "status": 418}, id="error"
        ),
        pytest.param(lambda body: {"content": "x"}, None, id="a factory is not shown"),
    ],
)
def test_the_fixture_is_shown_as_loaded(mock: AIMock, chat: Call, response: Any, shown: Any) -> None:
    mock.on({"userMessage": re.compile("h.llo", re.IGNORECASE), "predicate": lambda body: True}, response)
    chat("HELLO")
    fixture = mock.get_last_request()["response"]["fixture"]
    assert fixture == {"match": {"userMessage": "/h.llo/i"}} | ({"response": shown} if shown else {})


def test_repeated_headers_are_joined(mock: AIMock) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Content-Length", "2")
    connection.putheader("X-Test-Id", "first")
    connection.putheader("X-Test-Id", "second")
    connection.endheaders(b"{}")
    connection.getresponse().read()
    connection.close()
    entry = mock.get_last_request()
    assert entry["headers"]["x-test-id"] == "first, second"

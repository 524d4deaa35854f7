"""The journal (core-server §9): what an entry says, what it leaves out, and how much is kept."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.fixtures import fixture_from, make_fixture
from aimock.net.limits import Limits
from aimock.net.memory import MemoryClient, connect
from aimock.redaction import CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS, SECRET_HEADERS, SECRET_QUERY_KEYS, redact_target
from aimock.rendering import Renderings
from aimock.settings import Settings

Call = Callable[..., Any]

SECRET = "sk-very-secret"


def test_an_entry_is_complete(call: Call) -> None:
    with AIMock(wall_clock=lambda: 1795200000.25, seed=11) as mock:
        mock.add_fixture({"match": {"userMessage": "hello"}, "response": {"content": "Hi"}, "chunkSize": 3})
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "custom": [1]}
        headers = {"X-Request-Id": "mine", "X-AIMock-Context": "ctx", "User-Agent": "test"}
        call("POST", "/v1/chat/completions?a=b", body, headers, port=mock.port)
        entry = mock.get_last_request()
        assert mock.get_requests() == [entry]
    assert list(entry) == ["id", "timestamp", "method", "path", "headers", "body", "response", "seed"]
    assert re.fullmatch("req-[0-9A-Za-z]{16}", entry["id"])
    assert (entry["timestamp"], entry["method"]) == (1795200000250, "POST")
    assert entry["path"] == "/v1/chat/completions?a=b"
    assert entry["body"] == {**body, "_endpointType": "chat", "_context": "ctx"}
    assert entry["seed"] == 11
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


@pytest.mark.parametrize("padding", [0, 100_000])
def test_a_body_that_is_nested_too_deeply_is_noted(mock: AIMock, call: Call, padding: int) -> None:
    for depth in (200, *range(240, 260), 300):
        nested = "[" * depth + "]" * depth
        told = f'{{"model": "m", "messages": [], "user": "{"u" * padding}", "metadata": {{"x": {nested}}}}}'
        call("POST", "/v1/chat/completions", told.encode(), port=mock.port)
    shown = call("GET", "/__aimock/journal", port=mock.port)
    assert shown.status == 200
    bodies = [entry["body"] for entry in json.loads(shown.body)]
    assert len(bodies) == 22
    assert "nested deeper" in bodies[-1]["note"]
    if not padding:
        assert bodies[0]["model"] == "m"


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
    """core-lessons C17, G1, field 2.52"""
    chat(headers=dict.fromkeys(CREDENTIAL_HEADERS, SECRET))
    shown = mock.get_last_request()["headers"]
    assert {shown[name] for name in CREDENTIAL_HEADERS} == {"[REDACTED]"}
    assert {"authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key"} <= CREDENTIAL_HEADERS
    assert CREDENTIAL_HEADERS <= SECRET_HEADERS
    assert CREDENTIAL_QUERY_KEYS <= SECRET_QUERY_KEYS


@pytest.mark.parametrize(
    "key",
    [
        "key",
        "api_key",
        "apikey",
        "api-key",
        "access_token",
        "token",
        "sig",
        "KEY",
        "X-Amz-Signature",
        "X-Goog-Signature",
    ],
)
def test_field_52_no_credential_in_a_query_is_kept(mock: AIMock, call: Call, key: str) -> None:
    call("POST", f"/v1/chat/completions?a=1&{key}={SECRET}&b=2", {"messages": []})
    entry = mock.get_last_request()
    assert entry["path"] == f"/v1/chat/completions?a=1&{key}=[REDACTED]&b=2"
    assert SECRET not in json.dumps(entry)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/v1?k%65y=sk-1&a=1", "/v1?k%65y=[REDACTED]&a=1"),
        ("/v1?%6bey=sk-1", "/v1?%6bey=[REDACTED]"),
        ("/v1?+key=sk-1", "/v1?+key=[REDACTED]"),
        ("/v1?a=1?key=sk-1", "/v1?a=1?key=[REDACTED]"),
        ("/v1?key=sk-1?b=2&c=3", "/v1?key=[REDACTED]&c=3"),
        ("/v1?key=sk-1=2", "/v1?key=[REDACTED]"),
        ("/v1?key=sk-1&key=sk-2", "/v1?key=[REDACTED]&key=[REDACTED]"),
        ("http://me:sk-1@mock/v1?a=1", "http://[REDACTED]@mock/v1?a=1"),
        ("/v1?key=&a", "/v1?key=&a"),
        ("/v1/a@b?c=d@e", "/v1/a@b?c=d@e"),
        ("/key=1", "/key=1"),
        ("/v1?", "/v1?"),
    ],
)
def test_field_52_a_key_is_found_however_it_is_written(target: str, shown: str) -> None:
    """field 2.52"""
    assert redact_target(target) == shown


def test_field_52_no_secret_is_in_a_repr(mock: AIMock, call: Call) -> None:
    """field 2.52"""
    call("POST", f"/v1/chat/completions?key={SECRET}", asked("hello"), {"Authorization": f"Bearer {SECRET}"})
    (entry,) = mock.journal
    assert "/v1/chat/completions" in repr(entry)
    assert SECRET not in repr(entry)


@pytest.mark.parametrize("text", ["hello", "no fixture"])
def test_field_52_no_secret_is_logged(
    mock: AIMock, call: Call, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """field 2.52: neither by a miss nor by a failure."""
    mock.on_message("hello", {"content": "Hi"})
    if text == "hello":
        monkeypatch.setattr(Renderings, "whole", failing)
    with caplog.at_level(logging.DEBUG):
        call("POST", f"/v1/chat/completions?key={SECRET}", asked(text), {"X-Api-Key": SECRET})
    assert "/v1/chat/completions" in caplog.text
    assert SECRET not in caplog.text


def failing(*_: Any) -> Any:
    raise RuntimeError("the rendering failed")


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
    """core-lessons D11, G4, field 2.51"""
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


# -- what went wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_b7_an_answer_that_could_not_be_made_is_journaled_as_the_500_that_was_sent(
    mock: AIMock, chat: Call, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """core-lessons B7, G3: also where the entry was made before the rendering failed."""
    mock.on_message("hello", {"content": "Hi"})
    monkeypatch.setattr(Renderings, "stream" if stream else "whole", failing)
    response = chat("hello", stream=stream)
    assert (response.status, response.json["error"]["message"]) == (500, "the rendering failed")
    (entry,) = mock.get_requests()
    assert (entry["response"]["status"], entry["response"]["source"]) == (500, "internal")
    assert entry["body"]["messages"] == asked("hello")["messages"]


def test_a_failure_that_is_no_conversation_is_not_journaled(
    mock: AIMock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimock_protocols.openai_chat.list_models", failing)
    assert call("GET", "/v1/models").status == 500
    assert mock.get_requests() == []


REFUSALS = [
    pytest.param(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n",
        413,
        "request body exceeded size limit",
        id="C11 announced",
    ),
    pytest.param(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101,
        413,
        "request body exceeded size limit",
        id="C11 sent",
    ),
    pytest.param(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        400,
        "malformed request",
        id="malformed",
    ),
    pytest.param(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        408,
        "request body took too long",
        id="slow",
    ),
]


@pytest.mark.parametrize(("sent", "status", "reason"), REFUSALS)
async def test_c11_a_request_that_is_not_read_to_its_end_is_journaled_as_such(
    autojump_clock: MockClock, memory: Call, sent: bytes, status: int, reason: str
) -> None:
    """core-lessons C11, field 2.51"""
    server = memory(limits=Limits(body_bytes=100))
    await trio.testing.wait_all_tasks_blocked()
    client = connect(server.server)
    client.send(sent)
    told = b"".join(arrival.data for arrival in await client.receive_all())
    assert told.startswith(f"HTTP/1.1 {status} ".encode())
    (entry,) = server.journal
    assert entry["response"] == {
        "status": status,
        "fixture": None,
        "source": "internal",
        "interrupted": True,
        "interruptReason": reason,
    }
    assert (entry["body"], entry["path"]) == (None, "/v1/chat/completions")


async def test_c11_elsewhere_it_is_not_journaled(autojump_clock: MockClock, memory: Call) -> None:
    server = memory(limits=Limits(body_bytes=100))
    await trio.testing.wait_all_tasks_blocked()
    for path in (b"/__aimock/fixtures", b"/nope", b"/health"):
        client = connect(server.server)
        client.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" % path)
        assert (await client.receive_all())[0].data.startswith(b"HTTP/1.1 413 ")
    assert server.journal == []


@pytest.mark.parametrize("text", ["hello", "no fixture"])
@pytest.mark.parametrize("stays", [True, False])
async def test_field_41_a_whole_answer_that_its_client_did_not_wait_for_was_interrupted(
    autojump_clock: MockClock, memory: Call, text: str, stays: bool
) -> None:
    """field 2.41"""
    server = memory()
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([make_fixture({"match": {"userMessage": "hello"}, "response": {"content": "Hi"}})])
    client = server.send(text, capacity=10)
    await client.receive()
    if stays:
        client.finish()
        while await client.receive():
            pass
    else:
        client.leave()
    await trio.testing.wait_all_tasks_blocked()
    (entry,) = server.journal
    assert entry["response"].get("interrupted", False) is not stays
    assert "interruptReason" not in entry["response"]


async def test_field_41_an_answer_that_was_made_when_its_client_had_left_was_not_delivered(
    autojump_clock: MockClock, memory: Call
) -> None:
    """field 2.41, core-lessons C12"""
    server = memory()
    await trio.testing.wait_all_tasks_blocked()
    clients: list[MemoryClient] = []

    async def late(_: Any) -> dict[str, str]:
        with trio.CancelScope(shield=True):
            clients[0].leave()
            await trio.sleep(1)
        return {"content": "late"}

    server.state.book.append([fixture_from({}, late)])
    clients.append(server.send())
    await trio.sleep(2)
    (entry,) = server.journal
    assert (entry["response"]["status"], entry["response"]["interrupted"]) == (200, True)

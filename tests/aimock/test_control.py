"""The control API (core-server §5) and the older journal route: every route, and every way to get it wrong."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
from collections.abc import Callable
from typing import Any

import pytest

from aimock import AIMock
from aimock.fixtures import make_fixture

Call = Callable[..., Any]

HI = {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}}


# -- routes ----------------------------------------------------------------------------------------------------------


def test_health(call: Call) -> None:
    response = call("GET", "/__aimock/health")
    assert (response.status, response.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/__aimock"),
        ("GET", "/__aimock/"),
        ("GET", "/__aimock/nope"),
        ("GET", "/__aimockfoo"),
        ("GET", "/__aimock/reset"),
        ("PUT", "/__aimock/fixtures"),
        ("POST", "/__aimock/fixtures/"),
        ("DELETE", "/__aimock/journal"),
    ],
)
def test_an_unknown_control_route_is_a_404_that_names_it(call: Call, method: str, path: str) -> None:
    response = call(method, path)
    assert response.status == 404
    assert response.json["error"]["type"] == "not_found"
    assert f"{method} {path}" in response.json["error"]["message"]


def test_control_answers_have_cors_and_a_request_id(call: Call) -> None:
    for path in ("/__aimock/health", "/__aimock/nope", "/__aimock/journal?x=1"):
        headers = call("GET", path, headers={"X-Request-Id": "mine"}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert (headers["x-request-id"], headers["content-type"]) == ("mine", "application/json")


def test_control_is_not_journaled(mock: AIMock, call: Call) -> None:
    for method, path in (("GET", "/__aimock/journal"), ("POST", "/__aimock/reset/journal"), ("GET", "/__aimock/x")):
        call(method, path)
    assert mock.get_requests() == []


# -- fixtures --------------------------------------------------------------------------------------------------------


def test_fixtures_are_added_at_the_end_counted_and_cleared(call: Call, chat: Call) -> None:
    assert call("POST", "/__aimock/fixtures", {"fixtures": [HI]}).json == {"added": 1}
    later = [{"match": {"userMessage": "hello"}, "response": {"content": "later"}}, {**HI, "match": {"model": "m"}}]
    assert call("POST", "/__aimock/fixtures", {"fixtures": later}).json == {"added": 2}
    assert call("GET", "/__aimock/fixtures").json == {"count": 3}
    assert chat("hello").content == "Hi"
    assert call("DELETE", "/__aimock/fixtures").json == {"cleared": True}
    assert call("GET", "/__aimock/fixtures").json == {"count": 0}
    assert chat("hello").status == 404


def test_fixtures_are_shown(mock: AIMock, call: Call) -> None:
    mock.add_fixture({**HI, "latency": 5, "chunkSize": 3})
    mock.on({"where": "tools", "turnIndex": 2}, {"toolCalls": []}).on({}, {"error": {"message": "x"}})
    mock.on_message("f", lambda body: {"content": "x"})
    assert call("GET", "/__aimock/fixtures?include=fixtures").json == {
        "count": 4,
        "fixtures": [
            {"index": 0, "match": {"userMessage": "hello"}, "latency": 5, "responseKind": "text"},
            {"index": 1, "match": {"where": "tools", "turnIndex": 2}, "responseKind": "toolCalls"},
            {"index": 2, "match": {}, "responseKind": "error"},
            {"index": 3, "match": {"userMessage": "f"}, "responseKind": "factory"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "said"), [("include=all", "include"), ("includes=fixtures", "includes"), ("include=", "include")]
)
def test_fixtures_are_not_shown_for_a_wrong_query(call: Call, query: str, said: str) -> None:
    response = call("GET", f"/__aimock/fixtures?{query}")
    assert response.status == 400
    assert response.json["error"].startswith(f"{said}: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Malformed JSON"),
        (b"", "Malformed JSON"),
        (b"null", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b"{}", '"fixtures"'),
        (b'{"fixtures": null}', '"fixtures"'),
        (b'{"fixtures": {}}', '"fixtures"'),
        (b'{"fixtures": "x"}', '"fixtures"'),
    ],
)
def test_c20_fixtures_that_are_none_are_a_400(call: Call, body: bytes, said: str) -> None:
    response = call("POST", "/__aimock/fixtures", body)
    assert response.status == 400
    assert said in response.json["error"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param({"response": {"content": "x"}}, "match", id="B2 no match"),
        pytest.param({"match": {}}, "response", id="no response"),
        pytest.param(None, "entry", id="null"),
        pytest.param({"match": {}, "response": {"content": ""}}, "content", id="empty content"),
        pytest.param({"match": {"userMessage": 5}, "response": {"content": "x"}}, "userMessage", id="a number"),
        pytest.param({"match": {"where": "a["}, "response": {"content": "x"}}, "where", id="no expression"),
        pytest.param({"match": {}, "response": {"blocks": [3]}}, "blocks[0]", id="B7 malformed blocks"),
        pytest.param(
            {"match": {"toolResultContains": ""}, "response": {"content": "x"}}, "toolResultContains", id="A7 empty"
        ),
        pytest.param(
            {"match": {}, "response": {"error": {"message": "x"}, "fallthrough": "false"}}, "fallthrough", id="B11"
        ),
        pytest.param({"match": {}, "response": {"content": "x"}, "latency": -1}, "latency", id="negative"),
    ],
)
def test_one_faulty_entry_refuses_all(mock: AIMock, call: Call, entry: Any, said: str) -> None:
    response = call("POST", "/__aimock/fixtures", {"fixtures": [HI, entry]})
    assert response.status == 400
    assert response.json["error"] == "Validation failed"
    details = response.json["details"]
    assert {(detail["severity"], detail["fixtureIndex"]) for detail in details} == {("error", 1)}
    assert any(said in detail["message"] for detail in details)
    assert len(mock.fixtures) == 0


def test_warnings_refuse_nothing_and_are_not_listed(call: Call) -> None:
    entries = [HI, HI, {"match": {"usrMessage": "x"}, "response": {"content": "x"}}]
    response = call("POST", "/__aimock/fixtures", {"fixtures": entries})
    assert (response.status, response.json) == (200, {"added": 3})


# -- reset -----------------------------------------------------------------------------------------------------------


def busy(mock: AIMock, chat: Call) -> None:
    """A server with something of everything: a sequence half-way, a journal, a queued error for another test."""
    for place, answer in enumerate(("one", "two")):
        mock.on_message("hello", {"content": answer}, sequence_index=place)
    assert chat("hello").content == "one"
    mock.next_request_error(418, test_id="other")


def sequence(mock: AIMock, chat: Call) -> str | None:
    mock.clear_fixtures()
    for place, answer in enumerate(("one", "two")):
        mock.on_message("hello", {"content": answer}, sequence_index=place)
    return chat("hello").content


def test_d7_the_journal_alone_is_reset(mock: AIMock, call: Call, chat: Call) -> None:
    busy(mock, chat)
    assert call("POST", "/__aimock/reset/journal").json == {"reset": True}
    assert mock.get_requests() == []
    assert chat("hello").content == "two", "sequences are not rewound"
    assert chat("x", {"X-Test-Id": "other"}).status == 418, "nor are errors forgotten"


@pytest.mark.parametrize("path", ["/__aimock/reset", "/__aimock/reset/fixtures"])
def test_field_55_everything_is_reset(mock: AIMock, call: Call, chat: Call, path: str) -> None:
    """core-lessons G1, field 2.55"""
    busy(mock, chat)
    first_id = mock.get_last_request()["headers"]["x-request-id"]
    response = call("POST", path, b"whatever")
    assert (response.status, response.json["reset"]) == (200, True)
    assert (mock.get_requests(), len(mock.fixtures)) == ([], 0)
    assert chat("x", {"X-Test-Id": "other"}).status == 404
    mock.on_message("hello", {"content": "again"}, sequence_index=0)
    assert chat("hello").content == "again"
    assert mock.get_last_request()["headers"]["x-request-id"] == first_id, "randomness begins anew as well"


def test_field_55_a_fixture_that_comes_back_after_a_reset_starts_anew(mock: AIMock, call: Call, chat: Call) -> None:
    fixture = make_fixture({"match": {"sequenceIndex": 0}, "response": {"content": "one"}})
    for reset in (lambda: call("POST", "/__aimock/reset"), mock.reset, mock.clear_fixtures):
        mock.add_fixture(fixture)
        assert [chat().status, chat().status] == [200, 404]
        reset()
    mock.add_fixture(fixture)
    assert chat().status == 404, "to clear the fixtures is no reset of the counts"


def test_reset_fixtures_says_that_it_is_deprecated(call: Call) -> None:
    old, new = call("POST", "/__aimock/reset/fixtures"), call("POST", "/__aimock/reset")
    assert old.headers["deprecation"] == "true"
    assert old.json["deprecated"] is True
    for path in ("/__aimock/reset", "/__aimock/reset/journal"):
        assert path in old.json["deprecation"]
    assert "deprecation" not in new.headers
    assert new.json == {"reset": True}


def test_d9_field_54_two_servers_never_meet(mock: AIMock, call: Call, chat: Call) -> None:
    with AIMock() as other:
        for server in (mock, other):
            server.on_message("hello", {"content": "one"}, sequence_index=0).next_request_error(418, test_id="t")
        assert chat("hello").content == "one"
        assert call("POST", "/__aimock/reset", port=other.port).json == {"reset": True}
        assert (len(other.fixtures), len(mock.fixtures)) == (0, 1)
        assert len(mock.get_requests()) == 1
        assert chat("hello").status == 404, "this server's sequence is still used up"
        assert chat("hello", {"X-Test-Id": "t"}).status == 418


def test_clearing_fixtures_clears_queued_errors_too(mock: AIMock, call: Call, chat: Call) -> None:
    mock.next_request_error(418)
    call("DELETE", "/__aimock/fixtures")
    assert chat().status == 404


# -- one-shot errors -------------------------------------------------------------------------------------------------


def test_a_one_shot_error_is_served_once_whatever_is_asked(mock: AIMock, call: Call, chat: Call) -> None:
    mock.on_message("hello", {"content": "Hi"}).strict = True
    assert call("POST", "/__aimock/error", {}).json == {"queued": True}
    response = chat("anything", stream=True)
    assert response.status == 500
    assert response.json == {
        "error": {"message": "Injected error", "type": "server_error", "param": None, "code": None}
    }
    entry = mock.get_last_request()
    assert entry["response"]["status"] == 500
    assert entry["response"]["fixture"]["match"] == {}
    assert chat("hello").content == "Hi"


def test_a_one_shot_error_says_what_it_is_told(call: Call, chat: Call) -> None:
    body = {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}
    call("POST", "/__aimock/error", {"status": 429, "body": body})
    response = chat()
    assert (response.status, response.json["error"]) == (429, {**body, "param": None})
    assert (response.headers["retry-after"], response.headers["x-ratelimit-remaining-requests"]) == ("1", "0")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param({"status": 99}, "status", id="D6 99"),
        pytest.param({"status": "429"}, "status", id="D6 text"),
        pytest.param({"status": 1000}, "status", id="D6 1000"),
        pytest.param({"status": 101}, "status", id="D6 101 would hang the client"),
        pytest.param({"status": 429.5}, "status", id="D6 fraction"),
        pytest.param({"status": True}, "status", id="D6 boolean"),
        pytest.param({"status": None}, "status", id="D6 null"),
        pytest.param({"body": "x"}, "body", id="D6 body is text"),
        pytest.param({"body": []}, "body", id="D6 body is an array"),
        pytest.param({"body": {"message": 5}}, "body.message", id="D6 message"),
        pytest.param({"body": {"type": []}}, "body.type", id="D6 type"),
        pytest.param({"body": {"code": 429}}, "body.code", id="D6 code"),
        pytest.param(b"null", "object", id="D6 null body"),
        pytest.param(b"[]", "object", id="D6 array"),
        pytest.param(b"{", "JSON", id="D6 no JSON"),
    ],
)
def test_d6_a_wrong_one_shot_is_a_400_and_queues_nothing(
    mock: AIMock, call: Call, chat: Call, body: Any, said: str
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    response = call("POST", "/__aimock/error", body)
    assert response.status == 400
    assert said in response.json["error"]
    assert chat("hello").content == "Hi"


def test_d1_field_15_of_concurrent_requests_one_gets_the_error(mock: AIMock, chat: Call) -> None:
    mock.on_message("hello", {"content": "Hi"}).next_request_error(418)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = [done.result().status for done in [pool.submit(chat, "hello") for _ in range(16)]]
    assert sorted(statuses) == [200] * 15 + [418]


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/models", "/__aimock/health", "/nope"])
def test_d2_a_request_that_cannot_carry_it_leaves_the_error_pending(
    mock: AIMock, call: Call, chat: Call, path: str
) -> None:
    mock.next_request_error(418)
    for method in ("GET", "POST"):
        assert call(method, path, {"prompt": "x"}).status != 418
    assert call("POST", "/v1/chat/completions", b"{").status == 400, "nor does a request that is none consume it"
    assert chat().status == 418


def test_d3_every_queued_error_is_served_the_last_first(mock: AIMock, chat: Call) -> None:
    mock.next_request_error(418).next_request_error(423)
    assert [chat().status for _ in range(3)] == [423, 418, 404]


def test_d4_an_error_beats_a_scripted_turn(mock: AIMock, chat: Call) -> None:
    mock.on_turn(0, "hello", {"content": "turn"}).next_request_error(418)
    assert [chat().status for _ in range(2)] == [418, 200]


def test_errors_that_nobody_meets_do_not_pile_up_without_end(
    mock: AIMock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """core-lessons G4"""
    monkeypatch.setattr("aimock.injected.MOST", 2)
    mock.next_request_error(500).next_request_error(500)
    refused = call("POST", "/__aimock/error", {})
    assert (refused.status, refused.json["error"]) == (400, "2 errors are queued already, and no request has met them")
    with pytest.raises(ValueError, match="2 errors are queued"):
        mock.next_request_error(500)


def test_an_error_queued_for_a_test_is_for_that_test(mock: AIMock, call: Call, chat: Call) -> None:
    mock.on_message("hello", {"content": "Hi"})
    call("POST", "/__aimock/error", {"status": 418}, {"X-Test-Id": "a"})
    assert [chat(headers={"X-Test-Id": test}).status for test in ("b", "a", "a")] == [200, 418, 200]
    assert chat().status == 200


def test_an_error_does_not_use_up_a_sequence(mock: AIMock, chat: Call) -> None:
    """core-lessons G2"""
    mock.on_message("hello", {"content": "one"}, sequence_index=0).next_request_error(418)
    assert [chat().status for _ in range(2)] == [418, 200]


# -- the journal -----------------------------------------------------------------------------------------------------


def filled(mock: AIMock, chat: Call) -> None:
    """Six entries: of tests a, b and none; 200, 404 and 429; chat and completions."""
    mock.on_message("busy", {"error": {"message": "x"}, "status": 429}).on_message("hello", {"content": "Hi"})
    for text, test in (("hello", "a"), ("busy", "a"), ("none", "b"), ("hello", ""), ("hello", "b")):
        chat(text, {"X-Test-Id": test} if test else {"X-Request-Id": "mine"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("limit=2", [0, 1]),
        ("limit=0", []),
        ("limit=99", [0, 1, 2, 3, 4, 5]),
        ("offset=4", [4, 5]),
        ("offset=99", []),
        ("offset=1&limit=2", [1, 2]),
        ("status=200", [0, 3, 4, 5]),
        ("status=429", [1]),
        ("status=500", []),
        ("method=POST", [0, 1, 2, 3, 4, 5]),
        ("method=post", [0, 1, 2, 3, 4, 5]),
        ("method=GET", []),
        ("path=/v1/completions", [5]),
        ("path=chat", [0, 1, 2, 3, 4]),
        ("path=Chat", []),
        ("testId=a", [0, 1]),
        ("testId=b", [2, 4]),
        ("testId=c%20d", [5]),
        ("testId=__default__", [3]),
        ("requestId=mine", [3]),
        ("service=search", []),
        ("testId=a&status=429", [1]),
        ("status=200&offset=1&limit=1", [3]),
    ],
)
def test_the_journal_is_paged_and_filtered(
    mock: AIMock, call: Call, chat: Call, query: str, expected: list[int]
) -> None:
    filled(mock, chat)
    call("POST", "/v1/completions?testId=c%20d", {"model": "m", "prompt": "hello"})
    everything = mock.get_requests()
    response = call("GET", f"/__aimock/journal?{query}" if query else "/__aimock/journal")
    assert response.status == 200
    assert response.json == [everything[place] for place in expected]
    paged = "limit" in query or "offset" in query
    total = {"status=200&offset=1&limit=1": 4}.get(query, 6) if paged else len(expected)
    assert response.headers["x-total-count"] == str(total), "matches before paging"


def test_what_is_redacted_cannot_be_searched_for(mock: AIMock, call: Call) -> None:
    call("POST", "/v1/chat/completions?key=sk-secret", {"messages": []})
    assert call("GET", "/__aimock/journal?path=sk-").json == []
    assert len(call("GET", "/__aimock/journal?path=key%3D").json) == 1


def test_of_repeated_test_ids_the_first_counts_in_the_filter_too(mock: AIMock, call: Call) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/chat/completions")
        for name, value in (("Content-Length", "2"), ("X-Test-Id", "a"), ("X-Test-Id", "b")):
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        connection.getresponse().read()
    assert len(call("GET", "/__aimock/journal?testId=a").json) == 1
    assert call("GET", "/__aimock/journal?testId=b").json == []


def test_every_entry_says_the_seed(call: Call, chat: Call) -> None:
    with AIMock(seed=5) as seeded, AIMock() as drawn:
        for server in (seeded, drawn):
            call("POST", "/v1/chat/completions", {"messages": []}, port=server.port)
            (entry,) = call("GET", "/__aimock/journal", port=server.port).json
            assert entry["seed"] == server.seed
        assert seeded.seed == 5


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("offset=-1", "offset"),
        ("status=ok", "status"),
        ("status=", "status"),
        ("statu=200", "statu"),
        ("limit=1&foo=2", "foo"),
        ("limit=9999999999999999999999", "limit"),
    ],
)
def test_a_wrong_journal_query_is_a_400_that_names_it(call: Call, query: str, said: str) -> None:
    response = call("GET", f"/__aimock/journal?{query}")
    assert response.status == 400
    assert response.json["error"].startswith(f"{said}: ")


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 3), ("?limit=2", 2), ("?limit=99", 3), ("?limit=", 3), ("?limit=2x", 2), ("?other=1", 3), ("?limit=%202", 2)],
)
def test_the_older_journal_route_gives_the_last_entries(
    mock: AIMock, call: Call, chat: Call, query: str, count: int
) -> None:
    for text in ("a", "b", "c"):
        chat(text)
    response = call("GET", f"/v1/_requests{query}")
    assert (response.status, response.json) == (200, mock.get_requests()[-count:])


@pytest.mark.parametrize("limit", ["0", "-1", "x", "NaN"])
def test_the_older_journal_route_refuses_a_wrong_limit(call: Call, limit: str) -> None:
    response = call("GET", f"/v1/_requests?limit={limit}")
    assert (response.status, response.json["error"]["type"]) == (400, "invalid_request_error")
    assert limit in response.json["error"]["message"]


def test_d7_the_older_route_deletes_entries_only(mock: AIMock, call: Call, chat: Call) -> None:
    busy(mock, chat)
    response = call("DELETE", "/v1/_requests")
    assert (response.status, response.body) == (204, b"")
    assert mock.get_requests() == []
    assert chat("hello").content == "two"

"""Chaos that is changed while the server runs: by the control API, and in Python."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from aimock import AIMock
from aimock.fixtures import Chaos

Call = Callable[..., Any]

OK = {"content": "fine"}


# -- by the control API ------------------------------------------------------------------------------------------------


def test_chaos_is_shown_replaced_and_forgotten(mock: AIMock, call: Call, chat: Call) -> None:
    mock.on({}, OK)
    path = "/__aimock/chaos"
    assert call("GET", path).json == {"chaos": {}}
    shown = {"dropRate": 1, "latencyMs": 1, "faults": [{"name": "fin", "afterChunks": 2, "rate": 0.5}]}
    assert call("POST", path, shown | {"faults": "fin;afterChunks=2;rate=.5"}).json == {"chaos": shown}
    assert call("GET", path).json == {"chaos": shown}
    assert chat().status == 500
    assert call("POST", path, {"malformedRate": 0}).json == {"chaos": {"malformedRate": 0}}, "replaced, not merged"
    assert chat().status == 200
    assert call("DELETE", path).json == {"chaos": {}}


def test_what_disappears_is_logged(mock: AIMock, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    path = "/__aimock/chaos"
    call("POST", path, {"dropRate": 1, "latencyMs": 5, "malformedRate": 0})
    assert caplog.messages == []
    call("POST", path, {"dropRate": 0})
    assert caplog.messages == ["chaos was replaced, and says nothing of malformedRate, latencyMs any more"]


def test_a_test_ids_chaos_stands_instead_of_everybodys(call: Call) -> None:
    path = "/__aimock/chaos"
    with AIMock(chaos={"dropRate": 1}) as mock:
        mock.on({}, OK)

        def ask(test: str = "", **headers: str) -> int:
            body = {"messages": [{"role": "user", "content": "x"}]}
            sent = headers | ({"X-Test-Id": test} if test else {})
            status: int = call("POST", "/v1/chat/completions", body, sent, port=mock.port).status
            return status

        def control(method: str, body: Any = None, test: str = "", query: str = "") -> Any:
            return call(method, path + query, body, {"X-Test-Id": test} if test else {}, port=mock.port).json["chaos"]

        assert control("POST", {"rateLimitRate": 1}, test="a") == {"rateLimitRate": 1}
        assert (ask(), ask("a"), ask("b")) == (500, 429, 500)
        assert control("POST", {}, query="?testId=b") == {}
        assert (ask(), ask("a"), ask("b")) == (500, 429, 200), "{} is no chaos"
        assert control("GET", test="a") == {"rateLimitRate": 1}
        assert control("GET", test="c") == control("GET") == {"dropRate": 1}
        assert control("POST", {"malformedRate": 1}) == {"malformedRate": 1}
        assert (ask("a"), ask("b"), ask("c")) == (429, 200, 200)
        assert control("DELETE", test="a") == {"malformedRate": 1}, "what holds for all"
        assert control("DELETE") == {"dropRate": 1}, "what the server was started with"
        assert (ask("a"), ask("b")) == (500, 200)
        call("POST", "/__aimock/reset", port=mock.port)
        mock.on({}, OK)
        assert (ask(), ask("a"), ask("b")) == (500, 500, 500)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_test_id_is_a_400(call: Call, method: str, blank: str) -> None:
    answer = call(method, "/__aimock/chaos", b"{}" if method == "POST" else None, {"X-Test-Id": blank})
    assert (answer.status, answer.json) == (400, {"error": "X-Test-Id: expected a test id, or no such header"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Malformed JSON: "),
        (b"{", "Malformed JSON: "),
        (b'{"dropRate": NaN}', "Malformed JSON: "),
        (b"[]", "Request body must be a JSON object, got []"),
        (b"null", "Request body must be a JSON object, got null"),
        (b'{"drop": 1}', "drop: unknown key"),
        (b'{"dropRate": 1e400}', ""),
        (b'{"dropRate": 2}', "dropRate: expected a number between 0 and 1, got 2"),
        (b'{"dropRate": "1"}', 'dropRate: expected a number between 0 and 1, got "1"'),
        (b'{"dropRate": null}', "dropRate: expected a number between 0 and 1, got null"),
        (b'{"latencyMs": 1.5}', "latencyMs: expected a whole number between 0 and 30000, got 1.5"),
        (b'{"latencyMs": 30001}', "latencyMs: expected a whole number between 0 and 30000, got 30001"),
        (b'{"faults": 1}', "faults: expected the name of a fault, an object, or an array of these"),
        (b'{"faults": ["flood"]}', "faults: name: expected one of drop, "),
        (
            b'{"faults": ' + b"[" * 900 + b"]" * 900 + b"}",
            "faults: expected the name of a fault, an object, or an array",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_c20_chaos_that_cannot_be_is_a_400_and_changes_nothing(call: Call, body: bytes, said: str) -> None:
    """core-lessons C20, field 2.56"""
    call("POST", "/__aimock/chaos", {"dropRate": 0.5})
    answer = call("POST", "/__aimock/chaos", body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert answer.json["error"].startswith(said)
    assert call("GET", "/__aimock/chaos").json == {"chaos": {"dropRate": 0.5}}


def test_test_ids_with_chaos_of_their_own_are_bounded(mock: AIMock, call: Call) -> None:
    """field 2.51"""
    for place in range(1024):
        mock.set_chaos({}, test_id=str(place))
    answer = call("POST", "/__aimock/chaos", {}, {"X-Test-Id": "one more"})
    assert (answer.status, answer.json) == (400, {"error": "1024 test ids have chaos of their own; forget some first"})
    with pytest.raises(ValueError, match="1024 test ids"):
        mock.set_chaos({}, test_id="one more")
    assert call("POST", "/__aimock/chaos", {"dropRate": 1}, {"X-Test-Id": "0"}).status == 200, "it has its own already"
    mock.clear_chaos(test_id="1")
    assert call("POST", "/__aimock/chaos", {}, {"X-Test-Id": "one more"}).status == 200


# -- in Python ---------------------------------------------------------------------------------------------------------


def test_chaos_is_set_and_cleared_while_the_server_runs(chat: Call, call: Call) -> None:
    with AIMock(chaos={"dropRate": 1}) as mock:
        mock.on({}, OK)

        def ask(test: str = "a") -> int:
            body = {"messages": [{"role": "user", "content": "x"}]}
            status: int = call("POST", "/v1/chat/completions", body, {"X-Test-Id": test}, port=mock.port).status
            return status

        assert ask() == 500
        assert mock.clear_chaos() is mock
        assert ask() == 200
        assert mock.set_chaos({"faults": ["overloaded"]}) is mock
        assert mock.set_chaos(Chaos(rate_limit_rate=1), test_id="b") is mock
        assert (ask(), ask("b")) == (529, 429)
        mock.clear_chaos(test_id="b")
        assert ask("b") == 529
        mock.reset().on({}, OK)
        assert ask() == 500, "as it was started"


def test_two_servers_have_chaos_of_their_own(mock: AIMock, chat: Call) -> None:
    """core-lessons D9"""
    mock.on({}, OK)
    with AIMock() as other:
        other.set_chaos({"dropRate": 1})
        assert chat().status == 200


@pytest.mark.parametrize(
    ("chaos", "said"),
    [
        ({"dropRate": 2}, "chaos.dropRate: expected a number between 0 and 1, got 2"),
        ({"drop_rate": 1}, "chaos.drop_rate: unknown key"),
        ({1: 1}, "chaos.1: unknown key"),
        ([], "chaos: expected an object"),
        ("", "chaos: expected an object"),
        (0.5, "chaos: expected an object"),
    ],
)
def test_field_59_chaos_that_cannot_be_is_a_value_error(mock: AIMock, chaos: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AIMock(chaos=chaos)
    with pytest.raises(ValueError, match=said):
        mock.set_chaos(chaos)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_test_id_is_a_value_error(mock: AIMock, blank: str) -> None:
    with pytest.raises(ValueError, match="test id: expected one that is not blank"):
        mock.set_chaos({"dropRate": 1}, test_id=blank)


def test_a_chaos_header_is_told_only_once_for_requests_with_the_same_head(
    mock: AIMock, chat: Call, caplog: pytest.LogCaptureFixture
) -> None:
    mock.on({}, OK)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert chat(headers={"X-AIMock-Chaos-Drop": "lots"}).status == 200
    assert len(caplog.messages) == 1

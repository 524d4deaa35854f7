"""Errors of Gemini Live: as the service has them, and as the reference does (wire-gemini-live §4, §6)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import ErrorReply, MidStreamError, Text
from aimock_protocols.sessions import Close, Event, Options
from live_driver import (
    ANSWERED,
    CALLED,
    DONE,
    HELLO,
    Driver,
    content,
    kinds,
    reply,
    results,
    text,
    user,
)
from talking import NO_FIXTURE

# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (NO_FIXTURE, Close(1008, "No fixture matched")),
        (ErrorReply("Bad.", status=400), Close(1007, "Bad.")),
        (ErrorReply("Who?", status=401), Close(1008, "Who?")),
        (ErrorReply("No.", status=403), Close(1008, "No.")),
        (ErrorReply("models/x is not found", status=404), Close(1008, "models/x is not found")),
        (ErrorReply("Too much.", status=429), Close(1011, "RESOURCE_EXHAUSTED: Too much.")),
        (ErrorReply("Too much.", "RESOURCE_EXHAUSTED"), Close(1011, "RESOURCE_EXHAUSTED: Too much.")),
        (ErrorReply("Oops."), Close(1011, "Oops.")),
        (ErrorReply("Later.", status=503), Close(1011, "Later.")),
        (ErrorReply("é" * 100), Close(1011, "é" * 61)),
    ],
)
def test_errors_close_the_session(driver: Driver, error: ErrorReply, close: Close) -> None:
    assert driver.ask("hello", error) == [close]
    assert driver.ask("hello", HELLO) == []


def test_an_error_in_the_midst_of_an_answer(driver: Driver) -> None:
    broken = reply(Text("a" * 60), mid_stream_error=MidStreamError(2, ErrorReply("Oops.")))
    assert driver.ask("hello", broken) == [text("a" * 20), text("a" * 20), content(), Close(1011, "Oops.")]


def test_a_client_that_is_asked_to_leave(driver: Driver) -> None:
    told = driver.ask("hello", ErrorReply("Leave.", "GO_AWAY", retry_after=9.5))
    assert told == [{"goAway": {"timeLeft": "9.5s"}}]
    assert driver.ask("hello", ErrorReply("Leave.", "GO_AWAY")) == [{"goAway": {"timeLeft": "60s"}}]
    assert kinds(driver.ask("hello", HELLO)) == ANSWERED


# -- as the reference has it -----------------------------------------------------------------------------------------


def error(code: int, message: str, status: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


@pytest.fixture
def compatible() -> Driver:
    driver = Driver(Options(is_compatible=True))
    assert driver.ask("hello") == [error(9, "Setup required", "FAILED_PRECONDITION")]
    assert driver.say({"config": {"model": "m"}}) == [{"setupComplete": {}}]
    return driver


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (NO_FIXTURE, error(5, "No fixture matched", "NOT_FOUND")),
        (ErrorReply("Bad.", status=400), error(3, "Bad.", "INVALID_ARGUMENT")),
        (ErrorReply("Who?", "auth", status=401), error(16, "Who?", "auth")),
        (ErrorReply("No.", status=403), error(7, "No.", "PERMISSION_DENIED")),
        (ErrorReply("Twice.", status=409), error(10, "Twice.", "ABORTED")),
        (ErrorReply("Slow.", "rate_limit_error", status=429), error(8, "Slow.", "rate_limit_error")),
        (ErrorReply("What?", status=501), error(12, "What?", "UNIMPLEMENTED")),
        (ErrorReply("Later.", status=503), error(14, "Later.", "UNAVAILABLE")),
        (ErrorReply("Oops."), error(13, "Oops.", "INTERNAL")),
    ],
)
def test_errors_are_messages_and_the_session_goes_on(
    compatible: Driver, failure: ErrorReply, told: dict[str, Any]
) -> None:
    assert compatible.ask("one", failure) == [told]
    assert kinds(compatible.ask("two", HELLO)) == ANSWERED
    assert compatible.messages == [{"role": "user", "content": "two"}], "history is kept only of what was answered"


def test_bad_messages_are_answered(compatible: Driver) -> None:
    for message in ("nonsense", {"other": {}}, {"clientContent": {}}):
        (told,) = compatible.say(message)
        assert told["error"]["code"] == 3
    assert compatible.set_up() == [{"setupComplete": {}}], "again"


def test_nothing_is_asked_where_all_was_forgotten(compatible: Driver) -> None:
    """A client says that its turn is complete, and so interrupts an answer of which there is none after all."""
    compatible.ask("one")
    (turn,) = compatible.talk.held
    stamp = compatible.talk.stamp()
    compatible.talk.session.received('{"clientContent":{"turnComplete":true}}', stamp)
    assert [*turn.failed(NO_FIXTURE, stamp)] == [Event(orjson.dumps(error(5, "No fixture matched", "NOT_FOUND")))]


def test_every_content_is_answered(compatible: Driver) -> None:
    assert kinds(compatible.say({"clientContent": {"turns": [user("one")]}}, HELLO)) == ANSWERED


def test_calls_complete_the_turn(compatible: Driver) -> None:
    assert kinds(compatible.ask("weather", CALLED)) == ["toolCall", *DONE]
    assert kinds(compatible.say(results("call_1"), HELLO)) == ANSWERED
    assert compatible.requests[-1].objection is None


def test_an_error_in_the_midst_is_a_message(compatible: Driver) -> None:
    broken = reply(Text("a" * 60), mid_stream_error=MidStreamError(1, ErrorReply("Oops.")))
    assert compatible.ask("one", broken) == [text("a" * 20), error(13, "Oops.", "INTERNAL")]
    assert kinds(compatible.ask("two", HELLO)) == ANSWERED

"""Sessions recorded with the real service: each message of the client is understood, and answered by the same sequence
of messages, which have the keys that the recorded ones have.

What the model said is taken from the recording. Runs of deltas count as one, whatever their order within: one model
tells what it says before its audio, another along with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import orjson
import pytest

from aimock_protocols.canonical import Reply, Text, ToolCall
from aimock_protocols.sessions import Close, Options, Transcript
from live_driver import DEVELOPER, VERTEX, Answer, Driver, Head
from recorded import SHARED, needs_corpus, rows_of

pytestmark = needs_corpus

Message = dict[str, Any]


def sessions() -> list[dict[str, Any]]:
    rows = rows_of("realtime-ws") if (SHARED / "corpus").exists() else []
    return [row for row in rows if "google" in row["id"]]


def told(row: dict[str, Any], direction: str) -> list[Message]:
    return [each["data"] for each in row["interactions"] if each["direction"] == direction]


# -- what a recording has, and we have not ---------------------------------------------------------------------------


def says_nothing(message: Message) -> bool:
    """Some models begin an answer with `{"serverContent": {}}`, or with a transcription without text, of which no
    client can make anything."""
    return message.get("serverContent") in ({}, {"outputTranscription": {}})


def unasked_handle(message: Message) -> bool:
    """`gemini-3.1-flash-live-preview` told a handle although the setup asked for none. The reference documentation and
    the SDK say that it comes only if it is asked for, and other models keep to that."""
    return "sessionResumptionUpdate" in message


DIFFERENCES: tuple[Callable[[Message], bool], ...] = (says_nothing, unasked_handle)


# -- what the model said ---------------------------------------------------------------------------------------------


def answers(received: list[Message]) -> Iterator[Answer]:
    """What is said in a recording, turn for turn: a call ends one, as does its completion."""
    thoughts = said = heard = ""
    has_audio = False
    for message in received:
        content = message.get("serverContent", {})
        heard += content.get("inputTranscription", {}).get("text", "")
        said += content.get("outputTranscription", {}).get("text", "")
        for part in content.get("modelTurn", {}).get("parts", ()):
            thoughts += part.get("text", "")
            has_audio = has_audio or "inlineData" in part
        calls = message.get("toolCall", {}).get("functionCalls", ())
        if calls or content.get("turnComplete"):
            if heard:
                yield Transcript(heard)
            if calls or has_audio:
                called = (ToolCall(call["name"], orjson.dumps(call["args"]).decode(), call["id"]) for call in calls)
                yield Reply((Text(said), *called), reasoning=thoughts or None)
            thoughts = said = heard = ""
            has_audio = False


# -- sequences -------------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """Messages of a kind that follow each other."""

    kinds: set[str]
    keys: set[str]
    """Paths of all members."""


def kind(message: Message) -> str:
    """What it tells; a flag that is not set tells nothing."""
    content = message.get("serverContent")
    if content is None:
        return "+".join(message)
    if "modelTurn" in content:
        (part,) = content["modelTurn"]["parts"]
        return "thought" if part.get("thought") else "said"
    told = (name for name, value in content.items() if value is not False)
    return "said" if "outputTranscription" in content else "+".join(told)


def parts_of(message: Message) -> set[str]:
    """Kinds in a run of what is said: audio and transcription."""
    content = message.get("serverContent", {})
    return {name for name in ("modelTurn", "outputTranscription") if name in content}


def paths(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield f"{at}.{name}"
            if name != "args":
                yield from paths(each, f"{at}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from paths(each, f"{at}[]")


def runs(messages: list[Message]) -> list[Run]:
    grouped = ((name, list(group)) for name, group in groupby(messages, kind))
    return [
        Run({name}.union(*map(parts_of, group)), {path for message in group for path in paths(message)})
        for name, group in grouped
    ]


@pytest.mark.parametrize("row", sessions(), ids=lambda row: row["id"].rpartition("/")[2])
def test_a_recorded_session(row: dict[str, Any], record_property: Callable[[str, object], None]) -> None:
    received = told(row, "received")
    driver = Driver(Options(hears=True), Head(VERTEX if "gateway" in row["id"] else DEVELOPER))
    driver.prepare(*answers(received))
    ours = []
    for message in told(row, "sent"):
        got = driver.say(message)
        assert not any(isinstance(each, Close) for each in got), message
        ours += got
    different = Counter(differs.__name__ for message in received for differs in DIFFERENCES if differs(message))
    theirs = [message for message in received if not any(differs(message) for differs in DIFFERENCES)]
    expected, got = runs(theirs), runs(ours)
    assert [run.kinds for run in got] == [run.kinds for run in expected]
    for recorded, run in zip(expected, got, strict=True):
        assert recorded.keys <= run.keys, recorded.keys - run.keys
    assert driver.is_quiet(), "all that was said has been asked for"
    counted = ", ".join(f"{name}: {count}" for name, count in different.items()) or "none"
    record_property("counted", f"{row['id'].rpartition('/')[2]}: {len(got)} runs alike; differences: {counted}")

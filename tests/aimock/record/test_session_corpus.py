"""Recorded sessions of real providers: relayed through a server that records, then replayed by one that is strict and
has nothing else. Of each turn the client has every message again, in its order; what belongs to the session rather than
to the turn is put right.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from aimock import AIMock
from aimock_protocols.sessions import Options
from recorded import SHARED, needs_corpus, rows_of
from recording_provider import recorded
from session_provider import Event, Line, SessionProvider, calling

pytestmark = needs_corpus

_LOUD = base64.b64encode(b"\0\x20\0\xe0" * 1200).decode()
_QUIET = base64.b64encode(bytes(4800)).decode()
_LISTENING = 20, 35
"""Which of the pieces of audio are speech: the recordings have kept only the beginning of each."""

OF_THE_SESSION = ("previous_item_id", "conversation_id")
"""What is put right in what is said again."""

Said = tuple[str, Event]
"""A direction and a message."""


class Wire(NamedTuple):
    """What tells the turns of a protocol."""

    provider: str
    target: str
    asks: Callable[[Event], bool]
    begins: Callable[[Event], bool]
    ends: Callable[[Event], bool]


def _live_content(event: Event) -> Event:
    content: Event = event.get("serverContent", {})
    return content


def _asks_live(event: Event) -> bool:
    content: Event = event.get("client_content") or event.get("clientContent") or {}
    return (
        bool(content.get("turnComplete"))
        or "tool_response" in event
        or "toolResponse" in event
        or "realtimeInput" in event
    )


def _begins_live(event: Event) -> bool:
    content = _live_content(event)
    return "toolCall" in event or "modelTurn" in content or bool(content.get("outputTranscription", {}).get("text"))


REALTIME = Wire(
    "openai",
    "/v1/realtime?model=",
    lambda event: event["type"] == "response.create",
    lambda event: event["type"] == "response.created",
    lambda event: event["type"] == "response.done",
)
LIVE = Wire(
    "gemini",
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    _asks_live,
    _begins_live,
    lambda event: "toolCall" in event or "turnComplete" in _live_content(event),
)


def wire_of(row: dict[str, Any]) -> Wire:
    if "gateway-google" in row["id"]:
        return LIVE._replace(
            provider="vertexai", target="/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
        )
    if "google" in row["id"]:
        return LIVE
    model = row["interactions"][0]["data"]["session"]["model"]
    if "azure_ws" in row["id"]:
        return REALTIME._replace(provider="azure", target=f"/openai/v1/realtime?model={model}")
    return REALTIME._replace(target=f"/v1/realtime?model={model}")


def connections_of(row: dict[str, Any]) -> Iterator[list[Said]]:
    """What was said on each connection: a session that was resumed has two."""
    said: list[Said] = []
    for each in row["interactions"]:
        if each["kind"] == "message":
            said.append((each["direction"], each["data"]))
        elif said:
            yield said
            said = []
    if said:
        yield said


def sessions() -> list[Any]:
    rows = rows_of("realtime-ws") if (SHARED / "corpus").exists() else []
    return [pytest.param(row, id=row["id"].removeprefix("realtime/cassettes/")) for row in rows]


def turns_of(received: list[Event], wire: Wire) -> list[list[Event]]:
    """From the first message of each turn to its last, with all that was told between them."""
    turns: list[list[Event]] = []
    is_under_way = False
    for event in received:
        if not is_under_way and wire.begins(event):
            turns.append([])
            is_under_way = True
        if is_under_way:
            turns[-1].append(event)
            is_under_way = not wire.ends(event)
    return turns


async def play_provider(line: Line, said: list[Said], wire: Wire) -> None:
    """Says what the provider said: what came before the first turn at once, each turn when it is asked for."""
    received = [event for direction, event in said if direction == "received"]
    is_live = wire.begins is _begins_live
    if is_live:
        await line.hear()  # the setup
    for turn in _upto_ends(received, wire):
        started = next((at for at, event in enumerate(turn) if wire.begins(event)), len(turn))
        await line.say(*turn[:started])
        if started < len(turn):
            await line.until(wire.asks)
            await line.say(*turn[started:])
    await line.goodbye()


def _upto_ends(received: list[Event], wire: Wire) -> Iterator[list[Event]]:
    told: list[Event] = []
    is_under_way = False
    for event in received:
        is_under_way = is_under_way or wire.begins(event)
        told.append(event)
        if is_under_way and wire.ends(event):
            yield told
            told, is_under_way = [], False
    yield told


async def play_client(url: str, said: list[Said], wire: Wire, headers: dict[str, str]) -> list[Event]:
    """Says what the client said, each message when the turns before it have ended; what it hears."""
    spoken = 0
    async with calling(url, wire.target, headers) as line:
        ended = 0
        for direction, event in said:
            if direction == "received":
                ended += wire.ends(event)
                continue
            while sum(map(wire.ends, line.heard)) < ended:
                await line.hear()
            if "setup" in event:
                await line.say(event)
                await line.hear()
                continue
            audio = _LOUD if _LISTENING[0] <= spoken < _LISTENING[1] else _QUIET
            if event.get("type") == "input_audio_buffer.append":
                event, spoken = event | {"audio": audio}, spoken + 1
            elif "realtime_input" in event:
                blob = {"mimeType": "audio/pcm;rate=24000", "data": audio}
                event, spoken = {"realtimeInput": {"audio": blob}}, spoken + 1
            await line.say(event)
        while sum(map(wire.ends, line.heard)) < ended:
            await line.hear()
        return line.heard


def without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_places(each) for name, each in value.items() if name not in OF_THE_SESSION}
    return [without_places(each) for each in value] if isinstance(value, list) else value


def said_again(heard: list[Event], tapes: list[list[Event]], wire: Wire) -> Any:
    """The turns that were heard. Realtime tells of other things in the midst of them."""
    turns = turns_of(heard, wire)
    if wire.begins is not _begins_live:
        ids = [{event["event_id"] for event in tape} for tape in tapes]
        turns = [[event for event in turn if event["event_id"] in own] for turn, own in zip(turns, ids, strict=True)]
    return without_places(turns)


@pytest.mark.parametrize("row", sessions())
async def test_a_recorded_session_is_relayed_and_said_again(
    row: dict[str, Any], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wire = wire_of(row)
    headers = {"X-Test-Id": "t", "Authorization": "Bearer sk-any"}
    if "voice_live" in row["id"]:
        headers["OpenAI-Beta"] = "realtime=v1"
    if wire.provider == "azure":
        headers["api-key"] = "any"
    hearing = Options(hears=True, has_beta=True)
    count = 0
    for number, said in enumerate(connections_of(row)):
        directory = tmp_path / str(number)
        expected = turns_of([event for direction, event in said if direction == "received"], wire)
        provider = SessionProvider(lambda line, said=said: play_provider(line, said, wire))  # type: ignore[misc]
        with trio.fail_after(20):
            async with provider.on_a_socket() as url:
                record = {"providers": {wire.provider: url}, "fixturePath": str(directory)}
                with AIMock(record=record, sessions=hearing) as server:
                    heard = await play_client(server.url, said, wire, headers)
        assert turns_of(heard, wire) == expected
        tapes = [[json.loads(text) for _, text in entry["recording"]["frames"]] for entry in recorded(directory)]
        assert len(tapes) == len(expected)
        with (
            trio.fail_after(20),
            AIMock(fixtures=directory, strict=True, sessions=hearing, replay_speed=1000) as server,
        ):
            again = await play_client(server.url, said, wire, headers)
        assert said_again(again, tapes, wire) == without_places(tapes)
        count += len(tapes)
    record_property("counted", f"{row['id'].rpartition('/')[2]}: {count} turns relayed and said again alike")

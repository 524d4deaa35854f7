"""Recorded sessions of OpenAI, Azure and xAI, replayed: what their clients sent is accepted, and answered by the same
events in the same order, with the same keys. What differs is listed with its reason, and counted."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pytest

from aimock_protocols import openai_realtime
from aimock_protocols.canonical import ChatRequest, ErrorReply, Reply, Text, ToolCall
from aimock_protocols.sessions import Said, Transcript
from recorded import SHARED, needs_corpus, rows_of
from talking import NO_FIXTURE, Head, Talk, talk

pytestmark = needs_corpus

Event = dict[str, Any]

_LOUD = base64.b64encode(b"\0\x20\0\xe0" * 1200).decode()
_QUIET = base64.b64encode(bytes(4800)).decode()
_TRANSCRIBED = "conversation.item.input_audio_transcription."

LEFT_OUT = {
    "rate_limits.updated": "told of three of eleven responses, now here, now there: by us of each, at its end",
    "ping": "xAI's heartbeat, which goes by the clock",
    "conversation.created": "xAI's alone: the GA API does not tell of the conversation",
}
"""Events that are left out when orders are compared."""

LEFT_OUT_AT = {
    "xai": {"conversation.item.done": "xAI tells of no end of an item"},
    "voice live": {"conversation.item.done": "told of what was heard alone; the Beta, whose words these are, had none"},
}

UNORDERED = {
    "xai": "xAI closes an item before it begins the next, its audio after the transcript, and tells of an item that"
    " somebody speaks before they have ended: the same events, in another order",
}
"""Whose events are compared without their order."""

TRANSCRIBED_OTHERWISE = {
    "xai": "xAI tells each transcript anew as it grows (`updated`), where OpenAI tells what is new"
}

KEYS = {
    "voice live": {
        "session": "animation, avatar, greeting, handoff, input_audio_echo_cancellation, input_audio_sampling_rate,"
        " output_audio_timestamp_types, truncation_strategy: a service with faces",
        "session.input_audio_transcription": "custom_speech, phrase_list: Azure's own recogniser",
        "session.turn_detection": "appended_text_after_truncation, auto_truncate, end_of_utterance_detection,"
        " speech_duration_ms: a detection of its own",
        "session.voice": "an object, for it has voices of several makers",
        "response.voice": "the same",
        "response.usage.output_token_details": "reasoning_tokens, which the GA API does not tell",
    },
    "xai": {
        "": "previous_item_id on every event; audio_duration_ms, latency, rid, start_time, status, ts, usage,"
        " response_id on some",
        "session": "the Beta's flat members, and its own (keep_context, enable_phonetic_spelling, …)",
        "session.audio.input": "transport",
        "session.audio.output": "transport",
        "session.tools[]": "nested as in the chat",
        "item": "the `object` that OpenAI leaves out",
        "response.output[]": "the same",
    },
}
"""Where other providers have keys that the GA API has not."""


def sessions() -> list[Any]:
    if not SHARED.exists():
        return []
    return [
        pytest.param(row, id=row["id"].removeprefix("realtime/cassettes/"))
        for row in rows_of("realtime-ws")
        if not any(google in row["id"] for google in ("google", "gemini"))
    ]


def provider_of(row: dict[str, Any]) -> str:
    kinds = {"voice_live": "voice live", "azure": "azure", "xai": "xai"}
    return next((provider for mark, provider in kinds.items() if mark in row["id"]), "openai")


def connections_of(row: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What was said on each connection: a session that was resumed has two."""
    connections: list[list[dict[str, Any]]] = []
    is_set = False
    for each in row["interactions"]:
        if each["kind"] != "message":
            continue
        kind = each["data"]["type"]
        if kind == "session.created":
            connections.append([])
            is_set = False
        is_set = is_set or kind == "session.updated"
        is_told_again = kind == "conversation.item.added" and not is_set and len(connections) > 1
        if not is_told_again:
            connections[-1].append(each)
    return connections


def replies_in(received: Iterable[Event]) -> Iterator[Reply]:
    for event in received:
        if event["type"] == "response.done":
            yield Reply(tuple(chain.from_iterable(map(parts_of, event["response"]["output"]))))


def parts_of(item: Event) -> list[Text | ToolCall]:
    if item["type"] == "function_call":
        return [ToolCall(item["name"], item["arguments"], item["call_id"])]
    return [Text(part.get("text", part.get("transcript"))) for part in item.get("content", ())]


def transcripts_in(received: Iterable[Event]) -> Iterator[Transcript | ErrorReply]:
    for event in received:
        if event["type"] == f"{_TRANSCRIBED}completed":
            yield Transcript(event["transcript"])
        elif event["type"] == f"{_TRANSCRIBED}failed":
            yield ErrorReply(event["error"]["message"], event["error"]["type"], code=event["error"]["code"])


def replayed(row: dict[str, Any], said: list[dict[str, Any]]) -> Talk:
    received = [each["data"] for each in said if each["direction"] == "received"]
    replies = replies_in(received)
    transcripts = transcripts_in(received)

    def answer(request: ChatRequest) -> Said | ErrorReply:
        if request.endpoint == "realtime":
            return next(replies)
        return next(transcripts, NO_FIXTURE)

    model = received[0]["session"]["model"]
    provider = provider_of(row)
    head = Head(
        path="/openai/v1/realtime" if provider == "azure" else "/v1/realtime",
        query=f"model={model}",
        headers={"openai-beta": "realtime=v1"} if provider == "voice live" else {},
    )
    talking = talk(openai_realtime, head, answer, has_beta=True, hears=True)
    spoken = 0
    for each in said:
        if each["direction"] == "sent":
            event = each["data"]
            if event["type"] == "input_audio_buffer.append":  # the recordings have kept only a beginning of the audio
                event = event | {"audio": _LOUD if 20 <= spoken < 35 else _QUIET}
                spoken += 1
            talking.send(event)
    return talking


def orders(events: Iterable[Event], provider: str) -> tuple[list[str], list[str]]:
    """Types in their order, and apart from them those of transcriptions, which go on beside. Pieces in a row are one,
    whatever they are pieces of."""
    told: list[str] = []
    pieces: set[str] = set()
    beside = []
    for event in events:
        kind = event["type"]
        if kind.startswith(_TRANSCRIBED):
            beside.append(kind)
        elif kind.endswith(".delta"):
            pieces.add(kind)
        elif kind not in LEFT_OUT and kind not in LEFT_OUT_AT.get(provider, ()):
            told += [*sorted(pieces), kind]
            pieces.clear()
    return (sorted(told) if provider in UNORDERED else told), ([] if provider in TRANSCRIBED_OTHERWISE else beside)


def missing_keys(recorded: Any, ours: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Places and keys of what was recorded that ours lacks."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name, value in recorded.items():
            if name not in ours:
                yield place, name
            else:
                yield from missing_keys(value, ours[name], f"{place}.{name}".lstrip("."))
    elif isinstance(recorded, dict) and recorded:
        yield place, "*"
    elif isinstance(recorded, list) and isinstance(ours, list):
        for one, other in zip(recorded, ours, strict=False):
            yield from missing_keys(one, other, f"{place}[]")


def differences(received: list[Event], ours: list[Event], provider: str) -> Iterator[tuple[str, str]]:
    """Keys that ours lack, of events that were told as often by both."""
    by_type: dict[str, list[Event]] = {}
    for event in ours:
        by_type.setdefault(event["type"], []).append(event)
    seen: Counter[str] = Counter()
    for event in received:
        kind = event["type"]
        same = by_type.get(kind, ())
        if same and kind not in LEFT_OUT_AT.get(provider, ()):
            yield from missing_keys(event, same[min(seen[kind], len(same) - 1)])
        seen[kind] += 1


@pytest.mark.parametrize("row", sessions())
def test_a_recorded_client_is_answered_alike(row: dict[str, Any]) -> None:
    provider = provider_of(row)
    for said in connections_of(row):
        received = [each["data"] for each in said if each["direction"] == "received"]
        ours = replayed(row, said).events
        assert not [event for event in ours if event["type"] == "error"]
        assert orders(ours, provider) == orders(received, provider)
        missing = set(differences(received, ours, provider))
        assert not {place for place, _ in missing} - KEYS.get(provider, {}).keys(), missing


def test_what_differs_is_listed_and_nothing_else(record_property: Callable[[str, object], None]) -> None:
    """An entry of the lists that no recording needs any more fails too."""
    counted: dict[str, Counter[str]] = {provider: Counter() for provider in ("openai", "azure", "voice live", "xai")}
    kinds: dict[str, set[str]] = {provider: set() for provider in counted}
    for row in rows_of("realtime-ws"):
        if "google" in row["id"]:
            continue
        provider = provider_of(row)
        for said in connections_of(row):
            received = [each["data"] for each in said if each["direction"] == "received"]
            counted[provider].update(place for place, _ in differences(received, replayed(row, said).events, provider))
            kinds[provider] |= {event["type"] for event in received}
    for provider, places in counted.items():
        listed = KEYS.get(provider, {})
        told = ", ".join(f"{count} in {place or 'events'}" for place, count in sorted(places.items())) or "none"
        record_property("counted", f"keys that {provider} alone has in its recorded Realtime sessions: {told}")
        assert places.keys() == listed.keys()
    assert kinds.keys() == counted.keys()
    assert LEFT_OUT.keys() <= set().union(*kinds.values())

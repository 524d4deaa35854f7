"""What holds of every Realtime session, whatever its client sends: nothing is raised, every event is one of the SDK's,
no two things have the same id, and what was told of the conversation is what the next turn sees."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock_protocols import openai_realtime
from aimock_protocols.canonical import ErrorReply, Reply, Text, ToolCall
from aimock_protocols.sessions import Said, Speech, Transcript
from realtime_types import all_valid
from talking import Head, Talk, talk

TYPES = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "session.close",
    "session.input_audio_buffer.append",
)
MEMBERS = (
    "session",
    "audio",
    "item",
    "item_id",
    "content_index",
    "audio_end_ms",
    "response",
    "event_id",
    "previous_item_id",
    "id",
    "role",
    "content",
    "text",
    "transcript",
    "call_id",
    "name",
    "arguments",
    "output",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "turn_detection",
    "transcription",
    "format",
    "voice",
    "speed",
    "model",
    "output_modalities",
    "max_output_tokens",
    "conversation",
    "metadata",
    "prompt",
    "reasoning",
    "truncation",
    "tracing",
    "threshold",
    "create_response",
    "modalities",
    "noise_reduction",
    "include",
    "image_url",
    "parameters",
    "status",
    "type",
)
WORDS = (
    *TYPES,
    *[
        "realtime",
        "transcription",
        "message",
        "function_call",
        "function_call_output",
        "item_reference",
        "user",
        "assistant",
        "system",
    ],
    *[
        "input_text",
        "input_audio",
        "input_image",
        "output_text",
        "output_audio",
        "text",
        "audio",
        "root",
        "none",
        "auto",
        "required",
        "function",
    ],
    *["mcp", "server_vad", "semantic_vad", "audio/pcm", "audio/pcmu", "inf", "a", "b"],
    base64.b64encode(bytes(4800)).decode(),
)

words = st.sampled_from(WORDS)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)
)
anything = st.fixed_dictionaries({"type": st.sampled_from(TYPES)}, optional=dict.fromkeys(MEMBERS[:10], values))

ids = st.sampled_from(("a", "b", "c", "root", "nobody"))
items = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("message"),
            "role": st.just("user"),
            "content": st.lists(
                st.sampled_from(
                    (
                        {"type": "input_text", "text": "hi"},
                        {"type": "input_audio", "audio": "AAAA"},
                        {"type": "input_image", "image_url": "data:x"},
                    )
                ),
                max_size=2,
            ),
        },
        optional={"id": ids},
    ),
    st.just({"type": "function_call_output", "call_id": "call_1", "output": "x"}),
)
AUDIO = {"loud": base64.b64encode(b"\0\x20\0\xe0" * 2400).decode(), "quiet": base64.b64encode(bytes(12000)).decode()}
sensible = st.one_of(
    st.builds(lambda item, after: {"type": "conversation.item.create", "item": item, **after}, items,
              st.just({}) | ids.map(lambda one: {"previous_item_id": one})),
    ids.map(lambda one: {"type": "conversation.item.delete", "item_id": one}),
    ids.map(lambda one: {"type": "conversation.item.retrieve", "item_id": one}),
    st.sampled_from(("loud", "quiet")).map(lambda one: {"type": "input_audio_buffer.append", "audio": AUDIO[one]}),
    st.sampled_from(("input_audio_buffer.commit", "response.create", "response.cancel")).map(lambda one: {"type": one}),
    st.just({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}}),
    st.just({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}),
    st.just({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"transcription": {}}}}}),
)  # fmt: skip

replies = st.one_of(
    st.lists(
        st.builds(Text, st.text(max_size=20)) | st.builds(ToolCall, st.text(min_size=1, max_size=5), st.just("{}")),
        max_size=3,
    ).map(lambda parts: Reply(tuple(parts))),
    st.just(Speech(bytes(20000), "audio/pcm", "Hello")),
    st.just(Transcript("Hello")),
    st.just(ErrorReply("Ouch")),
)
deeds = st.tuples(st.just("send"), sensible) | st.tuples(st.just("answer"), st.tuples(replies, st.integers(0, 30)))


def checked(talking: Talk) -> None:
    all_valid(talking.events, is_translation="translations" in str(talking.session.__class__).lower())
    event_ids = [event["event_id"] for event in talking.events]
    assert len(set(event_ids)) == len(event_ids)
    added = [event["item"]["id"] for event in talking.events if event["type"] == "response.output_item.added"]
    assert len(set(added)) == len(added)
    responses = [event["response"]["id"] for event in talking.events if event["type"] == "response.created"]
    assert len(set(responses)) == len(responses)


@pytest.mark.parametrize("query", ["model=m", "intent=transcription"])
@given(messages=st.lists(anything | values, max_size=5), hears=st.booleans())
def test_whatever_a_client_sends_is_answered_validly(query: str, messages: list[Any], hears: bool) -> None:
    talking = talk(openai_realtime, Head(query=query), Reply((Text("Hello"),)), hears=hears)
    for message in messages:
        talking.send(message)
    checked(talking)


@given(message=st.text() | st.binary())
def test_what_is_no_json_is_told_so(message: str | bytes) -> None:
    talking = talk(openai_realtime)
    assert [event["type"] for event in talking.send(message)] == ["error"]
    checked(talking)


@given(messages=st.lists(anything, max_size=5))
def test_whatever_a_client_sends_to_be_translated(messages: list[Any]) -> None:
    talking = talk(openai_realtime, Head(path="/v1/realtime/translations"), Reply((Text("Hello"),)))
    for message in messages:
        talking.send(message)
    all_valid(talking.events, is_translation=True)


def advance(talking: Talk, said: Said | ErrorReply, count: int) -> None:
    """Something becomes of the oldest turn: it is answered, or goes on being answered."""
    if not talking.held:
        return
    turn = talking.held[0]
    if talking.is_begun(turn):
        talking.finish(turn)
    else:
        talking.say(turn, said, count=count or None)


@given(deeds=st.lists(deeds, max_size=25))
@settings(max_examples=150)
def test_every_course_of_a_conversation_is_told_truly(deeds: list[tuple[str, Any]]) -> None:
    talking = talk(openai_realtime, hears=True)
    for deed, what in deeds:
        if deed == "send":
            talking.send(what)
        else:
            advance(talking, *what)
    while talking.held:
        advance(talking, Reply((Text("x"),)), 0)
    checked(talking)
    created = [event for event in talking.events if event["type"] == "response.created"]
    done = [event for event in talking.events if event["type"] == "response.done"]
    assert {event["response"]["id"] for event in created} == {event["response"]["id"] for event in done}
    assert len(created) == len(done)
    here = _told_items(talking)
    assert set(here) == {item.id for item in talking.session.conversation}  # type: ignore[attr-defined]
    for item in talking.session.conversation:  # type: ignore[attr-defined]
        assert not item.is_under_way
        assert item.told["type"] == here[item.id]["type"]
        assert item.told.get("status") in (None, "completed", "incomplete")


def _told_items(talking: Talk) -> dict[str, Any]:
    """What a client that heard all events believes to be in the conversation."""
    believed: dict[str, Any] = {}
    for event in talking.events:
        if event["type"] == "conversation.item.added":
            believed[event["item"]["id"]] = event["item"]
        elif event["type"] == "conversation.item.deleted":
            believed.pop(event["item_id"], None)
    return believed

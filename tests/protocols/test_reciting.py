"""What a provider once said, said again by turns of sessions: word for word, but for what is the session's, whatever a
client may do in the midst of it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from aimock_protocols import gemini_live, openai_realtime, openai_responses
from aimock_protocols.canonical import Frame, Reply, Text, ToolCall
from live_driver import DEVELOPER
from talking import Head, Talk, talk, text_reply

Event = dict[str, Any]

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
CREATE = {"type": "response.create"}
CALL = ToolCall("get_weather", '{"city":"Paris"}', "call_1")


def recorded(head: Head = Head(), modality: str = "text", said: Reply = text_reply("Hello there!")) -> list[bytes]:  # noqa: B008
    """The messages of a response, in a session of another day."""
    talking = asked(head, modality)
    talking.now += 1000.0
    talking.say(talking.held[0], said)
    return [frame.data for frame in talking.frames if b"rate_limits" not in frame.data]


def asked(head: Head = Head(), modality: str = "text", **more: Any) -> Talk:  # noqa: B008
    """A session that waits for an answer."""
    talking = talk(openai_realtime, head, has_beta=True)
    is_beta = bool(head.headers)
    wish = (
        {"modalities": ["text", "audio"][: 1 + (modality == "audio")]} if is_beta else {"output_modalities": [modality]}
    )
    talking.send({"type": "session.update", "session": {"type": "realtime", **wish}})
    talking.send({"type": "conversation.item.create", "item": MESSAGE | more})
    talking.send(CREATE)
    return talking


def recite(talking: Talk, messages: list[bytes], count: int | None = None) -> list[Frame] | None:
    """Says so many messages again; all of them, and the turn's end, if nothing else is said."""
    turn: Any = talking.held[0]
    frames = turn.recited(messages, text_reply("Said otherwise."), talking.stamp())
    if frames is None:
        return None
    told = [frame for frame, _ in zip(frames, messages[:count], strict=False)]
    talking._begun[id(turn)] = told
    talking._tell(turn, told)
    if count is None:
        talking.finish(turn)
    return told


@pytest.mark.parametrize("headers", [{}, {"openai-beta": "realtime=v1"}], ids=["GA", "Beta"])
@pytest.mark.parametrize("modality", ["text", "audio"])
def test_realtime_word_for_word(modality: str, headers: dict[str, str]) -> None:
    head = Head(headers=headers)
    messages = recorded(head, modality)
    talking = asked(head, modality)
    session: Any = talking.session
    before = next(iter(session.conversation)).id
    told = recite(talking, messages)
    assert told is not None
    for frame, message in zip(told, messages, strict=True):
        said, was = orjson.loads(frame.data), orjson.loads(message)
        if "previous_item_id" in was:
            assert said.pop("previous_item_id") == before
            was.pop("previous_item_id")
        if isinstance(was.get("response"), dict):
            assert said["response"]["conversation_id"] == session.conversation.id
            was["response"]["conversation_id"] = session.conversation.id
        assert said == was
    item = [*session.conversation][-1]
    assert (item.id, item.is_under_way) == (orjson.loads(messages[1])["item"]["id"], False)
    assert item.told["content"][0]["type"] == f"output_{modality}"
    again = talking.send({"type": "conversation.item.create", "item": MESSAGE})
    assert not [event for event in again if event["type"] == "error"]
    talking.send(CREATE)
    assert [each["content"] for each in talking.requests[-1].body["messages"]] == ["hello", "Hello there!", "hello"]


def test_audio_that_was_said_again_can_be_truncated() -> None:
    talking = asked(modality="audio")
    recite(talking, recorded(modality="audio"))
    item = talking.last("conversation.item.added")["item"]["id"]
    (event,) = talking.send(
        {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 480}
    )
    assert event["type"] == "conversation.item.truncated"
    (event,) = talking.send(
        {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 481}
    )
    assert event["type"] == "error", "it is 12 characters of 40 ms"


def test_a_response_that_is_said_again_can_be_cancelled() -> None:
    messages = recorded()
    talking = asked()
    recite(talking, messages, count=5)
    response = orjson.loads(messages[0])["response"]["id"]
    told = talking.send({"type": "response.cancel", "response_id": response})
    assert told[-1]["type"] == "response.done"
    assert (told[-1]["response"]["id"], told[-1]["response"]["status"]) == (response, "cancelled")
    assert all("error" not in event for event in told)


@pytest.mark.parametrize("given", ["audio", "twice", "alone", "cut", "garbage"])
def test_what_cannot_be_said_as_it_was_is_not(given: str) -> None:
    messages = recorded(modality="audio" if given == "audio" else "text")
    talking = asked()
    if given == "twice":
        recite(talking, messages)
        talking.send(CREATE)
    elif given == "alone":
        apart = {"type": "response.create", "response": {"conversation": "none"}}
        talking.cut(talking.held[0])
        talking.send(apart)
    elif given == "cut":
        del messages[:2]
    elif given == "garbage":
        messages[1] = b"]"
    session: Any = talking.session
    items = [item.id for item in session.conversation]
    assert recite(talking, messages) is None
    assert [item.id for item in session.conversation] == items
    talking.say(talking.held[0], text_reply("Said otherwise."))
    assert talking.last("response.done")["response"]["output"][0]["content"][0]["text"] == "Said otherwise."


def test_responses_are_said_in_the_lane_that_is_asked_for_and_cannot_be_steered_away_from() -> None:
    head = Head(path="/v1/responses", query="")

    def begun(lane: str) -> Talk:
        talking = talk(openai_responses, head)
        talking.send({"type": "response.create", "model": "m", "input": "hello", "stream_id": lane})
        return talking

    source = begun("a")
    source.say(source.held[0], text_reply("One two three", id="resp_1"))
    messages = [frame.data for frame in source.frames]
    talking = begun("b")
    turn: Any = talking.held[0]
    frames = [*turn.recited(messages, text_reply("One two three", id="resp_1"), talking.stamp())]
    assert [orjson.loads(frame.data) for frame in frames] == [
        orjson.loads(message) | {"stream_id": "b"} for message in messages
    ]
    talking._begun[id(turn)] = frames
    talking._tell(turn, frames[:3])
    talking.send({"type": "response.steer", "previous_response_id": "resp_1", "input": "stop"})
    told = [event["type"] for event in talking.events]
    assert told[: len(messages)] == [orjson.loads(message)["type"] for message in messages]
    assert told[len(messages)] == "response.steer.accepted"


def test_live_says_again_and_can_be_interrupted() -> None:
    head = Head(path=DEVELOPER, query="")

    def begun() -> Talk:
        talking = talk(gemini_live, head, chunk_size=5)
        talking.send({"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["TEXT"]}}})
        says(talking, "hello")
        return talking

    def says(talking: Talk, text: str) -> None:
        content = {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": True}
        talking.send({"clientContent": content})

    source = begun()
    source.say(source.held[0], text_reply("One two three"))
    messages = [frame.data for frame in source.frames]
    talking = begun()
    assert recite(talking, messages, count=2) is not None
    says(talking, "stop")
    assert {"serverContent": {"interrupted": True}} in talking.events
    assert [each["content"] for each in talking.requests[-1].body["messages"]] == ["hello", "One two th", "stop"]
    source = begun()
    source.say(source.held[0], Reply((CALL,)))
    calling = begun()
    recite(calling, [frame.data for frame in source.frames])
    results = [{"id": "call_1", "name": "get_weather", "response": {"is": "sunny"}}]
    calling.send({"toolResponse": {"functionResponses": results}})
    assert calling.requests[-1].body["messages"][-1]["role"] == "tool"
    spoken = json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "AAAA"}}]}}}).encode()
    assert recite(begun(), [spoken]) is None


def test_a_live_answer_without_words_is_a_reply_without_any() -> None:
    spoken = {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "AAAA"}}]}}}
    ended = {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 3}}
    reply = gemini_live.said_in([json.dumps(each).encode() for each in (spoken, ended)])
    assert (reply.parts, reply.usage) == ((Text(""),), {"totalTokenCount": 3})
    with pytest.raises(ValueError, match="no end"):
        gemini_live.said_in([json.dumps(spoken).encode()])
    with pytest.raises(ValueError, match="no end"):
        openai_realtime.said_in([b'{"type": "response.created"}'])

"""Responses in a Realtime session: the order of their events, how they end, and what the conversation keeps of them."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_realtime
from aimock_protocols.canonical import ErrorReply, FrameKind, MidStreamError, Reply, Text, ToolCall
from aimock_protocols.sessions import Speech, Transcript
from realtime_types import all_valid
from talking import NO_FIXTURE, Head, Talk, talk, text_reply

Event = dict[str, Any]

ASK = {"type": "response.create"}
TEXT_ONLY = {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
WEATHER = ToolCall("get_weather", '{"city":"London"}', "call_1")


def started(answer: Any = None, **more: Any) -> Talk:
    return talk(openai_realtime, answer=answer, **more)


def writing(answer: Any = None, **more: Any) -> Talk:
    talking = started(answer, **more)
    talking.send(TEXT_ONLY)
    return talking


def ask(**response: Any) -> Event:
    return {"type": "response.create", "response": response}


def kinds(events: list[Event]) -> list[str]:
    """Types without their family, runs of one collapsed."""
    told: list[str] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        if not told or told[-1] != kind:
            told.append(kind)
    return told


def history(talking: Talk) -> list[tuple[str, Any]]:
    """What the next turn's fixtures would see."""
    answer, talking.answer = talking.answer, None
    talking.send(ask(conversation="none"))
    turn = talking.held.pop()
    talking.answer = answer
    return [(message["role"], message["content"]) for message in turn.request.body["messages"]]


def status(event: Event) -> tuple[str, Any]:
    return event["response"]["status"], event["response"]["status_details"]


TEXT_ORDER = [
    "created",
    "output_item.added",
    "conversation.item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "conversation.item.done",
    "output_item.done",
    "done",
    "rate_limits.updated",
]


def test_text() -> None:
    talking = writing(text_reply("Hello there, how are you today?"), chunk_size=10)
    events = talking.send(ASK)
    all_valid(talking.events)
    assert kinds(events) == TEXT_ORDER
    deltas = [event["delta"] for event in events if event["type"].endswith(".delta")]
    assert deltas == ["Hello ther", "e, how are", " you today", "?"]
    assert [event["part"]["type"] for event in events if "part" in event] == ["text", "text"]
    done = talking.last("response.done")["response"]
    (item,) = done["output"]
    assert item["content"] == [{"type": "output_text", "text": "Hello there, how are you today?"}]
    assert (done["status"], done["status_details"], item["status"]) == ("completed", None, "completed")
    assert done["conversation_id"].startswith("conv_")
    assert history(talking) == [("assistant", "Hello there, how are you today?")]


def test_audio_is_made_up_for_a_text() -> None:
    talking = started(text_reply("Hello there, how are you today?"), silence_ms_per_character=50)
    events = talking.send(ASK)
    all_valid(talking.events)
    assert [kind for kind in kinds(events) if "delta" not in kind] == [
        "created",
        "output_item.added",
        "conversation.item.added",
        "content_part.added",
        "output_audio.done",
        "output_audio_transcript.done",
        "content_part.done",
        "conversation.item.done",
        "output_item.done",
        "done",
        "rate_limits.updated",
    ]
    spoken = [base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"]
    assert b"".join(spoken) == bytes(31 * 50 * 48)
    assert all(len(piece) % 2 == 0 and len(piece) <= 400 * 48 for piece in spoken)
    assert kinds(events)[4:8] == ["output_audio_transcript.delta", "output_audio.delta"] * 2
    (item,) = talking.last("response.done")["response"]["output"]
    assert item["content"] == [{"type": "output_audio", "transcript": "Hello there, how are you today?"}]
    assert talking.last("response.done")["response"]["usage"]["output_token_details"] == {
        "text_tokens": 8,
        "audio_tokens": 31,
    }


@pytest.mark.parametrize(("kind", "silence"), [("audio/pcmu", b"\xff"), ("audio/pcma", b"\xd5")])
def test_silence_in_the_formats_of_telephones(kind: str, silence: bytes) -> None:
    talking = started(text_reply("12345"))
    talking.send(
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"format": {"type": kind}}}}}
    )
    talking.send(ASK)
    assert base64.b64decode(talking.last("response.output_audio.delta")["delta"]) == silence * 5 * 40 * 8
    all_valid(talking.events)


def wav(samples: bytes) -> bytes:
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data" + len(samples).to_bytes(4, "little") + samples


@pytest.mark.parametrize("wrapped", [bytes, wav])
def test_the_fixtures_own_audio(wrapped: Any) -> None:
    samples = bytes(range(256)) * 100
    talking = started(Speech(wrapped(samples), "audio/pcm", "Good day to you, my friend"), chunk_size=10)
    events = talking.send(ASK)
    all_valid(talking.events)
    pieces = [base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"]
    assert b"".join(pieces) == samples
    assert len(pieces[0]) == 200 * 48
    assert talking.last("response.output_audio_transcript.done")["transcript"] == "Good day to you, my friend"


def test_audio_for_who_wants_text_is_its_transcript() -> None:
    talking = writing(Speech(b"\0\0", "audio/pcm", "Hello"))
    assert kinds(talking.send(ASK)) == TEXT_ORDER
    assert talking.last("response.output_text.done")["text"] == "Hello"


def test_a_call_of_a_function() -> None:
    talking = writing(Reply((WEATHER,)))
    talking.send({"type": "conversation.item.create", "item": USER})
    events = talking.send(ASK)
    all_valid(talking.events)
    assert kinds(events) == [
        "created",
        "output_item.added",
        "conversation.item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "conversation.item.done",
        "output_item.done",
        "done",
        "rate_limits.updated",
    ]
    done = talking.last("response.function_call_arguments.done")
    assert (done["name"], done["call_id"], done["arguments"]) == ("get_weather", "call_1", '{"city":"London"}')
    result = {"type": "function_call_output", "call_id": "call_1", "output": "foggy"}
    talking.send({"type": "conversation.item.create", "item": result})
    assert [role for role, _ in history(talking)] == ["user", "assistant", "tool"]


def test_a_result_that_comes_before_the_response_is_over_follows_its_call() -> None:
    """As recorded: clients act on the call, not on the end of the response."""
    talking = writing()
    talking.send(ASK)
    (turn,) = talking.held
    talking.say(turn, Reply((WEATHER,)), count=6)
    talking.send(
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": ""},
        }
    )
    talking.finish(turn)
    assert [role for role, _ in history(talking)] == ["assistant", "tool"]


def test_parts_are_items_in_their_order_and_closed_at_the_end() -> None:
    reply = Reply((Text("Let me see."), WEATHER, ToolCall("f", "{}"), Text("Done.")), reasoning="hm", refusal="No.")
    talking = writing(reply, head=Head(query="model=gpt-realtime-2.1"))
    talking.send(ASK)
    all_valid(talking.events)
    output = talking.last("response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call", "message", "message"]
    assert [item.get("phase") for item in output] == ["commentary", None, None, "final_answer", "final_answer"]
    assert output[4]["content"][0]["text"] == "No."
    assert output[2]["call_id"].startswith("call_")
    added = [event for event in talking.events if event["type"] == "conversation.item.added"]
    assert [event["previous_item_id"] for event in added] == [None, *(item["id"] for item in output[:4])]
    last_delta = max(place for place, kind in enumerate(talking.types) if kind.endswith(".delta"))
    first_done = min(place for place, kind in enumerate(talking.types) if kind.startswith("response.output_text.done"))
    assert last_delta < first_done


def test_older_models_tell_of_no_phase() -> None:
    talking = writing(text_reply("x"))
    talking.send(ASK)
    assert "phase" not in talking.last("response.output_item.done")["item"]


def test_a_reply_of_nothing() -> None:
    talking = writing(Reply())
    assert kinds(talking.send(ASK)) == ["created", "done", "rate_limits.updated"]
    all_valid(talking.events)


def test_a_response_is_told_how_to_be_for_itself_alone() -> None:
    talking = started(text_reply("x"))
    tool = {"type": "function", "name": "g"}
    settings = {
        "instructions": "Once.",
        "output_modalities": ["text"],
        "tools": [tool],
        "tool_choice": {"type": "function", "name": "g"},
        "max_output_tokens": 50,
        "metadata": {"k": "v"},
        "audio": {"output": {"voice": "cedar"}},
    }
    events = talking.send(ask(**settings))
    all_valid(talking.events)
    response = events[0]["response"]
    assert (response["output_modalities"], response["max_output_tokens"]) == (["text"], 50)
    assert (response["metadata"], response["audio"]["output"]["voice"]) == ({"k": "v"}, "cedar")
    body = talking.requests[0].body
    assert body["messages"] == [{"role": "system", "content": "Once."}]
    assert body["tools"] == [{"type": "function", "function": {"name": "g"}}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "g"}}
    events = talking.send(ASK)
    assert events[0]["response"]["output_modalities"] == ["audio"]
    assert "tools" not in talking.requests[1].body


def test_frames_tell_physics_what_takes_time() -> None:
    talking = started(Reply((Text("Hello"), WEATHER)))
    talking.send(ASK)
    assert {frame.kind for frame in talking.frames if b'.delta"' in frame.data[:80]} == {FrameKind.TOKEN}
    assert {frame.kind for frame in talking.frames if b'.delta"' not in frame.data[:80]} == {FrameKind.CLOSE}


def test_one_at_a_time() -> None:
    talking = writing()
    talking.send(ASK)
    (turn,) = talking.held
    talking.say(turn, text_reply("Hello"), count=1)
    (event,) = talking.send(ASK)
    assert event["error"]["code"] == "conversation_already_has_active_response"
    assert talking.last("response.created")["response"]["id"] in event["error"]["message"]
    talking.finish(turn)
    talking.send(ASK)
    assert len(talking.held) == 1


def test_out_of_band_responses_go_on_beside_and_leave_no_trace() -> None:
    talking = writing()
    talking.send({"type": "conversation.item.create", "item": USER})
    talking.send(ASK)
    talking.send(ask(conversation="none", input=[], metadata={"topic": "a"}))
    mine = {"type": "item_reference", "id": talking.last("conversation.item.added")["item"]["id"]}
    talking.send(ask(conversation="none", input=[mine, USER]))
    first, second, third = talking.held
    assert [len(turn.request.body["messages"]) for turn in (first, second, third)] == [1, 0, 2]
    talking.say(first, text_reply("in"), count=3)
    events_before = len(talking.events)
    talking.say(second, text_reply("out"))
    told = talking.events[events_before:]
    assert not any(event["type"].startswith("conversation.") for event in told)
    assert {event["response"]["conversation_id"] for event in told if "response" in event} == {None}
    talking.finish(first)
    talking.say(third, text_reply("out too"))
    all_valid(talking.events)
    assert history(talking) == [("user", "hi"), ("assistant", "in")]


CANCELLED = {"type": "cancelled", "reason": "client_cancelled"}


def test_a_response_is_cancelled_before_it_has_begun() -> None:
    talking = writing()
    talking.send(ASK)
    events = talking.send({"type": "response.cancel"})
    all_valid(talking.events)
    assert kinds(events) == ["created", "done"]
    assert status(events[-1]) == ("cancelled", CANCELLED)
    assert history(talking) == []


@pytest.mark.parametrize("count", range(1, 30))
def test_a_response_can_be_cancelled_anywhere(count: int) -> None:
    """What was open is closed with what was said; every item that was told of is in the end, and in the history."""
    reply = Reply((Text("Hello there!"), WEATHER))
    whole = writing(reply, chunk_size=5)
    whole.send(ASK)
    talking = writing(chunk_size=5)
    talking.send(ASK)
    (turn,) = talking.held
    talking.say(turn, reply, count=count)
    if "response.done" in talking.types:
        talking.finish(turn)
        return
    events = talking.send({"type": "response.cancel"})
    all_valid(talking.events)
    assert status(events[-1]) == ("cancelled", CANCELLED)
    output = events[-1]["response"]["output"]
    told = [event["item"]["id"] for event in talking.events if event["type"] == "response.output_item.added"]
    assert [item["id"] for item in output] == told
    closed = [event["item"] for event in talking.events if event["type"] == "response.output_item.done"]
    assert closed == output
    assert len(set(talking.types) & {"response.output_text.done"}) == bool(output)
    said = "".join(event["delta"] for event in talking.events if event["type"] == "response.output_text.delta")
    if output:
        assert output[0]["content"] == [{"type": "output_text", "text": said}]
        has_begun = "response.function_call_arguments.done" in talking.types[: -len(events)]
        if len(output) > 1:
            assert output[1]["status"] == ("completed" if has_begun else "incomplete")
    assert [item.id for item in talking.session.conversation] == told  # type: ignore[attr-defined]
    begun = [event["item"]["id"] for event in talking.events if event["type"] == "conversation.item.added"]
    assert begun == told
    ends = [
        (event["type"], event.get("item_id") or event["item"]["id"])
        for event in talking.events
        if event["type"].endswith(".done") and "response" not in event
    ]
    assert len(set(ends)) == len(ends)
    assert [role for role, _ in history(talking)] == ["assistant"] * len(output)
    if output:
        assert history(talking)[0][1] == said
    talking.answer = lambda request: text_reply("again")
    assert kinds(talking.send(ASK)) == TEXT_ORDER


def test_a_response_beside_is_cancelled_by_its_id() -> None:
    talking = writing()
    talking.send(ASK)
    talking.send(ask(conversation="none"))
    _, beside = talking.held
    talking.say(beside, text_reply("x"), count=1)
    meant = talking.last("response.created")["response"]["id"]
    (done,) = talking.send({"type": "response.cancel", "response_id": meant})
    assert (done["response"]["id"], done["response"]["status"]) == (meant, "cancelled")
    assert len(talking.held) == 1


def test_only_the_response_that_is_meant_is_cancelled() -> None:
    talking = writing()
    talking.send(ASK)
    (event,) = talking.send({"type": "response.cancel", "response_id": "resp_other"})
    assert event["error"]["code"] == "response_cancel_not_active"
    (turn,) = talking.held
    talking.say(turn, text_reply("x"), count=1)
    meant = talking.last("response.created")["response"]["id"]
    assert talking.send({"type": "response.cancel", "response_id": meant})[-1]["type"] == "response.done"
    (event,) = talking.send({"type": "response.cancel", "response_id": meant})
    assert event["error"]["code"] == "response_cancel_not_active"


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_response_that_is_cut_off_is_incomplete(reason: str, why: str) -> None:
    talking = writing(text_reply("Hel", finish_reason=reason))
    talking.send(ASK)
    all_valid(talking.events)
    event = talking.last("response.done")
    assert status(event) == ("incomplete", {"type": "incomplete", "reason": why})
    assert event["response"]["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NO_FIXTURE, {"type": "server_error", "code": "no_fixture_match", "message": "No fixture matched"}),
        (
            ErrorReply("Slow down", "rate_limit_error", code=429, status=429),
            {"type": "rate_limit_error", "code": "429", "message": "Slow down"},
        ),
    ],
)
def test_a_response_that_fails(error: ErrorReply, why: Event) -> None:
    talking = writing(error)
    created, done = talking.send(ASK)
    all_valid(talking.events)
    assert status(created) == ("in_progress", None)
    assert status(done) == ("failed", {"type": "failed", "error": why})
    assert done["response"]["usage"]["total_tokens"] == 0
    assert history(talking) == []
    talking.answer = lambda request: text_reply("better")
    assert kinds(talking.send(ASK)) == TEXT_ORDER


def test_a_transcription_is_no_answer() -> None:
    talking = writing(Transcript("x"))
    assert status(talking.send(ASK)[-1])[0] == "failed"


@pytest.mark.parametrize("after", [0, 2, 99])
def test_an_error_in_the_midst_fails_the_response(after: int) -> None:
    broken = MidStreamError(after, ErrorReply("Ouch", code="server_error"))
    talking = writing(text_reply("Hello there!", mid_stream_error=broken), chunk_size=4)
    events = talking.send(ASK)
    all_valid(talking.events)
    deltas = [event["delta"] for event in events if event["type"].endswith(".delta")]
    assert len(deltas) == min(after, 3)
    assert events[-1]["type"] == "response.done"
    assert status(events[-1]) == (
        "failed",
        {"type": "failed", "error": {"type": "server_error", "code": "server_error", "message": "Ouch"}},
    )
    assert history(talking) == [("assistant", "".join(deltas))]
    assert talking.send(ASK)[0]["type"] == "response.created"


def test_a_fault_in_the_midst_is_told_in_one_event() -> None:
    talking = writing()
    talking.send(ASK)
    (turn,) = talking.held
    frames = turn.frames(text_reply("Hello there!"), talking.stamp(), 4)
    told = [next(frames) for _ in range(6)]
    event = orjson.loads(turn.broken(ErrorReply("Ouch"), talking.stamp()).data)
    all_valid([event])
    assert status(event)[0] == "failed"
    assert len(told) == 6
    assert event["response"]["output"][0]["status"] == "incomplete"
    talking.held.remove(turn)
    talking.perform(turn.ended(talking.stamp()))
    (item,) = talking.session.conversation  # type: ignore[attr-defined]
    assert item.told["status"] == "incomplete"
    talking.answer = lambda request: text_reply("better")
    assert talking.send(ASK)[-1]["type"] == "rate_limits.updated"


def test_usage_is_the_fixtures_or_an_estimate() -> None:
    talking = writing(text_reply("12345678"))
    talking.send({"type": "conversation.item.create", "item": USER})
    talking.send(ASK)
    usage = talking.last("response.done")["response"]["usage"]
    assert usage == {
        "total_tokens": 3,
        "input_tokens": 1,
        "output_tokens": 2,
        "input_token_details": {
            "text_tokens": 1,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 2, "audio_tokens": 0},
    }
    given = {"prompt_tokens": 10, "completion_tokens": 20, "input_token_details": {"cached_tokens": 5}}
    talking.answer = lambda request: text_reply("x", usage=given)
    talking.send(ASK)
    usage = talking.last("response.done")["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (10, 20, 30)
    assert usage["input_token_details"]["cached_tokens"] == 5
    limits = talking.last("rate_limits.updated")["rate_limits"]
    assert limits == [{"name": "tokens", "limit": 15000000, "remaining": 14999970, "reset_seconds": 0.0}]


def test_what_was_heard_is_counted_as_audio() -> None:
    talking = writing(text_reply("x"))
    second = base64.b64encode(bytes(48000)).decode()
    talking.send({"type": "input_audio_buffer.append", "audio": second})
    talking.send({"type": "input_audio_buffer.commit"})
    spoken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": second}]}
    talking.send({"type": "conversation.item.create", "item": spoken})
    talking.send(ASK)
    assert talking.last("response.done")["response"]["usage"]["input_token_details"]["audio_tokens"] == 20


def test_what_was_not_heard_is_forgotten() -> None:
    talking = started(text_reply("Hello"))
    talking.send(ASK)
    item_id = talking.last("response.output_item.done")["item"]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
    (event,) = talking.send(cut | {"audio_end_ms": 201})
    assert event["error"]["param"] == "audio_end_ms"
    (event,) = talking.send(cut | {"audio_end_ms": 100, "content_index": 1})
    assert event["error"]["code"] == "item_truncate_invalid_item_id"
    (event,) = talking.send(cut | {"audio_end_ms": 100})
    assert (event["type"], event["audio_end_ms"]) == ("conversation.item.truncated", 100)
    all_valid(talking.events)
    assert history(talking) == [("assistant", "")]


def test_what_was_not_heard_is_forgotten_while_it_is_being_said() -> None:
    """Clients that are interrupted cancel and truncate in one breath."""
    talking = started()
    talking.send(ASK)
    (turn,) = talking.held
    talking.say(turn, text_reply("Hello there"), count=6)
    item_id = talking.last("response.output_item.added")["item"]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 10}
    talking.send(cut)
    talking.send({"type": "response.cancel"})
    all_valid(talking.events)
    assert history(talking) == [("assistant", "")]


def test_an_item_can_be_deleted_while_it_is_being_said() -> None:
    talking = writing()
    talking.send(ASK)
    (turn,) = talking.held
    talking.say(turn, text_reply("Hello"), count=3)
    talking.send(
        {"type": "conversation.item.delete", "item_id": talking.last("response.output_item.added")["item"]["id"]}
    )
    talking.finish(turn)
    all_valid(talking.events)
    assert history(talking) == []


def test_the_voice_stays_once_it_was_heard() -> None:
    talking = started(text_reply("Hello"))
    voice = {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "ash"}}}}
    assert talking.send(voice)[0]["type"] == "session.updated"
    talking.send(ASK)
    assert talking.send(voice)[0]["type"] == "session.updated"
    voice["session"]["audio"]["output"]["voice"] = "cedar"  # type: ignore[index]
    (event,) = talking.send(voice)
    assert (event["error"]["code"], event["error"]["param"]) == ("cannot_update_voice", "session.audio.output.voice")


def test_three_times_the_same_calls_in_a_row_are_warned_of() -> None:
    talking = writing()
    warned = []
    for reply in [Reply((WEATHER,))] * 2 + [text_reply("x")] + [Reply((WEATHER,))] * 4:
        talking.send(ASK)
        (turn,) = talking.held
        talking.say(turn, reply)
        warned.append(turn.warning is not None)  # type: ignore[attr-defined]
    assert warned == [False, False, False, False, False, True, False]


def test_the_reference_writes_until_it_is_asked_to_speak() -> None:
    talking = started(text_reply("x"), is_compatible=True)
    assert kinds(talking.send(ASK)) == TEXT_ORDER
    talking.send({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}})
    talking.send(ASK)
    assert talking.last("response.created")["response"]["output_modalities"] == ["audio"]

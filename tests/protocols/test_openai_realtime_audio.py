"""What Realtime sessions hear: speech and its end, transcriptions, translations."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aimock_protocols import openai_realtime
from aimock_protocols.canonical import ChatRequest, ErrorReply
from aimock_protocols.sessions import Close, Said, Speech, Transcript
from realtime_types import all_valid
from talking import NO_FIXTURE, Head, Talk, talk, text_reply

Event = dict[str, Any]

LOUD = b"\0\x20\0\xe0" * 1200
QUIET = bytes(4800)
"""100 ms of 24 kHz."""
COMMIT = {"type": "input_audio_buffer.commit"}
TRANSCRIBING = {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {}}}}
TRANSCRIPTION = "conversation.item.input_audio_transcription."


def append(audio: bytes) -> Event:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}


def told(change: Event) -> Event:
    return {"type": "session.update", "session": {"type": "realtime", "audio": {"input": change}}}


def answers(said: Said | ErrorReply, transcript: Said | ErrorReply = NO_FIXTURE) -> Any:
    def answer(request: ChatRequest) -> Said | ErrorReply:
        return said if request.endpoint == "realtime" else transcript

    return answer


def hearing(answer: Any = None, **detection: Any) -> Talk:
    talking = talk(openai_realtime, answer=answer, hears=True)
    if detection:
        talking.send(told({"turn_detection": {"type": "server_vad", **detection}}))
    return talking


def say(talking: Talk, *spoken: bytes) -> list[Event]:
    before = len(talking.events)
    for audio in spoken:
        talking.send(append(audio))
    return talking.events[before:]


UTTERANCE = (*[QUIET] * 5, *[LOUD] * 10, *[QUIET] * 5)
HEARD = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]


def test_nobody_listens_unless_told_to() -> None:
    assert say(talk(openai_realtime), *UTTERANCE) == []


def test_speech_and_its_end() -> None:
    talking = hearing(answers(text_reply("Hello")))
    events = say(talking, *UTTERANCE)
    all_valid(talking.events)
    assert [event["type"] for event in events[:6]] == [*HEARD, "response.created"]
    started, stopped, committed, added, _ = events[:5]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (200, 1700)
    assert len({started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]}) == 1
    (event,) = talking.send({"type": "conversation.item.retrieve", "item_id": committed["item_id"]})
    assert len(base64.b64decode(event["item"]["content"][0]["audio"])) == 1500 * 48


@pytest.mark.parametrize("size", [100, 4799, 4801, 90_000])
def test_it_is_heard_alike_however_it_comes(size: int) -> None:
    audio = b"".join(UTTERANCE * 2)
    whole, pieces = hearing(answers(text_reply("Hello"))), hearing(answers(text_reply("Hello")))
    whole_events = say(whole, audio)
    piece_events = say(pieces, *(audio[start : start + size] for start in range(0, len(audio), size)))
    assert [event["type"] for event in whole_events] == [event["type"] for event in piece_events]
    times = [
        [(event.get("audio_start_ms"), event.get("audio_end_ms")) for event in events]
        for events in (whole_events, piece_events)
    ]
    assert times[0] == times[1]
    assert [event for event in whole_events if event["type"] == HEARD[0]][1]["audio_start_ms"] == 2200


@pytest.mark.parametrize(
    ("kind", "loud", "quiet"), [("audio/pcmu", b"\x80\x00", b"\xff\x7f"), ("audio/pcma", b"\xaa\x2a", b"\xd5\x55")]
)
def test_telephones_are_heard_too(kind: str, loud: bytes, quiet: bytes) -> None:
    talking = hearing(answers(text_reply("Hello")))
    talking.send(told({"format": {"type": kind}}))
    events = say(talking, quiet * 2000, loud * 4000, quiet * 2000)
    assert [event["type"] for event in events[:5]] == HEARD
    assert (events[0]["audio_start_ms"], events[1]["audio_end_ms"]) == (200, 1700)


def test_the_session_says_how_to_listen() -> None:
    talking = hearing(answers(text_reply("Hello")), prefix_padding_ms=0, silence_duration_ms=400)
    started, stopped = say(talking, *UTTERANCE)[:2]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (500, 1900)
    faint = b"\x40\x01\xc0\xfe" * 1200
    assert say(hearing(threshold=1.0), *[faint] * 10) == []
    assert say(hearing(threshold=0.1), *[faint] * 10)[0]["type"] == HEARD[0]


def test_a_click_is_no_speech() -> None:
    assert say(hearing(), QUIET, LOUD[:1920], QUIET, QUIET, QUIET) == []


def test_who_wants_no_answer_gets_none() -> None:
    assert [event["type"] for event in say(hearing(create_response=False), *UTTERANCE)] == HEARD


def test_semantic_detection_waits_as_eagerly_as_told() -> None:
    talking = talk(openai_realtime, hears=True)
    talking.send(told({"turn_detection": {"type": "semantic_vad", "eagerness": "low", "create_response": False}}))
    assert [event["type"] for event in say(talking, *UTTERANCE)] == HEARD[:1]
    assert say(talking, *[QUIET] * 5)[0]["audio_end_ms"] == 2500


def test_who_speaks_interrupts() -> None:
    talking = hearing()
    talking.send({"type": "response.create"})
    (turn,) = talking.held
    talking.say(turn, text_reply("Hello there"), count=6)
    talking.answer = answers(text_reply("Yes?"))
    events = say(talking, *UTTERANCE)
    all_valid(talking.events)
    cancelled = next(event for event in events if event["type"] == "response.done")
    assert cancelled["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    order = [event["type"] for event in events]
    assert order.index(HEARD[0]) < order.index("response.done") < order.index(HEARD[1])
    assert talking.last("response.done")["response"]["status"] == "completed"
    assert [message["role"] for message in talking.requests[-1].body["messages"]] == ["assistant", "user"]


def test_who_must_not_interrupt_is_answered_afterwards() -> None:
    talking = hearing(interrupt_response=False)
    talking.send({"type": "response.create"})
    (turn,) = talking.held
    talking.say(turn, text_reply("Hello there"), count=6)
    assert [event["type"] for event in say(talking, *UTTERANCE)] == HEARD
    talking.finish(turn)
    (waited,) = talking.held
    assert [message["role"] for message in waited.request.body["messages"]] == ["assistant", "user"]
    talking.say(waited, text_reply("Yes?"))
    assert talking.held == []


def test_a_client_may_commit_before_it_stops() -> None:
    talking = hearing()
    started, *_ = say(talking, *UTTERANCE[:10])
    committed, *_ = talking.send(COMMIT)
    assert committed["item_id"] == started["item_id"]
    assert [event["type"] for event in say(talking, *[QUIET] * 5)] == []


def test_listening_can_be_turned_off_and_on() -> None:
    talking = hearing(answers(text_reply("x")))
    talking.send(told({"turn_detection": None}))
    assert say(talking, *UTTERANCE) == []
    talking.send({"type": "input_audio_buffer.clear"})
    talking.send(told({"turn_detection": {"type": "server_vad"}}))
    assert say(talking, *UTTERANCE)[0]["audio_start_ms"] == 2200


def transcribing(model: str, answer: Any, **more: Any) -> Talk:
    """A transcription session."""
    talking = talk(openai_realtime, Head(query="intent=transcription"), answer, **more)
    transcription = {"model": model}
    update = {"type": "transcription", "audio": {"input": {"transcription": transcription, "turn_detection": None}}}
    talking.send({"type": "session.update", "session": update})
    return talking


def commit(talking: Talk, audio: bytes = LOUD * 10) -> list[Event]:
    talking.send(append(audio))
    return talking.send(COMMIT)


def test_a_transcription_session_has_neither_model_nor_voice() -> None:
    talking = transcribing("whisper-1", None)
    all_valid(talking.events)
    session = talking.last("session.updated")["session"]
    assert (session["object"], session["type"]) == ("realtime.transcription_session", "transcription")
    assert "model" not in session
    assert "output" not in session["audio"]
    (event,) = talking.send({"type": "response.create"})
    assert event["error"]["code"] == "invalid_value"
    (event,) = talking.send({"type": "transcription_session.update", "session": {"input_audio_format": "g711_ulaw"}})
    assert event["type"] == "transcription_session.updated"
    assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}


@pytest.mark.parametrize(
    ("model", "deltas", "usage"),
    [
        ("whisper-1", ["Hello to you, too."], {"type": "duration", "seconds": 1.0}),
        ("gpt-transcribe", ["Hello to y", "ou, too."], {"type": "duration", "seconds": 1.0}),
        (
            "gpt-4o-mini-transcribe",
            ["Hello to y", "ou, too."],
            {
                "type": "tokens",
                "total_tokens": 15,
                "input_tokens": 10,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 10},
                "output_tokens": 5,
            },
        ),
    ],
)
def test_what_was_said_is_transcribed(model: str, deltas: list[str], usage: Event) -> None:
    talking = transcribing(model, Transcript("Hello to you, too."), chunk_size=10)
    events = commit(talking)
    all_valid(talking.events)
    assert talking.requests[0].endpoint == "realtime-transcription"
    assert talking.requests[0].body == {"model": model, "messages": [{"role": "user", "content": "[audio input]"}]}
    assert [event["delta"] for event in events if event["type"] == f"{TRANSCRIPTION}delta"] == deltas
    assert events[-1]["type"] == f"{TRANSCRIPTION}completed"
    assert (events[-1]["transcript"], events[-1]["usage"]) == ("Hello to you, too.", usage)
    assert "languages" not in events[-1]
    (event,) = talking.send({"type": "conversation.item.retrieve", "item_id": events[0]["item_id"]})
    assert event["item"]["content"][0]["transcript"] == "Hello to you, too."


def test_speakers_are_told_apart_in_segments() -> None:
    events = commit(transcribing("gpt-4o-transcribe-diarize", Transcript("Hello")))
    all_valid(events)
    (segment,) = [event for event in events if event["type"] == f"{TRANSCRIPTION}segment"]
    assert (segment["text"], segment["speaker"], segment["start"], segment["end"]) == ("Hello", "A", 0.0, 1.0)


def test_the_fixture_tells_languages_and_usage() -> None:
    usage = {"type": "duration", "seconds": 7}
    events = commit(transcribing("whisper-1", Transcript("Hallo", "de", usage=usage)))
    assert (events[-1]["languages"], events[-1]["usage"]) == ([{"code": "de"}], usage)
    events = commit(transcribing("whisper-1", Transcript("Hallo", languages=({"code": "de"}, {"code": "en"}))))
    assert events[-1]["languages"] == [{"code": "de"}, {"code": "en"}]
    all_valid(events)


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (NO_FIXTURE, "no_fixture_match", "No fixture matched"),
        (ErrorReply("Ouch", code="x"), "x", "Ouch"),
        (text_reply("x"), "invalid_fixture_type", "Fixture response is not a transcription type"),
        (Speech(b"", "audio/pcm"), "invalid_fixture_type", "Fixture response is not a transcription type"),
    ],
)
def test_a_transcription_that_fails(answer: Any, code: str, message: str) -> None:
    events = commit(transcribing("whisper-1", answer))
    all_valid(events)
    assert events[-1]["type"] == f"{TRANSCRIPTION}failed"
    assert (events[-1]["error"]["code"], events[-1]["error"]["message"]) == (code, message)


def test_in_a_conversation_only_a_fixture_for_it_transcribes() -> None:
    talking = talk(openai_realtime, answer=answers(text_reply("x")))
    assert [event["type"] for event in commit(talking)] == HEARD[2:]
    assert talking.requests == []
    talking.send(told({"transcription": {"model": "whisper-1"}}))
    assert [event["type"] for event in commit(talking)] == HEARD[2:]
    talking.answer = None
    commit(talking)
    (turn,) = talking.held
    assert turn.is_optional
    talking.say(turn, Transcript("Hello"))
    assert talking.types[-1] == f"{TRANSCRIPTION}completed"
    talking.send({"type": "response.create"})
    contents = [message["content"] for message in talking.requests[-1].body["messages"]]
    assert contents == ["[audio input]", "[audio input]", "Hello"]
    all_valid(talking.events)


def translating(answer: Any = None, **more: Any) -> Talk:
    head = Head(path="/v1/realtime/translations", query="model=gpt-realtime-translate")
    return talk(openai_realtime, head, answer, **more)


SPOKEN = {"type": "session.input_audio_buffer.append", "audio": base64.b64encode(LOUD).decode()}


def test_a_translation() -> None:
    talking = translating(Transcript("Guten Tag"), chunk_size=5)
    assert talking.events[0]["session"]["type"] == "translation"
    change = {"input": {"transcription": {"model": "gpt-transcribe"}}, "output": {"language": "de"}}
    (event,) = talking.send({"type": "session.update", "session": {"audio": change}})
    assert event["session"]["audio"]["output"] == {"language": "de"}
    assert event["session"]["audio"]["input"]["transcription"] == {"model": "gpt-transcribe"}
    assert talking.send(SPOKEN) == []
    events = talking.send({"type": "session.close"})
    all_valid(talking.events, is_translation=True)
    assert talking.requests[0].endpoint == "realtime-translation"
    transcript = [event["delta"] for event in events if event["type"] == "session.output_transcript.delta"]
    assert transcript == ["Guten", " Tag"]
    sound = [base64.b64decode(event["delta"]) for event in events if event["type"] == "session.output_audio.delta"]
    assert len(b"".join(sound)) == 9 * 40 * 48
    assert events[-1]["type"] == "session.closed"
    assert talking.closed == Close(1000)
    assert talking.send(SPOKEN) == []


@pytest.mark.parametrize("answer", [text_reply("Tag"), Speech(b"\0\0" * 100, "audio/pcm", "Tag")])
def test_a_translation_may_be_a_text_or_audio(answer: Any) -> None:
    talking = translating(answer)
    talking.send(SPOKEN)
    talking.send({"type": "session.close"})
    all_valid(talking.events, is_translation=True)
    assert talking.last("session.output_transcript.delta")["delta"] == "Tag"


def test_a_translation_goes_on_while_its_client_speaks() -> None:
    talking = translating(hears=True)
    for audio in UTTERANCE:
        talking.send(SPOKEN | {"audio": base64.b64encode(audio).decode()})
    for _ in range(5):
        talking.send(SPOKEN | {"audio": base64.b64encode(QUIET).decode()})
    (first,) = talking.held
    talking.send(SPOKEN)
    talking.send({"type": "session.close"})
    _, second = talking.held
    talking.say(second, text_reply("b"))
    assert talking.closed is None
    talking.say(first, NO_FIXTURE)
    assert talking.types[-2:] == ["error", "session.closed"]
    assert talking.closed == Close(1000)
    all_valid(talking.events, is_translation=True)


def test_a_translation_of_nothing() -> None:
    talking = translating()
    assert [event["type"] for event in talking.send({"type": "session.close"})] == ["session.closed"]


@pytest.mark.parametrize("message", ["{", {}, {"type": "response.create"}, SPOKEN | {"audio": 5}])
def test_a_translation_session_says_what_it_refuses(message: Any) -> None:
    talking = translating()
    assert [event["type"] for event in talking.send(message)] == ["error"]
    all_valid(talking.events, is_translation=True)

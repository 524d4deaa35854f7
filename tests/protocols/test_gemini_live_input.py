"""What the user says and shows in real time (wire-gemini-live §4, realtimeInput)."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from aimock_protocols.canonical import Reply, Text
from aimock_protocols.gemini_live.listening import AUDIO_INPUT
from aimock_protocols.sessions import Options, Transcript
from live_driver import ANSWERED, BROKEN_OFF, HELLO, VERTEX, Driver, Head, Held, kinds
from talking import NO_FIXTURE

RATE = 16000
LONG = Reply((Text("a" * 60),))
MANUAL = {"automaticActivityDetection": {"disabled": True}}


def sound(ms: int, amplitude: int = 3000) -> bytes:
    count = RATE * ms // 1000
    return struct.pack(f"<{count}h", *(amplitude if at % 40 < 20 else -amplitude for at in range(count)))


def blob(data: bytes, mime: str = "audio/pcm;rate=16000") -> dict[str, str]:
    return {"data": base64.b64encode(data).decode(), "mimeType": mime}


def audio(*pieces: bytes) -> dict[str, Any]:
    return {"realtimeInput": {"audio": blob(b"".join(pieces))}}


def realtime(**members: Any) -> dict[str, Any]:
    return {"realtimeInput": members}


STREAM_END = realtime(audioStreamEnd=True)
START, END = realtime(activityStart={}), realtime(activityEnd={})


def session(hears: bool = False, path: str = "", **setup: Any) -> Driver:
    driver = Driver(Options(hears=hears), Head(path) if path else Head())
    driver.set_up(**setup)
    return driver


def test_text_is_answered_at_once() -> None:
    driver = session()
    assert kinds(driver.say({"realtime_input": {"text": "hey"}}, HELLO)) == ANSWERED
    assert driver.messages == [{"role": "user", "content": "hey"}]


def test_text_interrupts() -> None:
    driver = session()
    driver.say(realtime(text="one"), Held(LONG, 1))
    assert kinds(driver.say(realtime(text="two"), HELLO)) == [*BROKEN_OFF, *ANSWERED]


def test_audio_is_a_turn_when_its_stream_ends() -> None:
    driver = session()
    assert driver.say(audio(sound(100))) == []
    assert driver.say(audio(bytes(320))) == []
    assert kinds(driver.say(STREAM_END, HELLO)) == ANSWERED
    assert driver.messages == [{"role": "user", "content": AUDIO_INPUT}]
    assert driver.say(STREAM_END) == [], "nothing was said since"


@pytest.mark.parametrize("mime", ["audio/pcm", "audio/pcm;rate=24000", "audio/l16; rate=8000; channels=1", "audio/ogg"])
def test_audio_of_any_type_in_either_alphabet(mime: str) -> None:
    driver = session(hears=True)
    data = base64.urlsafe_b64encode(sound(1000) + b"\xff\xfe\xff").decode().rstrip("=")
    driver.say(realtime(mediaChunks=[{"data": data, "mimeType": mime}]))
    assert kinds(driver.say(STREAM_END, HELLO)) == ANSWERED


def test_audio_counts_in_the_prompt() -> None:
    driver = session()
    driver.say(audio(sound(1000)))
    usage = driver.say(STREAM_END, HELLO)[-1]["usageMetadata"]
    assert usage["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 4},
        {"modality": "AUDIO", "tokenCount": 25},
    ]
    assert usage["promptTokenCount"] == 29


def test_the_last_picture_belongs_to_the_turn() -> None:
    driver = session()
    for data in (b"first", b"last"):
        assert driver.say(realtime(video=blob(data, "image/jpeg"))) == []
    driver.say(realtime(text="What is this?"), HELLO)
    asked, shown = driver.messages[0]["content"]
    assert asked == {"type": "text", "text": "What is this?"}
    assert shown["image_url"]["url"] == f"data:image/jpeg;base64,{blob(b'last')['data']}"
    driver.say(realtime(text="And now?"), HELLO)
    assert driver.messages[-1]["content"] == "And now?"


# -- activity that the client tells ----------------------------------------------------------------------------------


def test_manual_activity_makes_a_turn() -> None:
    driver = session(realtimeInputConfig=MANUAL)
    assert driver.say(audio(sound(100))) == [], "outside of any activity it is not listened to"
    for message in (START, audio(sound(100)), realtime(text="as I said")):
        assert driver.say(message) == []
    assert kinds(driver.say(END, HELLO)) == ANSWERED
    assert driver.messages == [{"role": "user", "content": AUDIO_INPUT + "as I said"}]
    assert driver.say(START) == []
    assert driver.say(END) == [], "nothing was said"
    assert driver.say(STREAM_END) == []


def test_activity_interrupts_the_model() -> None:
    driver = session(realtimeInputConfig=MANUAL)
    driver.ask("one", Held(LONG, 1))
    assert kinds(driver.say(START)) == BROKEN_OFF
    driver.say(audio(sound(100)))
    assert kinds(driver.say(END, HELLO)) == ANSWERED
    assert [message["content"] for message in driver.messages] == ["one", "a" * 20, AUDIO_INPUT]


def test_activity_that_may_not_interrupt_waits() -> None:
    driver = session(realtimeInputConfig=MANUAL | {"activityHandling": "NO_INTERRUPTION"})
    driver.ask("one")
    for message in (START, audio(sound(100)), END):
        assert driver.say(message) == []
    assert kinds(driver.go_on(HELLO)) == ANSWERED
    assert kinds(driver.go_on(HELLO)) == ANSWERED
    assert [message["content"] for message in driver.messages] == ["one", "Hello!", AUDIO_INPUT]


@pytest.mark.parametrize("message", [START, END])
def test_activity_may_not_be_told_where_it_is_detected(message: dict[str, Any]) -> None:
    (close,) = session().say(message)
    assert close.code == 1007
    assert "automatic activity detection" in close.reason


# -- activity that is heard ------------------------------------------------------------------------------------------


def test_a_turn_begins_and_ends_where_it_is_heard() -> None:
    driver = session(hears=True)
    assert driver.say(audio(bytes(32000), sound(500))) == []
    assert kinds(driver.say(audio(bytes(32000)), HELLO)) == ANSWERED
    assert driver.say(STREAM_END) == [], "the turn is over already"
    assert driver.say(audio(bytes(64000))) == [], "silence is no turn"
    assert driver.say(STREAM_END) == []


def test_speech_that_goes_on_ends_with_its_stream() -> None:
    driver = session(hears=True)
    driver.say(audio(sound(500)))
    assert kinds(driver.say(STREAM_END, HELLO)) == ANSWERED
    driver.say(audio(sound(500)))
    assert kinds(driver.say(STREAM_END, HELLO)) == ANSWERED, "the next stream is listened to from its beginning"


def test_speech_interrupts_the_model() -> None:
    driver = session(hears=True)
    driver.ask("one", Held(LONG, 1))
    assert driver.say(audio(bytes(3200))) == []
    assert kinds(driver.say(audio(sound(100)))) == BROKEN_OFF
    assert kinds(driver.say(audio(bytes(32000)), HELLO)) == ANSWERED


def test_two_turns_in_one_message() -> None:
    driver = session(hears=True)
    told = driver.say(audio(sound(100), bytes(32000), sound(100), bytes(32000)), HELLO)
    assert kinds(told) == [*BROKEN_OFF, *ANSWERED]
    assert len(driver.requests) == 2
    assert [message["content"] for message in driver.messages] == [AUDIO_INPUT, AUDIO_INPUT]


@pytest.mark.parametrize(
    ("detection", "is_turn"),
    [
        ({}, True),
        ({"silenceDurationMs": 1500}, False),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_LOW"}, True),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_LOW", "silenceDurationMs": 1200}, False),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_LOW"}, False),
        ({"prefixPaddingMs": 300}, False),
        ({"prefixPaddingMs": 200}, True),
    ],
)
def test_how_well_it_hears(detection: dict[str, Any], is_turn: bool) -> None:
    driver = session(hears=True, realtimeInputConfig={"automaticActivityDetection": detection})
    told = driver.say(audio(sound(200, 500), bytes(32000)), HELLO)
    assert bool(told) is is_turn


def test_activity_is_told_where_that_was_asked_for() -> None:
    driver = session(hears=True, explicitVadSignal=True)
    told = driver.say(audio(bytes(32000), sound(100), bytes(32000)), HELLO)
    assert told[:2] == [
        {"voiceActivity": {"voiceActivityType": "ACTIVITY_START", "audioOffset": "1s"}},
        {"voiceActivity": {"voiceActivityType": "ACTIVITY_END", "audioOffset": "1.6s"}},
    ]
    assert kinds(told[2:]) == ANSWERED


# -- transcription ---------------------------------------------------------------------------------------------------


def test_what_was_said_is_told_and_is_what_fixtures_see() -> None:
    driver = session(inputAudioTranscription={})
    driver.say(audio(sound(100)))
    told = driver.say(STREAM_END, Transcript("My name is Marcelo. Hello."), HELLO)
    assert kinds(told) == ["inputTranscription", "inputTranscription", *ANSWERED]
    heard, asked = driver.requests
    assert (heard.endpoint, heard.body["messages"]) == ("transcription", [{"role": "user", "content": AUDIO_INPUT}])
    assert asked.body["messages"] == [{"role": "user", "content": "My name is Marcelo. Hello."}]


def test_on_vertex_a_transcription_is_finished() -> None:
    driver = session(path=VERTEX, inputAudioTranscription={})
    driver.say(audio(sound(100)))
    told = driver.say(STREAM_END, Transcript("Hi."), HELLO)
    transcribed = [each["serverContent"].get("inputTranscription") for each in told[:2]]
    assert transcribed == [{"text": "Hi."}, {"finished": True}]


@pytest.mark.parametrize("known", [NO_FIXTURE, HELLO])
def test_where_no_fixture_knows_what_was_said_the_answer_follows_all_the_same(known: Any) -> None:
    driver = session(inputAudioTranscription={})
    driver.say(audio(sound(100)))
    assert kinds(driver.say(STREAM_END, known, HELLO)) == ANSWERED
    assert driver.messages == [{"role": "user", "content": AUDIO_INPUT}]


def test_what_is_said_on_top_of_a_transcription_makes_one_turn_with_it() -> None:
    driver = session(inputAudioTranscription={})
    driver.say(audio(sound(100)))
    driver.say(STREAM_END)
    told = driver.say(realtime(text="Never mind."), HELLO)
    assert kinds(told) == ANSWERED
    assert [message["content"] for message in driver.messages] == [AUDIO_INPUT, "Never mind."]

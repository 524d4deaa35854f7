"""Answers of Gemini Live: texts, audio and calls, and what ends them (wire-gemini-live §5)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aimock_protocols.canonical import FrameKind, Reply, Text, ToolCall
from aimock_protocols.sessions import Options, Speech, Transcript
from live_driver import (
    ANSWERED,
    CALL,
    CALLED,
    DONE,
    GENERATED,
    HELLO,
    VERTEX,
    Driver,
    Head,
    content,
    kinds,
    reply,
    results,
    text,
)

# -- answers ---------------------------------------------------------------------------------------------------------


def test_a_text(driver: Driver) -> None:
    said = reply(Text("Hello, how are you today?"), reasoning="Hm.")
    *before, done = driver.ask("hello", said)
    assert before == [text("Hm.", thought=True), text("Hello, how are you t"), text("oday?"), GENERATED]
    assert done["serverContent"] == {"turnComplete": True}
    assert done["usageMetadata"] == {
        "promptTokenCount": 2,
        "responseTokenCount": 7,
        "totalTokenCount": 9,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}],
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
        "thoughtsTokenCount": 1,
    }
    assert [frame.kind for frame in driver.frames] == [FrameKind.TOKEN] * 3 + [FrameKind.CLOSE] * 2


def test_usage_that_a_fixture_gives(driver: Driver) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 3}}
    told = driver.ask("hello", reply(Text("x"), usage=usage))[-1]["usageMetadata"]
    assert [told[name] for name in ("promptTokenCount", "responseTokenCount", "thoughtsTokenCount")] == [5, 4, 3]
    told = driver.ask("hello", reply(Text("x"), usage={"responseTokenCount": 2, "totalTokenCount": 99}))[-1]
    assert told["usageMetadata"]["responseTokenCount"] == 2
    assert told["usageMetadata"]["totalTokenCount"] == 99


def test_vertex_has_other_names() -> None:
    driver = Driver(head=Head(VERTEX))
    driver.set_up("m")
    first, _, done = driver.ask("hello", HELLO)
    assert first == content(modelTurn={"role": "model", "parts": [{"text": "Hello!"}]})
    assert done["serverContent"] == {"turnComplete": True, "groundingMetadata": {}}
    assert {"candidatesTokenCount", "candidatesTokensDetails"} <= done["usageMetadata"].keys()


@pytest.mark.parametrize("said", [reply(), reply(Text(""))])
def test_an_empty_answer_is_no_part_of_the_history(driver: Driver, said: Reply) -> None:
    told = driver.ask("one", said)
    assert kinds(told) == (["modelTurn"] if said.parts else []) + DONE
    if said.parts:
        assert told[0] == text("")
    driver.ask("two", HELLO)
    assert driver.messages == [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (reply(refusal="No."), "RESPONSE_REJECTED"),
        (reply(Text("x"), finish_reason="content_filter"), "RESPONSE_REJECTED"),
        (reply(Text("x"), finish_reason="MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        (reply(Text("x"), finish_reason="stop"), None),
        (reply(Text("x"), finish_reason="length"), None),
    ],
)
def test_why_a_turn_is_complete(driver: Driver, said: Reply, reason: str | None) -> None:
    assert driver.ask("hello", said)[-1]["serverContent"].get("turnCompleteReason") == reason


def test_searches_are_told_at_the_end(driver: Driver) -> None:
    done = driver.ask("hello", reply(Text("x"), web_searches=("paris",)))[-1]["serverContent"]
    assert done["groundingMetadata"]["webSearchQueries"] == ["paris"]


def spoken_session(**more: Any) -> Driver:
    driver = Driver(Options(silence_ms_per_character=100))
    driver.set_up(modality="AUDIO", **more)
    return driver


def audio(told: list[Any]) -> list[bytes]:
    parts = [part for each in told for part in each.get("serverContent", {}).get("modelTurn", {}).get("parts", ())]
    return [base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part]


def test_a_text_is_spoken_as_silence_of_its_length() -> None:
    driver = spoken_session(outputAudioTranscription={})
    told = driver.ask("hello", reply(Text("a" * 30), reasoning="Hm."))
    assert kinds(told) == [
        "modelTurn",
        "outputTranscription",
        *["modelTurn"] * 3,
        "outputTranscription",
        *["modelTurn"] * 2,
        *DONE,
    ]
    heard = b"".join(audio(told))
    assert heard == bytes(len(heard))
    assert len(heard) == 30 * 100 * 24 * 2
    assert max(map(len, audio(told))) <= 32 * 1024
    assert [each["serverContent"]["outputTranscription"]["text"] for each in (told[1], told[5])] == ["a" * 20, "a" * 10]
    assert told[-1]["usageMetadata"]["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 8}]
    mime = told[2]["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["mimeType"]
    assert mime == "audio/pcm;rate=24000"
    assert {frame.kind for frame in driver.frames[:-2]} == {FrameKind.TOKEN}


def test_without_transcription_there_is_audio_alone() -> None:
    driver = spoken_session()
    assert kinds(driver.ask("hello", HELLO)) == ANSWERED
    driver.ask("two", HELLO)
    assert driver.messages[1] == {"role": "assistant", "content": "Hello!"}


def test_a_fixture_s_audio_is_split() -> None:
    driver = spoken_session(outputAudioTranscription={})
    sound = bytes(range(256)) * 400
    told = driver.ask("hello", Speech(sound, "audio/pcm", "Good morning to all of you!"))
    assert kinds(told) == ["outputTranscription"] * 2 + ["modelTurn"] * 4 + DONE
    assert b"".join(audio(told)) == sound
    assert all(len(piece) % 2 == 0 for piece in audio(told))
    driver.ask("two", HELLO)
    assert driver.messages[1]["content"] == "Good morning to all of you!"


def test_audio_that_says_nothing_in_words() -> None:
    driver = spoken_session(outputAudioTranscription={})
    told = driver.ask("hello", Speech(b"ID3", "audio/mpeg"))
    assert told[0]["serverContent"]["modelTurn"]["parts"] == [
        {"inlineData": {"mimeType": "audio/mpeg", "data": "SUQz"}}
    ]
    driver.ask("two", HELLO)
    assert driver.messages[1] == {"role": "assistant", "content": None}
    assert driver.requests[-1].objection is None


def test_audio_in_a_session_for_text(driver: Driver) -> None:
    assert driver.ask("hello", Speech(b"ab", "audio/pcm", "Hi."))[0] == text("Hi.")
    assert audio(driver.ask("hello", Speech(b"ab", "audio/pcm"))) == [b"ab"], "as the reference has it"


def test_a_transcription_is_no_answer(driver: Driver) -> None:
    assert kinds(driver.ask("hello", Transcript("hi"))) == ["close 1011"]


# -- calls -----------------------------------------------------------------------------------------------------------


def test_calls_come_all_at_once_and_nothing_follows_until_their_results(driver: Driver) -> None:
    (told,) = driver.ask("weather", reply(CALL, ToolCall("f", "not JSON")))
    first, second = told["toolCall"]["functionCalls"]
    assert first == {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}
    assert (second["name"], second["args"], second["id"][:14]) == ("f", {}, "function-call-")
    assert driver.frames[0].kind is FrameKind.TOKEN
    assert driver.say(results("call_1")) == []
    assert kinds(driver.say(results(second["id"]), HELLO)) == ANSWERED
    assert [message["role"] for message in driver.messages] == ["user", "assistant", "tool", "tool"]
    assert driver.requests[-1].objection is None


def test_blocks_keep_their_order(driver: Driver) -> None:
    told = driver.ask("weather", reply(Text("One."), CALL, Text("Two."), ToolCall("g", "{}", "call_2")))
    assert kinds(told) == ["modelTurn", "toolCall", "modelTurn", "toolCall"]
    assert kinds(driver.say(results("call_1", "call_2"), HELLO)) == ANSWERED


def test_on_vertex_results_complete_the_turn_and_another_follows() -> None:
    driver = Driver(head=Head(VERTEX))
    driver.set_up("m", "AUDIO", outputAudioTranscription={})
    assert kinds(driver.ask("weather", CALLED)) == ["toolCall"]
    told = driver.say(results("call_1"), HELLO)
    complete = ["outputTranscription", *DONE[:1], "turnComplete+groundingMetadata"]
    assert kinds(told) == [*complete, "outputTranscription", "modelTurn", *complete]


def test_a_result_without_an_id_is_that_of_the_call_of_its_name(driver: Driver) -> None:
    driver.ask("weather", CALLED)
    told = driver.say({"toolResponse": {"functionResponses": {"name": "get_weather", "response": {}}}}, HELLO)
    assert kinds(told) == ANSWERED
    assert driver.requests[-1].objection is None


def test_a_result_for_a_call_that_was_not_made_is_objected_to(driver: Driver) -> None:
    assert kinds(driver.say(results("call_9"), HELLO)) == ANSWERED
    objection = driver.requests[-1].objection
    assert objection is not None
    assert "call_9" in objection.message
    driver.ask("hello", HELLO)
    assert driver.requests[-1].objection is None


def test_results_that_go_on_and_results_that_want_no_answer(driver: Driver) -> None:
    driver.ask("weather", CALLED)
    assert driver.say(results("call_1", willContinue=True)) == []
    assert kinds(driver.say(results("call_1", scheduling="SILENT"))) == DONE
    driver.ask("and?", HELLO)
    assert [message["role"] for message in driver.messages] == ["user", "assistant", "tool", "tool", "user"]

"""Sessions of Gemini Live: what is said, what is asked of fixtures, and how it goes on (wire-gemini-live §4, §6)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import Text, ToolCall
from aimock_protocols.sessions import Close, Options
from live_driver import (
    ANSWERED,
    BROKEN_OFF,
    CALL,
    CALLED,
    DEVELOPER,
    DONE,
    HELLO,
    VERTEX,
    Driver,
    Head,
    Held,
    kinds,
    reply,
    results,
    user,
)

# -- setup -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setup",
    [
        {},
        {"model": ""},
        {"model": 1},
        {"model": "models/m", "generationConfig": 1},
        {"model": "models/m", "generationConfig": {"responseModalities": "TEXT"}},
        {"model": "models/m", "generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}},
        {"model": "models/m", "generationConfig": {"responseModalities": ["IMAGE"]}},
        {"model": "models/m", "tools": 1},
        {"model": "models/m", "tools": [{"functionDeclarations": 1}]},
        {"model": "models/m", "systemInstruction": 1},
        {"model": "models/m", "sessionResumption": 1},
        {"model": "models/m", "sessionResumption": {"handle": 1}},
        {"model": "models/m", "inputAudioTranscription": True},
        {"model": "models/m", "realtimeInputConfig": []},
        {"model": "models/m", "realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": -1}}},
        {"model": "models/m", "realtimeInputConfig": {"automaticActivityDetection": {"prefixPaddingMs": True}}},
    ],
)
def test_a_bad_setup_ends_the_session(setup: dict[str, Any]) -> None:
    driver = Driver()
    assert kinds(driver.say({"setup": setup})) == ["close 1007"]
    assert driver.set_up() == [], "nothing is heeded after the end"


def test_all_that_can_be_set_up_is_accepted() -> None:
    told = Driver().set_up(
        safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        contextWindowCompression={"triggerTokens": "1000", "slidingWindow": {}},
        realtimeInputConfig={"turnCoverage": "TURN_INCLUDES_ALL_INPUT"},
        proactivity={"proactiveAudio": True},
        historyConfig={"initialHistoryInClientContent": True},
        labels={"a_b": "c"},
        avatarConfig={},
        tools=[{"googleSearch": {}}, {"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}],
    )
    assert told == [{"setupComplete": {}}]


def test_setup_comes_first_and_once(driver: Driver) -> None:
    assert driver.set_up() == [Close(1007, "Setup can be sent only once, as the first message")]
    assert Driver().ask("hello") == [Close(1007, "Setup required")]


def test_vertex_tells_a_session_id() -> None:
    (complete,) = Driver(head=Head(VERTEX)).set_up("publishers/google/models/m")
    assert len(complete["setupComplete"]["sessionId"]) == 36


@pytest.mark.parametrize(
    ("path", "model", "is_vertex"),
    [
        ("/", "models/m", False),
        ("/", "publishers/google/models/m", True),
        ("//", "m", True),
        (VERTEX, "m", True),
        ("/" + VERTEX, "m", True),
        (DEVELOPER, "m", False),
        ("/" + DEVELOPER, "m", False),
    ],
)
def test_whose_a_session_is(path: str, model: str, is_vertex: bool) -> None:
    (complete,) = Driver(head=Head(path)).set_up(model)
    assert ("sessionId" in complete["setupComplete"]) is is_vertex


@pytest.mark.parametrize("in_text", [False, True])
def test_frames_are_binary_unless_told_otherwise(in_text: bool) -> None:
    session = Driver(Options(in_text_frames=in_text)).talk.session
    assert session.is_binary is not in_text
    assert session.subprotocol is None


@pytest.mark.parametrize(
    ("modalities", "compatible", "speaks"),
    [
        (["TEXT"], False, False),
        (["audio"], False, True),
        ([3], False, True),
        (["MODALITY_UNSPECIFIED"], False, True),
        ([], False, True),
        ([], True, False),
    ],
)
def test_modalities(modalities: list[Any], compatible: bool, speaks: bool) -> None:
    driver = Driver(Options(is_compatible=compatible))
    driver.say({"setup": {"model": "models/m", "generationConfig": {"responseModalities": modalities}}})
    (part,) = driver.ask("hello", HELLO)[0]["serverContent"]["modelTurn"]["parts"]
    assert ("inlineData" in part) is speaks


# -- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "not JSON",
        b"\xff\xfe",
        "[]",
        "1",
        "{}",
        {"unknown": {}},
        {"clientContent": {}, "toolResponse": {}},
        {"clientContent": 1},
        {"clientContent": {"turns": 1}},
        {"clientContent": {"turns": [1]}},
        {"clientContent": {"turns": [{"parts": 1}]}},
        {"clientContent": {"turnComplete": True}},
        {"toolResponse": {}},
        {"toolResponse": {"functionResponses": [1]}},
        {"contextUpdate": {"tools": [1]}},
        {"contextUpdate": {"tools": {"tools": [{"functionDeclarations": 1}]}}},
        {"realtimeInput": {"text": 1}},
        {"realtimeInput": {"audio": 1}},
        {"realtimeInput": {"audio": {"data": "A", "mimeType": "audio/pcm"}}},
        {"realtimeInput": {"audio": {"data": "!!!!", "mimeType": "audio/pcm"}}},
        {"realtimeInput": {"audio": {"data": 1}}},
        {"realtimeInput": {"mediaChunks": 1}},
        {"realtimeInput": {"activityStart": {}}},
        '{"clientContent":' * 101 + "{}" + "}" * 101,
        '{"clientContent":{"turns":[{"parts":[{"functionResponse":{"response":' + '{"a":' * 300 + "1" + "}" * 304,
    ],
)
def test_a_bad_message_ends_the_session(driver: Driver, message: Any) -> None:
    (close,) = driver.say(message)
    assert close.code == 1007
    assert 0 < len(close.reason.encode()) <= 123
    assert driver.ask("hello") == []


def test_names_come_in_either_case_and_mixed() -> None:
    driver = Driver()
    setup = {
        "model": "models/m",
        "generation_config": {"response_modalities": ["TEXT"], "speechConfig": {"voice_config": {}}},
        "system_instruction": {"parts": [{"text": "Be kind."}]},
        "tools": [
            {"function_declarations": [{"name": "f", "parameters": {"properties": {"a_b": {"type": "STRING"}}}}]}
        ],
        "session_resumption": {},
    }
    assert kinds(driver.say({"setup": setup})) == ["setupComplete", "sessionResumptionUpdate"]
    called = {"name": "f", "args": {"snake_case": 1}}
    turns = [user("a"), {"role": "model", "parts": [{"function_call": called}]}]
    driver.say({"client_content": {"turns": turns}})
    driver.say(
        {
            "client_content": {
                "turns": {"parts": [{"function_response": {"name": "f", "response": {"to_keep": 1}}}]},
                "turn_complete": True,
            }
        }
    )
    assert [message["role"] for message in driver.messages] == ["system", "user", "assistant", "tool"]
    assert driver.messages[2]["tool_calls"][0]["function"]["arguments"] == '{"snake_case":1}'
    assert driver.messages[3]["content"] == '{"to_keep":1}'
    assert (
        driver.requests[0].body["tools"][0]["function"]["parameters"]
        == setup["tools"][0]["function_declarations"][0]["parameters"]
    )


@pytest.mark.parametrize("message", ['{"setup":{"model":"models/m"}}', b'{"setup":{"model":"models/m"}}'])
def test_text_and_binary_frames_are_understood(message: str | bytes) -> None:
    assert Driver().say(message) == [{"setupComplete": {}}]


# -- what fixtures see -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "aliases"),
    [
        ("models/m", ("m",)),
        ("m", ("m",)),
        ("publishers/google/models/m", ("publishers/google/models/m", "m")),
        (
            "projects/p/locations/l/publishers/google/models/m",
            ("projects/p/locations/l/publishers/google/models/m", "m"),
        ),
    ],
)
def test_the_model_has_its_name_with_and_without_what_precedes_it(model: str, aliases: tuple[str, ...]) -> None:
    driver = Driver()
    driver.set_up(model)
    driver.ask("hello")
    (request,) = driver.requests
    assert (request.model, request.body["model"], request.aliases) == (model, model, aliases)
    assert (request.endpoint, request.stream, request.body["stream"]) == ("chat", True, True)


def test_the_whole_conversation(driver: Driver) -> None:
    driver.say(
        {"clientContent": {"turns": [user("My name", " is Ann."), {"role": "model", "parts": [{"text": "Hi"}]}]}}
    )
    assert driver.requests == [], "the turn is not complete"
    driver.ask("Who am I?", HELLO)
    driver.ask("And the weather?", CALLED)
    driver.say(results("call_1"), HELLO)
    driver.say({"realtimeInput": {"text": "Thanks"}}, HELLO)
    assert driver.messages == [
        {"role": "user", "content": "My name is Ann."},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Who am I?"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "And the weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"c":20}'},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Thanks"},
    ]
    assert all(request.objection is None for request in driver.requests)


def test_a_completion_without_turns_asks_what_was_said_before(driver: Driver) -> None:
    driver.say({"clientContent": {"turns": [user("hello")]}})
    assert kinds(driver.say({"clientContent": {"turnComplete": True}}, HELLO)) == ANSWERED


def test_a_newer_model_needs_no_signatures(driver: Driver) -> None:
    driver = Driver()
    driver.set_up("models/gemini-3.1-flash-live-preview")
    driver.ask("weather", CALLED)
    driver.say(results("call_1"))
    assert driver.requests[-1].objection is None


def test_context_updates_count_from_then_on(driver: Driver) -> None:
    declared = {"functionDeclarations": [{"name": "f"}]}
    driver.ask("one", HELLO)
    assert driver.say({"contextUpdate": {"systemInstruction": user("Be brief."), "tools": {"tools": [declared]}}}) == []
    driver.ask("two", HELLO)
    assert driver.messages[0] == {"role": "system", "content": "Be brief."}
    assert [tool["function"]["name"] for tool in driver.requests[-1].body["tools"]] == ["f"]
    driver.say({"context_update": {"tools": {"tools": []}}})
    driver.ask("three", HELLO)
    assert "tools" not in driver.requests[-1].body
    assert driver.messages[0]["content"] == "Be brief."
    driver.say({"contextUpdate": {"systemInstruction": None, "tools": None}})
    driver.ask("four", HELLO)
    assert driver.messages[0]["content"] == "Be brief."


# -- interruption ----------------------------------------------------------------------------------------------------

LONG = reply(Text("a" * 60))


def test_new_content_interrupts_and_is_answered(driver: Driver) -> None:
    assert kinds(driver.ask("one", Held(LONG, 2))) == ["modelTurn"] * 2
    told = driver.ask("two", HELLO)
    assert kinds(told) == [*BROKEN_OFF, *ANSWERED]
    assert told[1]["usageMetadata"]["responseTokenCount"] == 10, "what was said"
    assert driver.messages == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "a" * 40},
        {"role": "user", "content": "two"},
    ]


def test_content_that_is_not_complete_interrupts_too(driver: Driver) -> None:
    driver.ask("one", Held(LONG, 1))
    assert kinds(driver.say({"clientContent": {"turns": [user("two")]}})) == BROKEN_OFF
    assert kinds(driver.say({"clientContent": {"turnComplete": True}}, HELLO)) == ANSWERED


def test_what_was_not_answered_is_asked_again(driver: Driver) -> None:
    assert driver.ask("one") == []
    told = driver.ask("two", HELLO)
    assert kinds(told) == [*BROKEN_OFF, *ANSWERED]
    assert "usageMetadata" not in told[1]
    assert [message["content"] for message in driver.messages] == ["one", "two"]


def test_an_answer_of_which_all_was_sent_is_not_interrupted(driver: Driver) -> None:
    driver.ask("one", Held(HELLO, 3))
    assert kinds(driver.ask("two", HELLO)) == ANSWERED
    assert [message["content"] for message in driver.messages] == ["one", "Hello!", "two"]


def test_calls_are_called_off(driver: Driver) -> None:
    driver.ask("weather", CALLED)
    told = driver.ask("never mind", HELLO)
    assert told[0] == {"toolCallCancellation": {"ids": ["call_1"]}}
    assert kinds(told) == ["toolCallCancellation", *BROKEN_OFF, "modelTurn", *DONE]


def test_calls_in_an_answer_that_is_interrupted_are_called_off(driver: Driver) -> None:
    driver.ask("weather", Held(reply(CALL, Text("Let me see.")), 1))
    assert kinds(driver.ask("never mind", HELLO))[:3] == ["toolCallCancellation", *BROKEN_OFF]


def test_results_for_an_answer_under_way_wait_for_its_end(driver: Driver) -> None:
    driver.ask("one")
    assert driver.say(results("call_1")) == []
    assert kinds(driver.go_on(HELLO)) == ANSWERED
    assert len(driver.requests) == 2
    assert kinds(driver.go_on(HELLO)) == ANSWERED


# -- resumption ------------------------------------------------------------------------------------------------------


def handle(told: list[Any]) -> str:
    update = told[-1]["sessionResumptionUpdate"]
    assert update["resumable"] is True
    return str(update["newHandle"])


def test_a_session_is_taken_up_again() -> None:
    first = Driver()
    handles = [handle(first.set_up(sessionResumption={}))]
    handles.append(handle(first.ask("one", HELLO)))
    assert kinds(first.ask("weather", CALLED)) == ["toolCall"], "nobody could go on from here"
    handles.append(handle(first.say(results("call_1"), HELLO)))
    assert len(set(handles)) == 3
    for at, known in ((1, ["one", "Hello!"]), (0, [])):
        again = Driver(memory=first.memory, seed=at + 1)
        handle(again.set_up(sessionResumption={"handle": handles[at]}))
        again.ask("two", HELLO)
        assert [message["content"] for message in again.messages] == [*known, "two"]


def test_an_unknown_handle() -> None:
    told = Driver().set_up(sessionResumption={"handle": "nobody's"})
    assert told == [Close(1008, "BidiGenerateContent session not found")]


def test_transparent_handles_count_messages() -> None:
    driver = Driver()
    told = driver.set_up(sessionResumption={"transparent": True})
    assert told[-1]["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] == "0"
    told = driver.ask("one", HELLO)
    assert told[-1]["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] == "1"


def test_the_same_stamp_says_the_same() -> None:
    called = reply(ToolCall("f", "{}"))
    told = [Driver() for _ in range(2)]
    first, second = (orjson.dumps(driver.set_up(sessionResumption={}) + driver.ask("w", called)) for driver in told)
    assert first == second

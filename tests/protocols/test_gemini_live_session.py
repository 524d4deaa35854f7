"""Sessions of Gemini Live: what is said, what is asked of fixtures, and what is told (wire-gemini-live §4 to §6)."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import ErrorReply, FrameKind, MidStreamError, Part, Reply, Text, ToolCall
from aimock_protocols.sessions import Close, Event, Options, Speech, Transcript
from live_driver import VERTEX, Driver, Head, Held
from talking import NO_FIXTURE

HELLO = Reply((Text("Hello!"),))
CALL = ToolCall("get_weather", '{"city":"Paris"}', "call_1")
CALLED = Reply((CALL,))


def reply(*parts: Part, **more: Any) -> Reply:
    return Reply(parts, **more)


def content(**members: Any) -> dict[str, Any]:
    return {"serverContent": members}


def text(said: str, **more: Any) -> dict[str, Any]:
    return content(modelTurn={"parts": [{"text": said, **more}]})


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": said} for said in texts]}


def results(*ids: str, **more: Any) -> dict[str, Any]:
    made = [{"id": each, "name": "get_weather", "response": {"c": 20}, **more} for each in ids]
    return {"toolResponse": {"functionResponses": made}}


def kinds(told: list[Any]) -> list[str]:
    """What each message is, in a word."""
    return [
        f"close {each.code}" if isinstance(each, Close) else "+".join(each.get("serverContent", each)) for each in told
    ]


GENERATED = content(generationComplete=True)
DONE = ["generationComplete", "turnComplete"]
BROKEN_OFF = ["interrupted", "turnComplete"]


@pytest.fixture
def driver() -> Driver:
    """A session for text."""
    driver = Driver()
    assert driver.set_up() == [{"setupComplete": {}}]
    return driver


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


def test_setup_comes_first_and_once(driver: Driver) -> None:
    assert driver.set_up() == [Close(1007, "Setup can be sent only once, as the first message")]
    assert Driver().ask("hello") == [Close(1007, "Setup required")]


def test_vertex_tells_a_session_id() -> None:
    (complete,) = Driver(head=Head(VERTEX)).set_up("publishers/google/models/m")
    assert len(complete["setupComplete"]["sessionId"]) == 36


@pytest.mark.parametrize(
    ("path", "model", "is_vertex"),
    [("/", "models/m", False), ("/", "publishers/google/models/m", True), ("//", "m", True), (VERTEX, "m", True)],
)
def test_the_bare_path_is_whose_model_it_is(path: str, model: str, is_vertex: bool) -> None:
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
    assert kinds(driver.say({"clientContent": {"turnComplete": True}}, HELLO)) == ["modelTurn", *DONE]


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
    assert kinds(driver.ask("hello", HELLO)) == ["modelTurn", *DONE]
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
    assert kinds(driver.say(results(second["id"]), HELLO)) == ["modelTurn", *DONE]
    assert [message["role"] for message in driver.messages] == ["user", "assistant", "tool", "tool"]
    assert driver.requests[-1].objection is None


def test_blocks_keep_their_order(driver: Driver) -> None:
    told = driver.ask("weather", reply(Text("One."), CALL, Text("Two."), ToolCall("g", "{}", "call_2")))
    assert kinds(told) == ["modelTurn", "toolCall", "modelTurn", "toolCall"]
    assert kinds(driver.say(results("call_1", "call_2"), HELLO)) == ["modelTurn", *DONE]


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
    assert kinds(told) == ["modelTurn", *DONE]
    assert driver.requests[-1].objection is None


def test_a_result_for_a_call_that_was_not_made_is_objected_to(driver: Driver) -> None:
    assert kinds(driver.say(results("call_9"), HELLO)) == ["modelTurn", *DONE]
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


# -- interruption ----------------------------------------------------------------------------------------------------

LONG = reply(Text("a" * 60))


def test_new_content_interrupts_and_is_answered(driver: Driver) -> None:
    assert kinds(driver.ask("one", Held(LONG, 2))) == ["modelTurn"] * 2
    told = driver.ask("two", HELLO)
    assert kinds(told) == [*BROKEN_OFF, "modelTurn", *DONE]
    assert told[1]["usageMetadata"]["responseTokenCount"] == 10, "what was said"
    assert driver.messages == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "a" * 40},
        {"role": "user", "content": "two"},
    ]


def test_content_that_is_not_complete_interrupts_too(driver: Driver) -> None:
    driver.ask("one", Held(LONG, 1))
    assert kinds(driver.say({"clientContent": {"turns": [user("two")]}})) == BROKEN_OFF
    assert kinds(driver.say({"clientContent": {"turnComplete": True}}, HELLO)) == ["modelTurn", *DONE]


def test_what_was_not_answered_is_asked_again(driver: Driver) -> None:
    assert driver.ask("one") == []
    told = driver.ask("two", HELLO)
    assert kinds(told) == [*BROKEN_OFF, "modelTurn", *DONE]
    assert "usageMetadata" not in told[1]
    assert [message["content"] for message in driver.messages] == ["one", "two"]


def test_an_answer_of_which_all_was_sent_is_not_interrupted(driver: Driver) -> None:
    driver.ask("one", Held(HELLO, 3))
    assert kinds(driver.ask("two", HELLO)) == ["modelTurn", *DONE]
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
    assert kinds(driver.go_on(HELLO)) == ["modelTurn", *DONE]
    assert len(driver.requests) == 2
    assert kinds(driver.go_on(HELLO)) == ["modelTurn", *DONE]


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


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (NO_FIXTURE, Close(1008, "No fixture matched")),
        (ErrorReply("Bad.", status=400), Close(1007, "Bad.")),
        (ErrorReply("Who?", status=401), Close(1008, "Who?")),
        (ErrorReply("No.", status=403), Close(1008, "No.")),
        (ErrorReply("models/x is not found", status=404), Close(1008, "models/x is not found")),
        (ErrorReply("Too much.", status=429), Close(1011, "RESOURCE_EXHAUSTED: Too much.")),
        (ErrorReply("Too much.", "RESOURCE_EXHAUSTED"), Close(1011, "RESOURCE_EXHAUSTED: Too much.")),
        (ErrorReply("Oops."), Close(1011, "Oops.")),
        (ErrorReply("Later.", status=503), Close(1011, "Later.")),
        (ErrorReply("é" * 100), Close(1011, "é" * 61)),
    ],
)
def test_errors_close_the_session(driver: Driver, error: ErrorReply, close: Close) -> None:
    assert driver.ask("hello", error) == [close]
    assert driver.ask("hello", HELLO) == []


def test_an_error_in_the_midst_of_an_answer(driver: Driver) -> None:
    broken = reply(Text("a" * 60), mid_stream_error=MidStreamError(2, ErrorReply("Oops.")))
    assert driver.ask("hello", broken) == [text("a" * 20), text("a" * 20), content(), Close(1011, "Oops.")]


def test_a_client_that_is_asked_to_leave(driver: Driver) -> None:
    told = driver.ask("hello", ErrorReply("Leave.", "GO_AWAY", retry_after=9.5))
    assert told == [{"goAway": {"timeLeft": "9.5s"}}]
    assert driver.ask("hello", ErrorReply("Leave.", "GO_AWAY")) == [{"goAway": {"timeLeft": "60s"}}]
    assert kinds(driver.ask("hello", HELLO)) == ["modelTurn", *DONE]


# -- as the reference has it -----------------------------------------------------------------------------------------


def error(code: int, message: str, status: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


@pytest.fixture
def compatible() -> Driver:
    driver = Driver(Options(is_compatible=True))
    assert driver.ask("hello") == [error(9, "Setup required", "FAILED_PRECONDITION")]
    assert driver.say({"config": {"model": "m"}}) == [{"setupComplete": {}}]
    return driver


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (NO_FIXTURE, error(5, "No fixture matched", "NOT_FOUND")),
        (ErrorReply("Bad.", status=400), error(3, "Bad.", "INVALID_ARGUMENT")),
        (ErrorReply("Who?", "auth", status=401), error(16, "Who?", "auth")),
        (ErrorReply("No.", status=403), error(7, "No.", "PERMISSION_DENIED")),
        (ErrorReply("Twice.", status=409), error(10, "Twice.", "ABORTED")),
        (ErrorReply("Slow.", "rate_limit_error", status=429), error(8, "Slow.", "rate_limit_error")),
        (ErrorReply("What?", status=501), error(12, "What?", "UNIMPLEMENTED")),
        (ErrorReply("Later.", status=503), error(14, "Later.", "UNAVAILABLE")),
        (ErrorReply("Oops."), error(13, "Oops.", "INTERNAL")),
    ],
)
def test_errors_are_messages_and_the_session_goes_on(
    compatible: Driver, failure: ErrorReply, told: dict[str, Any]
) -> None:
    assert compatible.ask("one", failure) == [told]
    assert kinds(compatible.ask("two", HELLO)) == ["modelTurn", *DONE]
    assert compatible.messages == [{"role": "user", "content": "two"}], "history is kept only of what was answered"


def test_bad_messages_are_answered(compatible: Driver) -> None:
    for message in ("nonsense", {"other": {}}, {"clientContent": {}}):
        (told,) = compatible.say(message)
        assert told["error"]["code"] == 3
    assert compatible.set_up() == [{"setupComplete": {}}], "again"


def test_nothing_is_asked_where_all_was_forgotten(compatible: Driver) -> None:
    """A client says that its turn is complete, and so interrupts an answer of which there is none after all."""
    compatible.ask("one")
    (turn,) = compatible.talk.held
    stamp = compatible.talk.stamp()
    compatible.talk.session.received('{"clientContent":{"turnComplete":true}}', stamp)
    assert [*turn.failed(NO_FIXTURE, stamp)] == [Event(orjson.dumps(error(5, "No fixture matched", "NOT_FOUND")))]


def test_every_content_is_answered(compatible: Driver) -> None:
    assert kinds(compatible.say({"clientContent": {"turns": [user("one")]}}, HELLO)) == ["modelTurn", *DONE]


def test_calls_complete_the_turn(compatible: Driver) -> None:
    assert kinds(compatible.ask("weather", CALLED)) == ["toolCall", *DONE]
    assert kinds(compatible.say(results("call_1"), HELLO)) == ["modelTurn", *DONE]
    assert compatible.requests[-1].objection is None


def test_an_error_in_the_midst_is_a_message(compatible: Driver) -> None:
    broken = reply(Text("a" * 60), mid_stream_error=MidStreamError(1, ErrorReply("Oops.")))
    assert compatible.ask("one", broken) == [text("a" * 20), error(13, "Oops.", "INTERNAL")]
    assert kinds(compatible.ask("two", HELLO)) == ["modelTurn", *DONE]


def test_the_same_stamp_says_the_same() -> None:
    told = [Driver() for _ in range(2)]
    first, second = (orjson.dumps(driver.set_up(sessionResumption={}) + driver.ask("w", CALLED)) for driver in told)
    assert first == second

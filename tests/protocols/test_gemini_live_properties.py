"""What holds for whatever clients say and fixtures answer."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import orjson
from google.genai import _live_converters as converters
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import ErrorReply, Reply, Text, ToolCall
from aimock_protocols.sessions import Close, Options, Speech, Transcript
from live_driver import DEVELOPER, VERTEX, Answer, Driver, Head, Held
from talking import NO_FIXTURE

NAMES = [
    *("setup", "clientContent", "client_content", "realtimeInput", "realtime_input", "toolResponse", "contextUpdate"),
    *("turns", "parts", "text", "role", "turnComplete", "turn_complete", "functionResponses", "id", "name", "response"),
    *(
        "audio",
        "video",
        "mediaChunks",
        "data",
        "mimeType",
        "mime_type",
        "audioStreamEnd",
        "activityStart",
        "activityEnd",
    ),
    *("model", "generationConfig", "responseModalities", "sessionResumption", "handle", "tools", "systemInstruction"),
    *("functionCall", "functionResponse", "inlineData", "args", "functionDeclarations", "willContinue", "scheduling"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=4)
    | st.sampled_from(["TEXT", "AUDIO", "AAAA", "model"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(max_size=30)
CONTENT = st.fixed_dictionaries(
    {"parts": st.lists(st.fixed_dictionaries({"text": TEXTS}), min_size=1, max_size=2)},
    optional={"role": st.sampled_from(["user", "model"])},
)
SOUND = st.sampled_from([bytes(3200), b"\x00\x20" * 1600, bytes(32000), b"\x01"]).map(
    lambda data: {"data": base64.b64encode(data).decode(), "mime_type": "audio/pcm;rate=16000"}
)
SENSIBLE = st.one_of(
    st.fixed_dictionaries({"turns": st.lists(CONTENT, max_size=2), "turnComplete": st.booleans()}).map(
        lambda content: {"clientContent": content}
    ),
    st.fixed_dictionaries({}, optional={"audio": SOUND, "text": TEXTS, "audioStreamEnd": st.booleans()}).map(
        lambda given: {"realtime_input": given}
    ),
    st.lists(st.fixed_dictionaries({"id": TEXTS, "name": TEXTS, "response": st.just({})}), max_size=2).map(
        lambda results: {"toolResponse": {"functionResponses": results}}
    ),
    st.just("RESULTS"),
)
"""Messages that a client could mean; `RESULTS` stands for those of all calls that were made."""
ARGUMENTS = JSON.map(lambda value: orjson.dumps(value).decode()) | st.just("{")
REPLIES = st.builds(
    Reply,
    st.lists(st.builds(Text, TEXTS) | st.builds(ToolCall, TEXTS, ARGUMENTS, st.none() | TEXTS), max_size=4).map(tuple),
    st.none() | TEXTS,
    web_searches=st.sampled_from([(), ("q",)]),
    refusal=st.none() | TEXTS,
    finish_reason=st.sampled_from([None, "stop", "content_filter", "NEED_MORE_INPUT", "odd"]),
    usage=st.none() | st.just({"prompt_tokens": 3, "completion_tokens": 2}),
)
SPEECHES = st.builds(
    Speech, st.binary(max_size=70_000), st.sampled_from(["audio/pcm", "audio/mpeg"]), st.none() | TEXTS
)
SAID = REPLIES | SPEECHES | st.builds(Transcript, TEXTS)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    SAID,
    st.builds(Held, SAID, st.integers(0, 5)),
    st.sampled_from([NO_FIXTURE, ErrorReply("x", status=429), ErrorReply("Go.", "GO_AWAY")]),
)
OPTIONS = st.builds(
    Options, hears=st.booleans(), is_compatible=st.booleans(), silence_ms_per_character=st.integers(0, 50)
)


def read_by_the_sdk(message: dict[str, Any], is_vertex: bool) -> None:
    """As `AsyncSession` reads it, whose types allow no unknown member; and nothing is lost on the way."""
    read = converters._LiveServerMessage_from_vertex if is_vertex else converters._LiveServerMessage_from_mldev
    known = read(message)
    assert len(known) == len(message), message
    types.LiveServerMessage.model_validate(known)


def check(told: list[Any], is_vertex: bool, is_compatible: bool) -> None:
    closes = [each for each in told if isinstance(each, Close)]
    assert told[-1:] == closes[:1] or not closes, "nothing comes after the end"
    for each in closes:
        assert each.code in (1007, 1008, 1011)
        assert len(each.reason.encode()) <= 123
    for each in told:
        if isinstance(each, dict) and not (is_compatible and "error" in each):
            read_by_the_sdk(each, is_vertex)


@given(st.lists(ANYTHING | st.binary(max_size=20) | st.text(max_size=20), max_size=6), OPTIONS)
def test_nothing_that_a_client_says_is_too_much(messages: list[Any], options: Options) -> None:
    driver = Driver(options)
    told = driver.set_up()
    for message in messages:
        told += driver.say(message)
    check(told, False, options.is_compatible)


@given(st.one_of(ANYTHING, JSON))
def test_no_setup_is_too_much(setup: Any) -> None:
    told = Driver().say({"setup": setup})
    check(told, False, False)
    assert told


@given(
    st.lists(st.tuples(SENSIBLE, st.lists(ANSWERS, max_size=2)), max_size=8),
    OPTIONS,
    st.booleans(),
    st.sampled_from(["TEXT", "AUDIO"]),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.just({}) for name in ("inputAudioTranscription", "outputAudioTranscription", "sessionResumption")
        },
    ),
)
def test_whatever_is_said_the_sdk_understands_it(
    spoken: list[tuple[Any, list[Answer]]], options: Options, is_vertex: bool, modality: str, more: dict[str, Any]
) -> None:
    driver = Driver(options, Head(VERTEX if is_vertex else DEVELOPER))
    told = driver.set_up("m", modality, **more)
    for message, answers in spoken:
        if message == "RESULTS":
            calls = itertools.chain.from_iterable(
                each.get("toolCall", {}).get("functionCalls", ()) for each in told if isinstance(each, dict)
            )
            results = [{"id": call["id"], "name": call["name"], "response": {}} for call in calls]
            message = {"toolResponse": {"functionResponses": results}}
        told += driver.say(message, *answers)
    check(told, is_vertex, options.is_compatible)
    for request in driver.requests:
        orjson.dumps(request.body)

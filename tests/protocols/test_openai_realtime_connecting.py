"""Which Realtime session a client gets, the retired Beta, and the routes that clients call before they connect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.beta.realtime.realtime_server_event import RealtimeServerEvent as BetaServerEvent
from openai.types.beta.realtime.session_create_response import SessionCreateResponse
from openai.types.beta.realtime.transcription_session import TranscriptionSession
from openai.types.realtime import ClientSecretCreateResponse
from openai.types.realtime.realtime_translation_client_secret_create_response import (
    RealtimeTranslationClientSecretCreateResponse,
)
from pydantic import TypeAdapter

from aimock.memories import Memories
from aimock_protocols import openai_realtime
from aimock_protocols.canonical import Memory, Reply, SideRequest, Stamp, Text, ToolCall, WireError
from aimock_protocols.openai_realtime import sides
from aimock_protocols.registry import PROTOCOLS
from aimock_protocols.sessions import Close
from realtime_types import all_valid
from talking import Head, talk, text_reply

NOW = 1795200000.25


@pytest.fixture
def memory() -> Memory:
    return Memories().of("test", "openai_realtime")


def asking(memory: Memory, body: Any = None, now: float = NOW, label: bytes = b"sixteen bytes ok") -> SideRequest:
    content = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    return SideRequest(Head("POST"), {}, content, Stamp(now, label * 4), (), memory)


@pytest.mark.parametrize(
    ("head", "kind", "model"),
    [
        (Head(query="model=gpt-realtime"), "realtime", "gpt-realtime"),
        (Head(query=""), "realtime", "gpt-realtime-2"),
        (Head(query="call_id=rtc_1"), "realtime", "gpt-realtime-2"),
        (Head(query="intent=transcription"), "transcription", None),
        (Head(path="/openai/realtime", query="api-version=x&deployment=my%20own"), "realtime", "my own"),
        (Head(path="/openai/v1/realtime", query="model=mine"), "realtime", "mine"),
        (Head(path="/v1/realtime/translations", query="model=t"), "translation", "t"),
        (Head(path="/v1/realtime/translations", query=""), "translation", "gpt-realtime-translate"),
    ],
)
def test_path_and_query_say_which_session_it_is(head: Head, kind: str, model: str | None) -> None:
    talking = talk(openai_realtime, head)
    all_valid(talking.events, is_translation=kind == "translation")
    session = talking.events[0]["session"]
    assert (session["type"], session.get("model")) == (kind, model)
    assert talking.session.subprotocol is None
    assert not talking.session.is_binary


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ("realtime, openai-insecure-api-key.sk-x, openai-agents-sdk.1", "realtime"),
        ("openai-insecure-api-key.sk-x,realtime", "realtime"),
        ("openai-insecure-api-key.sk-x", None),
    ],
)
def test_no_key_is_sent_back_for_a_protocol(offered: str, spoken: str | None) -> None:
    head = Head(headers={"sec-websocket-protocol": offered})
    assert talk(openai_realtime, head).session.subprotocol == spoken


def test_a_strict_server_wants_a_model() -> None:
    talking = talk(openai_realtime, Head(query=""), is_strict=True)
    all_valid(talking.events)
    assert talking.events[0]["error"]["code"] == "missing_model"
    assert talking.closed == Close(4000, "invalid_request_error.missing_model")
    assert talk(openai_realtime, Head(query="intent=transcription"), is_strict=True).closed is None


BETA_HEADS = [
    Head(headers={"openai-beta": "realtime=v1"}),
    Head(headers={"sec-websocket-protocol": "realtime, openai-beta.realtime-v1"}),
]


@pytest.mark.parametrize("head", BETA_HEADS)
def test_the_beta_is_refused(head: Head) -> None:
    talking = talk(openai_realtime, head)
    (event,) = talking.events
    event_id = event["event_id"]
    assert event == {
        "type": "error",
        "event_id": event_id,
        "error": {
            "type": "invalid_request_error",
            "code": "beta_api_shape_disabled",
            "message": "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
            "param": None,
            "event_id": None,
        },
    }
    assert talking.closed == Close(4000, "invalid_request_error.beta_api_shape_disabled")
    assert talking.send({"type": "response.create"}) == []


@pytest.mark.parametrize("head", BETA_HEADS)
def test_the_beta_is_spoken_where_that_is_wanted(head: Head) -> None:
    talking = talk(openai_realtime, head, Reply((Text("Hello"), ToolCall("f", "{}"))), has_beta=True)
    talking.send({"type": "session.update", "session": {"voice": "ash", "turn_detection": None}})
    session = talking.events[-1]["session"]
    assert (session["voice"], session["turn_detection"]) == ("ash", None)
    assert (session["modalities"], session["input_audio_format"]) == (["audio", "text"], "pcm16")
    assert not {"audio", "type", "reasoning", "output_modalities"} & session.keys()
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}]}
    (created,) = talking.send({"type": "conversation.item.create", "item": item})
    assert created["type"] == "conversation.item.created"
    assert created["item"]["content"] == item["content"]
    talking.send({"type": "response.create", "response": {"modalities": ["text"]}})
    talking.send({"type": "response.create"})
    types = set(talking.types)
    assert {"response.text.delta", "response.audio.delta", "response.audio_transcript.done"} <= types
    assert not any("output_text" in kind or "output_audio" in kind or kind.endswith("item.added.") for kind in types)
    assert "conversation.item.done" not in types
    done = talking.last("response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "audio", "transcript": "Hello"}]
    assert done["output_audio_format"] == "pcm16"
    adapter: TypeAdapter[Any] = TypeAdapter(BetaServerEvent)
    for event in talking.events:
        if event["type"] != "response.function_call_arguments.done":
            assert adapter.validate_python(event).type == event["type"]


def test_azure_says_a_part_twice() -> None:
    talking = talk(openai_realtime, Head(path="/openai/v1/realtime", query="model=m"), text_reply("Hello"))
    talking.send({"type": "response.create"})
    part = talking.last("response.content_part.done")
    assert part["content"] == part["part"]


def test_a_key_begins_the_session_that_it_was_minted_for(memory: Memory) -> None:
    session = {
        "type": "realtime",
        "model": "gpt-realtime-mini",
        "instructions": "Be brief.",
        "audio": {"output": {"voice": "cedar"}},
    }
    asked = {"session": session, "expires_after": {"anchor": "created_at", "seconds": 60}}
    response = sides.create_client_secret(asking(memory, asked))
    made = ClientSecretCreateResponse.model_validate_json(response.body, strict=True)
    assert made.value.startswith("ek_")
    assert made.expires_at == int(NOW) + 60
    for headers in (
        {"authorization": f"Bearer {made.value}"},
        {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{made.value}"},
    ):
        talking = talk(openai_realtime, Head(query="", headers=headers), memory=memory)
        begun = talking.events[0]["session"]
        assert (begun["model"], begun["instructions"]) == ("gpt-realtime-mini", "Be brief.")
        assert begun["audio"]["output"]["voice"] == "cedar"


def test_keys_for_other_sessions(memory: Memory) -> None:
    for make, body, kind, path in (
        (sides.create_client_secret, {"session": {"type": "transcription"}}, "transcription", "/v1/realtime"),
        (
            sides.create_translation_secret,
            {"session": {"model": "t", "audio": {"output": {"language": "de"}}}},
            "translation",
            "/v1/realtime/translations",
        ),
    ):
        response = make(asking(memory, body, label=kind[-4:].encode() * 4))
        made = orjson.loads(response.body)
        headers = {"authorization": f"Bearer {made['value']}"}
        talking = talk(openai_realtime, Head(path=path, query="", headers=headers), memory=memory)
        assert talking.events[0]["session"]["type"] == kind
        typed = RealtimeTranslationClientSecretCreateResponse if kind == "translation" else ClientSecretCreateResponse
        assert typed.model_validate(made).session.type == kind


def test_a_key_that_has_expired_is_refused(memory: Memory) -> None:
    value = orjson.loads(sides.create_client_secret(asking(memory, now=NOW - 601)).body)["value"]
    with pytest.raises(WireError) as refused:
        talk(openai_realtime, Head(headers={"authorization": f"Bearer {value}"}), memory=memory)
    assert refused.value.reply.status == 401


def test_a_key_of_which_nobody_knows_is_a_key_like_any() -> None:
    talking = talk(openai_realtime, Head(headers={"authorization": "Bearer ek_unknown"}))
    assert talking.events[0]["session"]["model"] == "gpt-realtime"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        ({"session": 5}, "session"),
        ({"session": {"type": "x"}}, "session.type"),
        ({"session": {"warmth": 1}}, "session.warmth"),
        ({"session": {"model": 5}}, "session.model"),
        ({"expires_after": {"anchor": "created_at", "seconds": 9}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
        (
            b'{"session":{"tools":[{"type":"function","name":"f","parameters":' + b'{"a":' * 300 + b"1" + b"}" * 304,
            None,
        ),
    ],
)
def test_a_key_that_is_refused(memory: Memory, body: Any, param: str | None) -> None:
    with pytest.raises(WireError) as refused:
        sides.create_client_secret(asking(memory, body))
    assert (refused.value.reply.status, refused.value.reply.param) == (400, param)


def test_the_betas_ways_to_a_key(memory: Memory) -> None:
    flat = {"model": "gpt-realtime", "modalities": ["text"], "voice": "ash", "instructions": "Hm."}
    made = orjson.loads(sides.create_beta_session(asking(memory, flat)).body)
    typed = SessionCreateResponse.model_validate(made)
    assert (typed.voice, typed.instructions, typed.modalities) == ("ash", "Hm.", ["text"])
    talking = talk(
        openai_realtime,
        Head(query="", headers={"authorization": f"Bearer {typed.client_secret.value}"}),
        memory=memory,
    )
    assert talking.events[0]["session"]["output_modalities"] == ["text"]
    body = {"input_audio_transcription": {"model": "whisper-1"}, "input_audio_format": "g711_alaw"}
    made = orjson.loads(sides.create_transcription_session(asking(memory, body)).body)
    assert made["object"] == "realtime.transcription_session"
    typed_session = TranscriptionSession.model_validate(made)
    assert typed_session.input_audio_format == "g711_alaw"


def test_calls_are_not_simulated(memory: Memory) -> None:
    with pytest.raises(WireError) as refused:
        sides.create_call(asking(memory, b"v=0"))
    assert refused.value.reply.status == 501
    assert sides.act_on_call(asking(memory)).status == 200


def test_it_is_reached_by_its_sockets_and_sides() -> None:
    (registered,) = [each for each in PROTOCOLS if each.name == "openai_realtime"]
    assert registered.sockets == ("/v1/realtime", "/v1/realtime/translations")
    for side in registered.sides:
        assert callable(getattr(openai_realtime, side.function))

"""Realtime sessions: what they are, what clients change of them, their items and their audio."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aimock_protocols import openai_realtime
from realtime_types import all_valid
from talking import Head, Talk, talk, text_reply

PCM_100_MS = base64.b64encode(bytes(4800)).decode()
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def started(**more: Any) -> Talk:
    return talk(openai_realtime, **{"answer": text_reply("Hello"), **more})


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def create(item: Any = USER, **more: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item, **more}


def error_of(events: list[dict[str, Any]]) -> tuple[str, str, str | None]:
    (event,) = events
    all_valid(events)
    return event["error"]["type"], event["error"]["code"], event["error"]["param"]


def test_it_begins_with_the_session_as_recorded() -> None:
    (event,) = started().events
    all_valid([event])
    session = event["session"]
    assert event["type"] == "session.created"
    assert session["id"].startswith("sess_")
    assert (session["model"], session["output_modalities"], session["expires_at"]) == (
        "gpt-realtime",
        ["audio"],
        1795203600,
    )
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "alloy",
        "speed": 1.0,
    }
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200


def test_newer_models_have_another_voice_and_more_patience() -> None:
    session = started(head=Head(query="model=gpt-realtime-2.1")).events[0]["session"]
    assert session["audio"]["output"]["voice"] == "marin"
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500


def test_an_update_is_merged_deeply_and_told_whole() -> None:
    talking = started()
    before = talking.events[0]["session"]
    detection = {"type": "server_vad", "threshold": 0.9}
    change = {
        "instructions": "Be brief.",
        "output_modalities": ["text"],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "audio": {"input": {"turn_detection": detection, "transcription": {"model": "w"}}},
    }
    (event,) = talking.send(update(**change))
    all_valid([event])
    after = event["session"]
    assert event["type"] == "session.updated"
    assert after["id"] == before["id"]
    assert after["audio"]["output"] == before["audio"]["output"]
    assert after["audio"]["input"]["turn_detection"] == before["audio"]["input"]["turn_detection"] | {"threshold": 0.9}
    assert after["audio"]["input"]["transcription"] == {"model": "w", "language": None, "prompt": None}
    assert after["instructions"] == "Be brief."
    assert after["tools"] == change["tools"]


def test_null_clears() -> None:
    talking = started()
    talking.send(update(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    (event,) = talking.send(update(audio={"input": {"transcription": None, "turn_detection": None}}))
    assert event["session"]["audio"]["input"]["transcription"] is None
    assert event["session"]["audio"]["input"]["turn_detection"] is None
    (event,) = talking.send(update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}))
    assert event["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": True,
        "interrupt_response": True,
    }
    all_valid(talking.events)


def test_what_a_client_was_told_it_can_send_back() -> None:
    """Or it would wait for `session.updated` for ever."""
    talking = started(head=Head(query="model=gpt-realtime-2"))
    session = talking.events[0]["session"]
    for _ in range(3):
        (event,) = talking.send({"type": "session.update", "session": session | {"model": "another"}})
        assert event["type"] == "session.updated"
        assert event["session"] == session
        session = event["session"]


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"warmth": 1}, "unknown_parameter", "session.warmth"),
        ({"audio": {"output": {"pitch": 1}}}, "unknown_parameter", "session.audio.output.pitch"),
        ({"instructions": 5}, "invalid_type", "session.instructions"),
        ({"audio": []}, "invalid_type", "session.audio"),
        ({"tools": {}}, "invalid_type", "session.tools"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        ({"tools": [{"type": "robot", "name": "x"}]}, "invalid_value", "session.tools[0].type"),
        ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "session.tool_choice.name"),
        ({"output_modalities": ["text", "audio"]}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": ["smell"]}, "invalid_value", "session.output_modalities[0]"),
        ({"max_output_tokens": 0}, "invalid_value", "session.max_output_tokens"),
        ({"max_output_tokens": "all"}, "invalid_value", "session.max_output_tokens"),
        ({"audio": {"output": {"speed": 9}}}, "invalid_value", "session.audio.output.speed"),
        ({"audio": {"input": {"format": {"type": "audio/mp3"}}}}, "invalid_value", "session.audio.input.format.type"),
        ({"audio": {"input": {"format": {"rate": 8000}}}}, "invalid_value", "session.audio.input.format.rate"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"truncation": {"type": "retention_ratio"}},
            "missing_required_parameter",
            "session.truncation.retention_ratio",
        ),
        ({"type": "transcription"}, "invalid_session_config", "session.type"),
        ({"type": "symphony"}, "invalid_value", "session.type"),
    ],
)
def test_an_update_that_is_refused_changes_nothing(change: dict[str, Any], code: str, param: str) -> None:
    talking = started()
    told = talking.send(update(**({"instructions": "changed"} | change)))
    assert error_of(told) == ("invalid_request_error", code, param)
    (event,) = talking.send(update())
    assert event["session"] == talking.events[0]["session"]


def test_an_update_says_what_kind_of_session_it_is_of() -> None:
    talking = started()
    told = talking.send({"type": "session.update", "session": {"instructions": "x"}})
    assert error_of(told) == ("invalid_request_error", "missing_required_parameter", "session.type")
    assert error_of(talking.send({"type": "session.update"}))[2] == "session"


def test_the_betas_flat_members_have_their_places() -> None:
    talking = started()
    flat = {
        "modalities": ["text", "audio"],
        "voice": "ash",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "temperature": 0.8,
        "max_response_output_tokens": 100,
    }
    (event,) = talking.send(update(**flat))
    session = event["session"]
    assert session["output_modalities"] == ["audio"]
    assert session["max_output_tokens"] == 100
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert session["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["output"]["voice"] == "ash"
    (event,) = talking.send(update(audio={"voice": "sage", "input_audio_format": "pcm16", "output": {"speed": 1.2}}))
    assert event["session"]["audio"]["output"] | {"format": 0} == {"format": 0, "voice": "sage", "speed": 1.2}
    all_valid(talking.events)


def test_mcp_tools_are_taken() -> None:
    talking = started()
    tool = {"type": "mcp", "server_label": "docs", "server_url": "https://x", "require_approval": "never"}
    (event,) = talking.send(update(tools=[tool]))
    all_valid([event])
    assert event["session"]["tools"] == [tool]


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ('"\\ud800"', "invalid_json", None),
        (b"\xff", "invalid_json", None),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "invalid_json", None),
        ({}, "missing_required_parameter", "type"),
        ({"type": 5}, "invalid_type", "type"),
        ({"type": "party.begin"}, "invalid_value", "type"),
        (create({"role": "user"}), "missing_required_parameter", "item.type"),
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        (create({"type": "song"}), "invalid_value", "item.type"),
        (create({"type": "message", "role": "user"}), "missing_required_parameter", "item.content"),
        (create({"type": "message", "role": "fool", "content": []}), "invalid_value", "item.role"),
        (
            create({"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]}),
            "invalid_value",
            "item.content[0].type",
        ),
        (create({"type": "function_call_output", "output": "x"}), "missing_required_parameter", "item.call_id"),
        (create(previous_item_id="nobody"), "invalid_value", "previous_item_id"),
        ({"type": "conversation.item.delete", "item_id": "x"}, "item_delete_invalid_item_id", "item_id"),
        ({"type": "conversation.item.retrieve", "item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
        ({"type": "conversation.item.truncate", "item_id": "x"}, "item_truncate_invalid_item_id", "item_id"),
        ({"type": "conversation.item.delete"}, "invalid_type", "item_id"),
        ({"type": "input_audio_buffer.append"}, "invalid_type", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
        ({"type": "response.cancel"}, "response_cancel_not_active", None),
        ({"type": "response.create", "response": 5}, "invalid_type", "response"),
        ({"type": "response.create", "response": {"mood": 1}}, "unknown_parameter", "response.mood"),
        ({"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "x"}]}}, None, "item_id"),
        ({"type": "transcription_session.update", "session": {}}, "invalid_session_config", "type"),
    ],
)
def test_what_is_refused_is_told_and_the_session_goes_on(message: Any, code: str | None, param: str | None) -> None:
    talking = started()
    told = error_of(talking.send(message))
    assert told == ("invalid_request_error", code or "item_retrieve_invalid_item_id", param)
    assert [event["type"] for event in talking.send(create())] == ["conversation.item.added", "conversation.item.done"]


def test_an_error_names_the_event_that_caused_it() -> None:
    talking = started()
    (event,) = talking.send({"type": "response.cancel", "event_id": "mine"})
    assert event["error"]["event_id"] == "mine"
    (event,) = talking.send({"type": "response.cancel", "event_id": 5})
    assert event["error"]["event_id"] is None


def test_items_are_told_twice_and_keep_their_ids() -> None:
    talking = started()
    added, done = talking.send(create(USER | {"id": "mine"}))
    all_valid(talking.events)
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["item"] == done["item"] == USER | {"id": "mine", "status": "completed"}
    assert added["previous_item_id"] is None
    added, _ = talking.send(create())
    assert added["previous_item_id"] == "mine"
    told = error_of(talking.send(create(USER | {"id": "mine"})))
    assert told == ("invalid_request_error", "item_create_invalid_item_id", "item.id")


def test_items_go_where_they_are_put() -> None:
    talking = started()
    for item_id, place in (
        ("a", {}),
        ("b", {}),
        ("first", {"previous_item_id": "root"}),
        ("c", {"previous_item_id": "a"}),
    ):
        text = {"type": "input_text", "text": item_id}
        talking.send(create(USER | {"id": item_id, "content": [text]}, **place))
    talking.send({"type": "response.create"})
    assert [message["content"] for message in talking.requests[0].body["messages"]] == ["first", "a", "c", "b"]


def test_items_are_retrieved_whole_and_deleted() -> None:
    talking = started()
    heard = {"type": "input_audio", "audio": PCM_100_MS, "transcript": "said"}
    talking.send(create(USER | {"id": "a", "content": [heard]}))
    assert talking.events[-1]["item"]["content"] == [{"type": "input_audio", "transcript": "said"}]
    (event,) = talking.send({"type": "conversation.item.retrieve", "item_id": "a"})
    assert event["item"]["content"] == [heard]
    (event,) = talking.send({"type": "conversation.item.delete", "item_id": "a"})
    assert (event["type"], event["item_id"]) == ("conversation.item.deleted", "a")
    talking.send({"type": "response.create"})
    assert talking.requests[0].body["messages"] == []
    all_valid(talking.events)


def test_what_fixtures_see_of_a_conversation() -> None:
    talking = started()
    talking.send(update(instructions="Be brief.", tools=[{"type": "function", "name": "f", "description": "d"}]))
    for item in (
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "sys"}]},
        USER | {"content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "data:x"}]},
        USER | {"content": [{"type": "input_audio", "audio": PCM_100_MS}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"type": "mcp_approval_response", "approval_request_id": "x", "approve": True},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
    ):
        talking.send(create(item))
    all_valid(talking.events)
    talking.send({"type": "response.create"})
    (request,) = talking.requests
    assert (request.endpoint, request.model, request.stream) == ("realtime", "gpt-realtime", True)
    assert request.body == {
        "model": "gpt-realtime",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "sys"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:x"}}],
            },
            {"role": "user", "content": "[audio input]"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "assistant", "content": "yes"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}],
        "tool_choice": "auto",
    }


def test_a_picture_may_have_a_url_of_either_name() -> None:
    talking = started()
    talking.send(create(USER | {"content": [{"type": "input_image", "url": "data:x"}]}))
    assert talking.events[-1]["item"]["content"] == [{"type": "input_image", "image_url": "data:x"}]


def test_the_reference_asks_for_no_type() -> None:
    talking = started(is_compatible=True)
    assert talking.send({"type": "session.update", "session": {"instructions": "x"}})[0]["type"] == "session.updated"


def test_audio_is_committed_as_an_item() -> None:
    talking = started()
    assert talking.send({"type": "input_audio_buffer.append", "audio": PCM_100_MS}) == []
    committed, added, done = talking.send({"type": "input_audio_buffer.commit"})
    all_valid(talking.events)
    assert committed["type"] == "input_audio_buffer.committed"
    assert committed["item_id"] == added["item"]["id"] == done["item"]["id"]
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    (event,) = talking.send({"type": "conversation.item.retrieve", "item_id": committed["item_id"]})
    assert event["item"]["content"][0]["audio"] == PCM_100_MS
    assert error_of(talking.send({"type": "input_audio_buffer.commit"}))[1] == "input_audio_buffer_commit_empty"


def test_audio_that_was_cleared_is_gone() -> None:
    talking = started()
    talking.send({"type": "input_audio_buffer.append", "audio": PCM_100_MS})
    (event,) = talking.send({"type": "input_audio_buffer.clear"})
    assert event["type"] == "input_audio_buffer.cleared"
    assert error_of(talking.send({"type": "input_audio_buffer.commit"}))[1] == "input_audio_buffer_commit_empty"


def test_less_than_a_tenth_of_a_second_is_not_committed() -> None:
    talking = started()
    talking.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(4798)).decode()})
    assert error_of(talking.send({"type": "input_audio_buffer.commit"}))[1] == "input_audio_buffer_commit_empty"
    assert "99.96ms" in talking.events[-1]["error"]["message"]


def test_more_than_15_mib_at_once_is_refused() -> None:
    audio = base64.b64encode(bytes(15 * 1024 * 1024 + 2)).decode()
    assert error_of(started().send({"type": "input_audio_buffer.append", "audio": audio}))[1] == "invalid_value"


def test_what_is_for_webrtc_is_ignored() -> None:
    assert started().send({"type": "output_audio_buffer.clear"}) == []


def test_messages_come_in_either_kind_of_frame() -> None:
    assert started().send(b'{"type":"input_audio_buffer.clear"}')[0]["type"] == "input_audio_buffer.cleared"

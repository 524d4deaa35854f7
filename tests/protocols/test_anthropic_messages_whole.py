"""Whole messages (wire-anthropic-messages §6, §7, §9, §10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import anthropic_messages
from aimock_protocols.anthropic_messages import vertex
from aimock_protocols.canonical import ChatRequest, Head, Reply, Stamp, Text, ToolCall

Ask = Callable[..., ChatRequest]
Whole = Callable[..., dict[str, Any]]

DIRECT = {"type": "direct"}
NO_CACHE = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
USAGE = {
    "input_tokens": 2,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": NO_CACHE,
    "output_tokens": 1,
    "service_tier": "standard",
}


@pytest.fixture
def whole(ask_claude: Ask, stamp: Stamp) -> Whole:
    def whole(reply: Reply, version: str | None = None, **more: Any) -> dict[str, Any]:
        shape = anthropic_messages.shape(ask_claude(version, **more))
        body: dict[str, Any] = orjson.loads(anthropic_messages.encode(reply, shape, stamp))
        return body

    return whole


def test_a_text_reply_byte_for_byte(ask_claude: Ask, stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), id="msg_01A")
    assert anthropic_messages.encode(reply, anthropic_messages.shape(ask_claude("2023-06-01")), stamp) == (
        b'{"model":"claude-x","id":"msg_01A","type":"message","role":"assistant",'
        b'"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,'
        b'"usage":{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
        b'"service_tier":"standard"}}'
    )


def test_the_newer_version_has_more_members(ask_claude: Ask, stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), id="msg_01A")
    assert anthropic_messages.encode(reply, anthropic_messages.shape(ask_claude("2026-10-21")), stamp) == (
        b'{"model":"claude-x","id":"msg_01A","type":"message","role":"assistant",'
        b'"content":[{"type":"text","text":"Hi"}],"container":null,'
        b'"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,'
        b'"usage":{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
        b'"service_tier":"standard","inference_geo":"global"},"diagnostics":null}'
    )


def tool(name: str, given: Any, call_id: str = "i") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given, "caller": DIRECT}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
EMPTY_THOUGHT = THOUGHT | {"thinking": ""}
REDACTED = [{"type": "redacted_thinking", "data": "one"}, {"type": "redacted_thinking", "data": "two"}]

CONTENT = [
    (Reply(), [], "end_turn"),
    (Reply((Text(""),)), [text("")], "end_turn"),
    (Reply((Text(""), Text(""))), [text("")], "end_turn"),
    (Reply((Text("a"), Text("b"))), [text("a"), text("b")], "end_turn"),
    (Reply((Text(""), ToolCall("f", "{}", "i"))), [tool("f", {})], "tool_use"),
    (Reply((Text(""),), reasoning="Hm.", reasoning_signature="c2ln"), [THOUGHT], "end_turn"),
    (Reply((Text("a"),), reasoning="Hm.", reasoning_signature="c2ln"), [THOUGHT, text("a")], "end_turn"),
    (Reply((Text("a"),), reasoning_signature="c2ln"), [EMPTY_THOUGHT, text("a")], "end_turn"),
    (Reply((Text("a"),), reasoning=""), [text("a")], "end_turn"),
    (
        Reply((ToolCall("f", "{}", "i"),), "Hm.", "c2ln", ("one", "two")),
        [*REDACTED, THOUGHT, tool("f", {})],
        "tool_use",
    ),
    (
        Reply((ToolCall("f", '{"x": 1}', "i"), Text("a"), ToolCall("g", "", "j"), Text("b"))),
        [tool("f", {"x": 1}), text("a"), tool("g", {}, "j"), text("b")],
        "tool_use",
    ),
    (Reply((Text("a"),), role="critic"), [text("a")], "end_turn"),
]


@pytest.mark.parametrize(("reply", "content", "stop_reason"), CONTENT)
def test_the_content(whole: Whole, reply: Reply, content: list[Any], stop_reason: str) -> None:
    """wire-anthropic §6, §7, §23: the order of blocks; a turn with tools keeps its thoughts."""
    body = whole(reply)
    assert (body["content"], body["stop_reason"]) == (content, stop_reason)
    assert body["role"] == (reply.role or "assistant")


@pytest.mark.parametrize("arguments", ["", " ", "{oops", "[1]", "3", "null", '{"x": ', '"text"', "{} {}", '{"a":NaN}'])
def test_arguments_that_are_no_object_are_an_empty_one(whole: Whole, arguments: str) -> None:
    assert whole(Reply((ToolCall("f", arguments, "i"),)))["content"] == [tool("f", {})]


def test_arguments_are_sent_as_they_are_written(ask_claude: Ask, stamp: Stamp) -> None:
    arguments = '{"b":  123456789012345678901234567890,\n "a": 1.0}'
    body = anthropic_messages.encode(Reply((ToolCall("f", arguments),)), anthropic_messages.shape(ask_claude()), stamp)
    assert b'"input":' + arguments.encode() + b"," in body


def test_a_thought_without_a_signature_gets_one(whole: Whole) -> None:
    (block,) = whole(Reply(reasoning="Hm."))["content"]
    assert block["thinking"] == "Hm."
    assert block["signature"]


@pytest.mark.parametrize("kind", ["enabled", "adaptive"])
def test_thoughts_are_left_out_where_their_display_is_omitted(whole: Whole, kind: str) -> None:
    reply = Reply((Text("a"),), reasoning="Hm.", reasoning_signature="c2ln")
    assert whole(reply, thinking={"type": kind, "display": "omitted"})["content"] == [EMPTY_THOUGHT, text("a")]
    assert whole(reply, thinking={"type": kind, "display": "summarized"})["content"] == [THOUGHT, text("a")]


def test_searches_are_the_provider_s_own_tools(whole: Whole) -> None:
    """core-fixtures §5.1, wire-anthropic §7: a call and its result before the text, not for the client to answer."""
    body = whole(Reply((Text("a"),), web_searches=("one two", "né")))
    calls, results = body["content"][:4:2], body["content"][1:4:2]
    assert body["content"][4:] == [text("a")]
    assert [call["input"] for call in calls] == [{"query": "one two"}, {"query": "né"}]
    for call, found in zip(calls, results, strict=True):
        assert (call["type"], call["name"], call["caller"]) == ("server_tool_use", "web_search", DIRECT)
        assert call["id"].startswith("srvtoolu_01")
        assert (found["type"], found["tool_use_id"]) == ("web_search_tool_result", call["id"])
        (page,) = found["content"]
        assert (page["type"], page["title"]) == ("web_search_result", call["input"]["query"])
        assert page["url"].isascii()
        assert page["encrypted_content"]
    assert calls[0]["id"] != calls[1]["id"]
    assert body["stop_reason"] == "end_turn"
    assert body["usage"]["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}


@pytest.mark.parametrize(
    ("finish_reason", "stop_reason"),
    [
        ("stop", "end_turn"),
        ("tool_calls", "tool_use"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("pause_turn", "pause_turn"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("odd", "odd"),
        ("", ""),
    ],
)
def test_stop_reasons(whole: Whole, finish_reason: str, stop_reason: str) -> None:
    body = whole(Reply((Text("a"),), finish_reason=finish_reason))
    assert (body["stop_reason"], body["stop_sequence"]) == (stop_reason, None)
    assert (body["stop_details"] is None) == (stop_reason != "refusal")


@pytest.mark.parametrize(
    ("asked", "told"), [(["END", "x"], "END"), ([3, "x"], "x"), ([], None), ("END", None), (None, None)]
)
def test_a_stop_sequence_is_the_first_that_was_asked_for(whole: Whole, asked: Any, told: str | None) -> None:
    body = whole(Reply(finish_reason="stop_sequence"), stop_sequences=asked)
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", told)
    assert whole(Reply(), stop_sequences=asked)["stop_sequence"] is None


@pytest.mark.parametrize("finish_reason", [None, "stop", "content_filter"])
def test_a_refusal_is_explained(whole: Whole, finish_reason: str | None) -> None:
    body = whole(Reply(refusal="I cannot.", finish_reason=finish_reason))
    assert body["stop_reason"] == "refusal"
    assert body["stop_details"] == {"type": "refusal", "category": None, "explanation": "I cannot."}
    assert body["content"] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, {}),
        ({}, {}),
        ({"cost": 0.1}, {"cost": 0.1}),
        ({"input_tokens": 5}, {"input_tokens": 5, "output_tokens": 0}),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, {"input_tokens": 5, "output_tokens": 6}),
        ({"input_tokens": 1, "prompt_tokens": 2, "output_tokens": 3}, {"input_tokens": 1, "output_tokens": 3}),
        ({"promptTokenCount": 5, "candidatesTokenCount": 6}, {"input_tokens": 5, "output_tokens": 6}),
        (
            {"cache_creation_input_tokens": 7, "cache_read_input_tokens": 8},
            {
                "cache_creation_input_tokens": 7,
                "cache_read_input_tokens": 8,
                "cache_creation": NO_CACHE | {"ephemeral_5m_input_tokens": 7},
            },
        ),
        (
            {"cache_creation": {"ephemeral_1h_input_tokens": 3}, "service_tier": "batch"},
            {"cache_creation": {"ephemeral_1h_input_tokens": 3}, "service_tier": "batch"},
        ),
        (
            {"prompt_tokens": 5, "prompt_tokens_details": {}, "output_tokens_details": {"thinking_tokens": 1}},
            {"input_tokens": 5, "output_tokens": 0, "output_tokens_details": {"thinking_tokens": 1}},
        ),
    ],
)
def test_usage(whole: Whole, given: Any, told: dict[str, Any]) -> None:
    """wire-anthropic §10; a provider never sends zeros, so what no fixture gives is estimated."""
    assert whole(Reply((Text("Hi"),), usage=given))["usage"] == USAGE | told


@pytest.mark.parametrize(
    ("more", "input_tokens"),
    [
        ({}, 2),
        ({"system": "Be kind."}, 4),
        ({"system": [{"type": "text", "text": "Be kind."}]}, 4),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x" * 40}]}]}, 10),
        ({"messages": []}, 1),
        ({"tools": []}, 2),
        ({"tools": [{"name": "f"}]}, 5),
        ({"tools": "né🚀"}, 3),
    ],
)
def test_the_estimate_of_the_input(whole: Whole, more: dict[str, Any], input_tokens: int) -> None:
    assert whole(Reply(), **more)["usage"]["input_tokens"] == input_tokens


def test_overrides(whole: Whole) -> None:
    body = whole(Reply(id="x", model="other", role="critic"))
    assert (body["id"], body["model"], body["role"]) == ("x", "other", "critic")


def test_a_request_without_a_model_gets_a_default(whole: Whole) -> None:
    assert whole(Reply(), model=None)["model"].startswith("claude-")


@pytest.mark.parametrize(("protocol", "platform"), [(anthropic_messages, ""), (vertex, "vrtx_")])
def test_ids_are_minted_in_the_provider_s_style_and_differ(
    head: Head, stamp: Stamp, protocol: Any, platform: str
) -> None:
    reply = Reply((ToolCall("f", "{}"), ToolCall("f", "{}")), web_searches=("a",))
    request = protocol.decode(head, {"model": "m"}, b'{"messages":[]}')
    body = orjson.loads(protocol.encode(reply, protocol.shape(request), stamp))
    search, result, *calls = body["content"]
    assert result["tool_use_id"] == search["id"]
    ids = [(body["id"], "msg_"), (search["id"], "srvtoolu_"), *((call["id"], "toolu_") for call in calls)]
    assert len({minted for minted, _ in ids}) == 4
    for minted, prefix in ids:
        assert minted.startswith(f"{prefix}{platform}01")
        assert len(minted.removeprefix(f"{prefix}{platform}")) == 24
        assert minted.removeprefix(f"{prefix}{platform}").isalnum()


def test_equal_requests_have_equal_shapes_and_others_do_not(ask_claude: Ask) -> None:
    shape = anthropic_messages.shape
    assert shape(ask_claude()) == shape(ask_claude(stream=True, temperature=0.5, metadata={"user_id": "u"}))
    assert hash(shape(ask_claude())) == hash(shape(ask_claude()))
    different = [
        {},
        {"model": "other"},
        {"version": "2026-10-21"},
        {"stop_sequences": ["x"]},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"system": "more text"},
    ]
    assert len({shape(ask_claude(**more)) for more in different}) == len(different)

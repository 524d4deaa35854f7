"""Streamed messages (wire-anthropic-messages §8, §22)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import anthropic_messages, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
)

Ask = Callable[..., ChatRequest]
Streamed = Callable[..., list[Frame]]

WORKED = b"""\
event: message_start
data: {"type":"message_start","message":{"model":"claude-x","id":"msg_01A","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Checking"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01B","name":"f","input":{},"caller":{"type":"direct"}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"x\\": 1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":25}}

event: message_stop
data: {"type":"message_stop"}

"""  # noqa: E501
"""wire-anthropic §22."""

WORKED_REPLY = Reply(
    (Text("Checking"), ToolCall("f", '{"x": 1}', "toolu_01B")),
    reasoning="Hm.",
    reasoning_signature="c2ln",
    usage={"input_tokens": 10, "output_tokens": 25},
    id="msg_01A",
)


@pytest.fixture
def streamed(ask_claude: Ask, stamp: Stamp) -> Streamed:
    def streamed(reply: Reply, chunk_size: int = 5, version: str | None = None, **more: Any) -> list[Frame]:
        shape = anthropic_messages.shape(ask_claude(version, stream=True, **more))
        return list(anthropic_messages.frames(reply, shape, stamp, chunk_size))

    return streamed


def events(frames: list[Frame]) -> list[dict[str, Any]]:
    """The events' JSON; their names say the same as it."""
    read = list(sse.events(frame.data for frame in frames))
    told = [orjson.loads(event.data) for event in read]
    assert [event.name for event in read] == [event["type"] for event in told]
    return told


def deltas(frames: list[Frame], index: int) -> list[dict[str, Any]]:
    return [
        event["delta"] for event in events(frames) if event["type"] == "content_block_delta" and event["index"] == index
    ]


def starts(frames: list[Frame]) -> list[dict[str, Any]]:
    return [event["content_block"] for event in events(frames) if event["type"] == "content_block_start"]


def test_the_worked_stream_byte_for_byte(streamed: Streamed) -> None:
    assert b"".join(frame.data for frame in streamed(WORKED_REPLY, chunk_size=20)) == WORKED


def test_every_event_counts_but_pings(streamed: Streamed) -> None:
    """core-physics-chaos §2.1."""
    kinds = [frame.kind for frame in streamed(WORKED_REPLY, chunk_size=20)]
    assert kinds == [FrameKind.OPEN, FrameKind.TOKEN, FrameKind.PING, *[FrameKind.TOKEN] * 12]


def test_the_newer_version_has_more_members(streamed: Streamed) -> None:
    told = events(streamed(Reply((Text("Hi"),)), version="2026-10-21"))
    assert told[0]["message"].keys() >= {"container", "diagnostics"}
    assert told[0]["message"]["usage"]["inference_geo"] == "global"
    assert told[-2]["delta"]["container"] is None


@pytest.mark.parametrize(
    ("reply", "types"),
    [
        (Reply(), []),
        (Reply((Text(""),)), ["text"]),
        (Reply((Text("a"), Text("b"))), ["text", "text"]),
        (Reply((ToolCall("f", "{}"), Text("a"))), ["tool_use", "text"]),
        (Reply(refusal="No."), []),
        (
            Reply((Text("a"),), "Hm.", redacted_thinking=("x",), web_searches=("q",)),
            ["redacted_thinking", "thinking", "server_tool_use", "web_search_tool_result", "text"],
        ),
    ],
)
def test_blocks_are_sent_one_after_the_other(streamed: Streamed, reply: Reply, types: list[str]) -> None:
    frames = streamed(reply)
    assert [start["type"] for start in starts(frames)] == types
    order = [event for event in events(frames) if "index" in event]
    assert [event["index"] for event in order] == sorted(event["index"] for event in order)
    opened = [event["index"] for event in order if event["type"] == "content_block_start"]
    closed = [event["index"] for event in order if event["type"] == "content_block_stop"]
    assert opened == closed == list(range(len(types)))
    names = [event["type"] for event in events(frames)]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert [at for at, name in enumerate(names) if name == "ping"] == ([2] if types else [])


def test_text_is_cut_into_slices(streamed: Streamed) -> None:
    frames = streamed(Reply((Text("abcdefg"),)))
    assert starts(frames) == [{"type": "text", "text": ""}]
    assert deltas(frames, 0) == [{"type": "text_delta", "text": "abcde"}, {"type": "text_delta", "text": "fg"}]


def test_one_emoji_a_slice(streamed: Streamed) -> None:
    assert [delta["text"] for delta in deltas(streamed(Reply((Text("🚀👍🏽é"),)), 1), 0)] == ["🚀", "👍🏽", "é"]


def test_a_thought_ends_with_its_signature(streamed: Streamed) -> None:
    """wire-anthropic §23: the start has the key `signature`, since clients add to it."""
    frames = streamed(Reply(reasoning="abcdefg", reasoning_signature="a long signature"))
    assert starts(frames) == [{"type": "thinking", "thinking": "", "signature": ""}]
    assert deltas(frames, 0) == [
        {"type": "thinking_delta", "thinking": "abcde"},
        {"type": "thinking_delta", "thinking": "fg"},
        {"type": "signature_delta", "signature": "a long signature"},
    ]


def test_where_thoughts_are_not_displayed_there_is_the_signature_alone(streamed: Streamed) -> None:
    frames = streamed(
        Reply(reasoning="abcdefg", reasoning_signature="s"), thinking={"type": "enabled", "display": "omitted"}
    )
    assert deltas(frames, 0) == [{"type": "signature_delta", "signature": "s"}]


def test_what_is_not_built_comes_whole(streamed: Streamed) -> None:
    redacted, search, result = starts(streamed(Reply(redacted_thinking=("data",), web_searches=("a query",))))
    assert redacted == {"type": "redacted_thinking", "data": "data"}
    assert search["input"] == {}
    assert result["content"][0]["title"] == "a query"


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        ('{"x": 1}', ["", '{"x":', " 1}"]),
        ('{"é":"🚀"}', ["", '{"é":', '"🚀"}']),
        ("{}", [""]),
        (" { } ", [""]),
        ("", [""]),
        ("{oops", [""]),
        ("[1]", [""]),
        ("[1", [""]),
        ('{"x": ', ["", '{"x":', " "]),
        ('{"é":"🚀', ["", '{"é":', '"🚀']),
    ],
)
def test_arguments_begin_with_an_empty_piece(streamed: Streamed, arguments: str, pieces: list[str]) -> None:
    """wire-anthropic §8: a call without arguments has no other piece, which clients read as `{}`. Arguments that are
    no JSON are none; those that break off are sent as far as they go."""
    frames = streamed(Reply((ToolCall("f", arguments, "i"),)))
    assert starts(frames) == [{"type": "tool_use", "id": "i", "name": "f", "input": {}, "caller": {"type": "direct"}}]
    assert deltas(frames, 0) == [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def test_the_usage_at_the_end_is_the_total(streamed: Streamed) -> None:
    usage = {"input_tokens": 7, "output_tokens": 9, "cache_read_input_tokens": 3, "output_tokens_details": {"a": 1}}
    told = events(streamed(Reply((Text("Hi"),), usage=usage, web_searches=("q",))))
    begun, ended = told[0]["message"]["usage"], told[-2]["usage"]
    assert (begun["input_tokens"], begun["output_tokens"], begun["cache_read_input_tokens"]) == (7, 1, 3)
    assert not begun.keys() & {"server_tool_use", "output_tokens_details"}
    assert ended == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "output_tokens": 9,
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "output_tokens_details": {"a": 1},
    }


def test_a_stream_does_not_begin_with_more_than_it_ends_with(streamed: Streamed) -> None:
    assert events(streamed(Reply(usage={"input_tokens": 1})))[0]["message"]["usage"]["output_tokens"] == 0


def test_the_end_says_why(streamed: Streamed) -> None:
    delta = events(streamed(Reply(finish_reason="stop_sequence"), stop_sequences=["END"]))[-2]["delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "END", "stop_details": None}
    delta = events(streamed(Reply(refusal="No.")))[-2]["delta"]
    assert delta["stop_reason"] == "refusal"
    assert delta["stop_details"] == {"type": "refusal", "category": None, "explanation": "No."}


ERROR = ErrorReply("Overloaded", "overloaded_error")


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (0, []),
        (1, ["message_start"]),
        (2, ["message_start", "content_block_start", "ping"]),
        (3, ["message_start", "content_block_start", "ping", "content_block_delta"]),
        (
            99,
            [
                "message_start",
                "content_block_start",
                "ping",
                *["content_block_delta"] * 2,
                "content_block_stop",
                "message_delta",
            ],
        ),
    ],
)
def test_a_mid_stream_error_ends_the_stream(streamed: Streamed, stamp: Stamp, after: int, names: list[str]) -> None:
    """wire-anthropic §8: no `message_stop`."""
    told = events(streamed(Reply((Text("abcdefg"),), mid_stream_error=MidStreamError(after, ERROR))))
    assert [event["type"] for event in told] == [*names, "error"]
    assert told[-1]["error"] == {"type": "overloaded_error", "message": "Overloaded", "details": None}
    assert told[-1]["request_id"] == dict(anthropic_messages.fresh_headers(stamp))["request-id"]


def test_a_chunk_size_below_one_is_refused(streamed: Streamed) -> None:
    with pytest.raises(ValueError, match="slices of 0"):
        streamed(Reply((Text("a"),)), 0)


def test_a_ping_keeps_the_connection_alive() -> None:
    assert anthropic_messages.keepalive is not None
    frame, interval = anthropic_messages.keepalive
    assert frame == (b'event: ping\ndata: {"type":"ping"}\n\n', FrameKind.PING)
    assert interval > 0

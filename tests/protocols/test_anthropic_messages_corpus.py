"""Every recorded answer of the real provider, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import orjson
import pytest

from aimock_protocols import anthropic_messages
from aimock_protocols.anthropic_messages.envelope import STOP_REASONS
from aimock_protocols.canonical import ChatRequest, Head, Reply, Stamp
from recorded import body_of, is_stream, needs_corpus, rows_of

pytestmark = needs_corpus


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return rows_of("anthropic.messages")


def reply_of(row: dict[str, Any]) -> Reply:
    return anthropic_messages.collapse([body_of(row)]) if is_stream(row) else anthropic_messages.parse(body_of(row))


def summary(reply: Reply) -> dict[str, Any]:
    """A reply as the independent reader puts it."""
    usage = reply.usage or {}
    return {
        "text": reply.text or "",
        "reasoning": reply.reasoning or "",
        "tools": [[call.name, orjson.loads(call.arguments)] for call in reply.tool_calls],
        "finish": STOP_REASONS.get(reply.finish_reason or "", reply.finish_reason),
        "usage": [usage.get("input_tokens"), usage.get("output_tokens")] if usage else None,
    }


def expected(oracle: ModuleType, row: dict[str, Any]) -> Any:
    told = oracle.summary("anthropic.messages", row["content_type"], body_of(row))
    told["tools"] = [[name, orjson.loads(arguments)] for name, arguments in told["tools"]]
    return told


def test_whole_bodies(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    whole = [row for row in rows if not is_stream(row)]
    for row in whole:
        reply = anthropic_messages.parse(body_of(row))
        assert summary(reply) == expected(oracle, row), row["id"]
        assert (reply.id, reply.model) == (row["response"]["id"], row["response"]["model"]), row["id"]
        hidden = [block["data"] for block in row["response"]["content"] if block["type"] == "redacted_thinking"]
        signed = [block["signature"] for block in row["response"]["content"] if block["type"] == "thinking"]
        assert reply.redacted_thinking == tuple(hidden), row["id"]
        assert reply.reasoning_signature == (signed[-1] if signed else None), row["id"]
    assert len(whole) > 100


def test_streams(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    """At every split: byte by byte, and in two at every place."""
    streams = [row for row in rows if is_stream(row)]
    for row in streams:
        body = body_of(row)
        collapsed = anthropic_messages.read_stream([body])
        assert summary(collapsed.reply) == expected(oracle, row), row["id"]
        assert (collapsed.dropped, collapsed.truncated) == (0, False), row["id"]
        for size in (1, 7, 1000):
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            assert anthropic_messages.read_stream(pieces) == collapsed, row["id"]
    shortest = min((body_of(row) for row in streams), key=len)
    once = anthropic_messages.read_stream([shortest])
    for cut in range(len(shortest)):
        assert anthropic_messages.read_stream([shortest[:cut], shortest[cut:]]) == once
    assert len(streams) > 5


def test_what_was_read_survives_our_own_encoding(
    rows: list[dict[str, Any]], ask_claude: Callable[..., ChatRequest], stamp: Stamp
) -> None:
    """Recording a recording: the second reading gives what the first gave."""
    shape = anthropic_messages.shape(ask_claude())
    for row in rows:
        reply = reply_of(row)
        again = anthropic_messages.collapse(frame.data for frame in anthropic_messages.frames(reply, shape, stamp, 20))
        parsed = anthropic_messages.parse(anthropic_messages.encode(reply, shape, stamp))
        for copy in (again, parsed):
            assert summary(copy) == summary(reply), row["id"]
            assert [type(part) for part in copy.parts] == [type(part) for part in reply.parts], row["id"]
            for name in ("redacted_thinking", "reasoning_signature", "web_searches", "id", "model", "role"):
                assert getattr(reply, name) in (None, getattr(copy, name)), (row["id"], name)
            assert (copy.usage or {}).items() >= (reply.usage or {}).items(), row["id"]


def test_every_request_is_understood(rows: list[dict[str, Any]], head: Head) -> None:
    """What real clients send decodes, and has the text and the calls that it was sent with."""
    for row in rows:
        request = anthropic_messages.decode(head, {}, orjson.dumps(row["request"]))
        anthropic_messages.shape(request)
        assert (request.model, request.stream) == (row["request"]["model"], row["request"].get("stream", False))
        blocks = [
            block
            for message in row["request"]["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
        ]
        messages = request.body["messages"]
        calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
        results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        assert calls == [block["id"] for block in blocks if block["type"] == "tool_use"], row["id"]
        assert results == [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"], row["id"]
        assert request.objection is None, row["id"]

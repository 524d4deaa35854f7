"""Every recorded answer of the real provider, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import attrs
import orjson
import pytest

from aimock_protocols import bedrock_converse, eventstream
from aimock_protocols.bedrock_converse.envelope import STOP_REASONS
from aimock_protocols.canonical import ChatRequest, Head, Reply, Stamp, WireError
from recorded import body_of, needs_corpus, rows_of

pytestmark = needs_corpus


@pytest.fixture(scope="module")
def whole() -> list[dict[str, Any]]:
    return rows_of("bedrock.converse")


@pytest.fixture(scope="module")
def streams() -> list[dict[str, Any]]:
    return rows_of("bedrock.converse-stream")


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
    """What the independent reader reads, without the calls that the provider answered itself."""
    told = oracle.summary(row["protocol"], row["content_type"], body_of(row))
    told["tools"] = [[name, orjson.loads(given)] for name, given in told["tools"] if name != "nova_code_interpreter"]
    return told


def test_whole_bodies(oracle: ModuleType, whole: list[dict[str, Any]]) -> None:
    answers = [row for row in whole if row["status"] == 200]
    for row in answers:
        reply = bedrock_converse.parse(body_of(row))
        assert summary(reply) == expected(oracle, row), row["id"]
        told = orjson.loads(body_of(row))
        assert (reply.usage or {})["latencyMs"] == told["metrics"]["latencyMs"], row["id"]
        blocks = told["output"]["message"]["content"]
        signed = [block["reasoningContent"]["reasoningText"] for block in blocks if "reasoningContent" in block]
        signatures = [thought["signature"] for thought in signed if "signature" in thought]
        assert reply.reasoning_signature == (signatures[-1] if signatures else None), row["id"]
        calls = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        assert {call.id for call in reply.tool_calls} <= set(calls), row["id"]
    assert len(answers) > 100


def test_streams(oracle: ModuleType, streams: list[dict[str, Any]]) -> None:
    """At every split: byte by byte, and in two at every place."""
    answers = [row for row in streams if row["status"] == 200]
    for row in answers:
        body = body_of(row)
        collapsed = bedrock_converse.read_stream([body])
        assert summary(collapsed.reply) == expected(oracle, row), row["id"]
        assert (collapsed.dropped, collapsed.truncated) == (0, False), row["id"]
        for size in (1, 7, 1000):
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            assert bedrock_converse.read_stream(pieces) == collapsed, row["id"]
    shortest = min(map(body_of, answers), key=len)
    once = bedrock_converse.read_stream([shortest])
    for cut in range(len(shortest)):
        assert bedrock_converse.read_stream([shortest[:cut], shortest[cut:]]) == once
    assert len(answers) == 4


def test_refusals(whole: list[dict[str, Any]], streams: list[dict[str, Any]]) -> None:
    refused = [row for row in whole + streams if row["status"] != 200]
    for row in refused:
        with pytest.raises(WireError) as raised:
            bedrock_converse.parse(body_of(row))
        assert raised.value.reply.message == row["response"]["message"]
    assert len(refused) == 4


def test_real_messages_are_encoded_as_they_came(streams: list[dict[str, Any]]) -> None:
    """Our framing of what was read is what was sent, byte for byte."""
    for row in streams:
        if row["status"] == 200:
            read = list(eventstream.messages([body_of(row)]))
            again = [eventstream.event(message.text(":event-type") or "", message.payload) for message in read]
            assert b"".join(again) == body_of(row), row["id"]


def test_what_was_read_survives_our_own_encoding(
    whole: list[dict[str, Any]],
    streams: list[dict[str, Any]],
    ask_converse: Callable[..., ChatRequest],
    stamp: Stamp,
) -> None:
    """Recording a recording: the second reading gives what the first gave."""
    shape = bedrock_converse.shape(ask_converse())
    for row in whole + streams:
        if row["status"] == 200:
            is_stream = row["encoding"] == "base64"
            read = bedrock_converse.collapse([body_of(row)]) if is_stream else bedrock_converse.parse(body_of(row))
            frames = bedrock_converse.frames(read, shape, stamp, 20)
            assert bedrock_converse.collapse(frame.data for frame in frames) == read, row["id"]
            assert bedrock_converse.parse(bedrock_converse.encode(read, shape, stamp)) == read, row["id"]


def test_every_request_is_understood(whole: list[dict[str, Any]], streams: list[dict[str, Any]], head: Head) -> None:
    """What real clients send decodes, and has the calls and the results that it was sent with."""
    for row in whole + streams:
        raw = row["path"].split("/")[2]
        request = bedrock_converse.decode(
            attrs.evolve(head, path=row["path"]), {"model": raw}, orjson.dumps(row["request"])
        )
        bedrock_converse.shape(request)
        assert (request.model, request.stream) == (unquote(raw), row["path"].endswith("-stream"))
        blocks = [block for message in row["request"]["messages"] for block in message["content"]]
        messages = request.body["messages"]
        calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
        results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        sent = [block["toolUse"] for block in blocks if "toolUse" in block]
        own = [call["toolUseId"] for call in sent if call.get("type") != "server_tool_use"]
        assert calls == own, row["id"]
        answered = [block["toolResult"] for block in blocks if "toolResult" in block]
        assert results == [each["toolUseId"] for each in answered if not each.get("type", "").startswith("nova")], row[
            "id"
        ]
        specs = [tool for tool in row["request"].get("toolConfig", {}).get("tools", ()) if "toolSpec" in tool]
        assert len(request.body.get("tools", ())) == len(specs), row["id"]

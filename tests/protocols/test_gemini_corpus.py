"""Every recorded answer of the real provider, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import orjson
import pytest

from aimock_protocols import gemini
from aimock_protocols.canonical import ChatProtocol, Head, Reply, Stamp, WireError
from aimock_protocols.gemini import vertex
from aimock_protocols.gemini.envelope import FINISH_REASONS
from recorded import body_of, is_stream, needs_corpus, rows_of

pytestmark = needs_corpus


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return rows_of("gemini.generate")


def answered(rows: list[dict[str, Any]], stream: bool) -> list[dict[str, Any]]:
    return [row for row in rows if row["status"] == 200 and is_stream(row) is stream]


def reply_of(row: dict[str, Any]) -> Reply:
    return gemini.collapse([body_of(row)]) if is_stream(row) else gemini.parse(body_of(row))


def protocol_of(row: dict[str, Any]) -> ChatProtocol:
    return vertex if "/publishers/" in row["path"] else gemini


def model_of(row: dict[str, Any]) -> str:
    return str(row["path"].rpartition("models/")[2].partition(":")[0])


def summary(reply: Reply) -> dict[str, Any]:
    """A reply as the independent reader puts it."""
    usage = reply.usage or {}
    return {
        "text": reply.text or "",
        "reasoning": reply.reasoning or "",
        "tools": [[call.name, orjson.loads(call.arguments)] for call in reply.tool_calls],
        "finish": FINISH_REASONS.get(reply.finish_reason or "", reply.finish_reason),
        "usage": [usage.get("promptTokenCount"), usage.get("candidatesTokenCount")] if usage else None,
    }


def expected(oracle: ModuleType, row: dict[str, Any]) -> Any:
    told = oracle.summary("gemini.generate", row["content_type"], body_of(row))
    told["tools"] = [[name, orjson.loads(arguments)] for name, arguments in told["tools"]]
    return told


def test_whole_bodies(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    whole = answered(rows, stream=False)
    for row in whole:
        reply = gemini.parse(body_of(row))
        assert summary(reply) == expected(oracle, row), row["id"]
        told = row["response"]
        assert (reply.id, reply.model, reply.usage) == tuple(
            told[name] for name in ("responseId", "modelVersion", "usageMetadata")
        ), row["id"]
        parts = told["candidates"][0]["content"].get("parts", [])
        signed = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
        assert reply.reasoning_signature == (signed[-1] if signed else None), row["id"]
        queries = told["candidates"][0].get("groundingMetadata", {}).get("webSearchQueries", [])
        assert reply.web_searches == tuple(filter(None, queries)), row["id"]
        assert (reply.created is not None) is ("createTime" in told), row["id"]
        assert gemini.collapse([body_of(row)]) == reply, "a whole body is a stream of one chunk"
    assert len(whole) == 180


def test_streams(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    """At every split: byte by byte, and in two at every place; and the same as the array that it could have been."""
    streams = answered(rows, stream=True)
    for row in streams:
        body = body_of(row)
        collapsed = gemini.read_stream([body])
        assert summary(collapsed.reply) == expected(oracle, row), row["id"]
        assert (collapsed.dropped, collapsed.truncated) == (0, False), row["id"]
        array = as_array(body)
        for size in (1, 7, 1000):
            for stream in (body, array):
                pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
                assert gemini.read_stream(pieces) == collapsed, row["id"]
        assert gemini.parse(array) == collapsed.reply, row["id"]
    shortest = min((body_of(row) for row in streams), key=len)
    once = gemini.read_stream([shortest])
    for cut in range(len(shortest)):
        assert gemini.read_stream([shortest[:cut], shortest[cut:]]) == once
    assert len(streams) == 12


def as_array(events: bytes) -> bytes:
    """The other form of a stream."""
    chunks = [orjson.loads(line[6:]) for line in events.splitlines() if line.startswith(b"data: ")]
    return b"[" + b"\n,\r\n".join(orjson.dumps(chunk, option=orjson.OPT_INDENT_2) for chunk in chunks) + b"\n]\n"


def test_errors(rows: list[dict[str, Any]], stamp: Stamp) -> None:
    """They are told again as they came."""
    errors = [row for row in rows if row["status"] != 200]
    for row in errors:
        for body in (body_of(row), b"[" + body_of(row) + b"]"):
            for read in (gemini.parse, lambda body: gemini.collapse([body])):
                with pytest.raises(WireError) as told:
                    read(body)
        again = gemini.error(told.value.reply, stamp)
        assert (again.status, orjson.loads(again.body)) == (row["status"], row["response"]), row["id"]
    assert len(errors) == 3


def test_what_was_read_survives_our_own_encoding(rows: list[dict[str, Any]], head: Head, stamp: Stamp) -> None:
    """Recording a recording: the second reading gives what the first gave."""
    for row in (*answered(rows, stream=False), *answered(rows, stream=True)):
        reply = reply_of(row)
        protocol = protocol_of(row)
        request = protocol.decode(head, {"model": model_of(row)}, orjson.dumps(row["request"]))
        for is_array in (False, True):
            shape = protocol.shape(request)._replace(is_array=is_array)
            again = protocol.collapse(frame.data for frame in protocol.frames(reply, shape, stamp, 20))
            parsed = protocol.parse(protocol.encode(reply, shape, stamp))
            for copy in (again, parsed):
                assert summary(copy) == summary(reply), row["id"]
                assert [type(part) for part in copy.parts] == [type(part) for part in reply.parts], row["id"]
                for name in ("reasoning_signature", "web_searches", "id", "model", "created"):
                    assert getattr(reply, name) in (None, getattr(copy, name)), (row["id"], name)
                assert (copy.usage or {}).items() >= (reply.usage or {}).items(), row["id"]


def test_every_request_is_understood(rows: list[dict[str, Any]], head: Head) -> None:
    """What real clients send decodes, and has the text, the calls and the results that it was sent with."""
    for row in rows:
        protocol = protocol_of(row)
        request = protocol.decode(head, {"model": model_of(row)}, orjson.dumps(row["request"]))
        protocol.shape(request)
        assert request.model == model_of(row)
        parts = [part for content in row["request"]["contents"] for part in content["parts"]]
        messages = request.body["messages"]
        calls = [call["function"]["name"] for message in messages for call in message.get("tool_calls", ())]
        results = [message for message in messages if message["role"] == "tool"]
        sent = [part.get("functionCall", part.get("function_call")) for part in parts]
        assert calls == [call["name"] for call in sent if call], row["id"]
        assert len(results) == len([part for part in parts if {"functionResponse", "function_response"} & part.keys()])
        assert {message["tool_call_id"] for message in results} <= {
            call["id"] for message in messages for call in message.get("tool_calls", ())
        }, row["id"]
        declared = [
            function["name"]
            for tool in row["request"].get("tools", ())
            for function in tool.get("functionDeclarations", ())
        ]
        offered = [tool["function"] for tool in request.body.get("tools", ()) if tool.get("type") == "function"]
        assert [function["name"] for function in offered] == declared, row["id"]
        assert all("parameters" in function for function in offered), row["id"]
        assert request.objection is None, (row["id"], request.objection)

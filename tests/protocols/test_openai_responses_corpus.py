"""Every recorded answer of real providers, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_responses
from aimock_protocols.canonical import ChatRequest, Head, Reply, Stamp, WireError
from recorded import body_of, is_stream, needs_corpus, rows_of

pytestmark = needs_corpus

STATUSES = {"stop": "completed", "tool_calls": "completed", "length": "incomplete", "content_filter": "incomplete"}


@pytest.fixture(scope="module")
def all_rows() -> list[dict[str, Any]]:
    return rows_of("openai.responses")


@pytest.fixture(scope="module")
def rows(all_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are no errors."""
    return [row for row in all_rows if row["status"] == 200]


def reply_of(row: dict[str, Any]) -> Reply:
    return openai_responses.collapse([body_of(row)]) if is_stream(row) else openai_responses.parse(body_of(row))


def output_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of an answer; of a stream, those of its last event."""
    if not is_stream(row):
        return list(row["response"]["output"])
    (*_, last) = [line for line in row["response"].splitlines() if line.startswith("data: {")]
    return list(orjson.loads(last.removeprefix("data: "))["response"]["output"])


def summary(reply: Reply) -> dict[str, Any]:
    """A reply as the independent reader puts it."""
    usage = reply.usage or {}
    return {
        "text": reply.text or "",
        "reasoning": (reply.reasoning or "").replace("\n\n", ""),
        "tools": [[call.name, orjson.loads(call.arguments)] for call in reply.tool_calls],
        "finish": STATUSES.get(reply.finish_reason or "", reply.finish_reason),
        "usage": [usage.get("input_tokens"), usage.get("output_tokens")] if usage else None,
    }


def expected(oracle: ModuleType, row: dict[str, Any]) -> Any:
    """What the reader says. It knows summaries only: where there are none, the thought itself is what we read."""
    told = oracle.summary("openai.responses", row["content_type"], body_of(row))
    told["tools"] = [[name, orjson.loads(arguments)] for name, arguments in told["tools"]]
    thoughts = [
        part["text"] for item in output_of(row) if item["type"] == "reasoning" for part in item.get("content") or []
    ]
    told["reasoning"] = (told["reasoning"] or "".join(thoughts)).replace("\n\n", "")
    return told


def test_whole_bodies(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    whole = [row for row in rows if not is_stream(row)]
    for row in whole:
        reply = openai_responses.parse(body_of(row))
        assert summary(reply) == expected(oracle, row), row["id"]
        assert (reply.id, reply.model) == (row["response"]["id"], row["response"]["model"]), row["id"]
        assert reply.created == int(row["response"]["created_at"]), row["id"]
        thoughts = [item for item in output_of(row) if item["type"] == "reasoning" and item.get("encrypted_content")]
        told = [bool(item["summary"] or item.get("content")) for item in thoughts]
        proofs = [item["encrypted_content"] for item in thoughts]
        hidden = [proof for proof, is_told in zip(proofs, told, strict=True) if not is_told]
        assert list(reply.redacted_thinking) == hidden, row["id"]
        assert reply.reasoning_signature == (proofs[-1] if any(told) else None), row["id"]
        searches = [item["action"] for item in output_of(row) if item["type"] == "web_search_call"]
        assert reply.web_searches == tuple(action["query"] for action in searches if "query" in action), row["id"]
        ids = [item["call_id"] for item in output_of(row) if item["type"] == "function_call"]
        assert [call.id for call in reply.tool_calls] == ids, row["id"]
    print(f"{len(whole)} whole bodies agree")
    assert len(whole) > 140


def test_errors(all_rows: list[dict[str, Any]]) -> None:
    errors = [row for row in all_rows if row["status"] != 200]
    for row in errors:
        with pytest.raises(WireError) as caught:
            openai_responses.parse(body_of(row))
        told = row["response"]["error"]
        assert (caught.value.reply.message, caught.value.reply.code) == (told["message"], told["code"])
    assert len(errors) == 3


def test_streams(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    streams = [row for row in rows if is_stream(row)]
    for row in streams:
        body = body_of(row)
        collapsed = openai_responses.read_stream([body])
        assert summary(collapsed.reply) == expected(oracle, row), row["id"]
        assert (collapsed.dropped, collapsed.truncated) == (0, False), row["id"]
        assert collapsed.reply == openai_responses.parse(final_of(body)), row["id"]
        for size in (1, 7, 1000):
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            assert openai_responses.read_stream(pieces) == collapsed, row["id"]
    print(f"{len(streams)} streams agree")
    assert len(streams) > 10


def final_of(stream: bytes) -> bytes:
    """The response in a stream's last event."""
    (*_, last) = [line for line in stream.splitlines() if line.startswith(b"data: {")]
    return orjson.dumps(orjson.loads(last.removeprefix(b"data: "))["response"])


def test_what_was_read_survives_our_own_encoding(
    rows: list[dict[str, Any]], ask_responses: Callable[..., ChatRequest], stamp: Stamp
) -> None:
    """Recording a recording: the second reading gives what the first gave."""
    shape = openai_responses.shape(ask_responses(include=["reasoning.encrypted_content"], model="gpt-4.1"))
    for row in rows:
        reply = reply_of(row)
        again = openai_responses.collapse(frame.data for frame in openai_responses.frames(reply, shape, stamp, 20))
        parsed = openai_responses.parse(openai_responses.encode(reply, shape, stamp))
        for copy in (again, parsed):
            told = summary(reply) if reply.usage else summary(reply) | {"usage": summary(copy)["usage"]}
            assert summary(copy) == told, row["id"]
            assert [type(part) for part in copy.parts] == [type(part) for part in reply.parts], row["id"]
            for name in ("redacted_thinking", "web_searches", "id", "created", "model", "role", "logprobs", "refusal"):
                assert getattr(reply, name) in (None, getattr(copy, name)), (row["id"], name)


def test_every_request_is_understood(all_rows: list[dict[str, Any]], head: Head) -> None:
    """What real clients send decodes, and has the calls that it was sent with; the provider took it, and so do we."""
    for row in all_rows:
        sent = row["request"]
        request = openai_responses.decode(head, {}, orjson.dumps(sent))
        openai_responses.shape(request)
        assert (request.model, request.stream) == (sent["model"], sent.get("stream", False))
        items = sent["input"] if isinstance(sent["input"], list) else []
        messages = request.body["messages"]
        calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
        results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        told = [item["call_id"] for item in items if item.get("type") == "function_call"]
        assert results == [item["call_id"] for item in items if item.get("type") == "function_call_output"], row["id"]
        assert [call for call in calls if call in told] == told, row["id"]
        assert request.objection is None, row["id"]

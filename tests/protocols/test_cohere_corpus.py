"""Every recorded answer of the real provider, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import cohere
from aimock_protocols.canonical import ChatRequest, Head, Reply, Stamp, WireError
from aimock_protocols.cohere import embed
from aimock_protocols.cohere.envelope import FINISH_REASONS
from recorded import body_of, independent_reader, needs_corpus, rows_of

pytestmark = needs_corpus

Ask = Callable[..., ChatRequest]
Oracle = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    module = independent_reader()

    def expected(row: dict[str, Any]) -> Any:
        told = module.summary("cohere.chat", row["content_type"], body_of(row))
        told["tools"] = [[name, orjson.loads(arguments)] for name, arguments in told["tools"]]
        return told

    return expected


def summary(reply: Reply) -> dict[str, Any]:
    """A reply as the independent reader puts it."""
    usage = reply.usage or {}
    return {
        "text": reply.text or "",
        "reasoning": reply.reasoning or "",
        "tools": [[call.name, orjson.loads(call.arguments)] for call in reply.tool_calls],
        "finish": FINISH_REASONS.get(reply.finish_reason or "", reply.finish_reason),
        "usage": [usage.get("input_tokens"), usage.get("output_tokens")] if usage else None,
    }


def test_whole_replies(oracle: Oracle) -> None:
    read = 0
    for row in rows_of("cohere.chat"):
        reply = cohere.parse(orjson.dumps(row["response"]))
        assert summary(reply) == oracle(row), row["id"]
        assert reply.id == row["response"]["id"]
        assert (reply.tool_plan or None) == row["response"]["message"].get("tool_plan")
        assert reply.usage is not None
        assert reply.usage["billed_units"] == row["response"]["usage"]["billed_units"]
        read += 1
    assert read == 3


def test_what_was_read_survives_our_own_encoding(ask_cohere: Ask, stamp: Stamp) -> None:
    """Recording a recording: the second reading gives what the first gave, however its bytes were split."""
    shape = cohere.shape(ask_cohere())
    for row in rows_of("cohere.chat"):
        reply = cohere.parse(orjson.dumps(row["response"]))
        body = orjson.loads(cohere.encode(reply, shape, stamp))
        body["usage"].pop("cached_tokens")
        row["response"]["usage"].pop("cached_tokens", None)
        assert body == row["response"], row["id"]
        stream = b"".join(frame.data for frame in cohere.frames(reply, shape, stamp, 20))
        for size in (1, 7, 1000):
            again = cohere.collapse(stream[at : at + size] for at in range(0, len(stream), size))
            assert summary(again) == summary(reply), row["id"]
            assert (again.id, again.tool_plan, again.parts) == (reply.id, reply.tool_plan, reply.parts)


def test_every_request_is_understood(head: Head) -> None:
    for row in rows_of("cohere.chat"):
        request = cohere.decode(head, {}, orjson.dumps(row["request"]))
        cohere.shape(request)
        assert (request.model, request.stream) == (row["request"]["model"], row["request"]["stream"])
        assert all(
            message["content"] is None or type(message["content"]) is str for message in request.body["messages"]
        )
    assert request.body["tool_choice"] == "required"


def test_embeddings(head: Head, stamp: Stamp) -> None:
    refused, answered = rows_of("cohere.embed")
    with pytest.raises(WireError, match="model 'nonexistent' not found"):
        embed.parse(orjson.dumps(refused["response"]))
    request = embed.decode(head, {}, orjson.dumps(answered["request"]))
    vectors = embed.parse(orjson.dumps(answered["response"]))
    assert orjson.loads(embed.encode(vectors, embed.shape(request), stamp)) == answered["response"]
    told = {name: answered["headers"][name] for name in ("num_chars", "num_tokens")}
    assert dict(embed.reply_headers(vectors, embed.shape(request))) == told

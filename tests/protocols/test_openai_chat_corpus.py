"""Every recorded answer of real providers, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat
from aimock_protocols.canonical import Reply
from recorded import body_of, needs_corpus, rows_of

pytestmark = needs_corpus


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row for row in rows_of("openai.chat") if row["status"] == 200]


def summary(reply: Reply) -> dict[str, Any]:
    """A reply as the independent reader puts it."""
    usage = reply.usage or {}
    return {
        "text": reply.text or "",
        "reasoning": reply.reasoning or "",
        "tools": [[call.name, orjson.loads(call.arguments)] for call in reply.tool_calls],
        "finish": reply.finish_reason,
        "usage": [usage.get("prompt_tokens"), usage.get("completion_tokens")] if usage else None,
    }


def expected(oracle: ModuleType, row: dict[str, Any]) -> Any:
    told = oracle.summary("openai.chat", row["content_type"], body_of(row))
    told["tools"] = [[name, orjson.loads(arguments)] for name, arguments in told["tools"]]
    told["finish"] = told["finish"] or None
    return told


def test_whole_bodies(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    whole = [row for row in rows if "event-stream" not in row["content_type"]]
    for row in whole:
        reply = openai_chat.parse(body_of(row))
        assert summary(reply) == expected(oracle, row), row["id"]
        assert (reply.id or "", reply.model) == (row["response"]["id"], row["response"]["model"]), row["id"]
    print(f"{len(whole)} whole bodies agree")
    assert len(whole) > 100


def test_streams(oracle: ModuleType, rows: list[dict[str, Any]]) -> None:
    streams = [row for row in rows if "event-stream" in row["content_type"]]
    interrupted = 0
    for row in streams:
        body = body_of(row)
        collapsed = openai_chat.read_stream([body])
        assert summary(collapsed.reply) == expected(oracle, row), row["id"]
        assert collapsed.dropped == 0, row["id"]
        assert collapsed.truncated == (collapsed.reply.mid_stream_error is not None), row["id"]
        interrupted += collapsed.truncated
        for size in (1, 7, 1000):
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            assert openai_chat.read_stream(pieces) == collapsed, row["id"]
    print(f"{len(streams)} streams agree, {interrupted} of them interrupted by an error")
    assert len(streams) > 20


def test_what_was_read_survives_our_own_encoding(rows: list[dict[str, Any]], ask: Any, stamp: Any) -> None:
    """Recording a recording: the second reading gives what the first gave."""
    request = ask(stream_options={"include_usage": True})
    for row in rows:
        is_stream = "event-stream" in row["content_type"]
        reply = openai_chat.collapse([body_of(row)]) if is_stream else openai_chat.parse(body_of(row))
        if reply.mid_stream_error is not None:
            continue
        again = openai_chat.collapse(
            frame.data for frame in openai_chat.frames(reply, openai_chat.shape(request), stamp, 20)
        )
        parsed = openai_chat.parse(openai_chat.encode(reply, openai_chat.shape(request), stamp))
        for copy in (again, parsed):
            assert summary(copy) | {"finish": reply.finish_reason, "usage": summary(reply)["usage"]} == summary(reply)
            for name in ("refusal", "id", "created", "model", "role", "logprobs"):
                assert getattr(reply, name) in (None, getattr(copy, name)), (row["id"], name)
            for mine, theirs in zip(copy.parts, reply.parts, strict=True):
                assert type(mine) is type(theirs), row["id"]
        for key, value in (reply.usage or {}).items():
            if value is not None and not isinstance(value, dict):
                assert (again.usage or {})[key] == value, (row["id"], key)

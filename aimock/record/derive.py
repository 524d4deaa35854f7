"""What of a request a recording is found by again: read from it by the very functions that matching uses.

So what is recorded for a request is what answers it from then on (record-replay §5.1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aimock.fixtures import Counters, Fixture, FixtureBook, Match, Question
from aimock.fixtures.question import is_system, undated
from aimock.fixtures.structure import converter
from aimock.record.config import RecordConfig
from aimock_protocols.canonical import ChatRequest


def derived_match(question: Question, config: RecordConfig) -> dict[str, Any]:
    """The `match` of what is recorded for this request: it is the request's alone, but for what nobody looks at to
    tell two requests apart (system prompt, tools, attachments, what was said before)."""
    match: dict[str, Any] = {"exact": True}
    if question.endpoint != "chat":
        match["endpoint"] = question.endpoint
    texts = {"userMessage": question.last_user_text, "inputText": question.input_text}
    match |= {key: text for key, text in texts.items() if text}
    if question.model:
        match["model"] = question.model if config.record_full_model_version else undated(question.model)
    if _is_conversation(question):
        match |= {"turnIndex": question.assistant_turns, "hasToolResult": question.has_tool_result}
    if question.context is not None:
        match["context"] = question.context
    return match


def _is_conversation(question: Question) -> bool:
    messages = question.request.body.get("messages")
    is_chat = question.endpoint == "chat" or question.endpoint.startswith("realtime")
    return is_chat and isinstance(messages, list) and bool(messages)


def next_in_sequence(match: Mapping[str, Any], book: FixtureBook, counters: Counters, test_id: str) -> int:
    """The `sequenceIndex` with which what is recorded for this match will answer in its turn: how often this test has
    been answered by the fixtures of the sequence that it joins. Nothing may come between this and registering it."""
    sequence = book.sequence_of(converter.structure(match, Match))
    return max((counters.count(test_id, each) for each in sequence), default=0)


# -- what a match leaves out ---------------------------------------------------------------------------------------

_LEFT_OUT = {"systemHash": "system prompt", "toolsHash": "tools"}


def metadata_of(chat: ChatRequest) -> dict[str, str]:
    """Short hashes of the system prompt and the tools, where the request has any (record-replay §5.5): `systemHash`
    and `toolsHash`."""
    return {key: _hash(text) for key, text in _left_out(chat.body)}


def stale(fixture: Fixture, chat: ChatRequest) -> str | None:
    """What the request says otherwise than the one that the fixture was recorded for, though it matches; None if it
    says the same, or if nobody knows."""
    recorded = fixture.metadata
    if not isinstance(recorded, Mapping) or _LEFT_OUT.keys().isdisjoint(recorded):
        return None
    now = metadata_of(chat)
    changed = [words for key, words in _LEFT_OUT.items() if recorded.get(key) != now.get(key)]
    return f"{fixture.origin} was recorded with other {' and '.join(changed)}" if changed else None


def _left_out(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    messages, tools = body.get("messages"), body.get("tools")
    prompts = [
        content if isinstance(content := message.get("content"), str) else _written(content)
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, Mapping) and is_system(message)
    ]
    if prompts:
        yield "systemHash", "\n".join(prompts)
    if tools:
        yield "toolsHash", _written(tools)


def _written(value: Any) -> str:
    """As JavaScript writes it: compact, in the order in which it stands."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]

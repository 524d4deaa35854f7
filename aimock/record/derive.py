"""What of a request a recording is found by again: read from it by the very functions that matching uses.

So what is recorded for a request is what answers it from then on (record-replay §5.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock.fixtures import Counters, Fixture, FixtureBook, Match, Question
from aimock.fixtures.question import undated
from aimock.fixtures.structure import converter
from aimock.record.config import RecordConfig


def derived_match(question: Question, config: RecordConfig) -> dict[str, Any]:
    """The `match` of what is recorded for this request. What it leaves out (system prompt, tools, what was said before,
    parameters) is in the fingerprint, which goes beside it."""
    match: dict[str, Any] = {"exact": True}
    if question.endpoint != "chat":
        match["endpoint"] = question.endpoint
    texts = {"userMessage": question.last_user_text, "inputText": question.input_text, "query": question.query}
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


_LEFT_OUT = {"systemHash": "system prompt", "toolsHash": "tools"}


def stale(fixture: Fixture, question: Question) -> str | None:
    """What the request says otherwise than the one that the fixture was recorded for, though it matches; None if it
    says the same, or if nobody knows. What was said before differs often (a time, a path), and is not told."""
    changed = [_LEFT_OUT[name] for name in fixture.differences(question) if name in _LEFT_OUT]
    return f"{fixture.origin} was recorded with other {' and '.join(changed)}" if changed else None

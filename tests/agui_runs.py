"""Runs of AG-UI agents for tests: one event of each type, parts drawn at random, and requests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from aimock_protocols.agui import parts
from aimock_protocols.agui.parts import Part
from aimock_protocols.agui.playing import RunIds
from aimock_protocols.agui.run_input import RunInput, read_input
from aimock_protocols.canonical import ENTROPY_BYTES, Stamp

Event = dict[str, Any]

PATCH = [{"op": "add", "path": "/a/0", "value": None}, {"op": "move", "from": "/b~1c", "path": ""}]
MESSAGES = [
    {"id": "1", "role": "system", "content": "be kind"},
    {"id": "2", "role": "user", "content": [{"type": "text", "text": "hi"}]},
    {
        "id": "3",
        "role": "assistant",
        "toolCalls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"id": "4", "role": "tool", "toolCallId": "c", "content": "done"},
    {"id": "5", "role": "activity", "activityType": "PLAN", "content": {"steps": []}},
    {"id": "6", "role": "reasoning", "content": "so", "encryptedValue": "sealed"},
]
INTERRUPT = {"id": "i", "reason": "approval", "message": "May I?", "responseSchema": {"type": "object"}}
USAGE = [{"provider": "openai", "model": "gpt-4o", "inputTokens": 3, "outputTokens": 4, "totalTokens": 7}]

_MESSAGE = {"messageId": "m"}
_CALL = {"toolCallId": "c"}
_ACTIVITY = {"messageId": "a", "activityType": "PLAN"}
_RUN = {"threadId": "t", "runId": "r"}
FULL_EVENTS: list[Event] = [
    {
        "type": "RUN_STARTED",
        **_RUN,
        "parentRunId": "p",
        "protocolVersion": "1.0",
        "input": {**_RUN, "messages": MESSAGES},
    },
    {"type": "RUN_FINISHED", **_RUN, "result": [1], "outcome": {"type": "interrupt", "interrupts": [INTERRUPT]}},
    {"type": "RUN_FINISHED", **_RUN, "outcome": {"type": "success", "pendingToolCallIds": ["c"]}, "usage": USAGE},
    {"type": "RUN_FINISHED", **_RUN, "outcome": {"type": "cancelled"}},
    {"type": "RUN_ERROR", "message": "down", "code": "E1", "usage": USAGE},
    {"type": "STEP_STARTED", "stepName": "s"},
    {"type": "STEP_FINISHED", "stepName": "s"},
    {"type": "TEXT_MESSAGE_START", **_MESSAGE, "role": "developer", "name": "n", "timestamp": 5, "metadata": {"k": 1}},
    {"type": "TEXT_MESSAGE_CONTENT", **_MESSAGE, "delta": "x", "rawEvent": [1], "subagentRunId": "s"},
    {"type": "TEXT_MESSAGE_END", **_MESSAGE},
    {"type": "TEXT_MESSAGE_CHUNK", **_MESSAGE, "role": "user", "delta": "", "name": "n"},
    {"type": "TOOL_CALL_START", **_CALL, "toolCallName": "f", "parentMessageId": "m"},
    {"type": "TOOL_CALL_ARGS", **_CALL, "delta": "{}"},
    {"type": "TOOL_CALL_END", **_CALL},
    {"type": "TOOL_CALL_CHUNK", **_CALL, "toolCallName": "f", "parentMessageId": "m", "delta": "{"},
    {"type": "TOOL_CALL_RESULT", **_CALL, **_MESSAGE, "content": "done", "role": "tool"},
    {
        "type": "TOOL_CALL_RESULT",
        **_CALL,
        **_MESSAGE,
        "content": [{"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}],
    },
    {"type": "STATE_SNAPSHOT", "snapshot": None},
    {"type": "STATE_DELTA", "delta": PATCH},
    {"type": "MESSAGES_SNAPSHOT", "messages": MESSAGES},
    {"type": "ACTIVITY_SNAPSHOT", **_ACTIVITY, "content": {}, "replace": False},
    {"type": "ACTIVITY_DELTA", **_ACTIVITY, "patch": PATCH},
    {"type": "REASONING_START", **_MESSAGE},
    {"type": "REASONING_MESSAGE_START", **_MESSAGE, "role": "reasoning"},
    {"type": "REASONING_MESSAGE_CONTENT", **_MESSAGE, "delta": "hm"},
    {"type": "REASONING_MESSAGE_END", **_MESSAGE},
    {"type": "REASONING_MESSAGE_CHUNK", **_MESSAGE, "delta": "hm"},
    {"type": "REASONING_END", **_MESSAGE},
    {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "tool-call", "entityId": "c", "encryptedValue": "sealed"},
    {
        "type": "SUBAGENT_STARTED",
        "subagentRunId": "s",
        "name": "n",
        "description": "d",
        "parentSubagentRunId": "p",
        "parentToolCallId": "c",
        "parentMessageId": "m",
    },
    {
        "type": "SUBAGENT_FINISHED",
        "subagentRunId": "s",
        "result": 1,
        "outcome": {"type": "suspended", "interruptIds": []},
    },
    {"type": "SUBAGENT_ERROR", "subagentRunId": "s", "message": "no", "code": "E"},
    {"type": "RAW", "event": {"x": 1}, "source": "openai"},
    {"type": "CUSTOM", "name": "n", "value": None},
]
"""Events with all that they may have; of each type one at least."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)

_LEAVES: st.SearchStrategy[Part] = st.one_of(
    st.builds(parts.text, st.text(max_size=30)),
    st.builds(parts.text_chunk, st.text(max_size=9)),
    st.builds(parts.tool_call, st.just("f"), JSON, result=JSON),
    st.builds(parts.tool_call_chunk, st.just("g"), JSON),
    st.builds(parts.tool_result, st.just("call_1"), JSON),
    st.builds(parts.reasoning, st.text(max_size=20), encrypted=st.none() | st.just("sealed")),
    st.builds(parts.reasoning_chunk, st.text(max_size=9)),
    st.builds(parts.state_snapshot, JSON),
    st.just(parts.state_delta(PATCH)),
    st.just(parts.messages_snapshot(MESSAGES)),
    st.just(parts.activity("PLAN", {"n": 1}, patches=[PATCH])),
    st.builds(parts.raw, JSON, st.none() | st.just("openai")),
    st.builds(parts.custom, st.just("n"), JSON),
    st.just(parts.error("down", "E1")),
)
PARTS: st.SearchStrategy[Part] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(
            lambda some: lambda names: parts.step(names.new("step"), *some)(names)  # two open steps have two names
        )
        | st.builds(
            lambda some, failure: parts.subagent("helper", *some, failure=failure),
            st.lists(inner, max_size=3),
            st.none() | st.just("no"),
        )
    ),
    max_leaves=6,
)


def asking(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A request for a run, as JSON."""
    return {"threadId": "t1", "runId": "r1", "messages": [{"id": "u1", "role": "user", "content": text}]} | more


def run_input(text: str = "hello", **more: Any) -> RunInput:
    return read_input(json.dumps(asking(text, **more)).encode())


def run_ids(seed: int = 0, **more: Any) -> RunIds:
    return RunIds(run_input(**more), Stamp(1_000.0, bytes([seed]) * ENTROPY_BYTES))


def events_in(body: bytes | str) -> list[Event]:
    """The events of a stream, each of which must be framed as the protocol has it."""
    text = body.decode() if isinstance(body, bytes) else body
    frames = text.split("\n\n")
    assert frames.pop() == ""
    assert all(frame.startswith("data: ") for frame in frames)
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def types_in(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]

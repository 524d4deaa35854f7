"""In which order events may come: the rules one by one, and that composed runs keep them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agui_runs import PARTS, run_ids
from aimock_protocols.agui import parts
from aimock_protocols.agui.order import violation
from aimock_protocols.agui.playing import played
from aimock_protocols.agui.vocabulary import event_faults

Event = dict[str, Any]

START: Event = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
FINISH: Event = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}
ERROR: Event = {"type": "RUN_ERROR", "message": "down"}


def text(what: str, id: str = "m", **more: Any) -> Event:
    return {"type": f"TEXT_MESSAGE_{what}", "messageId": id} | ({"delta": "x"} if what == "CONTENT" else {}) | more


def call(what: str, id: str = "c", **more: Any) -> Event:
    told = {"START": {"toolCallName": "f"}, "ARGS": {"delta": "{"}}.get(what, {})
    return {"type": f"TOOL_CALL_{what}", "toolCallId": id} | told | more


def thought(what: str, id: str = "m", **more: Any) -> Event:
    told = {"MESSAGE_START": {"role": "reasoning"}, "MESSAGE_CONTENT": {"delta": "x"}}.get(what, {})
    return {"type": f"REASONING_{what}", "messageId": id} | told | more


def step(what: str, name: str = "s", **more: Any) -> Event:
    return {"type": f"STEP_{what}", "stepName": name} | more


def sub(what: str, id: str = "a", **more: Any) -> Event:
    told = {"STARTED": {"name": "n"}, "ERROR": {"message": "no"}}.get(what, {})
    return {"type": f"SUBAGENT_{what}", "subagentRunId": id} | told | more


def chunk(kind: str = "TEXT_MESSAGE", **more: Any) -> Event:
    return {"type": f"{kind}_CHUNK"} | more


def sealed(id: str, subtype: str = "message", **more: Any) -> Event:
    return {"type": "REASONING_ENCRYPTED_VALUE", "subtype": subtype, "entityId": id, "encryptedValue": "v"} | more


def activity(**more: Any) -> Event:
    return {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "P", "content": {}} | more


def change(**more: Any) -> Event:
    return {"type": "ACTIVITY_DELTA", "messageId": "m", "activityType": "P", "patch": []} | more


BY = {"subagentRunId": "a"}
BY_OTHER = {"subagentRunId": "b"}

GOOD: dict[str, list[Event]] = {
    "nothing at all": [START, FINISH],
    "an error alone": [ERROR],
    "an error after the end": [START, FINISH, ERROR],
    "an error with all open": [START, text("START"), call("START"), step("STARTED"), ERROR],
    "a run after an error": [START, ERROR, START, FINISH],
    "two runs": [START, text("START"), text("END"), FINISH, START, text("START"), text("END"), FINISH],
    "messages side by side": [
        START,
        text("START", "1"),
        text("START", "2"),
        text("END", "1"),
        text("END", "2"),
        FINISH,
    ],
    "one id for a message and a call": [
        START,
        text("START", "x"),
        call("START", "x"),
        text("END", "x"),
        call("END", "x"),
        FINISH,
    ],
    "a message again": [START, text("START"), text("END"), text("START"), text("END"), FINISH],
    "a span and its message share an id": [
        START,
        thought("START"),
        thought("MESSAGE_START"),
        thought("MESSAGE_CONTENT"),
        thought("MESSAGE_END"),
        sealed("m"),
        thought("END"),
        FINISH,
    ],
    "steps of one name of two agents": [
        START,
        step("STARTED"),
        step("STARTED", **BY),
        step("FINISHED", **BY),
        step("FINISHED"),
        FINISH,
    ],
    "tags without a subagent": [START, text("START", **BY), text("CONTENT", **BY), text("END"), FINISH],
    "a chunk ends at whatever comes": [
        START,
        chunk(messageId="m", delta="x"),
        chunk(delta="y"),
        step("STARTED"),
        step("FINISHED"),
        FINISH,
    ],
    "a chunk goes on across raw events": [
        START,
        chunk(messageId="m"),
        {"type": "RAW", "event": 1},
        chunk(delta="y"),
        FINISH,
    ],
    "chunks of two agents": [
        START,
        chunk(messageId="1", **BY),
        chunk(messageId="2", **BY_OTHER),
        chunk(delta="x", **BY),
        chunk(delta="y", **BY_OTHER),
        FINISH,
    ],
    "the one chunk there is": [START, chunk(messageId="1", **BY), chunk(delta="x"), FINISH],
    "chunks of tool calls": [
        START,
        chunk("TOOL_CALL", toolCallId="c", toolCallName="f"),
        chunk("TOOL_CALL", delta="{}"),
        FINISH,
    ],
    "chunks of reasoning": [
        START,
        chunk("REASONING_MESSAGE", messageId="m", delta="a"),
        chunk("REASONING_MESSAGE", delta="b"),
        FINISH,
    ],
    "a call in a subagent's message": [
        START,
        text("START", **BY),
        call("START", parentMessageId="m"),
        call("ARGS", **BY),
        call("END"),
        text("END"),
        FINISH,
    ],
    "a subagent within another": [
        START,
        sub("STARTED"),
        sub("STARTED", "b", parentSubagentRunId="a"),
        sub("FINISHED", "b"),
        sub("ERROR"),
        FINISH,
    ],
    "a child of one that has ended": [
        START,
        sub("STARTED"),
        sub("FINISHED"),
        sub("STARTED", "b", parentSubagentRunId="a"),
        sub("FINISHED", "b"),
        FINISH,
    ],
    "a new activity is the newest's": [START, activity(**BY), activity(**BY_OTHER), change(**BY_OTHER), FINISH],
}

BAD: dict[str, tuple[list[Event], int, str]] = {
    "no start": ([text("START")], 0, "the first event must be RUN_STARTED"),
    "two starts": ([START, START], 1, "a run is under way already"),
    "more after the end": (
        [START, FINISH, text("START")],
        2,
        "the run has ended; only RUN_STARTED or RUN_ERROR may follow",
    ),
    "two ends": ([START, FINISH, FINISH], 2, "the run has ended"),
    "more after an error": ([START, ERROR, ERROR], 2, "the run has ended; only RUN_STARTED may follow"),
    "content of nothing": ([START, text("CONTENT")], 1, 'no text message "m" is open'),
    "end of nothing": ([START, text("END")], 1, 'no text message "m" is open'),
    "content after the end": ([START, text("START"), text("END"), text("CONTENT")], 3, 'no text message "m" is open'),
    "the same twice": ([START, text("START"), text("START")], 2, 'text message "m" is open already'),
    "arguments of nothing": ([START, call("ARGS")], 1, 'no tool call "c" is open'),
    "the same call twice": ([START, call("START"), call("START")], 2, 'tool call "c" is open already'),
    "a call left open": ([START, call("START"), FINISH], 2, 'still open: tool call "c"'),
    "a message left open": ([START, text("START"), FINISH], 2, 'still open: text message "m"'),
    "reasoning left open": ([START, thought("START"), FINISH], 2, 'still open: reasoning "m"'),
    "a thought left open": ([START, thought("MESSAGE_START"), FINISH], 2, 'still open: reasoning message "m"'),
    "thinking without a message": (
        [START, thought("START"), thought("MESSAGE_CONTENT")],
        2,
        'no reasoning message "m" is open',
    ),
    "reasoning ends unbegun": ([START, thought("END")], 1, 'no reasoning "m" is open'),
    "a step left open": ([START, step("STARTED"), FINISH], 2, 'still open: step "s"'),
    "a step twice": ([START, step("STARTED"), step("STARTED")], 2, 'step "s" is open already'),
    "a step unbegun": ([START, step("FINISHED")], 1, 'no step "s" is open'),
    "another's step": (
        [START, step("STARTED"), step("FINISHED", **BY)],
        2,
        'step "s" is the parent agent\'s, and not subagent "a"\'s',
    ),
    "another's message": ([START, text("START"), text("CONTENT", **BY)], 2, 'message "m" is the parent agent\'s'),
    "another's again": (
        [START, text("START", **BY), text("END"), text("START", **BY_OTHER)],
        3,
        'message "m" is subagent "a"\'s',
    ),
    "another's parent": (
        [START, text("START", **BY), call("START", parentMessageId="m", **BY_OTHER)],
        2,
        'tool call "c" is in message "m"',
    ),
    "from one parent to another": (
        [START, call("START"), call("END"), text("START", **BY), call("START", parentMessageId="m")],
        4,
        'tool call "c" was the parent agent\'s',
    ),
    "another's result": (
        [START, {"type": "TOOL_CALL_RESULT", "messageId": "m", "toolCallId": "c", "content": ""}, text("START", **BY)],
        2,
        'message "m" is the parent agent\'s',
    ),
    "another's activity": (
        [START, activity(**BY), activity(replace=False, **BY_OTHER), change(**BY_OTHER)],
        3,
        'activity "m" is subagent "a"',
    ),
    "another's seal": ([START, thought("START", **BY), sealed("m", **BY_OTHER)], 2, 'reasoning "m" is subagent "a"'),
    "another's sealed call": (
        [START, call("START"), sealed("c", "tool-call", **BY)],
        2,
        'tool call "c" is the parent agent\'s',
    ),
    "another's history": (
        [
            START,
            {"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "m", "role": "user", "content": ""}]},
            text("START", **BY),
        ],
        2,
        'message "m" is the parent agent\'s',
    ),
    "another's input": (
        [
            {
                **START,
                "input": {"threadId": "t", "runId": "r", "messages": [{"id": "m", "role": "reasoning", "content": ""}]},
            },
            thought("START", **BY),
        ],
        1,
        'reasoning "m" is the parent agent\'s',
    ),
    "a subagent left": ([START, sub("STARTED"), FINISH], 2, 'still open: subagent "a"'),
    "a subagent twice": ([START, sub("STARTED"), sub("STARTED")], 2, 'subagent "a" is at work already'),
    "a subagent again": ([START, sub("STARTED"), sub("ERROR"), sub("STARTED")], 3, "its id is used up"),
    "no such subagent": ([START, sub("FINISHED")], 1, 'no subagent "a" is at work'),
    "an orphan": ([START, sub("STARTED", parentSubagentRunId="z")], 1, 'its parent "z" was not started in this run'),
    "a chunk of nothing": (
        [START, chunk(delta="x")],
        1,
        "the first TEXT_MESSAGE_CHUNK of a text message must have a messageId",
    ),
    "a call of no name": ([START, chunk("TOOL_CALL", toolCallId="c")], 1, "must have a toolCallName"),
    "chunks that differ": (
        [START, chunk(messageId="m", role="user"), chunk(role="system")],
        2,
        'role "system" is not the open text',
    ),
    "whose chunk": (
        [START, chunk(messageId="1", **BY), chunk(messageId="2", **BY_OTHER), chunk(delta="x")],
        3,
        "it does not say which",
    ),
    "another's chunk": (
        [START, chunk(messageId="1", **BY), chunk(messageId="1", **BY_OTHER)],
        2,
        'text message "1" is subagent "a"',
    ),
    "a chunk, and the rest of a message": (
        [START, chunk(messageId="m"), text("CONTENT")],
        2,
        'no text message "m" is open',
    ),
}


@pytest.mark.parametrize("events", GOOD.values(), ids=GOOD)
def test_a_run_in_order(events: list[Event]) -> None:
    assert not [fault for event in events for fault in event_faults(event)]
    assert violation(events) is None


@pytest.mark.parametrize(("events", "place", "rule"), BAD.values(), ids=BAD)
def test_a_run_out_of_order(events: list[Event], place: int, rule: str) -> None:
    assert not [fault for event in events for fault in event_faults(event)]
    found = violation(events)
    assert found is not None
    assert found.place == place
    assert rule in found.rule


@given(st.lists(PARTS, max_size=5), st.booleans(), st.none() | st.integers(1, 5))
def test_a_composed_run_is_in_order(some: list[parts.Part], interrupted: bool, chunk_size: int | None) -> None:
    """Whatever it is made of, and however it is cut."""
    events = parts.run(*some, interrupts=[{"id": "i", "reason": "r"}] if interrupted else [])
    made = played(events, run_ids(), chunk_size)
    assert not [fault for event in made for fault in event_faults(event)]
    assert violation(made) is None
    assert made[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    assert not any(event.get("delta") == "" for event in made if not event["type"].endswith("_CHUNK"))

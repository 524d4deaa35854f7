"""The events of AG-UI by themselves, held against the types of ag-ui-protocol."""

from __future__ import annotations

import copy
import json
from typing import Any, get_args

import pytest
from ag_ui.core import Event, EventType
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agui_runs import FULL_EVENTS, JSON
from aimock_protocols.agui.vocabulary import EVENT_TYPES, FIELDS, event_faults

OFFICIAL: TypeAdapter[Any] = TypeAdapter(Event)


def officially(event: Any) -> bool:
    try:
        OFFICIAL.validate_json(json.dumps(event), strict=True)
    except ValidationError:
        return False
    return True


def test_there_are_the_types_of_the_protocol_with_their_fields() -> None:
    assert set(EVENT_TYPES) == {kind.value for kind in EventType}
    assert len(EVENT_TYPES) == 31
    for model in get_args(get_args(Event)[0]):
        kind = model.model_fields["type"].default.value
        assert FIELDS[kind] == {field.alias or name for name, field in model.model_fields.items()}
        required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
        missing = {fault.partition(":")[0] for fault in event_faults({"type": kind}) if fault.endswith("is missing")}
        assert missing - {"role"} == required - {
            "type"
        }  # the library fills in the role of reasoning, as if it were sent


@pytest.mark.parametrize("event", FULL_EVENTS, ids=lambda event: event["type"])
def test_a_full_event_is_good_here_and_there(event: dict[str, Any]) -> None:
    assert {kind["type"] for kind in FULL_EVENTS} == set(EVENT_TYPES)
    assert [*event_faults(event)] == []
    assert officially(event)


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """A good event, in which one value is another, or is missing."""
    event = copy.deepcopy(draw(st.sampled_from(FULL_EVENTS)))
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            if isinstance(inner, dict | list):
                walk(inner)

    walk(event)
    holder, key = draw(st.sampled_from(places))
    if isinstance(holder, dict) and draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = draw(JSON | st.just({"type": []}) | st.just("tool-call") | st.floats())
    return event


@given(bent())
def test_what_is_accepted_here_is_accepted_by_the_library(event: Any) -> None:
    try:
        json.dumps(event, allow_nan=False)
    except ValueError:
        return
    if not [*event_faults(event)]:
        assert officially(event)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (3, "expected an object, got 3"),
        ({}, "type: expected that of an event, got null"),
        ({"type": []}, "type: expected that of an event, got []"),
        ({"type": "TEXT_MESSAGE_STRAT"}, 'type: expected that of an event, got "TEXT_MESSAGE_STRAT", did you mean'),
        ({"type": "STEP_STARTED"}, "stepName: is missing"),
        ({"type": "STEP_STARTED", "stepName": 3}, "stepName: expected a string, got 3"),
        ({"type": "STEP_STARTED", "stepName": "s", "timestamp": 1.5}, "timestamp: expected a whole number of milli"),
        (
            {"type": "STEP_STARTED", "stepName": "s", "subagentRunId": None},
            "subagentRunId: expected a string, got null",
        ),
        ({"type": "STATE_DELTA", "delta": {}}, "delta: expected an array, got {}"),
        ({"type": "STATE_DELTA", "delta": [{"op": "put", "path": ""}]}, 'delta[0].op: expected "add" or "remove" or'),
        ({"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a"}]}, "delta[0].value: is missing"),
        ({"type": "STATE_DELTA", "delta": [{"op": "remove", "path": "a"}]}, "delta[0].path: expected a JSON Pointer"),
        ({"type": "STATE_DELTA", "delta": [{"op": "copy", "path": ""}]}, "delta[0].from: is missing"),
        ({"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "1", "role": "bot"}]}, 'messages[0].role: expected "devel'),
        ({"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "1", "role": "user"}]}, "messages[0].content: is missing"),
        (
            {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "outcome": {"type": "interrupt", "interrupts": []}},
            "outcome.interrupts: expected an array of 1 or more, got []",
        ),
        ({"type": "RUN_ERROR", "message": "m", "usage": [{"inputTokens": -1}]}, "usage[0].inputTokens: expected a"),
        (
            {"type": "REASONING_MESSAGE_START", "messageId": "m", "role": "user"},
            'role: expected "reasoning", got "user"',
        ),
        (
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "P", "content": []},
            "content: expected an obj",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(event: Any, said: str) -> None:
    assert next(event_faults(event)).startswith(said)
    assert not officially(event) or "role" in said or "subagentRunId" in said

"""The types of ag-ui-protocol over streams of a live server: the library's own request, and its own events."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from ag_ui.core import Event, RunAgentInput, UserMessage
from pydantic import TypeAdapter

from agui_runs import FULL_EVENTS, events_in
from aimock import AGUIMock

OFFICIAL: TypeAdapter[Any] = TypeAdapter(Event)

BY_METHOD: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "on_message": (["go", "Hello there"], {"chunk_size": 4}),
    "on_run": (["go", [{"type": "RUN_STARTED"}, {"type": "RUN_FINISHED", "result": 1}]], {}),
    "on_tool_call": (["go", "f", {"a": 1}], {"result": [1]}),
    "on_tool_result": (["call_1", "done"], {"match": None}),
    "on_state_key": (["k", {"k": 2}], {}),
    "on_reasoning": (["go", "hm", "so"], {}),
    "on_predicate": ([lambda body: True, "yes"], {}),
    "on_interrupt": (["go", "approval"], {"interrupt_id": "i", "message": "Really?"}),
    "on_resume": (["i", "gone on"], {"status": "resolved"}),
    "on_error": (["go", "down", "E1"], {}),
}

PARTS: list[dict[str, Any]] = [
    {"text": "Hi", "role": "user", "name": "n"},
    {"textChunk": "Hi"},
    {"toolCall": "f", "arguments": {"a": 1}, "result": "x", "toolCallId": "c"},
    {"toolCallChunk": "f", "arguments": "{}"},
    {"toolResult": "c", "content": [{"type": "text", "text": "x"}]},
    {"reasoning": "hm", "encrypted": "sealed"},
    {"reasoningChunk": "hm"},
    {"encryptedValue": "c", "value": "sealed", "subtype": "tool-call"},
    {"stateSnapshot": {"n": 1}},
    {"stateDelta": [{"op": "add", "path": "/n", "value": 2}]},
    {"messagesSnapshot": [{"id": "1", "role": "user", "content": "x"}]},
    {"activity": "PLAN", "content": {"a": 1}, "patches": [[{"op": "remove", "path": "/a"}]]},
    {"activityDelta": "a1", "activityType": "PLAN", "patch": []},
    {"raw": {"x": 1}, "source": "openai"},
    {"custom": "n", "value": [1]},
    {"error": "down", "code": "E1"},
    {"step": "s", "run": [{"text": "in it"}]},
    {"subagent": "a", "run": [{"subagent": "b", "run": [{"text": "x"}], "failure": "no"}], "result": 1},
]


def played(agent: AGUIMock, **asked: Any) -> list[Any]:
    """The events of a run, each read strictly as the library reads it."""
    request = RunAgentInput(
        thread_id="t", run_id="r", messages=[UserMessage(id="u", content="go")], protocol_version="1.0", **asked
    )
    response = httpx.post(agent.url, content=request.model_dump_json(by_alias=True))
    assert response.headers["content-type"] == "text/event-stream"
    frames = response.text.removesuffix("\n\n").split("\n\n")
    read = [OFFICIAL.validate_json(frame.removeprefix("data: "), strict=True) for frame in frames]
    assert not [event for event in read if event.model_extra]
    assert [event.model_dump(mode="json", by_alias=True) for event in read] == events_in(response.text)
    return read


@pytest.mark.parametrize("method", BY_METHOD)
def test_what_each_method_makes(method: str, agent: AGUIMock) -> None:
    args, options = BY_METHOD[method]
    getattr(agent, method)(*args, **{key: value for key, value in options.items() if value is not None})
    asked: dict[str, Any] = {}
    if method == "on_state_key":
        asked["state"] = {"k": 1}
    if method == "on_resume":
        asked["resume"] = [{"interruptId": "i", "status": "resolved"}]
    if method == "on_tool_result":
        agent.add_fixture({"match": {"toolCallId": "call_2"}, "text": "other"})
        body = {"messages": [{"role": "tool", "toolCallId": "call_1", "content": ""}]}
        assert "done" in httpx.post(agent.url, json=body).text
        return
    events = played(agent, **asked)
    assert (events[0].thread_id, events[0].run_id, events[0].protocol_version) == ("t", "r", "1.0")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: next(iter(part)))
def test_what_each_part_of_a_run_makes(part: dict[str, Any], agent: AGUIMock) -> None:
    agent.add_fixture({"match": {}, "run": [part]})
    assert len(played(agent)) >= 2


def test_events_of_every_type_as_they_are_written(agent: AGUIMock) -> None:
    agent.add_fixture({"match": {}, "events": FULL_EVENTS, "validate": False})
    assert len(played(agent)) == len(FULL_EVENTS)

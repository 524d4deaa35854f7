"""The official client (HttpAgent of @ag-ui/client) on a live server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agui_runs import PATCH
from aimock import AGUIMock
from aimock_protocols.agui import parts

Run = Callable[..., list[Any]]

PARTS: dict[str, parts.Part] = {
    "text": parts.text("Hi there!"),
    "text chunk": parts.text_chunk("Hi"),
    "tool call": parts.tool_call("f", {"a": 1}, result={"ok": True}),
    "tool call chunk": parts.tool_call_chunk("f", {"a": 1}),
    "tool result": parts.tool_result("c", [{"type": "text", "text": "done"}]),
    "reasoning": parts.reasoning("hm", encrypted="sealed"),
    "reasoning chunk": parts.reasoning_chunk("hm"),
    "encrypted value": parts.encrypted_value("m", "sealed"),
    "state snapshot": parts.state_snapshot({"n": 1}),
    "state delta": parts.state_delta([{"op": "add", "path": "/n", "value": 2}]),
    "messages": parts.messages_snapshot([{"id": "1", "role": "user", "content": "hi"}]),
    "activity": parts.activity("PLAN", {"a": [1]}, patches=[PATCH[:1]]),
    "activity delta": parts.activity_delta("m", "PLAN", []),
    "raw": parts.raw({"x": 1}, "openai"),
    "custom": parts.custom("n", {"v": 1}),
    "error": parts.error("down", "E1"),
    "step": parts.step("plan", parts.text("in it")),
    "subagent": parts.subagent("helper", parts.text("sub"), parts.tool_call("g"), result=3),
    "subagent within another": parts.subagent("a", parts.subagent("b", parts.reasoning("deep")), failure="no"),
}


@pytest.mark.parametrize("name", PARTS)
def test_the_client_takes_every_part(name: str, agent: AGUIMock, run: Run) -> None:
    agent.on_run("go", parts.run(PARTS[name]))
    (told,) = run({"text": "go"}, state={})
    assert told["error"] is None
    assert told["types"][0] == "RUN_STARTED"
    assert told["types"][-1] == ("RUN_ERROR" if name == "error" else "RUN_FINISHED")
    assert told["ids"] == ["thread/run-0"]


def test_text_arrives_whole_however_it_is_cut(agent: AGUIMock, run: Run) -> None:
    agent.on_message("hello", "Hello, you there.", chunk_size=3)
    (told,) = run({"text": "hello"})
    assert told["types"].count("TEXT_MESSAGE_CONTENT") == 6
    assert told["messages"][-1]["content"] == "Hello, you there."


def test_a_tool_of_the_client_s_and_its_result(agent: AGUIMock, run: Run) -> None:
    agent.on_tool_call("weather", "get_weather", {"city": "Bern"}, tool_call_id="call_w")
    agent.on_tool_result("call_w", "It rains.")
    first, second = run({"text": "weather?"}, {"toolCallId": "call_w", "result": '{"rain": true}'})
    call = first["messages"][-1]["toolCalls"][0]
    assert (call["id"], call["function"]["name"]) == ("call_w", "get_weather")
    assert second["error"] is None
    assert second["messages"][-1]["content"] == "It rains."


def test_a_tool_that_the_agent_runs_itself(agent: AGUIMock, run: Run) -> None:
    agent.on_tool_call("sum", "add", {"a": 1, "b": 2}, result=3)
    (told,) = run({"text": "sum"})
    assert [message["role"] for message in told["messages"]] == ["user", "assistant", "tool"]
    assert told["messages"][-1]["content"] == "3"


def test_state_by_snapshot_and_delta(agent: AGUIMock, run: Run) -> None:
    agent.on_run(
        "count",
        parts.run(parts.state_snapshot({"n": 1}), parts.state_delta([{"op": "replace", "path": "/n", "value": 2}])),
    )
    agent.on_state_key("n", {"n": 9})
    first, second = run({"text": "count"}, {"text": "again"})
    assert first["state"] == {"n": 2}
    assert second["state"] == {"n": 9}


def test_reasoning_comes_before_the_answer(agent: AGUIMock, run: Run) -> None:
    agent.on_reasoning("why", "Because.", "So it is.")
    (told,) = run({"text": "why"})
    assert [(message["role"], message["content"]) for message in told["messages"][1:]] == [
        ("reasoning", "Because."),
        ("assistant", "So it is."),
    ]


def test_an_interrupt_and_its_answers(agent: AGUIMock, run: Run) -> None:
    agent.on_interrupt("book", "approval", interrupt_id="i1", message="Really?")
    agent.on_resume("i1", "Booked.", status="resolved", payload={"approved": True})
    agent.on_resume("i1", "Left alone.")
    answers = [
        {"interruptId": "i1", "status": "resolved", "payload": {"approved": True, "by": "me"}},
        {"interruptId": "i1", "status": "cancelled"},
    ]
    for answer, said in zip(answers, ["Booked.", "Left alone."], strict=True):
        first, second = run({"text": "book it"}, {"resume": [answer]})
        assert [(one["id"], one["message"]) for one in first["interrupts"]] == [("i1", "Really?")]
        assert second["error"] is None
        assert second["interrupts"] == []
        assert second["messages"][-1]["content"] == said


def test_an_error_of_the_run(agent: AGUIMock, run: Run) -> None:
    agent.on_error("break", "Out of order", "E_OUT")
    (told,) = run({"text": "break"})
    assert told["types"] == ["RUN_STARTED", "RUN_ERROR"]


def test_a_request_that_nothing_matches(agent: AGUIMock, run: Run) -> None:
    (told,) = run({"text": "who"})
    assert told["error"] == 'HTTP 404: {"error":"No matching AG-UI fixture"}'


def test_a_run_that_breaks_the_rules_on_purpose(agent: AGUIMock, run: Run) -> None:
    """How a client bears it can be tested too."""
    events = [*parts.run()[:1], {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "x"}]
    agent.on_run("odd", events, validate=False)
    (told,) = run({"text": "odd"})
    assert "No active text message found with ID 'm'" in told["error"]


def test_runs_side_by_side_do_not_meet(agent: AGUIMock, run: Run) -> None:
    agent.on_message("first", "one " * 20, chunk_size=2, delay_ms=2)
    agent.on_message("second", "two " * 20, chunk_size=3, delay_ms=3)
    told = run({"text": "first"}, {"text": "second"}, concurrent=True)
    assert [one["error"] for one in told] == [None, None]
    assert [one["ids"] for one in told] == [["thread-0/run-0"], ["thread-1/run-1"]]
    assert [one["messages"][-1]["content"] for one in told] == ["one " * 20, "two " * 20]
    assert told[0]["messages"][-1]["id"] != told[1]["messages"][-1]["id"]


def test_a_client_that_leaves_midway(agent: AGUIMock, run: Run) -> None:
    agent.on_message("long", "word " * 200, chunk_size=1, delay_ms=5)
    agent.on_message("short", "here")
    (told,) = run({"text": "long", "abortAfter": 10})
    assert len(told["types"]) < 200
    (after,) = run({"text": "short"})
    assert after["messages"][-1]["content"] == "here"
    first = agent.get_requests()[0]
    assert first["response"]["interrupted"] is True


def test_chaos_is_heard_of_as_an_error(agent: AGUIMock, run: Run) -> None:
    agent.on_message("hello", "Hello")
    (told,) = run({"text": "hello"}, headers={"x-aimock-fault": "unavailable"})
    assert told["error"] == 'HTTP 503: {"error":"Service temporarily unavailable"}'
    (told,) = run({"text": "hello"}, headers={"x-aimock-fault": "error-event;afterChunks=2"})
    assert told["types"] == ["RUN_STARTED", "TEXT_MESSAGE_START", "RUN_ERROR"]

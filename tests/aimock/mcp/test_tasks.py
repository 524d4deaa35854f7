"""Tasks: those of 2025-11-25, and the extension of 2026-07-28."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from aimock.surfaces.mcp.mock import MCPMock
from aimock.surfaces.mcp.moves import Wanted
from aimock.surfaces.mcp.tasks import EXTENSION, Lasting, Task, Tasks
from mcp_asking import Client, ModernClient

FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASKS = {"elicitation": {"message": "Name?", "requestedSchema": FORM}}
ENTRIES = [
    {"name": "quick", "task": {"ttlMs": 60000, "pollIntervalMs": 5, "statusMessage": "Hm"}, "result": "done"},
    {"name": "stuck", "task": {"delayMs": 3600000}, "result": "late"},
    {"name": "fails", "task": {}, "result": {"content": [], "isError": True}},
    {"name": "breaks", "task": {}, "result": {"error": {"code": -32099, "message": "no"}}},
    {"name": "asks", "task": {"steps": [{"ask": {"a": ASKS, "b": ASKS}}]}, "result": "{{input.a.content.name}}"},
    {"name": "must", "execution": {"taskSupport": "required"}, "result": "x"},
    {"name": "never", "result": "x"},
]


@pytest.fixture
def mock() -> Iterator[MCPMock]:
    with MCPMock().add({"tools": ENTRIES}) as running:
        yield running


@pytest.fixture
def legacy(mock: MCPMock) -> Iterator[Client]:
    with Client(mock.url) as client:
        client.open(capabilities={"elicitation": {}})
        yield client


@pytest.fixture
def modern(mock: MCPMock) -> Iterator[ModernClient]:
    with ModernClient(mock.url, {"elicitation": {}, "extensions": {EXTENSION: {}}}) as client:
        yield client


def begun(client: Client, name: str) -> dict[str, Any]:
    if isinstance(client, ModernClient):
        return dict(client.ask("tools/call", {"name": name})["result"])
    return dict(client.ask("tools/call", {"name": name, "task": {"ttl": 1000}})["result"]["task"])


def when(client: Client, task: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The task once that holds; the server goes on between two requests."""
    for _ in range(1000):
        told: dict[str, Any] = client.ask("tasks/get", {"taskId": task["taskId"]})["result"]
        if holds(told):
            return told
    raise AssertionError(told)


def is_over(told: dict[str, Any]) -> bool:
    return told["status"] in ("completed", "failed", "cancelled")


def test_a_legacy_task(legacy: Client) -> None:
    task = begun(legacy, "quick")
    assert (task["status"], task["statusMessage"], task["ttl"], task["pollInterval"]) == ("working", "Hm", 1000, 5)
    result = legacy.ask("tasks/result", {"taskId": task["taskId"]})["result"]
    assert result["content"] == [{"type": "text", "text": "done"}]
    assert result["_meta"] == {"io.modelcontextprotocol/related-task": {"taskId": task["taskId"]}}
    assert when(legacy, task, is_over)["status"] == "completed"
    assert [listed["taskId"] for listed in legacy.ask("tasks/list")["result"]["tasks"]] == [task["taskId"]]
    assert legacy.ask("tasks/cancel", {"taskId": task["taskId"]})["error"]["code"] == -32602
    assert legacy.ask("tasks/get", {"taskId": "none"})["error"]["code"] == -32602


@pytest.mark.parametrize(("name", "status"), [("fails", "failed"), ("breaks", "failed")])
def test_a_legacy_task_that_fails(legacy: Client, name: str, status: str) -> None:
    task = begun(legacy, name)
    assert when(legacy, task, is_over)["status"] == status
    told = legacy.ask("tasks/result", {"taskId": task["taskId"]})
    assert told["error"]["code"] == -32099 if name == "breaks" else told["result"]["isError"]


def test_a_legacy_task_is_its_session_s(mock: MCPMock, legacy: Client) -> None:
    task = begun(legacy, "stuck")
    with Client(mock.url) as other:
        other.open()
        assert other.ask("tasks/get", {"taskId": task["taskId"]})["error"]["code"] == -32602
        assert other.ask("tasks/list")["result"]["tasks"] == []
    assert legacy.ask("tasks/cancel", {"taskId": task["taskId"]})["result"]["status"] == "cancelled"
    assert legacy.ask("tasks/result", {"taskId": task["taskId"]})["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("params", "code"),
    [({"name": "must"}, -32601), ({"name": "never", "task": {}}, -32601), ({"name": "quick", "task": 5}, -32602)],
)
def test_a_tool_says_whether_it_becomes_a_task(legacy: Client, params: dict[str, Any], code: int) -> None:
    assert legacy.ask("tools/call", params)["error"]["code"] == code


@pytest.mark.parametrize("revision", ["2025-06-18", "2024-11-05"])
def test_older_revisions_have_none(mock: MCPMock, revision: str) -> None:
    with Client(mock.url) as client:
        assert "tasks" not in client.open(revision).json()["result"]["capabilities"]
        assert client.ask("tools/call", {"name": "must"})["result"]["content"][0]["text"] == "x"
        assert client.ask("tasks/list")["error"]["code"] == -32601


def test_a_modern_task(modern: ModernClient) -> None:
    task = begun(modern, "quick")
    assert (task["resultType"], task["ttlMs"], task["pollIntervalMs"]) == ("task", 60000, 5)
    told = when(modern, task, is_over)
    assert (told["status"], told["result"]["content"][0]["text"]) == ("completed", "done")
    assert modern.ask("tasks/cancel", {"taskId": task["taskId"]})["result"]["resultType"] == "complete"
    assert modern.ask("tasks/list")["error"]["code"] == -32601


@pytest.mark.parametrize(("name", "status"), [("fails", "completed"), ("breaks", "failed")])
def test_a_modern_task_that_fails(modern: ModernClient, name: str, status: str) -> None:
    told = when(modern, begun(modern, name), is_over)
    assert told["status"] == status
    assert told["error"]["code"] == -32099 if name == "breaks" else told["result"]["isError"]


def test_a_modern_task_that_asks(modern: ModernClient) -> None:
    task = begun(modern, "asks")
    told = when(modern, task, lambda told: told["status"] == "input_required")
    assert sorted(told["inputRequests"]) == ["a", "b"]
    answer = {"action": "accept", "content": {"name": "Ann"}}
    update = {"taskId": task["taskId"], "inputResponses": {"a": answer, "b": {"action": "?"}, "c": answer}}
    assert modern.ask("tasks/update", update)["result"]["resultType"] == "complete"
    assert [*when(modern, task, lambda told: True)["inputRequests"]] == ["b"]
    modern.ask("tasks/update", {"taskId": task["taskId"], "inputResponses": {"b": answer}})
    assert when(modern, task, is_over)["result"]["content"][0]["text"] == "Ann"
    assert modern.ask("tasks/update", {"taskId": task["taskId"]})["error"]["code"] == -32602


def test_a_modern_client_without_the_extension(mock: MCPMock, modern: ModernClient) -> None:
    task = begun(modern, "stuck")
    with ModernClient(mock.url) as client:
        assert client.ask("tools/call", {"name": "quick"})["result"]["content"][0]["text"] == "done"
        for method, params in (("tools/call", {"name": "must"}), ("tasks/get", {"taskId": task["taskId"]})):
            error = client.ask(method, params)["error"]
            assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": {"extensions": {EXTENSION: {}}}})
    assert modern.ask("tasks/cancel", {"taskId": task["taskId"]})["result"] is not None
    assert when(modern, task, is_over)["status"] == "cancelled"


def test_a_reset_ends_all(mock: MCPMock, modern: ModernClient) -> None:
    task = begun(modern, "stuck")
    mock.reset()
    assert modern.ask("tasks/get", {"taskId": task["taskId"]})["error"]["code"] == -32602


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_there_are_so_many_tasks_each_for_its_time() -> None:
    tasks, now = Tasks(), [0.0]
    for number in range(2000):
        tasks.add(Task(str(number), "", Lasting(ttl_ms=10_000), lambda: now[0]))
    assert len(tasks.of("", 0)) == 1000
    over = tasks.get("1500", "", 0)
    assert over is not None
    over.become("completed")
    over.become("working")
    assert over.status == "completed"
    tasks.add(Task("new", "", Lasting(ttl_ms=20_000), lambda: now[0]))
    assert tasks.get("1500", "", 0) is None  # what is over goes first
    assert [task.id for task in tasks.of("", 15)] == ["new"]


async def test_a_task_hears_only_what_it_asked(nursery: trio.Nursery) -> None:
    heard: list[str] = []
    task = Task("t", "", Lasting(), lambda: 1.0)
    task.on_change = lambda changed: heard.append(changed.status)
    answers: dict[str, Any] = {}

    async def ask() -> None:
        answers.update(await task.ask({"r": Wanted("roots/list", {})}))
        task.become("completed")

    nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    task.answer({"other": {}, "r": 5})
    assert task.status == "input_required"
    task.answer({"r": {"roots": []}})
    await task.done.wait()
    assert answers == {"r": {"roots": []}}
    assert heard == ["input_required", "working", "completed"]

"""What a compatibility kit for A2A looks at that is not in other tests, against a config that is made for one (spec:
wire-a2a §10)."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aimock import AIMock
from aimock.surfaces.a2a import from_config

from .conftest import V1, events_of, message, old_message

KIT = {
    "agents": [
        {
            "name": "sut",
            "description": "Is tested",
            "skills": [{"id": "any", "name": "Anything", "tags": ["test"]}],
            "streamingTasks": [
                {
                    "pattern": "",
                    "messageIdPrefix": "test-resubscribe-message-id",
                    "events": [
                        {"type": "status", "state": "working"},
                        {"type": "status", "state": "completed", "delayMs": 600_000},
                    ],
                },
                {"pattern": "", "finalState": "input-required", "statusMessage": "What else?"},
            ],
        }
    ]
}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with AIMock(seed=1) as mock, httpx.Client(verify=False, base_url=mock.url) as client:
        mock.mount("/a2a", from_config(KIT, Path()))
        yield client


@pytest.fixture
def rpc(http: httpx.Client) -> Callable[..., Any]:
    def call(method: str, params: Any, id: Any = 1) -> Any:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        told = http.post("/a2a", json=body).json()
        assert (told["jsonrpc"], told["id"]) == ("2.0", id)
        return told["result"] if "result" in told else told["error"]["code"]

    return call


PARTS = [
    {"kind": "text", "text": "Hello, ☃ 😀"},
    {"kind": "file", "file": {"name": "t.txt", "mimeType": "text/plain", "uri": "https://example.com/t.txt"}},
    {"kind": "file", "file": {"name": "t.bin", "bytes": "dGNr"}},
    {"kind": "data", "data": {"key": "value", "nested": {"array": [1, 2, 3]}}},
    {"kind": "text", "text": "x" * 1_000_000},
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["kind"])
def test_parts_of_every_kind(rpc: Callable[..., Any], part: Any) -> None:
    task = rpc("message/send", old_message(parts=[part]))
    assert task["status"]["state"] == "input-required"
    assert task["history"][0]["parts"] == [part]


@pytest.mark.parametrize("id", ["text", 7, "", -(2**53)])
def test_ids_are_echoed(rpc: Callable[..., Any], id: Any) -> None:
    rpc("message/send", old_message(), id)
    rpc("tasks/get", {}, id)


def test_a_task_is_continued_looked_at_and_canceled(rpc: Callable[..., Any]) -> None:
    task = rpc("message/send", old_message("one"))
    again = rpc("message/send", old_message("two", taskId=task["id"]))
    assert (again["id"], again["contextId"]) == (task["id"], task["contextId"])
    got = rpc("tasks/get", {"id": task["id"], "historyLength": 1})
    assert [said["parts"][0]["text"] for said in got["history"]] == ["two"]
    assert rpc("tasks/cancel", {"id": task["id"]})["status"]["state"] == "canceled"
    assert rpc("tasks/cancel", {"id": task["id"]}) == -32002
    assert rpc("tasks/cancel", {"id": "unknown"}) == -32001
    assert rpc("message/send", old_message("three", taskId=task["id"])) == -32004
    assert rpc("message/send", old_message("three", taskId="unknown")) == -32001


def test_a_stream_ends_with_its_final_event(http: httpx.Client) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": old_message()}
    results = [event["result"] for event in events_of(http.post("/a2a", json=body))]
    assert [result["kind"] for result in results] == ["task", "status-update"]
    assert [result.get("final", False) for result in results] == [False, True]


def test_a_task_that_stays_can_be_taken_up_again(http: httpx.Client, rpc: Callable[..., Any]) -> None:
    sent = {**old_message(messageId="test-resubscribe-message-id-1"), "configuration": {"blocking": False}}
    id = rpc("message/send", sent)["id"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/resubscribe", "params": {"id": id}}
    with http.stream("POST", "/a2a", json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert next(response.iter_lines()).startswith('data: {"jsonrpc":"2.0","id":1,"result":{"kind":"task"')
    assert rpc("tasks/get", {"id": id})["status"]["state"] == "working"
    assert rpc("tasks/resubscribe", {"id": "unknown"}) == -32001


def test_the_same_over_every_interface(http: httpx.Client, rpc: Callable[..., Any]) -> None:
    task = rpc("SendMessage", message())["task"]
    assert http.get(f"/a2a/tasks/{task['id']}", headers=V1).json() == rpc("GetTask", {"id": task["id"]}) == task
    (listed,) = http.get("/a2a/tasks", headers=V1).json()["tasks"]
    assert listed == task == rpc("ListTasks", {})["tasks"][0]
    for error in (rpc("CancelTask", {"id": "x"}), rpc("tasks/cancel", {"id": "x"})):
        assert error == -32001
    assert http.post("/a2a/tasks/x:cancel", headers=V1).status_code == 404


def test_many_at_once_do_not_meet(http: httpx.Client) -> None:
    def send(number: int) -> tuple[str, str, str]:
        task = http.post("/a2a/message:send", json=message(f"message {number}")).json()["task"]
        return task["id"], task["contextId"], task["history"][0]["parts"][0]["text"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sent = [*pool.map(send, range(64))]
    assert [text for _, _, text in sent] == [f"message {number}" for number in range(64)]
    assert len({id for id, _, _ in sent}) == len({context for _, context, _ in sent}) == 64

"""Push notifications, delivered to a real server of this machine."""

from __future__ import annotations

import contextlib
import http.server
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest

from aimock.surfaces.a2a.mock import A2AMock

from .conftest import V1, message, old_message

RPC = Callable[..., Any]


@attrs.define
class Hook:
    """A server that takes notifications."""

    url: str
    received: queue.Queue[tuple[dict[str, str], Any]] = attrs.field(factory=queue.Queue)
    """Headers, names in lower case, and body."""
    status: int = 200
    released: threading.Event = attrs.field(factory=threading.Event)
    """Nothing is answered before."""

    def next(self) -> tuple[dict[str, str], Any]:
        return self.received.get(timeout=10)


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.received.put(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            made.released.wait(10)
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made = Hook(f"http://127.0.0.1:{server.server_port}/hook?a=b")
        made.released.set()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        made.released.set()
        server.shutdown()
        thread.join()


def test_each_event_is_told_in_1_0(agent: A2AMock, rpc: RPC, hook: Hook) -> None:
    agent.on_streaming_task(
        "bot", "", [{"type": "status", "state": "working"}, {"type": "artifact", "parts": "a"}], delay_ms=20
    )
    config = {"url": hook.url, "token": "secret", "authentication": {"scheme": "Bearer", "credentials": "key"}}
    now = {"configuration": {"taskPushNotificationConfig": config, "returnImmediately": True}}
    id = rpc("SendMessage", {**message(), **now}, V1)["result"]["task"]["id"]
    told = [hook.next() for _ in range(3)]
    for headers, _ in told:
        assert headers["content-type"] == "application/a2a+json"
        assert headers["x-a2a-notification-token"] == "secret"
        assert headers["authorization"] == "Bearer key"
        assert headers["host"] == hook.url.split("/")[2]
    working, artifact, completed = (body for _, body in told)
    assert working["statusUpdate"]["status"]["state"] == "TASK_STATE_WORKING"
    assert artifact["artifactUpdate"]["artifact"]["parts"] == [{"text": "a"}]
    assert completed["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert working["statusUpdate"]["taskId"] == id


def test_0_3_is_told_the_task(agent: A2AMock, rpc: RPC, hook: Hook) -> None:
    agent.on_task("bot", "", final_state="working")
    id = rpc("message/send", old_message())["result"]["id"]
    config = {"taskId": id, "pushNotificationConfig": {"url": hook.url, "token": "t"}}
    assert rpc("tasks/pushNotificationConfig/set", config)["result"]["pushNotificationConfig"]["id"] == id
    rpc("tasks/cancel", {"id": id})
    headers, task = hook.next()
    assert (headers["content-type"], headers["x-a2a-notification-token"]) == ("application/json", "t")
    assert (task["kind"], task["id"], task["status"]["state"]) == ("task", id, "canceled")
    assert "authorization" not in headers


def test_the_journal_keeps_no_secrets(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    agent.on_task("bot", "", final_state="working")
    given = {"url": "http://127.0.0.1:1", "token": "hush-1", "authentication": {"scheme": "A", "credentials": "hush-2"}}
    said = message("my token", metadata={"token": "said"})
    id = rpc("SendMessage", {**said, "configuration": {"taskPushNotificationConfig": given}})["result"]["task"]["id"]
    old = {"schemes": ["A"], "credentials": "hush-2"}
    rpc("tasks/pushNotificationConfig/set", {"taskId": id, "pushNotificationConfig": {**given, "authentication": old}})
    http.post(f"{agent.url}/tasks/{id}/pushNotificationConfigs", json=given)
    rpc("CreateTaskPushNotificationConfig", {"token": "hush-1"})
    requests = agent.get_requests()
    assert len(requests) == 4
    assert "hush" not in json.dumps(requests)
    assert requests[0]["body"]["params"]["message"] == said["message"]
    assert requests[2]["body"]["token"] == "[REDACTED]"


def test_what_was_deleted_is_told_nothing(agent: A2AMock, rpc: RPC, hook: Hook) -> None:
    agent.on_task("bot", "", final_state="working")
    id = rpc("SendMessage", message())["result"]["task"]["id"]
    for name in ("kept", "deleted"):
        given = {"taskId": id, "id": name, "url": hook.url, "token": name}
        assert "result" in rpc("CreateTaskPushNotificationConfig", given)
    rpc("DeleteTaskPushNotificationConfig", {"taskId": id, "id": "deleted"})
    rpc("CancelTask", {"id": id})
    assert hook.next()[0]["x-a2a-notification-token"] == "kept"
    assert agent.health()["tasks"] == 1
    with pytest.raises(queue.Empty):
        hook.received.get_nowait()


def test_a_slow_hook_holds_nobody_up(agent: A2AMock, rpc: RPC, hook: Hook) -> None:
    """The task is over, and its client answered, while the first notification is not taken yet."""
    hook.released.clear()
    agent.on_task("bot", "", [{"parts": "a"}])
    config = {"configuration": {"taskPushNotificationConfig": {"url": hook.url}}}
    result = rpc("SendMessage", {**message(), **config})["result"]
    assert result["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert "artifactUpdate" in hook.next()[1]
    hook.released.set()
    assert hook.next()[1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("failing", ["refused", "status"])
def test_what_cannot_be_delivered_is_logged_without_secrets(
    agent: A2AMock, rpc: RPC, hook: Hook, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    url = hook.url if failing == "status" else "http://127.0.0.1:1/hook?key=secret"
    agent.on_task("bot", "")
    given = {"url": url, "token": "secret", "authentication": {"scheme": "Bearer", "credentials": "secret"}}
    with caplog.at_level(logging.WARNING, logger="aimock"):
        sent = rpc("SendMessage", {**message(), "configuration": {"taskPushNotificationConfig": given}})
        assert sent["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            agent.health()
    assert "push notification" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "ftp://127.0.0.1/",
        "http://user:pass@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http:///x",
        "nonsense",
        "http://localhost.example.com/",
    ],
)
def test_addresses_that_are_not_allowed(agent: A2AMock, rpc: RPC, http: httpx.Client, url: str) -> None:
    agent.on_task("bot", "", final_state="working")
    id = rpc("SendMessage", message())["result"]["task"]["id"]
    error = rpc("CreateTaskPushNotificationConfig", {"taskId": id, "url": url})["error"]
    assert (error["code"], error["data"][1]["fieldViolations"][0]["field"]) == (-32602, "url")
    assert http.post(f"{agent.url}/tasks/{id}/pushNotificationConfigs", json={"url": url}).status_code == 400
    assert rpc("ListTaskPushNotificationConfigs", {"taskId": id})["result"] == {"configs": []}


def test_addresses_that_are_allowed() -> None:
    for allowed, url in (
        ((), "http://localhost:1"),
        ((), "http://[::1]:1"),
        ((), "http://127.1.2.3"),
        (("example.com",), "https://example.com/x"),
        (("*",), "http://10.0.0.1"),
    ):
        with contextlib.closing(httpx.Client(verify=False)) as http, A2AMock(push_to=allowed) as mock:
            mock.register_agent("bot").on_task("bot", "", final_state="working")
            id = http.post(mock.url + "/message:send", json=message()).json()["task"]["id"]
            created = http.post(f"{mock.url}/tasks/{id}/pushNotificationConfigs", json={"url": url})
            assert created.json() == {"url": url, "taskId": id, "id": id}


def test_configurations_are_bounded(agent: A2AMock, rpc: RPC) -> None:
    agent.on_task("bot", "", final_state="working")
    id = rpc("SendMessage", message())["result"]["task"]["id"]
    for number in range(20):
        rpc("CreateTaskPushNotificationConfig", {"taskId": id, "id": str(number), "url": "http://127.0.0.1:1"})
    configs = rpc("ListTaskPushNotificationConfigs", {"taskId": id})["result"]["configs"]
    assert [config["id"] for config in configs] == [str(number) for number in range(4, 20)]
    error = rpc("GetTaskPushNotificationConfig", {"taskId": id, "id": "0"})["error"]
    assert error["code"] == -32001


def test_a_server_that_stops_leaves_no_courier(hook: Hook) -> None:
    with A2AMock() as mock, httpx.Client(verify=False) as http:
        mock.register_agent("bot").on_task("bot", "", delay_ms=3_600_000)
        config = {"taskPushNotificationConfig": {"url": hook.url}, "returnImmediately": True}
        assert http.post(mock.url + "/message:send", json={**message(), "configuration": config}).status_code == 200
    with pytest.raises(queue.Empty):
        hook.received.get_nowait()

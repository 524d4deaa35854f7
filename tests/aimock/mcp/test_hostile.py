"""Servers that misbehave: the faults that only an MCP server has, on every level, and those that all answers have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from aimock.surfaces.mcp.mock import MCPMock

LEGACY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.fixture
def mock() -> Iterator[MCPMock]:
    mock = MCPMock(seed=1)
    mock.add_tool({"name": "look", "result": "seen"})
    mock.add_tool({"name": "talk", "log": {"data": "one"}, "delayMs": 1, "result": "talked"})
    with mock:
        yield mock


class Session:
    """A legacy client, by hand."""

    def __init__(self, mock: MCPMock) -> None:
        self._url = mock.url
        self._headers = {"accept": "application/json, text/event-stream"}
        self._headers["mcp-session-id"] = self.post(LEGACY).headers["mcp-session-id"]

    def post(self, message: Any, **headers: str) -> httpx.Response:
        return httpx.post(self._url, json=message, headers=self._headers | headers)

    def call(self, tool: str = "look", id: Any = 7, fault: str | None = None) -> httpx.Response:
        message = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        return self.post(message, **({} if fault is None else {"x-aimock-fault": fault}))


def modern(mock: MCPMock, tool: str = "look", **headers: str) -> httpx.Response:
    params = {"name": tool, "arguments": {}, "_meta": META}
    told = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    return httpx.post(mock.url, json=body, headers=told | headers)


def events(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"] == "text/event-stream"
    lines = (line for line in answer.text.splitlines() if line.startswith("data: {"))
    return [httpx.Response(200, content=line.removeprefix("data: ")).json() for line in lines]


def test_an_expired_session_is_gone(mock: MCPMock) -> None:
    session = Session(mock)
    assert session.call(fault="session-expired").status_code == 404
    assert session.call().status_code == 404
    assert Session(mock).call().json()["result"]["content"][0]["text"] == "seen"
    assert modern(mock, **{"x-aimock-fault": "session-expired"}).status_code == 200  # which has no sessions
    struck = [entry["response"] for entry in mock.get_requests() if "chaosAction" in entry["response"]]
    assert struck[0] == {"status": 404, "fixture": None, "chaosAction": "session-expired", "source": "internal"}


def test_an_expired_token_of_a_server_without_a_guard(mock: MCPMock) -> None:
    answer = Session(mock).call(fault="token-expired;times=1")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert answer.json()["id"] == 7


@pytest.mark.parametrize(("id", "other"), [(7, 1_000_007), ("a", "a-1000000")])
def test_an_answer_under_a_wrong_id(mock: MCPMock, id: Any, other: Any) -> None:
    session = Session(mock)
    told = session.call(id=id, fault="wrong-id").json()
    assert (told["id"], told["result"]["content"][0]["text"]) == (other, "seen")
    said, answered = events(session.call("talk", id=id, fault="wrong-id"))
    assert said["method"] == "notifications/message"
    assert (answered["id"], answered["result"]["content"][0]["text"]) == (other, "talked")


def test_an_answer_that_is_no_message(mock: MCPMock) -> None:
    session = Session(mock)
    told = session.call(fault="malformed-rpc").json()
    assert told == {"id": 7, "answer": {"content": [{"type": "text", "text": "seen"}], "isError": False}}
    assert session.call("none", fault="malformed-rpc").json()["answer"]["code"] == -32602
    assert events(session.call("talk", fault="malformed-rpc"))[1].keys() == {"id", "answer"}
    assert modern(mock, **{"x-aimock-fault": "malformed-rpc"}).json().keys() == {"id", "answer"}


def test_answers_in_batches_too(mock: MCPMock) -> None:
    params = LEGACY["params"] | {"protocolVersion": "2025-03-26"}  # type: ignore[operator]
    begun = httpx.post(mock.url, json=LEGACY | {"params": params})
    headers = {"mcp-session-id": begun.headers["mcp-session-id"], "x-aimock-fault": "wrong-id"}
    batch = [{"jsonrpc": "2.0", "id": id, "method": "ping"} for id in (1, 2)]
    assert [each["id"] for each in httpx.post(mock.url, json=batch, headers=headers).json()] == [1_000_001, 1_000_002]


def test_a_list_that_changes_takes_the_tool_away_once(mock: MCPMock) -> None:
    session, heard = Session(mock), []
    mock.service.server.registry.listeners.append(heard.append)
    told = session.call(fault="list-changed;times=1").json()
    assert told["error"] == {"code": -32602, "message": "Unknown tool: look"}
    assert session.call(fault="list-changed;times=1").json()["result"]["content"][0]["text"] == "seen"
    assert heard == ["tools"]
    assert modern(mock, **{"x-aimock-fault": "list-changed"}).status_code == 400
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert session.post(ping, **{"x-aimock-fault": "list-changed"}).json()["result"] == {}
    assert heard == ["tools"] * 3


def test_the_faults_of_all_answers(mock: MCPMock) -> None:
    session = Session(mock)
    throttled = session.call(fault="throttled;retryAfter=3")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "3")
    assert (throttled.json()["id"], throttled.json()["error"]["code"]) == (7, -32603)
    assert session.call(fault="rateLimit").headers["retry-after"] == "1"
    assert session.call(fault="malformed").text == "{malformed json: <<<chaos>>>"
    assert session.call(fault="slow-first-token;delayMs=1").json()["result"]["content"][0]["text"] == "seen"
    with pytest.raises(httpx.RemoteProtocolError):
        session.call(fault="disconnect")


def test_a_tool_may_have_a_fault_of_its_own(mock: MCPMock) -> None:
    mock.add_tool({"name": "flaky", "fault": "unavailable;times=2", "result": "at last"})
    mock.add_tool({"name": "odd", "fault": [{"name": "wrong-id"}], "result": "odd"})
    session = Session(mock)
    assert [session.call("flaky").status_code for _ in range(3)] == [503, 503, 200]
    assert session.call().status_code == 200
    assert session.call("odd").json()["id"] == 1_000_007
    assert session.call("odd", fault="none").json()["id"] == 7  # what the request says outranks the tool
    mock.service.rewind()
    listed = session.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).json()["result"]["tools"]
    assert all("fault" not in tool for tool in listed)


def test_the_server_s_level(mock: MCPMock) -> None:
    assert mock._server is not None
    mock._server.set_chaos({"faults": "wrong-id;times=1"})
    answers = [modern(mock).json()["id"] for _ in range(2)]
    assert answers == [1_000_007, 7]


@pytest.mark.parametrize(
    ("fault", "says"),
    [("late", "tools.fault: name: expected one of"), ({"name": "wrong-id", "size": 1}, "tools.fault: wrong-id:")],
)
def test_a_fault_that_there_is_not(fault: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MCPMock().add_tool({"name": "t", "fault": fault})

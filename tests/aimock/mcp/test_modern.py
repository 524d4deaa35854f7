"""2026-07-28: requests that say by themselves what they need to be understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aimock.surfaces.mcp.mock import MCPMock
from aimock_protocols.mcp.envelope import (
    CAPABILITIES_KEY,
    LOG_LEVEL_KEY,
    SERVER_INFO_KEY,
    SUBSCRIPTION_KEY,
    VERSION_KEY,
)
from aimock_protocols.mcp.revisions import ALL, MODERN
from mcp_asking import ModernClient, pieces

INFO = {"name": "mcp-mock", "version": "1.0.0"}


@pytest.fixture
def client(mcp: MCPMock) -> Iterator[ModernClient]:
    with ModernClient(mcp.url) as client:
        yield client


def test_discovery(client: ModernClient) -> None:
    assert client.ask("server/discover")["result"] == {
        "resultType": "complete",
        "supportedVersions": list(ALL),
        "capabilities": {
            "tools": {"listChanged": True},
            "resources": {"subscribe": True, "listChanged": True},
            "prompts": {"listChanged": True},
            "logging": {},
            "completions": {},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        },
        "ttlMs": 0,
        "cacheScope": "public",
        "_meta": {SERVER_INFO_KEY: INFO},
    }


@pytest.mark.parametrize(
    ("method", "params", "scope"),
    [
        ("tools/list", {}, "public"),
        ("prompts/list", {}, "public"),
        ("resources/list", {}, "public"),
        ("resources/templates/list", {}, "public"),
        ("resources/read", {"uri": "file:///a"}, "private"),
        ("tools/call", {"name": "turns"}, None),
        ("prompts/get", {"name": "greet", "arguments": {"who": "Ann"}}, None),
    ],
)
def test_every_result_says_what_it_is_and_how_long_it_holds(
    client: ModernClient, method: str, params: dict[str, Any], scope: str | None
) -> None:
    body = client.message(method, params)
    answer = client.post(body, **client.routing(body))
    result = answer.json()["result"]
    assert (result["resultType"], result["_meta"][SERVER_INFO_KEY]) == ("complete", INFO)
    assert (result.get("cacheScope"), result.get("ttlMs")) == (scope, None if scope is None else 0)
    assert "mcp-session-id" not in answer.headers


ECHO = {"name": "weather", "arguments": {"city": "Oslo"}}


@pytest.mark.parametrize(
    ("change", "headers", "status", "code"),
    [
        ({}, {}, 200, None),
        ({"params": ECHO}, {}, 400, -32602),
        ({"params": ECHO | {"_meta": {VERSION_KEY: MODERN}}}, {}, 400, -32602),
        ({}, {"mcp-method": "tools/list"}, 400, -32020),
        ({}, {"mcp-name": "other"}, 400, -32020),
        ({}, {"mcp-protocol-version": "2025-11-25"}, 400, -32020),
        (
            {"params": ECHO | {"_meta": {VERSION_KEY: "1900-01-01", CAPABILITIES_KEY: {}}}},
            {"mcp-protocol-version": "1900-01-01"},
            400,
            -32022,
        ),
        ({"method": "ping"}, {"mcp-method": "ping"}, 404, -32601),
        ({"method": "initialize"}, {"mcp-method": "initialize"}, 404, -32601),
        ({"method": "logging/setLevel"}, {"mcp-method": "logging/setLevel"}, 404, -32601),
        ({"method": "resources/subscribe"}, {"mcp-method": "resources/subscribe"}, 404, -32601),
        ({"id": None}, {}, 400, -32600),
        ({"jsonrpc": "1.0"}, {}, 400, -32600),
    ],
)
def test_the_ladder_over_http(
    client: ModernClient, change: dict[str, Any], headers: dict[str, str], status: int, code: int | None
) -> None:
    body = client.message("tools/call", ECHO)
    answer = client.post(body | change, **client.routing(body) | headers)
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code
    assert answer.json()["id"] == (body | change)["id"]


def test_a_version_that_is_not_spoken_is_told_those_that_are(client: ModernClient) -> None:
    client.meta[VERSION_KEY] = "1900-01-01"
    body = client.message("server/discover")
    answer = client.post(body, **client.routing(body) | {"mcp-protocol-version": "1900-01-01"})
    assert answer.json()["error"]["data"] == {"supported": list(ALL), "requested": "1900-01-01"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ([], 400),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, 400),
        ({"jsonrpc": "2.0", "method": "notifications/cancelled"}, 202),
    ],
)
def test_what_is_no_request(client: ModernClient, body: Any, status: int) -> None:
    assert client.post(body, **{"mcp-protocol-version": MODERN}).status_code == status


@pytest.mark.parametrize(
    ("method", "params", "status", "code"),
    [
        ("tools/call", {"name": "none"}, 400, -32602),
        ("tools/call", {"name": "fails"}, 200, -32099),
        ("resources/read", {"uri": "no://such"}, 400, -32602),
        ("prompts/get", {"name": "greet"}, 400, -32602),
        ("tools/list", {"cursor": "x"}, 400, -32602),
        ("tools/call", {"name": "weather", "arguments": [1]}, 400, -32602),
        ("tools/call", {"name": "asks", "inputResponses": None}, 400, -32602),
        ("tools/call", {"name": "asks", "requestState": "none of ours"}, 400, -32602),
    ],
)
def test_what_cannot_be_answered(
    client: ModernClient, method: str, params: dict[str, Any], status: int, code: int
) -> None:
    body = client.message(method, params)
    answer = client.post(body, **client.routing(body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_client_that_cannot_be_asked_is_told_what_it_lacks(client: ModernClient) -> None:
    told = client.ask("tools/call", {"name": "asks"})
    assert told["error"]["data"] == {"requiredCapabilities": {"elicitation": {}}}


def test_an_answer_that_wants_input_is_given_when_it_has_come(mcp: MCPMock) -> None:
    with ModernClient(mcp.url, {"elicitation": {}}) as client:
        asked = client.ask("tools/call", {"name": "asks"})["result"]
        assert asked["resultType"] == "input_required"
        assert asked["inputRequests"]["elicitation"]["method"] == "elicitation/create"
        state = {"name": "asks", "requestState": asked["requestState"]}
        for wrong in ({}, {"other": {}}, {"elicitation": 5}, {"elicitation": {"action": "accept", "content": {}}}):
            again = client.ask("tools/call", {**state, "inputResponses": wrong})["result"]
            assert (again["resultType"], [*again["inputRequests"]]) == ("input_required", ["elicitation"])
        answer = {"elicitation": {"action": "accept", "content": {"name": "Ann"}}, "extra": 1}
        done = client.ask("tools/call", {**state, "inputResponses": answer})["result"]
        assert done["content"][0]["text"] == '{"action":"accept","content":{"name":"Ann"}}'
        other = {"name": "weather", "arguments": {"city": "Rome"}, "requestState": asked["requestState"]}
        assert client.ask("tools/call", other)["error"]["code"] == -32602


def test_rounds_remember_what_was_answered_before(mcp: MCPMock) -> None:
    form = {"type": "object", "properties": {"x": {"type": "string"}}}
    steps = [{"ask": {key: {"elicitation": {"message": key, "requestedSchema": form}}}} for key in ("one", "two")]
    mcp.add_tool({"name": "rounds", "steps": steps, "result": "{{input.one.content.x}} {{input.two.content.x}}"})

    def answer(key: str, text: str) -> dict[str, Any]:
        return {key: {"action": "accept", "content": {"x": text}}}

    with ModernClient(mcp.url, {"elicitation": {}}) as client:
        first = client.ask("tools/call", {"name": "rounds"})["result"]
        params = {"name": "rounds", "requestState": first["requestState"], "inputResponses": answer("one", "a")}
        second = client.ask("tools/call", params)["result"]
        assert [*second["inputRequests"]] == ["two"]
        params = {"name": "rounds", "requestState": second["requestState"], "inputResponses": answer("two", "b")}
        assert client.ask("tools/call", params)["result"]["content"][0]["text"] == "a b"


def test_logs_come_only_to_those_who_ask(mcp: MCPMock) -> None:
    for level, heard in ((None, []), ("debug", ["debug", "error"]), ("error", ["error"])):
        meta = {} if level is None else {LOG_LEVEL_KEY: level}
        with ModernClient(mcp.url, **meta) as client:
            told = client.said("tools/call", {"name": "logs"})
        assert [message["params"]["level"] for message in told[:-1]] == heard


def test_listening(mcp: MCPMock) -> None:
    with ModernClient(mcp.url) as client:
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"], "taskIds": ["x"]}
        body = client.message("subscriptions/listen", {"notifications": wanted})
        with client.stream(body, **client.routing(body)) as answer:
            told = pieces(answer.iter_bytes())
            first = next(told)
            about = {SUBSCRIPTION_KEY: body["id"]}
            assert first["params"] == {
                "_meta": about,
                "notifications": wanted,
            }
            mcp.notify("prompts").notify("file:///b").add_tool({"name": "new"}).notify("file:///a")
            assert [next(told)["method"] for _ in range(2)] == [
                "notifications/tools/list_changed",
                "notifications/resources/updated",
            ]
            mcp.reset()
            rest = list(told)
            assert rest[-1]["result"] == {"resultType": "complete", "_meta": about}


@pytest.mark.parametrize("wanted", [None, [], {"resourceSubscriptions": 5}, {"resourceSubscriptions": [5]}])
def test_a_subscription_that_is_none(client: ModernClient, wanted: Any) -> None:
    assert client.ask("subscriptions/listen", {"notifications": wanted})["error"]["code"] == -32602


def test_capabilities_may_be_told() -> None:
    with MCPMock(settings={"capabilities": {"tools": {}}}) as mock, ModernClient(mock.url) as client:
        assert client.ask("server/discover")["result"]["capabilities"] == {"tools": {}}
        assert client.ask("prompts/list")["error"]["code"] == -32601
        assert client.ask("subscriptions/listen", {"notifications": {}})["error"]["code"] == -32601
        assert client.ask("tools/list")["result"]["tools"] == []


def test_a_server_may_speak_only_older_revisions() -> None:
    with MCPMock(settings={"versions": ["2025-06-18"]}) as mock, ModernClient(mock.url) as client:
        told = client.ask("server/discover")["error"]
        assert (told["code"], told["data"]["supported"]) == (-32022, ["2025-06-18"])


def test_arguments_that_headers_repeat(mcp: MCPMock) -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    mcp.add_tool({"name": "routed", "inputSchema": schema, "result": "in {{args.region}}"})
    with ModernClient(mcp.url) as client:
        body = client.message("tools/call", {"name": "routed", "arguments": {"region": "ü"}})
        routing = client.routing(body)
        assert client.post(body, **routing).json()["error"]["code"] == -32020
        assert client.post(body, **routing, **{"mcp-param-region": "u"}).json()["error"]["code"] == -32020
        told = client.post(body, **routing, **{"mcp-param-region": "=?base64?w7w=?="}).json()
        assert told["result"]["content"][0]["text"] == "in ü"


def test_cached_results_say_for_how_long() -> None:
    settings = {"cache": {"ttlMs": 5000, "cacheScope": "private"}, "pageSize": 1, "instructions": "Be kind."}
    mock = MCPMock(settings=settings).add_tool({"name": "a"}).add_tool({"name": "b"})
    with mock, ModernClient(mock.url) as client:
        first = client.ask("tools/list")["result"]
        assert (first["ttlMs"], first["cacheScope"], len(first["tools"])) == (5000, "private", 1)
        last = client.ask("tools/list", {"cursor": first["nextCursor"]})["result"]
        assert ([tool["name"] for tool in last["tools"]], "nextCursor" in last) == (["b"], False)
        assert client.ask("server/discover")["result"]["instructions"] == "Be kind."


def test_a_user_is_sent_to_a_page_only_by_clients_that_can(mcp: MCPMock) -> None:
    question = {"mode": "url", "message": "Log in", "url": "https://example.com", "elicitationId": "e"}
    mcp.add_tool({"name": "login", "elicitation": question, "result": "{{input.elicitation.action}}"})
    with ModernClient(mcp.url, {"elicitation": {"form": {}}}) as client:
        error = client.ask("tools/call", {"name": "login"})["error"]
        assert error["data"] == {"requiredCapabilities": {"elicitation": {"url": {}}}}
    with ModernClient(mcp.url, {"elicitation": {"url": {}}}) as client:
        asked = client.ask("tools/call", {"name": "login"})["result"]
        assert asked["inputRequests"]["elicitation"]["params"] == question
        answer = {"requestState": asked["requestState"], "inputResponses": {"elicitation": {"action": "accept"}}}
        assert client.ask("tools/call", {"name": "login", **answer})["result"]["content"][0]["text"] == "accept"

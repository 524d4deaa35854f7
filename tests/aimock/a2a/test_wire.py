"""What goes over the wire: the shapes of answers in both versions and bindings, and what is said to bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aimock.net.limits import Limits
from aimock.surfaces.a2a.mock import A2AMock

from .conftest import V1, events_of, message, old_message

RPC = Callable[..., Any]
NOW = "2026-11-18T11:06:40.250Z"
STREAM = [
    {"type": "status", "state": "TASK_STATE_WORKING"},
    {"type": "artifact", "name": "o", "parts": [{"text": "chunk"}]},
]


def ids_of(events: list[Any]) -> tuple[str, str]:
    task = events[0]["result"].get("task", events[0]["result"])
    return task["id"], task["contextId"]


# -- the examples of the specification -------------------------------------------------------------------------------


def test_a_stream_of_1_0(agent: A2AMock, rpc: RPC) -> None:
    agent.on_streaming_task("bot", "stream", STREAM)
    events = rpc("SendStreamingMessage", message("stream"), V1, id="1")
    task, context = ids_of(events)
    artifact = events[2]["result"]["artifactUpdate"]["artifact"]["artifactId"]
    assert task.startswith("task-")
    assert context.startswith("ctx-")

    def status(state: str) -> dict[str, Any]:
        told = {"state": f"TASK_STATE_{state}", "timestamp": NOW}
        return {"statusUpdate": {"taskId": task, "contextId": context, "status": told}}

    said = {
        "messageId": "m1",
        "role": "ROLE_USER",
        "parts": [{"text": "stream"}],
        "taskId": task,
        "contextId": context,
    }
    begun = {"state": "TASK_STATE_SUBMITTED", "timestamp": NOW}
    expected = [
        {"task": {"id": task, "contextId": context, "status": begun, "history": [said]}},
        status("WORKING"),
        {
            "artifactUpdate": {
                "taskId": task,
                "contextId": context,
                "artifact": {"artifactId": artifact, "name": "o", "parts": [{"text": "chunk"}]},
                "append": False,
                "lastChunk": True,
            }
        },
        status("COMPLETED"),
    ]
    assert events == [{"jsonrpc": "2.0", "id": "1", "result": result} for result in expected]


def test_a_stream_of_0_3(agent: A2AMock, rpc: RPC) -> None:
    agent.on_streaming_task("bot", "stream", STREAM)
    events = rpc("message/stream", old_message("stream"), id="1")
    task, context = ids_of(events)
    artifact = events[2]["result"]["artifact"]["artifactId"]

    def status(state: str, final: bool) -> dict[str, Any]:
        told = {"state": state, "timestamp": NOW}
        return {"kind": "status-update", "taskId": task, "contextId": context, "status": told, "final": final}

    said = {
        "kind": "message",
        "messageId": "m1",
        "role": "user",
        "parts": [{"kind": "text", "text": "stream"}],
        "taskId": task,
        "contextId": context,
    }
    begun = {"state": "submitted", "timestamp": NOW}
    expected = [
        {"kind": "task", "id": task, "contextId": context, "status": begun, "history": [said]},
        status("working", False),
        {
            "kind": "artifact-update",
            "taskId": task,
            "contextId": context,
            "artifact": {"artifactId": artifact, "name": "o", "parts": [{"kind": "text", "text": "chunk"}]},
            "append": False,
            "lastChunk": True,
        },
        status("completed", True),
    ]
    assert events == [{"jsonrpc": "2.0", "id": "1", "result": result} for result in expected]


def test_a_task_that_is_unknown(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "TASK_NOT_FOUND",
        "domain": "a2a-protocol.org",
        "metadata": {"taskId": "zzz"},
    }
    error = {"code": -32001, "message": "Task not found", "data": [info]}
    assert rpc("GetTask", {"id": "zzz"}, V1, id=2) == {"jsonrpc": "2.0", "id": 2, "error": error}
    response = http.get(agent.url + "/tasks/zzz", headers=V1)
    told = {"code": 404, "status": "NOT_FOUND", "message": "Task not found", "details": [info]}
    assert (response.status_code, response.json()) == (404, {"error": told})
    assert response.headers["content-type"] == "application/a2a+json"
    old = rpc("tasks/get", {"id": "zzz"}, id=2)["error"]
    assert old == {"code": -32001, "message": "Task not found", "data": {"taskId": "zzz"}}


def test_a_task_is_bare_where_it_is_got_or_canceled(agent: A2AMock, rpc: RPC) -> None:
    agent.on_task("bot", "wait", final_state="working")
    sent = rpc("SendMessage", message("wait"))["result"]
    assert [*sent] == ["task"]
    id = sent["task"]["id"]
    assert rpc("GetTask", {"id": id})["result"]["id"] == id
    assert rpc("CancelTask", {"id": id})["result"]["status"]["state"] == "TASK_STATE_CANCELED"


def test_what_a_delete_answers(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    agent.on_task("bot", "", final_state="working")
    id = rpc("SendMessage", message())["result"]["task"]["id"]
    assert rpc("DeleteTaskPushNotificationConfig", {"taskId": id, "id": "p"})["result"] is None
    response = http.delete(f"{agent.url}/tasks/{id}/pushNotificationConfigs/p")
    assert (response.status_code, response.json()) == (200, {})


# -- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["9.9", "1", "2.0", "one"])
def test_a_version_that_is_unknown(agent: A2AMock, rpc: RPC, http: httpx.Client, version: str) -> None:
    error = rpc("GetTask", {"id": "x"}, {"A2A-Version": version})["error"]
    assert (error["code"], error["data"][0]["reason"]) == (-32009, "VERSION_NOT_SUPPORTED")
    response = http.get(f"{agent.url}/tasks/x?A2A-Version={version}")
    assert (response.status_code, response.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


@pytest.mark.parametrize("version", ["", "0.3", "1.0", "1.0.1"])
def test_the_method_says_which_version_is_meant(agent: A2AMock, rpc: RPC, version: str) -> None:
    agent.on_message("bot", "hello", "Hi!")
    assert rpc("message/send", old_message(), {"A2A-Version": version})["result"]["kind"] == "message"
    assert "message" in rpc("SendMessage", message(), {"A2A-Version": version})["result"]


def test_an_agent_of_one_version(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    agent.register_agent("old", protocol_versions=["0.3"]).on_message("old", "", "Hi!")
    agent.register_agent("new", protocol_versions=["1.0"]).on_message("new", "", "Hi!")
    assert rpc("SendMessage", message(), path="/old")["error"]["code"] == -32009
    assert rpc("message/send", old_message(), path="/old")["result"]["role"] == "agent"
    assert rpc("message/send", old_message(), path="/new")["error"]["code"] == -32603  # 0.3 has no code for it
    new = http.get(agent.url + "/new/.well-known/agent-card.json").json()
    assert "url" not in new
    assert {each["protocolVersion"] for each in new["supportedInterfaces"]} == {"1.0"}
    old = http.get(agent.url + "/old/.well-known/agent-card.json").json()
    assert [each["protocolVersion"] for each in old["supportedInterfaces"]] == ["0.3"]


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "id"),
    [
        (b"{nonsense", -32700, None),
        (b"", -32700, None),
        (b"\xff", -32700, None),
        (b"[]", -32600, None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"x"}}]', -32600, None),
        (b'"GetTask"', -32600, None),
        (b"[" * 101 + b"]" * 101, -32700, None),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":' + b'{"a":[' * 50 + b"]}" * 50 + b"}}",
            -32700,
            None,
        ),
        (b'{"jsonrpc":"1.0","id":1,"method":"GetTask"}', -32600, 1),
        (b'{"id":1,"method":"GetTask"}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"GetTask"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"GetTask"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":1}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600, None),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":"x"}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":["x"]}', -32602, 1),
        (b'{"jsonrpc":"2.0","id":"a","method":"Nonsense","params":{}}', -32601, "a"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tasks/list","params":{}}', -32601, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{}}', -32602, 1),
        (b'{"jsonrpc":"2.0","id":null,"method":"GetTask","params":{"id":"x"}}', -32001, None),
        (b'{"jsonrpc":"2.0","method":"GetTask","params":{"id":"x"}}', -32001, None),
    ],
)
def test_json_rpc_that_is_none(agent: A2AMock, http: httpx.Client, body: bytes, code: int, id: Any) -> None:
    response = http.post(agent.url, content=body)
    assert response.status_code == 200
    told = response.json()
    assert (told["jsonrpc"], told["id"], told["error"]["code"]) == ("2.0", id, code)
    assert "result" not in told


LONG = "x" * 100
MESSAGES: list[tuple[Any, str]] = [
    ({}, "message"),
    ({"message": None}, "message"),
    ({"message": "hello"}, "message"),
    ({"message": {**message()["message"], "messageId": ""}}, "message.messageId"),
    ({"message": {**message()["message"], "role": "ROLE_UNSPECIFIED"}}, "message.role"),
    ({"message": {**message()["message"], "role": "robot"}}, "message.role"),
    ({"message": {**message()["message"], "parts": []}}, "message.parts"),
    ({"message": {**message()["message"], "parts": {}}}, "message.parts"),
    ({"message": {**message()["message"], "parts": [{}]}}, "message.parts[0]"),
    ({"message": {**message()["message"], "parts": [{"text": "a", "url": "b"}]}}, "message.parts[0]"),
    ({"message": {**message()["message"], "parts": [{"text": 5}]}}, "message.parts[0].text"),
    ({"message": {**message()["message"], "parts": [{"raw": "no base64!"}]}}, "message.parts[0].raw"),
    ({"message": {**message()["message"], "taskId": 5}}, "message.taskId"),
    ({**message(), "configuration": {"historyLength": -1}}, "configuration.historyLength"),
    ({**message(), "configuration": {"historyLength": LONG}}, "configuration.historyLength"),
    ({**message(), "configuration": {"returnImmediately": "yes"}}, "configuration.returnImmediately"),
    ({**message(), "metadata": []}, "metadata"),
]


@pytest.mark.parametrize(("params", "field"), MESSAGES)
def test_a_message_that_is_none(agent: A2AMock, rpc: RPC, http: httpx.Client, params: Any, field: str) -> None:
    for method in ("SendMessage", "SendStreamingMessage"):
        error = rpc(method, params, V1)["error"]
        assert error["code"] == -32602
        info, bad = error["data"]
        assert (info["reason"], bad["@type"]) == ("INVALID_PARAMS", "type.googleapis.com/google.rpc.BadRequest")
        assert field in [violation["field"] for violation in bad["fieldViolations"]]
    for path in ("/message:send", "/message:stream", "/tenant/message:send"):
        response = http.post(agent.url + path, json=params, headers=V1)
        assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert response.headers["content-type"] == "application/a2a+json"


@pytest.mark.parametrize(
    "given",
    [
        {"parts": [{"kind": "nonsense", "text": "hello"}]},
        {"parts": [{"text": "hello"}]},
        {"parts": [{"kind": "data", "data": 5}]},
        {"parts": [{"kind": "file", "file": {}}]},
        {"parts": [{"kind": "file", "file": "x"}]},
        {"parts": "hello"},
        {"role": "ROLE_USER_"},
        {"messageId": None},
    ],
)
def test_a_message_of_0_3_that_is_none(agent: A2AMock, rpc: RPC, given: Any) -> None:
    error = rpc("message/send", {"message": {**old_message()["message"], **given}})["error"]
    assert error["code"] == -32602
    assert error["data"]["errors"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "", 405, "POST"),
        ("PUT", "/message:send", 405, "POST"),
        ("DELETE", "/tasks/x", 405, "GET"),
        ("PATCH", "/tasks/x:subscribe", 405, "GET, POST"),
        ("POST", "/.well-known/agent-card.json", 405, "GET"),
        ("GET", "/nobody", 404, None),
        ("GET", "/tasks/x/y", 404, None),
        ("POST", "/v1/message:send", 404, None),
    ],
)
def test_paths_and_methods_that_are_none(
    agent: A2AMock, http: httpx.Client, method: str, path: str, status: int, allow: str | None
) -> None:
    response = http.request(method, agent.url + path)
    assert response.status_code == status
    assert response.headers.get("allow") == allow
    assert response.json()["error"]["message"]


def test_bodies_over_http_that_are_none(agent: A2AMock, http: httpx.Client) -> None:
    for body, reason in ((b"{", "PARSE_ERROR"), (b"[]", "INVALID_REQUEST")):
        response = http.post(agent.url + "/message:send", content=body)
        assert (response.status_code, response.json()["error"]["details"][0]["reason"]) == (400, reason)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("pageSize=0", 400),
        ("pageSize=101", 400),
        ("pageSize=x", 400),
        ("pageToken=nonsense", 400),
        ("pageToken=WzEsInkiXQ", 400),
        ("status=nonsense", 400),
        ("statusTimestampAfter=yesterday", 400),
        ("includeArtifacts=maybe", 400),
        ("historyLength=-1", 400),
        ("pageSize=1&includeArtifacts=true&status=TASK_STATE_WORKING&unknown=1", 200),
        ("statusTimestampAfter=2026-01-01T00:00:00.5Z", 200),
    ],
)
def test_what_a_list_takes(agent: A2AMock, http: httpx.Client, query: str, status: int) -> None:
    assert http.get(f"{agent.url}/tasks?{query}").status_code == status


def test_a_body_that_is_too_large(http: httpx.Client) -> None:
    with A2AMock(limits=Limits(body_bytes=1000)) as mock:
        response = http.post(mock.url, content=b"x" * 1001)
        assert (response.status_code, response.json()["error"]["code"]) == (413, -32600)
        response = http.post(mock.url + "/message:send", content=b"x" * 1001)
        assert (response.status_code, response.json()["error"]["code"]) == (413, 413)


def test_snake_case_and_unknown_fields_are_taken(agent: A2AMock, rpc: RPC) -> None:
    agent.on_message("bot", "hello", "Hi!")
    given = {"message_id": "m", "role": 1, "parts": [{"text": "hello", "media_type": "text/plain"}], "context_id": "c"}
    told = rpc("SendMessage", {"message": given, "nonsense": 1})["result"]["message"]
    assert told["contextId"] == "c"


# -- capabilities ----------------------------------------------------------------------------------------------------


def test_what_an_agent_cannot(agent: A2AMock, rpc: RPC) -> None:
    agent.register_agent("plain", capabilities={"streaming": False, "pushNotifications": False})
    agent.on_task("plain", "", final_state="working")
    assert rpc("SendStreamingMessage", message(), path="/plain")["error"]["code"] == -32004
    id = rpc("SendMessage", message(), path="/plain")["result"]["task"]["id"]
    assert rpc("SubscribeToTask", {"id": id}, path="/plain")["error"]["code"] == -32004
    config = {"taskId": id, "url": "http://127.0.0.1:1"}
    assert rpc("CreateTaskPushNotificationConfig", config)["error"]["code"] == -32003
    assert rpc("ListTaskPushNotificationConfigs", {"taskId": id})["error"]["code"] == -32003
    inline = {**message(), "configuration": {"taskPushNotificationConfig": {"url": "http://127.0.0.1:1"}}}
    assert rpc("SendMessage", inline, path="/plain")["error"]["code"] == -32003
    assert rpc("GetExtendedAgentCard", {}, path="/plain")["error"]["code"] == -32004
    agent.register_agent("plain", capabilities={"extendedAgentCard": True})
    assert rpc("GetExtendedAgentCard", {}, path="/plain")["error"]["code"] == -32007


def test_an_extension_that_is_required(agent: A2AMock, http: httpx.Client, rpc: RPC) -> None:
    extensions = [{"uri": "urn:a", "required": True}, {"uri": "urn:b"}]
    agent.register_agent("strict", capabilities={"extensions": extensions}).on_message("strict", "", "Hi!")
    error = rpc("SendMessage", message(), path="/strict")["error"]
    assert (error["code"], error["data"][0]["metadata"]) == (-32008, {"uri": "urn:a"})
    assert rpc("message/send", old_message(), path="/strict")["error"]["code"] == -32603
    for header in ("A2A-Extensions", "X-A2A-Extensions"):
        response = http.post(agent.url + "/strict/message:send", json=message(), headers={header: "urn:c, urn:b,urn:a"})
        assert response.status_code == 200
        assert response.headers["a2a-extensions"] == "urn:a, urn:b"


def test_a_media_type_that_is_not_taken(agent: A2AMock, rpc: RPC) -> None:
    """Only where it was said which are."""
    odd = [{"raw": "dGNr", "mediaType": "application/x-odd"}, {"text": "hello"}]
    agent.on_message("bot", "", "Hi!")
    assert "result" in rpc("SendMessage", message(parts=odd))
    agent.register_agent("bot", default_input_modes=["text/plain"], skills=[{"id": "s", "inputModes": ["image/png"]}])
    error = rpc("SendMessage", message(parts=odd))["error"]
    assert (error["code"], error["data"][0]["metadata"]) == (-32005, {"mediaType": "application/x-odd"})
    taken = [{"text": "hello", "mediaType": "text/plain"}, {"url": "http://x", "mediaType": "image/png"}]
    assert "result" in rpc("SendMessage", message(parts=taken))


# -- errors by code --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "status", "text"),
    [
        ("CONTENT_TYPE_NOT_SUPPORTED", -32005, 400, "Incompatible content types"),
        (-32006, -32006, 500, "Invalid agent response"),
        ({"code": -32603, "message": "out of order"}, -32603, 500, "out of order"),
        ({"code": -32050, "message": "mine", "data": {"a": 1}}, -32050, 500, "mine"),
    ],
)
def test_errors_that_are_scripted(
    agent: A2AMock, http: httpx.Client, rpc: RPC, given: Any, code: int, status: int, text: str
) -> None:
    agent.on_message("bot", "", error=given)
    for method, params in (
        ("SendMessage", message()),
        ("SendStreamingMessage", message()),
        ("message/send", old_message()),
    ):
        error = rpc(method, params)["error"]
        assert (error["code"], error["message"]) == (code, text)
        if isinstance(given, dict) and "data" in given:
            assert error["data"] == given["data"]
    for path in ("/message:send", "/message:stream"):
        response = http.post(agent.url + path, json=message())
        assert (response.status_code, response.json()["error"]["message"]) == (status, text)


# -- cards -----------------------------------------------------------------------------------------------------------


def test_the_card_is_read_by_both_versions(agent: A2AMock, http: httpx.Client) -> None:
    agent.register_agent(
        "bot",
        security_schemes={"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}}},
        security_requirements=[{"schemes": {"key": {"list": ["a"]}}}],
    )
    card = http.get(agent.url + "/.well-known/agent-card.json").json()
    assert [
        (each["url"], each["protocolBinding"], each["protocolVersion"]) for each in card["supportedInterfaces"]
    ] == [
        (agent.url, "JSONRPC", "1.0"),
        (agent.url, "HTTP+JSON", "1.0"),
        (agent.url, "JSONRPC", "0.3"),
    ]
    assert (card["protocolVersion"], card["url"], card["preferredTransport"]) == ("0.3.0", agent.url, "JSONRPC")
    assert card["security"] == [{"key": ["a"]}]
    scheme = {"location": "header", "name": "X-Key"}
    assert card["securitySchemes"]["key"] == {
        "apiKeySecurityScheme": scheme,
        "type": "apiKey",
        "in": "header",
        "name": "X-Key",
    }
    for field in (
        "name",
        "description",
        "version",
        "capabilities",
        "defaultInputModes",
        "defaultOutputModes",
        "skills",
    ):
        assert card[field], field


def test_where_cards_are(agent: A2AMock, http: httpx.Client) -> None:
    agent.register_agent("the other", description="D")
    origin = agent.url.removesuffix("/a2a")
    paths = ("/a2a/.well-known/agent-card.json", "/a2a/.well-known/agent.json", "/.well-known/agent-card.json")
    cards = [http.get(origin + path).json() for path in paths]
    assert cards[0] == cards[1] == cards[2]
    assert cards[0]["name"] == "bot"
    other = http.get(f"{agent.url}/the%20other/.well-known/agent-card.json").json()
    assert (other["description"], other["url"]) == ("D", f"{agent.url}/the%20other")


def test_cards_follow_the_name_by_which_the_server_is_reached(agent: A2AMock, http: httpx.Client) -> None:
    url = agent.url + "/.well-known/agent-card.json"
    assert http.get(url, headers={"Host": "agents.test:8080"}).json()["url"] == "http://agents.test:8080/a2a"
    proxied = {"Host": "agents.test", "X-Forwarded-Proto": "https"}
    assert http.get(url, headers=proxied).json()["url"] == "https://agents.test/a2a"


def test_a_card_is_sent_once(agent: A2AMock, http: httpx.Client) -> None:
    url = agent.url + "/.well-known/agent-card.json"
    first = http.get(url)
    assert first.headers["cache-control"] == "max-age=60"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = http.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert http.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    agent.register_agent("bot", description="changed")
    assert http.get(url, headers={"If-None-Match": tag}).status_code == 200


def test_no_card_without_an_agent(http: httpx.Client) -> None:
    with A2AMock() as mock:
        assert http.get(mock.url + "/.well-known/agent-card.json").status_code == 404


def test_events_over_http_are_bare(agent: A2AMock, http: httpx.Client) -> None:
    agent.on_message("bot", "hello", "Hi!")
    (event,) = events_of(http.post(agent.url + "/message:stream", json=message()))
    assert event["message"]["parts"] == [{"text": "Hi!"}]

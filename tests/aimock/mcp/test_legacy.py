"""Streamable HTTP with sessions, to the letter of each revision."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from aimock.surfaces.mcp.mock import MCPMock
from aimock_protocols.mcp.revisions import LEGACY
from mcp_asking import Client, initialize, messages, pieces


@pytest.fixture
def client(mcp: MCPMock) -> Any:
    with Client(mcp.url) as client:
        yield client


@pytest.mark.parametrize("revision", LEGACY)
def test_every_revision_is_spoken(client: Client, revision: str) -> None:
    result = client.open(revision).json()["result"]
    assert result["protocolVersion"] == revision
    assert result["serverInfo"] == {"name": "mcp-mock", "version": "1.0.0"}
    assert [tool["name"] for tool in client.ask("tools/list")["result"]["tools"]][:2] == ["weather", "turns"]
    assert client.ask("ping")["result"] == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [({"protocolVersion": 5}, -32602), ({"capabilities": None}, -32602), ({"clientInfo": {"name": "x"}}, -32602)],
)
def test_an_initialize_that_is_none(client: Client, change: dict[str, Any], code: int) -> None:
    body = initialize("2025-11-25")
    body["params"] |= change
    answer = client.post(body)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (200, code, 0)
    assert "mcp-session-id" not in answer.headers


def test_a_session_from_its_beginning_to_after_its_end(client: Client, mcp: MCPMock) -> None:
    assert client.post(client.message("tools/list")).status_code == 400
    client.open()
    session = client.http.headers["mcp-session-id"]
    assert mcp.get_sessions() == [session]
    assert client.post(client.message("ping")).status_code == 200
    assert client.http.delete(client.url).status_code == 200
    gone = client.post(client.message("ping"))
    assert (gone.status_code, gone.json()["error"]["message"]) == (404, "Session not found")
    assert client.http.delete(client.url).status_code == 404
    assert client.http.get(client.url).status_code == 404
    assert mcp.get_sessions() == []


def test_two_clients_that_say_the_same_have_sessions_of_their_own(mcp: MCPMock) -> None:
    with Client(mcp.url) as one, Client(mcp.url) as other:
        one.open()
        other.open()
        assert len(set(mcp.get_sessions())) == 2
        mcp.end_session(one.http.headers["mcp-session-id"])
        assert one.post(one.message("ping")).status_code == 404
        assert other.post(other.message("ping")).status_code == 200


CALL = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("body", "status", "code", "id"),
    [
        (b"", 400, -32700, None),
        (b"{", 400, -32700, None),
        (b"\xff\xfe", 400, -32700, None),
        (b"null", 400, -32600, None),
        (b"5", 400, -32600, None),
        ([], 400, -32600, None),
        ({}, 400, -32600, None),
        ({"id": 1, "method": "ping"}, 400, -32600, 1),
        (CALL | {"jsonrpc": "1.0"}, 400, -32600, 1),
        (CALL | {"id": None}, 400, -32600, None),
        (CALL | {"id": 1.5}, 400, -32600, None),
        (CALL | {"method": 5}, 400, -32600, 1),
        (CALL | {"params": "x"}, 400, -32600, 1),
        (CALL | {"params": [1]}, 200, -32602, 1),
        (CALL | {"result": {}}, 400, -32600, 1),
        ([CALL], 400, -32600, None),
        (CALL | {"method": "no/such"}, 200, -32601, 1),
        (CALL | {"method": "server/discover"}, 200, -32601, 1),
        (CALL | {"method": "tools/call"}, 200, -32602, 1),
        (CALL | {"method": "tools/call", "params": {"name": "none"}}, 200, -32602, 1),
        (CALL | {"method": "tools/call", "params": {"name": "weather", "arguments": []}}, 200, -32602, 1),
        (CALL | {"method": "tools/list", "params": {"cursor": "x"}}, 200, -32602, 1),
        (CALL | {"method": "tools/call", "params": {"name": "fails"}}, 200, -32099, 1),
        (CALL | {"method": "resources/read", "params": {"uri": "no://such"}}, 200, -32002, 1),
        (CALL | {"method": "resources/subscribe", "params": {"uri": "no://such"}}, 200, -32002, 1),
        (CALL | {"method": "prompts/get", "params": {"name": "greet"}}, 200, -32602, 1),
        (CALL | {"method": "prompts/get", "params": {"name": "greet", "arguments": {"who": 1}}}, 200, -32602, 1),
        (CALL | {"method": "logging/setLevel", "params": {"level": "loud"}}, 200, -32602, 1),
        (CALL | {"method": "completion/complete", "params": {}}, 200, -32602, 1),
    ],
)
def test_bad_input_gets_the_code_that_the_specification_has(
    client: Client, body: Any, status: int, code: int, id: Any
) -> None:
    client.open()
    answer = client.post(body)
    told = answer.json()
    assert (answer.status_code, told["error"]["code"], told["id"]) == (status, code, id)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "http://[::1]:9"}, 200),
        ({"accept": "application/json"}, 200),
        ({"accept": "*/*"}, 200),
        ({"mcp-protocol-version": "1999-01-01"}, 400),
        ({"mcp-protocol-version": "2025-11-25"}, 200),
        ({"mcp-session-id": "none"}, 404),
    ],
)
def test_headers(client: Client, headers: dict[str, str], status: int) -> None:
    client.open()
    assert client.post(CALL, **headers).status_code == status


def test_hosts_and_origins_may_be_told() -> None:
    settings = {"allowedHosts": ["mock.internal"], "allowedOrigins": ["https://app.example"], "strictAccept": True}
    with MCPMock(settings=settings) as mock, Client(mock.url) as client:
        body = initialize("2025-11-25")
        assert client.post(body).status_code == 421
        assert client.post(body, host="mock.internal:80").status_code == 200
        assert client.post(body, host="mock.internal", origin="https://app.example").status_code == 200
        assert client.post(body, host="mock.internal", origin="https://other.example").status_code == 403
        assert client.post(body, host="mock.internal", accept="application/json").status_code == 406


@pytest.mark.parametrize("revision", LEGACY)
def test_batches_are_of_one_revision(client: Client, revision: str) -> None:
    client.open(revision)
    batch = [CALL, {"jsonrpc": "2.0", "method": "notifications/initialized"}, CALL | {"id": 2, "method": "no/such"}, 5]
    answer = client.post(batch)
    if revision != "2025-03-26":
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
        return
    assert [(told["id"], told.get("error", {}).get("code")) for told in answer.json()] == [
        (1, None),
        (2, -32601),
        (None, -32600),
    ]
    assert client.post([batch[1]]).status_code == 202
    (inside,) = client.post([initialize("2025-03-26")]).json()
    assert inside["error"]["message"] == "initialize must not be in a batch"
    slow = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "logs"}}
    told = messages(client.post([CALL, slow, slow | {"id": 8}]))
    assert sorted(message["id"] for message in told if "id" in message) == [1, 7, 8]


@pytest.mark.parametrize(("revision", "fault"), [("2025-06-18", -32602), ("2025-11-25", None)])
def test_arguments_that_do_not_fit(client: Client, revision: str, fault: int | None) -> None:
    client.open(revision)
    told = client.ask("tools/call", {"name": "weather", "arguments": {"city": 5}})
    if fault is None:
        assert told["result"]["isError"] is True
        assert "city: 5 is not of type 'string'" in told["result"]["content"][0]["text"]
    else:
        assert told["error"]["code"] == fault


def test_progress_and_logs_come_before_the_answer(client: Client) -> None:
    client.open()
    told = client.said("tools/call", {"name": "progress", "_meta": {"progressToken": "t"}})
    assert [message.get("method") for message in told] == ["notifications/progress"] * 2 + [None]
    assert told[0]["params"] == {"progressToken": "t", "progress": 1, "total": 2}
    assert len(client.said("tools/call", {"name": "progress"})) == 1  # nobody has asked to hear of it
    levels = [message["params"]["level"] for message in client.said("tools/call", {"name": "logs"})[:-1]]
    assert levels == ["debug", "error"]
    client.ask("logging/setLevel", {"level": "warning"})
    levels = [message["params"]["level"] for message in client.said("tools/call", {"name": "logs"})[:-1]]
    assert levels == ["error"]


def test_a_client_that_takes_no_events_gets_json(client: Client) -> None:
    client.open(capabilities={"elicitation": {}})
    client.http.headers["accept"] = "application/json"
    assert client.post(client.message("tools/call", {"name": "logs"})).json()["result"]["isError"] is False
    told = client.ask("tools/call", {"name": "asks"})["result"]  # nor can it be asked
    assert (told["isError"], told["content"][0]["text"]) == (True, "The client does not support elicitation/create")


def test_a_client_is_asked_and_its_answer_is_used(client: Client) -> None:
    client.open(capabilities={"elicitation": {}})
    with client.stream(client.message("tools/call", {"name": "asks"})) as answer:
        told = pieces(answer.iter_bytes())
        assert next(told)["event"] == "1_0"  # primes
        asked = next(told)
        assert (asked["method"], asked["params"]["message"]) == ("elicitation/create", "Name?")
        reply = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"name": "Ann"}}}
        assert client.post(reply).status_code == 202
        assert next(told)["result"]["content"][0]["text"] == '{"action":"accept","content":{"name":"Ann"}}'


def test_a_client_that_refuses_to_answer_fails_the_call(client: Client) -> None:
    client.open(capabilities={"elicitation": {}})
    with client.stream(client.message("tools/call", {"name": "asks"})) as answer:
        told = pieces(answer.iter_bytes())
        asked = [next(told), next(told)][1]
        client.post({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "not now"}})
        result = next(told)["result"]
        assert result["isError"] is True
        assert "not now" in result["content"][0]["text"]


def test_a_cancelled_request_is_not_answered(client: Client) -> None:
    client.open()
    body = client.message("tools/call", {"name": "slow"})
    with client.stream(body) as answer:
        told = pieces(answer.iter_bytes())
        assert [next(told), next(told)][1]["method"] == "notifications/message"
        duplicate = client.post(body)
        assert (duplicate.status_code, duplicate.json()["error"]["code"]) == (400, -32600)
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": body["id"]}}
        assert client.post(cancelled).status_code == 202
        assert list(told) == []


def test_a_lasting_stream_hears_of_changes_and_is_taken_up_again(client: Client, mcp: MCPMock) -> None:
    client.open()
    client.ask("resources/subscribe", {"uri": "file:///a"})
    events = {"accept": "text/event-stream"}
    with client.http.stream("GET", client.url, headers=events) as answer:
        told = pieces(answer.iter_bytes())
        next(told)
        assert client.http.get(client.url, headers=events).status_code == 409
        mcp.add_tool({"name": "new"})
        first = next(told)
        assert first["method"] == "notifications/tools/list_changed"
        mcp.notify("file:///a").notify("file:///other")
        assert next(told)["params"] == {"uri": "file:///a"}
    last = {"last-event-id": first["event"]}
    for _ in range(50):  # until the server has noticed that the client left
        answer = client.http.send(client.http.build_request("GET", client.url, headers=events | last), stream=True)
        if answer.status_code == 200:
            break
        answer.close()
    told = pieces(answer.iter_bytes())
    assert next(told)["params"] == {"uri": "file:///a"}
    mcp.remove("tools", "new")
    assert next(told)["method"] == "notifications/tools/list_changed"
    answer.close()


@pytest.mark.parametrize("last", ["0_99", "9_0", "nonsense", ""])
def test_an_event_that_nobody_knows(client: Client, last: str) -> None:
    client.open()
    answer = client.http.get(client.url, headers={"accept": "text/event-stream", "last-event-id": last})
    assert answer.status_code == 400


def test_a_stream_that_hangs_up_gives_its_answer_to_the_client_that_comes_again(client: Client) -> None:
    client.open()
    with client.stream(client.message("tools/call", {"name": "reconnects"})) as answer:
        told = list(pieces(answer.iter_bytes()))
    assert [piece["retry"] for piece in told] == ["", "10"]
    headers = {"accept": "text/event-stream", "last-event-id": told[0]["event"]}
    again = messages(client.http.get(client.url, headers=headers))
    assert again[-1]["result"]["content"][0]["text"] == "again"


def test_old_clients_get_no_priming(client: Client) -> None:
    client.open("2025-06-18")
    assert client.said("tools/call", {"name": "reconnects"})[-1]["result"]["isError"] is False
    with client.stream(client.message("tools/call", {"name": "logs"})) as answer:
        assert next(pieces(answer.iter_bytes()))["method"] == "notifications/message"


def test_get_and_delete_without_a_session(client: Client) -> None:
    for method, headers, status in (
        ("GET", {"accept": "text/event-stream"}, 405),
        ("GET", {"accept": "application/json"}, 406),
        ("DELETE", {}, 400),
        ("DELETE", {"mcp-protocol-version": "2026-07-28"}, 405),
        ("PUT", {}, 405),
    ):
        answer = client.http.request(method, client.url, headers=headers)
        assert (method, answer.status_code) == (method, status)
        assert ("allow" in answer.headers) == (status == 405)
    assert client.http.get(f"{client.url}/nothing").status_code == 404


def test_a_stateless_server_has_no_sessions() -> None:
    mock = MCPMock(settings={"sessions": "stateless"}).add_tool({"name": "t", "result": "x"})
    with mock, Client(mock.url) as client:
        assert "mcp-session-id" not in client.open().headers
        assert client.ask("tools/call", {"name": "t"})["result"]["content"][0]["text"] == "x"
        assert client.http.get(client.url).status_code == 405
        assert client.http.delete(client.url).status_code == 405


def test_answers_may_be_events_always() -> None:
    with MCPMock(settings={"responseMode": "sse"}) as mock, Client(mock.url) as client:
        answer = client.open()
        assert answer.headers["content-type"] == "text/event-stream"
        assert messages(answer)[0]["result"]["protocolVersion"] == "2025-11-25"


def test_answers_come_in_turn_for_each_test(mcp: MCPMock) -> None:
    def text(client: Client, test: str) -> str:
        body = client.message("tools/call", {"name": "turns"})
        return str(client.post(body, **{"x-test-id": test}).json()["result"]["content"][0]["text"])

    with Client(mcp.url) as client:
        client.open()
        assert [text(client, test) for test in "aabaa"] == ["first", "second", "first", "second", "second"]


def test_what_nothing_is_meant_to_answer(mcp: MCPMock) -> None:
    with Client(mcp.url) as client:
        client.open()
        told = client.ask("tools/call", {"name": "only", "arguments": {"a": 2}})
        assert told["error"]["message"] == "only has no case for these arguments"
        body = client.message("tools/call", {"name": "none"})
        strict = client.post(body, **{"x-aimock-strict": "true"})
        assert (strict.status_code, strict.json()["error"]["message"]) == (503, "Strict mode: Unknown tool: none")


def test_the_journal_has_messages_as_they_came(mcp: MCPMock) -> None:
    with Client(mcp.url) as client:
        client.open()
        client.ask("tools/call", {"name": "weather", "arguments": {"city": "Oslo"}})
        client.post(b"{")
        client.http.delete(client.url)
    entries = mcp.get_requests()
    assert [(entry["body"] or {}).get("method") for entry in entries] == [
        "initialize",
        "notifications/initialized",
        "tools/call",
        None,
        None,
    ]
    assert [entry["response"]["status"] for entry in entries] == [200, 202, 200, 400, 200]


def test_completion(client: Client) -> None:
    client.open()
    argument = {"name": "who", "value": "an"}
    told = client.ask("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": argument})
    assert told["result"]["completion"] == {"values": ["Ann", "Anna"], "total": 2, "hasMore": False}
    told = client.ask("completion/complete", {"ref": {"type": "ref/prompt", "name": "none"}, "argument": argument})
    assert told["error"]["code"] == -32602


def test_the_transport_of_2024(mcp: MCPMock) -> None:
    events = {"accept": "text/event-stream"}
    with httpx.Client() as http, http.stream("GET", f"{mcp.url}/sse", headers=events) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: endpoint"
        target = next(lines).removeprefix("data: ")
        post = f"{mcp.url.removesuffix('/mcp')}{target}"

        def told() -> dict[str, Any]:
            data = next(line for line in lines if line.startswith("data: "))
            message: dict[str, Any] = orjson.loads(data.removeprefix("data: "))
            return message

        assert http.post(post, json=initialize("2024-11-05")).status_code == 202
        assert told()["result"]["protocolVersion"] == "2024-11-05"
        assert http.post(post, json=initialize("2024-11-05")).status_code == 202
        assert told()["error"]["message"] == "The session is initialized already"
        assert http.post(post, json=CALL | {"method": "tools/call", "params": {"name": "logs"}}).status_code == 202
        assert [told()["method"] for _ in range(2)] == ["notifications/message"] * 2
        assert told()["result"]["content"][0]["text"] == "x"
        assert http.post(post, content=b"{").status_code == 400
        assert http.post(f"{mcp.url}/messages?sessionId=none", json=CALL).status_code == 404


def test_chaos_befalls_calls(client: Client) -> None:
    client.open()
    assert client.post(CALL, **{"x-aimock-chaos-drop": "1"}).json()["error"]["code"] == "chaos_drop"
    with pytest.raises(ValueError, match="expected"):
        orjson.loads(client.post(CALL, **{"x-aimock-chaos-malformed": "1"}).content)
    limited = client.post(CALL, **{"x-aimock-fault": "overloaded"})
    assert (limited.status_code, limited.json()["id"], limited.json()["error"]["code"]) == (529, 1, -32603)


def test_ids_repeat_from_the_seed() -> None:
    def sessions() -> list[str]:
        with MCPMock(seed=7) as mock:
            for _ in range(3):
                with Client(mock.url) as client:
                    client.open()
            return mock.get_sessions()

    first = sessions()
    assert len(set(first)) == 3
    assert sessions() == first

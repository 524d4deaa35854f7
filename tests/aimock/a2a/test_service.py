"""A2A as a service among others: what answers, sequences, strict, journal, metrics, chaos, configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import aimock
from aimock import AIMock, mounts
from aimock.config import ConfigError, load_config
from aimock.documents import with_paths
from aimock.surfaces.a2a import A2AService, config_schema, from_config
from aimock.surfaces.a2a.mock import A2AMock

from .conftest import V1, events_of, message, old_message

RPC = Callable[..., Any]


def text_of(result: Any) -> str:
    return str(result["result"]["message"]["parts"][0]["text"])


# -- what answers ----------------------------------------------------------------------------------------------------


def test_the_first_agent_and_its_first_pattern_answer(agent: A2AMock, rpc: RPC) -> None:
    agent.register_agent("second").on_message("second", "hello", "second").on_message("second", "only", "only")
    agent.on_message("bot", "hello", "first").on_message("bot", "hello there", "later")
    assert text_of(rpc("SendMessage", message("hello there"))) == "first"
    assert text_of(rpc("SendMessage", message("only"))) == "only"
    assert text_of(rpc("SendMessage", message("hello there"), path="/second")) == "second"
    assert rpc("SendMessage", message("only"), path="/bot")["error"]["code"] == -32000


def test_patterns(agent: A2AMock, rpc: RPC) -> None:
    agent.on_message("bot", "one two", "joined").on_message("bot", re.compile("^h.llo$", re.I), "expression")
    agent.on_message("bot", {"$regex": "[0-9]{3}"}, "digits")
    parts = [{"text": "one"}, {"data": {}}, {"text": "two"}]
    assert text_of(rpc("SendMessage", message(parts=parts))) == "joined"
    assert text_of(rpc("SendMessage", message("HALLO"))) == "expression"
    assert text_of(rpc("SendMessage", message("a 123 b"))) == "digits"
    assert rpc("SendMessage", message("One Two"))["error"]["code"] == -32000


def test_what_is_meant_for_streams_is_streamed_first(agent: A2AMock, rpc: RPC) -> None:
    agent.on_message("bot", "hello", "Hi!")
    agent.register_agent("second").on_streaming_task("second", "hello", [{"type": "artifact", "parts": "a"}])
    assert text_of(rpc("SendMessage", message())) == "Hi!"
    events = rpc("SendStreamingMessage", message())
    assert [[*event["result"]] for event in events] == [["task"], ["artifactUpdate"], ["statusUpdate"]]


def test_a_task_is_its_agents(agent: A2AMock, rpc: RPC) -> None:
    agent.register_agent("second").on_task("second", "", final_state="working")
    id = rpc("SendMessage", message())["result"]["task"]["id"]
    assert rpc("GetTask", {"id": id})["result"]["id"] == id
    assert rpc("GetTask", {"id": id}, path="/second")["result"]["id"] == id
    assert rpc("GetTask", {"id": id}, path="/bot")["error"]["code"] == -32001
    assert rpc("ListTasks", path="/bot")["result"]["totalSize"] == 0
    assert rpc("ListTasks", path="/second/")["result"]["totalSize"] == 1


def test_a_tenant_may_stand_in_the_path(agent: A2AMock, http: httpx.Client) -> None:
    agent.on_task("bot", "", final_state="working")
    id = http.post(agent.url + "/acme/message:send", json=message()).json()["task"]["id"]
    for path in (f"/acme/tasks/{id}", f"/bot/tasks/{id}", f"/bot/acme/tasks/{id}"):
        assert http.get(agent.url + path).json()["id"] == id


def test_sequences_are_counted_for_each_test(agent: A2AMock, rpc: RPC) -> None:
    agent.on_message("bot", "next", "first", sequence_index=0).on_message("bot", "next", "second", sequence_index=1)
    agent.on_message("bot", "next", "rest")

    def say(test: str) -> str:
        return text_of(rpc("SendMessage", message("next"), {"X-Test-Id": test}))

    assert [say("a") for _ in range(4)] == ["first", "second", "rest", "rest"]
    assert [say("b") for _ in range(2)] == ["first", "second"]
    agent._do(lambda: agent.service.rewind("a"))
    assert [say("a"), say("b")] == ["first", "rest"]


def test_tasks_are_listed_for_each_test(agent: A2AMock, rpc: RPC) -> None:
    agent.on_task("bot", "")
    rpc("SendMessage", message(), {"X-Test-Id": "a"})
    assert rpc("ListTasks", {}, {"X-Test-Id": "a"})["result"]["totalSize"] == 1
    assert rpc("ListTasks")["result"] == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}


def test_ids_repeat_from_the_seed() -> None:
    def ask() -> Any:
        with A2AMock(seed=3, wall_clock=lambda: 5.0, signing=True) as mock, httpx.Client(verify=False) as http:
            mock.register_agent("bot").on_streaming_task("bot", "", [{"type": "artifact", "parts": "a"}])
            body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message()}
            card = http.get(mock.url + "/.well-known/agent-card.json", headers={"Host": "h"})
            return [http.post(mock.url, json=body).content for _ in range(2)], card.content

    first, second = ask(), ask()
    assert first == second
    assert first[0][0] != first[0][1]


# -- misses ----------------------------------------------------------------------------------------------------------


def test_what_no_pattern_answers(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    error = rpc("SendMessage", message("unheard"), V1)["error"]
    assert (error["code"], error["message"]) == (-32000, "No matching pattern for message")
    assert rpc("message/stream", old_message("unheard"))["error"]["code"] == -32000
    assert http.post(agent.url + "/message:send", json=message("unheard")).status_code == 404
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message()}
    for path, body in (("", call), ("/message:send", message())):
        response = http.post(agent.url + path, json=body, headers={"X-AIMock-Strict": "true"})
        assert response.status_code == 503
        assert response.json()["error"]["message"] == "Strict mode: No matching pattern for message"


# -- journal, metrics, health ----------------------------------------------------------------------------------------


def test_journal_metrics_and_health_tell_of_it(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    agent.on_task("bot", "")
    rpc("SendMessage", message(), V1)
    rpc("message/stream", old_message())
    rpc("Nonsense")
    http.post(agent.url, content=b"{")
    http.post(agent.url + "/message:send", json=message())
    http.get(agent.url + "/.well-known/agent-card.json")
    entries = agent.get_requests()
    assert [entry["path"] for entry in entries] == ["/a2a"] * 4 + [
        "/a2a/message:send",
        "/a2a/.well-known/agent-card.json",
    ]
    assert entries[0]["body"]["params"] == message()
    assert [entry["response"]["status"] for entry in entries] == [200] * 6
    told = http.get(agent.url.removesuffix("/a2a") + "/metrics").text
    counts = dict(re.findall(r'^aimock_a2a_requests_total\{method="([^"]+)"\} (\S+)$', told, re.M))
    assert counts == {"SendMessage": "2", "message/stream": "1", "unknown": "2", "GetAgentCard": "1"}
    assert 'path="/a2a/{operation}"' in told
    assert agent.health() == {"status": "ok", "agents": 1, "tasks": 3}


def test_every_kind_of_request_is_journaled_once(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    agent.on_task("bot", "ask", input_required="?").on_message("bot", "hello", "Hi!").on_message(
        "bot", "no", error=-32005
    )
    requests = [
        lambda: rpc("SendMessage", message("ask")),
        lambda: rpc("SendStreamingMessage", message("hello")),
        lambda: rpc("SendMessage", message("no")),
        lambda: rpc("SendMessage", message("unheard")),
        lambda: rpc("GetTask", {"id": "x"}),
        lambda: rpc("ListTasks"),
        lambda: rpc("GetExtendedAgentCard"),
        lambda: http.get(agent.url + "/nothing"),
        lambda: http.put(agent.url),
        lambda: http.get(agent.url + "/.well-known/jwks.json"),
        lambda: http.post(agent.url, json=[]),
    ]
    for number, request in enumerate(requests, 1):
        request()
        assert len(agent.get_requests()) == number


# -- chaos -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [("unavailable", 503), ("rateLimit", 429), ("drop", 500)])
def test_chaos_befalls_calls(agent: A2AMock, http: httpx.Client, fault: str, status: int) -> None:
    agent.on_message("bot", "", "Hi!")
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message()}
    headers = {"X-AIMock-Fault": fault}
    response = http.post(agent.url, json=body, headers=headers)
    assert response.status_code == status
    if status == 503:
        assert (response.json()["id"], response.json()["error"]["code"]) == (1, -32603)
        over_http = http.post(agent.url + "/message:send", json=message(), headers=headers)
        assert over_http.json()["error"]["code"] == 503
    assert http.get(agent.url + "/.well-known/agent-card.json", headers=headers).status_code == 200
    assert len(agent.get_requests()) == 2 + (status == 503)


@pytest.mark.parametrize("delay", [0, 1])
def test_chaos_befalls_streams(agent: A2AMock, http: httpx.Client, delay: float) -> None:
    """Those that are known beforehand, and those that come as they come."""
    agent.on_streaming_task("bot", "", [{"type": "status", "state": "working"}] * 2, delay_ms=delay)
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message()}

    def ask(fault: str) -> httpx.Response:
        return http.post(agent.url, json=body, headers={"X-AIMock-Fault": fault})

    events = events_of(ask("error-event;afterChunks=2"))
    assert ["result" in event for event in events] == [True, True, False]
    assert len(events_of(ask("truncate;afterChunks=1"))) == 1
    with pytest.raises(httpx.RemoteProtocolError):
        ask("fin;afterChunks=1")


# -- configuration ---------------------------------------------------------------------------------------------------

REFERENCE = {
    "agents": [
        {
            "name": "bot",
            "description": "…",
            "version": "1.0.0",
            "skills": [{"id": "s", "name": "S"}],
            "capabilities": {"streaming": True},
            "messages": [{"pattern": "hello", "parts": [{"text": "hi"}]}, {"pattern": "empty"}],
            "tasks": [{"pattern": "report", "artifacts": [{"name": "r", "parts": [{"text": "…"}]}]}],
            "streamingTasks": [
                {
                    "pattern": "stream",
                    "events": [
                        {"type": "status", "state": "TASK_STATE_WORKING"},
                        {
                            "type": "artifact",
                            "parts": [{"text": "x"}],
                            "name": "o",
                            "append": False,
                            "lastChunk": True,
                        },
                    ],
                    "delayMs": 10,
                }
            ],
        }
    ]
}


def test_the_shape_of_the_reference_is_taken() -> None:
    service = from_config(REFERENCE, Path())
    assert service.health() == {"status": "ok", "agents": 1, "tasks": 0}
    (bot,) = service.agents
    assert [entry.pattern for entry in bot.entries] == ["hello", "empty", "report", "stream"]
    assert bot.entries[1].parts == [{"text": ""}]


def test_the_config_file_has_a_section(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "one.json").write_text(json.dumps(REFERENCE))
    (tmp_path / "agents" / "two.json").write_text(json.dumps({"name": "two"}))
    (tmp_path / "list.json").write_text(json.dumps([{"name": "three"}]))
    for agents, names in (("agents", ["bot", "two"]), ("list.json", ["three"]), ("agents/one.json", ["bot"])):
        ((_, service),) = mounts.from_config("a2a", {"agents": agents}, tmp_path)
        assert isinstance(service, A2AService)
        assert [agent.name for agent in service.agents] == names
    file = tmp_path / "aimock.json"
    file.write_text(json.dumps({"a2a": {"path": "/agents", "agents": "list.json"}}))
    ((path, service),) = load_config(file).services
    assert (path, service.health()["agents"]) == ("/agents", 1)
    file.write_text(json.dumps({"a2a": {"agents": "missing.json"}}))
    with pytest.raises(ConfigError, match=r"a2a.*agents.*missing\.json"):
        load_config(file)


def of(kind: str, **entry: Any) -> dict[str, Any]:
    """A section with one agent with one entry."""
    return {"agents": [{"name": "a", kind: [{"pattern": "", **entry}]}]}


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"agent": []}, 'agent: unknown key, did you mean "agents"'),
        ({"agents": {"a": 1}}, r"agents\[0\]\.a: unknown key"),
        ({"agents": [5]}, r"agents\[0\]: expected an object, got 5"),
        ({"agents": [{}]}, r"agents\[0\]\.name: is missing"),
        ({"agents": [{"name": ""}]}, r"agents\[0\]\.name: expected a string that is not empty"),
        ({"agents": [{"name": "a", "skills": [{}]}]}, r"agents\[0\]\.skills\[0\]\.id: is missing"),
        (
            {"agents": [{"name": "a", "capabilities": {"streaming": 1}}]},
            r"capabilities\.streaming: expected true or false",
        ),
        ({"agents": [{"name": "a", "protocolVersions": ["0.2"]}]}, r'protocolVersions\[0\]: expected "1.0" or "0.3"'),
        ({"agents": [{"name": "a", "protocolVersions": []}]}, "one or more versions"),
        ({"agents": [{"name": "a", "messages": [{"parts": []}]}]}, r"messages\[0\]\.pattern: is missing"),
        ({"agents": [{"name": "a", "messages": [{"pattern": 5}]}]}, r"messages\[0\]\.pattern: must be a string"),
        (
            of("messages", parts=[{}]),
            r"parts\[0\]: expected exactly one",
        ),
        (of("messages", part=[]), 'did you mean "parts"'),
        (of("tasks", finalState="done"), "finalState: expected one of"),
        (of("tasks", delayMs=-1), "delayMs: expected milliseconds"),
        (of("tasks", error="NONSENSE"), "error: expected a code"),
        (
            of("tasks", error={"message": "x"}),
            r"error\.code: is missing",
        ),
        (of("tasks", replaySpeed=0), "replaySpeed: expected a number"),
        (of("tasks", streamingProfile="no"), "streamingProfile: "),
        (
            of("tasks", sequenceIndex=-1),
            "sequenceIndex: expected a whole",
        ),
        (
            of("streamingTasks", events=[{"type": "x"}]),
            r'events\[0\]\.type: expected "status" or "artifact", got "x"',
        ),
        (
            of("streamingTasks", events=[{"type": "status"}]),
            r"events\[0\]\.state: is missing",
        ),
        (
            {
                "agents": [
                    {"name": "a", "streamingTasks": [{"pattern": "", "events": [{"type": "artifact", "state": "x"}]}]}
                ]
            },
            r"events\[0\]\.state: unknown key",
        ),
        (
            of("streamingTasks", events=[{"type": "status", "state": "failed"}, {"type": "artifact"}]),
            r"events\[1\]: comes after .*events\[0\], which ends the task",
        ),
        ({"push": {"allow": "x"}}, r"push\.allow: expected an array"),
        ({"signing": {"key": "missing.pem"}}, r"signing\.key: .*missing\.pem: No such file"),
        ({"signing": 5}, "signing: expected an object"),
        ({"maxTasks": "x"}, "maxTasks: expected a whole number"),
    ],
)
def test_a_section_that_is_wrong(section: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_config(section, tmp_path)


def test_what_is_wrong_changes_nothing(agent: A2AMock) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        agent.add({"agents": [{"name": "new"}, {"name": "wrong", "nonsense": 1}]})
    assert agent.health()["agents"] == 1
    with pytest.raises(ValueError, match="no agent 'nobody' is registered"):
        agent.on_message("nobody", "x", "y")


def test_the_control_api_adds_and_resets(agent: A2AMock, rpc: RPC, http: httpx.Client) -> None:
    control = agent.url.removesuffix("/a2a") + "/__aimock/services/a2a"
    assert http.post(control, json=REFERENCE).json() == {"added": 4}
    assert text_of(rpc("SendMessage", message("hello"))) == "hi"
    assert http.post(control, json={"agents": [{"name": "more"}]}).json() == {"added": 1}
    assert 'did you mean "agents"' in http.post(control, json={"agent": 1}).json()["error"]
    assert http.post(control + "/reset").json() == {"reset": True}
    assert agent.health() == {"status": "ok", "agents": 0, "tasks": 0}


def test_the_schema_takes_what_is_taken() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(with_paths(config_schema()))
    assert validator.is_valid(REFERENCE)
    assert validator.is_valid({"agents": "./agents.json", "signing": True, "push": {"allow": ["*"]}})
    assert not validator.is_valid({"agents": [{"name": "a", "nonsense": 1}]})


def test_a_suite_has_it() -> None:
    suite = aimock.create_mock_suite(a2a=REFERENCE)
    with suite:
        assert suite.a2a is not None
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message()}
        with httpx.Client(verify=False) as http:
            assert text_of(http.post(suite.a2a.url, json=body).json()) == "hi"
            card = http.get(suite.url + "/.well-known/agent-card.json").json()
            assert card["url"] == suite.a2a.url


def test_two_are_two() -> None:
    with AIMock() as mock, httpx.Client(verify=False) as http:
        for path in ("/a", "/b"):
            mock.mount(path, A2AService())
            service = mock._do(lambda path=path: mock._state.mounts.named(path))
            mock._do(lambda service=service, path=path: service.add({"agents": [{"name": path}]}))
        for path in ("/a", "/b"):
            assert http.get(f"{mock.url}{path}/.well-known/agent-card.json").json()["name"] == path

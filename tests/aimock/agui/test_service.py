"""The agent on a server: ids, sequences, times, faults, refusals, and what the journal has of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

import aimock
from agui_runs import asking, events_in, run_input, types_in
from aimock import AGUIMock, AIMock
from aimock.config import load_config
from aimock.net.limits import Limits
from aimock.surfaces.agui import from_config
from aimock.surfaces.agui.book import Book
from aimock.surfaces.agui.section import read_section


@pytest.fixture
def agent() -> Iterator[AGUIMock]:
    with AGUIMock(seed=7) as mock:
        yield mock


@pytest.fixture
def post(agent: AGUIMock) -> Callable[..., httpx.Response]:
    """post("hello", {"X-Test-Id": "a"}, runId="r2"), or post(b"bytes")."""

    def send(asked: str | bytes = "hello", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        content = asked if isinstance(asked, bytes) else json.dumps(asking(asked, **more)).encode()
        return httpx.post(agent.url, content=content, headers=headers, timeout=10)

    return send


Post = Callable[..., httpx.Response]


def said(response: httpx.Response) -> str:
    return "".join(event["delta"] for event in events_in(response.text) if event["type"] == "TEXT_MESSAGE_CONTENT")


# -- runs --------------------------------------------------------------------------------------------------------------


def test_ids_are_the_request_s_and_new_ones_are_new_in_each_run(agent: AGUIMock, post: Post) -> None:
    agent.on_message("hello", "Hi")
    first = events_in(post("hello", parentRunId="p0").text)
    second = events_in(post("hello", threadId="t2", runId="r2", protocolVersion="1.0").text)
    assert first[0] | {"timestamp": 0} == {
        "type": "RUN_STARTED",
        "threadId": "t1",
        "runId": "r1",
        "parentRunId": "p0",
        "timestamp": 0,
    }
    assert second[0]["protocolVersion"] == "1.0"
    assert (second[-1]["threadId"], second[-1]["runId"]) == ("t2", "r2")
    assert first[1]["messageId"] == first[2]["messageId"] != second[1]["messageId"]


def test_a_run_repeats_from_the_seed() -> None:
    def run() -> str:
        with AGUIMock(seed=3, wall_clock=lambda: 1_700_000_000.0) as mock:
            mock.on_tool_call("hello", "f", {"a": 1}, result="x").on_message("", "later")
            return httpx.post(mock.url, json=asking()).text + httpx.post(mock.url, json=asking("b")).text

    assert run() == run()


def test_who_says_no_ids_is_given_some(agent: AGUIMock, post: Post) -> None:
    agent.on_message("hello", "Hi")
    events = events_in(post(b'{"messages": [{"role": "user", "content": "hello"}], "resume": null}').text)
    assert events[0]["threadId"].startswith("thread_")
    assert events[0]["runId"] == events[-1]["runId"]


def test_templates_in_events(agent: AGUIMock, post: Post) -> None:
    events = [
        {"type": "RUN_STARTED", "threadId": "{{threadId}}", "runId": "own"},
        {
            "type": "CUSTOM",
            "name": "{{runId}}",
            "value": ["{{toolCallId:a}}", "{{toolCallId:b}}", "{{toolCallId:a}}", "{{x}}"],
        },
        {"type": "RUN_FINISHED", "runId": "own"},
    ]
    agent.on_run("hello", events)
    started, custom, finished = events_in(post().text)
    assert (started["threadId"], started["runId"], finished["threadId"]) == ("t1", "own", "t1")
    one, other, again, unknown = custom["value"]
    assert custom["name"] == "r1"
    assert one == again != other
    assert one.startswith("call_")
    assert unknown == "{{x}}"


def test_events_have_the_time_unless_they_say_it() -> None:
    with AGUIMock(wall_clock=lambda: 1_700_000_000.0) as mock:
        mock.on_run("", [{"type": "RUN_STARTED", "timestamp": 5}, {"type": "RUN_FINISHED"}])
        assert [event["timestamp"] for event in events_in(httpx.post(mock.url, json=asking()).text)] == [
            5,
            1_700_000_000_000,
        ]


def test_sequences_are_counted_by_test(agent: AGUIMock, post: Post) -> None:
    for place, text in enumerate(["first", "second"]):
        agent.on_message("hello", text, sequence_index=place)
    agent.on_message("hello", "ever after")
    a, b = {"X-Test-Id": "a"}, {"X-Test-Id": "b"}
    assert [said(post("hello", a)) for _ in range(3)] == ["first", "second", "ever after"]
    assert said(post("hello", b)) == "first"
    agent.service.rewind("a")
    assert said(post("hello", a)) == "first"
    assert said(post("hello", b)) == "second"


def test_counts_of_so_many_tests_are_kept() -> None:
    book = Book()
    book.add(read_section({"fixtures": [{"match": {"sequenceIndex": 0}, "text": "x"}]}, Path()).fixtures)
    for number in range(2_000):
        assert book.serve(run_input(), str(number)) is not None
    assert len(book._served) == 500
    assert book.serve(run_input(), "1999") is None
    assert book.serve(run_input(), "0") is not None


def test_turns(agent: AGUIMock, post: Post) -> None:
    agent.on_message("hello", "opening", turn_index=0).on_message("hello", "reply", turn_index=1)
    history = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "x"}]
    assert said(post()) == "opening"
    assert said(post(messages=history)) == "reply"


def test_what_a_request_brings_comes_before_what_its_user_said(agent: AGUIMock, post: Post) -> None:
    agent.on_tool_call("hello", "f", tool_call_id="c").on_tool_result("c", "done")
    agent.on_interrupt("stop", "why", interrupt_id="i").on_resume("i", "gone on")
    result = [{"role": "user", "content": "hello"}, {"role": "tool", "toolCallId": "c", "content": ""}]
    assert "TOOL_CALL_START" in types_in(events_in(post().text))
    assert said(post(messages=result)) == "done"
    assert events_in(post("stop").text)[-1]["outcome"]["type"] == "interrupt"
    assert said(post("stop", resume=[{"interruptId": "i", "status": "cancelled"}])) == "gone on"
    other = [{"role": "user", "content": "hello"}, {"role": "tool", "toolCallId": "other", "content": ""}]
    assert "TOOL_CALL_START" in types_in(events_in(post(messages=other).text))


# -- times -------------------------------------------------------------------------------------------------------------


async def test_delay_ms_comes_after_each_event(memory: Any, autojump_clock: MockClock) -> None:
    server = memory()
    agent = from_config({"fixtures": [{"match": {}, "text": "Hi", "delayMs": 10}]}, Path())
    server.state.mounts.add("/agui", agent)
    await wait_all_tasks_blocked()
    streamed = await server.stream("hello", path="/agui")
    assert streamed.times == [0, 10, 20, 30, 40]
    assert streamed.ended_at == 50
    stamps = [json.loads(data)["timestamp"] for _, data in streamed.events]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize(
    ("entry", "settings", "times"),
    [
        ({"text": "abcdefgh", "chunkSize": 4}, {}, [0.0] * 6),
        ({"text": "Hi", "latency": 5}, {}, [5, 10, 15, 20, 25]),
        ({"text": "Hi", "delayMs": 10, "latency": 5}, {}, [5, 10, 15, 20, 25]),
        ({"text": "Hi", "delayMs": 10}, {"latency": 7}, [0, 10, 20, 30, 40]),
        ({"text": "Hi", "delayMs": 0}, {"latency": 7}, [0, 0, 0, 0, 0]),
        ({"text": "Hi"}, {"latency": 7}, [7, 14, 21, 28, 35]),
        ({"text": "Hi", "streamingProfile": {"ttft": 100, "tps": 100}}, {}, [100, 110, 120, 130, 140]),
        ({"text": "Hi", "streamingProfile": {"ttft": 100, "tps": 100}, "replaySpeed": 2}, {}, [50, 55, 60, 65, 70]),
        ({"text": "abcdefgh", "streamingProfile": {"tps": 100}}, {"chunk_size": 3}, [10 * n for n in range(1, 8)]),
        (
            {
                "events": [{"type": "RUN_STARTED"}, {"type": "RUN_FINISHED"}],
                "recordedTimings": {"ttftMs": 30, "interChunkDelaysMs": [12.5], "totalDurationMs": 42.5},
            },
            {"latency": 1},
            [30, 42.5],
        ),
    ],
)
async def test_physics(
    entry: dict[str, Any], settings: dict[str, Any], times: list[float], memory: Any, autojump_clock: MockClock
) -> None:
    server = memory(**settings)
    server.state.mounts.add("/agui", from_config({"fixtures": [{"match": {}} | entry]}, Path()))
    await wait_all_tasks_blocked()
    streamed = await server.stream("hello", path="/agui")
    assert [round(time, 3) for time in streamed.times] == times


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("unavailable", 503, '{"error":"Service temporarily unavailable"}'),
        ("drop", 500, None),
        ("rateLimit", 429, None),
        ("malformed", 200, "{malformed json: <<<chaos>>>"),
        ("empty", 200, ""),
    ],
)
def test_a_fault_stands_instead_of_the_answer(
    fault: str, status: int, body: str | None, agent: AGUIMock, post: Post
) -> None:
    agent.on_message("hello", "Hi")
    response = post("hello", {"x-aimock-fault": fault})
    assert response.status_code == status
    assert body is None or response.text == body
    (entry,) = agent.get_requests()
    assert entry["response"]["chaosAction"] == fault


def test_a_fault_in_the_midst_of_a_run(agent: AGUIMock, post: Post) -> None:
    agent.on_message("hello", "Hi")
    events = events_in(post("hello", {"x-aimock-fault": "error-event;afterChunks=2"}).text)
    assert types_in(events) == ["RUN_STARTED", "TEXT_MESSAGE_START", "RUN_ERROR"]
    cut = post("hello", {"x-aimock-fault": "truncate;afterChunks=3"})
    assert types_in(events_in(cut.text)) == ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"]
    with pytest.raises(httpx.RemoteProtocolError):
        post("hello", {"x-aimock-fault": "fin;afterChunks=1"})
    broken = post("hello", {"x-aimock-fault": "malformed-frame;afterChunks=1"})
    with pytest.raises(ValueError, match="delimiter"):
        events_in(broken.text)


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Invalid JSON body: "),
        (b"{", "Invalid JSON body: "),
        (b"[]", "Invalid RunAgentInput: the body: expected an object, got []"),
        (b"{}", "Invalid RunAgentInput: messages: is missing"),
        (b'{"messages": "hi"}', 'Invalid RunAgentInput: messages: expected an array, got "hi"'),
        (b'{"messages": ["hi"]}', 'Invalid RunAgentInput: messages[0]: expected an object, got "hi"'),
        (b'{"messages": [{}]}', "Invalid RunAgentInput: messages[0].role: is missing"),
        (b'{"messages": [], "threadId": 3}', "Invalid RunAgentInput: threadId: expected a string, got 3"),
        (b'{"messages": [], "tools": [{}]}', "Invalid RunAgentInput: tools[0].name: is missing"),
        (b'{"messages": [], "resume": [{"interruptId": "i"}]}', "Invalid RunAgentInput: resume[0].status: is missing"),
    ],
)
def test_a_request_that_is_none(body: bytes, said: str, agent: AGUIMock, post: Post) -> None:
    agent.add_fixture({"match": {}, "text": "x"})
    response = post(body)
    assert response.status_code == 400
    assert response.json()["error"].startswith(said)
    assert agent.get_requests()[0]["response"]["status"] == 400


def test_what_nothing_matches(agent: AGUIMock, post: Post) -> None:
    response = post()
    assert (response.status_code, response.json()) == (404, {"error": "No matching AG-UI fixture"})
    strict = post("hello", {"x-aimock-strict": "true"})
    assert (strict.status_code, strict.json()) == (503, {"error": "Strict mode: no matching AG-UI fixture"})
    first, second = agent.get_requests()
    assert first["service"] == "agui"
    assert "strictOverride" not in first["response"]
    assert second["response"]["strictOverride"] is True


def test_other_methods_and_paths(agent: AGUIMock) -> None:
    refused = httpx.get(agent.url)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert httpx.post(agent.url + "/runs", json=asking()).status_code == 404
    assert httpx.options(agent.url, headers={"origin": "http://x"}).status_code < 300


def test_too_large_a_request_is_refused_in_the_agent_s_words() -> None:
    with AGUIMock(limits=Limits(body_bytes=100)) as mock:
        response = httpx.post(mock.url, json=asking("x" * 200))
        assert response.status_code == 413
        assert "error" in response.json()


# -- what else knows of it ---------------------------------------------------------------------------------------------


def test_journal_health_metrics_and_reset() -> None:
    with AGUIMock(metrics=True) as mock:
        mock.on_message("hello", "Hi")
        httpx.post(mock.url, json=asking())
        httpx.post(mock.url, content=b"{")
        httpx.request("BREW", mock.url)
        top = mock.url.removesuffix("/agui")
        metrics = httpx.get(top + "/metrics").text
        assert 'aimock_agui_requests_total{method="POST"} 2' in metrics
        assert 'aimock_agui_requests_total{method="other"} 1' in metrics
        entry = mock.get_requests()[0]
        assert entry["body"] == asking()
        assert httpx.get(top + "/health").json()["services"]["agui"] == {"status": "ok", "fixtures": 1}
        mock.reset()
        assert mock.health() == {"status": "ok", "fixtures": 0}
        assert httpx.post(mock.url, json=asking()).status_code == 404


def test_fixtures_come_by_the_control_api(agent: AGUIMock, post: Post) -> None:
    top = agent.url.removesuffix("/agui")
    added = httpx.post(top + "/__aimock/services/agui", json={"fixtures": [{"match": {}, "text": "added"}]})
    assert added.json() == {"added": 1}
    assert said(post()) == "added"
    refused = httpx.post(top + "/__aimock/services/agui", json={"fixtures": [{"match": {}, "text": 3}]})
    assert refused.status_code == 400
    assert "fixtures[0].text: expected a string, got 3" in refused.text
    httpx.post(top + "/__aimock/services/agui/reset")
    assert post().status_code == 404


def test_several_agents_from_one_config_file(tmp_path: Path) -> None:
    file = tmp_path / "aimock.json"
    sections = [
        {"path": "/a", "fixtures": [{"match": {}, "text": "A"}]},
        {"path": "/b", "fixtures": "agents"},
    ]
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "b.json").write_text(json.dumps({"fixtures": [{"match": {}, "text": "B"}]}))
    file.write_text(json.dumps({"agui": sections}))
    server = AIMock()
    for path, service in load_config(file).services:
        server.mount(path, service)
    with server:
        assert [said(httpx.post(server.url + path, json=asking())) for path in ("/a", "/b")] == ["A", "B"]
        # and the LLM beside them
        assert httpx.get(server.url + "/v1/models").status_code == 200


def test_a_suite_has_an_agent() -> None:
    with aimock.create_mock_suite(agui={"fixtures": [{"match": {}, "text": "Hi"}]}) as suite:
        assert suite.agui is not None
        assert said(httpx.post(suite.agui.url, json=asking())) == "Hi"


def test_what_is_wrong_is_told_to_the_program() -> None:
    mock = AGUIMock()
    with pytest.raises(
        ValueError, match=r"fixtures\[0\]\.events\[0\]: RUN_FINISHED: the first event must be RUN_STARTED"
    ):
        mock.on_run("x", [{"type": "RUN_FINISHED"}])
    with pytest.raises(ValueError, match=r'fixtures\[0\]\.delayms: unknown key, did you mean "delayMs"'):
        mock.on_message("x", "y", delayms=3)
    with pytest.raises(ValueError, match=r"record\.upstream: expected an http or https URL"):
        mock.enable_recording("nowhere")
    assert mock.health()["fixtures"] == 0

"""Recording an agent: relayed byte for byte, kept with its times, answered from then on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from agui_runs import events_in, run_input
from aimock.fixtures import load_source
from aimock.surfaces.agui.recorder import derived_match
from aimock.surfaces.agui.section import read_section
from aimock.surfaces.agui.service import AGUI
from recording_provider import END, InMemory, Provider, chunk, head, recorded, saying, streaming, whole

Start = Callable[..., Any]

ODD = [
    b'data: {"type": "RUN_STARTED",  "threadId": "t", "runId": "r"}\r\n\r\n',
    b': a comment\n\ndata: {"type":"TEXT_MESSAGE_START","messageId":"m1","role":"assistant"}\n\n',
    b'event: x\ndata: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m1",\ndata: "delta":"Gr\xc3\xbc\xc3\x9fe"}\n\n',
    b'data: {"type":"TEXT_MESSAGE_END","messageId":"m1"}\n\n',
    b'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r","custom":1}\n\n',
]
"""A run that no encoder of ours would write so."""


@pytest.fixture
async def upstream() -> AsyncIterator[Provider]:
    """An agent that says what the test writes."""
    each = Provider(streaming(*ODD))
    async with each.on_a_socket():
        yield each


@pytest.fixture
async def recording(memory: Start, upstream: Provider, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server whose agent asks the other: recording(proxyOnly=True), with keys of `record`."""
    agents: list[AGUI] = []

    async def start(*, seed: int = 1, path: str = "/agent?key=1", **keys: Any) -> Any:
        server = memory(seed=seed)
        agent = AGUI()
        record = {"upstream": upstream.url + path, "fixturePath": str(tmp_path / "rec")} | keys
        agent.take(read_section({"record": record}, tmp_path))
        server.state.mounts.add("/agui", agent)
        agents.append(agent)
        await wait_all_tasks_blocked()
        return server

    yield start
    for agent in agents:
        await agent.aclose()


@pytest.fixture
def timeless(nursery: trio.Nursery, upstream: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes time but what is told to."""

    async def at_once(write: Callable[..., Any], *args: Any) -> Any:
        return write(*args)

    monkeypatch.setattr("httpcore2.TrioBackend", lambda: InMemory(upstream, nursery))
    monkeypatch.setattr("trio.to_thread.run_sync", at_once)


IDS = {"threadId": "t", "runId": "r"}
OTHER = {"threadId": "t2", "runId": "r2"}


async def test_a_run_is_relayed_as_it_is_and_answered_from_then_on(
    recording: Start, upstream: Provider, tmp_path: Path
) -> None:
    server = await recording()
    lines = {
        "Authorization": "Bearer client",
        "X-Custom": "1",
        "Accept": "application/vnd.ag-ui.event+proto",
        "X-Test-Id": "a",
    }
    first = await server.exchange("hello", lines, path="/agui", **IDS)
    assert first.body == b"".join(ODD)
    assert (first.status, first.ending) == (200, "whole")
    (asked,) = upstream.asked
    told = dict(asked.headers)
    assert asked.target == "/agent?key=1"
    assert (told["authorization"], told["x-custom"], told["accept"]) == ("Bearer client", "1", "text/event-stream")
    assert "x-test-id" not in told
    assert json.loads(asked.body)["threadId"] == "t"

    again = events_in((await server.exchange("hello", path="/agui", **OTHER)).body)
    assert len(upstream.asked) == 1
    assert (again[0]["threadId"], again[0]["runId"], again[-1]["runId"]) == ("t2", "r2", "r2")
    assert again[2]["delta"] == "Grüße"
    assert again[-1]["custom"] == 1

    (entry,) = recorded(tmp_path / "rec")
    assert entry["match"] == {"message": "hello", "turnIndex": 0}
    assert entry["events"][0] == {"type": "RUN_STARTED", "threadId": "{{threadId}}", "runId": "{{runId}}"}
    (file,) = (tmp_path / "rec").glob("*.json")
    assert file.name.startswith("agui-")
    journal = server.journal
    assert journal[0]["response"]["source"] == "proxy"
    assert journal[0]["response"]["recorded"] == str(file)
    assert "source" not in journal[1]["response"]


async def test_recordings_answer_in_a_later_run_and_are_no_models(
    recording: Start, upstream: Provider, tmp_path: Path
) -> None:
    await (await recording()).exchange("hello", path="/agui", **IDS)
    later = await recording(seed=2)
    assert "Grüße" in (await later.exchange("hello", path="/agui", **OTHER)).body.decode()
    assert len(upstream.asked) == 1
    problems: list[Any] = []
    assert load_source(tmp_path, problems.append) == []
    assert not problems


async def test_its_times_are_replayed(
    recording: Start, upstream: Provider, tmp_path: Path, autojump_clock: MockClock, timeless: None
) -> None:
    upstream.script = streaming(*ODD, gap=0.025)
    server = await recording()
    first = await server.exchange("hello", path="/agui", **IDS)
    assert first.times == [25, 50, 75, 100, 125]
    again = await server.exchange("hello", path="/agui", **OTHER)
    assert again.times == [25, 50, 75, 100, 125]
    (entry,) = recorded(tmp_path / "rec")
    assert entry["recordedTimings"] == {"ttftMs": 25, "interChunkDelaysMs": [25] * 4, "totalDurationMs": 125}


async def test_a_client_that_leaves_at_the_end_of_the_run_is_recorded(
    recording: Start, upstream: Provider, tmp_path: Path, autojump_clock: MockClock, timeless: None
) -> None:
    async def dawdling(asked: Any, stream: Any) -> None:
        await streaming(*ODD)(asked, _Endless(stream))
        await trio.sleep(60)

    upstream.script = dawdling
    server = await recording()
    client = server.send("hello", path="/agui", **IDS)
    seen = b""
    while b"RUN_FINISHED" not in seen:
        seen += (await client.receive()).data
    client.finish()
    await trio.sleep(1)
    assert [entry["match"]["message"] for entry in recorded(tmp_path / "rec")] == ["hello"]
    assert (await server.exchange("hello", path="/agui", **OTHER)).ending == "whole"
    assert len(upstream.asked) == 1


class _Endless:
    """A stream on which the end of a body is not sent."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def send_all(self, data: bytes) -> None:
        if data != END:
            await self._stream.send_all(data)


async def test_a_client_that_leaves_midway_records_nothing(
    recording: Start, upstream: Provider, tmp_path: Path, autojump_clock: MockClock, timeless: None
) -> None:
    async def cut_off(asked: Any, stream: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await streaming(*ODD, gap=1)(asked, stream)

    upstream.script = cut_off
    server = await recording()
    client = server.send("hello", path="/agui", **IDS)
    await client.receive()
    client.finish()
    await trio.sleep(30)
    assert recorded(tmp_path / "rec") == []
    assert server.state.mounts.named("agui").health()["fixtures"] == 0


async def test_an_agent_that_breaks_off_is_not_recorded(recording: Start, upstream: Provider, tmp_path: Path) -> None:
    async def breaking(asked: Any, stream: Any) -> None:
        await stream.send_all(head() + chunk(ODD[0]))

    upstream.script = breaking
    server = await recording()
    seen = await server.exchange("hello", path="/agui", **IDS)
    assert seen.body == ODD[0]
    assert seen.ending == "fin"
    assert recorded(tmp_path / "rec") == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (whole(b'{"detail": "no"}', 422), 422),
        (whole(b'{"events": []}'), 200),
        (head(500) + chunk(ODD[0]) + END, 500),
        (head() + END, 200),
        (head() + chunk(b"data: {not json}\n\n") + END, 200),
        (head() + chunk(b"data: [1]\n\n") + END, 200),
    ],
)
async def test_what_is_no_run_is_relayed_and_not_recorded(
    answer: bytes, status: int, recording: Start, upstream: Provider, tmp_path: Path
) -> None:
    upstream.script = saying(answer)
    server = await recording()
    for _ in range(2):
        seen = await server.exchange("hello", path="/agui", **IDS)
        assert (seen.status, seen.ending) == (status, "whole")
    assert len(upstream.asked) == 2
    assert not (tmp_path / "rec").exists() or recorded(tmp_path / "rec") == []


async def test_a_run_larger_than_its_bound_is_relayed_and_not_recorded(
    recording: Start, upstream: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = await recording(maxProxyBufferBytes=100)
    assert (await server.exchange("hello", path="/agui", **IDS)).body == b"".join(ODD)
    assert "more than 100 bytes of a response: it is relayed, and not recorded" in caplog.text
    assert server.state.mounts.named("agui").health()["fixtures"] == 0


async def test_a_run_out_of_order_is_recorded_as_it_was(
    recording: Start, upstream: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.script = streaming(ODD[0], ODD[3], ODD[4])
    server = await recording()
    await server.exchange("hello", path="/agui", **IDS)
    (entry,) = recorded(tmp_path / "rec")
    assert entry["validate"] is False
    assert 'TEXT_MESSAGE_END: no text message "m1" is open' in caplog.text
    again = events_in((await server.exchange("hello", path="/agui", **OTHER)).body)
    assert [event["type"] for event in again] == ["RUN_STARTED", "TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_an_agent_that_is_not_there(recording: Start, upstream: Provider, tmp_path: Path) -> None:
    async def nothing(asked: Any, stream: Any) -> None:
        return

    upstream.script = nothing
    server = await recording()
    seen = await server.exchange("hello", path="/agui", **IDS)
    assert (seen.status, json.loads(seen.body)) == (502, {"error": "Upstream AG-UI agent unreachable"})
    assert server.journal[0]["response"]["status"] == 502


async def test_proxy_only_keeps_nothing(recording: Start, upstream: Provider, tmp_path: Path) -> None:
    server = await recording(proxyOnly=True)
    for _ in range(2):
        assert (await server.exchange("hello", path="/agui", **IDS)).body == b"".join(ODD)
    assert len(upstream.asked) == 2
    assert not (tmp_path / "rec").exists()


async def test_strict_requests_go_nowhere(recording: Start, upstream: Provider) -> None:
    server = await recording()
    seen = await server.exchange("hello", {"X-AIMock-Strict": "true"}, path="/agui", **IDS)
    assert seen.status == 503
    assert upstream.asked == []


async def test_what_has_nothing_to_be_found_by_is_kept_in_memory(
    recording: Start, upstream: Provider, tmp_path: Path
) -> None:
    server = await recording()
    for ids in (IDS, OTHER):
        assert (await server.exchange(path="/agui", messages=[], state={"a": 1}, **ids)).status == 200
    assert len(upstream.asked) == 1
    assert recorded(tmp_path / "rec") == []
    await server.exchange(path="/agui", messages=[], state={"a": 2}, **IDS)
    assert len(upstream.asked) == 2


async def test_secrets_do_not_reach_the_file(recording: Start, upstream: Provider, tmp_path: Path) -> None:
    upstream.script = streaming(ODD[0], b'data: {"type":"CUSTOM","name":"k","value":"pass-4711"}\n\n', ODD[4])
    server = await recording(redact=["pass-[0-9]+"])
    await server.exchange("hello", {"Authorization": "Bearer sk-secret"}, path="/agui", **IDS)
    (file,) = (tmp_path / "rec").glob("*.json")
    text = file.read_text()
    assert "4711" not in text
    assert "secret" not in text


async def test_a_fault_befalls_what_is_relayed_and_not_the_recording(
    recording: Start, upstream: Provider, tmp_path: Path
) -> None:
    server = await recording()
    spoiled = await server.exchange("hello", {"x-aimock-fault": "malformed-frame;afterChunks=0"}, path="/agui", **IDS)
    assert spoiled.body != b"".join(ODD)
    (entry,) = recorded(tmp_path / "rec")
    assert len(entry["events"]) == 5


async def test_a_recorder_that_is_replaced_lets_its_runs_end(
    recording: Start, upstream: Provider, tmp_path: Path, autojump_clock: MockClock, timeless: None
) -> None:
    upstream.script = streaming(*ODD, gap=1)
    server = await recording()
    agent = server.state.mounts.named("agui")
    async with trio.open_nursery() as nursery:
        seen: list[Any] = []

        async def ask() -> None:
            seen.append(await server.exchange("hello", path="/agui", **IDS))

        nursery.start_soon(ask)
        await trio.sleep(2.5)
        agent.record(None)
    assert seen[0].body == b"".join(ODD)
    assert (await server.exchange("other", path="/agui", **IDS)).status == 404


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({}, {"message": "hello", "turnIndex": 0}),
        ({"messages": [{"role": "tool", "toolCallId": "c"}]}, {"toolCallId": "c"}),
        (
            {"resume": [{"interruptId": "i", "status": "resolved", "payload": {"ok": 1}, "metadata": {}}]},
            {
                "message": "hello",
                "turnIndex": 0,
                "resume": {"interruptId": "i", "status": "resolved", "payload": {"ok": 1}},
            },
        ),
        ({"messages": []}, None),
        ({"messages": [{"role": "user", "content": "  "}]}, None),
    ],
)
def test_what_a_recording_is_found_by(asked: dict[str, Any], match: dict[str, Any] | None) -> None:
    assert derived_match(run_input(**asked)) == match

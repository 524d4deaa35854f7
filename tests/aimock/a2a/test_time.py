"""Tasks in time: when their steps come, who waits for them, and who hears of them. On Trio's mock clock."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from aimock.surfaces.a2a import A2AService

from .conftest import message, old_message

SCRIPT = [
    {"type": "status", "state": "working"},
    {"type": "artifact", "name": "o", "parts": [{"text": "a"}]},
]


Make = Callable[..., Awaitable["Agent"]]


@attrs.define
class Agent:
    """An agent on a server in memory."""

    service: A2AService
    memory: Any

    async def stream(self, method: str, params: Any) -> list[tuple[float, Any]]:
        """The results of a stream, each with the milliseconds after which it came."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        seen = await self.memory.exchange(path="/a2a", **asked)
        assert seen.ending == "whole", seen
        return [
            (time, json.loads(each.removeprefix(b"data: "))["result"])
            for time, data in seen.pieces
            for each in data.split(b"\n\n")[:-1]
        ]

    async def call(self, method: str, params: Any) -> Any:
        """The result of a call, and when it came; an error's code in its place."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        seen = await self.memory.exchange(path="/a2a", **asked)
        told = json.loads(seen.body)
        return (seen.ended_at, told["result"] if "result" in told else told["error"]["code"])


@pytest.fixture
def agent(memory: Callable[..., Any]) -> Make:
    """Makes one: `agent({"streamingTasks": […]}, latency=…)`, with the fields of Settings."""

    async def make(given: dict[str, Any], service: A2AService | None = None, **settings: Any) -> Agent:
        made = service or A2AService()
        made.add({"agents": [{"name": "bot", **given}]})
        server = memory(seed=7, wall_clock=lambda: 1_795_000_000.0 + trio.current_time() % 1000, **settings)
        server.state.mounts.add("/a2a", made)
        await trio.testing.wait_all_tasks_blocked()
        return Agent(made, server)

    return make


def state_of(result: Any) -> str:
    told = result.get("task") or result.get("statusUpdate") or result
    return str(told["status"]["state"]).removeprefix("TASK_STATE_") if "status" in told else "artifact"


@pytest.mark.parametrize(
    ("entry", "settings", "times"),
    [
        ({}, {}, [0, 0, 0, 0]),
        ({"delayMs": 100}, {}, [0, 100, 200, 300]),
        ({"delayMs": 100, "replaySpeed": 2}, {}, [0, 50, 100, 150]),
        ({"delayMs": 100}, {"replay_speed": 4, "latency": 7}, [0, 25, 50, 75]),
        ({"streamingProfile": {"ttft": 500, "tps": 10}}, {"latency": 7}, [0, 500, 600, 700]),
        ({}, {"latency": 30}, [0, 30, 60, 90]),
    ],
)
async def test_when_events_come(
    agent: Make, autojump_clock: Any, entry: dict[str, Any], settings: dict[str, Any], times: list[float]
) -> None:
    bot = await agent({"streamingTasks": [{"pattern": "", "events": SCRIPT, **entry}]}, **settings)
    events = await bot.stream("SendStreamingMessage", message())
    assert [(time, state_of(result)) for time, result in events] == [
        *zip(times, ["SUBMITTED", "WORKING", "artifact", "COMPLETED"], strict=True)
    ]


async def test_a_step_has_a_delay_of_its_own(agent: Make, autojump_clock: Any) -> None:
    script = [{**SCRIPT[0], "delayMs": 1000}, {**SCRIPT[1], "delayMs": 0}]
    bot = await agent({"streamingTasks": [{"pattern": "", "events": script, "delayMs": 10}]})
    assert [time for time, _ in await bot.stream("message/stream", old_message())] == [0, 1000, 1000, 1010]


async def test_timestamps_are_those_of_the_steps(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"streamingTasks": [{"pattern": "", "events": SCRIPT, "delayMs": 250}]})
    _, task = await bot.call("SendMessage", message())
    assert task["task"]["status"]["timestamp"].endswith(":40.750Z")


async def test_a_message_takes_its_time(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"messages": [{"pattern": "", "parts": "Hi!", "delayMs": 40}]})
    assert (await bot.call("SendMessage", message()))[0] == 40
    ((time, _),) = await bot.stream("SendStreamingMessage", message())
    assert time == 40


async def test_a_send_waits_for_the_end_unless_it_is_told_not_to(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"tasks": [{"pattern": "", "artifacts": [{"parts": "a"}], "delayMs": 100}]})
    time, result = await bot.call("SendMessage", message())
    assert (time, state_of(result)) == (200, "COMPLETED")
    for method, params in (
        ("SendMessage", {**message(), "configuration": {"returnImmediately": True}}),
        ("message/send", {**old_message(), "configuration": {"blocking": False}}),
    ):
        time, result = await bot.call(method, params)
        task = result.get("task", result)
        assert (time, task["status"]["state"].lower().removeprefix("task_state_")) == (0, "working")
        states = []
        for _ in range(3):
            got = (await bot.call("GetTask", {"id": task["id"]}))[1]
            states.append((state_of(got), "artifacts" in got))
            await trio.sleep(0.1)
        assert states == [("WORKING", False), ("WORKING", True), ("COMPLETED", True)]


async def test_a_task_goes_on_when_its_client_has_left(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"streamingTasks": [{"pattern": "", "events": SCRIPT, "delayMs": 100}]})
    asked = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message()}
    client = bot.memory.send(path="/a2a", **asked)
    await client.receive()
    client.leave()
    await trio.sleep(1)
    (task,) = (await bot.call("ListTasks", {"includeArtifacts": True}))[1]["tasks"]
    assert (state_of(task), len(task["artifacts"])) == ("COMPLETED", 1)


async def test_who_leaves_is_forgotten(agent: Make, autojump_clock: Any) -> None:
    """Streams, and sends that wait."""
    bot = await agent({"tasks": [{"pattern": "open", "finalState": "working"}, {"pattern": "slow", "delayMs": 60_000}]})
    for text, method in (("open", "SendStreamingMessage"), ("slow", "SendStreamingMessage"), ("slow", "SendMessage")):
        client = bot.memory.send(path="/a2a", jsonrpc="2.0", id=1, method=method, params=message(text))
        await trio.testing.wait_all_tasks_blocked()
        (task,) = (await bot.call("ListTasks", {"pageSize": 1}))[1]["tasks"]
        performance = bot.service.tasks.find(task["id"], None)
        client.leave()
        await trio.sleep(120)
        performance.settle()
        assert performance.is_idle, (text, method)
    left = [
        entry["response"].get("interrupted") for entry in bot.memory.journal if entry["body"]["method"] != "ListTasks"
    ]
    assert left == [True, True, True]


async def test_whoever_follows_hears_the_same_from_then_on(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"streamingTasks": [{"pattern": "", "events": SCRIPT, "delayMs": 100}]})
    heard: dict[str, Any] = {}

    async def follow(name: str, method: str, params: Any, after: float) -> None:
        await trio.sleep(after)
        heard[name] = await bot.stream(method, params)

    now = {**message(), "configuration": {"returnImmediately": True}}
    id = (await bot.call("SendMessage", now))[1]["task"]["id"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, "first", "SubscribeToTask", {"id": id}, 0)
        nursery.start_soon(follow, "late", "SubscribeToTask", {"id": id}, 0.25)
        nursery.start_soon(follow, "old", "tasks/resubscribe", {"id": id}, 0.15)
    states = [(time, state_of(result)) for time, result in heard["first"]]
    assert states == [(0, "SUBMITTED"), (100, "WORKING"), (200, "artifact"), (300, "COMPLETED")]
    assert [(time, state_of(result)) for time, result in heard["late"]] == [(0, "WORKING"), (50, "COMPLETED")]
    assert heard["late"][0][1]["task"]["artifacts"][0]["parts"] == [{"text": "a"}]
    assert [(time, each["kind"]) for time, each in heard["old"]] == [
        (0, "task"),
        (50, "artifact-update"),
        (150, "status-update"),
    ]
    assert heard["first"][3][1] == heard["late"][1][1]


async def test_a_stream_ends_when_the_task_is_canceled(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"streamingTasks": [{"pattern": "", "events": SCRIPT, "delayMs": 100}]})
    events: list[Any] = []

    async def send() -> None:
        events.extend(await bot.stream("SendStreamingMessage", message()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.sleep(0.15)
        (task,) = (await bot.call("ListTasks", {}))[1]["tasks"]
        await bot.call("CancelTask", {"id": task["id"]})
    assert [(time, state_of(result)) for time, result in events] == [
        (0, "SUBMITTED"),
        (100, "WORKING"),
        (150, "CANCELED"),
    ]
    await trio.sleep(1)
    assert state_of((await bot.call("GetTask", {"id": task["id"]}))[1]) == "CANCELED"


async def test_a_task_that_stays_open_keeps_its_stream_open(agent: Make, autojump_clock: Any) -> None:
    """As a compatibility kit wants it: a task that works on for seconds, found by the message's id."""
    later = {"type": "status", "state": "completed", "delayMs": 5000}
    bot = await agent(
        {
            "streamingTasks": [{"pattern": "", "messageIdPrefix": "test-resubscribe", "events": [SCRIPT[0], later]}],
            "tasks": [{"pattern": "", "finalState": "input-required"}],
        }
    )
    events = await bot.stream("SendStreamingMessage", message(messageId="test-resubscribe-message-id-1"))
    assert [(time, state_of(result)) for time, result in events] == [
        (0, "SUBMITTED"),
        (0, "WORKING"),
        (5000, "COMPLETED"),
    ]
    events = await bot.stream("SendStreamingMessage", message())
    assert [state_of(result) for _, result in events] == ["WORKING", "INPUT_REQUIRED"]


async def test_followers_of_a_task_that_asks_hear_how_it_goes_on(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"tasks": [{"pattern": "", "inputRequired": ["Who?", "Where?"], "artifacts": [{"parts": "a"}]}]})
    _, asked = await bot.call("SendMessage", message())
    id = asked["task"]["id"]
    events: list[Any] = []

    async def follow() -> None:
        events.extend(await bot.stream("SubscribeToTask", {"id": id}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(1)
        _, again = await bot.call("SendMessage", message("me", taskId=id))
    assert again["task"]["status"]["message"]["parts"] == [{"text": "Where?"}]
    assert [(time, state_of(result)) for time, result in events] == [
        (0, "INPUT_REQUIRED"),
        (1000, "WORKING"),
        (1000, "INPUT_REQUIRED"),
    ]
    _, done = await bot.call("SendMessage", message("here", taskId=id))
    assert state_of(done) == "COMPLETED"
    said = [each["parts"][0]["text"] for each in done["task"]["history"]]
    assert said == ["hello", "Who?", "me", "Where?", "here"]


async def test_what_continues_a_task_is_matched_where_its_script_ends(
    agent: Make,
    autojump_clock: Any,
) -> None:
    events = [{"type": "status", "state": "auth-required", "message": "Log in."}]
    bot = await agent(
        {
            "streamingTasks": [{"pattern": "start", "events": events, "delayMs": 10}],
            "messages": [{"pattern": "thanks", "parts": "bye"}],
            "tasks": [{"pattern": "token", "artifacts": [{"parts": "secret"}]}],
        }
    )
    _, asked = await bot.call("SendMessage", message("start"))
    id = asked["task"]["id"]
    assert state_of(asked) == "AUTH_REQUIRED"
    _, done = await bot.call("SendMessage", message("my token", taskId=id, contextId=asked["task"]["contextId"]))
    assert (state_of(done), done["task"]["artifacts"][0]["parts"]) == ("COMPLETED", [{"text": "secret"}])
    for text, said in (("thanks", "bye"), ("whatever", None)):
        id = (await bot.call("SendMessage", message("start")))[1]["task"]["id"]
        status = (await bot.call("SendMessage", message(text, taskId=id)))[1]["task"]["status"]
        assert status["state"] == "TASK_STATE_COMPLETED"
        assert status.get("message", {}).get("parts") == ([{"text": said}] if said else None)


async def test_a_task_that_hears_more_while_it_works(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"tasks": [{"pattern": "go", "artifacts": [{"parts": "a"}], "delayMs": 100}]})
    now = {**message("go"), "configuration": {"returnImmediately": True}}
    id = (await bot.call("SendMessage", now))[1]["task"]["id"]
    time, done = await bot.call("SendMessage", message("hurry", taskId=id))
    assert (time, state_of(done), len(done["task"]["history"])) == (200, "COMPLETED", 2)


async def test_tasks_are_bounded(agent: Make, autojump_clock: Any) -> None:
    """Those that are at rest go first, then the oldest; whoever follows one that goes hears the end."""
    bot = await agent(
        {"tasks": [{"pattern": "done"}, {"pattern": "wait", "delayMs": 60_000}]}, service=A2AService(max_tasks=3)
    )
    now = {"configuration": {"returnImmediately": True}}
    ids = {}
    for name in ("wait 1", "done 1", "wait 2", "done 2"):
        ids[name] = (await bot.call("SendMessage", {**message(name), **now}))[1]["task"]["id"]
    assert len(bot.service.tasks) == 3
    assert (await bot.call("GetTask", {"id": ids["done 1"]}))[1] == -32001
    assert (await bot.call("GetTask", {"id": ids["wait 1"]}))[1] != -32001
    ended: list[Any] = []

    async def follow() -> None:
        ended.extend(await bot.stream("SubscribeToTask", {"id": ids["wait 1"]}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(1)
        for number in range(3, 6):
            await bot.call("SendMessage", {**message(f"wait {number}"), **now})
    assert [state_of(result) for _, result in ended] == ["WORKING"]
    assert len(bot.service.tasks) == 3


async def test_what_a_task_keeps_is_bounded(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"tasks": [{"pattern": "", "finalState": "input-required", "artifacts": [{"parts": "a"}]}]})
    task = (await bot.call("SendMessage", message()))[1]["task"]
    performance = bot.service.tasks.find(task["id"], None)
    performance.task.kept = 5
    for number in range(10):
        await bot.call("SendMessage", message(str(number), taskId=task["id"]))
    task = (await bot.call("GetTask", {"id": task["id"]}))[1]
    assert [each["parts"][0]["text"] for each in task["history"]] == ["5", "6", "7", "8", "9"]
    assert len(task["artifacts"]) == 5


async def test_a_reset_ends_what_is_followed(agent: Make, autojump_clock: Any) -> None:
    bot = await agent({"tasks": [{"pattern": "", "finalState": "working"}]})
    ended: list[Any] = []

    async def follow() -> None:
        ended.extend(await bot.stream("SendStreamingMessage", message()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(1)
        bot.service.reset()
    assert [state_of(result) for _, result in ended] == ["WORKING"]
    assert bot.service.health() == {"status": "ok", "agents": 0, "tasks": 0}

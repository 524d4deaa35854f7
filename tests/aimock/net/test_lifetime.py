"""The server's beginning and end, and what it holds meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net import memory
from aimock.net.exchange import Answer, Outcome, Request, Stream, Task, Whole
from aimock.net.server import HTTPServer

if TYPE_CHECKING:
    from aimock.net.memory import MemoryClient
    from tests.aimock.net.conftest import Reader, StartStage

    ReadMemory = Callable[[MemoryClient], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_what_is_being_answered_may_finish(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    async def slowly() -> Answer:
        await trio.sleep(5)
        return Whole(200, (), b"task")

    answers: list[Answer] = [Stream(200, (), [(5.0, b"stream")]), Task(slowly)]
    stage = await start_stage(lambda request: answers.pop(0))
    clients = [stage.connect(), stage.connect()]
    for client in clients:
        client.send(GET)
        await wait_all_tasks_blocked()
    await trio.sleep(1)
    await stage.server.shut_down(grace=10)
    await stage.server.ended.wait()
    assert trio.current_time() < 10, "it ends when the last answer does"
    responses = [await read_memory(client).response() for client in clients]
    assert [response.body for response in responses] == [b"stream", b"task"]
    assert all(response.is_complete for response in responses)


async def test_a_response_during_shutdown_is_the_last_of_its_connection(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    async def slowly() -> Answer:
        await trio.sleep(5)
        return Whole(200, ())

    stage = await start_stage(lambda request: Task(slowly))
    client = stage.connect()
    client.send(GET + GET)
    await trio.sleep(1)
    await stage.server.shut_down(grace=10)
    reader = read_memory(client)
    response = await reader.response()
    assert (response.status, response.headers["connection"]) == (200, "close")
    assert (await reader.response()).status == 0
    assert len(stage.script.requests) == 1


@pytest.mark.parametrize("kind", ["stream", "task", "slow body"])
async def test_what_exceeds_the_grace_is_ended(kind: str, start_stage: StartStage, autojump_clock: MockClock) -> None:
    cancelled = trio.Event()
    outcomes: list[Outcome] = []

    async def endless() -> Answer:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    answers: dict[str, Answer] = {
        "stream": Stream(200, (), [(1000.0, b"late")], on_end=outcomes.append),
        "task": Task(endless),
    }
    stage = await start_stage(lambda request: answers[kind])
    client = stage.connect()
    client.send(GET if kind != "slow body" else GET[:-2] + b"Content-Length: 5\r\n\r\n")
    await trio.sleep(1)
    await stage.server.shut_down(grace=3)
    await stage.server.ended.wait()
    assert trio.current_time() == 4
    assert stage.server.connections == 0
    assert cancelled.is_set() == (kind == "task")
    assert outcomes == ([Outcome.STOPPED] if kind == "stream" else [])
    while await client.receive() is not None:
        pass  # to its FIN


async def test_shutdown_of_an_idle_server_is_immediate(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage()
    await stage.server.shut_down(grace=100)
    await stage.server.ended.wait()
    assert trio.current_time() == 0


async def test_idle_connections_are_closed_at_once(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(lambda request: Whole(200, ()))
    clients = [stage.connect(), stage.connect()]
    clients[0].send(GET)
    assert (await read_memory(clients[0]).response()).status == 200
    await wait_all_tasks_blocked()
    assert stage.server.connections == 2
    await stage.server.shut_down(grace=100)
    await stage.server.ended.wait()
    assert trio.current_time() == 0
    for client in clients:
        assert await client.receive() is None


async def test_cancelling_serve_leaves_nothing(
    nursery: trio.Nursery, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []

    class Handler:
        def answer(self, request: Request) -> Answer:
            return Stream(200, (), [(0.0, b"a"), (1000.0, b"late")], on_end=outcomes.append)

        def refuse(self, head: object, refusal: object) -> Whole:
            raise AssertionError

    server = HTTPServer(Handler())
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as inner:
        await inner.start(server.serve)
        clients = [memory.connect(server) for _ in range(3)]
        for client in clients[:2]:
            client.send(GET)
        await trio.sleep(1)
        inner.cancel_scope.cancel()
    assert outcomes == [Outcome.STOPPED] * 2
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert server.ended.is_set()
    for client in clients:
        assert not (await read_memory(client).response()).is_complete


async def test_two_servers_share_nothing(start_stage: StartStage, autojump_clock: MockClock) -> None:
    one = await start_stage(lambda request: Whole(200, (), b"one"))
    other = await start_stage(lambda request: Whole(200, (), b"other"))
    responses = [*await one.converse(GET), *await other.converse(GET)]
    assert [response.body for response in responses] == [b"one", b"other"]
    await one.server.shut_down(grace=0)
    assert [response.body for response in await other.converse(GET)] == [b"other"]


async def test_a_failing_handler_ends_its_connection_only(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request) -> Answer:
        if len(stage.script.requests) == 1:
            raise LookupError
        return Whole(200, (), b"fine")

    stage = await start_stage(answer)
    [failed] = await stage.converse(GET)
    [fine] = await stage.converse(GET)
    told = [record for record in caplog.records if record.name == "aimock"]
    assert (failed.status, fine.body, len(told)) == (0, b"fine", 1)

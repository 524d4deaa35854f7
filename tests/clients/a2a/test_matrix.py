"""What an agent can be asked, over each binding and version, with the official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from a2a.client import Client
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from aimock.surfaces.a2a.mock import A2AMock

from .conftest import client_of, heard, saying, told

Run = Callable[..., Any]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_message_is_answered_by_a_message(run: Run, streaming: bool) -> None:
    async def work(client: Client) -> Any:
        return await heard(client, saying("well, hello", context_id="ctx-mine"))

    (message,) = run(work, streaming=streaming)
    assert message.role == pb.ROLE_AGENT
    assert message.context_id == "ctx-mine"
    assert message.parts[0].text == "Hi!"
    assert message.parts[1].data.struct_value.fields["n"].list_value.values[0].number_value == 1


def test_a_task_is_done_before_the_answer(run: Run) -> None:
    async def work(client: Client) -> Any:
        return await heard(client, saying("report"))

    (task,) = run(work, streaming=False)
    assert task.status.state == pb.TASK_STATE_COMPLETED
    assert task.status.HasField("timestamp")
    assert [part.text for part in task.artifacts[0].parts] == ["the report"]
    assert [(said.role, said.parts[0].text) for said in task.history] == [(pb.ROLE_USER, "report")]
    assert task.history[0].task_id == task.id
    assert task.history[0].context_id == task.context_id


def test_a_stream_brings_the_task_its_states_and_the_chunks_of_its_artifact(run: Run) -> None:
    async def work(client: Client) -> Any:
        return await heard(client, saying("stream"))

    task, working, first, second, completed = run(work)
    assert isinstance(task, pb.Task)
    assert task.status.state == pb.TASK_STATE_SUBMITTED
    assert working.status.state == pb.TASK_STATE_WORKING
    assert working.status.message.parts[0].text == "on it"
    assert [(each.artifact.parts[0].text, each.append, each.last_chunk) for each in (first, second)] == [
        ("one ", False, False),
        ("two", True, True),
    ]
    assert first.artifact.artifact_id == second.artifact.artifact_id
    assert completed.status.state == pb.TASK_STATE_COMPLETED
    assert {each.task_id for each in (working, first, second, completed)} == {task.id}


def test_what_was_streamed_is_in_the_task_afterwards(run: Run) -> None:
    async def work(client: Client) -> Any:
        task = (await heard(client, saying("stream")))[0]
        return await client.get_task(pb.GetTaskRequest(id=task.id))

    task = run(work)
    assert task.status.state == pb.TASK_STATE_COMPLETED
    assert [part.text for part in task.artifacts[0].parts] == ["one ", "two"]
    assert [message.parts[0].text for message in task.history] == ["stream", "on it"]


def test_the_length_of_the_history(run: Run) -> None:
    async def work(client: Client) -> Any:
        task = (await heard(client, saying("stream")))[0]
        return (await client.get_task(pb.GetTaskRequest(id=task.id, history_length=1))).history

    assert [message.parts[0].text for message in run(work)] == ["on it"]


def test_a_task_that_nobody_knows(run: Run) -> None:
    with pytest.raises(TaskNotFoundError):
        run(lambda client: client.get_task(pb.GetTaskRequest(id="zzz")))


@pytest.mark.parametrize("way", ["JSONRPC 1.0", "HTTP+JSON 1.0"], indirect=True)
def test_tasks_are_listed_page_by_page(run: Run) -> None:
    """0.3 has no such method over JSON-RPC."""

    async def work(client: Client) -> Any:
        for text in ("report", "report", "wait"):
            await told(client, text, context_id="ctx-mine")
        first = await client.list_tasks(pb.ListTasksRequest(page_size=2, include_artifacts=True))
        token = first.next_page_token
        second = await client.list_tasks(pb.ListTasksRequest(page_size=2, page_token=token, history_length=0))
        working = await client.list_tasks(pb.ListTasksRequest(status=pb.TASK_STATE_WORKING))
        return first, second, working

    first, second, working = run(work, streaming=False, polling=True)
    assert (first.page_size, first.total_size, len(first.tasks), len(second.tasks)) == (2, 3, 2, 1)
    assert not second.next_page_token
    assert not second.tasks[0].history
    assert first.tasks[1].artifacts
    assert not second.tasks[0].artifacts
    assert [task.status.state for task in working.tasks] == [pb.TASK_STATE_WORKING]


def test_a_task_can_be_canceled_once(run: Run) -> None:
    async def work(client: Client) -> Any:
        task = await told(client, "wait")
        canceled = await client.cancel_task(pb.CancelTaskRequest(id=task.id))
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(pb.CancelTaskRequest(id=task.id))
        return canceled

    assert run(work, streaming=False).status.state == pb.TASK_STATE_CANCELED


def test_a_task_asks_and_goes_on_when_it_is_told(run: Run) -> None:
    async def work(client: Client) -> Any:
        asked = await told(client, "ask")
        with pytest.raises(InvalidParamsError):
            await told(client, "London", task_id=asked.id, context_id="another")
        return asked, await told(client, "London", task_id=asked.id)

    asked, done = run(work, streaming=False)
    assert asked.status.state == pb.TASK_STATE_INPUT_REQUIRED
    assert asked.status.message.parts[0].text == "Which city?"
    assert done.id == asked.id
    assert done.status.state == pb.TASK_STATE_COMPLETED
    assert done.artifacts[0].parts[0].text == "sunny"
    assert [message.parts[0].text for message in done.history] == ["ask", "Which city?", "London"]


def test_a_stream_ends_where_the_task_asks(run: Run) -> None:
    async def work(client: Client) -> Any:
        first = await heard(client, saying("ask"))
        return first, await heard(client, saying("London", task_id=first[0].id))

    first, second = run(work)
    assert [each.status.state for each in first] == [pb.TASK_STATE_WORKING, pb.TASK_STATE_INPUT_REQUIRED]
    assert isinstance(second[0], pb.Task)
    assert second[1].artifact.parts[0].text == "sunny"
    assert second[2].status.state == pb.TASK_STATE_COMPLETED


def test_a_task_that_is_over_takes_no_more_messages(run: Run) -> None:
    async def work(client: Client) -> None:
        failed = await told(client, "fail")
        assert failed.status.state == pb.TASK_STATE_FAILED
        assert failed.status.message.parts[0].text == "out of paper"
        with pytest.raises(UnsupportedOperationError):
            await told(client, "again", task_id=failed.id)

    run(work, streaming=False)


def test_several_clients_follow_a_task(run: Run) -> None:
    """Each hears the task as it is, and then the same."""

    async def work(client: Client) -> Any:
        sending = client.send_message(saying("wait"))
        task = (await anext(sending)).task
        await sending.aclose()
        begun = asyncio.Event()

        async def follow() -> list[Any]:
            events = []
            async for event in client.subscribe(pb.SubscribeToTaskRequest(id=task.id)):
                events.append(event)
                if len(events) == 1:
                    followers.append(client)
                    if len(followers) == 3:
                        begun.set()
            return events

        followers: list[Client] = []
        following = [asyncio.create_task(follow()) for _ in range(3)]
        await begun.wait()
        await client.cancel_task(pb.CancelTaskRequest(id=task.id))
        return await asyncio.gather(*following)

    client_streams = run(work, streaming=True)
    for events in client_streams:
        task, canceled = events
        assert task.task.status.state == pb.TASK_STATE_WORKING
        assert canceled.status_update.status.state == pb.TASK_STATE_CANCELED


def test_a_task_that_is_over_cannot_be_followed(run: Run) -> None:
    async def work(client: Client) -> None:
        task = (await heard(client, saying("stream")))[0]
        with pytest.raises(UnsupportedOperationError):
            async for _ in client.subscribe(pb.SubscribeToTaskRequest(id=task.id)):
                pass

    run(work)


def test_push_configurations(run: Run) -> None:
    async def work(client: Client) -> Any:
        task = await told(client, "wait")
        given = pb.TaskPushNotificationConfig(
            task_id=task.id,
            id="p1",
            url="http://127.0.0.1:9/hook",
            token="t",
            authentication=pb.AuthenticationInfo(scheme="Bearer", credentials="c"),
        )
        created = await client.create_task_push_notification_config(given)
        wanted = pb.GetTaskPushNotificationConfigRequest(task_id=task.id, id="p1")
        got = await client.get_task_push_notification_config(wanted)
        listing = pb.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        listed = (await client.list_task_push_notification_configs(listing)).configs
        return given, created, got, listed

    given, created, got, listed = run(work, streaming=False)
    assert given == created == got
    assert [*listed] == [given]


@pytest.mark.parametrize("way", ["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3"], indirect=True)
def test_a_push_configuration_is_deleted(run: Run) -> None:
    async def work(client: Client) -> Any:
        task = await told(client, "wait")
        given = pb.TaskPushNotificationConfig(task_id=task.id, url="http://localhost:9/hook")
        created = await client.create_task_push_notification_config(given)
        assert created.id == task.id
        deleted = pb.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id=created.id)
        await client.delete_task_push_notification_config(deleted)
        await client.delete_task_push_notification_config(deleted)
        listing = pb.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        return (await client.list_task_push_notification_configs(listing)).configs

    assert not run(work, streaming=False)


def test_a_push_url_that_is_not_allowed(run: Run) -> None:
    async def work(client: Client) -> None:
        config = pb.TaskPushNotificationConfig(url="https://example.com/hook")
        await told(client, "wait", configuration=pb.SendMessageConfiguration(task_push_notification_config=config))

    with pytest.raises(InvalidParamsError, match="url"):
        run(work, streaming=False)


def test_the_two_versions_see_the_same_task(agent: A2AMock) -> None:
    async def main() -> Any:
        async with client_of(agent.url, "JSONRPC 1.0", streaming=False) as (new, _):
            task = await told(new, "ask")
        async with client_of(agent.url, "JSONRPC 0.3") as (old, _):
            return await old.get_task(pb.GetTaskRequest(id=task.id)), task

    old, new = asyncio.run(main())
    assert old == new

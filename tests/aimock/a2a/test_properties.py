"""Whatever comes is answered by an agent, as the protocol has it: nothing it is asked makes it fail."""

from __future__ import annotations

import json
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock.app import App
from aimock.net.exchange import Head, Relay, Request, Stream, Task, Whole
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.a2a import A2AService
from aimock_protocols.a2a.errors import BY_CODE
from aimock_protocols.a2a.operations import METHODS

from .conftest import message, old_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(
    [
        "id",
        "taskId",
        "message",
        "configuration",
        "historyLength",
        "pageSize",
        "pageToken",
        "contextId",
        "url",
        "status",
        "metadata",
        "tenant",
        "pushNotificationConfig",
        "pushNotificationConfigId",
        "statusTimestampAfter",
    ]
)
PARAMS = st.dictionaries(KNOWN, JSON, max_size=4)
SENT = st.sampled_from([message("hi"), old_message("hi"), message("ask"), old_message("ask")])
GOOD = st.builds(lambda sent, more: {**more, **sent}, SENT, PARAMS)
CALLS = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers(0, 2**53) | st.text(max_size=5),
        "method": st.sampled_from(sorted(METHODS)),
        "params": PARAMS | GOOD,
    }
)
PATHS = st.sampled_from(
    [
        "/a2a",
        "/a2a/",
        "/a2a/bot",
        "/a2a/message:send",
        "/a2a/message:stream",
        "/a2a/tasks",
        "/a2a/tasks/%F0%9F%98%80",
        "/a2a//",
        "/a2a/%",
        "/a2a/x/tasks/y:cancel",
        "/a2a/tasks/y:subscribe",
        "/a2a/tasks/y/pushNotificationConfigs",
    ]
)
METHODS_OF_HTTP = st.sampled_from(["GET", "POST", "DELETE", "PUT"])


def app() -> App:
    state = State(Settings(seed=1))
    service = A2AService(max_tasks=3)
    service.add(
        {
            "agents": [
                {
                    "name": "bot",
                    "messages": [{"pattern": "hi", "parts": "Hi!"}],
                    "tasks": [{"pattern": "ask", "inputRequired": "?"}],
                }
            ]
        }
    )
    state.mounts.add("/a2a", service)
    return App(state)


async def answered(requests: list[Request]) -> list[tuple[int, bytes]]:
    """Status and body of each answer; of a stream that goes on, what there is at once."""
    asked, answers = app(), []
    for request in requests:
        answer = asked.answer(request)
        while isinstance(answer, Task):
            answer = await answer.run()
        if isinstance(answer, Whole):
            answers.append((answer.status, answer.body))
        elif isinstance(answer, Stream):
            answers.append((answer.status, b"".join(data for _, data in answer.schedule)))
        else:
            assert isinstance(answer, Relay)
            answers.append((answer.status, await anext(answer.pieces)))
            await answer.pieces.aclose()
    return answers


def post(path: str, body: bytes, query: str = "", method: str = "POST") -> Request:
    return Request(Head(method, path, path, query, {"host": "h"}, ()), body)


@settings(max_examples=300)
@given(st.lists(CALLS, min_size=1, max_size=5))
def test_a_call_is_answered_by_a_result_or_by_an_error_that_is_known(calls: list[dict[str, Any]]) -> None:
    told = trio.run(answered, [post("/a2a", json.dumps(call).encode()) for call in calls])
    for call, (status, body) in zip(calls, told, strict=True):
        assert status == 200
        for event in body.decode().removeprefix("data: ").rstrip().split("\n\ndata: "):
            answer = json.loads(event)
            assert (answer["jsonrpc"], answer["id"]) == ("2.0", call["id"])
            assert ("result" in answer) != ("error" in answer)
            assert "error" not in answer or answer["error"]["code"] in BY_CODE


@settings(max_examples=300)
@given(PATHS, METHODS_OF_HTTP, st.binary(max_size=20) | JSON | GOOD, st.text(max_size=20))
def test_whatever_comes_over_http_is_answered(path: str, method: str, body: Any, query: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    ((status, told),) = trio.run(answered, [post(path, data, query, method)])
    assert status < 500
    json.loads(told.removeprefix(b"data: ").partition(b"\n\n")[0])

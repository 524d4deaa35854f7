"""What a socket leaves behind: nothing that only the collector of cycles would free, which halts all streams."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from aimock.app import App
from aimock.fixtures import make_fixture
from aimock.net import memory
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State

_ASKED = {
    "/v1/responses": [{"type": "response.create", "model": "gpt-4o", "input": "paced"}],
    "/v1/realtime?model=gpt-realtime": [
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "paced"}]},
        },
        {"type": "response.create"},
    ],
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent": [
        {"setup": {"model": "models/gemini-live"}},
        {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "paced"}]}], "turnComplete": True}},
    ],
}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("seconds", [10, 0.5], ids=["after its turn", "in its midst"])
@pytest.mark.parametrize("target", _ASKED)
async def test_a_socket_leaves_no_cycles(target: str, seconds: float, autojump_clock: trio.testing.MockClock) -> None:
    state = State(Settings(seed=1))
    profile = {"ttft": 200, "tps": 20}
    entry = {"match": {"userMessage": "paced"}, "response": {"content": "x" * 100}, "streamingProfile": profile}
    state.book.append([make_fixture({**entry, "chunkSize": 10})])
    server = HTTPServer(App(state))

    async def converse() -> None:
        socket = await memory.open_websocket(server, target)
        for message in _ASKED[target]:
            socket.say(json.dumps(message))
        await trio.sleep(seconds)
        socket.connection.leave()
        await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        await converse()  # the first of them all imports and keeps much
        gc.collect()
        await converse()
        assert _only_for_the_collector() == []
        assert len(state.journal) == 2
        nursery.cancel_scope.cancel()


def _only_for_the_collector() -> list[str]:
    """The types of net among what it finds. (Some sessions have parts that refer to each other; they are small.)"""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        types = {type(garbage) for garbage in gc.garbage}
        found = sorted(each.__name__ for each in types if each.__module__.startswith("aimock.net."))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    return found

"""Steps that come from elsewhere, and a peer that is not read from for a while: what a relayed WebSocket is made of."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import CloseConnection, TextMessage

from aimock.net import memory
from aimock.net.dialogue import Close, Feed, Hold, Perform, Play, Send, Step
from aimock.net.exchange import Outcome
from dialogues import Talk

if TYPE_CHECKING:
    from tests.aimock.net.conftest import StartStage

DELIVERED, CLIENT_LEFT = Outcome.DELIVERED, Outcome.CLIENT_LEFT


class Source:
    """Somebody else who says something."""

    def __init__(self, *messages: bytes, gap: float = 1.0, last: Step | None = None) -> None:
        self.goodbyes: list[tuple[int | None, str]] = []
        self.said: list[float] = []
        self.ended = trio.Event()
        self._messages = messages
        self._gap = gap
        self._last = last

    def feed(self) -> Feed:
        return Feed(self._run, lambda code, reason: self.goodbyes.append((code, reason)))

    async def _run(self, perform: Perform) -> None:
        try:
            for message in self._messages:
                await trio.sleep(self._gap)
                await perform(Send(message))
                self.said.append(trio.current_time())
            if self._last is not None:
                await perform(self._last)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            self.ended.set()


async def test_steps_are_performed_as_they_come_beside_all_else(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(b"one", b"two", last=Close(4000, "done"))
    talk = Talk(lambda message: [Send(b"heard")], lambda: [source.feed(), Play([(1.5, b"played")], lambda *_: ())])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("hello")
    heard = [await socket.receive() for _ in range(5)]
    assert [(each.time, each.event) for each in heard if each is not None] == [
        (0, TextMessage("heard")),
        (1, TextMessage("one")),
        (1.5, TextMessage("played")),
        (2, TextMessage("two")),
        (2, CloseConnection(4000, "done")),
    ]


async def test_what_comes_waits_for_who_does_not_read(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source(*[b"x" * 10_000] * 20, gap=0.0)
    talk = Talk(greet=lambda: [source.feed()])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, capacity=1000)
    await wait_all_tasks_blocked()
    assert len(source.said) == 6, "64 KiB are owed"
    for _ in range(20):
        assert await socket.receive() is not None
    await wait_all_tasks_blocked()
    assert len(source.said) == 20


async def test_nothing_is_read_while_the_peer_is_held(start_stage: StartStage, autojump_clock: MockClock) -> None:
    def reply(message: str | bytes) -> Iterable[Step]:
        return [Hold(functools.partial(trio.sleep, 2))] if message == "hold" else [Send(b"heard")]

    talk = Talk(reply)
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    for message in ("a", "hold", "b", "hold", "c"):
        socket.say(message)
    heard = [await socket.receive() for _ in range(3)]
    assert [each.time for each in heard if each is not None] == [0, 2, 4]
    assert talk.heard == ["a", "hold", "b", "hold", "c"]


async def test_the_peers_goodbye_is_told_and_the_feed_comes_to_its_end(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source()
    talk = Talk(greet=lambda: [source.feed()])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    await wait_all_tasks_blocked()
    socket.send(CloseConnection(4321, "bye"))
    assert await socket.receive() is not None
    await source.ended.wait()
    await wait_all_tasks_blocked()
    assert source.goodbyes == [(4321, "bye")]
    assert talk.outcomes == [DELIVERED] * 2


async def test_a_peer_that_is_gone_says_nothing(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source()
    talk = Talk(greet=lambda: [source.feed()])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    await wait_all_tasks_blocked()
    socket.connection.finish()
    await source.ended.wait()
    await wait_all_tasks_blocked()
    assert (source.goodbyes, talk.outcomes) == ([], [CLIENT_LEFT] * 2)


async def test_who_is_held_can_be_closed(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source(b"one", last=Close(1000))
    talk = Talk(lambda message: [Hold(trio.sleep_forever)], lambda: [source.feed()])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("hello")
    heard = [await socket.receive() for _ in range(2)]
    assert [each.event for each in heard if each is not None] == [TextMessage("one"), CloseConnection(1000, "")]
    await source.ended.wait()


async def test_a_feed_that_fails(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(perform: Perform) -> None:
        await trio.sleep(1)
        raise ValueError("no more")

    talk = Talk(greet=lambda: [Feed(run, lambda code, reason: None)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    with caplog.at_level(logging.CRITICAL, "aimock"):
        heard = await socket.receive()
    assert heard is not None
    assert (heard.time, heard.event) == (1, CloseConnection(1011, "Internal error"))

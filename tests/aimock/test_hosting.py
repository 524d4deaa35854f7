"""One server answers for another, at its own address."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from aimock import AIMock
from aimock.app import App
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State

Chat = Callable[..., Any]


def test_the_guest_answers_while_it_is_there(mock: AIMock, chat: Chat) -> None:
    mock.on_message("hello", {"content": "host"})
    guest = AIMock(strict=True, seed=1)
    guest.on_message("hello", {"content": "guest"}, sequence_index=0)
    with mock.hosting(guest):
        assert guest.url == mock.url
        assert chat().content == "guest"
        assert chat().status == 503
        guest.on_message("hello", {"content": "more"})
        assert chat().content == "more"
        assert [entry["response"]["status"] for entry in guest.get_requests()] == [200, 503, 200]
        assert mock.get_requests() == []
    assert chat().content == "host"
    assert len(mock.get_requests()) == 1
    with pytest.raises(RuntimeError, match="not running"):
        _ = guest.url


def test_a_guest_may_come_again_and_start_later(mock: AIMock, chat: Chat) -> None:
    guest = AIMock()
    for _ in range(2):
        with mock.hosting(guest):
            assert chat().status == 404
    with guest:
        assert guest.url != mock.url
        assert len(guest.get_requests()) == 2


def test_the_guest_leaves_when_the_block_fails(mock: AIMock, chat: Chat) -> None:
    with pytest.raises(ZeroDivisionError), mock.hosting(AIMock().on({}, {"content": "guest"})):
        _ = 1 / 0
    assert chat().status == 404


def test_what_cannot_be_is_refused(mock: AIMock) -> None:
    with pytest.raises(RuntimeError, match="not running"), AIMock().hosting(AIMock()):
        raise AssertionError
    with AIMock() as running, pytest.raises(RuntimeError, match="the guest is already running"), mock.hosting(running):
        raise AssertionError
    with (
        mock.hosting(AIMock()) as _,
        pytest.raises(RuntimeError, match="there is a guest already"),
        mock.hosting(AIMock()),
    ):
        raise AssertionError
    guest = AIMock()
    with mock.hosting(guest):
        with pytest.raises(RuntimeError, match="already running"):
            guest.start()
        with pytest.raises(RuntimeError, match="not running in a thread"):
            guest.stop()


async def test_it_works_inside_trio(call: Callable[..., Any]) -> None:
    question = {"model": "m", "messages": []}
    async with AIMock() as host:
        guest = AIMock().on({}, {"content": "guest"})
        with host.hosting(guest):
            ask = functools.partial(call, "POST", "/v1/chat/completions", question, port=host.port)
            assert (await trio.to_thread.run_sync(ask)).content == "guest"
        assert host.get_requests() == []


async def test_what_has_begun_stays_with_the_state_it_began_in(
    memory: Callable[..., Any], nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    first, other = State(Settings()), State(Settings())
    first.book.append(AIMock().on({}, {"content": "a" * 50}, latency=100, chunk_size=10).fixtures)
    app = App(first)
    running = attrs.evolve(memory(), state=first, server=HTTPServer(app))
    await nursery.start(running.server.serve)

    async with trio.open_nursery() as asking:

        async def stream() -> None:
            streamed = await running.stream()
            assert streamed.whole
            assert len(streamed.chunks) == 7

        asking.start_soon(stream)
        await trio.sleep(0.25)
        app.use(other)
        assert (await running.stream()).status == 404
    assert [entry.status for entry in first.journal] == [200]
    assert [entry.status for entry in other.journal] == [404]

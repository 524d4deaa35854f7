"""Watching local sources: core-fixtures §7.1, B5, field 2.58.

`fixtures/test_local.py` has what a look makes of them.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from aimock import AIMock, sources
from aimock.fixtures import Fixture, LocalSource, Origin, Question, make_fixture
from aimock.settings import Settings
from aimock.state import State
from aimock_protocols.canonical import ChatRequest

Memory = Callable[..., Any]
Write = Callable[..., str]


def entry(said: str, **match: Any) -> dict[str, Any]:
    return {"match": {"userMessage": said, **match}, "response": {"content": said}}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write("a.json", entry("a"), …) gives the path."""

    def write_file(name: str, *entries: dict[str, Any]) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"fixtures": entries}))
        return str(path)

    return write_file


async def here(look: Callable[[], LocalSource]) -> LocalSource:
    """Instead of a thread, which a mock clock does not wait for."""
    await trio.lowlevel.checkpoint()
    return look()


def said(state: State) -> list[Any]:
    return [fixture.match.user_message for fixture in state.book]


def state_with(*names: str) -> State:
    state = State(Settings())
    for name in names:
        sources.add(state, name, print)
    return state


async def test_a_change_is_served_after_half_a_second_of_quiet(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    path = write("a.json", entry("old"))
    state = state_with(path)
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    await trio.sleep(10.1)
    write("a.json", entry("new"))
    await trio.sleep(0.5)
    assert said(state) == ["old"], "seen once"
    await trio.sleep(0.5)
    assert said(state) == ["new"]


async def test_B5_only_the_source_that_changed_is_replaced(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """core-lessons B5: every source is watched, each keeps its place, and what was added while it ran stays."""
    state = state_with(write("one.json", entry("one")), write("two/a.json", entry("two")), write("three.json"))
    state.book.append([make_fixture(entry("appended"))])
    state.book.prepend(make_fixture(entry("prepended")))
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    before = state.book.fixtures
    write("two/a.json", entry("new"))
    await trio.sleep(2)
    assert said(state) == ["prepended", "one", "new", "appended"]
    assert [state.book.fixtures[place] is before[place] for place in range(4)] == [True, True, False, True]
    write("three.json", entry("three"))
    await trio.sleep(2)
    assert said(state) == ["prepended", "one", "new", "three", "appended"]


async def test_B4_a_bad_change_is_logged_and_the_old_is_served(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """core-lessons B4, field 2.58"""
    path = write("a.json", entry("old"))
    state = state_with(path)
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    os.unlink(path)
    await trio.sleep(60)
    assert said(state) == ["old"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelno, "No such file or directory" in record.getMessage()) == (logging.ERROR, True)


async def test_with_validation_an_error_keeps_the_old(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    state = state_with(write("a.json", entry("old")))
    nursery.start_soon(lambda: sources.watch(state, validate=True, in_thread=here))
    write("a.json", entry("new"), {"match": {}, "response": {"content": ""}})
    await trio.sleep(2)
    assert said(state) == ["old"]


async def test_counters_start_anew_for_what_changed_only(
    memory: Memory, write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Sequences of files that stay as they were go on."""

    def sequence(name: str) -> list[dict[str, Any]]:
        return [{**entry(name, sequenceIndex=n), "response": {"content": f"{name}{n}"}} for n in range(3)]

    server = memory()
    for name in ("a", "b"):
        sources.add(server.state, write(f"{name}.json", *sequence(name)), print)
    nursery.start_soon(lambda: sources.watch(server.state, in_thread=here))

    async def answers(*texts: str) -> list[str]:
        told = [await server.stream(text) for text in texts]
        return [
            "".join(json.loads(data)["choices"][0]["delta"].get("content") or "" for _, data in each.events[:-1])
            for each in told
        ]

    await trio.testing.wait_all_tasks_blocked()
    assert await answers("a", "b") == ["a0", "b0"]
    write("b.json", *sequence("b"), entry("more"))
    await trio.sleep(2)
    assert await answers("a", "b", "more") == ["a1", "b0", "more"]
    assert sum(map(len, server.state.counters._matched.values())) == 3 + 3 + 1, "what is gone is not counted"


async def test_a_request_is_answered_from_the_old_or_the_new_and_never_from_neither(
    memory: Memory, write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = memory()
    sources.add(server.state, write("a.json", entry("hello")), print)
    nursery.start_soon(lambda: sources.watch(server.state, in_thread=here))
    for version in range(20):
        write("a.json", *[entry("hello")] * (version + 2))
        for _ in range(8):
            await trio.sleep(0.2)
            assert (await server.stream("hello")).status == 200
    assert len(server.state.book) == 21


async def test_a_stream_that_is_being_sent_ends_as_it_began(
    memory: Memory, write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = memory()
    slow = {**entry("hello"), "response": {"content": "o" * 10}, "chunkSize": 1, "latency": 1000}
    sources.add(server.state, write("a.json", slow), print)
    nursery.start_soon(lambda: sources.watch(server.state, in_thread=here))
    answered: list[Any] = []

    async def ask() -> None:
        answered.append(await server.stream("hello"))

    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await trio.sleep(2)
        write("a.json", entry("hello"))
        await trio.sleep(2)
        assert len(server.state.book) == 1
        assert server.state.book.fixtures[0].latency is None
    assert "".join(data for _, data in answered[0].events).count('"content":"o"') == 10


async def test_a_tree_that_takes_long_to_look_at_is_looked_at_less_often(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    looks: list[float] = []

    async def slowly(look: Callable[[], LocalSource]) -> LocalSource:
        looks.append(trio.current_time())
        await trio.sleep(0.1)
        return look()

    state = state_with(write("a.json", entry("a")))
    nursery.start_soon(lambda: sources.watch(state, in_thread=slowly))
    await trio.sleep(10)
    gaps = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert gaps == pytest.approx([2.1] * len(gaps))
    assert len(gaps) == 4


async def test_fixtures_that_were_cleared_come_back_when_their_file_changes(
    write: Write, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    state = state_with(write("a.json", entry("old")))
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    state.reset()
    await trio.sleep(5)
    assert said(state) == []
    write("a.json", entry("new"))
    await trio.sleep(2)
    assert said(state) == ["new"]


async def test_with_nothing_to_watch_it_says_so_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "aimock"):
        await sources.watch(State(Settings()))
    assert caplog.messages == ["watching nothing: there are no local fixtures"]


async def test_a_look_in_a_thread_can_be_given_up(
    write: Write, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """A file system that hangs keeps no server from ending."""
    hangs = threading.Event()
    monkeypatch.setattr(sources, "poll", lambda *_, **__: hangs.wait(30))
    state = state_with(write("a.json", entry("a")))
    with trio.move_on_after(5) as waited:
        await sources.watch(state)
    assert waited.cancelled_caught
    assert said(state) == ["a"]
    hangs.set()


# -- AIMock ----------------------------------------------------------------------------------------------------------


class Reloads(logging.Handler):
    """Waits for the server to say that it has reloaded."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.happened = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("reloaded "):
            self.happened.set()


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sources, "INTERVAL", 0.005)
    logger, handler = logging.getLogger("aimock"), Reloads()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.happened
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_server_in_python_watches_while_it_runs(write: Write, reloads: threading.Event) -> None:
    """field 2.58"""
    path = write("a.json", entry("one"))
    with AIMock(fixtures=path, watch=True) as mock:
        mock.on_message("program", {"content": "x"})
        write("a.json", entry("two"))
        assert reloads.wait(30)
        assert [fixture.match.user_message for fixture in mock.fixtures] == ["two", "program"]
    reloads.clear()
    write("a.json", entry("three"))
    assert [fixture.match.user_message for fixture in mock.fixtures] == ["two", "program"], "it has stopped"
    with mock:
        assert reloads.wait(30), "and it goes on where it was"
        assert [fixture.match.user_message for fixture in mock.fixtures] == ["three", "program"]


async def test_it_watches_inside_trio_too(write: Write, reloads: threading.Event) -> None:
    path = write("a.json", entry("one"))
    async with AIMock(fixtures=path, watch=True) as mock:
        write("a.json", entry("two"))
        assert await trio.to_thread.run_sync(reloads.wait, 30)
        assert [fixture.match.user_message for fixture in mock.fixtures] == ["two"]


def test_without_being_told_it_does_not_watch(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "watch", lambda *_: 1 / 0)
    with AIMock(fixtures=write("a.json", entry("one"))) as mock:
        assert len(mock.fixtures) == 1


# -- what the server itself records ----------------------------------------------------------------------------------


def recorded(state: State, path: str, place: int, entry: dict[str, Any]) -> Fixture:
    """What the recorder does once an entry is written."""
    fixture = make_fixture(entry, Origin("recorded", path, place))
    body = {"messages": [{"role": "user", "content": entry["match"]["userMessage"]}]}
    state.add_recorded(fixture, Question(ChatRequest(body, body), test_id="t"))
    return fixture


async def test_a_recording_is_served_once_and_keeps_its_counts_when_its_file_is_read(
    write: Write, tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """record-replay §6, DO: we do not take our own writes for somebody's changes."""
    write("a.json", entry("a"))
    write("t/openai.json", entry("b"))
    state = state_with(str(tmp_path))
    a, b = state.book.fixtures
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    await trio.sleep(1.1)
    path = write("t/openai.json", entry("b"), entry("c", sequenceIndex=0))
    alone = write("openai-1.json", entry("d"))
    c = recorded(state, path, 1, entry("c", sequenceIndex=0))
    d = recorded(state, os.path.join(tmp_path, "t", "..", "openai-1.json"), 0, entry("d"))
    assert alone != d.origin.file, "it may be spelled otherwise"
    assert state.book.fixtures == (a, b, c, d)
    for fixture in (a, b):
        state.counters.add("t", fixture)
    await trio.sleep(2)
    assert state.book.fixtures == (a, d, b, c), "in the order of the files"
    assert [state.counters.count("t", each) for each in state.book] == [1, 1, 1, 1]
    assert state.recorded == []

    path = write("t/openai.json", entry("b"), entry("c", sequenceIndex=0), entry("e"))
    e = recorded(state, path, 2, entry("e"))
    await trio.sleep(2)
    assert state.book.fixtures == (a, d, b, c, e)
    assert [state.counters.count("t", each) for each in state.book] == [1, 1, 1, 1, 1]


async def test_a_recording_that_was_edited_before_it_is_read_is_what_it_was_edited_to(
    write: Write, tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    path = write("a.json", entry("a"))
    state = state_with(str(tmp_path))
    nursery.start_soon(lambda: sources.watch(state, in_thread=here))
    await trio.sleep(1.1)
    recorded(state, path, 1, {"match": {"userMessage": "b"}, "response": {"json": {"n": 1}}})
    write("a.json", entry("a"), {"match": {"userMessage": "b"}, "response": {"json": {"n": True}}})
    await trio.sleep(2)
    assert [fixture.response.raw for fixture in state.book] == [
        {"content": "a"},
        {"json": {"n": True}},
        {"json": {"n": 1}},
    ]

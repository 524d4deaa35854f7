"""A provider to be asked, over real sockets; and a shelf in one line, with what is on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.fixtures import Question, load_source
from aimock.record.config import RecordConfig
from aimock.record.recorder import Recorder
from aimock.record.shelf import Shelf
from aimock.record.upstream import Upstream, UpstreamResponse
from aimock_protocols.canonical import ChatRequest
from recording_provider import HI, InMemory, saying
from recording_provider import Provider as Speaker
from scripted_provider import Asked, Pending, Provider, made_call

Start = Callable[..., Any]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        provider = Provider(listener)
        yield provider
        for stream in provider.accepted:
            await trio.aclose_forcefully(stream)


@pytest.fixture
async def upstreams() -> AsyncIterator[Callable[..., Upstream]]:
    """Makes one for `provider`s and further fields of the configuration."""
    made: list[Upstream] = []

    def make(environment: Mapping[str, str] = MappingProxyType({}), **config: Any) -> Upstream:
        made.append(Upstream(RecordConfig(**config), environment, lambda: 1_795_371_753.0))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.aclose()


@pytest.fixture
def ask(nursery: trio.Nursery, provider: Provider, upstreams: Callable[..., Upstream]) -> Asked:
    """Asks the provider as OpenAI, on connections that all asked so share."""
    upstream = upstreams(providers={"openai": provider.url})

    def start(**call: Any) -> Pending[UpstreamResponse]:
        return Pending(nursery, lambda: upstream.ask(made_call(**call)))

    return start


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def shelf(tmp_path: Path, warnings: list[str]) -> Callable[..., Shelf]:
    """shelf(mode=…): one of its own process, as it were, over `tmp_path / "recorded"`."""

    def build(**chosen: Any) -> Shelf:
        config = RecordConfig(fixture_path=tmp_path / "recorded", **chosen)
        return Shelf(config, warnings.append, lambda: 1_789_000_000.547)

    return build


@pytest.fixture
def question() -> Callable[[str], Question]:
    """question("hi"): one of a user."""

    def build(said: str) -> Question:
        body = {"model": "m", "messages": [{"role": "user", "content": said}]}
        return Question(ChatRequest(body, body, "m"))

    return build


# -- a server that records ---------------------------------------------------------------------------------------------


@pytest.fixture
async def live() -> AsyncIterator[Speaker]:
    """A provider that says what the test writes."""
    each = Speaker(saying(HI))
    async with each.on_a_socket():
        yield each


@pytest.fixture
async def recording(memory: Start, live: Speaker, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server that asks the provider: recording(proxy_only=True), with the fields of RecordConfig."""
    recorders: list[Recorder] = []

    async def start(settings: Mapping[str, Any] = MappingProxyType({}), **chosen: Any) -> Any:
        server = memory(**settings)
        chosen = {"providers": {"openai": live.url}, "fixture_path": tmp_path / "recorded"} | chosen
        server.state.recorder = Recorder(RecordConfig(**chosen))
        recorders.append(server.state.recorder)
        await wait_all_tasks_blocked()
        return server

    yield start
    for recorder in recorders:
        await recorder.aclose()


@pytest.fixture
def replaying(memory: Start, tmp_path: Path) -> Start:
    """Starts a server anew that has nothing but what was recorded. `notes`: on which keys there are findings."""

    async def start(*notes: str, **settings: Any) -> Any:
        problems: list[Any] = []
        server = memory(strict=True, **settings)
        server.state.book.append(load_source(str(tmp_path / "recorded"), problems.append))
        assert [problem.message.partition(":")[0] for problem in problems] == list(notes)
        await wait_all_tasks_blocked()
        return server

    return start


@pytest.fixture
def timeless(autojump_clock: MockClock, nursery: trio.Nursery, live: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes time but what is told to: the provider is asked in memory, and files are written in no thread, for
    which Trio's clock would not wait."""

    async def at_once(write: Callable[..., Any], *args: Any) -> Any:
        return write(*args)

    monkeypatch.setattr("httpcore2.TrioBackend", lambda: InMemory(live, nursery))
    monkeypatch.setattr("trio.to_thread.run_sync", at_once)

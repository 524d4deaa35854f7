"""What each fault does to what is relayed, and that whoever notes what comes, notes what was really said."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, NamedTuple

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aimock import tampering
from aimock.fixtures.faults import OF_MCP, OF_WEBSOCKETS, FaultName
from aimock.net.exchange import BrokenOff, Ending, Relay, Whole
from aimock.surfaces import llm
from aimock_protocols.cutting import Cutter, cutter_for

Start = Callable[..., Any]

FRAMES = [b'data: {"n":%d}\n\n' % number for number in range(4)]
"""The provider's, one each 50 ms."""
TIMES = [50.0, 100.0, 150.0, 200.0]
EVENT = b'data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}}\n\n'
GARBAGE = b"{malformed json: <<<chaos>>>"

WHOLE = [*FRAMES, "end"]


@attrs.define
class Provider:
    """What it says, and what a tape would have of it."""

    pieces: list[bytes] = attrs.field(factory=lambda: list(FRAMES))
    fails: Exception | None = None
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream; charset=utf-8"),)
    noted: list[Any] = attrs.field(factory=list)
    times: list[float] = attrs.field(factory=list)
    closed: int = 0

    async def generate(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces:
                await trio.sleep(0.05)
                self.noted.append(piece)
                self.times.append(round(trio.current_time() * 1000, 6))
                yield piece
            if self.fails is not None:
                raise self.fails
            self.noted.append("end")
        finally:
            self.closed += 1

    def instead_of(self, surface: Any, exchange: Any, asked: Any, missed: Any) -> Relay:
        entry = exchange.record(200)
        return Relay(200, self.headers, self.generate(), length=len(b"".join(self.pieces)), on_end=entry.ended)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Asked for whatever no fixture answers."""
    provider = Provider()
    monkeypatch.setattr(llm.LLMSurface, "_miss", functools.partialmethod(_miss, provider))
    spoiler = llm.Spoiler
    monkeypatch.setattr(llm, "Spoiler", lambda *args, **more: spoiler(*args, **more | {"is_relayed": True}))
    return provider


def _miss(surface: Any, provider: Provider, exchange: Any, asked: Any, missed: Any) -> Relay:
    return provider.instead_of(surface, exchange, asked, missed)


class Expected(NamedTuple):
    body: bytes | None = b"".join(FRAMES)
    """None: not looked at."""
    times: list[float] | None = TIMES
    ending: str = "whole"
    noted: list[Any] = WHOLE
    cut: bool = False
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"


JSON = "application/json"
INSTEAD = Expected(None, None, noted=[], content_type=JSON)
FIRST = Expected(FRAMES[0], [50.0], noted=FRAMES[:1], cut=True)

TABLE = {
    FaultName.DROP: INSTEAD._replace(status=500),
    FaultName.RATE_LIMIT: INSTEAD._replace(status=429),
    FaultName.DISCONNECT: INSTEAD._replace(status=0, ending="fin"),
    FaultName.THROTTLED: INSTEAD._replace(status=429),
    FaultName.OVERLOADED: INSTEAD._replace(status=529),
    FaultName.UNAVAILABLE: INSTEAD._replace(status=503),
    FaultName.EMPTY: INSTEAD._replace(content_type="text/event-stream; charset=utf-8"),
    FaultName.MALFORMED: Expected(GARBAGE, [200.0], content_type=JSON),
    FaultName.WRONG_CONTENT_TYPE: Expected(content_type="text/html; charset=utf-8"),
    FaultName.RESET: FIRST._replace(ending="rst", body=None, times=None),
    FaultName.FIN: FIRST._replace(ending="fin"),
    FaultName.TRUNCATE: FIRST,
    FaultName.STALL: FIRST._replace(ending="silence"),
    FaultName.SLOW_FIRST_TOKEN: Expected(times=[10_000.0]),
    FaultName.SLICE: Expected(times=None),
    FaultName.MALFORMED_FRAME: Expected(b"".join([FRAMES[0], b'data: {"n":1\n\n', *FRAMES[2:]])),
    FaultName.ERROR_EVENT: FIRST._replace(body=FRAMES[0] + EVENT, times=[50.0]),
    FaultName.BROKEN_ARGUMENTS: Expected(),
    **dict.fromkeys((*OF_WEBSOCKETS, *OF_MCP), Expected()),
}


@pytest.mark.parametrize("fault", FaultName)
async def test_what_each_fault_does(
    autojump_clock: MockClock, memory: Start, provider: Provider, fault: FaultName
) -> None:
    expected = TABLE[fault]
    server = memory(metrics=True)
    await trio.testing.wait_all_tasks_blocked()
    seen = await server.exchange(headers={"X-AIMock-Fault": fault}, stream=True)
    await trio.testing.wait_all_tasks_blocked()
    assert seen.ending == expected.ending
    assert seen.status == expected.status
    if expected.status:
        assert seen.headers["content-type"] == expected.content_type
    if expected.body is not None:
        assert seen.body == expected.body
    if expected.times is not None:
        assert seen.times == expected.times
    assert provider.noted == expected.noted
    assert provider.closed == (1 if expected.noted else 0)
    if fault is not FaultName.SLICE:  # a slow reader, for whom any source would wait
        assert provider.times == TIMES[: len(provider.times)], "nothing disturbs the times that are noted"
    said = server.journal[0]["response"]
    assert said["chaosAction"] == fault
    assert (said.get("interrupted", False), said.get("interruptReason")) == (
        (True, fault) if expected.cut else (False, None)
    )
    bypassed = fault is FaultName.BROKEN_ARGUMENTS or fault in (*OF_WEBSOCKETS, *OF_MCP)
    metrics = server.state.metrics.exposition()
    assert ("aimock_chaos_bypassed_total{" in metrics) == bypassed
    assert f'aimock_chaos_triggered_total{{action="{fault}",source="proxy"}} 1' in metrics
    assert ('status="destroyed"' in metrics) == (expected.ending in ("fin", "rst", "silence"))


@pytest.mark.parametrize(
    ("fails", "status"), [(None, "200"), (BrokenOff(Ending.RST), "destroyed"), (OSError(), "destroyed")]
)
async def test_how_a_relay_ended_is_journaled_and_counted(
    autojump_clock: MockClock, memory: Start, provider: Provider, fails: Exception | None, status: str
) -> None:
    provider.fails = fails
    server = memory(metrics=True)
    await trio.testing.wait_all_tasks_blocked()
    await server.exchange(stream=True)
    await trio.testing.wait_all_tasks_blocked()
    assert server.journal[0]["response"].get("interrupted", False) == (fails is not None)
    assert f'status="{status}"' in server.state.metrics.exposition()


async def test_a_length_holds_only_if_the_bytes_are_all_there(
    autojump_clock: MockClock, memory: Start, provider: Provider
) -> None:
    server = memory()
    await trio.testing.wait_all_tasks_blocked()
    lengths = {}
    for fault in (FaultName.SLICE, FaultName.SLOW_FIRST_TOKEN, FaultName.MALFORMED_FRAME, FaultName.ERROR_EVENT):
        seen = await server.exchange(headers={"X-AIMock-Fault": fault}, stream=True)
        lengths[fault] = seen.headers.get("content-length")
    length = str(sum(map(len, FRAMES)))
    assert list(lengths.values()) == [length, length, None, None]


async def test_an_error_of_the_provider_is_not_made_garbage(
    autojump_clock: MockClock, memory: Start, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(self: Any, surface: Any, exchange: Any, *_: Any) -> Whole:
        return Whole(status, (), b"{}", on_end=exchange.record(status).ended)

    monkeypatch.setattr(Provider, "instead_of", answered)
    for status, body in ((200, GARBAGE), (502, b"{}")):
        server = memory()
        await trio.testing.wait_all_tasks_blocked()
        seen = await server.exchange(headers={"X-AIMock-Fault": "malformed"})
        assert (seen.status, seen.body) == (status, body)


# -- the generators ----------------------------------------------------------------------------------------------------


async def given_by(pieces: Iterable[bytes], fails: Exception | None = None) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
    if fails is not None:
        raise fails


def collected(pieces: AsyncGenerator[bytes, None]) -> tuple[list[bytes], Exception | None]:
    """What comes, and what it breaks off with."""
    came: list[bytes] = []

    async def collect() -> Exception | None:
        try:
            async for piece in pieces:
                came.append(piece)  # noqa: PERF401 - what came before it broke off counts
        except Exception as error:
            return error
        return None

    return came, trio.run(collect, clock=MockClock(autojump_threshold=0))


def sse() -> Cutter:
    cutter = cutter_for("text/event-stream")
    assert cutter is not None
    return cutter


splits = st.lists(st.integers(0, 70), max_size=8).map(sorted)


def split(data: bytes, places: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(places=splits, after=st.integers(0, 6))
def test_faults_strike_the_same_frame_however_the_stream_was_split(places: list[int], after: int) -> None:
    pieces = split(b"".join(FRAMES), places)
    struck: list[bool] = []
    frames = tampering.frames(given_by(pieces), sse())
    came, error = collected(tampering.ended(frames, after, EVENT, Ending.RST, lambda: struck.append(True)))
    if after > len(FRAMES):
        assert (b"".join(came), error, struck) == (b"".join(FRAMES), None, [])
    else:
        assert b"".join(came) == b"".join(FRAMES[:after]) + EVENT
        assert isinstance(error, BrokenOff)
        assert (error.ending, struck) == (Ending.RST, [True])
    spoiled, error = collected(
        tampering.spoiled(tampering.frames(given_by(pieces), sse()), after, lambda frame: b"<%b>" % frame)
    )
    assert error is None
    assert b"".join(spoiled) == b"".join(
        b"<%b>" % frame if place == after else frame for place, frame in enumerate(FRAMES)
    )


@given(places=splits, end=st.integers(0, 70), size=st.integers(1, 30), fails=st.sampled_from([None, BrokenOff()]))
def test_bytes_are_neither_lost_nor_added(places: list[int], end: int, size: int, fails: Exception | None) -> None:
    data = b"".join(FRAMES)[:end]
    pieces = split(data, [min(place, len(data)) for place in places])
    for make in (
        lambda given: tampering.frames(given, sse()),
        lambda given: tampering.frames(given, None),
        lambda given: tampering.sliced(given, size, 0.01),
        lambda given: tampering.late(given, 3.0),
    ):
        came, error = collected(make(given_by(pieces, fails)))
        assert (b"".join(came), error) == (data, fails)
        if make(given_by(())).__name__ == "sliced":
            assert all(len(piece) <= size for piece in came)


def test_what_is_held_back_is_bounded() -> None:
    asked: list[float] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        while len(asked) < 1000:
            asked.append(trio.current_time())
            yield b"x" * 65536

    async def first() -> float:
        begun = trio.current_time()
        pieces = tampering.late(endless(), 5.0)
        assert len(await anext(pieces)) == 17 * 65536
        await pieces.aclose()
        return trio.current_time() - begun

    assert trio.run(first, clock=MockClock(autojump_threshold=0)) == 5.0
    assert len(asked) == 17


@pytest.mark.parametrize(
    "make",
    [
        lambda given: tampering.frames(given, sse()),
        lambda given: tampering.ended(tampering.frames(given, sse()), 9, b"", Ending.FIN, lambda: None),
        lambda given: tampering.spoiled(tampering.frames(given, sse()), 1, bytes),
        lambda given: tampering.sliced(given, 5, 1.0),
        lambda given: tampering.late(given, 3.0),
        lambda given: tampering.replaced(given, b""),
    ],
)
def test_whenever_they_are_ended_the_source_is_closed(make: Any) -> None:
    async def end_after(seconds: float) -> None:
        provider = Provider()
        pieces = make(provider.generate())
        with trio.move_on_after(seconds):
            async for _ in pieces:
                await trio.sleep(0.01)
        await pieces.aclose()
        assert provider.closed == 1

    for tick in range(60):
        trio.run(end_after, tick * 0.005, clock=MockClock(autojump_threshold=0))

"""Responses that come from elsewhere: handed on piece by piece, and ended as their source ends."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net import memory
from aimock.net.exchange import Answer, BrokenOff, Ending, Head, Outcome, Refusal, Relay, Request, Task, Whole
from aimock.net.memory import MemoryClient
from aimock.net.server import HTTPServer
from aimock.net.transport import PeerGone

if TYPE_CHECKING:
    from tests.aimock.net.conftest import StartStage

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
EVENTS = (("content-type", "text/event-stream"),)
A, B = b"data: a\n\n", b"data: b\n\n"
CHUNKS = b"9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n"


@attrs.define
class Source:
    """Somewhere else. Each piece takes `every` seconds, and so does the end; closing takes `closing`, shielded."""

    pieces: tuple[bytes, ...] = (A, B)
    every: float = 1.0
    fails: Exception | None = None
    """What comes in place of the end."""
    closing: float = 0.0
    response: dict[str, Any] = attrs.field(factory=dict)
    told: list[object] = attrs.field(factory=list)
    """What happened to each generator, in order, and last how its response ended."""
    asked: list[float] = attrs.field(factory=list)
    """When each piece, or the end, was asked for."""

    async def generate(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces:
                await self._wait()
                yield piece
            await self._wait()
            if self.fails is not None:
                raise self.fails
            self.told.append("end")
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.closing)
            self.told.append("closed")

    async def _wait(self) -> None:
        self.asked.append(trio.current_time())
        await trio.sleep(self.every)

    def answers(self, request: Request) -> Answer:
        return Relay(**{"status": 200, "headers": EVENTS, "pieces": self.generate()} | self.response, on_end=self.ended)

    def ended(self, outcome: Outcome) -> None:
        self.told.append(outcome)


WHOLE = ["end", "closed", Outcome.DELIVERED]
LEFT = ["closed", Outcome.CLIENT_LEFT]


async def until_end(client: MemoryClient, patience: float = 10) -> tuple[bytes, str]:
    """All that the server writes after the head, and how it ends: fin, reset, or not at all."""
    received, end = b"", "open"
    with trio.move_on_after(patience):
        try:
            while (arrival := await client.receive()) is not None:
                received += arrival.data
            end = "fin"
        except PeerGone:
            end = "reset"
    return received.partition(b"\r\n\r\n")[2], end


# -- pieces ------------------------------------------------------------------------------------------------------------


async def test_each_piece_is_written_as_soon_as_it_comes(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source(response={"fresh": (("x-request-id", "1"),)})
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    arrivals = await client.receive_until(b"\r\n0\r\n\r\n")
    assert arrivals[0].data == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ndate: Fri, 20 Nov 2026 18:40:00 GMT\r\n"
        b"x-request-id: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    assert [(each.time, each.data) for each in arrivals[:3]] == [
        (0.0, arrivals[0].data),
        (1.0, b"9\r\ndata: a\n\n\r\n"),
        (2.0, b"9\r\ndata: b\n\n\r\n"),
    ]
    await wait_all_tasks_blocked()
    assert source.told == WHOLE


@pytest.mark.parametrize("pieces", [(), (b"",), (b"", A, b"", B, b"")])
async def test_empty_pieces_do_not_end_it(
    pieces: tuple[bytes, ...], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(pieces)
    stage = await start_stage(source.answers)
    [response] = await stage.converse(GET)
    assert (response.body, response.is_complete) == (b"".join(pieces), True)


async def test_requests_sent_ahead_wait(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source()
    stage = await start_stage(source.answers)
    responses = await stage.converse(GET * 3, methods=("GET",) * 3)
    assert [(each.body, each.is_complete) for each in responses] == [(A + B, True)] * 3
    assert source.asked == [float(each) for each in range(9)], "one after the other"
    await wait_all_tasks_blocked()
    assert source.told == WHOLE * 3


@pytest.mark.parametrize("request_bytes", [GET, GET_1_0])
async def test_a_length_that_is_known_is_told(
    request_bytes: bytes, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(response={"length": 18})
    stage = await start_stage(source.answers)
    [response] = await stage.converse(request_bytes)
    assert (response.body, response.is_complete) == (A + B, True)
    assert response.headers["content-length"] == "18"
    assert "transfer-encoding" not in response.headers


async def test_less_than_was_announced_ends_the_connection(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source(response={"length": 19})
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == (A + B, "fin")
    assert source.told == ["end", "closed", Outcome.BROKEN_OFF]


@pytest.mark.parametrize("length", [0, 4, 9, 12])
async def test_more_than_was_announced_is_not_sent(
    length: int, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(response={"length": length})
    stage = await start_stage(source.answers)
    responses = await stage.converse(GET * 2, methods=("GET", "GET"))
    assert [each.body for each in responses] == [(A + B)[:length]] * 2
    await trio.sleep(5)
    assert [each for each in source.told if isinstance(each, Outcome)] == [Outcome.DELIVERED] * 2


async def test_http_1_0_gets_it_until_the_end_of_the_connection(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(Source().answers)
    client = stage.connect()
    client.send(GET_1_0)
    assert await until_end(client) == (A + B, "fin")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("pieces", [(), (A, B)])
async def test_some_responses_have_no_body(
    method: str, status: int, pieces: tuple[bytes, ...], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(pieces, response={"status": status})
    stage = await start_stage(source.answers)
    request = GET.replace(b"GET", method.encode())
    responses = await stage.converse(request * 2, methods=(method, method))
    assert [(each.status, each.body, each.is_complete) for each in responses] == [(status, b"", True)] * 2
    await trio.sleep(5)
    assert source.told == (["closed", Outcome.DELIVERED] if pieces else WHOLE) * 2


# -- slow readers, and those who leave ---------------------------------------------------------------------------------


async def test_the_next_is_asked_for_when_the_client_has_taken_the_one_before(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(tuple(b"%d" % each * 1000 for each in range(5)), every=0.0)
    stage = await start_stage(source.answers)
    client = stage.connect(capacity=1000)
    client.send(GET)
    received = b""
    while not received.endswith(b"\r\n0\r\n\r\n"):
        await trio.sleep(10)
        chunks_begun = 1 + (received.count(b"\r\n3e8\r\n"))
        assert len(source.asked) <= chunks_begun + 1, "no more than one piece waits"
        arrival = await client.receive()
        assert arrival is not None
        received += arrival.data
    await wait_all_tasks_blocked()
    assert source.told == WHOLE


async def test_a_reader_that_stalls_is_given_up(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source((b"x" * 5000,) * 3)
    stage = await start_stage(source.answers, write_timeout=5)
    client = stage.connect(capacity=1000)
    client.send(GET)
    await trio.sleep(5.9)
    assert source.told == []
    await trio.sleep(0.2)
    assert source.told == ["closed", Outcome.STOPPED]
    assert source.asked == [0.0]
    assert stage.server.connections == 0


@pytest.mark.parametrize("way", ["fin", "rst"])
async def test_a_client_that_leaves_ends_the_waiting_for_a_piece(
    way: str, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(every=100, closing=2)
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    await trio.sleep(3)
    client.finish() if way == "fin" else client.leave()
    await trio.sleep(1)
    assert source.told == []
    assert stage.server.connections == 1, "what is shielded is waited for"
    await trio.sleep(2)
    assert source.told == LEFT
    assert stage.server.connections == 0


async def test_who_leaves_with_all_of_it_does_not_cut_the_source_off(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(every=1, response={"length": 18})
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    await client.receive_until(B)
    client.leave()
    await trio.sleep(5)
    assert source.told == WHOLE
    assert stage.server.connections == 0


async def test_what_was_never_begun_is_closed_all_the_same(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """Python runs nothing of a generator that is closed before it began."""
    source = Source()

    async def make() -> Answer:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        client.leave()
        return source.answers(Request(stage.script.requests[0].head))

    stage = await start_stage(lambda request: Task(make))
    client = stage.connect()
    client.send(GET)
    await trio.sleep(1)
    client.finish()
    await trio.sleep(5)
    assert source.told == LEFT
    assert len(source.asked) == 1
    assert stage.server.connections == 0


async def test_a_client_gone_before_the_head_is_written(start_stage: StartStage, autojump_clock: MockClock) -> None:
    source = Source()

    def answer(request: Request) -> Answer:
        client.leave()
        return source.answers(request)

    stage = await start_stage(answer)
    client = stage.connect()
    client.send(GET)
    await trio.sleep(5)
    assert source.told == LEFT
    assert stage.server.connections == 0


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fails", "body", "end"),
    [
        (BrokenOff(), CHUNKS, "fin"),
        (BrokenOff(Ending.FIN_MID_CHUNK), CHUNKS + b"100\r\n", "fin"),
        (BrokenOff(Ending.RST), CHUNKS, "reset"),
        (BrokenOff(Ending.STALL), CHUNKS, "open"),
        (BrokenOff(Ending.CLEAN), CHUNKS + b"0\r\n\r\n", "open"),
        (LookupError("boom"), CHUNKS, "fin"),
        (trio.TooSlowError(), CHUNKS, "fin"),
        (PeerGone(), CHUNKS, "fin"),
    ],
    ids=str,
)
async def test_what_breaks_off_at_its_source_breaks_off_for_the_client(
    fails: Exception,
    body: bytes,
    end: str,
    start_stage: StartStage,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(fails=fails)
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == (body, end)
    is_clean = isinstance(fails, BrokenOff) and fails.ending is Ending.CLEAN
    assert source.told == ["closed", Outcome.DELIVERED if is_clean else Outcome.BROKEN_OFF]
    assert len(caplog.records) == (0 if isinstance(fails, BrokenOff) else 1)


@pytest.mark.parametrize("ending", [Ending.CLEAN, Ending.FIN_MID_CHUNK])
async def test_nothing_but_the_end_tells_that_an_announced_length_is_not_kept(
    ending: Ending, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(fails=BrokenOff(ending), response={"length": 100})
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == (A + B, "fin")
    assert source.told == ["closed", Outcome.BROKEN_OFF]


async def test_a_source_that_fails_when_it_is_closed_harms_nobody(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Outcome] = []

    async def generate() -> AsyncGenerator[bytes, None]:
        try:
            yield A
            yield A
        finally:
            raise LookupError("boom")

    stage = await start_stage(lambda request: Relay(200, EVENTS, generate(), length=9, on_end=outcomes.append))
    responses = await stage.converse(GET * 2, methods=("GET", "GET"))
    assert [each.body for each in responses] == [A, A]
    await wait_all_tasks_blocked()
    assert outcomes == [Outcome.DELIVERED] * 2
    assert len(caplog.records) == 2


@pytest.mark.parametrize("grace", [1, 10])
async def test_a_shutdown_waits_for_it_as_long_as_its_grace(
    grace: float, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    source = Source(every=2)
    stage = await start_stage(source.answers)
    client = stage.connect()
    client.send(GET)
    await trio.sleep(1)
    await stage.server.shut_down(grace)
    await stage.server.ended.wait()
    assert source.told == (WHOLE if grace == 10 else ["closed", Outcome.STOPPED])
    assert trio.current_time() == pytest.approx(8 if grace == 10 else 2, abs=2.1), "and lingers for the client at most"


# -- whoever leaves, nothing is left -----------------------------------------------------------------------------------


@attrs.define
class House:
    source: Source
    server: HTTPServer = attrs.field(init=False)
    asked_for: int = 0
    tasks: int = 0

    def answer(self, request: Request) -> Answer:
        self.asked_for += 1
        return self.source.answers(request)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        return Whole(refusal.status, ())

    def assert_tidy(self) -> None:
        told = self.source.told
        assert (self.server.connections, trio.lowlevel.current_statistics().tasks_living) == (0, self.tasks)
        assert told.count("closed") == self.asked_for
        assert sum(isinstance(each, Outcome) for each in told) == self.asked_for
        assert all(isinstance(told[place + 1], Outcome) for place, each in enumerate(told) if each == "closed")


@contextlib.asynccontextmanager
async def house(source: Source) -> AsyncIterator[House]:
    house = House(source)
    house.server = HTTPServer(house)
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve)
        await wait_all_tasks_blocked()
        house.tasks = trio.lowlevel.current_statistics().tasks_living
        yield house
        nursery.cancel_scope.cancel()


async def leave(client: MemoryClient, way: str) -> None:
    if way == "fin":
        client.finish()
        await wait_all_tasks_blocked()
    client.leave()
    await trio.sleep(0.002)


@pytest.mark.parametrize("way", ["fin", "rst"])
@pytest.mark.parametrize("fails", [None, BrokenOff(Ending.FIN), BrokenOff(Ending.STALL)], ids=str)
async def test_leaving_after_every_byte(way: str, fails: Exception | None, autojump_clock: MockClock) -> None:
    """The network takes k bytes and no more, then the client is gone."""
    source = Source((A,) * 4, every=0.01, fails=fails, closing=0.001)
    async with house(source) as server:
        for capacity in range(1, 260):
            client = memory.connect(server.server, capacity=capacity)
            client.send(GET)
            await trio.sleep(0.1)
            await leave(client, way)
            server.assert_tidy()
        assert Outcome.CLIENT_LEFT in source.told


@pytest.mark.parametrize("way", ["fin", "rst"])
async def test_leaving_at_any_moment(way: str, autojump_clock: MockClock) -> None:
    source = Source((A,) * 3, every=0.01, closing=0.001)
    async with house(source) as server:
        for tick in range(50):
            client = memory.connect(server.server)
            client.send(GET)
            await trio.sleep(tick / 1000)
            await leave(client, way)
            server.assert_tidy()
        assert {each for each in source.told if isinstance(each, Outcome)} == {Outcome.CLIENT_LEFT, Outcome.DELIVERED}


async def test_cancelling_the_server_at_any_moment(autojump_clock: MockClock) -> None:
    for tick in range(50):
        source = Source((A,) * 3, every=0.01)
        async with house(source) as server:
            client = memory.connect(server.server)
            client.send(GET)
            await trio.sleep(tick / 1000)
        assert source.told.count("closed") == 1
        outcome = source.told[-1]
        assert outcome is Outcome.STOPPED or (outcome is Outcome.DELIVERED and "end" in source.told)

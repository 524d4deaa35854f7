"""Many paced streams at once: each piece at its time, whatever the others do."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.exchange import Answer, Outcome, Request, Stream, Task
from aimock.net.memory import Arrival, MemoryClient, MemoryTransport, _Pipe
from aimock.net.pacer import PacedStream, Pacer
from aimock.net.transport import PeerGone

if TYPE_CHECKING:
    from tests.aimock.net.conftest import StartStage

Pieces = Iterable[tuple[float, bytes]]


class Played:
    """A stream in the pacer's hands, its client, and whether the pacer has let go."""

    def __init__(
        self, pieces: Pieces, *, separate: bool = False, capacity: int | None = None, start: float | None = None
    ) -> None:
        to_server, to_client = _Pipe(None), _Pipe(capacity)
        transport = MemoryTransport(to_server, to_client)
        self.client = MemoryClient(to_client, to_server)
        start = trio.current_time() if start is None else start
        self.stream = PacedStream(transport, iter(pieces), start, separate=separate)
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1

    async def read(self, count: int) -> list[Arrival]:
        return [arrival for _ in range(count) if (arrival := await self.client.receive()) is not None]

    def written(self) -> list[tuple[float, bytes]]:
        """What was written and is not read yet."""
        return [tuple(arrival) for arrival in self.client._incoming.arrivals]


@pytest.fixture
def pacer(nursery: trio.Nursery) -> Pacer:
    pacer = Pacer()
    nursery.start_soon(pacer.run)
    return pacer


async def test_every_piece_at_its_time(pacer: Pacer, autojump_clock: MockClock) -> None:
    await trio.sleep(3)
    pieces = [(0.0, b"a"), (0.25, b"b"), (0.25 + 1e-6, b"c"), (60.0, b"d"), (3600.0, b"e")]
    played = Played(pieces)
    pacer.play(played.stream, played.rest)
    await trio.sleep(4000)
    assert played.written() == [(3 + offset, data) for offset, data in pieces]
    assert (played.rests, played.stream.failure, played.stream.owed) == (1, None, b"")


async def test_pieces_of_one_moment_leave_in_one_write(pacer: Pacer, autojump_clock: MockClock) -> None:
    pieces = [(1.0, b"a"), (1.0, b"b"), (2.0, b"c"), (2.0, b"d")]
    joined, apart = Played(pieces), Played(pieces, separate=True)
    for played in (joined, apart):
        pacer.play(played.stream, played.rest)
    await trio.sleep(10)
    assert joined.written() == [(1.0, b"ab"), (2.0, b"cd")]
    assert apart.written() == pieces


async def test_late_pieces_are_joined(pacer: Pacer, autojump_clock: MockClock) -> None:
    """Lateness is made up for at once, and does not move what follows."""
    await trio.sleep(2.5)
    pieces = [(0.0, b"a"), (1.0, b"b"), (2.0, b"c"), (3.0, b"d")]
    joined, apart = Played(pieces, start=0.0), Played(pieces, separate=True, start=0.0)
    for played in (joined, apart):
        pacer.play(played.stream, played.rest)
    await trio.sleep(10)
    assert joined.written() == [(2.5, b"abc"), (3.0, b"d")]
    assert apart.written() == [(2.5, b"a"), (2.5, b"b"), (2.5, b"c"), (3.0, b"d")]


async def test_hundreds_of_streams(pacer: Pacer, autojump_clock: MockClock) -> None:
    dice = random.Random(1)
    schedules: list[list[tuple[float, bytes]]] = []
    for number in range(600):
        offsets = sorted(dice.choice((dice.uniform(0, 60), float(dice.randrange(60)))) for _ in range(20))
        schedules.append([(offset, b"%d:%d" % (number, at)) for at, offset in enumerate(offsets)])
    everyone: list[tuple[Played, list[tuple[float, bytes]]]] = []
    for schedule in schedules:
        await trio.sleep(dice.choice((0, 0.1)))
        played = Played(schedule, separate=True)
        everyone.append((played, [(trio.current_time() + offset, data) for offset, data in schedule]))
        pacer.play(played.stream, played.rest)
    await trio.sleep(200)
    for played, expected in everyone:
        assert played.written() == expected
        assert played.rests == 1


async def test_an_earlier_piece_wakes_the_pacer(pacer: Pacer, autojump_clock: MockClock) -> None:
    late, early, earliest = Played([(100.0, b"late")]), Played([(10.0, b"early")]), Played([(1.0, b"earliest")])
    for played in (late, early, earliest):
        pacer.play(played.stream, played.rest)
        await wait_all_tasks_blocked()
    await trio.sleep(200)
    assert [played.written()[0][0] for played in (late, early, earliest)] == [100.0, 10.0, 1.0]


async def test_a_slow_reader_is_handed_back_with_what_is_owed(pacer: Pacer, autojump_clock: MockClock) -> None:
    slow = Played([(1.0, b"abcdef"), (2.0, b"ghi"), (3.0, b"jkl")], capacity=4)
    pacer.play(slow.stream, slow.rest)
    await trio.sleep(5)
    assert (slow.rests, slow.stream.owed, slow.written()) == (1, b"ef", [(1.0, b"abcd")])
    await slow.read(1)
    assert await slow.stream.transport.send_some(slow.stream.owed) == 2
    slow.stream.owed = b""
    await slow.read(1)
    pacer.play(slow.stream, slow.rest)
    await wait_all_tasks_blocked()
    assert (slow.rests, slow.stream.owed, slow.written()) == (2, b"kl", [(5.0, b"ghij")])
    assert slow.stream.pending is None


async def test_one_write_is_of_bounded_size(pacer: Pacer, autojump_clock: MockClock) -> None:
    played = Played([(0.0, b"x" * 1000)] * 500)
    pacer.play(played.stream, played.rest)
    await wait_all_tasks_blocked()
    assert sum(len(data) for _, data in played.written()) == 500_000
    assert max(len(data) for _, data in played.written()) <= 66_000
    assert len(played.written()) < 10


async def test_a_stream_of_no_pieces_is_let_go_at_once(pacer: Pacer, autojump_clock: MockClock) -> None:
    played = Played([])
    pacer.play(played.stream, played.rest)
    assert played.rests == 1


async def test_a_dropped_stream_writes_no_more(pacer: Pacer, autojump_clock: MockClock) -> None:
    dropped, other = Played([(1.0, b"a"), (2.0, b"b")]), Played([(1.5, b"c"), (2.0, b"d")])
    for played in (dropped, other):
        pacer.play(played.stream, played.rest)
    await trio.sleep(1.5)
    pacer.drop(dropped.stream)
    await trio.sleep(5)
    assert (dropped.written(), dropped.rests) == ([(1.0, b"a")], 0)
    assert (other.written(), other.rests) == ([(1.5, b"c"), (2.0, b"d")], 1)


class Fault(Exception):
    pass


async def test_a_failing_source_ends_its_own_stream(pacer: Pacer, autojump_clock: MockClock) -> None:
    def failing() -> Iterator[tuple[float, bytes]]:
        yield 1.0, b"a"
        yield 2.0, b"b"
        raise Fault

    bad, good = Played(failing()), Played([(1.0, b"a"), (2.0, b"b"), (3.0, b"c")])
    for played in (bad, good):
        pacer.play(played.stream, played.rest)
    await trio.sleep(10)
    assert isinstance(bad.stream.failure, Fault)
    assert (bad.rests, good.rests) == (1, 1)
    assert bad.written() == [(1.0, b"a"), (2.0, b"b")], "what could be computed is not lost"
    assert good.written() == [(1.0, b"a"), (2.0, b"b"), (3.0, b"c")]


async def test_a_source_that_fails_at_once_fails_its_stream(pacer: Pacer, autojump_clock: MockClock) -> None:
    def failing() -> Iterator[tuple[float, bytes]]:
        raise Fault
        yield 0.0, b""

    bad = Played(failing())
    pacer.play(bad.stream, bad.rest)
    assert isinstance(bad.stream.failure, Fault)
    assert (bad.rests, bad.stream.is_done, bad.written()) == (1, False, [])


async def test_late_pieces_before_a_failure_are_written(pacer: Pacer, autojump_clock: MockClock) -> None:
    def failing() -> Iterator[tuple[float, bytes]]:
        yield from [(0.0, b"a"), (1.0, b"b"), (2.0, b"c")]
        raise Fault

    await trio.sleep(5)
    bad = Played(failing(), start=0.0)
    pacer.play(bad.stream, bad.rest)
    await wait_all_tasks_blocked()
    assert bad.written() == [(5.0, b"abc")]
    assert isinstance(bad.stream.failure, Fault)


async def test_what_a_slow_reader_is_owed_outlives_a_failure(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Through the whole server: the reader gets all that was computed, however late, and then the connection ends."""

    def failing() -> Iterator[tuple[float, bytes]]:
        yield 1.0, b"x" * 1000
        raise Fault

    stage = await start_stage(lambda request: Stream(200, (), failing()))
    client = stage.connect(capacity=300)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await trio.sleep(50)
    body = b"".join(arrival.data for arrival in await client.receive_all()).partition(b"\r\n\r\n")[2]
    assert body == b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Fault]


async def test_a_stream_that_is_dropped_and_played_again_keeps_its_times(
    pacer: Pacer, autojump_clock: MockClock
) -> None:
    pieces = [(float(number), b"%d" % number) for number in range(1, 8)]
    moved, other = Played(pieces), Played(pieces)
    for played in (moved, other):
        pacer.play(played.stream, played.rest)
    for _ in range(3):
        await trio.sleep(1.25)
        for _ in range(5):
            pacer.drop(moved.stream)
            pacer.play(moved.stream, moved.rest)
    await trio.sleep(10)
    assert moved.written() == other.written() == pieces
    assert (moved.rests, other.rests) == (1, 1)


async def test_dropped_streams_are_not_kept_until_they_are_due(pacer: Pacer, autojump_clock: MockClock) -> None:
    """Clients that give up a reply of an hour again and again cost no memory."""
    steady = Played([(1.0, b"a"), (3600.0, b"b"), (7200.0, b"c")])
    pacer.play(steady.stream, steady.rest)
    for number in range(1000):
        given_up = Played([(3600.0 + number, b"x")])
        pacer.play(given_up.stream, given_up.rest)
        await trio.sleep(0.01)
        pacer.drop(given_up.stream)
        assert len(pacer._heap) <= 4
    await trio.sleep(8000)
    assert steady.written() == [(1.0, b"a"), (3600.0, b"b"), (7200.0, b"c")]
    assert (steady.rests, pacer._heap) == (1, [])


async def test_a_client_that_left_ends_its_own_stream(pacer: Pacer, autojump_clock: MockClock) -> None:
    pieces = [(1.0, b"a"), (2.0, b"b"), (3.0, b"c")]
    left, stayed = Played(pieces), Played(pieces)
    for played in (left, stayed):
        pacer.play(played.stream, played.rest)
    await trio.sleep(1.5)
    left.client.leave()
    await trio.sleep(10)
    assert isinstance(left.stream.failure, PeerGone)
    assert (left.rests, stayed.rests) == (1, 1)
    assert stayed.written() == pieces


async def test_a_slow_reader_delays_nobody(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """Through the whole server: one client that reads nothing, and a hundred that do."""
    outcomes: list[Outcome] = []

    def answer(request: Request) -> Answer:
        return Stream(200, (), [(number * 0.1, b"x" * 100) for number in range(100)], on_end=outcomes.append)

    stage = await start_stage(answer)
    slow = stage.connect(capacity=150)
    clients = [stage.connect() for _ in range(100)]
    for client in (slow, *clients):
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await trio.sleep(20)
    for client in clients:
        arrivals = await client.receive_until(b"0\r\n\r\n")
        times = [arrival.time for arrival in arrivals]
        assert times == pytest.approx([number * 0.1 for number in range(100)], abs=1e-9)
    assert outcomes == [Outcome.DELIVERED] * 100
    slow.leave()
    await wait_all_tasks_blocked()
    assert outcomes[100:] == [Outcome.CLIENT_LEFT]


async def test_making_an_answer_does_not_delay_it(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """The times of a stream count from the reading of its request, not from when it was rendered."""

    def answer(request: Request) -> Answer:
        autojump_clock.jump(0.75)
        return Stream(200, (), [(0.5, b"a"), (1.0, b"b"), (2.0, b"c")])

    stage = await start_stage(answer)
    client = stage.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    arrivals = await client.receive_until(b"0\r\n\r\n")
    assert [(arrival.time, arrival.data[-3:-2]) for arrival in arrivals][:2] == [(0.75, b"a"), (1.0, b"b")]
    assert arrivals[-1].time == 2.0


async def test_an_answer_that_was_waited_for_begins_when_it_is_there(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    async def run() -> Answer:
        await trio.sleep(5)
        return Stream(200, (), [(0.5, b"a"), (1.0, b"b")])

    stage = await start_stage(lambda request: Task(run))
    client = stage.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    arrivals = await client.receive_until(b"0\r\n\r\n")
    assert [arrival.time for arrival in arrivals] == [5.0, 5.5, 6.0]


async def test_a_reader_that_catches_up_is_paced_again(start_stage: StartStage, autojump_clock: MockClock) -> None:
    pieces = [(float(number), b"%03d" % number * 10) for number in range(20)]
    stage = await start_stage(lambda request: Stream(200, (), pieces))
    client = stage.connect(capacity=150)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await trio.sleep(10.5)
    arrivals = await client.receive_all()
    body = b"".join(arrival.data for arrival in arrivals).partition(b"\r\n\r\n")[2]
    assert body == b"".join(b"1e\r\n%b\r\n" % data for _, data in pieces) + b"0\r\n\r\n"
    later = [arrival.time for arrival in arrivals if arrival.time > 10.5]
    assert later == [float(number) for number in range(11, 20)], "nothing is late any more"

"""How answers are performed: bytes, times, endings, and what the handler is told of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.exchange import Answer, Cut, Ending, Outcome, Request, Slicing, Stream, Task, Whole
from aimock.net.transport import PeerGone

if TYPE_CHECKING:
    from aimock.net.memory import Arrival, MemoryClient
    from tests.aimock.net.conftest import Reader, StartStage

    ReadMemory = Callable[[MemoryClient], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GET_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"

PIECES = ((1.0, b"data: a\n\n"), (2.5, b"data: b\xc3\xbcc\n\n"))
CHUNKS = (b"9\r\ndata: a\n\n\r\n", b"c\r\ndata: b\xc3\xbcc\n\n\r\n")


def stream(pieces: Any = PIECES, **more: Any) -> Stream:
    return Stream(200, (("content-type", "text/event-stream"),), pieces, **more)


def at_once(pieces: Any = PIECES, **more: Any) -> Whole:
    """A stream that waits for nothing: one chunk."""
    return Whole(
        200, (("content-type", "text/event-stream"),), b"".join(data for _, data in pieces), chunked=True, **more
    )


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda request: answer


def body_of(arrivals: list[Arrival]) -> bytes:
    return b"".join(arrival.data for arrival in arrivals).partition(b"\r\n\r\n")[2]


async def until_end(client: MemoryClient, patience: float = 1000) -> tuple[list[Arrival], str]:
    """Everything the server writes, and how it ends: fin, reset, or not at all."""
    arrivals: list[Arrival] = []
    with trio.move_on_after(patience):
        try:
            while (arrival := await client.receive()) is not None:
                arrivals.append(arrival)
        except PeerGone:
            return arrivals, "reset"
        return arrivals, "fin"
    return arrivals, "open"


# -- whole -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (
            Whole(200, (("content-type", "text/plain"),), b"hi", fresh=(("x-request-id", "1"),)),
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: Fri, 20 Nov 2026 18:40:00 GMT\r\nx-request-id: 1\r\n"
            b"content-length: 2\r\n\r\nhi",
        ),
        (
            Whole(204, (), b"never sent"),
            b"HTTP/1.1 204 No Content\r\ndate: Fri, 20 Nov 2026 18:40:00 GMT\r\n\r\n",
        ),
        (
            Whole(304, ()),
            b"HTTP/1.1 304 Not Modified\r\ndate: Fri, 20 Nov 2026 18:40:00 GMT\r\n\r\n",
        ),
        (
            Whole(299, (("x", "caf\xe9"), ("y", "\N{EURO SIGN}"))),
            b"HTTP/1.1 299 \r\nx: caf\xe9\r\ny: ?\r\ndate: Fri, 20 Nov 2026 18:40:00 GMT\r\ncontent-length: 0\r\n\r\n",
        ),
    ],
)
async def test_whole(answer: Whole, written: bytes, start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(answer))
    client = stage.connect()
    client.send(GET)
    arrivals, end = await until_end(client, 1)
    assert ([arrival.data for arrival in arrivals], end) == ([written], "open"), "in one write"


@pytest.mark.parametrize("evil", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\r\n\r\nbody"])
async def test_no_header_can_end_its_line(evil: str, start_stage: StartStage, autojump_clock: MockClock) -> None:
    for headers, fresh in (((("evil", evil),), ()), ((), (("evil", evil),)), (((evil, "value"),), ())):
        for answer in (Whole(200, headers, b"hi", fresh), at_once(fresh=fresh) if fresh else Whole(200, headers)):
            stage = await start_stage(always(answer))
            [response] = await stage.converse(GET)
            assert response.is_complete
            assert not {"evil", "set-cookie", "value"} & response.headers.keys()
            assert not any("value" in value for value in response.headers.values())


async def test_slicing_a_whole_answer(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(Whole(200, (), b"0123456789" * 5, slicing=Slicing(size=7, gap=0.25))))
    client = stage.connect()
    client.send(GET_AND_CLOSE)
    arrivals, end = await until_end(client)
    assert end == "fin"
    assert body_of(arrivals) == b"0123456789" * 5
    assert {len(arrival.data) for arrival in arrivals[:-1]} == {7}
    assert [arrival.time for arrival in arrivals] == [0.25 * number for number in range(len(arrivals))]


# -- streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_bytes", [GET, GET_AND_CLOSE], ids=["keep-alive", "close"])
async def test_a_paced_stream_keeps_its_times(
    request_bytes: bytes, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(stream()))
    client = stage.connect()
    client.send(request_bytes)
    arrivals, end = await until_end(client)
    assert arrivals[0].data.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
    timed = [(arrival.time, arrival.data) for arrival in arrivals[1:]]
    assert timed == [(1.0, CHUNKS[0]), (2.5, CHUNKS[1] + b"0\r\n\r\n")]
    assert arrivals[0].time == 0.0
    assert end == "fin"
    assert trio.current_time() == (2.5 if request_bytes is GET_AND_CLOSE else 77.5), (
        "at once, or once idle for too long"
    )


async def test_an_unpaced_stream_leaves_in_one_write(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(at_once()))
    client = stage.connect()
    client.send(GET)
    arrivals, _ = await until_end(client, 1)
    [arrival] = arrivals
    assert body_of([arrival]) == chunk(b"".join(data for _, data in PIECES)) + b"0\r\n\r\n"


@pytest.mark.parametrize("make", [stream, at_once])
async def test_empty_pieces_do_not_end_a_stream(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(make([(0.0, b""), (0.0, b"a"), (1.0, b""), (1.0, b"b"), (2.0, b"")])))
    [response] = await stage.converse(GET)
    assert (response.body, response.is_complete) == (b"ab", True)


@pytest.mark.parametrize("make", [stream, at_once])
async def test_a_stream_of_nothing(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(make([])))
    [response] = await stage.converse(GET)
    assert (response.body, response.is_complete) == (b"", True)


@pytest.mark.parametrize("make", [stream, at_once])
async def test_http_1_0_gets_a_stream_unchunked(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(make()))
    client = stage.connect()
    client.send(GET_1_0)
    arrivals, end = await until_end(client)
    assert (body_of(arrivals), end) == (b"".join(data for _, data in PIECES), "fin")
    assert b"transfer-encoding" not in arrivals[0].data
    assert b"connection: close" in arrivals[0].data


@pytest.mark.parametrize("make", [stream, at_once])
@pytest.mark.parametrize("ending", [None, Ending.RST, Ending.STALL])
async def test_head_gets_a_streams_headers_alone(
    make: Callable[..., Answer],
    ending: Ending | None,
    start_stage: StartStage,
    read_memory: ReadMemory,
    autojump_clock: MockClock,
) -> None:
    outcomes: list[Outcome] = []
    bad = {} if ending is None or make is at_once else {"ending": ending, "ends_at": 1.0}
    stage = await start_stage(lambda request: make(on_end=outcomes.append, **bad))
    client = stage.connect()
    client.send(HEAD)
    reader = read_memory(client)
    response = await reader.response("HEAD")
    assert (response.status, response.headers["transfer-encoding"], response.body) == (200, "chunked", b"")
    await wait_all_tasks_blocked()
    assert outcomes == [Outcome.DELIVERED]
    client.send(HEAD)
    assert (await reader.response("HEAD")).status == 200


@pytest.mark.parametrize("status", [204, 304])
async def test_a_stream_that_may_have_no_body_has_none(
    status: int, start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    answers: list[Answer] = [Stream(status, (), [(0.0, b"never"), (1.0, b"sent")]), Whole(200, (), b"next")]
    stage = await start_stage(lambda request: answers.pop(0))
    client = stage.connect()
    client.send(GET)
    reader = read_memory(client)
    response = await reader.response()
    assert (response.status, response.body, "transfer-encoding" in response.headers) == (status, b"", False)
    client.send(GET)
    assert (await reader.response()).body == b"next"


async def test_requests_sent_ahead_are_answered_in_order(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """While a stream is played, what a pipelining client sends is kept."""
    answers: list[Answer] = [stream(), Whole(200, (), b"second"), at_once(), stream([(1.0, b"fourth")])]
    stage = await start_stage(lambda request: answers.pop(0))
    responses = await stage.converse(GET + GET[:9], GET[9:] + GET, GET, methods=("GET",) * 4)
    assert [response.body for response in responses] == [
        b"data: a\n\ndata: b\xc3\xbcc\n\n",
        b"second",
        b"data: a\n\ndata: b\xc3\xbcc\n\n",
        b"fourth",
    ]
    assert trio.current_time() == 3.5


async def test_a_client_that_sends_far_ahead_is_not_read_for_ever(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(stream([(100.0, b"a")])))
    client = stage.connect()
    client.send(GET)
    for _ in range(10):
        client.send(b"x" * 65536)
    await wait_all_tasks_blocked()
    unread = sum(len(arrival.data) for arrival in client._outgoing.arrivals)
    assert unread >= 8 * 65536


# -- endings -----------------------------------------------------------------------------------------------------------

BOTH = b"".join(CHUNKS)


@pytest.mark.parametrize(
    ("ending", "ends_at", "body", "end", "time"),
    [
        (Ending.CLEAN, None, BOTH + b"0\r\n\r\n", "open", 2.5),
        (Ending.CLEAN, 1.5, CHUNKS[0] + b"0\r\n\r\n", "open", 1.5),
        (Ending.CLEAN, 4.0, BOTH + b"0\r\n\r\n", "open", 4.0),
        (Ending.FIN, None, BOTH, "fin", 2.5),
        (Ending.FIN, 1.5, CHUNKS[0], "fin", 1.5),
        (Ending.FIN, 1.0, CHUNKS[0], "fin", 1.0),
        (Ending.FIN, 0.5, b"", "fin", 0.5),
        (Ending.FIN, 4.0, BOTH, "fin", 4.0),
        (Ending.FIN_MID_CHUNK, None, CHUNKS[0] + b"c\r\ndata: ", "fin", 2.5),
        (Ending.FIN_MID_CHUNK, 1.5, b"9\r\ndata:", "fin", 1.5),
        (Ending.RST, 4.0, BOTH, "reset", 4.0),
        (Ending.RST, 1.5, CHUNKS[0], "reset", 1.5),
        (Ending.STALL, None, BOTH, "open", None),
        (Ending.STALL, 1.5, CHUNKS[0], "open", None),
    ],
)
async def test_endings(
    ending: Ending,
    ends_at: float | None,
    body: bytes,
    end: str,
    time: float | None,
    start_stage: StartStage,
    autojump_clock: MockClock,
) -> None:
    """Each ending in its way and at its time; the handler hears the same of all, since all went as planned."""
    outcomes: list[Outcome] = []
    stage = await start_stage(always(stream(ending=ending, ends_at=ends_at, on_end=outcomes.append)), idle_timeout=1e6)
    client = stage.connect()
    client.send(GET)
    arrivals, seen = await until_end(client)
    if ending is Ending.FIN_MID_CHUNK:
        written = body_of(arrivals)
        assert body.startswith(written[: len(body) - 2])
        assert len(written) < len(b"".join(CHUNKS[: 2 if ends_at is None else 1]))
    else:
        assert body_of(arrivals) == body
    assert seen == end
    assert outcomes == [Outcome.DELIVERED]
    if end == "open":
        if ending is Ending.CLEAN:
            assert arrivals[-1].time == time
        client.finish()
        assert await until_end(client) == ([], "fin")
    else:
        assert trio.current_time() == time
        client.finish()
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.FIN_MID_CHUNK, Ending.STALL])
async def test_a_stream_without_pauses_may_end_badly_too(
    ending: Ending, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    pieces = [(0.0, data) for _, data in PIECES]
    stage = await start_stage(always(stream(pieces, ending=ending, on_end=outcomes.append)))
    client = stage.connect()
    client.send(GET)
    arrivals, end = await until_end(client)
    assert end == ("open" if ending is Ending.STALL else "fin")
    whole_chunks = BOTH if ending is not Ending.FIN_MID_CHUNK else CHUNKS[0]
    assert body_of(arrivals).startswith(whole_chunks)
    assert len(body_of(arrivals)) < len(BOTH) or ending is not Ending.FIN_MID_CHUNK
    assert outcomes == [Outcome.DELIVERED]


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        (Ending.CLEAN, "fin"),
        (Ending.FIN, "fin"),
        (Ending.FIN_MID_CHUNK, "fin"),
        (Ending.RST, "reset"),
        (Ending.STALL, "open"),
    ],
)
async def test_cut_before_the_first_byte(
    ending: Ending, end: str, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(Cut(ending)))
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == ([], end)


async def test_a_stalled_connection_ends_when_the_client_leaves(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(Cut(Ending.STALL)))
    for leave in ("finish", "leave"):
        client = stage.connect()
        client.send(GET)
        await trio.sleep(10_000)
        assert stage.server.connections == 1
        getattr(client, leave)()
        await wait_all_tasks_blocked()
        assert stage.server.connections == 0


async def test_after_our_fin_the_client_has_a_while_to_read(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(linger=2)
    client = stage.connect()
    client.send(GET_AND_CLOSE)
    arrivals, end = await until_end(client)
    assert (len(arrivals), end) == (1, "fin")
    client.send(b"more, which nobody reads")
    await trio.sleep(1.9)
    assert stage.server.connections == 1
    await trio.sleep(0.2)
    assert stage.server.connections == 0


# -- slicing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("make", [stream, at_once])
async def test_slicing_a_stream(
    make: Callable[..., Answer], size: int, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """The bytes stay the same, wherever they are cut, inside a character too; none comes before its time."""
    stage = await start_stage(always(make(slicing=Slicing(size, gap=0.01))))
    client = stage.connect()
    client.send(GET_AND_CLOSE)
    arrivals, end = await until_end(client)
    chunks = BOTH if make is stream else chunk(b"".join(data for _, data in PIECES))
    assert (body_of(arrivals), end) == (chunks + b"0\r\n\r\n", "fin")
    assert max(len(arrival.data) for arrival in arrivals) <= max(size, len(arrivals[0].data) if size == 1000 else 0)
    gaps = [later.time - earlier.time for earlier, later in itertools.pairwise(arrivals)]
    assert min(gaps, default=1) >= 0.01 - 1e-9
    if make is stream:
        written = b""
        for arrival in arrivals:
            written += arrival.data
            if CHUNKS[0][:1] in written.partition(b"\r\n\r\n")[2]:
                assert arrival.time >= 1.0
            if b"b\xc3" in written:
                assert arrival.time >= 2.5
    if size == 1:
        assert [arrival.data for arrival in arrivals].count(b"\xc3") == 1, "cut inside a character"
        within = [gap for gap in gaps if gap < 0.5]
        assert within == pytest.approx([0.01] * len(within))


async def test_slicing_with_an_ending(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(stream(ending=Ending.FIN, ends_at=2.0, slicing=Slicing(5, 0.125))))
    client = stage.connect()
    client.send(GET)
    arrivals, end = await until_end(client)
    opening = sum(len(arrival.data) for arrival in arrivals) - len(CHUNKS[0])
    slices = -(-opening // 5) + -(-len(CHUNKS[0]) // 5)
    assert len(arrivals) == slices
    assert (body_of(arrivals), end) == (CHUNKS[0], "fin")


@pytest.mark.parametrize("make", [stream, at_once])
async def test_slices_are_not_joined_though_no_time_is_between_them(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(make(slicing=Slicing(4, gap=0.0))))
    client = stage.connect()
    client.send(GET_AND_CLOSE)
    arrivals, _ = await until_end(client)
    assert max(len(arrival.data) for arrival in arrivals) == 4
    assert body_of(arrivals).endswith(b"0\r\n\r\n")


# -- outcomes ----------------------------------------------------------------------------------------------------------


@attrs.define
class Broken(Exception):
    """What a handler's iterator may raise."""


def broken_after(pieces: int) -> Iterator[tuple[float, bytes]]:
    for number in range(pieces):
        yield number / 10, b"x" * 10
    raise Broken


def ticking() -> Iterator[tuple[float, bytes]]:
    number = 0
    while True:
        yield float(number), b"tick"
        number += 1


@pytest.mark.parametrize("leave", ["finish", "leave"])
async def test_the_handler_hears_that_a_client_left_a_paced_stream(
    leave: str, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    stage = await start_stage(always(stream(ticking(), on_end=outcomes.append)))
    client = stage.connect()
    client.send(GET)
    await trio.sleep(10.5)
    assert outcomes == []
    getattr(client, leave)()
    await wait_all_tasks_blocked()
    assert (outcomes, stage.server.connections, trio.current_time()) == ([Outcome.CLIENT_LEFT], 0, 10.5)


async def test_a_stream_that_nobody_reads_any_more_is_not_computed_further(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    computed = 0

    def counted() -> Iterator[tuple[float, bytes]]:
        nonlocal computed
        for piece in ticking():
            computed += 1
            yield piece

    stage = await start_stage(always(stream(counted())))
    client = stage.connect()
    client.send(GET)
    await trio.sleep(3.5)
    client.leave()
    before = computed
    await trio.sleep(10)
    assert computed == before


@pytest.mark.parametrize("make", [stream, at_once])
async def test_the_handler_hears_that_a_client_left_while_it_read_too_slowly(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    stage = await start_stage(always(make([(0.0, b"x" * 1000)] * 200, on_end=outcomes.append)))
    client = stage.connect(capacity=5000)
    client.send(GET)
    for _ in range(5):
        await client.receive()
    await wait_all_tasks_blocked()
    assert outcomes == []
    client.leave()
    await wait_all_tasks_blocked()
    assert (outcomes, stage.server.connections) == ([Outcome.CLIENT_LEFT], 0)


@pytest.mark.parametrize("make", [stream, at_once])
async def test_the_handler_hears_that_a_client_stopped_reading(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    pieces = [(0.0, b"x" * 1000)] * 200
    stage = await start_stage(always(make(pieces, on_end=outcomes.append)), write_timeout=120)
    client = stage.connect(capacity=5000)
    client.send(GET)
    await trio.sleep(119)
    assert (outcomes, stage.server.connections) == ([], 1)
    await trio.sleep(2)
    assert (outcomes, stage.server.connections) == ([Outcome.STOPPED], 0)


async def test_a_whole_answer_that_nobody_reads_is_given_up(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(Whole(200, (), b"x" * 100_000)), write_timeout=120)
    client = stage.connect(capacity=5000)
    client.send(GET)
    await trio.sleep(119)
    assert stage.server.connections == 1
    await trio.sleep(2)
    assert stage.server.connections == 0


async def test_a_reader_that_is_slow_but_steady_is_not_given_up(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(Whole(200, (), b"x" * 20_000)), write_timeout=120)
    client = stage.connect(capacity=2000)
    client.send(GET)
    received = b""
    while not received.endswith(b"x" * 20_000):
        await trio.sleep(119)
        arrival = await client.receive()
        assert arrival is not None
        received += arrival.data
    assert trio.current_time() > 1000


@pytest.mark.parametrize("make", [stream, at_once, lambda **more: stream(slicing=Slicing(3), **more)])
async def test_the_handler_hears_that_a_stream_was_delivered(
    make: Callable[..., Answer], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    stage = await start_stage(always(make(on_end=outcomes.append)))
    [response] = await stage.converse(GET)
    assert response.is_complete
    await trio.sleep(1000)
    assert outcomes == [Outcome.DELIVERED]


@pytest.mark.parametrize("make", [stream, at_once, lambda **more: stream(slicing=Slicing(3), **more)])
@pytest.mark.parametrize("leave", ["finish", "leave"])
async def test_leaving_right_after_the_last_byte_is_no_interruption(
    make: Callable[..., Answer], leave: str, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """field 2.36"""
    outcomes: list[Outcome] = []
    stage = await start_stage(always(make(on_end=outcomes.append)))
    client = stage.connect()
    client.send(GET)
    await client.receive_until(b"\r\n0\r\n\r\n")
    getattr(client, leave)()
    await wait_all_tasks_blocked()
    assert (outcomes, stage.server.connections) == ([Outcome.DELIVERED], 0)


@pytest.mark.parametrize("pieces", [0, 1, 3])
async def test_a_stream_whose_source_fails_is_cut(
    pieces: int, start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees that it is not whole, the handler that it was stopped, and nobody else anything."""
    outcomes: list[Outcome] = []
    answers: list[Answer] = [
        stream(broken_after(pieces), on_end=outcomes.append),
        Whole(200, (), b"next"),
    ]
    stage = await start_stage(lambda request: answers.pop(0))
    [response] = await stage.converse(GET)
    assert not response.is_complete
    assert outcomes == [Outcome.STOPPED]
    assert stage.server.connections == 0
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Broken]
    [response] = await stage.converse(GET)
    assert response.body == b"next"


@pytest.mark.parametrize("capacity", [None, 100])
@pytest.mark.parametrize("make", [stream, at_once])
async def test_the_handler_hears_that_the_server_ended_first(
    make: Callable[..., Answer], capacity: int | None, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    pieces = [(100.0, b"x" * 1000)]
    stage = await start_stage(always(make(pieces, on_end=outcomes.append)))
    client = stage.connect(capacity)
    client.send(GET)
    await trio.sleep(5)
    await stage.server.shut_down(grace=3)
    await stage.server.ended.wait()
    ended_first = make is stream or capacity is not None
    expected = (Outcome.STOPPED, 8) if ended_first else (Outcome.DELIVERED, 5)
    assert ([expected[0]], expected[1]) == (outcomes, trio.current_time())


# -- large, and slow readers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [None, 1, 100, 5000, 1 << 20])
@pytest.mark.parametrize("make", [stream, at_once])
async def test_a_large_stream_and_a_slow_reader(
    make: Callable[..., Answer],
    capacity: int | None,
    start_stage: StartStage,
    read_memory: ReadMemory,
    autojump_clock: MockClock,
) -> None:
    size = 3000 if capacity == 1 else 300_000
    pieces = [(0.0, b"%06d" % number) for number in range(0, size, 6)]
    stage = await start_stage(always(make(iter(pieces))))
    client = stage.connect(capacity=capacity)
    client.send(GET_AND_CLOSE)
    response = await read_memory(client).response()
    assert response.is_complete
    assert response.body == b"".join(data for _, data in pieces)


async def test_an_endless_stream_is_computed_as_it_is_read(start_stage: StartStage, autojump_clock: MockClock) -> None:
    computed = 0

    def endless() -> Iterator[tuple[float, bytes]]:
        nonlocal computed
        while True:
            computed += 1
            yield 0.0, b"x" * 1024

    stage = await start_stage(always(stream(endless())))
    client = stage.connect(capacity=4096)
    client.send(GET)
    await wait_all_tasks_blocked()
    assert computed < 200
    read = 0
    while read < 1 << 20:
        arrival = await client.receive()
        assert arrival is not None
        read += len(arrival.data)
    assert 900 < computed < 1300


# -- tasks -------------------------------------------------------------------------------------------------------------


def after(seconds: float, answer: Answer) -> Task:
    async def run() -> Answer:
        await trio.sleep(seconds)
        return answer

    return Task(run)


@pytest.mark.parametrize(
    ("answer", "body", "time"),
    [
        (after(5, Whole(200, (), b"whole")), b"whole", 5.0),
        (after(0, Whole(200, (), b"whole")), b"whole", 0.0),
        (after(5, at_once([(0, b"stream")])), b"stream", 5.0),
        (after(5, stream([(1.0, b"stream")])), b"stream", 6.0),
        (after(1, after(2, after(3, Whole(200, (), b"nested")))), b"nested", 6.0),
    ],
)
async def test_a_task_is_waited_for(
    answer: Task, body: bytes, time: float, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(always(answer))
    [response] = await stage.converse(GET)
    assert (response.body, response.is_complete, trio.current_time()) == (body, True, time)


async def test_a_task_may_end_in_a_cut(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(always(after(1, Cut(Ending.RST))))
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == ([], "reset")


async def test_requests_sent_ahead_of_a_task_are_kept(start_stage: StartStage, autojump_clock: MockClock) -> None:
    answers: list[Answer] = [after(1, Whole(200, (), b"first")), after(1, Whole(200, (), b"second"))]
    stage = await start_stage(lambda request: answers.pop(0))
    first, second = await stage.converse(GET, GET, methods=("GET", "GET"))
    assert (first.body, second.body) == (b"first", b"second")


@pytest.mark.parametrize("leave", ["finish", "leave"])
@pytest.mark.parametrize("depth", [1, 2])
async def test_the_clients_leaving_cancels_a_task(
    leave: str, depth: int, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    ended: list[str] = []

    async def run() -> Answer:
        try:
            await trio.sleep(1000)
        except trio.Cancelled:
            ended.append("cancelled")
            raise
        ended.append("done")
        return Whole(200, ())

    answer = Task(run)
    if depth == 2:
        answer = after(1, answer)
    stage = await start_stage(always(answer))
    client = stage.connect()
    client.send(GET)
    await trio.sleep(5)
    getattr(client, leave)()
    await wait_all_tasks_blocked()
    assert (ended, stage.server.connections, trio.current_time()) == (["cancelled"], 0, 5.0)


async def test_a_task_that_fails_ends_its_connection_only(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> Answer:
        raise Broken

    answers: list[Answer] = [Task(run), Whole(200, (), b"next")]
    stage = await start_stage(lambda request: answers.pop(0))
    client = stage.connect()
    client.send(GET)
    assert await until_end(client) == ([], "fin")
    assert len(caplog.records) == 1
    [response] = await stage.converse(GET)
    assert response.body == b"next"

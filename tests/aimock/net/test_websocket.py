"""A WebSocket's life: pings, closing handshakes, a slow reader, a shutdown, and its steps at their times."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

from aimock.net import memory
from aimock.net.dialogue import Break, Close, Play, Raw, Send, Step, Stop, Wait
from aimock.net.exchange import Ending, Outcome, Upgrade
from aimock.net.memory import Heard, MemoryWebSocket
from aimock.net.transport import PeerGone
from dialogues import ACCEPTED, CLOSE, HANDSHAKE, PING, TEXT, Talk, client_frame

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Stage, StartStage

DELIVERED, STOPPED, CLIENT_LEFT = Outcome.DELIVERED, Outcome.STOPPED, Outcome.CLIENT_LEFT


class Ends:
    """How plays ended, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Outcome, int]] = []

    def __call__(self, outcome: Outcome, sent: int) -> Iterable[Step]:
        self.told.append((outcome, sent))
        return ()


async def everything(socket: MemoryWebSocket) -> list[tuple[float, Event | str]]:
    """All that the client hears, texts as such; it answers a close frame. The last is the manner of the end."""
    heard: list[tuple[float, Event | str]] = []
    while True:
        try:
            one = await socket.receive()
        except PeerGone:
            return [*heard, (trio.current_time(), "RST")]
        if one is None:
            return [*heard, (trio.current_time(), "FIN")]
        event = one.event
        heard.append((one.time, event.data if isinstance(event, TextMessage) else event))
        if isinstance(event, CloseConnection) and socket._protocol.state.name == "REMOTE_CLOSING":
            socket.send(event.response())


async def conversation(stage: Stage) -> list[tuple[float, Event | str]]:
    return await everything(await memory.open_websocket(stage.server))


def closed(code: int, reason: str | None = "") -> CloseConnection:
    return CloseConnection(code, reason)


# -- plays -------------------------------------------------------------------------------------------------------------


async def test_every_message_at_its_time(start_stage: StartStage, autojump_clock: MockClock) -> None:
    ends = Ends()
    schedule = [(0.0, b"a"), (0.25, b"b"), (0.250001, b"c"), (60.0, b"d"), (3600.0, b"e")]
    talk = Talk(greet=lambda: [Play(schedule, ends)])
    stage = await start_stage(talk.answers, ping_interval=1e6, pong_timeout=1e6)
    await trio.sleep(3)
    socket = await memory.open_websocket(stage.server)
    heard = [await socket.receive() for _ in schedule]
    assert heard == [Heard(3 + offset, TextMessage(data.decode())) for offset, data in schedule]
    assert ends.told == [(DELIVERED, 5)]
    assert talk.outcomes == [], "the connection lives on"


async def test_many_plays_at_once(start_stage: StartStage, autojump_clock: MockClock) -> None:
    ends = Ends()
    plays = [[(0.5 + number / 100 + at / 10, b"%d.%d" % (number, at)) for at in range(20)] for number in range(5)]
    talk = Talk(greet=lambda: [Play(schedule, ends) for schedule in plays])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    heard = [await socket.receive() for _ in range(100)]
    assert heard == [Heard(at, TextMessage(data.decode())) for at, data in sorted(itertools.chain(*plays))]
    assert ends.told == [(DELIVERED, 20)] * 5


async def test_messages_of_one_moment_leave_in_one_write(start_stage: StartStage, autojump_clock: MockClock) -> None:
    talk = Talk(greet=lambda: [Play([(0, b"a"), (0, b"b"), (1, b"c"), (1, b"d")], Ends())])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(2)
    assert [(arrival.time, arrival.data) for arrival in client._incoming.arrivals] == [
        (0, ACCEPTED),
        (0, b"\x81\x01a\x81\x01b"),
        (1, b"\x81\x01c\x81\x01d"),
    ]


async def test_times_count_from_what_is_answered(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """What it costs to make a play, and what waits beside it, delays nothing."""
    clock = autojump_clock

    def slowly() -> Iterator[tuple[float, bytes]]:
        clock.jump(0.2)  # computing takes time
        yield 1.0, b"one"
        yield 2.0, b"two"

    talk = Talk(lambda message: [Play(slowly(), Ends())])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("go")
    assert [await socket.receive() for _ in range(2)] == [
        Heard(1.0, TextMessage("one")),
        Heard(2.0, TextMessage("two")),
    ]


async def test_what_follows_a_play(start_stage: StartStage, autojump_clock: MockClock) -> None:
    def then(outcome: Outcome, sent: int) -> Iterator[Step]:
        yield Send(b"%d done" % sent)
        yield Play([(1.0, b"next")], lambda outcome, sent: [Close(1000, "bye")])

    talk = Talk(greet=lambda: [Play([(1.0, b"a"), (2.0, b"b")], then)])
    stage = await start_stage(talk.answers)
    assert await conversation(stage) == [
        (1.0, "a"), (2.0, "b"), (2.0, "2 done"), (3.0, "next"), (3.0, closed(1000, "bye")), (3.0, "FIN"),
    ]  # fmt: skip
    assert talk.outcomes == [DELIVERED, DELIVERED]


async def test_an_empty_play_is_over_at_once(start_stage: StartStage, autojump_clock: MockClock) -> None:
    told: list[int] = []

    def again(outcome: Outcome, sent: int) -> Iterator[Step]:
        told.append(sent)
        yield Play([], again) if len(told) < 5_000 else Close(1000)

    stage = await start_stage(Talk(greet=lambda: [Play([], again)]).answers)
    assert await conversation(stage) == [(0.0, closed(1000)), (0.0, "FIN")]
    assert told == [0] * 5_000


async def test_a_message_comes_after_what_was_due_before_it(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """wire-websocket-framing §3: whatever the pacer has not come to yet."""
    late = [(0.5, b"a1"), (1.5, b"a2")], [(0.75, b"b1"), (9.0, b"b2")]

    def reply(message: str | bytes) -> Iterator[Step]:
        autojump_clock.jump(1)  # the loop was busy with something else
        yield Send(b"now")

    talk = Talk(reply, greet=lambda: [Play(schedule, Ends()) for schedule in late])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("go")
    heard = [await socket.receive() for _ in range(5)]
    assert [(one.time, one.event.data) for one in heard if one is not None] == [
        (1, "a1"), (1, "b1"), (1, "now"), (1.5, "a2"), (9, "b2"),
    ]  # fmt: skip


async def test_stopping_a_play(start_stage: StartStage, autojump_clock: MockClock) -> None:
    ends = Ends()
    play = Play([(at / 10, b"%d" % at) for at in range(100)], lambda *told: [*ends(*told), Send(b"stopped")])
    talk = Talk(lambda message: [Stop(play), Stop(play), Send(b"really")], greet=lambda: [play])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    await trio.sleep(0.25)
    socket.say("stop")
    heard = [await socket.receive() for _ in range(5)]
    assert [(one.time, one.event.data) for one in heard if one is not None] == [
        (0, "0"), (0.1, "1"), (0.2, "2"), (0.25, "stopped"), (0.25, "really"),
    ]  # fmt: skip
    assert ends.told == [(STOPPED, 3)]
    await trio.sleep(20)
    assert not socket.connection._incoming.arrivals


async def test_what_is_over_cannot_be_stopped(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """Even if nobody has been told yet."""
    ends = Ends()
    play = Play([(0.5, b"all")], ends)

    def reply(message: str | bytes) -> Iterator[Step]:
        autojump_clock.jump(1)
        yield Stop(play)

    stage = await start_stage(Talk(reply, greet=lambda: [play]).answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("stop")
    assert await socket.receive() == Heard(1, TextMessage("all"))
    assert ends.told == [(DELIVERED, 1)]


def failing_later() -> Iterator[tuple[float, bytes]]:
    yield 0.5, b"a"
    raise ValueError("oh")


@pytest.mark.parametrize(
    ("first", "end", "told"),
    [
        (Play([(0.5, b"a")], Ends(), Ending.FIN), [], (STOPPED, 0)),
        (Play([(0.5, b"a")], lambda outcome, sent: [Close(1000)]), ["b", closed(1000)], (DELIVERED, 1)),
        (Play(failing_later(), Ends()), [closed(1011, "Internal error")], (STOPPED, 0)),
    ],
    ids=["FIN", "close", "failure"],
)
async def test_nothing_comes_after_an_end_that_is_late(
    first: Play,
    end: list[Event | str],
    told: tuple[Outcome, int],
    start_stage: StartStage,
    autojump_clock: MockClock,
) -> None:
    """Of plays and messages that are due when the first of them ends the connection. What is due before a close frame
    is said before it; a connection that breaks is broken."""
    other = Ends()

    def reply(message: str | bytes) -> Iterator[Step]:
        autojump_clock.jump(1)
        yield Send(b"never")
        yield Play([(0, b"never")], Ends())

    talk = Talk(reply, greet=lambda: [first, Play([(0.6, b"b")], other)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("go")
    assert [said for _, said in await everything(socket)] == ["a", *end, "FIN"]
    assert other.told == [told]


ENDINGS: dict[str, tuple[Ending, float | None, list[tuple[float, str | bytes]]]] = {
    "FIN": (Ending.FIN, None, [(1, b"\x81\x03one"), (2, b"\x81\x05three"), (2, "FIN")]),
    "FIN before the end": (Ending.FIN, 1.5, [(1, b"\x81\x03one"), (1.5, "FIN")]),
    "FIN after the end": (Ending.FIN, 5, [(1, b"\x81\x03one"), (2, b"\x81\x05three"), (5, "FIN")]),
    "FIN within": (Ending.FIN_MID_CHUNK, None, [(1, b"\x81\x03one"), (2, b"\x81\x05th"), (2, "FIN")]),
    "FIN within, later": (Ending.FIN_MID_CHUNK, 5, [(1, b"\x81\x03one"), (2, b"\x81\x05th"), (5, "FIN")]),
    "FIN within, before": (Ending.FIN_MID_CHUNK, 1.5, [(1, b"\x81\x03o"), (1.5, "FIN")]),
    "RST": (Ending.RST, None, [(1, b"\x81\x03one"), (2, b"\x81\x05three"), (2, "RST")]),
    "RST before the end": (Ending.RST, 1.5, [(1, b"\x81\x03one"), (1.5, "RST")]),
    "stall": (Ending.STALL, None, [(1, b"\x81\x03one"), (2, b"\x81\x05three"), (1000, "silence")]),
}


@pytest.mark.parametrize(("ending", "ends_at", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_how_a_play_ends(
    ending: Ending,
    ends_at: float | None,
    expected: list[tuple[float, str | bytes]],
    start_stage: StartStage,
    autojump_clock: MockClock,
) -> None:
    ends, other = Ends(), Ends()
    plays = [
        Play([(1, b"one"), (2, b"three")], lambda *told: [*ends(*told), Send(b"never")], ending, ends_at),
        Play([(900, b"never")], other),
    ]
    talk = Talk(greet=lambda: plays)
    stage = await start_stage(talk.answers, pong_timeout=1e6, ping_interval=1e6)
    client = stage.connect()
    client.send(HANDSHAKE)
    got: list[tuple[float, str | bytes]] = []
    with trio.move_on_at(1000) as patience:
        try:
            while (arrival := await client.receive()) is not None:
                got.append((arrival.time, arrival.data))
            got.append((trio.current_time(), "FIN"))
        except PeerGone:
            got.append((trio.current_time(), "RST"))
    if patience.cancelled_caught:
        got.append((trio.current_time(), "silence"))
    assert got[1:] == expected
    whole = sum(isinstance(data, bytes) and len(data) == data[1] + 2 for _, data in expected)
    assert ends.told == [(DELIVERED, whole)]
    assert other.told == [(STOPPED, 0)]
    assert talk.outcomes == [DELIVERED, DELIVERED]
    client.leave()
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_a_clean_end_of_its_own_time(start_stage: StartStage, autojump_clock: MockClock) -> None:
    play = Play([(1, b"one"), (2, b"two")], lambda outcome, sent: [Send(b"%d" % sent), Close(1000)], ends_at=1.5)
    stage = await start_stage(Talk(greet=lambda: [play]).answers)
    assert await conversation(stage) == [(1, "one"), (1.5, "1"), (1.5, closed(1000)), (1.5, "FIN")]


# -- other steps -------------------------------------------------------------------------------------------------------


async def test_steps_are_taken_in_turn(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """What follows from a step comes before the next."""

    async def waited() -> Iterable[Step]:
        return [Send(b"never")]

    wait = Wait(waited, lambda: [Send(b"2"), Stop(play), Send(b"5")])
    play = Play([(1, b"never")], lambda outcome, sent: [Send(b"3"), Send(b"4")])
    talk = Talk(greet=lambda: [Send(b"1"), wait, play, Stop(wait), Send(b"6"), Close(4000)])
    stage = await start_stage(talk.answers)
    heard = await conversation(stage)
    assert [data for _, data in heard] == [*"123456", closed(4000), "FIN"]


async def test_waiting(start_stage: StartStage, autojump_clock: MockClock) -> None:
    async def late() -> Iterable[Step]:
        await trio.sleep(5)
        return [Send(b"late"), Close(1000)]

    def reply(message: str | bytes) -> Iterable[Step]:
        return [Send(f"heard {message!r}".encode())]

    talk = Talk(reply, greet=lambda: [Wait(late, tuple)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    await trio.sleep(1)
    socket.say("meanwhile")
    assert await everything(socket) == [(1, "heard 'meanwhile'"), (5, "late"), (5, closed(1000)), (5, "FIN")]


async def test_a_wait_that_is_stopped(start_stage: StartStage, autojump_clock: MockClock) -> None:
    cancelled: list[float] = []

    async def late() -> Iterable[Step]:
        try:
            await trio.sleep(5)
        finally:
            cancelled.append(trio.current_time())
        return [Send(b"never")]

    wait = Wait(late, lambda: [Send(b"stopped")])
    stage = await start_stage(Talk(lambda message: [Stop(wait), Stop(wait)], greet=lambda: [wait]).answers)
    socket = await memory.open_websocket(stage.server)
    await trio.sleep(1)
    socket.say("stop")
    assert await socket.receive() == Heard(1, TextMessage("stopped"))
    await trio.sleep(10)
    assert cancelled == [1]
    assert not socket.connection._incoming.arrivals


@pytest.mark.parametrize("end", [Close(1000), Break(Ending.FIN)])
async def test_the_end_stops_everything(end: Step, start_stage: StartStage, autojump_clock: MockClock) -> None:
    cancelled: list[float] = []
    stops: list[str] = []
    ends = Ends()

    async def late() -> Iterable[Step]:
        try:
            await trio.sleep(5)
        finally:
            cancelled.append(trio.current_time())
        return [Send(b"never")]

    def on_end(outcome: Outcome, sent: int) -> Iterator[Step]:
        ends(outcome, sent)
        yield Send(b"never")

    steps = [Wait(late, lambda: stops.append("never") or ()), Play([(0, b"a"), (2, b"never")], on_end)]
    talk = Talk(lambda message: [end, Send(b"never")], greet=lambda: steps)
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    await trio.sleep(1)
    socket.say("end")
    expected = [(0, "a"), (1, closed(1000)), (1, "FIN")] if isinstance(end, Close) else [(0, "a"), (1, "FIN")]
    assert await everything(socket) == expected
    assert (cancelled, stops, ends.told) == ([1], [], [(STOPPED, 1)])
    assert talk.outcomes == [DELIVERED, DELIVERED]


@pytest.mark.parametrize(
    ("ending", "manner"), [(Ending.FIN, "FIN"), (Ending.FIN_MID_CHUNK, "FIN"), (Ending.RST, "RST")]
)
async def test_breaking_off(ending: Ending, manner: str, start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(Talk(greet=lambda: [Send(b"said"), Break(ending)]).answers)
    assert await conversation(stage) == [(0, "said"), (0, manner)]


async def test_raw_bytes(start_stage: StartStage, autojump_clock: MockClock) -> None:
    masked = client_frame(TEXT, b"masked")
    stage = await start_stage(Talk(greet=lambda: [Send(b"a"), Raw(masked), Raw(b"\x88\x02\x03\xee")]).answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(1)
    data = b"".join(arrival.data for arrival in client._incoming.arrivals)
    assert data == ACCEPTED + b"\x81\x01a" + masked + b"\x88\x02\x03\xee"


@pytest.mark.parametrize("is_binary", [False, True])
async def test_kinds_of_frames(is_binary: bool, start_stage: StartStage, autojump_clock: MockClock) -> None:
    talk = Talk(greet=lambda: [Send(b"1"), Send(b"2", True), Send(b"3", False), Play([(1, b"4")], Ends())])
    stage = await start_stage(lambda request: Upgrade(lambda: talk, is_binary=is_binary))
    socket = await memory.open_websocket(stage.server)
    usual = (lambda text: BytesMessage(text.encode())) if is_binary else TextMessage
    events = [heard.event for _ in range(4) if (heard := await socket.receive()) is not None]
    assert events == [usual("1"), BytesMessage(b"2"), TextMessage("3"), usual("4")]


async def test_both_kinds_are_received(start_stage: StartStage, autojump_clock: MockClock) -> None:
    talk = Talk()
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    socket.say("text")
    socket.say(b"bytes")
    await wait_all_tasks_blocked()
    assert talk.heard == ["text", b"bytes"]


@pytest.mark.parametrize("extensions", [[], [PerMessageDeflate()]], ids=["plain", "compressed"])
async def test_a_message_of_twenty_megabytes(
    extensions: list[PerMessageDeflate], start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """wire-websocket-framing §5: fifteen of audio, in base64."""
    message = "0123456789abcdef" * (20 << 16)
    talk = Talk(lambda message: [Send(message.encode())] if isinstance(message, str) else [])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, extensions=extensions)
    socket.say(message)
    heard = await socket.receive()
    assert heard is not None
    assert heard.event == TextMessage(message)


# -- dialogues at fault ------------------------------------------------------------------------------------------------


def bad_schedule() -> Iterator[tuple[float, bytes]]:
    yield 0.0, b"good"
    raise ValueError("oh")


async def bad_wait() -> Iterable[Step]:
    raise ValueError("oh")


def raising(*_: object) -> Iterable[Step]:
    raise ValueError("oh")


def raising_later(*_: object) -> Iterator[Step]:
    yield Send(b"good")
    raise ValueError("oh")


FAULTS: dict[str, Callable[[], Iterable[Step]]] = {
    "at once": raising,
    "later": raising_later,
    "in a schedule": lambda: [Play(bad_schedule(), Ends())],
    "in a message": lambda: [Play([(0.0, b"good"), (0.0, "text")], Ends())],  # type: ignore[list-item]
    "at a play's end": lambda: [Play([], raising)],
    "after a play's end": lambda: [Play([], raising_later)],
    "in a wait": lambda: [Wait(bad_wait, tuple)],
    "at a stop": lambda: [wait := Wait(bad_wait, raising), Stop(wait)],
    "in a step": lambda: [Send("text")],  # type: ignore[arg-type]
}


@pytest.mark.parametrize("greet", FAULTS.values(), ids=FAULTS)
async def test_a_dialogue_that_fails(
    greet: Callable[[], Iterable[Step]],
    start_stage: StartStage,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, the client is told, and what was said before is heard."""
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(9.0, b"never")], ends), *greet()])
    stage = await start_stage(talk.answers)
    *said, told, end = await conversation(stage)
    assert said in ([], [(0, "good")])
    assert (told, end) == ((0, closed(1011, "Internal error")), (0, "FIN"))
    assert ends.told in ([(STOPPED, 0)], []), "if it was begun"
    assert talk.outcomes == [DELIVERED, DELIVERED]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert stage.server.pacer._heap == [] or stage.server.pacer._stale


async def test_a_dialogue_that_fails_at_its_end(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad(Talk):
        def ended(self, outcome: Outcome) -> None:
            raise ValueError("oh")

    talk = Bad(greet=lambda: [Play([(1.0, b"never")], raising), Close(1000)])
    stage = await start_stage(talk.answers)
    assert await conversation(stage) == [(0, closed(1000)), (0, "FIN")]
    assert len(caplog.records) == 2
    assert talk.outcomes == [DELIVERED], "of the upgrade"


# -- pings -------------------------------------------------------------------------------------------------------------


async def test_pings_are_answered_while_something_is_played(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """wire-websocket-framing §6"""

    async def long() -> Iterable[Step]:
        await trio.sleep(5)
        return ()

    talk = Talk(greet=lambda: [Play([(1, b"a"), (5, b"b")], Ends()), Wait(long, tuple)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    for seconds in (0.5, 1.5, 2.0):
        await trio.sleep_until(seconds)
        socket.send(Ping(b"%f" % seconds))
    heard = [await socket.receive() for _ in range(5)]
    assert heard == [
        Heard(0.5, Pong(b"0.500000")),
        Heard(1, TextMessage("a")),
        Heard(1.5, Pong(b"1.500000")),
        Heard(2.0, Pong(b"2.000000")),
        Heard(5, TextMessage("b")),
    ]


async def test_a_silent_peer_is_asked_and_then_given_up(start_stage: StartStage, autojump_clock: MockClock) -> None:
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(1000, b"never")], ends)])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    arrivals = await client.receive_all()
    assert [(arrival.time, arrival.data) for arrival in arrivals[1:]] == [
        (30 * count, bytes((PING, 0))) for count in range(1, 10)
    ]
    assert trio.current_time() == 300
    assert (talk.outcomes, ends.told) == ([CLIENT_LEFT] * 2, [(CLIENT_LEFT, 0)])


async def test_a_peer_that_answers_pings_stays(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """And one that says something of its own is not asked."""
    talk = Talk()
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server)
    for at in range(1, 21):
        heard = await socket.receive()
        assert heard == Heard(30 * at, Ping(b""))
        socket.send(Ping(b"").response())
    for at in range(610, 1000, 10):
        await trio.sleep_until(at)
        socket.send(Pong(b"unsolicited"))
    assert not socket.connection._incoming.arrivals
    assert talk.outcomes == []


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (client_frame(CLOSE), b"\x88\x00"),
        (client_frame(CLOSE, b"\x03\xe8"), b"\x88\x02\x03\xe8"),
        (client_frame(CLOSE, b"\x0f\xa0bye"), b"\x88\x05\x0f\xa0bye"),
    ],
)
async def test_the_client_closes(
    said: bytes, answered: bytes, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """RFC 6455 5.5.1: it is answered with its own code, and the server ends the connection."""
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(0, b"a"), (1, b"b")], lambda *told: [*ends(*told), Send(b"never")])])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(0.5)
    client.send(client_frame(TEXT, b"last") + said + client_frame(TEXT, b"never") + client_frame(PING))
    arrivals = await client.receive_all()
    assert b"".join(arrival.data for arrival in arrivals) == ACCEPTED + b"\x81\x01a" + answered
    assert trio.current_time() == 0.5
    assert (talk.heard, talk.outcomes, ends.told) == (["last"], [DELIVERED] * 2, [(CLIENT_LEFT, 1)])
    assert stage.server.connections == 1, "until it has read the answer"
    client.finish()
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_a_client_that_does_not_answer_a_close(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """wire-websocket-framing §3: about a second, then FIN, and never a reset."""
    talk = Talk(lambda message: [Send(b"never")], greet=lambda: [Close(1008, "é" * 100)])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(0.5)
    client.send(client_frame(TEXT, b"not heard") + client_frame(PING, b"not answered") + b"\xff\xff")
    *_, last = await client.receive_all()
    assert (last.time, last.data) == (0, b"\x88\x7c\x03\xf0" + "é".encode() * 61)
    assert trio.current_time() == 0.5, "what it says is nonsense, so there is nothing to wait for"
    assert (talk.heard, talk.outcomes) == ([], [DELIVERED] * 2)

    client = stage.connect()
    client.send(HANDSHAKE)
    await client.receive_all()
    assert trio.current_time() == 1.5
    await trio.sleep(1.9)
    assert stage.server.connections == 1
    await trio.sleep(0.2)
    assert stage.server.connections == 0


@pytest.mark.parametrize("way", ["fin", "rst"])
async def test_a_client_that_leaves_without_a_word(
    way: str, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """RFC 6455 7.1.5: 1006, which never goes over the wire."""
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(0, b"a"), (5, b"b")], ends)])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(1)
    client.finish() if way == "fin" else client.leave()
    await wait_all_tasks_blocked()
    assert (talk.outcomes, ends.told, stage.server.connections) == ([CLIENT_LEFT] * 2, [(CLIENT_LEFT, 1)], 0)
    assert b"".join(arrival.data for arrival in client._incoming.arrivals) == ACCEPTED + b"\x81\x01a"


async def test_a_client_that_leaves_instead_of_answering_a_close(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    talk = Talk(greet=lambda: [Close(1000)])
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await wait_all_tasks_blocked()
    client.finish()
    await wait_all_tasks_blocked()
    assert (talk.outcomes, stage.server.connections) == ([DELIVERED] * 2, 0)


async def test_a_shutdown(start_stage: StartStage, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """wire-websocket-framing §3: 1001 to every socket."""
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(at, b"%d" % at) for at in range(9)], ends)])
    stage = await start_stage(talk.answers)
    sockets = [await memory.open_websocket(stage.server) for _ in range(3)]
    heard: list[list[tuple[float, Event | str]]] = []

    async def listen(socket: MemoryWebSocket) -> None:
        heard.append(await everything(socket))
        socket.connection.finish()

    for socket in sockets:
        nursery.start_soon(listen, socket)
    await trio.sleep(1.5)
    await stage.server.shut_down(10)
    assert trio.current_time() == 1.5
    await stage.server.ended.wait()
    await wait_all_tasks_blocked()
    said = [(0, "0"), (1, "1"), (1.5, closed(1001, "Server shutting down")), (1.5, "FIN")]
    assert heard == [said] * 3
    assert (ends.told, talk.outcomes) == ([(STOPPED, 2)] * 3, [DELIVERED] * 6)


@pytest.mark.parametrize(("grace", "lasts"), [(10, 3), (2, 2), (0.5, 0.5)])
async def test_a_shutdown_that_nobody_answers(
    grace: float, lasts: float, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """A second for the answer, two to read what was said, and no more than the grace in all."""
    talk = Talk()
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    await trio.sleep(1)
    await stage.server.shut_down(grace)
    assert trio.current_time() == 1 + lasts
    await stage.server.ended.wait()
    assert talk.outcomes == [STOPPED] * 2
    last = client._incoming.arrivals[-1]
    assert last.data == b"\x88\x16\x03\xe9Server shutting down"


# -- slow readers ------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_rests_its_plays_and_delays_nobody(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """What it missed comes late, in order and whole; then everything is on time again."""
    schedule = [(at / 10, b"%03d" % at + b"x" * 97) for at in range(100)]
    slow_ends, ends = Ends(), Ends()
    sockets: list[Ends] = [slow_ends, ends]
    stage = await start_stage(lambda request: Talk(greet=lambda: [Play(schedule, sockets.pop(0))]).answers(request))
    slow = await memory.open_websocket(stage.server, capacity=250)
    fast = await memory.open_websocket(stage.server)
    for offset, data in schedule[:50]:
        assert await fast.receive() == Heard(offset, TextMessage(data.decode()))
    assert len(slow_ends.told) == 0
    for offset, data in schedule:
        heard = await slow.receive()
        assert heard is not None
        assert heard.event == TextMessage(data.decode())
        assert heard.time == offset if offset < 0.2 or offset > 4.9 else heard.time <= 4.9
    assert [await fast.receive() for _ in range(50)][-1] == Heard(9.9, TextMessage(schedule[-1][1].decode()))
    assert slow_ends.told == ends.told == [(DELIVERED, 100)]


async def test_a_play_is_not_computed_ahead_of_its_reader(start_stage: StartStage, autojump_clock: MockClock) -> None:
    computed = 0

    def endless() -> Iterator[tuple[float, bytes]]:
        nonlocal computed
        while True:
            computed += 1
            yield 0.0, b"x" * 1000

    ends = Ends()
    talk = Talk(greet=lambda: [Play(endless(), ends)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, capacity=10_000)
    await trio.sleep(10)
    assert computed <= 70
    for _ in range(100):
        await socket.receive()
    assert 100 < computed <= 200
    socket.connection.leave()
    await wait_all_tasks_blocked()
    ((outcome, sent),) = ends.told
    assert outcome is CLIENT_LEFT
    assert 100 <= sent <= 120, "those that the transport took"


async def test_nothing_more_is_read_from_who_does_not_read(start_stage: StartStage, autojump_clock: MockClock) -> None:
    talk = Talk(lambda message: [Send(b"x" * 10_000)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, capacity=1000)
    for _ in range(100):
        socket.say("more")
    await wait_all_tasks_blocked()
    assert len(talk.heard) == 7, "64 KiB are owed"
    for _ in range(100):
        heard = await socket.receive()
        assert heard is not None
        assert heard.event == TextMessage("x" * 10_000)
    assert len(talk.heard) == 100


async def test_who_reads_nothing_for_too_long_is_dropped(start_stage: StartStage, autojump_clock: MockClock) -> None:
    ends = Ends()
    talk = Talk(greet=lambda: [Play([(1, b"x" * 98), (2, b"y" * 98), (3, b"z")], ends)])
    stage = await start_stage(talk.answers, write_timeout=7.0)
    await memory.open_websocket(stage.server, capacity=150)
    await trio.sleep(8.9)
    assert talk.outcomes == []
    await trio.sleep(0.2)
    assert (talk.outcomes, ends.told, stage.server.connections) == ([STOPPED] * 2, [(STOPPED, 1)], 0)


async def test_what_was_said_before_a_close_is_heard_by_a_slow_reader(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    talk = Talk(greet=lambda: [Send(b"x" * 1000), Close(1000)])
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, capacity=300)
    await trio.sleep(60)
    assert [said for _, said in await everything(socket)] == ["x" * 1000, closed(1000), "FIN"]
    assert talk.outcomes == [DELIVERED] * 2


async def test_a_message_can_wait_for_the_reader_while_plays_rest(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """Frames stay whole, whoever sends them."""
    talk = Talk(
        lambda message: [Send(b"S" * 50)], greet=lambda: [Play([(at, b"P" * 400) for at in range(1, 4)], Ends())]
    )
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, capacity=300)
    await trio.sleep(1.5)
    socket.say("!")
    socket.send(Ping(b"?"))
    await trio.sleep(5)
    heard = [one.event for _ in range(5) if (one := await socket.receive()) is not None]
    assert heard == [
        TextMessage("P" * 400), TextMessage("S" * 50), Pong(b"?"), TextMessage("P" * 400), TextMessage("P" * 400),
    ]  # fmt: skip


# -- compression -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extension",
    [
        PerMessageDeflate(),
        PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True),
        PerMessageDeflate(client_max_window_bits=9, server_max_window_bits=9),
    ],
    ids=["takeover", "no takeover", "small windows"],
)
async def test_compression_both_ways(
    extension: PerMessageDeflate, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """Plays and messages are interleaved: each is compressed when it leaves, for the next refers to it."""
    words = [f"{{'number': {number}, 'text': 'all alike {number * 7}'}}" * 3 for number in range(40)]

    def reply(message: str | bytes) -> Iterable[Step]:
        assert isinstance(message, str)
        return [Send(message.encode()), Play([(at / 7, message.encode() + b"%d" % at) for at in range(5)], Ends())]

    talk = Talk(reply)
    stage = await start_stage(talk.answers)
    socket = await memory.open_websocket(stage.server, extensions=[extension], capacity=2_000)
    for word in words:
        socket.say(word)
        socket.send(Ping(b"not compressed"))
        await trio.sleep(0.05)
    texts: list[str] = []
    while len(texts) < 6 * len(words):
        heard = await socket.receive()
        assert heard is not None
        if isinstance(heard.event, TextMessage):
            texts.append(heard.event.data)
    assert talk.heard == words
    assert sorted(texts) == sorted(word + end for word in words for end in ("", *"01234"))


async def test_a_stopped_play_leaves_compression_in_order(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """No message is compressed ahead of its time: the one that was next is never sent."""
    play = Play([(at, b"text " * 20 + b"%d" % at) for at in range(5)], lambda outcome, sent: [])
    stage = await start_stage(Talk(lambda message: [Stop(play), Send(b"text " * 20)], greet=lambda: [play]).answers)
    socket = await memory.open_websocket(stage.server, extensions=[PerMessageDeflate()])
    await trio.sleep(2.5)
    socket.say("stop")
    heard = [one.event for _ in range(4) if (one := await socket.receive()) is not None]
    assert heard == [TextMessage("text " * 20 + end) for end in ("0", "1", "2", "")]

"""Sessions over WebSockets: a protocol's session wants things said and asked; here they are matched, spoiled and paced
by the one pipeline, and become steps for net."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import attrs
import orjson
import trio

from aimock.chaos import Odds, odds
from aimock.exchange import Exchange
from aimock.faults import ENDINGS, MALFORMED_BODY, OVERLOADED, UNAVAILABLE, drawn, frames_before
from aimock.fixtures import Chaos, Fixture, Found, Kind, Missed, Response
from aimock.fixtures.faults import Fault, FaultName
from aimock.fixtures.response import said_by
from aimock.net.dialogue import Break, Close, Play, Raw, Send, Step, Stop, Wait
from aimock.net.exchange import Answer, Ending, Head, Outcome, Request, Upgrade, Whole
from aimock.surfaces import pipeline
from aimock.surfaces.pipeline import Pipeline, as_the_model_says, chunk_size, neutral_body, unservable
from aimock.surfaces.timing import timed
from aimock_protocols import sessions
from aimock_protocols.canonical import ErrorReply, Frame, Reply, Stamp, WireError
from aimock_protocols.json_bodies import dumped
from aimock_protocols.members import member
from aimock_protocols.sessions import Connecting, Move, Session, SocketProtocol, Turn

logger = logging.getLogger("aimock")

Steps = Iterable[Step]
"""Read as they are performed: what a session says next may hang on what became of what it said before."""

_STRICT_MISS = 1008
"""A close code after which no SDK connects again."""

_NOT_TRANSCRIBED = ErrorReply("Fixture response is not a transcription type", "server_error", status=500)
_RATE_LIMITED = ErrorReply("Chaos: rate limit exceeded", "rate_limit_error", code="rate_limit_exceeded", status=429)
_REFUSALS = {
    FaultName.DROP: ErrorReply("Chaos: request dropped", "server_error", code="chaos_drop", status=500),
    FaultName.RATE_LIMIT: _RATE_LIMITED,
    FaultName.THROTTLED: _RATE_LIMITED,
    FaultName.OVERLOADED: OVERLOADED,
    FaultName.UNAVAILABLE: UNAVAILABLE,
}
"""Faults that stand in place of a handshake, or of the answer in a turn."""


@attrs.define(eq=False)
class Speaking:
    """A turn under way."""

    turn: Turn
    dialogue: SessionDialogue
    step: Play | Wait | None = None
    """What is being said, or waited for to be said."""
    is_cancelled: bool = False


Asked = pipeline.Asked[Speaking]

_FRAMES: dict[FaultName, bytes] = {
    FaultName.RESERVED_OPCODE: b"\x83\x02{}",
    FaultName.MASKED_FRAME: b"\x81\x82\0\0\0\0{}",
    FaultName.OVERSIZED_FRAME: b"\x81\x7f\x7f" + b"\xff" * 7 + b"{}",
    FaultName.WRONG_CLOSE_CODE: b"\x88\x02\x03\xed",
}
"""Frames that no server may send (RFC 6455 5.1, 5.2, 7.4.1): opcode 3, a masked one, one of 2^63 - 1 bytes, and the
close code 1005, which stands for the absence of one."""


class SocketSurface(Pipeline[Steps, Speaking]):
    """Answers one protocol's clients that come by WebSocket."""

    def __init__(self, protocol: SocketProtocol) -> None:
        self._protocol = protocol

    def answer(self, exchange: Exchange) -> Answer:
        """The handshake's answer."""
        refused = self._refused_by_chaos(exchange)
        if refused is not None:
            return self._refuse(exchange, refused)
        connecting = Connecting(
            exchange.head,
            exchange.params,
            exchange.stamp,
            exchange.memory(self._protocol.name),
            exchange.state.settings.sessions,
            exchange.strict,
        )
        try:
            session = self._protocol.connect(connecting)
        except WireError as refusal:
            return self._refuse(exchange, refusal.reply)
        return Upgrade(
            lambda: SessionDialogue(self, exchange, session),
            session.subprotocol,
            exchange.fresh_headers,
            session.is_binary,
        )

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        """The answer to a request that could not be read to its end."""
        return self._refuse(exchange, ErrorReply(message, "invalid_request_error", status=status))

    def _refuse(self, exchange: Exchange, error: ErrorReply) -> Whole:
        entry = exchange.record(error.status)
        status, headers, body = self._protocol.error(error, exchange.stamp)
        return Whole(status, headers, body, exchange.fresh_headers, on_end=entry.ended)

    def begin(self, exchange: Exchange, speaking: Speaking) -> Steps:
        """What answers a turn, for which the exchange is."""
        request = speaking.turn.request
        return self._proceed(exchange, Asked(request, self._questioning(exchange, request), speaking))

    # -- the pipeline's steps --------------------------------------------------------------------------------------

    def _match(self, exchange: Exchange, asked: Asked) -> tuple[Asked, Found | Missed]:
        """As everywhere, but that a fixture of a kind that cannot be said in the turn is not used up by it, and is not
        meant by one that is optional."""
        state = exchange.state
        found = self._find(exchange, asked.question)
        if isinstance(found, Missed):
            return asked, found
        if _can_say(found.fixture.response, asked):
            state.book.count(found.fixture, asked.question, state.counters)
        elif asked.form.turn.is_optional:
            return asked, Missed(0)
        return asked, found

    def _settle(self, exchange: Exchange, asked: Asked) -> Steps | None:
        excess = self._charge(exchange, asked)
        if excess is None:
            return None
        message = f"Rate limit reached for {excess.model} on {excess.unit} per minute: limit {excess.limit}"
        return self._fail(exchange, asked, attrs.evolve(_RATE_LIMITED, message=message))

    def _body(self, exchange: Exchange, asked: Asked) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(exchange.request.body)
        return body

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Steps:
        said = said_by(response, transcribes=_transcribes(asked))
        if said is None:
            error = _NOT_TRANSCRIBED if _transcribes(asked) else unservable(response.kind)
            return self._fail(exchange, asked, error, fixture)
        if isinstance(said, Reply):
            said = as_the_model_says(exchange, asked.chat.model, said)
        speaking = asked.form
        turn = speaking.turn
        try:
            frames = turn.frames(said, exchange.stamp, chunk_size(exchange, fixture))
        except WireError as refusal:
            return self._fail(exchange, asked, refusal.reply, fixture)
        warning = member(turn, "warning")
        if warning:
            logger.warning("%s: %s", exchange.plan.label, warning)
        entry = exchange.record(200, fixture)
        scheduled, ending, ends_at, on_end = timed(exchange, fixture, frames, asked.question, turn.broken, entry)
        is_whole = ends_at is None
        play = speaking.step = Play(
            _sent(scheduled, turn, exchange.stamp),
            functools.partial(self._played, exchange, speaking, on_end, is_whole),
            ending,
            ends_at,
        )
        return [play]

    def _played(
        self,
        exchange: Exchange,
        speaking: Speaking,
        note: Callable[[Outcome], None],
        is_whole: bool,
        outcome: Outcome,
        sent: int,
    ) -> Steps:
        """What follows when all has been said, or when the saying was stopped."""
        speaking.step = None
        note(outcome)
        if speaking.is_cancelled:
            if exchange.entry is not None:
                exchange.entry.interrupt_reason = "cancelled"
            return speaking.dialogue.over(speaking, speaking.turn.cut(sent, _now(exchange)))
        if outcome is Outcome.DELIVERED and is_whole:
            return speaking.dialogue.over(speaking, speaking.turn.ended(_now(exchange)))
        return []

    def _later(self, exchange: Exchange, asked: Asked, wait: Callable[[], Awaitable[Steps]]) -> Steps:
        speaking = asked.form

        async def run() -> Steps:
            steps = await wait()
            if speaking.step is waiting:
                speaking.step = None
            return steps

        def stopped() -> Steps:
            return speaking.dialogue.over(speaking, speaking.turn.cut(0, _now(exchange)))

        waiting = speaking.step = Wait(run, stopped)
        return [waiting]

    # -- errors ----------------------------------------------------------------------------------------------------

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Steps:
        if asked.form.turn.is_optional:
            error = ErrorReply("No fixture matched", code="no_fixture_match", status=404)
            return self._told(exchange, asked, error)
        error = self._missing(exchange, asked, missed)
        if not exchange.strict:
            return self._fail(exchange, asked, error)
        self._note(exchange, error, None)
        return [Close(_STRICT_MISS, error.message)]

    def _fail(self, exchange: Exchange, asked: Asked, error: ErrorReply, fixture: Fixture | None = None) -> Steps:
        self._note(exchange, error, fixture)
        return self._told(exchange, asked, error)

    def _note(self, exchange: Exchange, error: ErrorReply, fixture: Fixture | None) -> None:
        entry = exchange.record(error.status, fixture)
        entry.strict_override = exchange.strict_override if fixture is None else None

    def _told(self, exchange: Exchange, asked: Asked, error: ErrorReply) -> Steps:
        speaking = asked.form
        return speaking.dialogue.over(speaking, speaking.turn.failed(error, _now(exchange)))

    # -- chaos -----------------------------------------------------------------------------------------------------

    def _refused_by_chaos(self, exchange: Exchange) -> ErrorReply | None:
        """What chaos has for the handshake, if anybody asked that it come over WebSockets too."""
        steering = exchange.steering
        risks = odds(exchange.state.chaos.at(steering.test_id), None, steering.chaos)
        if risks is None or not risks.chaos.websocket:
            return None
        faults = tuple(fault for fault in risks.chaos.faults or () if fault.name in _REFUSALS)
        risks = attrs.evolve(
            risks, chaos=Chaos(risks.chaos.drop_rate, None, risks.chaos.rate_limit_rate, faults=faults)
        )
        exchange.fault = drawn(exchange, risks)
        return None if exchange.fault is None else _REFUSALS[exchange.fault.name]

    def _risk(self, exchange: Exchange, asked: Asked, found: Found | Missed, risks: Odds) -> Steps:
        if not risks.chaos.websocket:
            return self._serve(exchange, asked, found)

        def answer() -> Steps:
            fault = drawn(exchange, risks)
            return self._serve(exchange, asked, found) if fault is None else self._spoil(exchange, asked, found, fault)

        async def wait() -> Steps:
            await trio.sleep(risks.latency)
            return answer()

        return self._later(exchange, asked, wait) if risks.latency else answer()

    def _spoil(self, exchange: Exchange, asked: Asked, found: Found | Missed, fault: Fault) -> Steps:
        """The answer with the fault. What cannot be done to a session is not done."""
        exchange.fault = fault
        fixture = None if isinstance(found, Missed) else found.fixture
        if exchange.state.metrics is not None:
            exchange.state.metrics.chaos_triggered(fault.name, "internal" if fixture is None else "fixture")
        refusal = _REFUSALS.get(fault.name)
        if refusal is not None:
            return self._fail(exchange, asked, refusal, fixture)
        ending = Ending.FIN if fault.name is FaultName.DISCONNECT else ENDINGS.get(fault.name)
        if fault.name is FaultName.DISCONNECT or (ending is not None and frames_before(fault) == 0):
            exchange.record(0, fixture)
            return [Break(ending or Ending.FIN)]
        instead = _FRAMES.get(fault.name)
        if instead is not None:
            exchange.record(0, fixture)
            return [Raw(instead), Break(Ending.FIN)]
        answer = self._serve(exchange, asked, found)
        return [Send(MALFORMED_BODY), *answer] if fault.name is FaultName.MALFORMED else answer


class SessionDialogue:
    """One session, as net drives it."""

    def __init__(self, surface: SocketSurface, upgrade: Exchange, session: Session) -> None:
        self._surface = surface
        self._upgrade = upgrade
        self._session = session
        self._head = _journaled(upgrade)
        self.speaking: dict[int, Speaking] = {}
        """Turns under way, by identity."""

    def opened(self) -> Steps:
        return self._steps(self._session.opened(self._upgrade.stamp))

    def received(self, message: str | bytes) -> Steps:
        content = message.encode() if isinstance(message, str) else message
        return self._steps(self._session.received(message, self._exchange(content).stamp))

    def ended(self, outcome: Outcome) -> None:
        self.speaking.clear()

    def over(self, speaking: Speaking, moves: Iterable[Move]) -> Steps:
        """What follows when a turn is over, and said so by its moves."""
        self.speaking.pop(id(speaking.turn), None)
        return self._steps(moves)

    def _steps(self, moves: Iterable[Move]) -> Iterator[Step]:
        for move in moves:
            if isinstance(move, sessions.Event):
                yield Send(move.data)
            elif isinstance(move, sessions.Close):
                yield Close(move.code, move.reason)
            elif isinstance(move, sessions.Cancel):
                yield from self._cancelled(move.turn)
            else:
                yield from self._begun(move)

    def _begun(self, turn: Turn) -> Steps:
        """A turn is answered as its request would be: what that is decides its randomness too."""
        exchange = self._exchange(dumped(turn.request.body))
        exchange.neutral = neutral_body(turn.request, self._upgrade.steering)
        speaking = self.speaking[id(turn)] = Speaking(turn, self)
        return self._surface.begin(exchange, speaking)

    def _cancelled(self, turn: Turn) -> Steps:
        speaking = self.speaking.get(id(turn))
        if speaking is None or speaking.step is None:
            return []
        speaking.is_cancelled = True
        return [Stop(speaking.step)]

    def _exchange(self, content: bytes) -> Exchange:
        return Exchange(Request(self._head, content), self._upgrade.plan, self._upgrade.state)


def _journaled(upgrade: Exchange) -> Head:
    """The head that the journal shows for each turn: that of the handshake, under the path of its route."""
    return attrs.evolve(upgrade.head, method="WS", target=upgrade.plan.label, path=upgrade.plan.label)


def _now(exchange: Exchange) -> Stamp:
    return Stamp(exchange.state.settings.wall_clock(), exchange.stamp.entropy)


def _sent(scheduled: Iterable[tuple[float, Frame]], turn: Turn, stamp: Stamp) -> Iterator[tuple[float, bytes]]:
    """The frames' bytes. What fails on the way becomes an error event."""
    offset = 0.0
    try:
        for offset, frame in scheduled:
            yield offset, frame.data
    except Exception as error:
        logger.exception("a turn failed")
        reply = ErrorReply(str(error) or type(error).__name__, "server_error")
        yield offset, turn.broken(reply, stamp).data


def _transcribes(asked: Asked) -> bool:
    return asked.chat.endpoint in ("transcription", "realtime-transcription", "realtime-translation")


def _can_say(response: Response, asked: Asked) -> bool:
    """Whether the response is of a kind that can answer the turn, or may turn out to be."""
    if response.kind in (Kind.ERROR, Kind.FACTORY):
        return True
    return said_by(response, transcribes=_transcribes(asked)) is not None

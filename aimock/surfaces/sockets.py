"""Sessions over WebSockets: a protocol's session wants things said and asked; here they are matched, spoiled and paced
by the one pipeline, and become steps for net."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import trio

from aimock.chaos import Odds, odds
from aimock.exchange import Exchange
from aimock.faults import ENDINGS, MALFORMED_BODY, OVERLOADED, UNAVAILABLE, drawn, frames_before
from aimock.fixtures import Chaos, Fixture, Found, Kind, Missed, Response
from aimock.fixtures.faults import Fault, FaultName
from aimock.fixtures.response import said_by
from aimock.net.dialogue import Break, Close, Play, Raw, Send, Wait
from aimock.net.exchange import Answer, Ending, Outcome, Upgrade, Whole
from aimock.surfaces import pipeline
from aimock.surfaces.dialogue import SessionDialogue, Speaking, Steps
from aimock.surfaces.pipeline import Pipeline, as_the_model_says, chunk_size, unservable
from aimock.surfaces.timing import timed
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, Reply, Stamp, WireError
from aimock_protocols.members import member
from aimock_protocols.sessions import Connecting, Follower, SocketProtocol, Turn

if TYPE_CHECKING:
    from aimock.record.recorder import Recorder
    from aimock.record.sessions import Asking, SessionRelay

logger = logging.getLogger("aimock")

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
        is_recorded = exchange.state.recorder is not None and not exchange.strict
        options = exchange.state.settings.sessions
        connecting = Connecting(
            exchange.head,
            exchange.params,
            exchange.stamp,
            exchange.memory(self._protocol.name),
            attrs.evolve(options, hears=True) if is_recorded else options,
            exchange.strict,
            is_recorded,
        )
        try:
            session = self._protocol.connect(connecting)
        except WireError as refusal:
            return self._refuse(exchange, refusal.reply)
        return Upgrade(
            lambda: SessionDialogue(self, exchange, session, is_recorded=is_recorded),
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
        turn = asked.form.turn
        frames = self._recited(exchange, turn, fixture, response)
        if frames is not None:
            return self._spoken(exchange, asked, fixture, frames)
        said = said_by(response, transcribes=_transcribes(asked))
        if said is None:
            error = _NOT_TRANSCRIBED if _transcribes(asked) else unservable(response.kind)
            return self._fail(exchange, asked, error, fixture)
        if isinstance(said, Reply):
            said = as_the_model_says(exchange, asked.chat.model, said)
        try:
            frames = turn.frames(said, exchange.stamp, chunk_size(exchange, fixture))
        except WireError as refusal:
            return self._fail(exchange, asked, refusal.reply, fixture)
        warning = member(turn, "warning")
        if warning:
            logger.warning("%s: %s", exchange.plan.label, warning)
        return self._spoken(exchange, asked, fixture, frames)

    def _recited(self, exchange: Exchange, turn: Turn, fixture: Fixture, response: Response) -> Iterator[Frame] | None:
        """What was recorded, if it can answer this turn as it is."""
        tape, said = fixture.recording, response.reply
        if tape is None or response is not fixture.response or not isinstance(said, Reply):
            return None
        recite = member(turn, "recited")
        if recite is None or not tape.is_of_session or tape.protocol != self._protocol.name:
            return None
        frames: Iterator[Frame] | None = recite([data for _, data in tape.frames], said, exchange.stamp)
        return frames

    def _spoken(self, exchange: Exchange, asked: Asked, fixture: Fixture, frames: Iterator[Frame]) -> Steps:
        speaking = asked.form
        turn = speaking.turn
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

    # -- misses ----------------------------------------------------------------------------------------------------

    def _relayed(self, exchange: Exchange, asked: Asked) -> Steps | None:
        """Nothing for now: the provider goes on with the session, if misses go there."""
        recorder = exchange.state.recorder
        if recorder is None or not self._asks(exchange) or _transcribes(asked):
            return None
        return asked.form.dialogue.miss(asked.form.turn, (exchange, asked.chat, asked.question, True), recorder)

    def _asks(self, exchange: Exchange) -> bool:
        recorder, upgrade = exchange.state.recorder, exchange.upgrade
        if recorder is None or upgrade is None or exchange.strict:
            return False
        return recorder.place_of(upgrade, self._protocol) is not None

    def asking(self, exchange: Exchange, chat: ChatRequest) -> Asking:
        """A turn that the provider answers, as the pipeline has it."""
        question = self._questioning(exchange, chat)
        return exchange, chat, question, isinstance(self._find(exchange, question), Missed)

    def converse(
        self,
        recorder: Recorder,
        upgrade: Exchange,
        follower: Follower,
        missed: Sequence[Asking],
        asking: Callable[[ChatRequest], Asking],
    ) -> SessionRelay:
        """The provider's side of a session that it goes on with."""
        return recorder.converse(upgrade, self._protocol, follower, missed, asking)

    # -- errors ----------------------------------------------------------------------------------------------------

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Steps:
        if asked.form.turn.is_optional:
            error = ErrorReply("No fixture matched", code="no_fixture_match", status=404)
            return self._told(exchange, asked, error)
        relayed = None if exchange.strict else self._relayed(exchange, asked)
        if relayed is not None:
            return relayed
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
        entry.ended(Outcome.DELIVERED)

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

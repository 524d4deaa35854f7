"""Chat over HTTP: decode, match, encode, pace. The same steps for every provider; the protocol knows the rest."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import attrs

from aimock.bounded import Bounded
from aimock.chaos import Odds, odds
from aimock.exchange import Exchange, Plan
from aimock.faults import ERROR_EVENT, Spoiler, beset, delay_of, limit_of, spoiled_frames, spoiled_reply
from aimock.fixtures import Fixture, Found, Kind, Missed, Question, Response, respond
from aimock.fixtures.faults import Fault
from aimock.fixtures.response import Factory
from aimock.net.exchange import Answer, Outcome, Request, Stream, Task, Whole
from aimock.physics import Limit, Pace, Surroundings, interrupt, kept_alive, schedule
from aimock.randomness import uniforms
from aimock.rendering import Renderer, Renderings
from aimock.settings import model_list, strict_turns
from aimock.surfaces.headers import ResponseHeaders
from aimock_protocols.canonical import ChatProtocol, ErrorReply, Frame, Reply, WireError
from aimock_protocols.reasoning import is_reasoning_model

logger = logging.getLogger("aimock")

_KEPT = 512
_LARGEST_KEPT = 8 * 1024
"""Requests that are kept since they have come again (tests are rerun, clients retry), and bytes of one."""
_REMEMBERED = 4096
"""Requests of which it is known that they have come."""


class _Asked(NamedTuple):
    """A request as it is understood."""

    question: Question
    model: str
    stream: bool
    endpoint: str
    renderings: Renderings
    objection: ErrorReply | None


class LLMSurface:
    """Answers one protocol's chat requests."""

    def __init__(self, protocol: ChatProtocol) -> None:
        self._protocol = protocol
        self._heeds = protocol.heeds
        self._reread = self._neutral
        self._renderer = Renderer(protocol)
        self._asked: Bounded[Hashable, _Asked] = Bounded(_KEPT)
        self._came: Bounded[int, bool] = Bounded(_REMEMBERED)  # what comes once is not worth keeping
        self._headers = ResponseHeaders(protocol)

    def answer(self, exchange: Exchange) -> Answer:
        """The one pipeline."""
        steering, state = exchange.plan.steering, exchange.state
        try:
            asked = self._understand(exchange)
        except WireError as refusal:
            return self._error(exchange, refusal.reply)
        exchange.neutral = self._reread
        if asked.objection is not None:
            if exchange.strict:
                return self._error(exchange, asked.objection)
            logger.warning("%s; a strict server would refuse it", asked.objection.message)
        if state.quotas is not None:
            refused = self._over_quota(exchange, asked)
            if refused is not None:
                return refused
        injected = state.injected.take(steering.test_id, asked.endpoint)
        if injected is not None:
            return self._respond(exchange, asked, injected, injected.response)
        found = state.book.match(asked.question, state.counters, strict_turns=state.book.is_scripted and strict_turns())
        fixture = None if isinstance(found, Missed) else found.fixture
        if not state.chaos.is_quiet or steering.chaos is not None or (fixture is not None and not fixture.is_plain):
            risks = odds(state.chaos.at(steering.test_id), fixture, steering.chaos)
            if risks is not None:
                return self._risk(exchange, asked, found, risks)
        if isinstance(found, Missed):
            return self._miss(exchange, asked.question, found)
        return self._respond(exchange, asked, found.fixture, found.fixture.response)

    def _over_quota(self, exchange: Exchange, asked: _Asked) -> Whole | None:
        assert exchange.state.quotas is not None
        tokens = max(asked.question.prompt_tokens, asked.question.answer_tokens)
        exchange.allowance, excess = exchange.state.quotas.take(exchange.head, asked.model, tokens)
        return None if excess is None else self._error(exchange, self._protocol.rate_limited(excess))

    def _risk(self, exchange: Exchange, asked: _Asked, found: Found | Missed, risks: Odds) -> Answer:
        """The answer under chaos."""
        fixture = None if isinstance(found, Missed) else found.fixture

        def serve() -> Answer:
            if isinstance(found, Missed):
                return self._miss(exchange, asked.question, found)
            return self._respond(exchange, asked, found.fixture, found.fixture.response)

        spoiler = Spoiler(
            exchange,
            self._protocol,
            fixture,
            asked.model,
            asked.stream,
            serve,
            fail=lambda error: self._error(exchange, error, fixture),
            empty=lambda: self._empty(exchange, asked.stream),
        )
        return beset(spoiler, risks)

    def _understand(self, exchange: Exchange) -> _Asked:
        """Decodes the request, unless the same bytes were asked before. Raises WireError."""
        request, steering = exchange.request, exchange.plan.steering
        body, head = request.body, request.head
        heeded = tuple([head.headers.get(name) for name in self._heeds]) if self._heeds else None
        key = (body, head.target, steering.context, heeded)
        asked = self._asked.get(key)
        transform = exchange.state.settings.request_transform
        if asked is not None and transform is None and not exchange.state.book.asks_code:
            asked.question.test_id = steering.test_id
            return asked
        chat = self._protocol.decode(head, exchange.params, body)
        question = Question(chat, context=steering.context, test_id=steering.test_id, transform=transform)
        renderings = self._renderer.of(self._protocol.shape(chat))
        asked = _Asked(question, chat.model, chat.stream, chat.endpoint, renderings, chat.objection)
        if len(body) <= _LARGEST_KEPT and transform is None:
            came = hash(key)
            if came in self._came:
                self._asked.keep(key, asked)
            else:
                self._came.keep(came, True)
        return asked

    def _neutral(self, request: Request, plan: Plan) -> dict[str, Any]:
        """The request as the journal shows it. Decoded anew: few entries are ever read, and bytes are small to keep."""
        chat = self._protocol.decode(request.head, plan.params, request.body)
        shown = {**chat.body, "_endpointType": chat.endpoint}
        if plan.steering.context is not None:
            shown["_context"] = plan.steering.context
        return shown

    # -- what the fixture says -------------------------------------------------------------------------------------

    def _respond(self, exchange: Exchange, asked: _Asked, fixture: Fixture, response: Response) -> Answer:
        if response.factory is not None:
            return self._make(exchange, asked, fixture, response.factory)
        if isinstance(response.reply, Reply):
            return self._reply(exchange, asked, fixture, response.reply)
        return self._error(exchange, response.reply or _unservable(response.kind), fixture)

    def _make(self, exchange: Exchange, asked: _Asked, fixture: Fixture, factory: Factory) -> Answer:
        """Asks the factory, in a task if it wants to wait. It gets a body of its own, to do with as it likes."""
        chat = self._protocol.decode(exchange.head, exchange.params, exchange.request.body)

        def answer(made: Any) -> Answer:
            return self._respond(exchange, asked, fixture, respond(made))

        async def wait(made: Awaitable[Any]) -> Answer:
            try:
                return answer(await made)
            except Exception as error:
                return self._factory_failed(exchange, fixture, error)

        try:
            made = factory(chat.body)
            return Task(functools.partial(wait, made)) if inspect.isawaitable(made) else answer(made)
        except Exception as error:
            return self._factory_failed(exchange, fixture, error)

    def _factory_failed(self, exchange: Exchange, fixture: Fixture, error: Exception) -> Whole:
        logger.error("the response factory of %s failed", fixture.origin, exc_info=error)
        return self._error(exchange, ErrorReply(f"Response factory threw: {error}", "server_error"), fixture)

    def _reply(self, exchange: Exchange, asked: _Asked, fixture: Fixture, reply: Reply) -> Answer:
        if reply.reasoning or reply.reasoning_signature or reply.redacted_thinking:
            reply = _gated(reply, asked.model, exchange.strict)
        if exchange.fault is not None:
            reply = spoiled_reply(reply, exchange.fault)
        if asked.stream:
            return self._stream(exchange, asked, fixture, reply)
        body = asked.renderings.whole(_source(fixture, reply), reply, exchange.stamp)
        headers, fresh = self._headers.of(exchange, streamed=False)
        return Whole(200, headers, body, fresh, on_end=exchange.record(200, fixture).ended)

    # -- streams ---------------------------------------------------------------------------------------------------

    def _stream(self, exchange: Exchange, asked: _Asked, fixture: Fixture, reply: Reply) -> Answer:
        settings = exchange.state.settings
        chunk_size = fixture.chunk_size or settings.chunk_size
        entry = exchange.record(200, fixture)
        rendering = (_source(fixture, reply), reply, exchange.stamp, chunk_size)
        headers, fresh = self._headers.of(exchange, streamed=True)
        limits = () if fixture.is_plain and exchange.fault is None else _limits(fixture, exchange.fault)
        if not limits and exchange.fault is None and settings.tempo.is_instant(fixture):
            body = asked.renderings.stream(*rendering)
            return Whole(200, headers, body, fresh, chunked=True, on_end=entry.ended)
        pace = settings.tempo.pace_of(fixture)
        timed = self._timed(exchange, asked, asked.renderings.frames(*rendering), pace)
        on_end: Callable[[Outcome], None] = entry.ended
        if pace.profile is not None and pace.profile.load_factor is not None:
            on_end = exchange.state.under_way(on_end)
        interruption = None
        if limits:
            timed = tuple(timed)
            interruption = interrupt(timed, limits)
        if interruption is None:
            return Stream(200, headers, self._sent(timed, exchange), fresh, on_end=on_end)
        entry.planned = interruption.limit.reason
        ends_at = interruption.ends_at
        return Stream(
            200,
            headers,
            self._sent(interruption.schedule, exchange, ends_at),
            fresh,
            ending=interruption.limit.ending,
            ends_at=ends_at,
            on_end=on_end,
        )

    def _timed(
        self, exchange: Exchange, asked: _Asked, frames: Iterable[Frame], pace: Pace
    ) -> Iterable[tuple[float, Frame]]:
        """Each frame with its offset in seconds."""
        state, stamp = exchange.state, exchange.stamp
        delay = 0.0
        if exchange.fault is not None:
            frames = spoiled_frames(frames, exchange.fault, lambda: self._protocol.error_frame(ERROR_EVENT, stamp))
            delay = delay_of(exchange.fault)
        around = Surroundings(
            uniforms(stamp.entropy, "jitter"), lambda: asked.question.prompt_tokens, lambda: state.streams
        )
        return schedule(frames, pace, around, delay)

    def _sent(
        self, timed: Iterable[tuple[float, Frame]], exchange: Exchange, ends_at: float | None = None
    ) -> Iterator[tuple[float, bytes]]:
        """The frames' bytes, and keepalives between those that are far apart, made as they are sent. What fails on the
        way becomes an error event, since the head has gone out already."""
        if self._protocol.keepalive is not None:
            timed = kept_alive(timed, self._protocol.keepalive, ends_at)
        offset = 0.0
        try:
            for offset, frame in timed:
                yield offset, frame.data
        except Exception as error:
            logger.exception("a stream failed")
            reply = ErrorReply(str(error) or type(error).__name__, "server_error")
            yield offset, self._protocol.error_frame(reply, exchange.stamp).data

    # -- errors ----------------------------------------------------------------------------------------------------

    def _miss(self, exchange: Exchange, question: Question, missed: Missed) -> Whole:
        from aimock.fixtures.explain import explain  # only a miss needs it

        state = exchange.state
        hint = explain(state.book, question, state.counters, strict_turns=strict_turns())
        reply = ErrorReply(
            _miss_message(exchange.strict, missed.skipped),
            type="invalid_request_error",
            code="no_fixture_match",
            status=503 if exchange.strict else 404,
            hint=hint,
        )
        logger.error(
            "%s %s: %s; %s", exchange.head.method, exchange.head.path, reply.message, hint or "there are no fixtures"
        )
        exchange.unexpected(hint or "there are no fixtures")
        return self._error(exchange, reply)

    def _error(self, exchange: Exchange, reply: ErrorReply, fixture: Fixture | None = None) -> Whole:
        entry = exchange.record(reply.status, fixture)
        entry.strict_override = exchange.strict_override if fixture is None else None
        response = self._protocol.error(reply, exchange.stamp)
        return attrs.evolve(self._headers.respond(exchange, response), on_end=entry.ended)

    def _empty(self, exchange: Exchange, streamed: bool) -> Whole:
        headers, fresh = self._headers.of(exchange, streamed)
        return Whole(200, headers, b"", fresh, chunked=streamed)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        """The answer to a request that could not be read to its end."""
        return self._error(exchange, ErrorReply(message, type="invalid_request_error", status=status))


def _limits(fixture: Fixture, fault: Fault | None) -> Sequence[Limit]:
    """Where a stream is to be cut short."""
    limits = []
    if fixture.truncate_after_chunks is not None:
        limits.append(Limit("truncateAfterChunks", after_chunks=fixture.truncate_after_chunks))
    if fixture.disconnect_after_ms is not None:
        limits.append(Limit("disconnectAfterMs", after_ms=fixture.disconnect_after_ms))
    cut = limit_of(fault) if fault is not None else None
    return limits if cut is None else [*limits, cut]


def _source(fixture: Fixture, reply: Reply) -> Fixture | None:
    """What the reply can be kept by: the fixture, unless the reply was made or changed for this request."""
    return fixture if reply is fixture.response.reply else None


def _miss_message(strict: bool, skipped: int) -> str:
    if not strict:
        return "No fixture matched"
    if skipped:
        return f"Strict mode: {skipped} candidate fixture(s) skipped by sequence/turn state"
    return "Strict mode: no fixture matched"


def _unservable(kind: Kind) -> ErrorReply:
    """A fixture that is no answer to a chat request."""
    if kind is Kind.AUDIO:
        message = "Fixture response is audio, which chat does not serve"
        return ErrorReply(message, type="invalid_request_error", status=422)
    return ErrorReply("Fixture response did not match any known type", type="server_error", status=500)


def _gated(reply: Reply, model: str, strict: bool) -> Reply:
    """The reply as the model asked for could give it: strict servers keep reasoning from models that have none."""
    deny, allow = model_list("AIMOCK_NONREASONING_MODELS"), model_list("AIMOCK_REASONING_MODELS")
    if is_reasoning_model(model, deny, allow):
        return reply
    if not strict:
        logger.warning("the fixture has reasoning, which model %r does not give", model)
        return reply
    logger.error("reasoning is suppressed: model %r does not give any", model)
    return attrs.evolve(reply, reasoning=None, reasoning_signature=None, redacted_thinking=())

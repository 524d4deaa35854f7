"""Chat over HTTP: decode, match, encode, pace. The same steps for every provider; the protocol knows the rest."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import attrs

from aimock.bounded import Bounded
from aimock.chaos import Odds, odds
from aimock.exchange import Exchange, Plan
from aimock.faults import OVERLOADED, Spoiler, beset, delay_of, limit_of, spoiled_frames, spoiled_reply
from aimock.fixtures import Fixture, Found, Kind, Missed, Question, Response, respond
from aimock.fixtures.faults import Fault
from aimock.fixtures.response import Factory
from aimock.net.exchange import Answer, Ending, Outcome, Request, Stream, Task, Whole
from aimock.physics import Limit, Pace, Surroundings, interrupt, kept_alive, schedule
from aimock.randomness import uniforms
from aimock.rendering import Renderer, Renderings
from aimock.settings import matches_history, model_list, strict_turns
from aimock.state import State
from aimock.surfaces.headers import ResponseHeaders
from aimock_protocols.canonical import (
    ChatProtocol,
    ChatRequest,
    ErrorReply,
    Frame,
    FramingErrors,
    Headers,
    Remembering,
    Reply,
    Vectors,
    WireError,
    WireProtocol,
)
from aimock_protocols.members import member
from aimock_protocols.reasoning import is_reasoning_model

logger = logging.getLogger("aimock")

_KEPT = 512
_LARGEST_KEPT = 8 * 1024
"""Requests that are kept since they have come again (tests are rerun, clients retry), and bytes of one."""
_REMEMBERED = 4096
"""Requests of which it is known that they have come."""


class Asked(NamedTuple):
    """A request as it is understood."""

    chat: ChatRequest
    question: Question
    renderings: Renderings
    others: tuple[Asked, ...] = ()
    """The same of its other models, in the order in which they are to be asked."""


class LLMSurface:
    """Answers one protocol's requests."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._protocol = protocol
        self._streaming = cast(ChatProtocol, protocol)  # as which it is only asked if a request is for a stream
        self._heeds = protocol.heeds
        self._reread = self._neutral
        self._renderer = Renderer(protocol)
        self._tells_in_headers = member(protocol, "reply_headers") is not None
        self._frames_errors = member(protocol, "framed_error") is not None
        self._asked: Bounded[Hashable, Asked] = Bounded(_KEPT)
        self._came: Bounded[int, bool] = Bounded(_REMEMBERED)  # what comes once is not worth keeping
        self._headers = ResponseHeaders(protocol)
        self._stream_headers: Headers = getattr(protocol, "stream_headers", ())  # those for embeddings have none

    def answer(self, exchange: Exchange) -> Answer:
        """Decodes the request, which says itself what it is for: there are routes that take chat and embeddings."""
        try:
            asked = self._understand(exchange)
        except WireError as refusal:
            return self._error(exchange, refusal.reply)
        exchange.neutral = self._reread
        surface = self._for_embeddings if asked.chat.endpoint == "embedding" else self
        return surface._proceed(exchange, asked)

    @functools.cached_property
    def _for_embeddings(self) -> LLMSurface:
        from aimock.surfaces.embeddings import EmbeddingSurface  # most are never asked for any

        return EmbeddingSurface(self._protocol)

    def _proceed(self, exchange: Exchange, asked: Asked) -> Answer:
        """The one pipeline."""
        steering, state = exchange.plan.steering, exchange.state
        chat = asked.chat
        if chat.objection is not None:
            if exchange.strict:
                return self._error(exchange, chat.objection)
            logger.warning("%s; a strict server would refuse it", chat.objection.message)
        if state.quotas is not None:
            refused = self._over_quota(exchange, asked)
            if refused is not None:
                return refused
        if chat.settled is not None:
            response = self._headers.respond(exchange, chat.settled(exchange.stamp))
            return attrs.evolve(response, on_end=exchange.record(response.status).ended)
        injected = state.injected.take(steering.test_id, chat.endpoint)
        if injected is not None:
            return self._respond(exchange, asked, injected, injected.response)
        asked, found = self._match(exchange, asked)
        fixture = None if isinstance(found, Missed) else found.fixture
        if not state.chaos.is_quiet or steering.chaos is not None or (fixture is not None and not fixture.is_plain):
            risks = odds(state.chaos.at(steering.test_id), fixture, steering.chaos)
            if risks is not None:
                return self._risk(exchange, asked, found, risks)
        return self._serve(exchange, asked, found)

    def _match(self, exchange: Exchange, asked: Asked) -> tuple[Asked, Found | Missed]:
        """The fixture that answers, and the request as it is for the model for which it does; its `others` are then
        those that have not been asked."""
        state = exchange.state
        found = state.book.match(asked.question, state.counters, strict_turns=_strict_turns(state))
        if asked.others and _falls_through(found):
            return self._fall_back(state, asked, found)
        return asked, found

    def _fall_back(self, state: State, asked: Asked, found: Found | Missed) -> tuple[Asked, Found | Missed]:
        """The same for the other models, asked in turn until one answers. Errors that fall through answer only if no
        fixture answers better, the last of them first."""
        others = list(asked.others)
        while others:
            other = others.pop(0)
            found_next = state.book.match(other.question, state.counters, strict_turns=_strict_turns(state))
            if isinstance(found_next, Found):
                asked, found = other, found_next
                if not _falls_through(found):
                    break
        return asked._replace(others=tuple(others)), found

    def _serve(self, exchange: Exchange, asked: Asked, found: Found | Missed) -> Answer:
        if isinstance(found, Missed):
            return self._miss(exchange, asked, found)
        return self._respond(exchange, asked, found.fixture, found.fixture.response)

    def _over_quota(self, exchange: Exchange, asked: Asked) -> Whole | None:
        assert exchange.state.quotas is not None
        tokens = max(asked.question.prompt_tokens, asked.question.answer_tokens)
        exchange.allowance, excess = exchange.state.quotas.take(exchange.head, asked.chat.model, tokens)
        return None if excess is None else self._error(exchange, self._protocol.rate_limited(excess))

    def _risk(self, exchange: Exchange, asked: Asked, found: Found | Missed, risks: Odds) -> Answer:
        """The answer under chaos."""
        fixture = None if isinstance(found, Missed) else found.fixture
        spoiler = Spoiler(
            exchange,
            self._protocol,
            fixture,
            asked.chat.model,
            asked.chat.stream,
            serve=lambda: self._serve(exchange, asked, found),
            fail=lambda error: self._error(exchange, error, fixture),
            empty=lambda: self._empty(exchange, asked),
        )
        return beset(spoiler, risks)

    def _understand(self, exchange: Exchange) -> Asked:
        """Decodes the request, unless the same bytes were asked before. Raises WireError."""
        request, steering = exchange.request, exchange.plan.steering
        body, head = request.body, request.head
        heeded = tuple([head.headers.get(name) for name in self._heeds]) if self._heeds else None
        key = (body, head.target, steering.context, heeded)
        asked = self._asked.get(key)
        transform = exchange.state.settings.request_transform
        if asked is not None and transform is None and not exchange.state.book.asks_code:
            asked.question.test_id = steering.test_id
            for other in asked.others:
                other.question.test_id = steering.test_id
            return asked
        chat = self._decoded(exchange)
        asked = self._asking(exchange, chat)
        if chat.fallbacks:
            asked = asked._replace(others=tuple(self._asking(exchange, other) for other in _others(chat)))
        if len(body) <= _LARGEST_KEPT and transform is None and chat.recalls is None:
            came = hash(key)
            if came in self._came:
                self._asked.keep(key, asked)
            else:
                self._came.keep(came, True)
        return asked

    def _decoded(self, exchange: Exchange) -> ChatRequest:
        """The request, with what it takes up of what was said before. Raises WireError."""
        chat = self._protocol.decode(exchange.head, exchange.params, exchange.request.body)
        if chat.recalls is None:
            return chat
        chat = cast(Remembering, self._protocol).recall(chat, exchange.memory(self._protocol.name))
        if chat.resumed is not None and matches_history():
            chat.body = {**chat.body, "messages": chat.resumed()}
        return chat

    def _asking(self, exchange: Exchange, chat: ChatRequest) -> Asked:
        return Asked(chat, self._questioning(exchange, chat), self._renderer.of(self._protocol.shape(chat)))

    def _questioning(self, exchange: Exchange, chat: ChatRequest) -> Question:
        steering, transform = exchange.plan.steering, exchange.state.settings.request_transform
        return Question(chat, context=steering.context, test_id=steering.test_id, transform=transform)

    def _neutral(self, request: Request, plan: Plan) -> dict[str, Any]:
        """The request as the journal shows it. Decoded anew: few entries are ever read, and bytes are small to keep."""
        chat = self._protocol.decode(request.head, plan.params, request.body)
        shown = {**chat.body, "_endpointType": chat.endpoint}
        if plan.steering.context is not None:
            shown["_context"] = plan.steering.context
        return shown

    # -- what the fixture says -------------------------------------------------------------------------------------

    def _respond(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        if response.factory is not None:
            return self._make(exchange, asked, fixture, response.factory)
        if isinstance(response.reply, ErrorReply):
            return self._error(exchange, response.reply, fixture)
        return self._say(exchange, asked, fixture, response)

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        """The answer of a response that is neither an error nor a function."""
        if isinstance(response.reply, Reply):
            return self._reply(exchange, asked, fixture, response.reply)
        return self._error(exchange, _unservable(response.kind), fixture)

    def _make(self, exchange: Exchange, asked: Asked, fixture: Fixture, factory: Factory) -> Answer:
        """Asks the factory, in a task if it wants to wait. It gets a body of its own, to do with as it likes; an error
        that it makes falls through as a fixture's does."""
        chat = self._decoded(exchange)
        if chat.model != asked.chat.model:
            chat.body["model"] = asked.chat.model

        def answer(made: Any) -> Answer:
            response = respond(made)
            if asked.others and isinstance(response.reply, ErrorReply) and response.reply.fallthrough:
                other, found = self._fall_back(exchange.state, asked, Missed())
                if isinstance(found, Found):
                    return self._serve(exchange, other, found)
            return self._respond(exchange, asked, fixture, response)

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

    def _reply(self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply) -> Answer:
        if reply.reasoning or reply.reasoning_signature or reply.redacted_thinking:
            reply = _gated(reply, asked.chat.model, exchange.strict)
        if exchange.fault is not None:
            reply = spoiled_reply(reply, exchange.fault)
        if asked.chat.remembers:
            said = (asked.chat, reply, asked.renderings.shape, exchange.stamp, _chunk_size(exchange, fixture))
            remember = cast(Remembering, self._protocol).remember
            exchange.memory(self._protocol.name).put_later(remember, said, len(exchange.request.body))
        if asked.chat.stream:
            return self._stream(exchange, asked, fixture, reply)
        return self._whole(exchange, asked, fixture, reply, _source(fixture, reply))

    def _whole(
        self, exchange: Exchange, asked: Asked, fixture: Fixture | None, reply: Reply | Vectors, source: Hashable
    ) -> Whole:
        """A whole answer; `source` is what the reply can be kept by."""
        body = asked.renderings.whole(source, reply, exchange.stamp)
        headers, fresh = self._headers.of(exchange)
        if self._tells_in_headers:
            fresh += asked.renderings.headers(source, reply)
        return Whole(200, headers, body, fresh, on_end=exchange.record(200, fixture).ended)

    # -- streams ---------------------------------------------------------------------------------------------------

    def _stream(self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply) -> Answer:
        settings = exchange.state.settings
        chunk_size = _chunk_size(exchange, fixture)
        if fixture.open_router_processing:
            reply = attrs.evolve(reply, announced=True)
        entry = exchange.record(200, fixture)
        rendering = (_source(fixture, reply), reply, exchange.stamp, chunk_size)
        headers, fresh = self._headers.of(exchange, asked.chat.stream_headers or self._stream_headers)
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
        ending, ends_at = Ending.CLEAN, None
        if interruption is not None:
            entry.planned = interruption.limit.reason
            timed, ending, ends_at = interruption.schedule, interruption.limit.ending, interruption.ends_at
        sent = self._sent(timed, exchange, asked, ends_at)
        return Stream(200, headers, sent, fresh, ending=ending, ends_at=ends_at, on_end=on_end)

    def _timed(
        self, exchange: Exchange, asked: Asked, frames: Iterable[Frame], pace: Pace
    ) -> Iterable[tuple[float, Frame]]:
        """Each frame with its offset in seconds."""
        state, stamp = exchange.state, exchange.stamp
        delay = 0.0
        if exchange.fault is not None:
            shape = asked.renderings.shape
            error = functools.partial(self._streaming.error_frame, OVERLOADED, shape, stamp)
            frames = spoiled_frames(frames, exchange.fault, error)
            delay = delay_of(exchange.fault)
        around = Surroundings(
            uniforms(stamp.entropy, "jitter"), lambda: asked.question.prompt_tokens, lambda: state.streams
        )
        return schedule(frames, pace, around, delay)

    def _sent(
        self, timed: Iterable[tuple[float, Frame]], exchange: Exchange, asked: Asked, ends_at: float | None
    ) -> Iterator[tuple[float, bytes]]:
        """The frames' bytes, and keepalives between those that are far apart, made as they are sent. What fails on the
        way becomes an error event, since the head has gone out already."""
        if self._streaming.keepalive is not None:
            timed = kept_alive(timed, self._streaming.keepalive, ends_at)
        offset = 0.0
        try:
            for offset, frame in timed:
                yield offset, frame.data
        except Exception as error:
            logger.exception("a stream failed")
            reply = ErrorReply(str(error) or type(error).__name__, "server_error")
            yield offset, self._streaming.error_frame(reply, asked.renderings.shape, exchange.stamp).data

    # -- errors ----------------------------------------------------------------------------------------------------

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Answer:
        from aimock.fixtures.explain import explain  # only a miss needs it

        state = exchange.state
        hint = explain(state.book, asked.question, state.counters, strict_turns=strict_turns())
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
        if self._frames_errors:
            response = cast(FramingErrors, self._protocol).framed_error(response, exchange.head)
        return attrs.evolve(self._headers.respond(exchange, response), on_end=entry.ended)

    def _empty(self, exchange: Exchange, asked: Asked) -> Whole:
        streamed = asked.chat.stream
        own = asked.chat.stream_headers or self._stream_headers
        headers, fresh = self._headers.of(exchange, own if streamed else None)
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


def _chunk_size(exchange: Exchange, fixture: Fixture) -> int:
    return fixture.chunk_size or exchange.state.settings.chunk_size


def _source(fixture: Fixture, reply: Reply) -> Fixture | None:
    """What the reply can be kept by: the fixture, unless the reply was made or changed for this request."""
    return fixture if reply is fixture.response.reply else None


def _strict_turns(state: State) -> bool:
    return state.book.is_scripted and strict_turns()


def _others(chat: ChatRequest) -> Iterator[ChatRequest]:
    """The request as it is for each of its other models."""
    for model in chat.fallbacks:
        yield attrs.evolve(chat, model=model, body={**chat.body, "model": model}, aliases=(), fallbacks=())


def _falls_through(found: Found | Missed) -> bool:
    if isinstance(found, Missed):
        return True
    reply = found.fixture.response.reply
    return isinstance(reply, ErrorReply) and reply.fallthrough


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

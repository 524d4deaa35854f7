"""From a request that is understood to its answer: match, spoil, respond.

The same steps for every surface that fixtures answer. What an answer is made of, each surface says itself.
"""

from __future__ import annotations

import abc
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import orjson

from aimock.chaos import Odds, odds
from aimock.exchange import Exchange
from aimock.faults import spoiled_reply
from aimock.fixtures import Fixture, Found, Kind, Missed, Question, Response, respond
from aimock.fixtures.question import fingerprint
from aimock.fixtures.response import Factory
from aimock.settings import model_list, strict_turns
from aimock.state import State
from aimock.steering import Steering
from aimock_protocols.canonical import ChatRequest, ErrorReply, Excess, Reply, Results
from aimock_protocols.reasoning import is_reasoning_model

logger = logging.getLogger("aimock")

A = TypeVar("A")
"""What a surface answers with."""
F = TypeVar("F")
"""What gives an answer its form."""


class Asked(NamedTuple, Generic[F]):
    """A request as it is understood."""

    chat: ChatRequest
    question: Question
    form: F
    others: tuple[Asked[F], ...] = ()
    """The same of its other models, in the order in which they are to be asked."""


class Pipeline(abc.ABC, Generic[A, F]):
    """The steps, and what each surface has of its own in them."""

    def _proceed(self, exchange: Exchange, asked: Asked[F]) -> A:
        """The one pipeline."""
        steering, state = exchange.plan.steering, exchange.state
        chat = asked.chat
        if chat.objection is not None:
            if exchange.strict and not self._is_recorded(exchange, asked):
                return self._fail(exchange, asked, chat.objection)
            logger.warning("%s; a strict server would refuse it", chat.objection.message)
        if state.quotas is not None or chat.settled is not None:
            settled = self._settle(exchange, asked)
            if settled is not None:
                return settled
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

    # -- what surfaces say themselves ------------------------------------------------------------------------------

    @abc.abstractmethod
    def _settle(self, exchange: Exchange, asked: Asked[F]) -> A | None:
        """The answer before any fixture is looked for: to a request that is charged to a quota and is too much for it,
        or that asks for nothing that a fixture would know."""

    @abc.abstractmethod
    def _risk(self, exchange: Exchange, asked: Asked[F], found: Found | Missed, risks: Odds) -> A:
        """The answer under chaos."""

    @abc.abstractmethod
    def _say(self, exchange: Exchange, asked: Asked[F], fixture: Fixture, response: Response) -> A:
        """The answer of a response that is neither an error nor a function."""

    @abc.abstractmethod
    def _fail(self, exchange: Exchange, asked: Asked[F], error: ErrorReply, fixture: Fixture | None = None) -> A:
        """The error in place of an answer."""

    @abc.abstractmethod
    def _later(self, exchange: Exchange, asked: Asked[F], wait: Callable[[], Awaitable[A]]) -> A:
        """An answer that must be waited for."""

    @abc.abstractmethod
    def _body(self, exchange: Exchange, asked: Asked[F]) -> dict[str, Any]:
        """The neutral body, for a function to do with as it likes."""

    # -- what fixtures say -----------------------------------------------------------------------------------------

    def _questioning(self, exchange: Exchange, chat: ChatRequest) -> Question:
        steering, transform = exchange.plan.steering, exchange.state.settings.request_transform
        question = Question(chat, context=steering.context, test_id=steering.test_id, transform=transform)
        given = exchange.state.given_ids
        if given and question.last_tool_call_id is not None:
            question.last_tool_call_id = given.recorded(question.last_tool_call_id)
        if given and given.named_in(exchange.request.body):
            told = orjson.loads(given.restored(orjson.dumps(question.request.body)))
            question.fingerprint = fingerprint(attrs.evolve(question.request, body=told))
        return question

    def _is_recorded(self, exchange: Exchange, asked: Asked[F]) -> bool:
        """Whether the provider has answered just this: then it knew what this server does not."""
        found = self._find(exchange, asked.question)
        return isinstance(found, Found) and found.fixture.recording is not None

    def _find(self, exchange: Exchange, question: Question, *, consume: bool = False) -> Found | Missed:
        """The fixture that answers. It is not counted, unless the question is put in earnest."""
        state = exchange.state
        found = state.book.match(question, state.counters, strict_turns=strict_turns_of(state), consume=consume)
        if isinstance(found, Found) or found.alike is None or self._asks(exchange):
            return found
        if consume:
            state.book.count(found.alike.fixture, question, state.counters)
        return found.alike

    def _asks(self, exchange: Exchange) -> bool:
        """Whether the real provider is asked what no fixture answers."""
        return False

    def _charge(self, exchange: Exchange, asked: Asked[F]) -> Excess | None:
        """Charges the request to its client's quota, where quotas are kept: by how much it is too much, if it is."""
        if exchange.state.quotas is None:
            return None
        tokens = max(asked.question.prompt_tokens, asked.question.answer_tokens)
        exchange.allowance, excess = exchange.state.quotas.take(exchange.head, asked.chat.model, tokens)
        return excess

    def _match(self, exchange: Exchange, asked: Asked[F]) -> tuple[Asked[F], Found | Missed]:
        """The fixture that answers, and the request as it is for the model for which it does; its `others` are then
        those that have not been asked."""
        found = self._find(exchange, asked.question, consume=True)
        if asked.others and _falls_through(found):
            return self._fall_back(exchange, asked, found)
        return asked, found

    def _fall_back(self, exchange: Exchange, asked: Asked[F], found: Found | Missed) -> tuple[Asked[F], Found | Missed]:
        """The same for the other models, asked in turn until one answers. Errors that fall through answer only if no
        fixture answers better, the last of them first."""
        others = list(asked.others)
        while others:
            other = others.pop(0)
            found_next = self._find(exchange, other.question, consume=True)
            if isinstance(found_next, Found):
                asked, found = other, found_next
                if not _falls_through(found):
                    break
        return asked._replace(others=tuple(others)), found

    def _serve(self, exchange: Exchange, asked: Asked[F], found: Found | Missed) -> A:
        if isinstance(found, Missed):
            return self._miss(exchange, asked, found)
        fixture = found.fixture
        if fixture.fingerprint and fixture not in exchange.state.stale:
            _compare(exchange.state, fixture, asked.question)
        return self._respond(exchange, asked, fixture, fixture.response)

    def _respond(self, exchange: Exchange, asked: Asked[F], fixture: Fixture, response: Response) -> A:
        if response.factory is not None:
            return self._make(exchange, asked, fixture, response.factory)
        if isinstance(response.reply, ErrorReply):
            return self._fail(exchange, asked, response.reply, fixture)
        if fixture.recording is not None and exchange.state.rewrites_ids and isinstance(response.reply, Reply):
            response = attrs.evolve(response, reply=with_fresh_ids(exchange, response.reply))
        return self._say(exchange, asked, fixture, response)

    def _make(self, exchange: Exchange, asked: Asked[F], fixture: Fixture, factory: Factory) -> A:
        """Asks the factory, in a task if it wants to wait. It gets a body of its own, to do with as it likes; an error
        that it makes falls through as a fixture's does."""

        def answer(made: Any) -> A:
            response = respond(made, asked.chat.endpoint)
            if asked.others and isinstance(response.reply, ErrorReply) and response.reply.fallthrough:
                other, found = self._fall_back(exchange, asked, Missed())
                if isinstance(found, Found):
                    return self._serve(exchange, other, found)
            return self._respond(exchange, asked, fixture, response)

        async def wait(made: Awaitable[Any]) -> A:
            try:
                return answer(await made)
            except Exception as error:
                return self._factory_failed(exchange, asked, fixture, error)

        body = self._body(exchange, asked)
        try:
            made = factory(body)
            if inspect.isawaitable(made):
                return self._later(exchange, asked, functools.partial(wait, made))
            return answer(made)
        except Exception as error:
            return self._factory_failed(exchange, asked, fixture, error)

    def _factory_failed(self, exchange: Exchange, asked: Asked[F], fixture: Fixture, error: Exception) -> A:
        logger.error("the response factory of %s failed", fixture.origin, exc_info=error)
        return self._fail(exchange, asked, ErrorReply(f"Response factory threw: {error}", "server_error"), fixture)

    def _miss(self, exchange: Exchange, asked: Asked[F], missed: Missed) -> A:
        relayed = None if exchange.strict else self._relayed(exchange, asked)
        return self._fail(exchange, asked, self._missing(exchange, asked, missed)) if relayed is None else relayed

    def _relayed(self, exchange: Exchange, asked: Asked[F]) -> A | None:
        """The real provider's answer, if misses go there."""
        return None

    def _missing(self, exchange: Exchange, asked: Asked[F], missed: Missed) -> ErrorReply:
        """What a miss is told as, once it has been logged and noted."""
        from aimock.fixtures.explain import explain  # only a miss needs it

        state, head = exchange.state, exchange.head
        hint = explain(state.book, asked.question, state.counters, strict_turns=strict_turns_of(state))
        message = _miss_message(exchange.strict, missed.skipped)
        logger.error("%s %s: %s; %s", head.method, head.path, message, hint or "there are no fixtures")
        exchange.unexpected(hint or "there are no fixtures")
        status = 503 if exchange.strict else 404
        return ErrorReply(message, "invalid_request_error", code="no_fixture_match", status=status, hint=hint)


def _compare(state: State, fixture: Fixture, question: Question) -> None:
    """Says once of a recording that its request has changed since."""
    from aimock.record.derive import stale  # for what was recorded

    told = stale(fixture, question)
    if told is not None:
        state.stale.add(fixture)
        logger.warning("%s; record it anew if that matters", told)


def neutral_body(chat: ChatRequest, steering: Steering) -> dict[str, Any]:
    """The request as the journal shows it."""
    shown = {**chat.body, "_endpointType": chat.endpoint}
    if steering.context is not None:
        shown["_context"] = steering.context
    return shown


def source_of(fixture: Fixture, reply: Reply | Results) -> Fixture | None:
    """What the reply can be kept by: the fixture, unless the reply was made or changed for this request."""
    return fixture if reply is fixture.response.reply or reply is fixture.response.results else None


def with_fresh_ids(exchange: Exchange, reply: Reply) -> Reply:
    """The reply of a recording, with fresh ids if that is wanted."""
    if exchange.renaming is None:
        return reply
    renamed = exchange.renaming.reply(reply)
    exchange.state.given_ids.add(exchange.renaming.renamed)
    return renamed


def as_the_model_says(exchange: Exchange, model: str, reply: Reply) -> Reply:
    """The reply as the model asked for could give it, spoiled if that is what chaos has in store for it."""
    if reply.reasoning or reply.reasoning_signature or reply.redacted_thinking:
        reply = _gated(reply, model, exchange.strict)
    return reply if exchange.fault is None else spoiled_reply(reply, exchange.fault)


def chunk_size(exchange: Exchange, fixture: Fixture) -> int:
    return fixture.chunk_size or exchange.state.settings.chunk_size


def unservable(kind: Kind) -> ErrorReply:
    """A fixture that is no answer to a chat request."""
    if kind is Kind.AUDIO:
        message = "Fixture response is audio, which chat does not serve"
        return ErrorReply(message, type="invalid_request_error", status=422)
    return ErrorReply("Fixture response did not match any known type", type="server_error", status=500)


def other_requests(chat: ChatRequest) -> Iterator[ChatRequest]:
    """The request as it is for each of its other models."""
    for model in chat.fallbacks:
        yield attrs.evolve(chat, model=model, body={**chat.body, "model": model}, aliases=(), fallbacks=())


def strict_turns_of(state: State) -> bool:
    """Whether a scripted turn is served only when it is due: where misses are recorded, a turn that was recorded must
    not answer the next one."""
    return state.book.is_scripted and (state.recorder is not None or strict_turns())


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


def _gated(reply: Reply, model: str, strict: bool) -> Reply:
    """Strict servers keep reasoning from models that have none."""
    deny, allow = model_list("AIMOCK_NONREASONING_MODELS"), model_list("AIMOCK_REASONING_MODELS")
    if is_reasoning_model(model, deny, allow):
        return reply
    if not strict:
        logger.warning("the fixture has reasoning, which model %r does not give", model)
        return reply
    logger.error("reasoning is suppressed: model %r does not give any", model)
    return attrs.evolve(reply, reasoning=None, reasoning_signature=None, redacted_thinking=())

"""Chat over HTTP: decode, match, encode, pace. The same steps for every provider; the protocol knows the rest."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Any, cast

import attrs

from aimock.bounded import Bounded
from aimock.chaos import Odds
from aimock.cors import CORS
from aimock.exchange import Exchange, Plan
from aimock.faults import Spoiler, beset
from aimock.fixtures import Fixture, Found, Missed, Response
from aimock.fixtures.recording import Tape
from aimock.journal import Entry
from aimock.net.exchange import Answer, Request, Stream, Task, Whole
from aimock.physics import kept_alive
from aimock.rendering import Renderer, Renderings
from aimock.settings import matches_history
from aimock.surfaces import pipeline
from aimock.surfaces.headers import ResponseHeaders
from aimock.surfaces.pipeline import (
    Pipeline,
    as_the_model_says,
    chunk_size,
    neutral_body,
    other_requests,
    source_of,
    unservable,
    with_fresh_ids,
)
from aimock.surfaces.timing import ErrorFrame, is_instant, timed
from aimock_protocols.canonical import (
    ChatProtocol,
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    FramingErrors,
    Headers,
    Remembering,
    Reply,
    Results,
    Vectors,
    WireError,
    WireProtocol,
)
from aimock_protocols.members import member
from aimock_protocols.services import ASKED_WITH

logger = logging.getLogger("aimock")

_KEPT = 512
_LARGEST_KEPT = 8 * 1024
"""Requests that are kept since they have come again (tests are rerun, clients retry), and bytes of one."""
_REMEMBERED = 4096
"""Requests of which it is known that they have come."""


Asked = pipeline.Asked[Renderings]


class LLMSurface(Pipeline[Answer, Renderings]):
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
        """Decodes the request, which says itself what it is for: there are routes that take chat and embeddings, or
        chat and what a service answers."""
        try:
            asked = self._understand(exchange)
        except WireError as refusal:
            return self._error(exchange, refusal.reply)
        exchange.neutral = self._reread
        endpoint = asked.chat.endpoint
        if endpoint == "embedding":
            return self._for_embeddings._proceed(exchange, asked)
        surface = self._for_services if endpoint in ASKED_WITH else self
        return surface._proceed(exchange, asked)

    @functools.cached_property
    def _for_embeddings(self) -> LLMSurface:
        from aimock.surfaces.embeddings import EmbeddingSurface  # most are never asked for any

        return EmbeddingSurface(self._protocol)

    @functools.cached_property
    def _for_services(self) -> LLMSurface:
        from aimock.surfaces.services import ServiceSurface

        return ServiceSurface(self._protocol)

    def _settle(self, exchange: Exchange, asked: Asked) -> Answer | None:
        excess = self._charge(exchange, asked)
        if excess is not None:
            return self._error(exchange, self._protocol.rate_limited(excess))
        if asked.chat.settled is None:
            return None
        response = self._headers.respond(exchange, asked.chat.settled(exchange.stamp))
        return attrs.evolve(response, on_end=exchange.record(response.status).ended)

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
            is_relayed=fixture is None and exchange.state.recorder is not None and not exchange.strict,
            error_event=lambda error: self._error_frames(asked)(error, exchange.stamp),
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
            asked = asked._replace(others=tuple(self._asking(exchange, other) for other in other_requests(chat)))
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

    def _neutral(self, request: Request, plan: Plan) -> dict[str, Any]:
        """The request as the journal shows it. Decoded anew: few entries are ever read, and bytes are small to keep."""
        return neutral_body(self._protocol.decode(request.head, plan.params, request.body), plan.steering)

    # -- what the fixture says -------------------------------------------------------------------------------------

    def _respond(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        tape = fixture.recording
        if tape is not None and response is fixture.response and self._has_said(tape, asked):
            return self._replay(exchange, asked, fixture, tape)
        return super()._respond(exchange, asked, fixture, response)

    def _has_said(self, tape: Tape, asked: Asked) -> bool:
        """Whether what was recorded is an answer of this protocol, in the manner that is asked for."""
        is_alike = tape.is_stream is asked.chat.stream and not tape.is_of_session
        return is_alike and tape.protocol == self._protocol.name

    def _replay(self, exchange: Exchange, asked: Asked, fixture: Fixture, tape: Tape) -> Answer:
        """What was recorded, as it was; or with other ids."""
        reply = fixture.response.reply
        if isinstance(reply, Reply):
            reply = with_fresh_ids(exchange, reply)
        self._remember(exchange, asked, fixture, reply)
        entry = exchange.record(tape.status, fixture)
        headers, pieces = tape.headers, [data for _, data in tape.frames]
        if exchange.renaming is not None:
            pieces = exchange.renaming.frames(tape.protocol, dict(headers).get("content-type", ""), pieces)
            headers = exchange.renaming.headers(headers)
            exchange.state.given_ids.add(exchange.renaming.renamed)
        headers, fresh = (*headers, *CORS), exchange.fresh_beside(headers)
        frames = [Frame(data, FrameKind.TOKEN) for data in pieces]
        if not tape.is_stream or is_instant(exchange, fixture):
            body = b"".join(frame.data for frame in frames)
            whole = Whole(tape.status, headers, body, fresh, on_end=entry.ended)
            return attrs.evolve(whole, chunked=tape.is_stream)
        scheduled, ending, ends_at, on_end = timed(
            exchange, fixture, frames, asked.question, self._error_frames(asked), entry
        )
        sent = ((offset, frame.data) for offset, frame in scheduled)
        return Stream(tape.status, headers, sent, fresh, ending=ending, ends_at=ends_at, on_end=on_end)

    def _asks(self, exchange: Exchange) -> bool:
        recorder = exchange.state.recorder
        return recorder is not None and not exchange.strict and recorder.place_of(exchange, self._protocol) is not None

    def _relayed(self, exchange: Exchange, asked: Asked) -> Answer | None:
        recorder = exchange.state.recorder
        if recorder is None:
            return None

        def again() -> Answer | None:
            asked.question.test_id = exchange.steering.test_id  # it may have been put again since, by another test
            asked_now, found = self._match(exchange, asked)
            return None if isinstance(found, Missed) else self._serve(exchange, asked_now, found)

        return recorder.relay(exchange, asked.chat, asked.question, self._protocol, again)

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        """The answer of a response that is neither an error nor a function."""
        if isinstance(response.reply, Reply):
            return self._reply(exchange, asked, fixture, response.reply)
        return self._error(exchange, unservable(response.kind), fixture)

    def _later(self, exchange: Exchange, asked: Asked, wait: Callable[[], Awaitable[Answer]]) -> Answer:
        return Task(wait)

    def _body(self, exchange: Exchange, asked: Asked) -> dict[str, Any]:
        chat = self._decoded(exchange)
        if chat.model != asked.chat.model:
            chat.body["model"] = asked.chat.model
        return chat.body

    def _reply(self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply) -> Answer:
        reply = as_the_model_says(exchange, asked.chat.model, reply)
        self._remember(exchange, asked, fixture, reply)
        if asked.chat.stream:
            return self._stream(exchange, asked, fixture, reply)
        return self._whole(exchange, asked, fixture, reply, source_of(fixture, reply))

    def _remember(
        self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply | Results | ErrorReply | None
    ) -> None:
        """Keeps what is said for requests that take it up."""
        if asked.chat.remembers and isinstance(reply, (Reply, Results)):
            said = (asked.chat, reply, asked.form.shape, exchange.stamp, chunk_size(exchange, fixture))
            remember = cast(Remembering, self._protocol).remember
            exchange.memory(self._protocol.name).put_later(remember, said, len(exchange.request.body))

    def _whole(
        self,
        exchange: Exchange,
        asked: Asked,
        fixture: Fixture | None,
        reply: Reply | Vectors | Results,
        source: Hashable,
    ) -> Whole:
        """A whole answer; `source` is what the reply can be kept by."""
        body = asked.form.whole(source, reply, exchange.stamp)
        headers, fresh = self._headers.of(exchange)
        if self._tells_in_headers:
            fresh += asked.form.headers(source, reply)
        return Whole(200, headers, body, fresh, on_end=exchange.record(200, fixture).ended)

    # -- streams ---------------------------------------------------------------------------------------------------

    def _stream(self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply) -> Answer:
        if fixture.open_router_processing:
            reply = attrs.evolve(reply, announced=True)
        return self._played(exchange, asked, fixture, reply, exchange.record(200, fixture))

    def _played(
        self, exchange: Exchange, asked: Asked, fixture: Fixture, reply: Reply | Results, entry: Entry
    ) -> Answer:
        """The stream in its time."""
        rendering = (source_of(fixture, reply), reply, exchange.stamp, chunk_size(exchange, fixture))
        headers, fresh = self._headers.of(exchange, asked.chat.stream_headers or self._stream_headers)
        if is_instant(exchange, fixture):
            return Whole(200, headers, asked.form.stream(*rendering), fresh, chunked=True, on_end=entry.ended)
        frames = asked.form.frames(*rendering)
        scheduled, ending, ends_at, on_end = timed(
            exchange, fixture, frames, asked.question, self._error_frames(asked), entry
        )
        sent = self._sent(scheduled, exchange, asked, ends_at)
        return Stream(200, headers, sent, fresh, ending=ending, ends_at=ends_at, on_end=on_end)

    def _sent(
        self, scheduled: Iterable[tuple[float, Frame]], exchange: Exchange, asked: Asked, ends_at: float | None
    ) -> Iterator[tuple[float, bytes]]:
        """The frames' bytes, and keepalives between those that are far apart, made as they are sent. What fails on the
        way becomes an error event, since the head has gone out already."""
        if self._streaming.keepalive is not None:
            scheduled = kept_alive(scheduled, self._streaming.keepalive, ends_at)
        offset = 0.0
        try:
            for offset, frame in scheduled:
                yield offset, frame.data
        except Exception as error:
            logger.exception("a stream failed")
            reply = ErrorReply(str(error) or type(error).__name__, "server_error")
            yield offset, self._error_frames(asked)(reply, exchange.stamp).data

    def _error_frames(self, asked: Asked) -> ErrorFrame:
        """Tells errors in the midst of this request's stream."""
        return lambda error, stamp: self._streaming.error_frame(error, asked.form.shape, stamp)

    # -- errors ----------------------------------------------------------------------------------------------------

    def _fail(self, exchange: Exchange, asked: Asked, error: ErrorReply, fixture: Fixture | None = None) -> Whole:
        return self._error(exchange, error, fixture)

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

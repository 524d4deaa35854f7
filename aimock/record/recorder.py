"""A miss goes to the real provider: relayed as it comes, kept on a tape, saved, and answered from then on."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple, cast

import attrs
import orjson
import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.fixtures import Fixture, FixtureError, Question, make_fixture
from aimock.fixtures.fixture import Origin
from aimock.fixtures.structure import response_json
from aimock.journal import Entry, Proxied
from aimock.net.exchange import Answer, BrokenOff, Ending, Headers, Relay, Task, Whole
from aimock.record.config import MIB, MOST_BUFFERED, RecordConfig
from aimock.record.derive import derived_match, metadata_of, next_in_sequence
from aimock.record.headers import kept_headers, relayed_headers
from aimock.record.naming import Place
from aimock.record.providers import provider_of
from aimock.record.shelf import Saved, Shelf, ShelfError
from aimock.record.tape import TapeWriter, seal_of
from aimock.record.upstream import Call, Upstream, UpstreamFailed, UpstreamResponse
from aimock_protocols.canonical import ChatProtocol, ChatRequest, ErrorReply, WireError, WireProtocol
from aimock_protocols.cutting import cutter_for, is_terminal

logger = logging.getLogger("aimock")

_NEVER_RECORDED = frozenset({401, 403})
"""What they say is of a key, not of a model."""
_UNSAVED = Origin("recorded")


class Miss(NamedTuple):
    """A request that no fixture answers, and where it is to go."""

    exchange: Exchange
    chat: ChatRequest
    question: Question
    protocol: WireProtocol
    place: Place

    @property
    def key(self) -> Hashable:
        """Equal for requests that are one and the same."""
        request = self.exchange.request
        return (self.place, request.head.method, request.head.target, request.body)


class Kept(NamedTuple):
    """What became of an answer."""

    path: Path | None = None
    """The file that it is in."""
    trouble: str | None = None
    """Why it could not be saved."""
    fixture: Fixture | None = None
    """What was made of it."""


class Recorder:
    """Asks providers in place of fixtures, and makes fixtures of what they answer. One for each server."""

    def __init__(self, config: RecordConfig) -> None:
        self.config = config
        self._upstream = Upstream(config)
        self._shelf = None if config.proxy_only else Shelf(config, logger.warning)
        self._unknown: set[str] = set()
        self._under_way: dict[Hashable, trio.Event] = {}
        """What providers are being asked, and what tells that it has come to its end, recorded or not."""
        self.ending: dict[Hashable, trio.Event] = {}
        """The same of those whose clients have all that they wait for, and may ask again before it is recorded."""
        self._in_sequence = trio.Lock()
        self._top = config.fixture_path.resolve()
        self._asks_anew = config.mode == "all" and not config.proxy_only
        self._anew: set[Fixture] = set()
        """What was recorded in this run, where all is to be."""

    def check(self) -> None:
        """Says what it will not be able to do, before anything is asked. Raises ShelfError if nothing can be saved."""
        for warning in self._upstream.warnings:
            logger.warning("%s", warning)
        if self._shelf is not None:
            self._shelf.check()

    async def aclose(self) -> None:
        """Closes all connections at once; what is still coming on them fails."""
        await self._upstream.aclose()

    async def retire(self) -> None:
        """The same once all that is under way has come to its end."""
        while self._under_way:
            await next(iter(self._under_way.values())).wait()
        await self.aclose()

    def admits(self, fixture: Fixture) -> bool:
        """Whether it may answer: what was recorded in an earlier run may not, where all is to be recorded anew."""
        file = fixture.origin.file
        if not self._asks_anew or file is None or fixture in self._anew:
            return True
        return not Path(file).resolve().is_relative_to(self._top)

    def relay(
        self,
        exchange: Exchange,
        chat: ChatRequest,
        question: Question,
        protocol: WireProtocol,
        again: Callable[[], Answer | None],
    ) -> Answer | None:
        """The provider's answer; None if nobody said where the provider is. `again` gives what fixtures answer by then,
        None if it is a miss still."""
        provider = provider_of(protocol.name, exchange.head, self.config.providers)
        if provider is None:
            if protocol.name not in self._unknown:
                self._unknown.add(protocol.name)
                logger.warning(
                    "no provider has a URL for requests of %s: those that miss are not recorded", protocol.name
                )
            return None
        place = Place(provider, exchange.steering.test_id, exchange.steering.context)
        if self._shelf is not None and self._shelf.refusal(place) is not None:
            return None
        miss = Miss(exchange, chat, question, protocol, place)

        async def run() -> Answer:
            leader = (self._under_way if self.config.coalesce else self.ending).get(miss.key)
            if leader is not None:
                await leader.wait()
                answer = again()
                if answer is not None:
                    return answer
            answers: list[Answer] = []
            with trio.CancelScope(shield=not chat.stream):  # what is whole is recorded though its client leaves
                answers.append(await self._ask(miss))
            return answers[0]

        return Task(run)

    async def _ask(self, miss: Miss) -> Answer:
        key = miss.key if self.config.coalesce and miss.key not in self._under_way else object()
        self._under_way[key] = trio.Event()
        try:
            return await self._answer(miss, functools.partial(self._over, key))
        except BaseException:
            self._over(key)
            raise

    def _over(self, key: Hashable) -> None:
        """Tells those who wait for it. May be said again."""
        event = self._under_way.pop(key, None)
        if event is not None:
            event.set()

    async def _answer(self, miss: Miss, over: Callable[[], None]) -> Answer:
        exchange, head = miss.exchange, miss.exchange.head
        guarded = bool(exchange.state.settings.api_keys)
        body = exchange.state.given_ids.restored(exchange.request.body)
        call = Call(miss.place.provider, head.method.upper(), head.target, head.header_lines, body, guarded)
        logger.info("%s %s: no fixture matched, asking %s", head.method, head.path, miss.place.provider)
        sent = trio.current_time()
        proxied = Proxied()
        try:
            response = await self._upstream.ask(call)
        except UpstreamFailed as failure:
            proxied.duration = trio.current_time() - sent
            over()
            return _failed(exchange, failure, proxied)
        proxied.status = response.status
        status = _shown_status(response.status, self.config)
        relayed = relayed_headers(response.headers)
        headers: Headers = (*relayed, *CORS)
        is_stream = _is_stream(miss.chat, response.status, dict(relayed).get("content-type", ""))
        tape = TapeWriter(
            miss.protocol.name,
            response.status,
            kept_headers(relayed),
            is_stream=is_stream,
            max_bytes=self.config.max_proxy_buffer_bytes,
            max_frames=self.config.max_proxy_buffer_frames,
            warn=logger.warning,
        )
        taping = _Taping(self, miss, response, tape, sent, proxied, over)
        if is_stream:
            entry = _noted(exchange, status, proxied)
            return Relay(status, headers, taping.pieces(), exchange.fresh_beside(headers), on_end=entry.ended)
        try:
            body = await taping.whole()
        except UpstreamFailed as failure:
            return _failed(exchange, failure, proxied)
        entry = _noted(exchange, status, proxied)
        if taping.trouble is not None:
            headers += (("x-aimock-record-error", taping.trouble.encode("latin-1", "replace").decode("latin-1")),)
        return Whole(status, headers, body, exchange.fresh_beside(headers), on_end=entry.ended)

    async def keep(self, miss: Miss, tape: TapeWriter) -> Kept:
        """Saves what is on the tape and serves it from now on."""
        if self._shelf is None or tape.is_over:
            return Kept()
        if tape.status >= 400 and (not self.config.record_errors or tape.status in _NEVER_RECORDED):
            return Kept()
        entry = _entry(miss, tape, self.config)
        if not self.config.sequence:
            return await self._save(self._shelf, miss, entry)
        async with self._in_sequence:  # no other may take the same place in it
            state, match = miss.exchange.state, entry["match"]
            match["sequenceIndex"] = next_in_sequence(match, state.book, state.counters, miss.place.test_id)
            return await self._save(self._shelf, miss, entry)

    async def _save(self, shelf: Shelf, miss: Miss, entry: dict[str, Any]) -> Kept:
        saved: Saved | None = None
        trouble = None
        try:
            saved = await trio.to_thread.run_sync(shelf.save, entry, miss.place)
        except ShelfError as error:
            logger.error("a recording could not be saved: %s", error)
            trouble = str(error)
        try:
            fixture = make_fixture(entry, _UNSAVED) if saved is None else saved.fixture()
        except FixtureError as error:
            logger.error("a recording cannot be served: %s", error)
            return Kept(None if saved is None else saved.path, trouble or str(error))
        if self._asks_anew:
            self._anew.add(fixture)
        if entry["match"] == {"exact": True}:
            logger.warning("a recording has nothing of its request to match: it is saved, and not served")
        else:
            miss.question.test_id = miss.place.test_id  # it may have been put again since, by another test
            miss.exchange.state.add_recorded(fixture, miss.question)
        return Kept(None if saved is None else saved.path, trouble, fixture)


class _Taping:
    """One answer on its way through."""

    def __init__(
        self,
        recorder: Recorder,
        miss: Miss,
        response: UpstreamResponse,
        tape: TapeWriter,
        sent: float,
        proxied: Proxied,
        over: Callable[[], None],
    ) -> None:
        """`sent`: when the request was, in Trio's time. `proxied`: what the journal has of it. `over` is told when
        nothing more will come of it."""
        self._recorder = recorder
        self._miss = miss
        self._response = response
        self._tape = tape
        self._sent = sent
        self._proxied = proxied
        self._over = over
        self._has_ended = False
        """Whether it has said all that clients wait for."""
        self._closed = trio.Event()
        self.trouble: str | None = None
        """Why the answer could not be saved."""

    async def whole(self) -> bytes:
        """Raises UpstreamFailed."""
        body = bytearray()
        try:
            async with contextlib.aclosing(self._response.pieces()) as source:
                async for piece in source:
                    body += piece
                    self._feed(piece)
                    if len(body) > MOST_BUFFERED:
                        raise UpstreamFailed(f"Upstream response exceeds {MOST_BUFFERED // MIB}MiB proxy ceiling")
            await self._keep()
        finally:
            await self._close()
        return bytes(body)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        source = self._response.pieces()
        try:
            while True:
                with trio.CancelScope(shield=self._has_ended):  # clients that leave then do not cut off the rest
                    piece = await anext(source, None)
                if piece is None:
                    break
                self._feed(piece)
                yield piece
            await self._keep()
        except UpstreamFailed as failure:
            logger.warning("%s broke off: %s", self._miss.place.provider, failure)
            raise BrokenOff(Ending.FIN) from failure
        except (trio.Cancelled, GeneratorExit):
            if self._has_ended:  # clients close as soon as they have all they need
                await self._read_on(source)
            raise
        finally:
            with trio.CancelScope(shield=True):
                await source.aclose()
            await self._close()

    def _feed(self, piece: bytes) -> None:
        for frame in self._tape.feed(piece, self._now()):
            if not self._has_ended and is_terminal(self._miss.protocol.name, frame):
                self._has_ended = True
                self._recorder.ending[self._miss.key] = self._closed

    def _now(self) -> float:
        """Milliseconds since the request was sent."""
        return (trio.current_time() - self._sent) * 1000

    async def _read_on(self, source: AsyncGenerator[bytes, None]) -> None:
        """What is left of an answer that nobody listens to any more."""
        with trio.CancelScope(shield=True):
            try:
                async for piece in source:
                    self._feed(piece)
            except UpstreamFailed:
                return
            await self._keep()

    async def _keep(self) -> None:
        self._tape.end(self._now())
        self._proxied.duration = self._now() / 1000
        with trio.CancelScope(shield=True):
            path, self.trouble, self._proxied.fixture = await self._recorder.keep(self._miss, self._tape)
        self._proxied.recorded = None if path is None else str(path)

    async def _close(self) -> None:
        if self._proxied.duration is None:  # it did not come to its end
            self._proxied.duration = self._now() / 1000
        with trio.CancelScope(shield=True):
            await self._response.aclose()
        if self._recorder.ending.get(self._miss.key) is self._closed:
            del self._recorder.ending[self._miss.key]
        self._closed.set()
        self._over()


def _is_stream(chat: ChatRequest, status: int, content_type: str) -> bool:
    """Whether the answer is to be relayed as it comes. JSON is, where the request is for a stream in JSON."""
    if not content_type.startswith("application/json"):
        return cutter_for(content_type) is not None
    asked_for = dict(chat.stream_headers or ()).get("content-type", "")
    return chat.stream and status == 200 and asked_for.startswith("application/json")


def _entry(miss: Miss, tape: TapeWriter, config: RecordConfig) -> dict[str, Any]:
    answer = _answer(miss.protocol, tape)
    entry: dict[str, Any] = {"match": derived_match(miss.question, config), "response": answer}
    timings = tape.timings()
    if timings is not None:
        entry["recordedTimings"] = timings
    metadata = metadata_of(miss.chat)
    if metadata:
        entry["metadata"] = metadata
    return entry | {"recording": tape.tape(seal_of(answer))}


def _answer(protocol: WireProtocol, tape: TapeWriter) -> dict[str, Any]:
    """The answer as a fixture has it; the body itself, if nobody can read it."""
    try:
        said = cast(ChatProtocol, protocol).collapse([tape.body]) if tape.is_stream else protocol.parse(tape.body)
    except WireError as error:
        said = error.reply
    except ValueError as error:
        logger.warning("%s answered with what cannot be read, it is kept as it is: %s", protocol.name, error)
        return {"json": _as_json(tape.body), "status": tape.status}
    if isinstance(said, ErrorReply) and tape.status >= 400:
        said = attrs.evolve(said, status=tape.status, retry_after=_retry_after(tape.headers))
    return response_json(said)


def _retry_after(headers: Headers) -> float | None:
    """Seconds; what is no number (a date) is of its time, and not told again."""
    value = dict(headers).get("retry-after", "")
    return float(value) if value.isdecimal() else None


def _as_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _shown_status(status: int, config: RecordConfig) -> int:
    if not config.normalize_status:
        return status
    return 200 if 200 <= status < 300 else 502


def _noted(exchange: Exchange, status: int, proxied: Proxied) -> Entry:
    entry = exchange.record(status)
    entry.source, entry.proxied = "proxy", proxied
    return entry


def _failed(exchange: Exchange, failure: UpstreamFailed, proxied: Proxied) -> Whole:
    entry = _noted(exchange, failure.status, proxied)
    answer = exchange.json(failure.status, {"error": {"message": str(failure), "type": "proxy_error"}})
    answer.on_end = entry.ended
    return answer

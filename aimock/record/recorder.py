"""A miss goes to the real provider: relayed as it comes, kept on a tape, saved, and answered from then on."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.fixtures import Fixture, FixtureError, Question, make_fixture
from aimock.fixtures.fixture import Origin
from aimock.fixtures.structure import response_json
from aimock.journal import Entry, Proxied
from aimock.net.exchange import Answer, Headers, Relay, Task, Whole
from aimock.net.remote_socket import RemoteSocket
from aimock.record.answers import Said, error_in, said_on
from aimock.record.config import RecordConfig
from aimock.record.derive import derived_match, next_in_sequence
from aimock.record.headers import kept_headers, relayed_headers
from aimock.record.naming import Place
from aimock.record.providers import provider_of
from aimock.record.sessions import Asking, SessionRelay
from aimock.record.shelf import Saved, Shelf, ShelfError
from aimock.record.tape import TapeWriter, seal_of
from aimock.record.taping import Taping
from aimock.record.upstream import Call, Upstream, UpstreamFailed
from aimock_protocols.canonical import ChatRequest, WireProtocol
from aimock_protocols.cutting import cutter_for
from aimock_protocols.sessions import Follower, SocketProtocol

logger = logging.getLogger("aimock")

_NEVER_RECORDED = frozenset({401, 403})
"""What they say is of a key, not of a model."""
_UNSAVED = Origin("recorded")


class Miss(NamedTuple):
    """A request that no fixture answers, and where it is to go."""

    exchange: Exchange
    chat: ChatRequest
    question: Question
    protocol: WireProtocol | SocketProtocol
    place: Place

    @property
    def key(self) -> Hashable:
        """Equal for requests that one recording answers, however it is asked for: as a stream or whole."""
        return (self.place, self.question.endpoint, tuple(self.question.fingerprint.items()))

    def noted(self, status: int, proxied: Proxied) -> Entry:
        """Its entry in the journal."""
        entry = self.exchange.record(status)
        entry.source, entry.proxied = "proxy", proxied
        return entry


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
        self._sessions: dict[object, trio.Event] = {}
        """Those that providers go on with, and what tells of their end."""
        self._shields: set[trio.CancelScope] = set()
        """Around what is asked for though its client may leave."""
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
        """Closes all connections at once; what is still coming on them fails, and what was asked is not waited for."""
        if self._under_way:
            logger.warning("answers of providers that are not waited for, nor recorded: %d", len(self._under_way))
        for shield in self._shields:
            shield.cancel()
        await self._upstream.aclose()

    async def retire(self) -> None:
        """The same once all that is under way has come to its end."""
        while under_way := (*self._under_way.values(), *self._sessions.values()):
            await under_way[0].wait()
        await self.aclose()

    def admits(self, fixture: Fixture) -> bool:
        """Whether it may answer: what was recorded in an earlier run may not, where all is to be recorded anew."""
        file = fixture.origin.file
        if not self._asks_anew or file is None or fixture in self._anew:
            return True
        return not Path(file).resolve().is_relative_to(self._top)

    def place_of(self, exchange: Exchange, protocol: WireProtocol | SocketProtocol) -> Place | None:
        """Where the answer to a miss is to come from, and to be kept; None if nobody said where the provider is, or
        nothing more is recorded there."""
        provider = provider_of(protocol.name, exchange.head, self.config.providers)
        if provider is None:
            if protocol.name not in self._unknown:
                self._unknown.add(protocol.name)
                logger.warning(
                    "no provider has a URL for requests of %s: those that miss are not recorded", protocol.name
                )
            return None
        place = Place(provider, exchange.steering.test_id, exchange.steering.context)
        return None if self._shelf is not None and self._shelf.refusal(place) is not None else place

    def relay(
        self,
        exchange: Exchange,
        chat: ChatRequest,
        question: Question,
        protocol: WireProtocol,
        again: Callable[[], Answer | None],
    ) -> Answer | None:
        """The provider's answer; None if it is not to be asked. `again` gives what fixtures answer by then, None if it
        is a miss still."""
        place = self.place_of(exchange, protocol)
        if place is None:
            return None
        miss = Miss(exchange, chat, question, protocol, place)

        async def run() -> Answer:
            leader = (self._under_way if self.config.coalesce else self.ending).get(miss.key)
            if leader is not None:
                await leader.wait()
                answer = again()
                if answer is not None:
                    return answer
            if chat.stream:
                return await self._ask(miss)
            with trio.CancelScope(shield=True) as shield:  # what is whole is recorded though its client leaves
                self._shields.add(shield)
                try:
                    return await self._ask(miss)
                finally:
                    self._shields.discard(shield)
            return _failed(miss, UpstreamFailed("Proxy to upstream failed: this server ends"), Proxied())

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
        call = _call(exchange, miss.place.provider)
        logger.info("%s %s: no fixture matched, asking %s", head.method, head.path, miss.place.provider)
        sent = trio.current_time()
        proxied = Proxied()
        try:
            response = await self._upstream.ask(call)
        except UpstreamFailed as failure:
            proxied.duration = trio.current_time() - sent
            over()
            return _failed(miss, failure, proxied)
        proxied.status = response.status
        status = _shown_status(response.status, self.config)
        relayed = relayed_headers(response.headers)
        headers: Headers = (*relayed, *CORS)
        is_stream = _is_stream(miss.chat, response.status, dict(relayed).get("content-type", ""))
        tape = self.tape(miss.protocol.name, response.status, kept_headers(relayed), is_stream=is_stream)
        taping = Taping(self, miss, response, tape, sent, proxied, over)
        if is_stream:
            entry = miss.noted(status, proxied)
            return Relay(status, headers, taping.pieces(), exchange.fresh_beside(headers), on_end=entry.ended)
        try:
            body = await taping.whole()
        except UpstreamFailed as failure:
            return _failed(miss, failure, proxied)
        entry = miss.noted(status, proxied)
        if taping.trouble is not None:
            headers += (("x-aimock-record-error", taping.trouble.encode("latin-1", "replace").decode("latin-1")),)
        return Whole(status, headers, body, exchange.fresh_beside(headers), on_end=entry.ended)

    def tape(self, protocol_name: str, status: int, headers: Headers = (), *, is_stream: bool = True) -> TapeWriter:
        """An empty one, for as much as is kept."""
        return TapeWriter(
            protocol_name,
            status,
            headers,
            is_stream=is_stream,
            max_bytes=self.config.max_proxy_buffer_bytes,
            max_frames=self.config.max_proxy_buffer_frames,
            warn=logger.warning,
        )

    # -- sessions --------------------------------------------------------------------------------------------------

    def converse(
        self,
        upgrade: Exchange,
        protocol: SocketProtocol,
        follower: Follower,
        missed: Sequence[Asking],
        asking: Callable[[ChatRequest], Asking],
    ) -> SessionRelay:
        """A session that the provider goes on with, which has one (`place_of`); see `SessionRelay`."""
        place = self.place_of(upgrade, protocol)
        assert place is not None
        logger.info("%s: no fixture matched, %s answers from now on", upgrade.plan.label, place.provider)

        def tell(request: ChatRequest) -> tuple[Miss, bool]:
            exchange, chat, question, is_new = asking(request)
            return Miss(exchange, chat, question, protocol, place), is_new and upgrade.state.recorder is self

        misses = [Miss(exchange, chat, question, protocol, place) for exchange, chat, question, _ in missed]
        return SessionRelay(self, _call(upgrade, place.provider), follower, misses, tell)

    def socket(self, call: Call) -> AbstractAsyncContextManager[RemoteSocket]:
        """See `Upstream.socket`."""
        return self._upstream.socket(call)

    def patience(self, *, has_begun: bool) -> float:
        """Seconds for which a provider may be silent, before it has begun to answer or after."""
        return (self.config.body_timeout_ms if has_begun else self.config.upstream_timeout_ms) / 1000

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """A session that is to come to its end before connections are closed."""
        key = object()
        self._sessions[key] = trio.Event()
        try:
            yield
        finally:
            self._sessions.pop(key).set()

    # -- keeping ---------------------------------------------------------------------------------------------------

    async def keep(self, miss: Miss, tape: TapeWriter) -> Kept:
        """Saves what is on the tape and serves it from now on."""
        if self._shelf is None or tape.is_over:
            return Kept()
        if tape.status >= 400 and not self._records_error(tape.status):
            return Kept()
        said = said_on(tape, miss.protocol)
        if tape.status < 400 and error_in(said) is not None:  # an answer all the same, which clients must cope with
            logger.warning("%s said under a good status that it failed: it is recorded so", miss.place.provider)
        entry = _entry(miss, said, tape, self.config)
        if not self.config.sequence:
            return await self._save(self._shelf, miss, entry)
        async with self._in_sequence:  # no other may take the same place in it
            state, match = miss.exchange.state, entry["match"]
            match["sequenceIndex"] = next_in_sequence(match, state.book, state.counters, miss.place.test_id)
            return await self._save(self._shelf, miss, entry)

    def _records_error(self, status: int) -> bool:
        return self.config.record_errors and status not in _NEVER_RECORDED

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


def _call(exchange: Exchange, provider: str) -> Call:
    """The request as it goes to the provider."""
    head, is_guarded = exchange.head, bool(exchange.state.settings.api_keys)
    body = exchange.state.given_ids.restored(exchange.request.body)
    return Call(provider, head.method.upper(), head.target, head.header_lines, body, is_guarded)


def _is_stream(chat: ChatRequest, status: int, content_type: str) -> bool:
    """Whether the answer is to be relayed as it comes. JSON is, where the request is for a stream in JSON."""
    if not content_type.startswith("application/json"):
        return cutter_for(content_type) is not None
    asked_for = dict(chat.stream_headers or ()).get("content-type", "")
    return chat.stream and status == 200 and asked_for.startswith("application/json")


def _entry(miss: Miss, said: Said, tape: TapeWriter, config: RecordConfig) -> dict[str, Any]:
    answer = said if isinstance(said, dict) else response_json(said)
    entry: dict[str, Any] = {"match": derived_match(miss.question, config), "response": answer}
    timings = tape.timings()
    if timings is not None:
        entry["recordedTimings"] = timings
    return entry | {"metadata": miss.question.fingerprint, "recording": tape.tape(seal_of(answer))}


def _shown_status(status: int, config: RecordConfig) -> int:
    if not config.normalize_status:
        return status
    return 200 if 200 <= status < 300 else 502


def _failed(miss: Miss, failure: UpstreamFailed, proxied: Proxied) -> Whole:
    entry = miss.noted(failure.status, proxied)
    answer = miss.exchange.json(failure.status, {"error": {"message": str(failure), "type": "proxy_error"}})
    answer.on_end = entry.ended
    return answer

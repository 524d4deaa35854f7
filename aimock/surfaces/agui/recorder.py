"""What nothing matches goes to a real agent: its stream is relayed byte for byte, kept, and answered from then on."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Any

import orjson
import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.fixtures.recording import ms
from aimock.journal import Entry, Proxied
from aimock.net.exchange import Answer, BrokenOff, Ending, Headers, Relay, Task
from aimock.record.credentials import stripped
from aimock.record.headers import relayed_headers
from aimock.record.naming import Place
from aimock.record.shelf import Shelf, ShelfError
from aimock.record.tape import TapeWriter
from aimock.record.upstream import Call, Upstream, UpstreamFailed, UpstreamResponse
from aimock.surfaces.agui.book import Book
from aimock.surfaces.agui.fixture import read_fixture
from aimock.surfaces.agui.recording import PROVIDER, Recording
from aimock_protocols.agui.playing import MEDIA_TYPE, collapsed
from aimock_protocols.agui.run_input import RunInput
from aimock_protocols.agui.vocabulary import Event

logger = logging.getLogger("aimock")

_UNREACHABLE = "Upstream AG-UI agent unreachable"
_OF_THE_RUN = ("RUN_STARTED", "RUN_FINISHED")
_TERMINAL = (b'"RUN_FINISHED"', b'"RUN_ERROR"')

Note = Callable[[int], Entry]
"""Journals the exchange with the status of its answer."""


class Recorder:
    """Asks one agent, and puts what it says into a book and on a shelf."""

    def __init__(self, recording: Recording, book: Book) -> None:
        """Raises ValueError for a URL that cannot be used."""
        self._config = recording.config
        self._target = recording.target
        self._upstream = Upstream(self._config)
        self._shelf = None if self._config.proxy_only else Shelf(self._config, logger.warning)
        self._book = book
        self._under_way: set[trio.Event] = set()
        """Of each run that is relayed what tells that it has come to its end, kept or not."""
        self._ending: dict[Hashable, trio.Event] = {}
        """The same of those that have told their end, by what they will be found by: their clients may ask again before
        they are kept."""

    async def aclose(self) -> None:
        """Closes all connections; what is still coming on them fails."""
        await self._upstream.aclose()

    async def retire(self) -> None:
        """The same, once all that is under way has come to its end."""
        while self._under_way:
            await next(iter(self._under_way)).wait()
        await self.aclose()

    def relay(self, exchange: Exchange, asked: RunInput, note: Note, again: Callable[[], Answer | None]) -> Answer:
        """The agent's answer. `again` gives what fixtures answer, once a run that is as good as over has been kept."""
        key = orjson.dumps(derived_match(asked))

        async def run() -> Answer:
            over = self._ending.get(key)
            if over is not None:
                await over.wait()
                answer = again()
                if answer is not None:
                    return answer
            return await self._ask(exchange, asked, note, key)

        return Task(run)

    async def _ask(self, exchange: Exchange, asked: RunInput, note: Note, key: Hashable) -> Answer:
        head = exchange.head
        lines, _ = stripped(head.header_lines, "") if exchange.state.settings.api_keys else (head.header_lines, "")
        lines = (*(line for line in lines if line[0] != "accept"), ("accept", MEDIA_TYPE))
        logger.info("%s %s: no fixture matched, asking the agent", head.method, head.path)
        sent, proxied, over = trio.current_time(), Proxied(), trio.Event()
        self._under_way.add(over)

        def ended() -> None:
            proxied.duration = trio.current_time() - sent
            self._under_way.discard(over)
            if self._ending.get(key) is over:
                del self._ending[key]
            over.set()

        try:
            response = await self._upstream.ask(Call(PROVIDER, "POST", self._target, lines, exchange.request.body))
        except UpstreamFailed as failure:
            ended()
            logger.error("%s", failure)
            entry = _proxied(note(failure.status), proxied)
            answer = exchange.json(failure.status, {"error": _UNREACHABLE})
            answer.on_end = entry.ended
            return answer
        except BaseException:
            ended()
            raise
        proxied.status = response.status
        headers: Headers = (*relayed_headers(response.headers), *CORS)
        entry = _proxied(note(response.status), proxied)
        tape = self._tape(response, headers)
        told = functools.partial(self._ending.__setitem__, key, over)
        pieces = _Taping(self, asked, response, tape, sent, proxied, told, ended).pieces()
        return Relay(response.status, headers, pieces, exchange.fresh_headers, on_end=entry.ended)

    def _tape(self, response: UpstreamResponse, headers: Headers) -> TapeWriter | None:
        """What the answer is kept on; None if it is no run, or is not to be kept."""
        media = dict(headers).get("content-type", "").partition(";")[0].strip().lower()
        if self._shelf is None or not 200 <= response.status < 300 or media != MEDIA_TYPE:
            return None
        return TapeWriter(
            PROVIDER,
            response.status,
            headers,
            is_stream=True,
            max_bytes=self._config.max_proxy_buffer_bytes,
            max_frames=self._config.max_proxy_buffer_frames,
            warn=logger.warning,
        )

    async def keep(self, asked: RunInput, tape: TapeWriter) -> str | None:
        """Answers so from now on, and saves it: gives the file that it is in, if it is in one."""
        entry = _entry(asked, tape)
        if entry is None:
            return None
        fixture = read_fixture(entry if "match" in entry else {**entry, "match": {"predicate": _same_as(asked)}})
        assert fixture is not None, "it has events"
        self._book.add([fixture])
        if self._shelf is None or "match" not in entry:
            return None
        try:
            saved = await trio.to_thread.run_sync(self._shelf.save, entry, Place(PROVIDER))
        except ShelfError as error:
            logger.error("a recording could not be saved: %s", error)
            return None
        return str(saved.path)


class _Taping:
    """One run on its way through."""

    def __init__(
        self,
        recorder: Recorder,
        asked: RunInput,
        response: UpstreamResponse,
        tape: TapeWriter | None,
        sent: float,
        proxied: Proxied,
        told: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        """`sent`: when the request was, in Trio's time. `told` hears that the end of the run has passed, and `ended`
        that nothing more comes of it."""
        self._recorder = recorder
        self._asked = asked
        self._response = response
        self._tape = tape
        self._sent = sent
        self._proxied = proxied
        self._told = told
        self._ended = ended
        self._is_told = False
        """Whether the end of the run has passed, after which clients may leave."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        source = self._response.pieces()
        try:
            async for piece in source:
                self._feed(piece)
                yield piece
            await self._keep()
        except UpstreamFailed as failure:
            logger.warning("the agent broke off: %s", failure)
            raise BrokenOff(Ending.FIN) from failure
        except (trio.Cancelled, GeneratorExit):
            if self._is_told:
                await self._keep()
            raise
        finally:
            with trio.CancelScope(shield=True):
                await source.aclose()
                await self._response.aclose()
            self._ended()

    def _feed(self, piece: bytes) -> None:
        if self._tape is not None:
            frames = self._tape.feed(piece, self._now())
            if not self._is_told and any(end in frame for frame in frames for end in _TERMINAL):
                self._is_told = True
                self._told()

    def _now(self) -> float:
        """Milliseconds since the request was sent."""
        return (trio.current_time() - self._sent) * 1000

    async def _keep(self) -> None:
        if self._tape is None:
            return
        self._tape.end(self._now())
        if not self._tape.is_over:
            with trio.CancelScope(shield=True):
                self._proxied.recorded = await self._recorder.keep(self._asked, self._tape)


def _proxied(entry: Entry, proxied: Proxied) -> Entry:
    entry.source, entry.proxied = "proxy", proxied
    return entry


# -- what is kept ------------------------------------------------------------------------------------------------------


def _entry(asked: RunInput, tape: TapeWriter) -> dict[str, Any] | None:
    """The fixture, without a match if the request has nothing to be found by; None if there is no run in it."""
    events: list[Event] = []
    gaps: list[float] = []
    """Milliseconds that each event came after the one before; comments between them are no events."""
    waited = 0.0
    try:
        for gap, frame in tape.tape(seal="").frames:
            waited += gap
            for event in collapsed([frame]):
                events.append(_templated(event, asked))
                gaps.append(ms(round(waited, 1)))
                waited = 0.0
    except ValueError as error:
        logger.warning("the agent said what cannot be read, so it is not recorded: %s", error)
        return None
    if not events:
        logger.warning("the agent said nothing, so it is not recorded")
        return None
    match = derived_match(asked)
    entry: dict[str, Any] = {} if match is None else {"match": match}
    entry["events"] = events
    total = ms(round(sum(gaps), 1))
    entry["recordedTimings"] = {"ttftMs": gaps[0], "interChunkDelaysMs": gaps[1:], "totalDurationMs": total}
    try:
        read_fixture({**entry, "match": {}})
    except ValueError as error:
        logger.warning("the agent's run breaks a rule, and is recorded all the same: %s", error)
        entry["validate"] = False
    return entry


def derived_match(asked: RunInput) -> dict[str, Any] | None:
    """What a recording is found by: the tool call whose result came, else what the user said, and in which turn; and
    what was answered to interrupts. None if the request has none of these."""
    match: dict[str, Any] = {}
    if asked.last_tool_call_id is not None:
        match["toolCallId"] = asked.last_tool_call_id
    elif asked.last_user_text is not None:
        match |= {"message": asked.last_user_text, "turnIndex": asked.assistant_turns}
    if asked.resume:
        match["resume"] = {
            key: asked.resume[0][key] for key in ("interruptId", "status", "payload") if key in asked.resume[0]
        }
    return match or None


def _templated(event: Event, asked: RunInput) -> Event:
    """The request's own ids, where a run tells them, are to be the next request's when it is played."""
    if event["type"] not in _OF_THE_RUN:
        return event
    given = {"threadId": asked.thread_id, "runId": asked.run_id}
    own = {key: f"{{{{{key}}}}}" for key, value in given.items() if value is not None and event.get(key) == value}
    return {**event, **own}


def _same_as(asked: RunInput) -> Callable[[Any], bool]:
    """Whether another request says the same, but for the ids of its run."""

    def said(body: Any) -> Any:
        return {key: value for key, value in body.items() if key not in ("threadId", "runId", "parentRunId")}

    wanted = said(asked.body)
    return lambda body: bool(said(body) == wanted)

"""An agent that speaks AG-UI: a client asks for a run, and is told its events."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.journal import Entry
from aimock.net.exchange import Answer, Headers, Whole
from aimock.physics import Pace, Surroundings
from aimock.randomness import uniforms
from aimock.surfaces.agui.book import Book
from aimock.surfaces.agui.fixture import Fixture
from aimock.surfaces.agui.recording import Recording
from aimock.surfaces.agui.section import Section, read_section
from aimock.surfaces.mounted import Mounted
from aimock_protocols.agui.playing import STREAM_HEADERS, RunIds, error_frame, frames, played
from aimock_protocols.agui.run_input import InputError, RunInput, read_input
from aimock_protocols.canonical import ErrorReply, Frame, Stamp

if TYPE_CHECKING:
    from aimock.surfaces.agui.recorder import Recorder

_HEADERS: Headers = (*STREAM_HEADERS, *CORS)
_NO_MATCH = "No matching AG-UI fixture"
_BYTES_A_TOKEN = 4
"""About as many of a request's are one of its prompt's."""
_KNOWN_METHODS = frozenset({"POST", "GET", "PUT", "PATCH", "DELETE", "HEAD"})


class AGUI(Mounted):
    """One agent."""

    name = "agui"

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self._recorder: Recorder | None = None

    # -- what it is told -------------------------------------------------------------------------------------------

    def take(self, section: Section) -> None:
        """Adds the fixtures of a section, and records as it says, if it does."""
        self.book.add(section.fixtures)
        if section.recording is not None:
            self.record(section.recording)

    def add(self, value: Any) -> int:
        section = read_section(value, Path())
        self.take(section)
        return len(section.fixtures)

    def record(self, recording: Recording | None) -> None:
        """From now on what nothing matches goes to that agent, or to none. What is under way comes to its end."""
        before, self._recorder = self._recorder, None
        if recording is not None:
            from aimock.surfaces.agui.recorder import Recorder  # most agents ask nobody

            self._recorder = Recorder(recording, self.book)
        if before is not None and trio.lowlevel.in_trio_run():
            trio.lowlevel.spawn_system_task(before.retire)

    def reset(self) -> None:
        self.book.clear()

    def rewind(self, test_id: str | None = None) -> None:
        self.book.rewind(test_id)

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "fixtures": len(self.book)}

    async def aclose(self) -> None:
        await super().aclose()
        if self._recorder is not None:
            await self._recorder.aclose()

    # -- what it answers -------------------------------------------------------------------------------------------

    def respond(self, exchange: Exchange, path: str) -> Answer:
        if path != "/":
            return self._error(exchange, 404, f"Not found: an agent has no {path}")
        if exchange.head.method != "POST":
            refusal = self._error(exchange, 405, "Method not allowed: runs are asked for by POST")
            return attrs.evolve(refusal, headers=(*refusal.headers, ("allow", "POST")))
        try:
            asked = read_input(exchange.request.body)
        except InputError as error:
            return self._error(exchange, 400, str(error))
        fixture = self.book.serve(asked, exchange.steering.test_id)
        return self.under_chaos(
            exchange,
            functools.partial(self._answer, exchange, asked, fixture),
            streamed=True,
            fail=lambda error: self._error(exchange, error.status, error.message, asked),
            error_frame=_error_frame,
        )

    def _answer(self, exchange: Exchange, asked: RunInput, fixture: Fixture | None) -> Answer:
        if fixture is not None:
            return self._play(exchange, asked, fixture)
        if not exchange.strict and self._recorder is not None:
            note = functools.partial(self._noted, exchange, asked)
            return self._recorder.relay(exchange, asked, note, functools.partial(self._again, exchange, asked))
        self.missed(exchange, "no AG-UI fixture matches")
        status, words = (503, "Strict mode: no matching AG-UI fixture") if exchange.strict else (404, _NO_MATCH)
        answer = self._error(exchange, status, words, asked)
        assert exchange.entry is not None, "the refusal has been noted"
        exchange.entry.strict_override = exchange.strict_override
        return answer

    def _again(self, exchange: Exchange, asked: RunInput) -> Answer | None:
        """The answer of a fixture that there was not at first."""
        fixture = self.book.serve(asked, exchange.steering.test_id)
        return None if fixture is None else self._play(exchange, asked, fixture)

    def _noted(self, exchange: Exchange, asked: RunInput, status: int) -> Entry:
        return self.noted(exchange, status, "POST", {**asked.body})

    def _error(self, exchange: Exchange, status: int, message: str, asked: RunInput | None = None) -> Whole:
        method = exchange.head.method
        body = None if asked is None else {**asked.body}
        entry = self.noted(exchange, status, method if method in _KNOWN_METHODS else "other", body)
        return attrs.evolve(exchange.json(status, {"error": message}), on_end=entry.ended)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        return self._error(exchange, status, message)

    # -- runs ------------------------------------------------------------------------------------------------------

    def _play(self, exchange: Exchange, asked: RunInput, fixture: Fixture) -> Answer:
        """The fixture's run, with ids of this one, each event at its time."""
        state, stamp = exchange.state, exchange.stamp
        pace = state.settings.tempo.pace_of(fixture.delivery)
        events = played(fixture.events, RunIds(asked, stamp), _chunk_size(exchange, fixture, pace))
        entry = self._noted(exchange, asked, 200)
        if fixture.delay_ms is not None:
            gap = fixture.delay_ms / 1000 / pace.speed
            offsets: Iterable[float] = (place * gap for place in range(len(events)))
            ends_at = len(events) * gap
        else:
            around = Surroundings(
                uniforms(stamp.entropy, "jitter"),
                lambda: len(exchange.request.body) // _BYTES_A_TOKEN,
                lambda: state.streams,
            )
            offsets, ends_at = _offsets(len(events), pace, around), None
        sent = frames(events, offsets, stamp)
        is_instant = pace.is_instant if ends_at is None else ends_at == 0
        if exchange.fault is None and is_instant:
            body = b"".join(frame.data for _, frame in sent)
            return Whole(200, _HEADERS, body, exchange.fresh_headers, chunked=True, on_end=entry.ended)
        stream = self.streamed(exchange, entry, _HEADERS, sent, _error_frame)
        if exchange.fault is None:
            stream.ends_at = ends_at
        if pace.profile is not None and pace.profile.load_factor is not None and stream.on_end is not None:
            stream.on_end = state.under_way(stream.on_end)
        return stream


def from_config(value: Any, directory: Path) -> AGUI:
    """The service of a section. Raises ValueError, as `read_section` does."""
    service = AGUI()
    service.take(read_section(value, directory))
    return service


def _offsets(count: int, pace: Pace, around: Surroundings) -> Iterator[float]:
    """Of that many events, in seconds."""
    offset = 0.0
    for index in range(count):
        offset += pace.delay(index, around)
        yield offset


def _chunk_size(exchange: Exchange, fixture: Fixture, pace: Pace) -> int | None:
    """In characters, if texts are cut at all: where a fixture says so, or its tokens have a pace."""
    if fixture.delivery.chunk_size is not None:
        return fixture.delivery.chunk_size
    return exchange.state.settings.chunk_size if fixture.is_composed and pace.profile is not None else None


def _error_frame(error: ErrorReply, stamp: Stamp) -> Frame:
    return error_frame(error.message, error.code, stamp)

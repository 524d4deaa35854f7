"""Everything that one server knows and may change. Two servers in one process share none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import trio

from aimock.chaos import ServerChaos
from aimock.fixtures import Counters, Fixture, FixtureBook, LocalSource, Question
from aimock.given_ids import GivenIds
from aimock.injected import InjectedErrors
from aimock.journal import Journal
from aimock.memories import Memories
from aimock.mounts import Mounts
from aimock.net.exchange import Outcome
from aimock.quotas import Quotas
from aimock.randomness import Randomness
from aimock.settings import Settings

if TYPE_CHECKING:
    from aimock.exchange import Exchange
    from aimock.metrics import Metrics
    from aimock.record.recorder import Recorder


class State:
    """The fixtures, counters, journal, queued errors and randomness of one server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.book = FixtureBook()
        self.sources: dict[str, LocalSource] = {}
        self.recorded: list[Fixture] = []
        """What was recorded, until its file is read as part of a source that is watched."""
        self.counters = Counters(settings.fixture_counts_max_test_ids)
        self.journal = Journal(settings.journal_max_entries)
        self.injected = InjectedErrors()
        self.memories = Memories()
        self.given_ids = GivenIds()
        self.mounts = Mounts()
        self.chaos = ServerChaos(settings.chaos)
        self.quotas = Quotas(settings.quota, settings.clock) if settings.quota is not None else None
        self.streams = 0
        """Streams with a load factor that are under way."""
        self.randomness = Randomness(settings.seed)
        self.metrics: Metrics | None = _metrics(self.book) if settings.metrics else None
        self.recorder: Recorder | None = None
        """Where misses go, if they go anywhere; set by `record_by`."""
        self.stale: set[Fixture] = set()
        """Recordings of which it was said that their request has changed since."""
        self.on_unexpected: Callable[[Exchange, str], object] | None = None
        """Told of each request that no fixture or no route answers, and why."""

    @property
    def rewrites_ids(self) -> bool:
        """Whether what was recorded is answered with fresh ids."""
        return self.settings.rewrite_ids or (self.recorder is not None and self.recorder.config.rewrite_ids)

    async def aclose(self) -> None:
        """Lets go of what it holds outside the process."""
        if self.recorder is not None:
            await self.recorder.aclose()
        for _, service in self.mounts:
            await service.aclose()

    def leave(self) -> None:
        """The loop in which it has answered goes on without it."""
        if self.recorder is not None:
            trio.lowlevel.spawn_system_task(self.recorder.retire)

    def record_by(self, recorder: Recorder | None) -> None:
        """From now on misses go to the providers of this one. The one before closes its connections as soon as all
        that it has asked for has come."""
        before, self.recorder = self.recorder, recorder
        if before is not None and trio.lowlevel.in_trio_run():  # where nothing runs, it has no connections
            trio.lowlevel.spawn_system_task(before.retire)
        if recorder is not None:
            self.book.keep_only(recorder.admits)

    def under_way(self, on_end: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
        """Counts a stream until it ends, of which `on_end` is told."""
        self.streams += 1

        def ended(outcome: Outcome) -> None:
            self.streams -= 1
            on_end(outcome)

        return ended

    def replace_source(self, name: str, fixtures: Iterable[Fixture]) -> None:
        """Serves these of the source from the next request on; what it had besides is forgotten, counts and all."""
        self.book.replace_source(name, self.admitted(fixtures))
        self.counters.retain(self.book.fixtures)
        self.stale.intersection_update(self.book)
        taken_in = {fixture for source in self.sources.values() for fixture in source.fixtures}
        self.recorded = [fixture for fixture in self.recorded if fixture not in taken_in]

    def admitted(self, fixtures: Iterable[Fixture]) -> Iterable[Fixture]:
        """Those that answer: a recorder may want to ask again for what was recorded in earlier runs."""
        return fixtures if self.recorder is None else filter(self.recorder.admits, fixtures)

    def add_recorded(self, fixture: Fixture, question: Question) -> None:
        """Serves what was recorded for this question, after all else, and counts it as its answer. Its origin says
        where it is kept."""
        if fixture.match.sequence_index is not None:
            self.counters.join(fixture, self.book.sequence_of(fixture.match))
        self.book.append((fixture,))
        self.book.count(fixture, question, self.counters)
        self.recorded.append(fixture)

    def clear_fixtures(self) -> None:
        """Fixtures and queued errors: the control API has always cleared the two together."""
        self.counters.retain(self.book.fixtures)  # those that went earlier will not come back
        self.book.clear()
        self.recorded.clear()
        self.stale.clear()
        self.injected.clear()

    def rewind(self, test_id: str | None = None) -> None:
        """Everything that happens so many times, or in turn, begins anew, under one test id or all."""
        self.counters.reset(test_id)
        self.chaos.rewind(test_id)
        for _, service in self.mounts:
            service.rewind(test_id)

    def reset(self) -> None:
        """Back to an empty server: the one reset behind the API, the control routes and the test plugin. What is
        mounted keeps its own fixtures."""
        self.clear_fixtures()
        self.journal.clear()
        self.rewind()
        self.chaos.reset()
        self.memories.forget()
        self.given_ids.forget()
        if self.quotas is not None:
            self.quotas.reset()
        self.randomness.rewind()


def _metrics(book: FixtureBook) -> Metrics:
    from aimock.metrics import Metrics  # the Prometheus client takes longer to import than the rest of a start

    return Metrics(fixtures_loaded=book.__len__)

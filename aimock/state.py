"""Everything that one server knows and may change. Two servers in one process share none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from aimock.chaos import ServerChaos
from aimock.fixtures import Counters, Fixture, FixtureBook, LocalSource
from aimock.injected import InjectedErrors
from aimock.journal import Journal
from aimock.memories import Memories
from aimock.net.exchange import Outcome
from aimock.quotas import Quotas
from aimock.randomness import Randomness
from aimock.settings import Settings

if TYPE_CHECKING:
    from aimock.exchange import Exchange
    from aimock.metrics import Metrics


class State:
    """The fixtures, counters, journal, queued errors and randomness of one server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.book = FixtureBook()
        self.sources: dict[str, LocalSource] = {}
        self.counters = Counters(settings.fixture_counts_max_test_ids)
        self.journal = Journal(settings.journal_max_entries)
        self.injected = InjectedErrors()
        self.memories = Memories()
        self.chaos = ServerChaos(settings.chaos)
        self.quotas = Quotas(settings.quota, settings.clock) if settings.quota is not None else None
        self.streams = 0
        """Streams with a load factor that are under way."""
        self.randomness = Randomness(settings.seed)
        self.metrics: Metrics | None = _metrics(self.book) if settings.metrics else None
        self.on_unexpected: Callable[[Exchange, str], object] | None = None
        """Told of each request that no fixture or no route answers, and why."""

    def under_way(self, on_end: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
        """Counts a stream until it ends, of which `on_end` is told."""
        self.streams += 1

        def ended(outcome: Outcome) -> None:
            self.streams -= 1
            on_end(outcome)

        return ended

    def replace_source(self, name: str, fixtures: Iterable[Fixture]) -> None:
        """Serves these of the source from the next request on; what it had besides is forgotten, counts and all."""
        self.book.replace_source(name, fixtures)
        self.counters.retain(self.book.fixtures)

    def clear_fixtures(self) -> None:
        """Fixtures and queued errors: the control API has always cleared the two together."""
        self.counters.retain(self.book.fixtures)  # those that went earlier will not come back
        self.book.clear()
        self.injected.clear()

    def rewind(self, test_id: str | None = None) -> None:
        """Everything that happens so many times, or in turn, begins anew, under one test id or all."""
        self.counters.reset(test_id)
        self.chaos.rewind(test_id)

    def reset(self) -> None:
        """Back to an empty server: the one reset behind the API, the control routes and the test plugin."""
        self.clear_fixtures()
        self.journal.clear()
        self.counters.reset()
        self.chaos.reset()
        self.memories.forget()
        if self.quotas is not None:
            self.quotas.reset()
        self.randomness.rewind()


def _metrics(book: FixtureBook) -> Metrics:
    from aimock.metrics import Metrics  # the Prometheus client takes longer to import than the rest of a start

    return Metrics(fixtures_loaded=book.__len__)

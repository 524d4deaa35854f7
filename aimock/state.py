"""Everything that one server knows and may change. Two servers in one process share none of it."""

from __future__ import annotations

from collections.abc import Iterable

from aimock.fixtures import Counters, Fixture, FixtureBook, LocalSource
from aimock.injected import InjectedErrors
from aimock.journal import Journal
from aimock.randomness import Randomness
from aimock.settings import Settings


class State:
    """The fixtures, counters, journal, queued errors and randomness of one server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.book = FixtureBook()
        self.sources: dict[str, LocalSource] = {}
        self.counters = Counters(settings.fixture_counts_max_test_ids)
        self.journal = Journal(settings.journal_max_entries)
        self.injected = InjectedErrors()
        self.randomness = Randomness(settings.seed, settings.fixture_counts_max_test_ids)

    def replace_source(self, name: str, fixtures: Iterable[Fixture]) -> None:
        """Serves these of the source from the next request on; what it had besides is forgotten, counts and all."""
        self.book.replace_source(name, fixtures)
        self.counters.retain(self.book.fixtures)

    def clear_fixtures(self) -> None:
        """Fixtures and queued errors: the control API has always cleared the two together."""
        self.counters.retain(self.book.fixtures)  # those that went earlier will not come back
        self.book.clear()
        self.injected.clear()

    def reset(self) -> None:
        """Back to an empty server: the one reset behind the API, the control routes and the test plugin."""
        self.clear_fixtures()
        self.journal.clear()
        self.counters.reset()
        self.randomness.rewind()

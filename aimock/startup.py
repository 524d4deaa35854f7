"""From a choice of settings to a server's handler: state, and the fixtures read into it."""

from __future__ import annotations

import gc
import logging

from aimock import choices, logs, sources
from aimock.app import App
from aimock.chaos import QUIET
from aimock.config import Config, Failure
from aimock.fixtures import FixtureSourceError, Problem, Severity, shown_source
from aimock.fixtures.load import SourceUnavailable
from aimock.settings import Settings
from aimock.state import State

logger = logging.getLogger("aimock")

_MOST_GARBAGE = 1_000_000
"""Objects before the collector looks for cycles among them: some 100 MiB."""


def build(choice: Config) -> App:
    """The application, and on the log what it consists of. `choice` has every value but the seed. Raises Failure."""
    state = State(
        Settings(
            latency=choice.latency or 0.0,
            chunk_size=choice.chunk_size or 1,
            replay_speed=choice.replay_speed or 1.0,
            embeddings=choice.embeddings or "hash",
            rewrite_ids=bool(choice.rewrite_ids),
            strict=bool(choice.strict),
            providers=choice.providers,
            journal_max_entries=choice.journal_max or 0,
            fixture_counts_max_test_ids=choice.fixture_counts_max or 0,
            seed=choice.seed,
            streaming_profile=choice.streaming_profile,
            chaos=choice.chaos or QUIET,
            quota=choice.quota,
            wall_clock=choice.wall_clock,
            metrics=bool(choice.metrics),
            api_keys=choice.api_keys or (),
            is_secure=choice.tls is not None,
            sessions=choice.sessions,
        )
    )
    if choice.record is not None:
        try:
            state.record_by(choices.recorder(choice.record))
        except ValueError as error:
            raise Failure(str(error)) from error
    for path, service in choice.services:
        try:
            state.mounts.add(path, service)
        except ValueError as error:
            raise Failure(f"{service.name}: {error}") from error
    _load(state, choice)
    state.book.append(choice.service_fixtures)
    _tune_collector()
    logger.info("seed %d", state.randomness.seed)
    return App(state)


def _load(state: State, choice: Config) -> None:
    problems: list[Problem] = []

    def report(problem: Problem) -> None:
        problems.append(problem)
        logs.report_problem(problem)

    named = tuple(dict.fromkeys(choice.fixtures or ()))
    for source in named:
        try:
            sources.add(state, source, report)
        except SourceUnavailable as error:
            report(Problem(shown_source(source), None, Severity.ERROR, f"{error.reason}; the source is skipped"))
        except FixtureSourceError as error:
            raise Failure(str(error)) from error
    errors = sum(problem.severity == "error" for problem in problems)
    if choice.validate_on_load and errors:
        raise Failure(f"{errors} error(s) in the fixtures")
    shown = ", ".join(map(shown_source, named))
    if len(state.book) == 0 and named:
        if choice.strict or choice.validate_on_load:
            raise Failure(f"no fixtures in {shown}")
        level = logging.WARNING if choice.record is None else logging.INFO  # who records has none to begin with
        logger.log(level, "no fixtures in %s", shown)
    logger.info("loaded %d fixture(s) from %s", len(state.book), shown or "nowhere")


def _tune_collector() -> None:
    """Fixtures live as long as the process, and what requests and sessions make is freed without the collector. So it
    need not look at what is there already, nor often: as it is, CPython looks whenever so many more objects live than
    before, and when a thousand sessions begin that halts them all for 3 to 15 ms, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MOST_GARBAGE, 20, 100)
    gc.enable()

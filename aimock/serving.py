"""Running the server as a process: fixtures loaded, signals heard, an orderly end."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import AsyncIterator

import trio

from aimock import logs
from aimock.app import App
from aimock.cli import Failure
from aimock.config import Config
from aimock.fixtures import FixtureSourceError, Problem, load_source
from aimock.net.listen import open_listeners, url_of
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State

logger = logging.getLogger("aimock")


def run(choice: Config, grace: float) -> int:
    """Serves until SIGINT or SIGTERM and returns the exit status. Raises Failure if it cannot start.

    `choice` has every value but the seed. A second signal ends the process without waiting for streams.
    """
    logs.show(choice.log_level or "info")
    _raise_descriptor_limit()
    state = State(
        Settings(
            latency=choice.latency or 0.0,
            chunk_size=choice.chunk_size or 1,
            replay_speed=choice.replay_speed or 1.0,
            strict=bool(choice.strict),
            journal_max_entries=choice.journal_max or 0,
            fixture_counts_max_test_ids=choice.fixture_counts_max or 0,
            seed=choice.seed,
        )
    )
    _load(state, choice)
    _tune_collector()
    trio.run(_serve, state, choice, grace, restrict_keyboard_interrupt_to_checkpoints=True)
    return 0


def _load(state: State, choice: Config) -> None:
    problems: list[Problem] = []

    def report(problem: Problem) -> None:
        problems.append(problem)
        logs.report_problem(problem)

    for source in choice.fixtures or ():
        try:
            state.book.replace_source(source, load_source(source, report))
        except FixtureSourceError as error:
            raise Failure(str(error)) from error
    errors = sum(problem.severity == "error" for problem in problems)
    if choice.validate_on_load and errors:
        raise Failure(f"{errors} error(s) in the fixtures")
    sources = ", ".join(choice.fixtures or ())
    if len(state.book) == 0 and choice.fixtures:
        if choice.strict or choice.validate_on_load:
            raise Failure(f"no fixtures in {sources}")
        logger.warning("no fixtures in %s", sources)
    logger.info("loaded %d fixture(s) from %s", len(state.book), sources or "nowhere")


async def _serve(state: State, choice: Config, grace: float) -> None:
    assert choice.host is not None
    assert choice.port is not None
    try:
        listeners = open_listeners(choice.host, choice.port)
    except OSError as error:
        raise Failure(error.strerror or str(error)) from error
    server = HTTPServer(App(state), wall_clock=state.settings.wall_clock)
    # Signals are heard before readiness is told: a supervisor may send SIGTERM the instant it reads that line.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            logger.info("seed %d", state.randomness.seed)
            logger.info("aimock server listening on %s", url_of(listeners[0]))
            await anext(signals)
            logger.info("shutting down")
            nursery.start_soon(server.shut_down, grace)
            nursery.start_soon(_end_at_next, signals, nursery.cancel_scope)
            await server.ended.wait()
            nursery.cancel_scope.cancel()


async def _end_at_next(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _tune_collector() -> None:
    """Fixtures live as long as the process, and a request leaves no cycles: the collector need not look often, nor at
    what is there already."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _raise_descriptor_limit() -> None:
    """As many connections as the system allows: the usual soft limit is 1,024."""
    try:
        import resource
    except ImportError:
        return  # not a POSIX system
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))

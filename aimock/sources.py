"""The sources that a server's fixtures come from: paths and URLs named at its start, of which paths can be watched.

They are watched by looking at them twice a second, and not by the operating system's notifications: those do not come
through the bind mounts of containers and over network file systems, come by name where files are replaced by renaming
or by swapping a link, and cannot be told by a test when to come. Looking costs little: two hundred files take about
two milliseconds, in a thread, and large trees are looked at less often.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable

import trio

from aimock import logs
from aimock.fixtures import Fixture, LocalSource, is_url, load_source, open_source, poll
from aimock.fixtures.load import Reporter
from aimock.state import State

logger = logging.getLogger("aimock")

INTERVAL = 0.5
"""Seconds between two looks, and so how long a source must have stayed the same before a change of it counts."""
_REST = 20
"""A look is followed by a rest of so many times as long as it took: watching takes at most a twentieth of a core."""

InThread = Callable[[Callable[[], LocalSource]], Awaitable[LocalSource]]


def add(state: State, name: str, report: Reporter) -> None:
    """Reads a source, a path or a URL, into the server's book. Raises FixtureSourceError if it cannot be used."""
    if is_url(name):
        state.replace_source(name, load(name, report))
        return
    source = open_source(name, report)
    state.sources[name] = source
    state.replace_source(name, source.fixtures)


def load(name: str, report: Reporter) -> list[Fixture]:
    """The fixtures of a path or a URL, read once. Raises FixtureSourceError if it cannot be used."""
    if not is_url(name):
        return load_source(name, report)
    from aimock.remote import load_remote  # few servers have remote fixtures

    return load_remote(name, report)


async def _in_thread(look: Callable[[], LocalSource]) -> LocalSource:
    """A file system that hangs does not keep the server from ending: a look that nobody waits for changes nothing."""
    return await trio.to_thread.run_sync(look, abandon_on_cancel=True)


async def watch(state: State, *, validate: bool = False, in_thread: InThread = _in_thread) -> None:
    """Looks at the local sources until cancelled, and replaces those that have changed, between two requests.

    `validate` refuses a change with any error in it. `in_thread` runs what may wait for a file system.
    """
    logger.info("watching %s", ", ".join(state.sources) or "nothing: there are no local fixtures")
    rest = INTERVAL
    while state.sources:
        await trio.sleep(rest)
        started = trio.current_time()
        for name, source in list(state.sources.items()):
            state.sources[name] = after = await in_thread(
                functools.partial(poll, source, logs.report_problem, validate=validate, recorded=tuple(state.recorded))
            )
            if after.files is not source.files:
                state.replace_source(name, after.fixtures)
                logger.info("reloaded %s: %d fixture(s)", name, sum(1 for _ in after.fixtures))
        rest = max(INTERVAL, (trio.current_time() - started) * _REST)

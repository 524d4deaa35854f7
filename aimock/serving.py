"""Running the server as a process: signals heard, probes answered at once, an orderly end."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trio

from aimock import progress
from aimock.config import Config, Failure
from aimock.net.certificates import CertificateError
from aimock.net.server import ServerKind, server_kind
from aimock.opening import Opening
from aimock.tls import Entrance, exports, listening

if TYPE_CHECKING:
    from aimock.app import App
    from aimock.record.tally import Tally

logger = logging.getLogger("aimock")


class Opened(NamedTuple):
    """A server that answers."""

    app: App
    url: str
    ca_file: Path | None
    """The CA that its clients have to trust, if it has one of its own."""


Signals = AsyncIterator[int]
Work = Callable[[trio.MemoryReceiveChannel[Opened], Signals], Awaitable[int]]
"""What a server is there for: it ends when this does, whose outcome is the exit status. It is told of the server as
soon as that is open, and of each SIGINT and SIGTERM."""


async def until_signalled(opened: trio.MemoryReceiveChannel[Opened], signals: Signals) -> int:
    """The work of a server that is there for whoever comes."""
    await anext(signals)
    return 0


def run(choice: Config, grace: float, work: Work = until_signalled, tally: Tally | None = None) -> int:
    """Serves as long as the work takes and returns the exit status. Raises Failure if it cannot start.

    `choice` has every value but the seed. A signal after the work has ended ends the process without waiting for
    streams. `tally` counts what is recorded, and is shown on a terminal meanwhile.
    """
    outcome = trio.run(_serve, choice, grace, work, tally, restrict_keyboard_interrupt_to_checkpoints=True)
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


async def _serve(choice: Config, grace: float, work: Work, tally: Tally | None) -> Failure | int:
    assert choice.host is not None
    assert choice.port is not None
    kind = server_kind(http2=bool(choice.http2))
    with contextlib.ExitStack() as stack:
        try:
            entrance = stack.enter_context(listening(choice.host, choice.port, choice.tls, kind.alpn))
        except (OSError, CertificateError) as error:
            return Failure((isinstance(error, OSError) and error.strerror) or str(error))
        return await _serve_at(entrance, kind, choice, grace, work, tally)


async def _serve_at(
    entrance: Entrance, kind: ServerKind, choice: Config, grace: float, work: Work, tally: Tally | None
) -> Failure | int:
    listeners, security, url = entrance
    opening = Opening()
    server = kind(opening, wall_clock=choice.wall_clock, security=security)
    failures: list[Failure] = []
    status = 0
    tell, told = trio.open_memory_channel[Opened](1)
    # Signals are heard before readiness is told: a supervisor may send SIGTERM the instant it reads that line.
    with tell, told, trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with contextlib.AsyncExitStack() as closing, trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)

            async def open_up() -> None:
                try:
                    app = await trio.to_thread.run_sync(_build, choice, abandon_on_cancel=True)
                    closing.push_async_callback(app.state.aclose)
                    opening.open(app.counted())
                except Failure as failure:
                    failures.append(failure)
                    nursery.cancel_scope.cancel()
                else:
                    ca_file = None if security is None else security.ca_file
                    if ca_file is not None:
                        lines = "\n".join(exports(ca_file))
                        logger.info("the CA of its certificate lies in %s; for SDKs to trust it:\n%s", ca_file, lines)
                    logger.info("aimock server listening on %s", url)
                    if tally is not None:
                        tally.watch(app.state)
                        if progress.fits(choice.log_level):
                            nursery.start_soon(progress.show, tally)
                    tell.send_nowait(Opened(app, url, ca_file))
                    if choice.watch:
                        await _watch(app, validate=bool(choice.validate_on_load))

            async def shut_down() -> None:
                await server.shut_down(grace)
                await closing.aclose()  # not later: what is still asked of a provider would hold the end up

            nursery.start_soon(open_up)
            status = await work(told, signals)
            logger.info("shutting down")
            nursery.start_soon(shut_down)
            nursery.start_soon(_end_at_next, signals, nursery.cancel_scope)
            await server.ended.wait()
            nursery.cancel_scope.cancel()
    return failures[0] if failures else status


async def _watch(app: App, *, validate: bool) -> None:
    from aimock import sources

    await sources.watch(app.state, validate=validate)


def _build(choice: Config) -> App:
    """In a thread, while the loop answers probes: importing this much takes as long as starting the loop."""
    from aimock import startup

    return startup.build(choice)


async def _end_at_next(signals: Signals, scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def raise_descriptor_limit() -> None:
    """As many connections as the system allows: the usual soft limit is 1,024."""
    try:
        import resource
    except ImportError:
        return  # not a POSIX system
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))

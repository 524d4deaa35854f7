"""Running the server as a process: signals heard, probes answered at once, an orderly end."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import trio

from aimock import logs
from aimock.config import Config, Failure
from aimock.net.certificates import CertificateError
from aimock.net.server import ServerKind, server_kind
from aimock.opening import Opening
from aimock.tls import Entrance, exports, listening

if TYPE_CHECKING:
    from aimock.app import App

logger = logging.getLogger("aimock")


def run(choice: Config, grace: float) -> int:
    """Serves until SIGINT or SIGTERM and returns the exit status. Raises Failure if it cannot start.

    `choice` has every value but the seed. A second signal ends the process without waiting for streams.
    """
    logs.show(choice.log_level or "info")
    _raise_descriptor_limit()
    failure = trio.run(_serve, choice, grace, restrict_keyboard_interrupt_to_checkpoints=True)
    if failure is not None:
        raise failure
    return 0


async def _serve(choice: Config, grace: float) -> Failure | None:
    assert choice.host is not None
    assert choice.port is not None
    kind = server_kind(http2=bool(choice.http2))
    with contextlib.ExitStack() as stack:
        try:
            entrance = stack.enter_context(listening(choice.host, choice.port, choice.tls, kind.alpn))
        except (OSError, CertificateError) as error:
            return Failure((isinstance(error, OSError) and error.strerror) or str(error))
        return await _serve_at(entrance, kind, choice, grace)


async def _serve_at(entrance: Entrance, kind: ServerKind, choice: Config, grace: float) -> Failure | None:
    listeners, security, url = entrance
    opening = Opening()
    server = kind(opening, wall_clock=choice.wall_clock, security=security)
    failures: list[Failure] = []
    # Signals are heard before readiness is told: a supervisor may send SIGTERM the instant it reads that line.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
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
                    if security is not None and security.ca_file is not None:
                        lines = "\n".join(exports(security.ca_file))
                        logger.info(
                            "the CA of its certificate lies in %s; for SDKs to trust it:\n%s", security.ca_file, lines
                        )
                    logger.info("aimock server listening on %s", url)
                    if choice.watch:
                        await _watch(app, validate=bool(choice.validate_on_load))

            async def shut_down() -> None:
                await server.shut_down(grace)
                await closing.aclose()  # not later: what is still asked of a provider would hold the end up

            nursery.start_soon(open_up)
            await anext(signals)
            logger.info("shutting down")
            nursery.start_soon(shut_down)
            nursery.start_soon(_end_at_next, signals, nursery.cancel_scope)
            await server.ended.wait()
            nursery.cancel_scope.cancel()
    return failures[0] if failures else None


async def _watch(app: App, *, validate: bool) -> None:
    from aimock import sources

    await sources.watch(app.state, validate=validate)


def _build(choice: Config) -> App:
    """In a thread, while the loop answers probes: importing this much takes as long as starting the loop."""
    from aimock import startup

    return startup.build(choice)


async def _end_at_next(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _raise_descriptor_limit() -> None:
    """As many connections as the system allows: the usual soft limit is 1,024."""
    try:
        import resource
    except ImportError:
        return  # not a POSIX system
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))

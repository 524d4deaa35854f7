"""How the performance of an answer ends: with all of it, or with the client's leaving; and that it is told once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

import trio

from aimock.net.exchange import Answer, Outcome, Relay, Task
from aimock.net.transport import PeerGone

logger = logging.getLogger("aimock")


class _Report:
    """How a performance ended; stopped, until more is known."""

    outcome = Outcome.STOPPED


@contextlib.contextmanager
def reporting(on_end: Callable[[Outcome], None] | None) -> Iterator[_Report]:
    """Tells `on_end` how the performance inside ended."""
    report = _Report()
    try:
        yield report
    except PeerGone:
        report.outcome = Outcome.CLIENT_LEFT
        raise
    finally:
        if on_end is not None:
            on_end(report.outcome)


@contextlib.asynccontextmanager
async def watching(until_client_leaves: Callable[[], Awaitable[None]]) -> AsyncIterator[trio.CancelScope]:
    """What is inside is cancelled if the client leaves before it is done, and PeerGone raised. By the scope that it is
    given it can end the watch. `until_client_leaves` may raise PeerGone itself."""
    watch = trio.CancelScope()
    failure: Exception | None = None
    is_done = False

    async def wait() -> None:
        with watch:
            with contextlib.suppress(PeerGone):
                await until_client_leaves()
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        try:
            yield watch
            is_done = True
        except Exception as error:  # which leaves as it is and not in a group of the nursery's
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not is_done:
        raise PeerGone


async def forgo(answer: Answer, outcome: Outcome) -> None:
    """Ends an answer that was made and is not performed."""
    if isinstance(answer, Task):
        return
    with contextlib.ExitStack() as stack:
        if answer.on_end is not None:
            stack.callback(answer.on_end, outcome)
        if isinstance(answer, Relay):
            await close_unbegun(answer.pieces)


async def close_unbegun(pieces: AsyncGenerator[bytes, None]) -> None:
    """Closes a generator of which nothing was asked. Closing alone runs none of its code, and what it holds would stay
    open: so it is begun, up to where it would wait."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await anext(pieces, None)
        except Exception:
            logger.debug("what was not to be relayed failed", exc_info=True)
        finally:
            await close(pieces)


async def close(pieces: AsyncGenerator[bytes, None]) -> None:
    """Closes a generator, whatever it makes of that."""
    try:
        await pieces.aclose()
    except Exception:
        logger.exception("what was relayed failed at its end")

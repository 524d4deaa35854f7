"""What comes from elsewhere, handed on piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from aimock.net.exchange import BrokenOff, Ending, Head, Relay
from aimock.net.outcomes import close, close_unbegun
from aimock.net.wire import has_body

logger = logging.getLogger("aimock")


class Client(NamedTuple):
    """Who is relayed to. Both return when what they were given has been taken."""

    open: Callable[[], Awaitable[None]]
    """Sends the head of the response."""
    write: Callable[[bytes], Awaitable[None]]
    """Sends a piece of its body."""


async def relay(answer: Relay, head: Head | None, client: Client, watch: trio.CancelScope) -> Ending:
    """Writes each piece as soon as it has come, and asks for the next then; how the response is to end.

    The generator is closed, whatever happens. `watch`, in which the client's leaving is waited for, ends when the
    client has all that was announced: what the source still does then is not to be cut off.
    """
    unwritten = answer.length if has_body(answer.status, head) else 0
    has_begun = False
    try:
        await client.open()
        has_begun = True
        while True:
            if unwritten == 0:
                watch.cancel()
            try:
                piece = await anext(answer.pieces)
            except StopAsyncIteration:
                return Ending.FIN if unwritten else Ending.CLEAN
            except BrokenOff as broken:
                return Ending.FIN if unwritten and broken.ending is Ending.CLEAN else broken.ending
            except Exception:
                logger.exception("what was relayed failed")
                return Ending.FIN
            if not piece:
                continue
            if unwritten == 0:
                return Ending.CLEAN
            if unwritten is not None:
                piece = piece[:unwritten]
                unwritten -= len(piece)
            await client.write(piece)
    finally:
        await (close if has_begun else close_unbegun)(answer.pieces)

"""What is relayed, spoiled as it passes: generators from pieces to pieces.

Whoever notes what comes stands before them, and so notes what was really said. Each begins with asking for a piece, so
that what is begun and closed here is begun and closed there.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import trio

from aimock.net.exchange import BrokenOff, Ending

if TYPE_CHECKING:
    from aimock_protocols.cutting import Cutter

Pieces = AsyncGenerator[bytes, None]

_HELD_BYTES = 1024 * 1024
"""Taken from the source while it may not be handed on; after that, the source has to wait."""


async def frames(pieces: Pieces, cutter: Cutter | None) -> Pieces:
    """The same bytes, a frame each; as they come where frames are not known. What breaks off in the midst of a frame at
    its source does so here."""
    broken: Exception | None = None
    async with contextlib.aclosing(pieces):
        try:
            async for piece in pieces:
                for frame in [piece] if cutter is None else cutter.feed(piece):
                    yield frame
        except Exception as error:
            broken = error
    rest = cutter.rest() if cutter is not None else b""
    if rest:
        yield rest
    if broken is not None:
        raise broken


async def ended(pieces: Pieces, after: int, last: bytes, ending: Ending, strike: Callable[[], None]) -> Pieces:
    """The first `after` pieces, `last`, and the ending; `strike` is told when it comes to that. Shorter ones pass."""
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if after > 0:
                yield piece
                after -= 1
            if after == 0:
                strike()
                yield last
                raise BrokenOff(ending)


async def spoiled(pieces: Pieces, after: int, spoil: Callable[[bytes], bytes]) -> Pieces:
    """The pieces, the one after the first `after` spoiled."""
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield spoil(piece) if after == 0 else piece
            after -= 1


async def sliced(pieces: Pieces, size: int, gap: float) -> Pieces:
    """The same bytes, at most `size` at once, `gap` seconds apart. The source has to wait, as for any slow reader."""
    earliest = -math.inf
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            for start in range(0, len(piece), size):
                await trio.sleep_until(earliest)
                yield piece[start : start + size]
                earliest = trio.current_time() + gap


async def late(pieces: Pieces, delay: float) -> Pieces:
    """The same bytes, none before `delay` seconds have passed; the source is heard meanwhile, at its own times."""
    begins = trio.current_time() + delay
    held = bytearray()
    broken: Exception | None = None
    async with contextlib.aclosing(pieces):
        try:
            async for piece in pieces:
                held += piece
                if trio.current_time() >= begins or len(held) > _HELD_BYTES:
                    break
        except Exception as error:
            broken = error
        await trio.sleep_until(begins)
        yield bytes(held)
        if broken is not None:
            raise broken
        async for piece in pieces:
            yield piece


async def replaced(pieces: Pieces, body: bytes) -> Pieces:
    """Something else, when all has come."""
    async with contextlib.aclosing(pieces):
        async for _ in pieces:
            pass
    yield body

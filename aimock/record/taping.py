"""One answer over HTTP on its way through: handed on as it comes, and kept once it has come to its end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import trio

from aimock.journal import Proxied
from aimock.net.exchange import BrokenOff, Ending
from aimock.record.config import MIB, MOST_BUFFERED
from aimock.record.tape import TapeWriter
from aimock.record.upstream import UpstreamFailed, UpstreamResponse
from aimock_protocols.cutting import is_terminal

if TYPE_CHECKING:
    from aimock.record.recorder import Miss, Recorder

logger = logging.getLogger("aimock")


class Taping:
    """One answer on its way through."""

    def __init__(
        self,
        recorder: Recorder,
        miss: Miss,
        response: UpstreamResponse,
        tape: TapeWriter,
        sent: float,
        proxied: Proxied,
        over: Callable[[], None],
    ) -> None:
        """`sent`: when the request was, in Trio's time. `proxied`: what the journal has of it. `over` is told when
        nothing more will come of it."""
        self._recorder = recorder
        self._miss = miss
        self._response = response
        self._tape = tape
        self._sent = sent
        self._proxied = proxied
        self._over = over
        self._has_ended = False
        """Whether it has said all that clients wait for."""
        self._closed = trio.Event()
        self.trouble: str | None = None
        """Why the answer could not be saved."""

    async def whole(self) -> bytes:
        """Raises UpstreamFailed."""
        body = bytearray()
        try:
            async with contextlib.aclosing(self._response.pieces()) as source:
                async for piece in source:
                    body += piece
                    self._feed(piece)
                    if len(body) > MOST_BUFFERED:
                        raise UpstreamFailed(f"Upstream response exceeds {MOST_BUFFERED // MIB}MiB proxy ceiling")
            await self._keep()
        finally:
            await self._close()
        return bytes(body)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        source = self._response.pieces()
        try:
            while True:
                with trio.CancelScope(shield=self._has_ended):  # clients that leave then do not cut off the rest
                    piece = await anext(source, None)
                if piece is None:
                    break
                self._feed(piece)
                yield piece
            await self._keep()
        except UpstreamFailed as failure:
            logger.warning("%s broke off: %s", self._miss.place.provider, failure)
            raise BrokenOff(Ending.FIN) from failure
        except (trio.Cancelled, GeneratorExit):
            if self._has_ended:  # clients close as soon as they have all they need
                await self._read_on(source)
            raise
        finally:
            with trio.CancelScope(shield=True):
                await source.aclose()
            await self._close()

    def _feed(self, piece: bytes) -> None:
        for frame in self._tape.feed(piece, self._now()):
            if not self._has_ended and is_terminal(self._miss.protocol.name, frame):
                self._has_ended = True
                self._recorder.ending[self._miss.key] = self._closed

    def _now(self) -> float:
        """Milliseconds since the request was sent."""
        return (trio.current_time() - self._sent) * 1000

    async def _read_on(self, source: AsyncGenerator[bytes, None]) -> None:
        """What is left of an answer that nobody listens to any more."""
        with trio.CancelScope(shield=True):
            try:
                async for piece in source:
                    self._feed(piece)
            except UpstreamFailed:
                return
            await self._keep()

    async def _keep(self) -> None:
        self._tape.end(self._now())
        self._proxied.duration = self._now() / 1000
        with trio.CancelScope(shield=True):
            path, self.trouble, self._proxied.fixture = await self._recorder.keep(self._miss, self._tape)
        self._proxied.recorded = None if path is None else str(path)

    async def _close(self) -> None:
        if self._proxied.duration is None:  # it did not come to its end
            self._proxied.duration = self._now() / 1000
        with trio.CancelScope(shield=True):
            await self._response.aclose()
        if self._recorder.ending.get(self._miss.key) is self._closed:
            del self._recorder.ending[self._miss.key]
        self._closed.set()
        self._over()

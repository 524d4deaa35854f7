"""The server over standard input and output, for clients that start their servers: one message a line.

Nothing but messages is ever written to the output. It ends with the input: what has been answered by then is written,
what is still under way is not.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import trio

from aimock.randomness import Randomness
from aimock.surfaces.mcp.peer import Peer
from aimock.surfaces.mcp.server import Server
from aimock_protocols import jsonrpc
from aimock_protocols.canonical import Stamp

INPUT, OUTPUT = 0, 1
"""File descriptors."""
LARGEST_LINE = 16 * 1024 * 1024
"""Bytes of a message; what is longer is refused, and passed over up to the end of its line."""
_AT_ONCE = 65_536
_MOST_WAITING = 64 * 1024 * 1024
"""Bytes that may wait to be written before no more is read."""
_TEST_ID = "__default__"


async def serve(
    server: Server,
    randomness: Randomness,
    wall_clock: Callable[[], float],
    on_missed: Callable[[str], None],
    *,
    descriptors: tuple[int, int] = (INPUT, OUTPUT),
    largest_line: int = LARGEST_LINE,
) -> None:
    """Until the input ends, or nobody reads the output any more. `on_missed` is told why nothing here is meant to
    answer a request."""
    source, sink = descriptors
    out = _Out(sink)

    def stamp(body: bytes) -> Stamp:
        return Stamp(wall_clock(), randomness.fork(_TEST_ID, "stdio", body))

    async with trio.open_nursery() as nursery, trio.open_nursery() as calls:

        def spawn(work: Callable[[], Awaitable[None]]) -> trio.CancelScope:
            scope = trio.CancelScope()

            async def run() -> None:
                with scope:
                    await work()

            calls.start_soon(run)
            return scope

        peer = Peer(server, out.send, spawn, stamp, _TEST_ID, on_missed=on_missed)
        lines = Lines(largest_line)

        async def read() -> None:
            try:
                while not lines.is_over:
                    for line in lines.feed(await _read(source)):
                        if line is None:
                            out.send(_too_long(largest_line))
                        elif line.strip():
                            peer.receive(line)
                        await out.has_room()
            finally:
                peer.close()
                calls.cancel_scope.cancel()

        async def write() -> None:
            try:
                await out.drain()
            except OSError:  # nobody reads it any more
                nursery.cancel_scope.cancel()

        nursery.start_soon(write)
        await read()
        out.end()


def _too_long(most: int) -> dict[str, Any]:
    return jsonrpc.error(None, jsonrpc.INVALID_REQUEST, f"Invalid Request: a message of more than {most} bytes")


class Lines:
    """Bytes to lines; None stands for one that is too long."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun = bytearray()
        self._skips = False
        self.is_over = False
        """Whether the input has ended."""

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that the data completes; no data is the end of the input, and of the last line."""
        self.is_over = not data
        *ends, rest = data.split(b"\n") if data else (b"", b"")
        found: list[bytes | None] = []
        for end in ends:
            self._add(end, found)
            if not self._skips and (data or self._begun):
                found.append(bytes(self._begun))
            self._begun.clear()
            self._skips = False
        self._add(rest, found)
        return found

    def _add(self, piece: bytes, found: list[bytes | None]) -> None:
        if self._skips:
            return
        self._begun += piece
        if len(self._begun) > self._most:
            self._begun.clear()
            self._skips = True
            found.append(None)


class _Out:
    """What is to be written, in its order."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_ending = False
        self._changed = trio.Event()

    def send(self, message: dict[str, Any]) -> None:
        line = orjson.dumps(message) + b"\n"  # compact JSON has no line ends in it
        self._waiting.append(line)
        self._size += len(line)
        self._tell()

    def end(self) -> None:
        """No more will come."""
        self._is_ending = True
        self._tell()

    async def has_room(self) -> None:
        while self._size > _MOST_WAITING:
            await self._changed.wait()

    async def drain(self) -> None:
        """Writes all that comes until the end. Raises OSError."""
        while self._waiting or not self._is_ending:
            if not self._waiting:
                await self._changed.wait()
                continue
            lines = b"".join(self._waiting)
            self._waiting.clear()
            await trio.to_thread.run_sync(_write, self._sink, lines, abandon_on_cancel=True)
            self._size -= len(lines)
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


async def _read(source: int) -> bytes:
    """In a thread, which works with whatever the input is: pipe, file or terminal."""
    return await trio.to_thread.run_sync(os.read, source, _AT_ONCE, abandon_on_cancel=True)


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]

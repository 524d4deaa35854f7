"""One connection's bytes, in and out, and the ways to end it.

The seam under the HTTP loop: sockets here, memory in `aimock.net.memory`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Protocol

import trio

RECEIVE_BYTES = 64 * 1024

LINGER_ZERO = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing is a reset."""


class PeerGone(Exception):
    """The peer has closed or reset the connection, or the network has."""


class PlainText(Exception):
    """The client does not speak TLS where it is spoken; the text is for it to read, over the `transport` below."""

    def __init__(self, transport: Transport, message: str) -> None:
        super().__init__(message)
        self.transport = transport


class Transport(Protocol):
    """A stream of bytes each way. A read and a write may wait at the same time; two reads, or two writes, may not."""

    async def receive(self) -> bytes:
        """Some bytes; empty at the end of what the peer sends. Raises PeerGone; the first time, perhaps PlainText."""

    def try_send(self, data: bytes | memoryview) -> int:
        """How many of the bytes could be taken without waiting, perhaps none. Raises PeerGone."""

    async def send_some(self, data: bytes | memoryview) -> int:
        """Waits until some of the bytes are taken, and says how many. Raises PeerGone."""

    def finish(self) -> None:
        """Sends FIN: the peer reads to the end of what was written. Reading goes on."""

    def cut(self) -> None:
        """The same without a farewell, as when the network breaks: TLS has one, TCP has not. Reading goes on."""

    def reset(self) -> None:
        """Ends the connection with RST: what the peer has not read yet may be lost."""

    def close(self) -> None:
        """Lets go of the connection. May be called twice."""


class SocketTransport:
    """A connected, non-blocking TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.idle_since = 0.0
        """Trio's time when it was last of use; the poller's to set."""
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):  # some systems refuse it where the peer has left already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive_now(self) -> bytes | None:
        """Bytes that have arrived, empty at the end; None if nothing has. Raises PeerGone."""
        try:
            return self.socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise PeerGone from error

    async def receive(self) -> bytes:
        while True:
            try:
                await trio.lowlevel.wait_readable(self.socket)
            except trio.ClosedResourceError as error:
                raise PeerGone from error
            data = self.receive_now()
            if data is not None:
                return data

    def try_send(self, data: bytes | memoryview) -> int:
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise PeerGone from error

    async def send_some(self, data: bytes | memoryview) -> int:
        while not (sent := self.try_send(data)):
            try:
                await trio.lowlevel.wait_writable(self.socket)
            except trio.ClosedResourceError as error:
                raise PeerGone from error
        return sent

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # the peer was first
            self.socket.shutdown(socket.SHUT_WR)

    cut = finish

    def reset(self) -> None:
        with contextlib.suppress(OSError):  # the peer was first
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.close()

    def close(self) -> None:
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()

"""HTTP/2, and HTTP/1.1 beside it, by Hypercorn's connections on listening sockets of ours.

The life is that of `aimock.net.server.HTTPServer`, whose place this takes. Hypercorn's own worker is not used: a
request that it cannot digest ends the whole worker, and its writing waits for ever, shielded, for a client that
reads no more.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from aimock.net.asgi import Application
from aimock.net.certificates import HTTP_1
from aimock.net.exchange import Handler
from aimock.net.limits import Limits
from aimock.net.tls import Security

logger = logging.getLogger("aimock")

_WRITE_BYTES = 64 * 1024
"""Written at a time: for each, a client has the time that it has for any more of a response."""

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class HTTP2Server:
    """Serves one handler. `serve` runs it; `shut_down` ends it in good order. With `security`, client and server agree
    on the protocol; without, clients begin HTTP/2 themselves, or upgrade to it."""

    alpn: ClassVar = ("h2", *HTTP_1)
    """What it speaks, the best first."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits | None = None,
        wall_clock: Callable[[], float] = time.time,
        security: Security | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._config = _config(self._limits)
        self._app = ASGIWrapper(Application(handler, self._limits, wall_clock))
        self._security = security
        self._context = WorkerContext(None)
        self._room = trio.Semaphore(self._limits.connections)
        self._streams: set[Stream] = set()
        self._last_left = trio.Event()
        self._everything = trio.CancelScope()
        self._accepting = trio.CancelScope()
        self.ended = trio.Event()
        """Set when `serve` has ended."""

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._streams)

    async def serve(
        self, listeners: Sequence[socket.socket], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accepts from non-blocking listening sockets, which it closes, until `shut_down` or cancelled."""
        gates = [_Gate(listener, self._room) for listener in listeners]
        with contextlib.ExitStack() as stack, self._everything:
            stack.callback(self.ended.set)
            for listener in listeners:
                stack.callback(listener.close)
            async with trio.open_nursery() as connections:
                task_status.started()
                with self._accepting:
                    await trio.serve_listeners(self._welcome, gates, handler_nursery=connections)

    async def shut_down(self, grace: float) -> None:
        """Stops accepting, lets what is being answered finish for `grace` seconds, and ends what is left."""
        self._accepting.cancel()
        await self._context.terminated.set()  # idle connections end by it, busy ones after their last answer
        try:
            with trio.move_on_after(grace):
                while self._streams:
                    await self._last_left.wait()
        finally:
            self._everything.cancel()
            with trio.CancelScope(shield=True):
                for stream in list(self._streams):  # where Hypercorn is writing, a cancellation does not reach it
                    await trio.aclose_forcefully(stream)

    async def _welcome(self, tcp: trio.SocketStream) -> None:
        stream: Stream = tcp
        if self._security is not None:
            stream = trio.SSLStream(tcp, self._security.context, server_side=True, https_compatible=True)
        self._streams.add(stream)
        try:
            if await self._shook_hands(stream):
                await _Connection(self, stream).run()
        except Exception:
            logger.exception("a connection failed")
        finally:
            self._streams.remove(stream)
            if not self._streams:
                self._last_left.set()
                self._last_left = trio.Event()
            self._room.release()

    async def _shook_hands(self, stream: Stream) -> bool:
        if not isinstance(stream, trio.SSLStream):
            return True
        assert self._security is not None
        try:
            with trio.fail_after(self._limits.head_timeout):
                await stream.do_handshake()
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLError):
                self._security.tell_failure(error.__cause__.reason or str(error.__cause__))
            return False
        except trio.TooSlowError:
            return False
        return True


class _Gate(trio.abc.Listener[trio.SocketStream]):
    """A listener that accepts while there is room, of which each connection that it gives has taken its part."""

    def __init__(self, listener: socket.socket, room: trio.Semaphore) -> None:
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        self._room = room

    async def accept(self) -> trio.SocketStream:
        await self._room.acquire()
        try:
            return await self._listener.accept()
        except BaseException:
            self._room.release()
            raise

    async def aclose(self) -> None:
        await self._listener.aclose()


class _Connection(TCPServer):
    def __init__(self, server: HTTP2Server, stream: Stream) -> None:
        state = ConnectionState(LifespanState({}))
        super().__init__(
            server._app, server._config, server._context, state, cast("trio.SSLStream[trio.SocketStream]", stream)
        )
        self._patience = server._limits.write_timeout
        self._is_idle = True
        self._is_read = False

    async def _read_data(self) -> None:
        await super()._read_data()
        self._is_read = True
        await self.idle_task.stop()  # who has left is not waited for

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
            protocol = self.protocol.protocol
            if isinstance(protocol, H2Protocol):  # which tells of requests, but not that it begins without one
                await self._note_idleness(protocol.idle)
        elif isinstance(event, Updated):
            await self._note_idleness(event.idle)
        else:
            await super().protocol_send(event)

    async def _note_idleness(self, is_idle: bool) -> None:
        if is_idle is not self._is_idle and not self._is_read:
            self._is_idle = is_idle
            await super().protocol_send(Updated(idle=is_idle))

    async def _write(self, data: bytes) -> None:
        unsent = memoryview(data)
        # Half a frame would spoil all that follows, so only patience and closing end this, and no cancellation.
        async with self.send_lock:
            with trio.CancelScope(shield=True):
                try:
                    while unsent:
                        with trio.fail_after(self._patience):
                            await self.stream.send_all(unsent[:_WRITE_BYTES])
                        unsent = unsent[_WRITE_BYTES:]
                    return
                except trio.TooSlowError:
                    await trio.aclose_forcefully(self.stream)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
        await self.protocol.handle(Closed())


def _config(limits: Limits) -> Config:
    config = Config()
    config.errorlog = logger
    config.include_date_header = False  # it is the application's, as all headers are
    config.include_server_header = False
    config.keep_alive_timeout = limits.idle_timeout
    config.keep_alive_max_requests = sys.maxsize
    config.websocket_max_message_size = limits.message_bytes
    config.h11_max_incomplete_size = limits.head_bytes
    config.h2_max_header_list_size = limits.head_bytes
    return config

"""Listening sockets, the connections that they accept, and an orderly end."""

from __future__ import annotations

import contextlib
import errno
import logging
import operator
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import trio

from aimock.net import readiness
from aimock.net.certificates import HTTP_1
from aimock.net.connection import After, HTTPConnection
from aimock.net.exchange import Handler
from aimock.net.fast_lane import FastLane
from aimock.net.limits import Limits
from aimock.net.pacer import Pacer
from aimock.net.performer import Setting
from aimock.net.poller import HandOver, Poller
from aimock.net.tls import Security, TLSTransport
from aimock.net.transport import SocketTransport, Transport
from aimock.net.wire import ResponseWriter

if TYPE_CHECKING:
    from aimock.net.http2 import HTTP2Server

logger = logging.getLogger("aimock")

_ACCEPT_RETRY = 0.1
"""Seconds to wait when the system cannot give a connection, mostly for lack of descriptors: some will be freed."""


class HTTPServer:
    """Serves one handler. `serve` runs it; `shut_down` ends it in good order."""

    alpn: ClassVar = HTTP_1
    """What it speaks, the best first."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits | None = None,
        wall_clock: Callable[[], float] = time.time,
        security: Security | None = None,
    ) -> None:
        """With `security` every connection speaks TLS."""
        limits = limits or Limits()
        self._security = security
        self.pacer = Pacer()
        self._closing = False
        self._setting = Setting(
            handler=handler,
            limits=limits,
            fast_lane=FastLane(limits.head_bytes, limits.header_lines),
            writer=ResponseWriter(wall_clock),
            pacer=self.pacer,
            is_closing=lambda: self._closing,
            tell_change=self._tell_change,
        )
        self._active: set[HTTPConnection] = set()
        self._changed = trio.Event()
        self._accepting = trio.CancelScope()
        self._everything = trio.CancelScope()
        self._connections: trio.Nursery | None = None
        self._poller: Poller | None = None
        self.ended = trio.Event()
        """Set when `serve` has ended."""

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._active) + (len(self._poller) if self._poller is not None else 0)

    async def serve(
        self, listeners: Sequence[socket.socket] = (), *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accepts from non-blocking listening sockets, which it closes, until `shut_down` or cancelled."""
        with contextlib.ExitStack() as stack, self._everything:
            stack.callback(self.ended.set)
            for listener in listeners:
                stack.callback(listener.close)
            async with trio.open_nursery() as background:
                background.start_soon(self.pacer.run)
                async with trio.open_nursery() as self._connections:
                    if listeners and self._security is None and readiness.can_be_waited_for():
                        self._poller = Poller(self._setting, self._start_task)
                        background.start_soon(self._poller.run)
                    for listener in listeners:
                        self._connections.start_soon(self._accept_all, listener)
                    if not listeners:
                        self._connections.start_soon(self._wait_for_shutdown)
                    task_status.started()
                background.cancel_scope.cancel()

    async def shut_down(self, grace: float) -> None:
        """Stops accepting, lets what is being answered finish for `grace` seconds, and ends what is left."""
        self._closing = True
        self._accepting.cancel()
        if self._poller is not None:
            self._poller.give_up()
        for connection in self._active:
            connection.go_away()
        try:
            with trio.move_on_after(grace):
                while self._active:
                    await self._wait_for_change()
        finally:
            self._everything.cancel()

    async def _wait_for_shutdown(self) -> None:
        with self._accepting:
            await trio.sleep_forever()

    async def _accept_all(self, listener: socket.socket) -> None:
        with contextlib.closing(listener), self._accepting:  # who comes while we end is refused, not left waiting
            while True:
                await trio.lowlevel.wait_readable(listener)
                await self._wait_for_room()
                try:
                    sock, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue
                except OSError as error:
                    if error.errno in (errno.EBADF, errno.EINVAL, errno.ENOTSOCK):
                        raise  # the listener itself is of no use
                    logger.error("cannot accept a connection: %s", error)
                    await trio.sleep(_ACCEPT_RETRY)
                    continue
                sock.setblocking(False)
                self._welcome(SocketTransport(sock))

    async def _wait_for_room(self) -> None:
        while self._is_full():
            await trio.lowlevel.checkpoint()  # whose request has come by now is awake too, reads it, and is not idle
            if self._is_full() and not self._make_room():
                await self._wait_for_change()

    def _is_full(self) -> bool:
        return self.connections >= self._setting.limits.connections

    def _make_room(self) -> bool:
        """Ends the connection that has been idle longest. Whether there is room already."""
        if self._poller is not None:
            return self._poller.make_room()
        idle = [(since, connection) for connection in self._active if (since := connection.idle_since) is not None]
        if idle:
            min(idle, key=operator.itemgetter(0))[1].leave_if_idle()
        return False

    def _welcome(self, transport: SocketTransport) -> None:
        if self._poller is not None:
            self._poller.park(transport)
        else:
            self.start_connection(transport)

    def start_connection(self, transport: Transport) -> None:
        """Serves a connection that did not come by a listener (or cannot be parked) in a task of its own."""
        if self._security is not None:
            transport = TLSTransport(transport, self._security, self._setting.limits.head_timeout)
        self._start(HTTPConnection(transport, self._setting), None, None)

    def _start_task(self, work: HandOver) -> None:
        self._start(HTTPConnection(work.transport, self._setting, work.received), work, work.transport)

    def _start(self, connection: HTTPConnection, work: HandOver | None, parkable: SocketTransport | None) -> None:
        assert self._connections is not None
        self._active.add(connection)
        self._connections.start_soon(self._run, connection, work, parkable)

    async def _run(self, connection: HTTPConnection, work: HandOver | None, parkable: SocketTransport | None) -> None:
        try:
            after = await connection.run(park=parkable is not None, begun=work.begun if work is not None else None)
            if after is After.PARK and parkable is not None:
                self._park(parkable)
        except Exception:
            logger.exception("a connection failed")
        finally:
            self._active.remove(connection)
            self._tell_change()

    def _park(self, transport: SocketTransport) -> None:
        if self._poller is None or self._closing:
            transport.close()
        else:
            self._poller.park(transport)

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _wait_for_change(self) -> None:
        """Until some connection that was busy is idle or gone."""
        await self._changed.wait()


ServerKind = type["HTTPServer | HTTP2Server"]


def server_kind(*, http2: bool) -> ServerKind:
    """The class of servers that speak HTTP/1.1, or HTTP/2 as well."""
    if not http2:
        return HTTPServer
    from aimock.net.http2 import HTTP2Server  # it takes a tenth of a second to import

    return HTTP2Server

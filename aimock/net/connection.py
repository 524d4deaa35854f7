"""One HTTP/1.1 connection: its requests read, its answers performed, one after the other.

A connection is in one of two hands. Between requests, and while a stream is paced to a client that reads it, the
poller has it, which costs no task; while it does anything else that must wait, a task runs `run`. Whatever `run` is
asked to do (read a slow body, write to a slow reader, wait for a factory) has its limit in time, and the client's
leaving ends it at once.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import trio

from aimock.net.exchange import Head, Refusal, Request
from aimock.net.fast_lane import make_head
from aimock.net.limits import Limits
from aimock.net.performer import Answered, Begun, NoMore, Performer, Setting, UnderWay, Unsent
from aimock.net.transport import PeerGone, PlainText, Transport
from aimock.net.wire import CONTINUE

if TYPE_CHECKING:
    import h11


class After(enum.Enum):
    """What becomes of a connection when `run` returns."""

    PARK = "park"
    CLOSED = "closed"


Taken = tuple[Request, int]
"""A request taken off a buffer, and how many bytes it took."""


def take(buffer: bytes | bytearray, setting: Setting) -> Taken | Head | None:
    """The first request of a buffer, if it is plain and all there; its head, if the body is still to come; None if h11
    must read it. A head that is not all there is not plain."""
    end = buffer.find(b"\r\n\r\n") + 4
    head = setting.fast_lane.parse(bytes(buffer[:end])) if end > 4 else None
    if head is None or head.content_length > setting.limits.body_bytes:
        return None
    total = end + head.content_length
    if len(buffer) < total:
        return head
    return Request(head, bytes(buffer[end:total])), total


class HTTPConnection:
    """A connection in the hands of a task."""

    def __init__(self, transport: Transport, setting: Setting, received: bytes = b"") -> None:
        self._setting = setting
        self._limits = setting.limits
        self._buffer = bytearray(received)
        self._performer = Performer(transport, setting, self._buffer)
        self._idling: trio.CancelScope | None = None
        self.idle_since: float | None = None
        """Trio's time when it began to wait for a request of which nothing has come; None: it is busy."""

    async def run(self, *, park: bool, begun: Begun | None = None) -> After:
        """Finishes what has begun, then answers requests until the connection ends or, with `park`, is quiet."""
        try:
            if isinstance(begun, Unsent):
                await self._performer.pour(begun)
            elif isinstance(begun, UnderWay):
                await self._performer.perform_stream(begun)
            elif begun is not None:
                await self._performer.perform(begun)
            while self._buffer or not park:
                request = await self._read_request()
                since = trio.current_time()
                await self._performer.perform(Answered(request, self._setting.handler.answer(request), since))
        except (PeerGone, NoMore, trio.TooSlowError):
            self._performer.transport.close()
            return After.CLOSED
        except BaseException:
            self._performer.transport.close()
            raise
        return After.PARK

    def leave_if_idle(self) -> None:
        """Ends the connection if it waits for a request of which nothing has come."""
        if self._idling is not None:
            self._idling.cancel()
            self.idle_since = None

    def go_away(self) -> None:
        """Ends the connection if it is idle, and, with a word, if it is a WebSocket."""
        self.leave_if_idle()
        self._performer.go_away()

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _read_request(self) -> Request:
        if not self._buffer:
            try:
                await self._wait_for_request()
            except PlainText as found:
                self._performer.transport = found.transport
                await self._performer.refuse(None, Refusal(400, str(found)))
        taken = take(self._buffer, self._setting)
        while isinstance(taken, Head):
            await self._receive_body(taken)
            taken = take(self._buffer, self._setting)
        if isinstance(taken, tuple):
            request, consumed = taken
            del self._buffer[:consumed]
            return request
        return await self._read_by_h11()

    async def _wait_for_request(self) -> None:
        if self._setting.is_closing():
            raise NoMore
        self.idle_since = trio.current_time()
        self._setting.tell_change()
        try:
            with trio.CancelScope() as self._idling:
                await self._receive(self._limits.idle_timeout)
        finally:
            self._idling = self.idle_since = None
        if not self._buffer:
            raise NoMore

    async def _read_by_h11(self) -> Request:
        """Reads one request as h11 sees it. Every request has an h11 connection of its own: h11 only parses here."""
        import h11  # the odd request's only; a start does without it

        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        parser.receive_data(bytes(self._buffer))
        received = len(self._buffer)
        self._buffer.clear()
        head_deadline = trio.current_time() + self._limits.head_timeout
        head: Head | None = None
        body = bytearray()
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                await self._performer.refuse(head, Refusal(error.error_status_hint, f"Malformed HTTP request: {error}"))
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    await self._performer.send(CONTINUE)
                    parser.send(h11.InformationalResponse(status_code=100, headers=[]))
                if head is None:
                    await self._receive_head(head_deadline)
                else:
                    await self._receive_body(head)
                parser.receive_data(bytes(self._buffer))
                received += len(self._buffer)
                self._buffer.clear()
            elif isinstance(event, h11.Request):
                if received - len(parser.trailing_data[0]) > self._limits.head_bytes:  # h11 minds it only while in want
                    await self._performer.refuse(
                        None, Refusal(431, f"The head exceeds {self._limits.head_bytes} bytes")
                    )
                head = await self._head_of(event)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._limits.body_bytes:
                    await self._performer.refuse(head, too_large(self._limits))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                self._buffer += parser.trailing_data[0]
                return Request(head, bytes(body))
            else:  # ConnectionClosed, or PAUSED before any request
                raise NoMore

    async def _head_of(self, event: h11.Request) -> Head:
        lines = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]
        if len(lines) > self._limits.header_lines:
            await self._performer.refuse(None, Refusal(431, f"More than {self._limits.header_lines} header lines"))
        head = make_head(event.method.decode("ascii"), event.target.decode("ascii", "replace"), lines)
        if head is None:
            await self._performer.refuse(
                None, Refusal(400, f"Request target {_shown_target(event)!r} is not one of a server")
            )
        head.http_version = event.http_version.decode("ascii")
        head.keep_alive = _keeps_alive(event)
        if int(head.headers.get("content-length", "0")) > self._limits.body_bytes:
            await self._performer.refuse(head, too_large(self._limits))
        return head

    async def _receive(self, patience: float) -> None:
        with trio.fail_after(patience):
            data = await self._performer.transport.receive()
        if not data:
            raise NoMore
        self._buffer += data

    async def _receive_head(self, deadline: float) -> None:
        """A client that sends its head too slowly is told so (RFC 9110 15.5.9)."""
        try:
            await self._receive(max(0.0, deadline - trio.current_time()))
        except trio.TooSlowError:
            await self._performer.refuse(None, Refusal(408, "The request's head took too long"))

    async def _receive_body(self, head: Head) -> None:
        try:
            await self._receive(self._limits.read_timeout)
        except trio.TooSlowError:
            await self._performer.refuse(head, Refusal(408, "The request's body took too long"))


def _keeps_alive(request: h11.Request) -> bool:
    """h11's own rule, which its state does not show when the client proposes to switch protocols."""
    wishes = b",".join(value for name, value in request.headers if name == b"connection").lower().split(b",")
    return request.http_version >= b"1.1" and b"close" not in {wish.strip() for wish in wishes}


def _shown_target(request: h11.Request) -> str:
    """The beginning of a target, without its query, where keys travel."""
    return request.target.partition(b"?")[0][:200].decode("ascii", "replace")


def too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"Request body is larger than {limits.body_bytes} bytes")

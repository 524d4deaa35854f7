"""One HTTP/1.1 connection: its requests read, its answers performed, one after the other.

A connection is in one of two hands. Between requests, and while a stream is paced to a client that reads it, the
poller has it, which costs no task; while it does anything else that must wait, a task runs `run`. Whatever `run` is
asked to do (read a slow body, write to a slow reader, wait for a factory) has its limit in time, and the client's
leaving ends it at once.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import attrs
import trio

from aimock.net import handshake
from aimock.net.exchange import (
    Answer,
    Cut,
    Ending,
    Handler,
    Head,
    Headers,
    Outcome,
    Refusal,
    Request,
    Stream,
    Task,
    Upgrade,
    Whole,
)
from aimock.net.fast_lane import FastLane, make_head
from aimock.net.limits import Limits
from aimock.net.pacer import PacedStream, Pacer
from aimock.net.transport import PeerGone, PlainText, Transport
from aimock.net.wire import CONTINUE, ResponseWriter, slices

_MAX_BUFFER_WHILE_ANSWERING = 64 * 1024
"""What a pipelining client may send ahead while an answer is performed; after that, nothing more is read."""


if TYPE_CHECKING:
    import h11

    from aimock.net.websocket import WebSocket


class After(enum.Enum):
    """What becomes of a connection when `run` returns."""

    PARK = "park"
    CLOSED = "closed"


class _NoMore(Exception):
    """The connection ends here, as it was told to or because nothing more can be done with it."""


Taken = tuple[Request, int]
"""A request taken off a buffer, and how many bytes it took."""


class Unsent(NamedTuple):
    """A response, or what is still to be sent of it when the socket takes no more."""

    data: bytes
    on_end: Callable[[Outcome], None] | None = None


class Answered(NamedTuple):
    """An exchange of which nothing has been sent."""

    request: Request
    answer: Answer
    since: float
    """When the request had been read, in Trio's time: what the answer cost to make is not added to its delays."""


class UnderWay(NamedTuple):
    """A paced stream, and how it ends."""

    stream: PacedStream
    ending: Ending
    on_end: Callable[[Outcome], None] | None


Begun = Answered | UnderWay | Unsent
"""An exchange that began before a task had the connection."""


class Setting(NamedTuple):
    """What all connections of a server share."""

    handler: Handler
    limits: Limits
    fast_lane: FastLane
    writer: ResponseWriter
    pacer: Pacer
    is_closing: Callable[[], bool]
    """Whether the server is shutting down: then every response is the last of its connection."""
    tell_change: Callable[[], None]
    """Called when a connection that was busy is idle or gone."""


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


def begin(answer: Stream, head: Head, transport: Transport, setting: Setting, *, since: float, close: bool) -> UnderWay:
    """The answer as a stream that can be played. Its times count from `since`, in Trio's time."""
    pieces = setting.writer.stream(answer, head, close)
    stream = PacedStream(transport, pieces, since, separate=answer.slicing is not None)
    return UnderWay(stream, Ending.CLEAN if head.method == "HEAD" else answer.ending, answer.on_end)


class HTTPConnection:
    """A connection in the hands of a task."""

    def __init__(self, transport: Transport, setting: Setting, received: bytes = b"") -> None:
        self._transport = transport
        self._setting = setting
        self._limits = setting.limits
        self._buffer = bytearray(received)
        self._idling: trio.CancelScope | None = None
        self.idle_since: float | None = None
        """Trio's time when it began to wait for a request of which nothing has come; None: it is busy."""
        self._socket: WebSocket | None = None

    async def run(self, *, park: bool, begun: Begun | None = None) -> After:
        """Finishes what has begun, then answers requests until the connection ends or, with `park`, is quiet."""
        try:
            if isinstance(begun, Unsent):
                await self._pour(begun)
            elif isinstance(begun, UnderWay):
                await self._perform_stream(begun)
            elif begun is not None:
                await self._perform(begun)
            while self._buffer or not park:
                request = await self._read_request()
                since = trio.current_time()
                await self._perform(Answered(request, self._setting.handler.answer(request), since))
        except (PeerGone, _NoMore, trio.TooSlowError):
            self._transport.close()
            return After.CLOSED
        except BaseException:
            self._transport.close()
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
        if self._socket is not None:
            self._socket.go_away()

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _read_request(self) -> Request:
        if not self._buffer:
            try:
                await self._wait_for_request()
            except PlainText as found:
                self._transport = found.transport
                await self._refuse(None, Refusal(400, str(found)))
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
            raise _NoMore
        self.idle_since = trio.current_time()
        self._setting.tell_change()
        try:
            with trio.CancelScope() as self._idling:
                await self._receive(self._limits.idle_timeout)
        finally:
            self._idling = self.idle_since = None
        if not self._buffer:
            raise _NoMore

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
                await self._refuse(head, Refusal(error.error_status_hint, f"Malformed HTTP request: {error}"))
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    await self._send(CONTINUE)
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
                    await self._refuse(None, Refusal(431, f"The head exceeds {self._limits.head_bytes} bytes"))
                head = await self._head_of(event)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._limits.body_bytes:
                    await self._refuse(head, too_large(self._limits))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                self._buffer += parser.trailing_data[0]
                return Request(head, bytes(body))
            else:  # ConnectionClosed, or PAUSED before any request
                raise _NoMore

    async def _head_of(self, event: h11.Request) -> Head:
        lines = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]
        if len(lines) > self._limits.header_lines:
            await self._refuse(None, Refusal(431, f"More than {self._limits.header_lines} header lines"))
        head = make_head(event.method.decode("ascii"), event.target.decode("ascii", "replace"), lines)
        if head is None:
            await self._refuse(None, Refusal(400, f"Request target {_shown_target(event)!r} is not one of a server"))
        head.http_version = event.http_version.decode("ascii")
        head.keep_alive = _keeps_alive(event)
        if int(head.headers.get("content-length", "0")) > self._limits.body_bytes:
            await self._refuse(head, too_large(self._limits))
        return head

    async def _receive(self, patience: float) -> None:
        with trio.fail_after(patience):
            data = await self._transport.receive()
        if not data:
            raise _NoMore
        self._buffer += data

    async def _receive_head(self, deadline: float) -> None:
        """A client that sends its head too slowly is told so (RFC 9110 15.5.9)."""
        try:
            await self._receive(max(0.0, deadline - trio.current_time()))
        except trio.TooSlowError:
            await self._refuse(None, Refusal(408, "The request's head took too long"))

    async def _receive_body(self, head: Head) -> None:
        try:
            await self._receive(self._limits.read_timeout)
        except trio.TooSlowError:
            await self._refuse(head, Refusal(408, "The request's body took too long"))

    async def _refuse(self, head: Head | None, refusal: Refusal, headers: Headers = ()) -> NoReturn:
        """Answers and ends the connection, since where the next request would begin is not known."""
        answer = self._setting.handler.refuse(head, refusal)
        if headers:
            answer = attrs.evolve(answer, fresh=answer.fresh + headers)
        await self._pour(Unsent(self._setting.writer.whole(answer, head, close=True), answer.on_end))
        await self._hang_up()
        raise _NoMore

    # -- performing ------------------------------------------------------------------------------------------------

    async def _perform(self, answered: Answered) -> None:
        """Returns if the connection can carry another request; raises _NoMore or PeerGone otherwise."""
        request, answer, since = answered
        if isinstance(answer, Task):
            answer = await self._wait_for(answer)
            since = trio.current_time()
        head = request.head
        close = not head.keep_alive or self._setting.is_closing() or handshake.asks_for_websocket(head)
        if isinstance(answer, Whole):
            close = close or (answer.chunked and head.http_version != "1.1")
            await self._perform_whole(answer, head, close)
        elif isinstance(answer, Stream):
            close = close or head.http_version != "1.1"
            await self._perform_stream(begin(answer, head, self._transport, self._setting, since=since, close=close))
        elif isinstance(answer, Cut):
            if answer.on_end is not None:
                answer.on_end(Outcome.DELIVERED)
            await self._end(answer.ending)
        elif isinstance(answer, Upgrade):
            await self._switch(answer, head)
        if close:
            await self._hang_up()
            raise _NoMore

    async def _wait_for(self, task: Task) -> Answer:
        answer: Answer = task
        client_left = False

        async def watch() -> None:
            nonlocal client_left
            try:
                await self._watch_client()
            except PeerGone:
                client_left = True
                nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                while isinstance(answer, Task):
                    answer = await answer.run()
                nursery.cancel_scope.cancel()
            if client_left:
                raise PeerGone
        except BaseException:  # it may have been made already, and nobody will perform it
            if not isinstance(answer, Task) and answer.on_end is not None:
                answer.on_end(Outcome.CLIENT_LEFT if client_left else Outcome.STOPPED)
            raise
        return answer

    async def _switch(self, upgrade: Upgrade, head: Head) -> NoReturn:
        """From here on the connection is a WebSocket, if the client's handshake is in order."""
        fault = handshake.fault(head)
        if fault is not None:
            await self._refuse(head, *fault)
        if self._setting.is_closing():
            await self._refuse(head, Refusal(503, "The server is shutting down"))
        from aimock.net.framing import Framing, negotiate
        from aimock.net.websocket import WebSocket  # a start does without it

        agreed = negotiate(handshake.offers(head), self._limits.message_bytes)
        deflate, extension = agreed if agreed is not None else (None, None)
        frames = Framing(self._limits.message_bytes, deflate)
        self._socket = WebSocket(self._transport, upgrade, frames, self._limits, self._setting.pacer)
        received = bytes(self._buffer)
        self._buffer.clear()
        await self._socket.run(handshake.opening(head, upgrade, extension), received)
        if self._socket.ending is not Ending.CLEAN:
            await self._end(self._socket.ending)
        await self._hang_up()
        raise _NoMore

    async def _perform_whole(self, answer: Whole, head: Head, close: bool) -> None:
        unsent = Unsent(self._setting.writer.whole(answer, head, close), answer.on_end)
        if answer.slicing is None:
            await self._pour(unsent)
            return
        with reporting(answer.on_end) as report:
            pieces = slices(iter([(0.0, unsent.data)]), answer.slicing)
            await self._play(PacedStream(self._transport, pieces, trio.current_time(), separate=True))
            report.outcome = Outcome.DELIVERED

    async def _perform_stream(self, under_way: UnderWay) -> None:
        with reporting(under_way.on_end) as report:
            await self._play(under_way.stream)
            report.outcome = Outcome.DELIVERED  # what follows is the ending, as told
        if under_way.ending is not Ending.CLEAN:
            await self._end(under_way.ending)

    async def _pour(self, unsent: Unsent) -> None:
        """Sends what waits for nothing but the client's reading."""
        with reporting(unsent.on_end) as report:
            await self._send(unsent.data)
            report.outcome = Outcome.DELIVERED

    async def _play(self, stream: PacedStream) -> None:
        """Leaves a paced stream to the pacer, and watches for the client's leaving meanwhile."""
        while not stream.is_done:
            if stream.owed:
                await self._send(stream.owed)
                stream.owed = b""
            if stream.failure is not None:
                raise stream.failure
            with trio.CancelScope() as watching:
                self._setting.pacer.play(stream, watching.cancel)
                try:
                    await self._watch_client()
                finally:
                    self._setting.pacer.drop(stream)

    async def _watch_client(self) -> None:
        """Raises PeerGone when the client leaves; what a pipelining client sends ahead is kept."""
        while len(self._buffer) < _MAX_BUFFER_WHILE_ANSWERING:
            data = await self._transport.receive()
            if not data:
                raise PeerGone
            self._buffer += data
        await trio.sleep_forever()

    async def _end(self, ending: Ending) -> NoReturn:
        """Ends the connection badly, as told."""
        if ending is Ending.RST:
            self._transport.reset()
        elif ending is Ending.STALL:
            await self._discard()
        else:
            self._transport.cut()
            await self._linger()
        raise _NoMore

    async def _hang_up(self) -> None:
        self._transport.finish()
        await self._linger()

    async def _linger(self) -> None:
        """Patience after a FIN: closing with unread bytes would be a reset, and a reset can overtake the answer."""
        with trio.move_on_after(self._limits.linger):
            await self._discard()

    async def _discard(self) -> None:
        """Reads and drops what the client sends until it closes."""
        self._buffer.clear()
        while await self._transport.receive():
            pass

    async def _send(self, data: bytes) -> None:
        unsent = memoryview(data)
        while unsent:
            with trio.fail_after(self._limits.write_timeout):
                sent = await self._transport.send_some(unsent)
            unsent = unsent[sent:]


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


def _keeps_alive(request: h11.Request) -> bool:
    """h11's own rule, which its state does not show when the client proposes to switch protocols."""
    wishes = b",".join(value for name, value in request.headers if name == b"connection").lower().split(b",")
    return request.http_version >= b"1.1" and b"close" not in {wish.strip() for wish in wishes}


def _shown_target(request: h11.Request) -> str:
    """The beginning of a target, without its query, where keys travel."""
    return request.target.partition(b"?")[0][:200].decode("ascii", "replace")


def too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"Request body is larger than {limits.body_bytes} bytes")

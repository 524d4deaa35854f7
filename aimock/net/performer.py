"""The answers of one HTTP/1.1 connection, performed."""

from __future__ import annotations

import functools
from collections.abc import Callable
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
    Relay,
    Request,
    Stream,
    Task,
    Upgrade,
    Whole,
)
from aimock.net.fast_lane import FastLane
from aimock.net.limits import Limits
from aimock.net.outcomes import forgo, reporting, watching
from aimock.net.pacer import PacedStream, Pacer
from aimock.net.relaying import Client, relay
from aimock.net.transport import PeerGone, Transport
from aimock.net.wire import CHUNK_TO_COME, LAST_CHUNK, ResponseWriter, chunk, has_body, slices

if TYPE_CHECKING:
    from aimock.net.websocket import WebSocket

_MAX_BUFFER_WHILE_ANSWERING = 64 * 1024
"""What a pipelining client may send ahead while an answer is performed; after that, nothing more is read."""


_LAST_BYTES = {Ending.CLEAN: LAST_CHUNK, Ending.FIN_MID_CHUNK: CHUNK_TO_COME}
"""What is sent of the ending of a body in chunks."""


class NoMore(Exception):
    """The connection ends here, as it was told to or because nothing more can be done with it."""


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


def begin(answer: Stream, head: Head, transport: Transport, setting: Setting, *, since: float, close: bool) -> UnderWay:
    """The answer as a stream that can be played. Its times count from `since`, in Trio's time."""
    pieces = setting.writer.stream(answer, head, close)
    stream = PacedStream(transport, pieces, since, separate=answer.slicing is not None)
    return UnderWay(stream, Ending.CLEAN if head.method == "HEAD" else answer.ending, answer.on_end)


class Performer:
    """Performs one answer after the other."""

    def __init__(self, transport: Transport, setting: Setting, buffer: bytearray) -> None:
        """`buffer` takes what the client sends meanwhile."""
        self.transport = transport
        self.buffer = buffer
        self._setting = setting
        self._limits = setting.limits
        self._socket: WebSocket | None = None

    def go_away(self) -> None:
        """Ends the connection, with a word, if it is a WebSocket."""
        if self._socket is not None:
            self._socket.go_away()

    async def refuse(self, head: Head | None, refusal: Refusal, headers: Headers = ()) -> NoReturn:
        """Answers and ends the connection, since where the next request would begin is not known."""
        answer = self._setting.handler.refuse(head, refusal)
        if headers:
            answer = attrs.evolve(answer, fresh=answer.fresh + headers)
        await self.pour(Unsent(self._setting.writer.whole(answer, head, close=True), answer.on_end))
        await self.hang_up()
        raise NoMore

    async def perform(self, answered: Answered) -> None:
        """Returns if the connection can carry another request; raises NoMore or PeerGone otherwise."""
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
            await self.perform_stream(begin(answer, head, self.transport, self._setting, since=since, close=close))
        elif isinstance(answer, Relay):
            close = close or (answer.length is None and head.http_version != "1.1")
            await self._perform_relay(answer, head, close)
        elif isinstance(answer, Cut):
            if answer.on_end is not None:
                answer.on_end(Outcome.DELIVERED)
            await self._end(answer.ending)
        elif isinstance(answer, Upgrade):
            await self._switch(answer, head)
        if close:
            await self.hang_up()
            raise NoMore

    async def _wait_for(self, task: Task) -> Answer:
        answer: Answer = task
        try:
            async with watching(self._watch_client):
                while isinstance(answer, Task):
                    answer = await answer.run()
        except BaseException as failure:  # it may have been made already, and nobody will perform it
            await forgo(answer, Outcome.CLIENT_LEFT if isinstance(failure, PeerGone) else Outcome.STOPPED)
            raise
        return answer

    async def _switch(self, upgrade: Upgrade, head: Head) -> NoReturn:
        """From here on the connection is a WebSocket, if the client's handshake is in order."""
        fault = handshake.fault(head)
        if fault is not None:
            await self.refuse(head, *fault)
        if self._setting.is_closing():
            await self.refuse(head, Refusal(503, "The server is shutting down"))
        from aimock.net.framing import Framing, negotiate
        from aimock.net.websocket import WebSocket  # a start does without it

        agreed = negotiate(handshake.offers(head), self._limits.message_bytes)
        deflate, extension = agreed if agreed is not None else (None, None)
        frames = Framing(self._limits.message_bytes, deflate)
        self._socket = WebSocket(self.transport, upgrade, frames, self._limits, self._setting.pacer)
        received = bytes(self.buffer)
        self.buffer.clear()
        await self._socket.run(handshake.opening(head, upgrade, extension), received)
        if self._socket.ending is not Ending.CLEAN:
            await self._end(self._socket.ending)
        await self.hang_up()
        raise NoMore

    async def _perform_whole(self, answer: Whole, head: Head, close: bool) -> None:
        unsent = Unsent(self._setting.writer.whole(answer, head, close), answer.on_end)
        if answer.slicing is None:
            await self.pour(unsent)
            return
        with reporting(answer.on_end) as report:
            pieces = slices(iter([(0.0, unsent.data)]), answer.slicing)
            await self._play(PacedStream(self.transport, pieces, trio.current_time(), separate=True))
            report.outcome = Outcome.DELIVERED

    async def perform_stream(self, under_way: UnderWay) -> None:
        with reporting(under_way.on_end) as report:
            await self._play(under_way.stream)
            report.outcome = Outcome.DELIVERED  # what follows is the ending, as told
        if under_way.ending is not Ending.CLEAN:
            await self._end(under_way.ending)

    async def _perform_relay(self, answer: Relay, head: Head, close: bool) -> None:
        opening = self._setting.writer.relay(answer, head, close)
        is_chunked = answer.length is None and head.http_version == "1.1"

        async def write(piece: bytes) -> None:
            await self.send(chunk(piece) if is_chunked else piece)

        with reporting(answer.on_end) as report:
            async with watching(self._watch_client) as watch:
                ending = await relay(answer, head, Client(functools.partial(self.send, opening), write), watch)
                if is_chunked and has_body(answer.status, head):
                    await self.send(_LAST_BYTES.get(ending, b""))
            report.outcome = Outcome.DELIVERED if ending is Ending.CLEAN else Outcome.BROKEN_OFF
        if ending is not Ending.CLEAN:
            await self._end(ending)

    async def pour(self, unsent: Unsent) -> None:
        """Sends what waits for nothing but the client's reading."""
        with reporting(unsent.on_end) as report:
            await self.send(unsent.data)
            report.outcome = Outcome.DELIVERED

    async def _play(self, stream: PacedStream) -> None:
        """Leaves a paced stream to the pacer, and watches for the client's leaving meanwhile."""
        while not stream.is_done:
            if stream.owed:
                await self.send(stream.owed)
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
        while len(self.buffer) < _MAX_BUFFER_WHILE_ANSWERING:
            data = await self.transport.receive()
            if not data:
                raise PeerGone
            self.buffer += data
        await trio.sleep_forever()

    async def _end(self, ending: Ending) -> NoReturn:
        """Ends the connection badly, as told."""
        if ending is Ending.RST:
            self.transport.reset()
        elif ending is Ending.STALL:
            await self._discard()
        else:
            self.transport.cut()
            await self._linger()
        raise NoMore

    async def hang_up(self) -> None:
        self.transport.finish()
        await self._linger()

    async def _linger(self) -> None:
        """Patience after a FIN: closing with unread bytes would be a reset, and a reset can overtake the answer."""
        with trio.move_on_after(self._limits.linger):
            await self._discard()

    async def _discard(self) -> None:
        """Reads and drops what the client sends until it closes."""
        self.buffer.clear()
        while await self.transport.receive():
            pass

    async def send(self, data: bytes) -> None:
        unsent = memoryview(data)
        while unsent:
            with trio.fail_after(self._limits.write_timeout):
                sent = await self.transport.send_some(unsent)
            unsent = unsent[sent:]

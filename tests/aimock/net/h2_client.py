"""A client of HTTP/2 that does just what a test tells it to: opens streams, grants room or none, resets, leaves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import attrs
import h2.config
import h2.connection
import h2.events
import h2.settings
import trio


@attrs.define
class Seen:
    """What has come of one stream."""

    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    """The code, if it was reset."""
    pieces: list[tuple[float, bytes]] = attrs.field(factory=list)
    """With Trio's time."""

    @property
    def is_over(self) -> bool:
        return self.ended or self.reset is not None


class H2Client:
    """Room is granted as data comes, unless `window` says less."""

    def __init__(self, stream: trio.abc.Stream, *, window: int | None = None, upgraded: bool = False) -> None:
        self.stream = stream
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._sending = trio.Lock()
        self._window = window
        self._upgraded = upgraded
        self._seen: dict[int, Seen] = {}
        self._changed = trio.Event()
        self.is_closed = False
        """Whether the server has ended the connection."""
        self.said_goodbye = False

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator[H2Client]:
        """Within it, what comes is read."""
        if not self._upgraded:
            self.connection.initiate_connection()
        if self._window is not None:
            self.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self._window})
        try:
            await self.flush()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                yield self
                nursery.cancel_scope.cancel()
        finally:
            await trio.aclose_forcefully(self.stream)

    async def flush(self) -> None:
        async with self._sending:
            await self.stream.send_all(self.connection.data_to_send())

    async def ask(
        self,
        path: str | bytes = "/",
        method: str = "GET",
        body: bytes | None = None,
        *,
        headers: Iterable[tuple[Any, Any]] = (),
        end: bool = True,
    ) -> int:
        """Opens a stream, and gives its number."""
        stream_id = self.connection.get_next_available_stream_id()
        pseudo: list[tuple[Any, Any]] = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "x")]
        self.connection.send_headers(stream_id, [*pseudo, *headers], end_stream=end and body is None)
        self._seen[stream_id] = Seen()
        if body is not None:
            await self.send(stream_id, body, end=end)
        await self.flush()
        return stream_id

    async def send(self, stream_id: int, body: bytes, *, end: bool = False) -> None:
        """As fast as the server takes it."""
        while body:
            room = min(self.connection.local_flow_control_window(stream_id), 16384)
            if room <= 0:
                await self._wait()
                continue
            self.connection.send_data(stream_id, body[:room])
            body = body[room:]
            await self.flush()
        if end:
            self.connection.end_stream(stream_id)
        await self.flush()

    async def reset(self, stream_id: int) -> None:
        self.connection.reset_stream(stream_id, 8)
        await self.flush()

    def seen(self, stream_id: int) -> Seen:
        return self._seen.setdefault(stream_id, Seen())

    async def over(self, stream_id: int) -> Seen:
        """What was seen of a stream, at its end."""
        await self.until(lambda: self.seen(stream_id).is_over or self.is_closed)
        return self.seen(stream_id)

    async def until(self, condition: Any) -> None:
        with trio.fail_after(5):
            while not condition():
                await self._wait()

    async def fetch(self, *args: Any, **kwargs: Any) -> Seen:
        return await self.over(await self.ask(*args, **kwargs))

    async def _wait(self) -> None:
        await self._changed.wait()

    async def _read(self) -> None:
        while True:
            try:
                data = await self.stream.receive_some(65536)  # type: ignore[attr-defined]
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                self.is_closed = True
                self._tell()
                return
            for event in self.connection.receive_data(bytes(data)):
                self._note(event)
            await self.flush_if_open()
            self._tell()

    async def flush_if_open(self) -> None:
        try:
            await self.flush()
        except trio.BrokenResourceError:
            self.is_closed = True

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                seen = self.seen(event.stream_id)
                headers = [(str(name), str(value)) for name, value in event.headers or ()]
                assert len(dict(headers)) == len(headers)
                seen.headers = dict(headers)
                seen.status = int(seen.headers.pop(":status"))
            case h2.events.DataReceived():
                seen = self.seen(event.stream_id)
                seen.body += event.data or b""
                if event.data:
                    seen.pieces.append((trio.current_time(), event.data))
                if self._window is None and event.flow_controlled_length:
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.seen(event.stream_id).ended = True
            case h2.events.StreamReset():
                self.seen(event.stream_id).reset = int(event.error_code)  # type: ignore[arg-type]
            case h2.events.ConnectionTerminated():
                self.said_goodbye = True

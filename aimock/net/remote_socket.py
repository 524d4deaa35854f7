"""WebSockets to other servers: trio-websocket speaks, over a stream that is opened and watched here.

It would wait for its whole patience where the peer hangs up in the midst of the handshake, or shows a certificate that
nobody trusts; so TLS shakes hands before, and the end of the stream is told at once.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence

import attrs
import h11
import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from aimock.net import framing
from aimock.net.exchange import Headers

_GOODBYE = 1.0
"""Seconds for the closing handshake."""
_READ_BYTES = 64 * 1024
_ABNORMAL = 1006
_IMPROPER = "sent no proper answer to the handshake"


class Refused(Exception):
    """The server answered the handshake otherwise than by a WebSocket."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Closed(Exception):
    """There is no more of it."""

    def __init__(self, code: int, reason: str) -> None:
        """`code`: that of the close frame; 1005 if it had none, 1006 if there was none (RFC 6455 7.4.1)."""
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@attrs.define(eq=False)
class RemoteSocket:
    """A WebSocket whose server is somebody else."""

    _connection: trio_websocket.WebSocketConnection
    code: int = 1000
    """With what it is closed on our side."""
    reason: str = ""

    async def send(self, message: str | bytes) -> None:
        """Raises Closed."""
        try:
            await self._connection.send_message(message)
        except trio_websocket.ConnectionClosed as closed:
            raise _closed(closed) from None

    async def receive(self) -> str | bytes:
        """The next message; the one after it is not read before it is asked for. Raises Closed."""
        try:
            return await self._connection.get_message()
        except trio_websocket.ConnectionClosed as closed:
            raise _closed(closed) from None


@contextlib.asynccontextmanager
async def open_socket(
    host: str,
    port: int,
    target: str,
    *,
    authority: str,
    tls: ssl.SSLContext | None,
    subprotocols: Sequence[str],
    headers: Headers,
    message_bytes: int,
    patience: float,
) -> AsyncIterator[RemoteSocket]:
    """A WebSocket, closed at the end of the context. `authority` is the Host header, and `headers` are those beside the
    handshake's own. `patience`: seconds until it is open. Messages beyond `message_bytes` end it with 1009.

    Raises Refused, or OSError, trio.BrokenResourceError or trio.TooSlowError if there is no answer.
    """
    lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    deadline = trio.current_time() + patience
    with trio.fail_at(deadline):
        stream = _Watched(await _connected(host, port, tls))
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_at(deadline):
                connection = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,  # type: ignore[arg-type]
                    authority,
                    target,
                    subprotocols=subprotocols or None,
                    extra_headers=lines,
                    message_queue_size=1,
                    max_message_size=message_bytes,
                    receive_buffer_size=_READ_BYTES,
                )
            stream.is_open = True
            socket = RemoteSocket(connection)
            try:
                yield socket
            finally:
                with trio.move_on_after(_GOODBYE, shield=True):
                    await connection.aclose(socket.code, socket.reason)
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        cause = _only(group)
        if isinstance(cause, trio_websocket.ConnectionRejected):
            raise Refused(cause.status_code) from None
        if isinstance(cause, h11.ProtocolError | ProtocolError):
            raise OSError(_IMPROPER) from None
        raise cause from None
    finally:
        await trio.aclose_forcefully(stream)


class _Watched(trio.abc.Stream):
    """A stream whose end before the handshake's is an error, and ends those who wait for it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.is_open = False
        """Whether the handshake is done."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._said():
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        with self._said():
            data = await self._stream.receive_some(max_bytes)
            if not data:
                self._end("hung up in the midst of the handshake")
            return data

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._end(_IMPROPER)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except trio.BrokenResourceError as error:
            if self.is_open:
                raise
            raise OSError(str(error)) from error

    def _end(self, said: str) -> None:
        if not self.is_open:
            self.is_open = True  # told once
            raise OSError(said)


async def _connected(host: str, port: int, tls: ssl.SSLContext | None) -> trio.abc.Stream:
    if tls is None:
        return await trio.open_tcp_stream(host, port)
    stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=tls, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What is wrong, where one thing is; the group where there are more, or it was only cancelled."""
    causes = [each for each in _leaves(group) if not isinstance(each, trio.Cancelled)]
    return causes[0] if len(causes) == 1 else group


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _closed(closed: trio_websocket.ConnectionClosed) -> Closed:
    reason = closed.reason
    if reason is None or reason.code not in framing.PROPER_CODES | {framing.NO_STATUS}:
        return Closed(_ABNORMAL, "")
    return Closed(reason.code, reason.reason or "")

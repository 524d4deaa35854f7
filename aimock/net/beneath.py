"""What lies beneath an ASGI connection that Hypercorn serves.

ASGI has no words for the bad endings that a mock is asked for: an application that returns half-way leaves an HTTP/2
client waiting for ever, and none can reset a stream. Hypercorn's own objects can do all of that, and are reached from
the `send` that it gives an application. Behind another server, or a middleware, there is nothing to reach.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import trio
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.events import Closed, RawData
from hypercorn.protocol.events import Body, Data, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.tcp_server import TCPServer
from wsproto.connection import ConnectionState

from aimock.net.exchange import Ending
from aimock.net.transport import LINGER_ZERO
from aimock.net.wire import CHUNK_TO_COME

_RESETS = {Ending.RST: ErrorCodes.CANCEL}
"""The code of a stream's reset (RFC 9113 7). Any other ending is that of a server which broke down."""


def beneath(send: Any) -> Beneath | None:
    """What lies beneath an ASGI application's `send`, if that is Hypercorn's own."""
    stream = getattr(send, "__self__", None)
    if not isinstance(stream, HTTPStream | WSStream):
        return None
    protocol = getattr(stream.send, "__self__", None)
    server = getattr(getattr(protocol, "send", None), "__self__", None)
    if not isinstance(protocol, H11Protocol | H2Protocol) or not isinstance(server, TCPServer):
        return None
    return Beneath(stream, protocol, server)


class Beneath:
    """One request's stream: all of an HTTP/1.1 connection, or a stream of an HTTP/2 connection."""

    def __init__(self, stream: HTTPStream | WSStream, protocol: H11Protocol | H2Protocol, server: TCPServer) -> None:
        self._stream = stream
        self._protocol = protocol
        self._server = server

    @property
    def is_multiplexed(self) -> bool:
        """Whether there may be other streams on the connection."""
        return isinstance(self._protocol, H2Protocol)

    @property
    def adds_date(self) -> bool:
        """Whether the server writes a Date header of its own."""
        return bool(self._stream.config.include_date_header)

    @property
    def shook_hands(self) -> bool:
        """Whether a WebSocket was closed by the closing handshake, which Hypercorn tells as an abnormal closure."""
        connection = getattr(self._stream, "connection", None)
        return connection is not None and connection.state is ConnectionState.CLOSED

    async def until_shutdown(self) -> None:
        """Until the server takes no more requests, and waits for those that it has."""
        await self._server.context.terminated.wait()

    async def flush(self) -> None:
        """Until all of the body that was sent is on its way. (HTTP/1.1 does not return before that.)"""
        if isinstance(self._protocol, H2Protocol):
            buffered = self._protocol.stream_buffers.get(self._stream.stream_id)
            if buffered is not None and buffered.buffer:
                await buffered.drain()

    async def write(self, data: bytes) -> None:
        """Bytes on the connection or, with HTTP/2, on the stream, unframed."""
        await self._protocol.stream_send(Data(stream_id=self._stream.stream_id, data=data))

    async def end(self, ending: Ending) -> None:
        """Ends it badly. With HTTP/2 that is a reset, and other streams of the connection live on."""
        if isinstance(self._protocol, H2Protocol):
            await self._reset_stream(self._protocol, _RESETS.get(ending, ErrorCodes.INTERNAL_ERROR))
        else:
            await self._end_connection(ending)

    async def announce_chunk(self) -> None:
        """The beginning of a chunk that does not come, where bodies are sent in chunks."""
        if isinstance(self._protocol, H11Protocol) and self._stream.scope["http_version"] == "1.1":
            await self._protocol.send(RawData(CHUNK_TO_COME))

    async def _end_connection(self, ending: Ending) -> None:
        """By TCP alone: a farewell in TLS would be a good ending."""
        stream = self._server.stream
        if ending is Ending.RST:
            tcp = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
            with contextlib.suppress(OSError, trio.ClosedResourceError):  # the client was first
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        await trio.aclose_forcefully(stream)
        await self._protocol.send(Closed())

    async def _reset_stream(self, protocol: H2Protocol, code: ErrorCodes) -> None:
        stream_id = self._stream.stream_id
        try:
            protocol.connection.reset_stream(stream_id, code)
        except ProtocolError:
            return  # the client was first
        await protocol.send(RawData(protocol.connection.data_to_send()))
        # The sending task finds the stream closed and forgets its buffer; then the stream is over for Hypercorn.
        await protocol.stream_send(Body(stream_id=stream_id, data=b""))
        await protocol.stream_send(StreamClosed(stream_id=stream_id))

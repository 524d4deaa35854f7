"""HTTP+SSE, the transport of 2024-11-05: a stream by GET that says where to post, and answers by the stream."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Relay
from aimock.steering import query_value
from aimock.surfaces.mcp.answering import EVENTS, Answering, Refused
from aimock.surfaces.mcp.peer import Peer
from aimock.surfaces.mcp.streams import EventStream
from aimock_protocols import jsonrpc
from aimock_protocols.canonical import Stamp
from aimock_protocols.jsonrpc import INVALID_REQUEST, RpcError
from aimock_protocols.mcp import frames

if TYPE_CHECKING:
    from aimock.surfaces.mcp.service import MCPService


class _Client:
    """One that listens."""

    def __init__(self, service: MCPService, exchange: Exchange) -> None:
        self.stream = EventStream()
        self._stamp = exchange.stamp
        self.peer = Peer(
            service.server,
            self.stream.send,
            service.spawn,
            self._stamp_of,
            exchange.steering.test_id,
            on_missed=functools.partial(service.missed, exchange),
        )

    def receive(self, exchange: Exchange) -> None:
        self._stamp = exchange.stamp
        self.peer.receive(exchange.request.body)

    def _stamp_of(self, body: bytes) -> Stamp:
        return self._stamp


class OldTransport:
    def __init__(self, service: MCPService) -> None:
        self._service = service
        self._clients: dict[str, _Client] = {}

    def get(self, exchange: Exchange, answering: Answering) -> Answer:
        """Raises Refused."""
        if len(self._clients) >= self._service.transport.most_sessions:
            raise Refused(503, RpcError(INVALID_REQUEST, "Too many clients listen"))
        id = exchange.stamp.uuid("session")
        client = self._clients[id] = _Client(self._service, exchange)
        entry = self._service.noted(exchange, 200, "session/stream")
        pieces = self._told(id, client)
        return Relay(200, EVENTS, pieces, exchange.fresh_headers, on_end=entry.ended)

    async def _told(self, id: str, client: _Client) -> AsyncGenerator[bytes, None]:
        try:
            yield frames.endpoint(f"{self._service.path}/messages?sessionId={id}")
            async for piece in client.stream.read(None, self._service.keep_alive):
                yield piece
        finally:
            client.peer.close()
            self._clients.pop(id, None)

    def post(self, exchange: Exchange, answering: Answering) -> Answer:
        """Raises Refused."""
        self._service.check_content(exchange)
        client = self._clients.get(query_value(exchange.head.query, "sessionId") or "")
        if client is None:
            raise Refused(404, RpcError(INVALID_REQUEST, "Session not found"))
        value = _value(exchange)
        answering.meant(value)
        client.receive(exchange)
        return answering.whole(202)

    def reset(self) -> None:
        for client in self._clients.values():
            client.stream.finish(None)


def _value(exchange: Exchange) -> Any:
    """What was posted. Raises Refused."""
    try:
        return jsonrpc.loads(exchange.request.body)
    except RpcError as malformed:
        raise Refused(400, malformed) from None

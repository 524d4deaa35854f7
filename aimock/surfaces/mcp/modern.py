"""Streamable HTTP without sessions: 2026-07-28."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimock.exchange import Exchange
from aimock.net.exchange import Answer
from aimock.surfaces.mcp.answering import Answering, Refused
from aimock.surfaces.mcp.listening import Listening
from aimock.surfaces.mcp.moves import Caller, Outcome
from aimock.surfaces.mcp.performing import Performer, begin
from aimock.surfaces.mcp.streams import EventStream
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INVALID_REQUEST, Notification, Request, RpcError
from aimock_protocols.mcp.envelope import VERSION_HEADER, climb
from aimock_protocols.mcp.errors import method_not_found, unsupported_version

if TYPE_CHECKING:
    from aimock.surfaces.mcp.service import MCPService


class Modern:
    """What the service does for clients that say with each request what they are."""

    def __init__(self, service: MCPService) -> None:
        self._service = service
        self._listening: dict[EventStream, Listening] = {}

    def post(self, exchange: Exchange, value: Any, answering: Answering) -> Answer:
        """Raises RpcError."""
        message = jsonrpc.message(value)
        head = exchange.head
        server = self._service.server
        if isinstance(message, Notification):
            version = head.headers.get(VERSION_HEADER, "")
            if version not in server.options.versions:
                raise unsupported_version(version, server.options.versions)
            return answering.whole(202)  # and dropped: there is no session that it could be of
        if not isinstance(message, Request):
            raise RpcError(INVALID_REQUEST, "Invalid Request: nobody has asked the client anything")
        try:
            envelope = climb(message, head.headers, head.header_lines, server.options.versions)
            if message.method == "subscriptions/listen":
                return self._listen(message, answering)
            if not server.knows(message.method, envelope.version):
                raise method_not_found(message.method)
            server.check_headers(message, head.header_lines)
        except RpcError as refused:
            return answering.told([Outcome(refused.response(message.id))])
        caller = Caller(
            envelope.version,
            envelope.capabilities,
            exchange.stamp,
            exchange.steering.test_id,
            log_level=envelope.log_level,
            progress_token=envelope.progress_token,
        )
        begun = begin(server.answer(message, caller))
        if isinstance(begun, Outcome):
            return answering.told([begun])
        stream = EventStream(muted=not answering.accepted.events)
        scope = self._service.spawn(lambda: Performer(caller, stream).perform(begun))
        stream.on_unread = scope.cancel  # leaving is cancelling
        return answering.awaited(stream)

    def _listen(self, message: Request, answering: Answering) -> Answer:
        if not answering.accepted.events:
            raise Refused(406, RpcError(INVALID_REQUEST, "Not Acceptable: this is answered by text/event-stream"))
        if len(self._listening) >= self._service.most_listening:
            raise RpcError(jsonrpc.INTERNAL_ERROR, f"No more than {self._service.most_listening} subscriptions at once")
        stream = EventStream()
        listening = self._listening[stream] = Listening(self._service.server, message, stream.send)

        def left() -> None:
            listening.close()
            self._listening.pop(stream, None)

        stream.on_unread = left
        return answering.relay(stream)

    def reset(self) -> None:
        """Tells all who listen that this was it."""
        for stream, listening in self._listening.items():
            stream.finish(Outcome(listening.end()))
        self._listening.clear()

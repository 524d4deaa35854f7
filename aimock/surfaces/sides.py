"""Routes beside the chat (model lists, token counts), and what a protocol says to its clients on paths that nobody has.

No fixture answers here, so none is counted, and nothing is journaled.
"""

from __future__ import annotations

from collections.abc import Callable

from aimock.exchange import Exchange
from aimock.net.exchange import Whole
from aimock.surfaces.headers import ResponseHeaders
from aimock_protocols.canonical import ErrorReply, SideRequest, WireError, WireProtocol, WireResponse
from aimock_protocols.members import member

DEFAULT_MODELS = (
    "gpt-4",
    "gpt-4o",
    "claude-3-5-sonnet-20241022",
    "gemini-2.0-flash",
    "text-embedding-3-small",
)


class SideSurface:
    """One protocol's side routes."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._protocol = protocol
        self._headers = ResponseHeaders(protocol)

    def answer(self, exchange: Exchange, function: str) -> Whole:
        """What a function of the protocol's module says."""
        act: Callable[[SideRequest], WireResponse] = getattr(self._protocol, function)
        models = exchange.state.book.models or member(self._protocol, "default_models") or DEFAULT_MODELS
        memory = exchange.memory(self._protocol.name)
        try:
            response = act(
                SideRequest(exchange.head, exchange.params, exchange.request.body, exchange.stamp, models, memory)
            )
        except WireError as refusal:
            return self.refuse(exchange, refusal.reply)
        return self._headers.respond(exchange, response)

    def refuse(self, exchange: Exchange, error: ErrorReply) -> Whole:
        """An error in the protocol's words."""
        return self._headers.respond(exchange, self._protocol.error(error, exchange.stamp))

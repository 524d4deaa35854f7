"""The opening handshake of a WebSocket (RFC 6455 4)."""

from __future__ import annotations

from aimock.net.exchange import Head


def asks_for_websocket(head: Head) -> bool:
    """Whether the client proposes to speak WebSocket, however badly it does so; other upgrades may be ignored."""
    return any(
        name == "upgrade" and any(token.strip().lower() == "websocket" for token in value.split(","))
        for name, value in head.header_lines
    )

"""The opening handshake of a WebSocket (RFC 6455 section 4), seen from the server.

wsproto makes the accept key and negotiates compression. The head is judged here, where it has been read already:
wsproto would read it anew, knows `Upgrade` and `Sec-WebSocket-Version` as single values only, and any key is right to
it.
"""

from __future__ import annotations

from aimock.net.exchange import Head


def asks_for_websocket(head: Head) -> bool:
    """Whether the client wants a WebSocket, whatever else may be wrong with its handshake. Other protocols that it
    offers to switch to (`h2c`) are none of our concern: such a request is ordinary HTTP."""
    return "upgrade" in head.headers and "websocket" in tokens(head, "upgrade")


def tokens(head: Head, name: str) -> list[str]:
    """The members of a list header, which may be repeated, in lower case."""
    return [token.strip().lower() for key, value in head.header_lines if key == name for token in value.split(",")]

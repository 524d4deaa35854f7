"""The opening handshake of a WebSocket (RFC 6455 section 4), seen from the server.

wsproto makes the accept key and negotiates compression. The head is judged here, where it has been read already:
wsproto would read it anew, knows `Upgrade` and `Sec-WebSocket-Version` as single values only, and any key is right to
it.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

from aimock.net.exchange import Head, Headers, Refusal, Upgrade
from aimock.net.wire import header_lines

_VERSION = "13"
_KEY_BYTES = 16


class Refused(NamedTuple):
    """A handshake that is not in order."""

    refusal: Refusal
    headers: Headers = ()
    """That the refusal needs."""


def asks_for_websocket(head: Head) -> bool:
    """Whether the client wants a WebSocket, whatever else may be wrong with its handshake. Other protocols that it
    offers to switch to (`h2c`) are none of our concern: such a request is ordinary HTTP."""
    return "upgrade" in head.headers and "websocket" in _tokens(head, "upgrade")


def fault(head: Head) -> Refused | None:
    """What is wrong with a handshake, if anything is (RFC 6455 4.2.1)."""
    if head.method != "GET":
        return Refused(Refusal(405, "A WebSocket is asked for with GET"), (("allow", "GET"),))
    if head.http_version != "1.1" or "upgrade" not in _tokens(head, "connection") or not asks_for_websocket(head):
        return Refused(Refusal(400, "A WebSocket needs HTTP/1.1, `Upgrade: websocket` and `Connection: Upgrade`"))
    if _values(head, "sec-websocket-version") != [_VERSION]:
        speaks = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", _VERSION))
        return Refused(Refusal(426, f"Sec-WebSocket-Version must be {_VERSION}"), speaks)
    keys = _values(head, "sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return Refused(Refusal(400, f"Sec-WebSocket-Key must be {_KEY_BYTES} bytes in base64"))
    return None


def offers(head: Head) -> list[str]:
    """The extensions that the client would use, best first."""
    return [offer.strip() for value in _values(head, "sec-websocket-extensions") for offer in value.split(",")]


def opening(head: Head, upgrade: Upgrade, extension: str | None) -> bytes:
    """The answer to a handshake that is in order. `extension` is an answer to one of the offers."""
    from wsproto.utilities import generate_accept_token  # few servers are asked for WebSockets

    accept = generate_accept_token(head.headers["sec-websocket-key"].encode("ascii")).decode("ascii")
    headers = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)]
    if upgrade.subprotocol is not None:
        headers.append(("sec-websocket-protocol", upgrade.subprotocol))
    if extension is not None:
        headers.append(("sec-websocket-extensions", extension))
    return b"HTTP/1.1 101 Switching Protocols\r\n" + header_lines((*headers, *upgrade.headers)) + b"\r\n"


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except ValueError:
        return False


def _values(head: Head, name: str) -> list[str]:
    return [value for key, value in head.header_lines if key == name]


def _tokens(head: Head, name: str) -> list[str]:
    """The members of a list header, which may be repeated, in lower case."""
    return [token.strip().lower() for value in _values(head, name) for token in value.split(",")]

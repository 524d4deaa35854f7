"""What tests of WebSockets share: a dialogue that does as the test says, and frames as a client may send them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import attrs

from aimock.net.dialogue import Step
from aimock.net.exchange import Answer, Outcome, Request, Upgrade


@attrs.define(eq=False)
class Talk:
    """A dialogue that remembers what it was told."""

    reply: Callable[[str | bytes], Iterable[Step]] = lambda message: ()
    greet: Callable[[], Iterable[Step]] = tuple
    opened_times: int = 0
    heard: list[str | bytes] = attrs.field(factory=list)
    outcomes: list[Outcome] = attrs.field(factory=list)
    """Told by `ended`, and by the upgrade's `on_end`."""

    def opened(self) -> Iterable[Step]:
        self.opened_times += 1
        return self.greet()

    def received(self, message: str | bytes) -> Iterable[Step]:
        self.heard.append(message)
        return self.reply(message)

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def answers(self, request: Request) -> Answer:
        """For a handler that makes this dialogue's of every connection."""
        return Upgrade(lambda: self, on_end=self.outcomes.append)


TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x81, 0x82, 0x88, 0x89, 0x8A, 0x80
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10


def client_frame(first: int, payload: bytes = b"", *, masked: bool = True, length: bytes | None = None) -> bytes:
    """A frame whose first byte is `first`. `length`: what stands in place of the length, mask bit and all."""
    size = len(payload)
    mask = 0x80 if masked else 0
    if length is None and size < 126:
        length = bytes((mask | size,))
    elif length is None and size < 1 << 16:
        length = struct.pack("!BH", mask | 126, size)
    elif length is None:
        length = struct.pack("!BQ", mask | 127, size)
    if not masked:
        return bytes((first,)) + length + payload
    key = b"\x11\x22\x33\x44"
    return bytes((first,)) + length + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


HANDSHAKE = (
    b"GET /socket?x=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
"""With the key of RFC 6455 1.3."""
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

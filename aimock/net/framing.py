"""Frames of a WebSocket (RFC 6455 section 5) and their compression (RFC 7692): bytes to messages and back.

wsproto reads the frames and judges them. What it does not do as we need it is done here: messages are bounded while
they grow, inflated ones too; which close codes may come over the wire; and a control frame amid the fragments of a
compressed message does not make it forget that this is compressed.
"""

from __future__ import annotations

import codecs
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, Frame, FrameDecoder, FrameProtocol, Opcode, ParseFailed, RsvBits

GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, NOT_UTF8, TOO_BIG, INTERNAL_ERROR = 1001, 1002, 1005, 1007, 1009, 1011

PING = b"\x89\x00"

_TEXT, _BINARY, _CLOSE, _PONG = 0x81, 0x82, 0x88, 0x8A
"""First bytes of whole messages: FIN, and an opcode."""
_COMPRESSED = 0x40
_MAX_REASON_BYTES = 123

PROPER_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)))
"""Close codes that may come over the wire: RFC 6455 7.4, and what IANA's registry has since."""

_WINDOW_BITS = r'=("?)(?:8|9|1[0-5])'
_OFFER = re.compile(
    r"permessage-deflate(?:[ \t]*;[ \t]*(?:(?:client|server)_no_context_takeover"
    rf"|client_max_window_bits(?:{_WINDOW_BITS}\1)?|server_max_window_bits{_WINDOW_BITS}\2))*"
)
"""RFC 7692 7.1: an offer with any other parameter or value is declined."""

_WINDOW_OF_OURS = 13
"""What we compress with is at most this, whatever was agreed: with zlib's defaults each socket would take 256 KiB, and
this takes 64. A peer that allows for more does not mind."""
_MEMORY_LEVEL = 6


class Violation(Exception):
    """The peer broke the protocol, and is to be told so with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Ping(NamedTuple):
    payload: bytes


class Closing(NamedTuple):
    """The peer's close frame; `code` is None if it gave none."""

    code: int | None
    reason: str = ""


Received = str | bytes | Ping | Closing


class Deflate(PerMessageDeflate):
    """Compression of one connection's messages. What is negotiated is wsproto's."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__()
        self._message_bytes = message_bytes
        self._room = message_bytes
        """How much more the message that is coming may inflate to."""
        self._is_compressed = False
        """The message that is coming."""
        self._is_open = False
        """Whether some frames of it have come."""
        self._is_control = False
        """The frame that is coming."""
        self._inflater: zlib._Decompress | None = None
        self._deflater: zlib._Compress | None = None

    def compress(self, data: bytes) -> bytes:
        """The payload of a message's only frame."""
        if self._deflater is None:
            bits = min(self.server_max_window_bits, _WINDOW_OF_OURS)
            self._deflater = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -bits, _MEMORY_LEVEL)
        payload = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        if self.server_no_context_takeover:
            self._deflater = None
        return payload[:-4] or b"\0"  # zlib flushes nothing if there is nothing new

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._is_control = opcode.iscontrol()
        is_first = opcode in (Opcode.TEXT, Opcode.BINARY)
        if (rsv.rsv1 and not is_first) or (is_first is self._is_open and not self._is_control):
            return CloseReason.PROTOCOL_ERROR
        if is_first:
            self._is_compressed = rsv.rsv1
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        return data if self._is_control or not self._is_compressed else self._inflate(data)

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        if self._is_control:
            return None
        self._is_open = not fin
        if not self._is_compressed or not fin:
            return None
        rest = self._inflate(b"\0\0\xff\xff") if self._inflater is not None else b""
        self._room = self._message_bytes
        if self.client_no_context_takeover:
            self._inflater = None
        return rest

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        inflated = b""
        while data:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(-self.client_max_window_bits)
            try:
                inflated += self._inflater.decompress(data, self._room - len(inflated) + 1)
            except zlib.error:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            if len(inflated) > self._room:
                return CloseReason.MESSAGE_TOO_BIG
            if not self._inflater.eof:
                break
            data = self._inflater.unused_data  # a block may be marked as the last (RFC 7692 7.2.3.4)
            self._inflater = None
        self._room -= len(inflated)
        return inflated


def negotiate(offers: list[str], message_bytes: int) -> tuple[Deflate, str] | None:
    """The first acceptable of a client's offers, and the answer to it. None: nothing is compressed."""
    for offer in offers:
        names = [parameter.partition("=")[0].strip() for parameter in offer.split(";")]
        if _OFFER.fullmatch(offer) is None or len(set(names)) < len(names):
            continue
        deflate = Deflate(message_bytes)
        accepted = deflate.accept(offer.replace('"', ""))
        if isinstance(accepted, str):
            return deflate, "; ".join(filter(None, (deflate.name, accepted)))
    return None


class Framing:
    """One connection's frames, both ways."""

    __slots__ = ("_decoder", "_deflate", "_is_text", "_message_bytes", "_parts", "_size", "_utf8")

    def __init__(self, message_bytes: int, deflate: Deflate | None = None) -> None:
        self._message_bytes = message_bytes
        self._deflate = deflate
        self._decoder = FrameDecoder(client=False, extensions=[deflate] if deflate is not None else [])
        self._is_text: bool | None = None
        """Of the message that is coming; None between messages."""
        self._parts: list[Any] = []  # all text, or all bytes
        self._size = 0
        self._utf8: codecs.IncrementalDecoder | None = None

    # -- in --------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> Iterator[Received | None]:
        """What has come: an item for each frame, or piece of one, that is None if it tells nothing yet. Nothing may be
        asked for after a `Closing`. Raises Violation."""
        self._decoder.receive_bytes(data)
        try:
            while (frame := self._decoder.process_buffer()) is not None:
                yield self._take(frame)
        except ParseFailed as error:
            raise Violation(int(error.code), _REASONS.get(error.code, str(error))) from None

    def _take(self, frame: Frame) -> Received | None:
        assert isinstance(frame.payload, bytes)
        if frame.opcode is Opcode.PING:
            return Ping(frame.payload)
        if frame.opcode is Opcode.PONG:
            return None
        if frame.opcode is Opcode.CLOSE:
            return _closing(frame.payload)
        if (frame.opcode is Opcode.CONTINUATION) is (self._is_text is None):
            raise Violation(PROTOCOL_ERROR, "A continuation of nothing, or a message within a message")
        if self._is_text is None:
            self._is_text = frame.opcode is Opcode.TEXT
        self._size += len(frame.payload)
        if self._size > self._message_bytes:
            raise Violation(TOO_BIG, "Message too big")
        is_whole = frame.frame_finished and frame.message_finished
        part: Any = self._decoded(frame.payload, is_whole) if self._is_text else frame.payload
        if not is_whole:
            self._parts.append(part)
            return None
        message: str | bytes = part if not self._parts else part[:0].join([*self._parts, part])
        self._is_text, self._parts, self._size, self._utf8 = None, [], 0, None
        return message

    def _decoded(self, payload: bytes, is_whole: bool) -> str:
        """A part of a text: what is wrong with it is told at once (RFC 6455 8.1), not when the rest has come."""
        try:
            if is_whole and self._utf8 is None:
                return payload.decode()
            if self._utf8 is None:
                self._utf8 = codecs.getincrementaldecoder("utf-8")()
            return self._utf8.decode(payload, is_whole)
        except UnicodeDecodeError:
            raise Violation(NOT_UTF8, "Text that is not UTF-8") from None

    # -- out -------------------------------------------------------------------------------------------------------

    def message(self, data: bytes, is_binary: bool) -> bytes:
        """To be written in the order of the calls: what is compressed refers to what was before it."""
        first = _BINARY if is_binary else _TEXT
        if self._deflate is None:
            return _framed(first, data)
        return _framed(first | _COMPRESSED, self._deflate.compress(data))


def pong(payload: bytes) -> bytes:
    return _framed(_PONG, payload)


def close(code: int | None, reason: str = "") -> bytes:
    """A close frame; without a code, and with 1005 which stands for that, it is empty."""
    if code is None or code == NO_STATUS:
        return _framed(_CLOSE, b"")
    told = reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore").encode()
    return _framed(_CLOSE, struct.pack("!H", code) + told)


def _framed(first: int, payload: bytes) -> bytes:
    """A server's frame: not masked, its length in the shortest form."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


_REASONS = {CloseReason.MESSAGE_TOO_BIG: "Message too big", CloseReason.INVALID_FRAME_PAYLOAD_DATA: "Bad compression"}
"""Where wsproto would say only that an extension failed."""


def _closing(payload: bytes) -> Closing:
    if not payload:
        return Closing(None)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in PROPER_CODES:
        raise Violation(PROTOCOL_ERROR, "A close frame with no proper code")
    try:
        return Closing(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise Violation(NOT_UTF8, "A close frame with a reason that is not UTF-8") from None

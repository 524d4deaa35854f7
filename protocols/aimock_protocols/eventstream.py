"""AWS event streams (`application/vnd.amazon.eventstream`): binary messages, each with typed headers and two checksums.

A message is its prelude (length of the message, length of its headers, CRC-32 of these two), the headers, the payload,
and the CRC-32 of all that comes before. A header is its name, the number of its type, and its value. All integers are
big-endian. Decoding is incremental and knows no service: bytes go in, split wherever the network split them, and whole
messages come out.

Source: wire-bedrock §2.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from aimock_protocols.canonical import Opened
from aimock_protocols.framing import EVENT_LIMIT, EventTooLarge, FramingError

CONTENT_TYPE = "application/vnd.amazon.eventstream"

HEADERS_LIMIT = 128 * 1024
"""Bytes that the headers of one message may have (botocore takes no more)."""

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_AROUND = _PRELUDE.size + _CRC.size
"""Bytes of a message besides headers and payload."""


class Kind(enum.IntEnum):
    """The types of header values, by their numbers on the wire."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INT = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    """Milliseconds of Unix time."""
    UUID = 9
    """Its 16 bytes."""


class Header(NamedTuple):
    """The value of a header, and its type."""

    kind: Kind
    value: bool | int | bytes | str


class Message(NamedTuple):
    """One message: an event, an exception that the service's model knows, or an error that it does not."""

    headers: Mapping[str, Header]
    payload: bytes

    def text(self, name: str) -> str | None:
        """The value of a header that is a string; None if there is none."""
        header = self.headers.get(name)
        return header.value if header is not None and type(header.value) is str else None


_INTEGERS = {Kind.BYTE: 1, Kind.SHORT: 2, Kind.INT: 4, Kind.LONG: 8, Kind.TIMESTAMP: 8}
"""Bytes of each kind of signed integer."""
_UUID_SIZE = 16


# -- encoding ----------------------------------------------------------------------------------------------------------


def encode(headers: Mapping[str, Header], payload: bytes) -> bytes:
    """One message. Raises OverflowError on a name, text or number that is too large for the wire."""
    return framed(packed(headers), payload)


def event(name: str, payload: bytes) -> bytes:
    """An event of the service's model, with its JSON."""
    return framed(_typed_headers(":event-type", name, "event"), payload)


def exception(name: str, payload: bytes) -> bytes:
    """An exception of the service's model, by the name that it has there, with its JSON."""
    return framed(_typed_headers(":exception-type", name, "exception"), payload)


def error(code: str, message: str) -> bytes:
    """An error that the service's model does not know."""
    told = {":message-type": "error", ":error-code": code, ":error-message": message}
    return encode({name: Header(Kind.STRING, value) for name, value in told.items()}, b"")


def framed(headers: bytes, payload: bytes) -> bytes:
    """One message, whose headers are packed already: those of a stream's messages are few."""
    lengths = _LENGTHS.pack(_AROUND + len(headers) + len(payload), len(headers))
    start = lengths + _CRC.pack(zlib.crc32(lengths)) + headers + payload
    return start + _CRC.pack(zlib.crc32(start))


def opened(message: bytes) -> Opened:
    """The payload of a message of ours, for which another can be put in its place."""
    end = _PRELUDE.size + _LENGTHS.unpack_from(message)[1]
    return Opened(message[end : -_CRC.size], partial(framed, message[_PRELUDE.size : end]))


def packed(headers: Mapping[str, Header]) -> bytes:
    """Headers as they stand in a message. Raises OverflowError."""
    return b"".join(
        _sized(name.encode(), 1) + bytes((kind,)) + _packed_value(kind, value)
        for name, (kind, value) in headers.items()
    )


@lru_cache(maxsize=64)
def _typed_headers(key: str, name: str, message_type: str) -> bytes:
    told = {key: name, ":content-type": "application/json", ":message-type": message_type}
    return packed({header: Header(Kind.STRING, value) for header, value in told.items()})


def _packed_value(kind: Kind, value: bool | int | bytes | str) -> bytes:
    if isinstance(value, str):
        return _sized(value.encode(), 2)
    if isinstance(value, bytes):
        return value if kind is Kind.UUID else _sized(value, 2)
    return value.to_bytes(_INTEGERS[kind], "big", signed=True) if kind in _INTEGERS else b""


def _sized(value: bytes, width: int) -> bytes:
    return len(value).to_bytes(width, "big") + value


# -- decoding ----------------------------------------------------------------------------------------------------------


def _sizes(buffer: bytearray, limit: int) -> tuple[int, int] | None:
    """The size of the message with which the buffer begins, and that of its headers; None if its prelude is not all
    there. Raises FramingError."""
    if len(buffer) < _PRELUDE.size:
        return None
    size, headers_size, checksum = _PRELUDE.unpack_from(buffer)
    if zlib.crc32(buffer[: _LENGTHS.size]) != checksum:
        raise FramingError("the checksum of a prelude is wrong")
    if size > limit:
        raise EventTooLarge(f"a message of {size} bytes, where {limit} are the limit")
    if headers_size > min(HEADERS_LIMIT, size - _AROUND):
        raise FramingError(f"a message of {size} bytes, of which {headers_size} are headers")
    return size, headers_size


class Cutter:
    """Bytes to messages as they are on the wire. Behind a prelude that is broken nobody can tell where one ends: what
    follows is cut as it comes."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._is_broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes."""
        self._buffer += data
        frames = []
        while self._buffer and (size := self._next_size()) is not None and size <= len(self._buffer):
            frames.append(bytes(self._buffer[:size]))
            del self._buffer[:size]
        return frames

    def rest(self) -> bytes:
        """Takes what is there of a message whose end is missing."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _next_size(self) -> int | None:
        if not self._is_broken:
            try:
                sizes = _sizes(self._buffer, self._limit)
            except FramingError:
                self._is_broken = True
            else:
                return None if sizes is None else sizes[0]
        return len(self._buffer)


class Decoder:
    """Bytes to messages, incrementally. `limit` is that of a whole message in bytes."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises FramingError at the next call after what came before the fault,
        however the bytes were split."""
        self._buffer += data
        messages: list[Message] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except FramingError:
            if not messages:
                raise
        return messages

    def close(self) -> None:
        """Says that the stream has ended. Raises FramingError if it did so inside a message."""
        self._next()
        if self._buffer:
            raise FramingError(f"{len(self._buffer)} bytes of a message whose end is missing")

    def _next(self) -> Message | None:
        """Takes the next message from the buffer; None if it is not all there. A fault stays where it is."""
        buffer = self._buffer
        sizes = _sizes(buffer, self._limit)
        if sizes is None:
            return None
        size, headers_size = sizes
        if len(buffer) < size:
            return None
        message = bytes(buffer[:size])
        if zlib.crc32(message[: -_CRC.size]) != _CRC.unpack_from(message, size - _CRC.size)[0]:
            raise FramingError("the checksum of a message is wrong")
        headers_end = _PRELUDE.size + headers_size
        read = Message(
            unpacked(message[_PRELUDE.size : headers_end]),
            message[headers_end : -_CRC.size],
        )
        del buffer[:size]
        return read


def messages(chunks: Iterable[bytes], limit: int = EVENT_LIMIT) -> Iterator[Message]:
    """All messages of a stream. Raises FramingError after those that came before the fault."""
    decoder = Decoder(limit)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    decoder.close()


def unpacked(data: bytes) -> dict[str, Header]:
    """The inverse of `packed`. Raises FramingError, also if a name comes twice."""
    headers: dict[str, Header] = {}
    reader = _Reader(data)
    while reader.is_left:
        name = reader.text(1)
        if name in headers:
            raise FramingError(f"the header {name!r} comes twice")
        headers[name] = reader.header()
    return headers


class _Reader:
    """Takes values off the start of packed headers. All of it raises FramingError where bytes are missing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_left(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise FramingError("headers that break off")
        self._at += size
        return taken

    def sized(self, width: int) -> bytes:
        """Bytes after their length, which has `width` bytes."""
        return self.take(int.from_bytes(self.take(width), "big"))

    def text(self, width: int) -> str:
        try:
            return self.sized(width).decode()
        except UnicodeDecodeError:
            raise FramingError("text in a header that is not UTF-8") from None

    def header(self) -> Header:
        number = self.take(1)[0]
        try:
            kind = Kind(number)
        except ValueError:
            raise FramingError(f"a header of type {number}, which there is not") from None
        return Header(kind, self._value(kind))

    def _value(self, kind: Kind) -> bool | int | bytes | str:
        if kind in _INTEGERS:
            return int.from_bytes(self.take(_INTEGERS[kind]), "big", signed=True)
        if kind is Kind.STRING:
            return self.text(2)
        if kind is Kind.BYTES:
            return self.sized(2)
        if kind is Kind.UUID:
            return self.take(_UUID_SIZE)
        return kind is Kind.TRUE

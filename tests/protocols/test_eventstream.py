"""AWS event streams: golden messages, and both directions held against botocore's own decoder."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import eventstream
from aimock_protocols.eventstream import Decoder, Header, Kind, Message
from aimock_protocols.framing import EventTooLarge, FramingError

MESSAGE_START = bytes.fromhex(
    "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700"
    "106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e"
    "74227d6fa8c599"
)
CHUNK = bytes.fromhex(
    "000000740000004b887e017e0b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d747970650700106170706c696361"
    "74696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b226279746573223a226533303d222c2270223a226162227d"
    "d21f3a09"
)
THROTTLED = bytes.fromhex(
    "00000084000000611bf198f50f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e74"
    "656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d"
    "657373616765223a2022736c6f77227d2e9feb30"
)
"""Real messages (wire-bedrock §2.1)."""

ALL_KINDS = {
    "yes": Header(Kind.TRUE, True),
    "no": Header(Kind.FALSE, False),
    "byte": Header(Kind.BYTE, -1),
    "short": Header(Kind.SHORT, -2),
    "int": Header(Kind.INT, 2**31 - 1),
    "long": Header(Kind.LONG, -(2**63)),
    "bytes": Header(Kind.BYTES, b"\x00\xff"),
    "string": Header(Kind.STRING, "é🚀"),
    "when": Header(Kind.TIMESTAMP, 1795200000250),
    "id": Header(Kind.UUID, bytes(range(16))),
    "": Header(Kind.STRING, ""),
}

numbers = {Kind.BYTE: 8, Kind.SHORT: 16, Kind.INT: 32, Kind.LONG: 64, Kind.TIMESTAMP: 64}
values = st.one_of(
    st.just(Header(Kind.TRUE, True)),
    st.just(Header(Kind.FALSE, False)),
    st.builds(Header, st.just(Kind.BYTES), st.binary(max_size=20)),
    st.builds(Header, st.just(Kind.STRING), st.text(max_size=20)),
    st.builds(Header, st.just(Kind.UUID), st.binary(min_size=16, max_size=16)),
    *(
        st.builds(Header, st.just(kind), st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        for kind, bits in numbers.items()
    ),
)
messages = st.builds(Message, st.dictionaries(st.text(max_size=20), values, max_size=6), st.binary(max_size=60))
streams = st.lists(messages, max_size=4)


def theirs(pieces: list[bytes]) -> list[tuple[dict[str, Any], bytes]]:
    """What botocore reads."""
    buffer, read = EventStreamBuffer(), []
    for piece in pieces:
        buffer.add_data(piece)
        read += [(message.headers, message.payload) for message in buffer]
    return read


def bare(message: Message) -> tuple[dict[str, Any], bytes]:
    return {name: header.value for name, header in message.headers.items()}, message.payload


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(stream)) for at in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def until_fault(pieces: list[bytes]) -> list[Message]:
    """What is read of a stream before its fault, which it must have."""
    read: list[Message] = []
    with pytest.raises(FramingError):
        read.extend(eventstream.messages(pieces))
    return read


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (eventstream.event("messageStart", b'{"role":"assistant"}'), MESSAGE_START),
        (eventstream.event("chunk", b'{"bytes":"e30=","p":"ab"}'), CHUNK),
        (eventstream.exception("throttlingException", b'{"message": "slow"}'), THROTTLED),
    ],
    ids=["event", "chunk", "exception"],
)
def test_golden_messages(made: bytes, golden: bytes) -> None:
    assert made == golden


def test_golden_messages_are_read_byte_by_byte() -> None:
    stream = MESSAGE_START + CHUNK + THROTTLED
    read = list(eventstream.messages(stream[at : at + 1] for at in range(len(stream))))
    assert [message.payload for message in read] == [
        b'{"role":"assistant"}',
        b'{"bytes":"e30=","p":"ab"}',
        b'{"message": "slow"}',
    ]
    assert [message.text(":message-type") for message in read] == ["event", "event", "exception"]
    assert [message.text(":event-type") for message in read] == ["messageStart", "chunk", None]
    assert read[2].text(":exception-type") == "throttlingException"
    assert [bare(message) for message in read] == theirs([stream])


def test_an_error_that_the_model_does_not_know() -> None:
    (read,) = eventstream.messages([eventstream.error("InternalError", "é")])
    assert bare(read) == (
        {":message-type": "error", ":error-code": "InternalError", ":error-message": "é"},
        b"",
    )


def test_all_kinds_of_headers() -> None:
    stream = eventstream.encode(ALL_KINDS, b"x")
    assert list(eventstream.messages([stream])) == [Message(ALL_KINDS, b"x")]
    assert theirs([stream]) == [bare(Message(ALL_KINDS, b"x"))]


def test_text_of_a_header_that_has_none() -> None:
    message = Message(ALL_KINDS, b"")
    assert [message.text(name) for name in ("string", "int", "bytes", "nowhere")] == ["é🚀", None, None, None]


@given(streams, st.lists(st.integers(0, 400)))
def test_both_decoders_read_what_we_write(sent: list[Message], cuts: list[int]) -> None:
    pieces = cut(b"".join(eventstream.encode(*message) for message in sent), cuts)
    assert list(eventstream.messages(pieces)) == sent
    assert theirs(pieces) == [bare(message) for message in sent]


@given(st.lists(messages, min_size=1, max_size=3), st.lists(st.integers(0, 400)), st.data())
def test_a_flipped_bit_is_a_fault_at_the_same_place_in_every_split(
    sent: list[Message], cuts: list[int], data: st.DataObject
) -> None:
    """What came before it is read, nothing after it is; botocore refuses it too."""
    stream = bytearray(b"".join(eventstream.encode(*message) for message in sent))
    at = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[at // 8] ^= 1 << at % 8
    whole = until_fault([bytes(stream)])
    assert whole == until_fault(cut(bytes(stream), cuts)) == sent[: len(whole)]
    assert len(whole) < len(sent)
    with pytest.raises(ParserError):
        theirs([bytes(stream)])


@given(st.binary(max_size=80), st.lists(st.integers(0, 80)))
def test_any_bytes_in_any_split(stream: bytes, cuts: list[int]) -> None:
    outcomes = []
    for pieces in ([stream], cut(stream, cuts)):
        try:
            outcomes.append(list(eventstream.messages(pieces)))
        except FramingError as fault:
            outcomes.append(str(fault))
    assert outcomes[0] == outcomes[1]


def test_a_stream_that_ends_inside_a_message() -> None:
    for end in range(1, len(CHUNK)):
        decoder = Decoder()
        assert decoder.feed(MESSAGE_START + CHUNK[:end]) == list(eventstream.messages([MESSAGE_START]))
        with pytest.raises(FramingError):
            decoder.close()


def test_a_fault_is_told_after_what_came_before_it() -> None:
    decoder = Decoder()
    assert len(decoder.feed(CHUNK + CHUNK[:-1] + b"\x00")) == 1
    for _ in range(2):
        with pytest.raises(FramingError, match="checksum of a message"):
            decoder.feed(b"")


def framed_anyhow(size: int, headers_size: int, rest: bytes) -> bytes:
    """A message whose checksums are right, whatever it says of its lengths."""
    lengths = struct.pack(">II", size, headers_size)
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + rest
    return start + struct.pack(">I", zlib.crc32(start))


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (framed_anyhow(12, 0, b""), "12 bytes, of which 0 are headers"),
        (framed_anyhow(20, 5, b"abcd"), "20 bytes, of which 5 are headers"),
        (framed_anyhow(200_000, 131_073, b""), "131073 are headers"),
        (eventstream.framed(b"\x01a", b""), "break off"),
        (eventstream.framed(b"\x05a", b""), "break off"),
        (eventstream.framed(b"\x01a\x07\x00\x05x", b""), "break off"),
        (eventstream.framed(b"\x01a\x04\x00", b""), "break off"),
        (eventstream.framed(b"\x01a\x0a", b""), "type 10"),
        (eventstream.framed(b"\x01\xff\x00", b""), "UTF-8"),
        (eventstream.framed(b"\x01a\x07\x00\x01\xff", b""), "UTF-8"),
        (eventstream.framed(b"\x01a\x00\x01a\x01", b""), "'a' comes twice"),
    ],
)
def test_faults(stream: bytes, fault: str) -> None:
    with pytest.raises(FramingError, match=fault):
        list(eventstream.messages([stream]))


def test_a_message_beyond_the_limit_is_refused_before_it_is_there() -> None:
    decoder = Decoder(limit=len(CHUNK))
    assert len(decoder.feed(CHUNK)) == 1
    with pytest.raises(EventTooLarge):
        decoder.feed(MESSAGE_START[:12])


@pytest.mark.parametrize(
    "headers",
    [
        {"x" * 256: Header(Kind.TRUE, True)},
        {"a": Header(Kind.STRING, "x" * 65_536)},
        {"a": Header(Kind.BYTES, bytes(65_536))},
        {"a": Header(Kind.BYTE, 128)},
        {"a": Header(Kind.TIMESTAMP, 2**63)},
    ],
)
def test_what_is_too_large_for_the_wire(headers: dict[str, Header]) -> None:
    with pytest.raises(OverflowError):
        eventstream.encode(headers, b"")

"""Invariant: after a handshake any bytes lead to messages, pongs and at most one close frame: last, and documented.

python fuzz/fuzz_websocket.py fuzz/corpus/fuzz_websocket -max_total_time=60

The first byte of an input chooses: bit 0, whether compression is negotiated; bit 1, whether the rest are bytes of a
client as they are, or a recipe for likely frames. The tests use `check`, and the corpus.
"""

from __future__ import annotations

import functools
import logging
import struct
import sys
import zlib
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["aimock.net", "wsproto"]):
        import aimock.net.websocket  # noqa: F401

import trio
import trio.testing

from aimock.net import memory
from aimock.net.dialogue import Play, Send, Step
from aimock.net.exchange import Answer, Head, Outcome, Refusal, Request, Upgrade, Whole
from aimock.net.framing import Closing, Framing, Violation, negotiate
from aimock.net.limits import Limits
from aimock.net.server import HTTPServer

LIMITS = Limits(message_bytes=300)

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
COMPRESSION = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"

OURS = {1002, 1007, 1009}
"""Codes with which a peer is told that it broke the protocol."""
THEIRS = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
"""Codes that a peer may say, and is answered with."""

FIRST = (
    0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0xC2, 0x41, 0x42, 0xC0, 0xC8, 0xC9, 0x08, 0x09, 0x83,
    0x8B, 0xA1, 0x91,
)  # fmt: skip
PAYLOADS = (
    b"", b"x", b"hello", "gr\u00fc\u00dfe".encode(), b"\xff", b"\xc3", b"\xbc", b"\xf0\x9f", b"x" * 125, b"x" * 126,
    b"x" * 301, b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x03\xf6", b"\x03\xe8\xff", b"\x0f\xa0", b"\x13\x88",
    b"\xf2H\xcd\xc9\xc9\x07\x00", b"\xf2H\xcd", b"\xc9\xc9\x07\x00", b"\xf3H\xcd\xc9\xc9\x07\x00",
    zlib.compress(b"x" * 50_000, wbits=-15), b"\x00", b"play",
)  # fmt: skip
_SLACK = 10.0
"""Seconds of the mock clock in which a connection must be over when its client has left."""


class Frame(NamedTuple):
    first: int
    payload: bytes


class Echo:
    """Echoes, and now and then plays."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.outcomes: list[Outcome] = []
        self.plays = 0
        """Under way."""

    def opened(self) -> Iterable[Step]:
        return ()

    def received(self, message: str | bytes) -> Iterable[Step]:
        self.heard.append(message)
        yield Send(message.encode(), False) if isinstance(message, str) else Send(message, True)
        if message in ("play", b"play"):
            self.plays += 1
            yield Play([(0.0, b"played"), (0.5, b"late")], self._on_end)

    def _on_end(self, outcome: Outcome, sent: int) -> Iterable[Step]:
        self.plays -= 1
        return ()

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class _Handler:
    def __init__(self, echo: Echo) -> None:
        self._echo = echo

    def answer(self, request: Request) -> Answer:
        return Upgrade(lambda: self._echo)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        raise AssertionError(refusal)


class _Complaints(logging.Handler):
    """What was logged. Nothing should be."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


async def _converse(echo: Echo, pieces: list[bytes], is_compressed: bool) -> bytes:
    """All that the server writes to a client that sends these pieces, reads, and leaves."""
    server = HTTPServer(_Handler(echo), LIMITS)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        client = memory.connect(server)
        client.send(HANDSHAKE + (COMPRESSION if is_compressed else b"") + b"\r\n")
        for piece in pieces:
            client.send(piece)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(1)
        client.finish()
        with trio.fail_after(_SLACK):
            written = b"".join([arrival.data for arrival in await client.receive_all()])
            await server.shut_down(0)
            await server.ended.wait()
        assert server.connections == 0
    return written


def read_frames(data: bytes) -> list[Frame]:
    """What a server wrote. Raises AssertionError if it is not whole frames, unmasked, of the shortest lengths."""
    frames: list[Frame] = []
    while data:
        size, start = data[1], 2
        assert size < 0x80, "masked"
        if size == 126:
            size, start = struct.unpack_from("!H", data, 2)[0], 4
            assert size > 125
        elif size == 127:
            size, start = struct.unpack_from("!Q", data, 2)[0], 10
            assert size > 65_535
        assert len(data) >= start + size, "a part of a frame"
        frames.append(Frame(data[0], data[start : start + size]))
        data = data[start + size :]
    return frames


def check(data: bytes) -> None:
    """Raises AssertionError if the invariant does not hold for this input."""
    choices, rest = (data[0], data[1:]) if data else (0, b"")
    is_compressed = bool(choices & 1)
    sent = _put_together(rest) if choices & 2 else rest
    cuts = (0, len(sent) // 3, len(sent) // 2, len(sent))
    echo = Echo()
    complaints = _Complaints()
    logger = logging.getLogger("aimock")
    logger.addHandler(complaints)
    try:
        pieces = [sent[start:end] for start, end in pairwise(cuts) if start < end]
        clock = trio.testing.MockClock(autojump_threshold=0)
        written = trio.run(functools.partial(_converse, echo, pieces, is_compressed), clock=clock)
    finally:
        logger.removeHandler(complaints)
    assert not complaints.said, complaints.said
    assert (len(echo.outcomes), echo.plays) == (1, 0)
    head, _, frames = written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    read = _read(sent, is_compressed)
    _check_frames(read_frames(frames), read, is_compressed, echo)
    # Which is found first may differ, of a message that is both too long and no text.
    assert _alike(_read(sent, is_compressed, size=1)) == _alike(read), "it matters how bytes are cut"


def _check_frames(frames: list[Frame], read: list[object], is_compressed: bool, echo: Echo) -> None:
    assert echo.heard == [one for one in read if isinstance(one, str | bytes)]
    inflater = zlib.decompressobj(wbits=-15)
    said: list[str | bytes] = []
    pongs = 0
    for at, (first, payload) in enumerate(frames):
        if first == 0x8A:
            pongs += 1
        elif first == 0x88:
            assert at == len(frames) - 1, "something comes after the close frame"
            _check_close(payload, read[-1])
        else:
            assert first in ((0xC1, 0xC2) if is_compressed else (0x81, 0x82))
            message = inflater.decompress(payload + b"\0\0\xff\xff") if is_compressed else payload
            said.append(message.decode() if first & 0x0F == 1 else message)
    assert pongs == sum(not isinstance(one, str | bytes | Closing | int) for one in read)
    assert [one for one in said if one not in ("played", "late")] == [
        one for one in echo.heard if one not in ("played", "late")
    ]
    assert (bool(frames) and frames[-1].first == 0x88) == (bool(read) and isinstance(read[-1], Closing | int))


def _check_close(payload: bytes, why: object) -> None:
    code = int.from_bytes(payload[:2], "big") if payload else None
    if isinstance(why, Closing):
        assert code == why.code
        assert code is None or code in THEIRS
    else:
        assert _alike([code]) == _alike([why])
        assert code in OURS
        assert 2 < len(payload) <= 125
    payload[2:].decode()


def _read(sent: bytes, is_compressed: bool, size: int | None = None) -> list[object]:
    """What is received, up to a close frame or the code of a violation; read in pieces of `size` bytes."""
    agreed = negotiate(["permessage-deflate"], LIMITS.message_bytes) if is_compressed else None
    framing = Framing(LIMITS.message_bytes, agreed[0] if agreed is not None else None)
    read: list[object] = []
    size = size or max(1, len(sent))
    for start in range(0, len(sent), size):
        try:
            for received in framing.receive(sent[start : start + size]):
                if received is not None:
                    read.append(received)
                if isinstance(received, Closing):
                    return read
        except Violation as violation:
            return [*read, violation.code]
    return read


def _alike(read: list[object]) -> list[object]:
    return [1007 if one == 1009 else one for one in read]


def _put_together(recipe: bytes) -> bytes:
    """Frames, most of them well-formed; each takes three bytes of the recipe."""
    frames: list[bytes] = []
    for at in range(0, len(recipe) - 2, 3):
        first, payload, oddity = (
            FIRST[recipe[at] % len(FIRST)],
            PAYLOADS[recipe[at + 1] % len(PAYLOADS)],
            recipe[at + 2],
        )
        masked = oddity != 255
        mask = bytes((oddity, 0x22, 0x33, 0x44))
        size = len(payload)
        bit = 0x80 if masked else 0
        if oddity == 254 or (size > 125 and oddity != 253):
            length = struct.pack("!BH", bit | 126, size)
        elif oddity == 253:
            length = struct.pack("!BQ", bit | 127, size)
        else:
            length = bytes((bit | size,))
        coded = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        frames.append(bytes((first,)) + length + (mask + coded if masked else payload))
    return b"".join(frames)


def main() -> None:
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""What comes over a WebSocket: every way to send a message, and every way to break the protocol."""

from __future__ import annotations

import importlib.util
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.dialogue import Send
from aimock.net.exchange import Outcome
from aimock.net.framing import Closing, Deflate, Framing, Ping, Violation, close, negotiate
from dialogues import (
    ACCEPTED,
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    HANDSHAKE,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    Talk,
    client_frame,
)

if TYPE_CHECKING:
    from tests.aimock.net.conftest import StartStage

MEGABYTE = 1 << 20

Heard = str | bytes | Ping | Closing | Violation


def read(framing: Framing, *pieces: bytes) -> Iterator[Heard]:
    """What comes with these pieces, up to a close frame or a violation."""
    for piece in pieces:
        try:
            for received in framing.receive(piece):
                if received is not None:
                    yield received
                if isinstance(received, Closing):
                    return
        except Violation as violation:
            yield violation
            return


def bytewise(sent: bytes) -> list[bytes]:
    return [sent[at : at + 1] for at in range(len(sent))]


def deflate(offer: str = "permessage-deflate", limit: int = MEGABYTE) -> Deflate:
    agreed = negotiate([offer], limit)
    assert agreed is not None
    return agreed[0]


def compressed(data: bytes, compressor: zlib._Compress | None = None) -> bytes:
    """RFC 7692 7.2.1"""
    compressor = compressor or zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


# -- what is right -----------------------------------------------------------------------------------------------------

LONG = "grüße " * 20_000

GOOD: dict[str, tuple[bytes, list[Heard]]] = {
    "text": (client_frame(TEXT, b"hello"), ["hello"]),
    "binary": (client_frame(BINARY, b"\xff\x00"), [b"\xff\x00"]),
    "empty text": (client_frame(TEXT), [""]),
    "empty binary": (client_frame(BINARY), [b""]),
    "125, 126, 65,535 and 65,536 bytes": (
        b"".join(client_frame(BINARY, b"x" * size) for size in (125, 126, 65_535, 65_536)),
        [b"x" * size for size in (125, 126, 65_535, 65_536)],
    ),
    "long text": (client_frame(TEXT, LONG.encode()), [LONG]),
    "fragments": (client_frame(0x01, b"a") + client_frame(0x00, b"b") + client_frame(CONTINUATION, b"c"), ["abc"]),
    "fragments of binary": (client_frame(0x02, b"a") + client_frame(CONTINUATION, b"\xff"), [b"a\xff"]),
    "empty fragments": (client_frame(0x01) + client_frame(0x00) + client_frame(CONTINUATION), [""]),
    "a character in two fragments": (
        client_frame(0x01, "é".encode()[:1]) + client_frame(CONTINUATION, "é".encode()[1:]),
        ["é"],
    ),
    "control frames amid fragments": (
        client_frame(0x01, b"a") + client_frame(PING, b"1") + client_frame(PONG) + client_frame(CONTINUATION, b"b"),
        [Ping(b"1"), "ab"],
    ),
    "ping of 125 bytes": (client_frame(PING, b"p" * 125), [Ping(b"p" * 125)]),
    "unsolicited pong": (client_frame(PONG, b"hm") + client_frame(TEXT, b"x"), ["x"]),
    "close without a code": (client_frame(CLOSE) + b"what comes then is not read", [Closing(None)]),
    "close with a reason": (client_frame(CLOSE, struct.pack("!H", 1000) + "ciào".encode()), [Closing(1000, "ciào")]),
}


@pytest.mark.parametrize(("sent", "expected"), GOOD.values(), ids=GOOD)
def test_what_is_right(sent: bytes, expected: list[Heard]) -> None:
    assert list(read(Framing(MEGABYTE), sent)) == expected
    assert list(read(Framing(MEGABYTE), *bytewise(sent))) == expected


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_close_codes_that_may_come(code: int) -> None:
    """RFC 6455 7.4, and IANA's registry: 1012 to 1014 are newer."""
    assert list(read(Framing(MEGABYTE), client_frame(CLOSE, struct.pack("!H", code)))) == [Closing(code)]


# -- what is wrong -----------------------------------------------------------------------------------------------------

OPCODES = (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
NOT_UTF8 = (b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", "é".encode()[:1])
LIMIT = 100

BAD: dict[str, tuple[bytes, int]] = {
    "not masked": (client_frame(TEXT, b"x", masked=False), 1002),
    "ping not masked": (client_frame(PING, b"x", masked=False), 1002),
    "RSV1": (client_frame(TEXT | RSV1, b"x"), 1002),
    "RSV2": (client_frame(TEXT | RSV2, b"x"), 1002),
    "RSV3": (client_frame(TEXT | RSV3, b"x"), 1002),
    **{f"opcode {opcode:x}": (client_frame(FIN | opcode, b"x"), 1002) for opcode in OPCODES},
    "ping of 126 bytes": (client_frame(PING, b"x" * 126), 1002),
    "pong of 126 bytes": (client_frame(PONG, b"x" * 126), 1002),
    "close of 126 bytes": (client_frame(CLOSE, struct.pack("!H", 1000) + b"x" * 124), 1002),
    "ping in fragments": (client_frame(PING & ~FIN, b"x"), 1002),
    "close in fragments": (client_frame(CLOSE & ~FIN, struct.pack("!H", 1000)), 1002),
    "continuation of nothing": (client_frame(CONTINUATION, b"x"), 1002),
    "continuation of what is over": (client_frame(TEXT, b"a") + client_frame(CONTINUATION, b"b"), 1002),
    "empty continuation of nothing": (client_frame(0x00), 1002),
    "message within a message": (client_frame(0x01, b"a") + client_frame(TEXT, b"b"), 1002),
    "binary within a text": (client_frame(0x01, b"a") + client_frame(0x02, b"b"), 1002),
    "125 as 16 bits": (client_frame(TEXT, b"x" * 125, length=struct.pack("!BH", 0xFE, 125)), 1002),
    "65,535 as 64 bits": (client_frame(TEXT, b"x", length=struct.pack("!BQ", 0xFF, 65_535)), 1002),
    "2^63 bytes": (client_frame(TEXT, b"x", length=struct.pack("!BQ", 0xFF, 1 << 63)), 1002),
    **{f"text {text!r}": (client_frame(TEXT, text), 1007) for text in NOT_UTF8},
    "not UTF-8 before the end": (client_frame(0x01, b"a\xff"), 1007),
    "not UTF-8 over fragments": (client_frame(0x01, b"\xf0\x9f") + client_frame(0x00, b"x"), 1007),
    "not UTF-8 at the end": (client_frame(0x01, b"\xf0\x9f") + client_frame(CONTINUATION), 1007),
    "close of one byte": (client_frame(CLOSE, b"\x03"), 1002),
    **{f"close with {code}": (client_frame(CLOSE, struct.pack("!H", code)), 1002) for code in CODES},
    "close with a reason that is not UTF-8": (client_frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "text too long": (client_frame(TEXT, b"x" * (LIMIT + 1)), 1009),
    "text too long in bytes": (client_frame(TEXT, "é".encode() * (LIMIT // 2) + b"x"), 1009),
    "binary too long": (client_frame(BINARY, b"x" * (LIMIT + 1)), 1009),
    "fragments too long": (client_frame(0x02, b"x" * LIMIT) + client_frame(0x00, b"x"), 1009),
    "too long so far": (client_frame(BINARY, b"x" * (LIMIT + 1), length=struct.pack("!BQ", 0xFF, 1 << 62)), 1009),
}
"""wire-websocket-framing §3, row by row. A frame that is bad from its header on, or too long, need not be there in
full."""


def violation(framing: Framing, *pieces: bytes) -> int:
    *_, last = read(framing, *pieces)
    assert isinstance(last, Violation)
    assert 0 < len(last.reason.encode()) <= 123
    return last.code


@pytest.mark.parametrize(("sent", "code"), BAD.values(), ids=BAD)
def test_what_is_wrong(sent: bytes, code: int) -> None:
    assert violation(Framing(LIMIT), sent) == code
    assert violation(Framing(LIMIT), *bytewise(sent)) == code


@pytest.mark.parametrize(("sent", "code"), BAD.values(), ids=BAD)
async def test_the_peer_is_told_what_is_wrong(
    sent: bytes, code: int, start_stage: StartStage, autojump_clock: MockClock
) -> None:
    """A message before it is answered, nothing comes after the close frame, and nobody waits for an answer to that."""
    talk = Talk(lambda message: [Send(b"heard")])
    stage = await start_stage(talk.answers, message_bytes=LIMIT)
    client = stage.connect()
    client.send(HANDSHAKE + client_frame(TEXT, b"first") + sent + client_frame(TEXT, b"never"))
    told = b"".join(arrival.data for arrival in await client.receive_all())
    answers = b"\x81\x05heard" * (2 if "over" in talk.heard or "a" in talk.heard else 1)
    assert told.startswith(ACCEPTED + answers + bytes((CLOSE,)))
    frame = told.removeprefix(ACCEPTED + answers)
    assert (len(frame) - 2, int.from_bytes(frame[2:4], "big")) == (frame[1], code)
    assert trio.current_time() == 0
    client.leave()
    await wait_all_tasks_blocked()
    assert talk.outcomes == [Outcome.STOPPED] * 2
    assert "never" not in talk.heard


def test_what_is_as_long_as_it_may_be() -> None:
    sent = client_frame(0x01, "é".encode() * (LIMIT // 2)) + client_frame(CONTINUATION)
    assert list(read(Framing(LIMIT), sent, sent)) == ["é" * (LIMIT // 2)] * 2


# -- compression -------------------------------------------------------------------------------------------------------


def test_compressed_messages_refer_to_those_before() -> None:
    compressor = zlib.compressobj(wbits=-15)
    frames = [client_frame(TEXT | RSV1, compressed(b"hello again " * 9, compressor)) for _ in range(3)]
    assert len(frames[2]) < len(frames[0])
    assert list(read(Framing(MEGABYTE, deflate()), *frames)) == ["hello again " * 9] * 3


def test_compressed_messages_that_stand_alone() -> None:
    """RFC 7692 7.1.1.2"""
    framing = Framing(MEGABYTE, deflate("permessage-deflate; client_no_context_takeover"))
    frames = [client_frame(TEXT | RSV1, compressed(b"hello again " * 9)) for _ in range(3)]
    assert list(read(framing, *frames)) == ["hello again " * 9] * 3


def test_messages_that_are_not_compressed_although_they_might_be() -> None:
    frames = [client_frame(TEXT, b"plain"), client_frame(TEXT | RSV1, compressed(b"small")), client_frame(BINARY, b"p")]
    assert list(read(Framing(MEGABYTE, deflate()), *frames)) == ["plain", "small", b"p"]


def test_control_frames_amid_the_fragments_of_a_compressed_message() -> None:
    """wsproto forgets at the ping that the message is compressed."""
    data = compressed(b"hello")
    frames = [client_frame(0x01 | RSV1, data[:3]), client_frame(PING, b"?"), client_frame(CONTINUATION, data[3:])]
    assert list(read(Framing(MEGABYTE, deflate()), *frames)) == [Ping(b"?"), "hello"]
    assert list(read(Framing(MEGABYTE, deflate()), *bytewise(b"".join(frames)))) == [Ping(b"?"), "hello"]


def test_a_block_marked_as_the_last() -> None:
    """RFC 7692 7.2.3.4, with its example; and a message after it."""
    last = bytes.fromhex("f348cdc9c90700") + b"\0"
    frames = [client_frame(TEXT | RSV1, last), client_frame(TEXT | RSV1, compressed(b"next"))]
    assert list(read(Framing(MEGABYTE, deflate()), *frames)) == ["Hello", "next"]
    bare = zlib.compressobj(wbits=-15)
    ended = bare.compress(b"ended") + bare.flush()
    frames = [client_frame(TEXT | RSV1, ended), client_frame(TEXT | RSV1, compressed(b"next"))]
    assert list(read(Framing(MEGABYTE, deflate()), *frames)) == ["ended", "next"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (client_frame(TEXT | RSV1, b"\xff\xff\xff"), 1007),
        (client_frame(TEXT | RSV1, compressed(b"\xff")), 1007),
        (client_frame(PING | RSV1, b"x"), 1002),
        (client_frame(CLOSE | RSV1, b"x"), 1002),
        (client_frame(TEXT | RSV2, b"x"), 1002),
        (client_frame(0x01, b"x") + client_frame(CONTINUATION | RSV1, b"x"), 1002),
        (client_frame(0x01 | RSV1, compressed(b"x")) + client_frame(CONTINUATION | RSV1, b"x"), 1002),
        (client_frame(BINARY | RSV1, compressed(b"x" * (LIMIT + 1))), 1009),
        (client_frame(TEXT | RSV1, compressed(b"x" * 50 * MEGABYTE)), 1009),
        (client_frame(0x02 | RSV1, b"") + client_frame(CONTINUATION, compressed(b"x" * (LIMIT + 1))), 1009),
        (client_frame(BINARY, b"x" * (LIMIT + 1)), 1009),
    ],
)
def test_compressed_frames_that_are_wrong(sent: bytes, code: int) -> None:
    assert violation(Framing(LIMIT, deflate(limit=LIMIT)), sent) == code
    assert violation(Framing(LIMIT, deflate(limit=LIMIT)), *bytewise(sent)) == code


def test_a_message_that_inflates_beyond_bounds_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty megabytes in fifty kilobytes: no more of it is inflated than the limit."""
    import tracemalloc

    sent = client_frame(TEXT | RSV1, compressed(b"x" * 50 * MEGABYTE))
    framing = Framing(MEGABYTE, deflate(limit=MEGABYTE))
    tracemalloc.start()
    assert violation(framing, sent) == 1009
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MEGABYTE


def test_the_limit_is_each_messages_own() -> None:
    framing = Framing(LIMIT, deflate("permessage-deflate; client_no_context_takeover", limit=LIMIT))
    frame = client_frame(BINARY | RSV1, compressed(b"x" * LIMIT))
    assert list(read(framing, frame, frame)) == [b"x" * LIMIT] * 2


@pytest.mark.parametrize("bits", [9, 13, 15])
@pytest.mark.parametrize("takeover", ["", "; server_no_context_takeover"])
def test_what_we_compress_a_window_of_the_size_agreed_can_inflate(bits: int, takeover: str) -> None:
    framing = Framing(MEGABYTE, deflate(f"permessage-deflate; server_max_window_bits={bits}{takeover}"))
    inflater = zlib.decompressobj(-bits)
    for data in (b"", b"", b"hello", b"x" * 70_000, bytes(range(256)) * 999, b""):
        frame = framing.message(data, True)
        assert frame[0] == BINARY | RSV1
        payload = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
        if takeover:
            inflater = zlib.decompressobj(-bits)
        assert inflater.decompress(payload + b"\0\0\xff\xff") == data


# -- what we send ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, "8100"), (125, "817d"), (126, "817e007e"), (65_535, "817effff"), (65_536, "817f0000000000010000")],
)
def test_lengths_are_as_short_as_can_be(size: int, header: str) -> None:
    assert Framing(0).message(b"x" * size, False) == bytes.fromhex(header) + b"x" * size


def test_close_frames() -> None:
    assert close(None) == close(1005) == b"\x88\x00"
    assert close(1000) == b"\x88\x02\x03\xe8"
    assert close(1001, "away") == b"\x88\x06\x03\xe9away"
    assert close(1008, "é" * 100) == b"\x88\x7c" + struct.pack("!H", 1008) + "é".encode() * 61
    assert close(1008, "\ud800") == b"\x88\x03" + struct.pack("!H", 1008) + b"?"


# -- any bytes ---------------------------------------------------------------------------------------------------------

frames = st.builds(
    client_frame,
    st.sampled_from([TEXT, BINARY, PING, PONG, CONTINUATION, 0x00, 0x01, 0x02, TEXT | RSV1, 0x02 | RSV1]),
    st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode), st.binary().map(compressed)),
)


@given(st.lists(frames), st.booleans(), st.data())
def test_it_does_not_matter_how_bytes_are_cut(sent: list[bytes], is_compressed: bool, data: st.DataObject) -> None:
    """But for which is found first, of a message that is both too long and no text."""
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    def heard(*pieces: bytes) -> list[object]:
        framing = Framing(300, deflate(limit=300) if is_compressed else None)
        return [one.code == 1002 if isinstance(one, Violation) else one for one in read(framing, *pieces)]

    assert heard(stream) == heard(*pieces) == heard(*bytewise(stream))


FUZZ = Path(__file__).parents[3] / "fuzz"


@pytest.mark.parametrize("path", sorted((FUZZ / "corpus" / "fuzz_websocket").iterdir()), ids=lambda path: path.name)
def test_what_the_fuzzer_knows(path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_websocket", FUZZ / "fuzz_websocket.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.check(path.read_bytes())

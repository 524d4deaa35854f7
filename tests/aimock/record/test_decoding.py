"""Content codings, undone piece by piece."""

from __future__ import annotations

import gzip
import itertools
import sys
import zlib
from collections.abc import Callable, Sequence

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.record import decoding
from aimock.record.decoding import Codec, CodingError, codecs_for, decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("X-GZip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
    ("zstd", lambda data: bytes(zstd.compress(data[:5])) + bytes(zstd.compress(data[5:]))),
    ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ("identity", bytes),
]
coding = pytest.mark.parametrize(("name", "encode"), CODINGS, ids=range(len(CODINGS)))
compression = pytest.mark.parametrize(("name", "encode"), CODINGS[:-1], ids=range(len(CODINGS) - 1))


def made(name: str) -> Sequence[Codec]:
    codecs = codecs_for(name)
    assert codecs is not None
    return codecs


def undone(name: str, pieces: Sequence[bytes]) -> bytes:
    codecs = made(name)
    found = b"".join(piece for data in pieces for piece in decoded(codecs, data))
    assert all(codec.is_whole for codec in codecs)
    return found


@coding
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_however_it_is_cut(name: str, encode: Callable[[bytes], bytes], data: bytes, cuts: list[int]) -> None:
    sent = encode(data)
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    assert undone(name, [sent[start:end] for start, end in itertools.pairwise(places)]) == data


@coding
def test_byte_by_byte(name: str, encode: Callable[[bytes], bytes]) -> None:
    data = b"data: hello\n\n" * 50
    assert undone(name, [bytes([byte]) for byte in encode(data)]) == data


@compression
def test_much_comes_in_pieces_of_bounded_size(name: str, encode: Callable[[bytes], bytes]) -> None:
    data = bytes(5_000_000)
    codecs = made(name)
    sizes = [len(piece) for piece in decoded(codecs, encode(data))]
    assert sum(sizes) == len(data)
    assert max(sizes) <= 512 * 1024  # brotli takes its limit for a hint


@pytest.mark.parametrize("size", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 512 * 1024])
@coding
def test_sizes_about_that_of_a_piece(name: str, encode: Callable[[bytes], bytes], size: int) -> None:
    assert undone(name, [encode(bytes(size))]) == bytes(size)


def test_what_has_been_flushed_comes_at_once() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    codecs = made("gzip")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        sent = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(decoded(codecs, sent)) == event
    assert not all(codec.is_whole for codec in codecs)


@compression
def test_cut_off(name: str, encode: Callable[[bytes], bytes]) -> None:
    sent = encode(b"hello, hello, hello")
    codecs = made(name)
    list(decoded(codecs, sent[:-1]))
    assert not all(codec.is_whole for codec in codecs)


@coding
def test_no_body_at_all_is_whole(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert undone(name, []) == undone(name, [b""]) == b""


@compression
def test_not_what_it_says(name: str, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CodingError):
        list(decoded(made(name), b"\xff\xfenothing of the kind" * 3))


@pytest.mark.parametrize("name", ["compress", "gzip, aes128gcm", "dcz"])
def test_what_nobody_here_undoes(name: str) -> None:
    assert codecs_for(name) is None


@pytest.mark.parametrize(
    ("name", "modules"), [("br", ("brotli", "brotlicffi")), ("zstd", ("compression.zstd", "backports.zstd"))]
)
def test_without_the_library(name: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    assert codecs_for(name) is None
    assert codecs_for("gzip") is not None


def test_a_brotli_that_knows_no_bounds_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        class Decompressor:
            def process(self, data: bytes) -> bytes:
                return data

    monkeypatch.setattr(decoding, "_imported", lambda *names: Old)
    assert codecs_for("br") is None

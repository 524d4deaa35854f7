"""Content codings undone while a body passes: providers are asked not to compress, and some do it all the same.

gzip and deflate are in the standard library; br and zstd are undone if a library for them is there. What cannot be
undone is passed on as it came, with the header that says so.
"""

from __future__ import annotations

import functools
import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

_MOST = 256 * 1024
"""Bytes of one piece: little data may become very much."""


class CodingError(Exception):
    """A body that is not what its content coding says."""


class Codec(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What becomes of the data so far, in pieces of bounded size. Raises CodingError."""

    @property
    def is_whole(self) -> bool:
        """Whether the body may end here."""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._new = functools.partial(zlib.decompressobj, wbits)
        self._inner: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner is None or self._inner.eof:  # a body of several members is their contents, joined
                self._inner = self._new()
            piece = _MOST * b" "
            while data or len(piece) == _MOST:  # a full piece may have left something inside
                try:
                    piece = self._inner.decompress(data, _MOST)
                except zlib.error as error:
                    raise CodingError(str(error)) from None
                if piece:
                    yield piece
                data = self._inner.unconsumed_tail
                if self._inner.eof:
                    data = self._inner.unused_data
                    break

    @property
    def is_whole(self) -> bool:
        return self._inner is None or self._inner.eof


class _Deflate:
    """What HTTP calls deflate is zlib's format, but some send it without zlib's two bytes in front."""

    def __init__(self) -> None:
        self._front = b""
        self._inner: _Zlib | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inner is None:
            data = self._front = self._front + data
            if len(data) < 2:
                return
            has_front = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950 2.2
            self._inner = _Zlib(zlib.MAX_WBITS if has_front else -zlib.MAX_WBITS)
        yield from self._inner.feed(data)

    @property
    def is_whole(self) -> bool:
        return not self._front if self._inner is None else self._inner.is_whole


class _Brotli:
    def __init__(self, library: Any) -> None:
        self._error = library.error
        self._inner = library.Decompressor()
        self._is_fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._is_fed = self._is_fed or bool(data)
        while True:
            try:
                piece = self._inner.process(data, output_buffer_limit=_MOST)
            except self._error:
                raise CodingError("brotli finds an error in it") from None
            if piece:
                yield piece
            if not piece or self._inner.is_finished():
                return
            data = b""  # there may be more inside, whatever can_accept_more_data says

    @property
    def is_whole(self) -> bool:
        return not self._is_fed or bool(self._inner.is_finished())


class _Zstandard:
    def __init__(self, library: Any) -> None:
        self._library = library
        self._inner: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner is None or self._inner.eof:
                self._inner = self._library.ZstdDecompressor()
            while True:
                try:
                    piece = self._inner.decompress(data, _MOST)
                except self._library.ZstdError as error:
                    raise CodingError(str(error)) from None
                if piece:
                    yield piece
                data = b""
                if self._inner.eof:
                    data = self._inner.unused_data
                    break
                if self._inner.needs_input:
                    break

    @property
    def is_whole(self) -> bool:
        return self._inner is None or bool(self._inner.eof)


def _brotli() -> Codec | None:
    library = _imported("brotli", "brotlicffi")
    if library is None or not hasattr(library.Decompressor, "can_accept_more_data"):
        return None  # before 1.2, which brought that, a piece had no bounds
    return _Brotli(library)


def _zstandard() -> Codec | None:
    library = _imported("compression.zstd", "backports.zstd")
    return None if library is None else _Zstandard(library)


def _imported(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


_CODECS: dict[str, Callable[[], Codec | None]] = {
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": _Deflate,
    "br": _brotli,
    "zstd": _zstandard,
}


def codecs_for(content_encoding: str) -> Sequence[Codec] | None:
    """What undoes these codings, in the order in which it must; None: something in it cannot be undone here."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codecs = [_CODECS.get(name, lambda: None)() for name in reversed(names) if name not in ("", "identity")]
    return None if None in codecs else [each for each in codecs if each is not None]


def decoded(codecs: Sequence[Codec], data: bytes) -> Iterator[bytes]:
    """The data with all codings undone. Raises CodingError."""
    pieces: Iterable[bytes] = (data,)
    for codec in codecs:
        pieces = _through(codec, pieces)
    return iter(pieces)


def _through(codec: Codec, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from codec.feed(piece)

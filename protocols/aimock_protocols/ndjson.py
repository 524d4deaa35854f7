"""JSON values, one a line: the framing of Ollama's streams and of Cohere's older ones.

Encoding is plain concatenation, for it is the hot path. Decoding is incremental and knows no provider: bytes go in,
split wherever the network split them, and whole lines come out. Lines end in LF or CRLF. Blank lines are nobody's, and
are passed over; a last line counts even if nothing ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from aimock_protocols.framing import EVENT_LIMIT, Cutter, EventTooLarge

_LINE_FEED = re.compile(rb"\n")


def encode(data: bytes) -> bytes:
    """One line. `data` must hold no line end, which compact JSON never does."""
    return data + b"\n"


def cutter() -> Cutter:
    """Cuts lines as they are on the wire, blank ones too."""
    return Cutter(_LINE_FEED)


class Decoder:
    """Bytes to lines, incrementally.

    Characters are decoded a line at a time, so one that was split between two reads stays whole; bytes that are not
    UTF-8 become U+FFFD.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._cutter = cutter()

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends. Raises EventTooLarge."""
        lines = [line for cut in self._cutter.feed(data) for line in self._read(cut.removesuffix(b"\n"))]
        self._check_size(self._cutter.held)
        return lines

    def close(self) -> list[str]:
        """The line that was under way when the stream ended, if any."""
        return self._read(self._cutter.rest())

    def _read(self, line: bytes) -> list[str]:
        self._check_size(len(line))
        line = line.removesuffix(b"\r")
        return [line.decode("utf-8", "replace")] if line.strip() else []

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLarge(f"a line of more than {self._limit} bytes")


def lines(chunks: Iterable[bytes], limit: int = EVENT_LIMIT) -> Iterator[str]:
    """All lines of a stream, the last one even if nothing ends it. Raises EventTooLarge."""
    decoder = Decoder(limit)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.close()

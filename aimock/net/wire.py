"""Answers to bytes: status lines, headers, chunks, and the bytes of an ending."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from aimock.bounded import Bounded
from aimock.net.exchange import Ending, Head, Headers, Relay, Slicing, Stream, Whole

LAST_CHUNK = b"0\r\n\r\n"
CHUNK_TO_COME = b"100\r\n"
"""The beginning of a chunk, for those that do not come."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_KEPT_OPENINGS = 1024


def _phrase(status: int) -> str:
    if status == 200:
        return "OK"
    import http  # sixty names that a start has no need of

    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _head_bytes(status: int, headers: Headers) -> bytes:
    return f"HTTP/1.1 {status} {_phrase(status)}\r\n".encode() + header_lines(headers)


def header_lines(headers: Headers) -> bytes:
    """Each with its end; without those that no header can be."""
    text = ""
    for name, value in headers:
        line = f"{name}: {value}"
        # RFC 9110 5.5: these would end the line early, or never belong in one. No printable text has one of them.
        if line.isprintable() or not any(each in line for each in "\r\n\0"):
            text += line + "\r\n"
    return text.encode("latin-1", "replace")


def http_date(now: int) -> str:
    """Unix seconds as in a Date header (RFC 9110 5.6.7)."""
    t = time.gmtime(now)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year}"
        f" {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )


def may_have_body(status: int) -> bool:
    """Whether a response with this status carries a body (RFC 9110 6.4.1)."""
    return status >= 200 and status not in (204, 304)


def has_body(status: int, head: Head | None) -> bool:
    """Whether the response to a request with this head (None: it could not be read) carries a body."""
    return may_have_body(status) and (head is None or head.method != "HEAD")


class ResponseWriter:
    """Turns answers into bytes. `wall_clock` gives Unix time in seconds, for the Date header."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._second = -1
        self._date_line = b""
        self._openings: Bounded[int, tuple[Headers, int, bytes]] = Bounded(_KEPT_OPENINGS)  # by the headers' identity

    def whole(self, answer: Whole, head: Head | None, close: bool) -> bytes:
        """The response to a request with this head (None: it could not be read)."""
        opening = self._opening(answer.status, answer.headers) + header_lines(answer.fresh)
        if close:
            opening += b"connection: close\r\n"
        if not may_have_body(answer.status):
            return opening + b"\r\n"
        body = answer.body
        parts: tuple[bytes, ...]  # of which the first two are the head
        if not answer.chunked:
            parts = (opening, b"content-length: %d\r\n\r\n" % len(body), body)
        elif head is None or head.http_version != "1.1":
            parts = (opening, b"\r\n", body)  # the end of the connection is the end of the body
        elif body:
            parts = (opening, b"transfer-encoding: chunked\r\n\r\n", b"%x\r\n" % len(body), body, b"\r\n", LAST_CHUNK)
        else:
            parts = (opening, b"transfer-encoding: chunked\r\n\r\n", LAST_CHUNK)
        return b"".join(parts[:2] if head is not None and head.method == "HEAD" else parts)

    def stream(self, answer: Stream, head: Head, close: bool) -> Iterator[tuple[float, bytes]]:
        """The response as timed pieces of wire bytes, up to its ending; a clean ending's bytes are the last piece."""
        chunked = head.http_version == "1.1"
        opening = self._opening(answer.status, answer.headers) + self._rest(answer, chunked, close)
        if not has_body(answer.status, head):
            return iter([(0.0, opening)])
        pieces = _pieces(answer, opening, chunked)
        return pieces if answer.slicing is None else slices(pieces, answer.slicing)

    def relay(self, answer: Relay, head: Head, close: bool) -> bytes:
        """The head of the response."""
        opening = _head_bytes(answer.status, answer.headers) + self._date()  # it does not come again
        return opening + self._rest(answer, head.http_version == "1.1", close)

    def _rest(self, answer: Stream | Relay, chunked: bool, close: bool) -> bytes:
        """What the head of a response in pieces says besides."""
        rest = header_lines(answer.fresh)
        length = answer.length if isinstance(answer, Relay) else None
        if may_have_body(answer.status):
            if length is not None:
                rest += b"content-length: %d\r\n" % length
            elif chunked:
                rest += b"transfer-encoding: chunked\r\n"
        is_last = close or (length is None and not chunked)
        return rest + (b"connection: close\r\n\r\n" if is_last else b"\r\n")

    def _opening(self, status: int, headers: Headers) -> bytes:
        """Status line, headers and date: made once a second for what is sent again and again."""
        date = self._date()
        kept = self._openings.get(id(headers))
        if kept is not None and kept[0] is headers and kept[1] == status:
            return kept[2]
        opening = _head_bytes(status, headers) + date
        self._openings.keep(id(headers), (headers, status, opening))
        return opening

    def _date(self) -> bytes:
        now = int(self._wall_clock())
        if now != self._second:
            self._second = now
            self._openings.clear()
            self._date_line = f"date: {http_date(now)}\r\n".encode()
        return self._date_line


def _pieces(answer: Stream, opening: bytes, chunked: bool) -> Iterator[tuple[float, bytes]]:
    yield 0.0, opening
    opening = b""  # a generator holds what it was given for as long as the stream lasts
    offset = 0.0
    held: bytes | None = None  # one piece is held back if the ending concerns the last
    for due, data in answer.schedule:
        if answer.ends_at is not None and due > answer.ends_at:
            break
        if not data:
            continue  # an empty chunk would end the body
        if held is not None:
            yield offset, chunk(held) if chunked else held
        offset = due
        if answer.ending is Ending.FIN_MID_CHUNK:
            held = data
        else:
            yield due, chunk(data) if chunked else data
    if held is not None:
        announced = chunk(held) if chunked else held
        yield offset, announced[: len(announced) - len(held) // 2 - 2]
    if answer.ends_at is not None:
        offset = max(offset, answer.ends_at)
    clean = chunked and answer.ending is Ending.CLEAN
    if clean or answer.ends_at is not None:
        yield offset, LAST_CHUNK if clean else b""


def body_pieces(answer: Stream) -> Iterator[tuple[float, bytes]]:
    """The response's body as timed pieces, up to its ending, for whoever frames it himself. Some may be empty."""
    pieces = _pieces(answer, b"", chunked=False)
    return pieces if answer.slicing is None else slices(pieces, answer.slicing)


def chunk(data: bytes) -> bytes:
    """Of a body that is sent in chunks; not of nothing, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def slices(pieces: Iterator[tuple[float, bytes]], slicing: Slicing) -> Iterator[tuple[float, bytes]]:
    """The same bytes in pieces of at most `slicing.size`, each at least `slicing.gap` after the one before."""
    earliest = 0.0
    for offset, data in pieces:
        for start in range(0, max(1, len(data)), slicing.size):
            offset = max(offset, earliest)
            yield offset, data[start : start + slicing.size]
            earliest = offset + slicing.gap

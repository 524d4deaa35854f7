"""Heads of requests: the plain ones read here, all others by h11.

h11 is the authority on HTTP/1.1; it costs more than everything else done for a request. So the head that every SDK
sends (HTTP/1.1, CRLF, printable ASCII, one Host, at most one Content-Length, no transfer coding, no expectation, no
upgrade) is parsed by a pattern, and whatever departs from it in any way is declined. For every byte string the fast
lane either gives exactly what h11 gives, or declines; `fuzz/fuzz_fast_lane.py` holds it to that.

Clients repeat their heads, so parsed ones are kept by their exact bytes.
"""

from __future__ import annotations

import re

from aimock.net.exchange import Head

# RFC 9112 section 3 and RFC 9110 section 5.5, narrowed: upper-case methods, no obs-text, no obs-fold, no bare LF.
_REQUEST_LINE = re.compile(rb"([A-Z]{1,24}) ([!-~]+) HTTP/1\.1\r\n")
_HEADER_LINE = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?)?[ \t]*\r\n")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)

_FOR_H11_TO_JUDGE = frozenset({"transfer-encoding", "expect", "upgrade", "trailer", "te"})

_KEPT_HEADS = 1024
_KEPT_HEAD_BYTES = 8192


class FastLane:
    """Parses plain heads. One for each server, since it remembers."""

    def __init__(self, max_head_bytes: int, max_header_lines: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_header_lines = max_header_lines
        self._kept: dict[bytes, Head] = {}

    def parse(self, head_bytes: bytes) -> Head | None:
        """The head in `head_bytes`, which end with the empty line; None if h11 must judge it."""
        head = self._kept.get(head_bytes)
        if head is None:
            head = self._read(head_bytes)
            if head is not None and len(head_bytes) <= _KEPT_HEAD_BYTES:
                if len(self._kept) >= _KEPT_HEADS:
                    self._kept.clear()
                self._kept[head_bytes] = head
        return head

    def _read(self, head_bytes: bytes) -> Head | None:
        if len(head_bytes) > self._max_head_bytes:
            return None
        start = _REQUEST_LINE.match(head_bytes)
        if start is None:
            return None
        lines: list[tuple[str, str]] = []
        position, end = start.end(), len(head_bytes) - 2
        while position < end:
            line = _HEADER_LINE.match(head_bytes, position)
            if line is None:
                return None
            lines.append((line[1].decode("ascii").lower(), (line[2] or b"").decode("ascii")))
            position = line.end()
        if position != end or len(lines) > self._max_header_lines:
            return None
        return _plain_head(start[1].decode("ascii"), start[2].decode("ascii"), lines)


def _plain_head(method: str, target: str, lines: list[tuple[str, str]]) -> Head | None:
    names = [name for name, _ in lines]
    if names.count("host") != 1 or names.count("content-length") > 1 or names.count("connection") > 1:
        return None
    if not _FOR_H11_TO_JUDGE.isdisjoint(names):
        return None
    head = make_head(method, target, lines)
    if head is None or head.headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    length = head.headers.get("content-length")
    if length is not None:
        if _CONTENT_LENGTH.fullmatch(length) is None:
            return None
        head.content_length = int(length)
    return head


def make_head(method: str, target: str, lines: list[tuple[str, str]]) -> Head | None:
    """A Head of parsed pieces; None if the target has none of the forms that a server answers (RFC 9112 3.2).

    The target is split textually: nothing is decoded and nothing normalised, so `//v1/models` stays as it is.
    """
    if target.startswith("/"):
        local = target
    elif target == "*" and method == "OPTIONS":
        local = "*"
    elif target[:7].lower() == "http://" or target[:8].lower() == "https://":
        authority_and_path = target.partition("://")[2]
        slash = authority_and_path.find("/")
        local = authority_and_path[slash:] if slash >= 0 else "/"
    else:
        return None
    path, _, query = local.partition("?")
    headers: dict[str, str] = {}
    for name, value in lines:
        headers.setdefault(name, value)
    return Head(method, target, path, query, headers, tuple(lines))

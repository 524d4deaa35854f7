"""Heads of requests: the plain ones read here, all others by h11.

h11 is the authority on HTTP/1.1; it costs more than everything else done for a request. So the head that every SDK
sends (HTTP/1.1, CRLF, printable ASCII, one Host, at most one Content-Length, no transfer coding, no expectation, no
upgrade) is parsed by a pattern, and whatever departs from it in any way is declined. For every byte string the fast
lane either gives exactly what h11 gives, or declines; `fuzz/fuzz_fast_lane.py` holds it to that.

Clients repeat their heads but for an id or two, so heads are kept by their exact bytes, and single lines by theirs.
"""

from __future__ import annotations

import re

from aimock.bounded import Bounded
from aimock.net.exchange import Head

# RFC 9112 section 3 and RFC 9110 section 5.5, narrowed: upper-case methods, no obs-text, no obs-fold, no bare LF.
_REQUEST_LINE = re.compile(rb"([A-Z]{1,24}) ([!-~]+) HTTP/1\.1")
_HEADER_LINE = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?)?[ \t]*")

_AUTHORITY = re.compile(r"[^:]+://[^/?]*")

_ACCEPTED: dict[str, re.Pattern[str]] = {
    "content-length": re.compile(r"[0-9]{1,15}", re.ASCII),
    "connection": re.compile(r"keep-alive", re.IGNORECASE),
} | dict.fromkeys(("transfer-encoding", "expect", "upgrade", "trailer", "te"), re.compile(r"(?!)"))
"""Values that a header of framing may have here; with any other, h11 must judge the whole head."""

_KEPT_HEADS = 1024
_KEPT_HEAD_BYTES = 8192
_KEPT_LINES = 4096
_KEPT_LINE_BYTES = 512

_Line = tuple[str, str]


class FastLane:
    """Parses plain heads. One for each server, since it remembers."""

    def __init__(self, max_head_bytes: int, max_header_lines: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_header_lines = max_header_lines
        self._heads: Bounded[bytes, Head] = Bounded(_KEPT_HEADS)
        self._lines: Bounded[bytes, _Line] = Bounded(_KEPT_LINES)

    def parse(self, head_bytes: bytes) -> Head | None:
        """The head in `head_bytes`, which end with the empty line; None if h11 must judge it."""
        head = self._heads.get(head_bytes)
        if head is None:
            head = self._read(head_bytes)
            if head is not None and len(head_bytes) <= _KEPT_HEAD_BYTES:
                self._heads.keep(head_bytes, head)
        return head

    def _read(self, head_bytes: bytes) -> Head | None:
        request_line, *header_lines = head_bytes.split(b"\r\n")
        if header_lines[-2:] != [b"", b""]:  # what the empty line leaves
            return None
        del header_lines[-2:]
        start = _REQUEST_LINE.fullmatch(request_line)
        if start is None or len(head_bytes) > self._max_head_bytes or len(header_lines) > self._max_header_lines:
            return None
        lines: list[_Line] = []
        for header_line in header_lines:
            line = self._lines.get(header_line) or self._read_line(header_line)
            if line is None:
                return None
            lines.append(line)
        head = make_head(start[1].decode("ascii"), start[2].decode("ascii"), lines)
        if head is None or "host" not in head.headers:
            return None
        if len(head.headers) != len(lines):
            names = [name for name, _ in lines]
            if any(names.count(name) > 1 for name in ("host", *_ACCEPTED)):
                return None
        head.content_length = int(head.headers.get("content-length", 0))
        return head

    def _read_line(self, header_line: bytes) -> _Line | None:
        match = _HEADER_LINE.fullmatch(header_line)
        if match is None:
            return None
        name, value = match[1].decode("ascii").lower(), (match[2] or b"").decode("ascii")
        if name in _ACCEPTED and _ACCEPTED[name].fullmatch(value) is None:
            return None
        if len(header_line) <= _KEPT_LINE_BYTES:
            self._lines.keep(header_line, (name, value))
        return name, value


def make_head(method: str, target: str, lines: list[_Line]) -> Head | None:
    """A Head of parsed pieces; None if the target has none of the forms that a server answers (RFC 9112 3.2).

    The target is split textually: nothing is decoded and nothing normalised, so `//v1/models` stays as it is.
    """
    if target.startswith("/"):
        local = target
    elif target == "*" and method == "OPTIONS":
        local = "*"
    elif target[:7].lower() == "http://" or target[:8].lower() == "https://":
        local = _AUTHORITY.sub("", target, count=1)
        if not local.startswith("/"):
            local = "/" + local  # nothing, or a query alone
    else:
        return None
    path, _, query = local.partition("?")
    headers = dict(lines)
    if len(headers) != len(lines):
        headers = dict(reversed(lines))  # of a repeated header, the first value
    return Head(method, target, path, query, headers, tuple(lines))

"""Invariant: for every byte string the fast lane reads exactly what h11 reads, and as many bytes of it, or declines.

python fuzz/fuzz_fast_lane.py fuzz/corpus/fuzz_fast_lane -max_total_time=60

An input that begins with a zero byte is a recipe for a request of likely pieces; any other is the received bytes
themselves, so that the corpus can be read and written by hand. The tests of the fast lane use `check`, and the corpus.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["aimock.net", "h11"]):
        import aimock.net.connection  # noqa: F401

import h11

from aimock.net.connection import take
from aimock.net.exchange import Answer, Head, Refusal, Request, Whole
from aimock.net.fast_lane import FastLane
from aimock.net.limits import Limits
from aimock.net.pacer import Pacer
from aimock.net.performer import Setting
from aimock.net.wire import ResponseWriter

LIMITS = Limits(head_bytes=2048, header_lines=12, body_bytes=64)

METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"get", b"M-SEARCH", b"", b"P\xc3\x96ST")
TARGETS = (
    b"/v1/chat/completions", b"/", b"*", b"//x", b"/a?b=c&d", b"/%2e%2e/", b"http://h/p?q", b"HTTPS://h", b"http://h?q",
    b"h:443", b"/caf\xc3\xa9", b"/a b", b"", b"/#f", b"\x7f", b"/\x00",
)  # fmt: skip
VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/11", b"")
NAMES = (
    b"Host", b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"TE",
    b"Trailer", b"Accept", b"X-Test-Id", b"Keep-Alive", b"Host ", b" Host", b"", b"X\x00", b"X\xff", b"H\tst", b"(x)",
)  # fmt: skip
VALUES = (
    b"x", b"", b"0", b"5", b"005", b"+5", b"5, 5", b"5,6", b"-1", b"0x5", b"65", b"1" * 15, b"1" * 16, b"9" * 30,
    b"5 5", b"chunked", b"100-continue", b"identity", b"Chunked", b"gzip, chunked", b"keep-alive", b"Keep-Alive",
    b"close", b"keep-alive, close", b"upgrade", b"h2c", b"websocket", b"caf\xc3\xa9", b"\x01", b"\x0b", b"\x1f",
    b"\x7f", b"\x85", b"a\tb", b"a\x00b", b"a\rb", b"\xa0",
)  # fmt: skip
COLONS = (b": ", b":", b" : ", b":\t", b"", b":\r\n ", b":\n", b":  \t ")
ENDS = (b"\r\n", b" \r\n", b"\t\r\n", b"\n", b"\r", b"\r\r\n", b"\x0b\r\n", b"")
BODIES = (
    b"",
    b"{}",
    b"hello",
    b"hello more than five",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)


_ODD = 250
"""Bytes of a recipe from here on choose an oddity."""


class Reading(NamedTuple):
    """A whole request, in terms in which two parsers can be compared."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    http_version: str
    keep_alive: bool
    body: bytes
    consumed: int


class More(NamedTuple):
    """A head whose body is announced, and `missing` in part or whole."""

    missing: int


class _Nobody:
    """`take` never asks the handler."""

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        raise NotImplementedError


def setting() -> Setting:
    return Setting(
        handler=_Nobody(),
        limits=LIMITS,
        fast_lane=FastLane(LIMITS.head_bytes, LIMITS.header_lines),
        writer=ResponseWriter(lambda: 0.0),
        pacer=Pacer(),
        is_closing=lambda: False,
        tell_change=lambda: None,
    )


def read_by_h11(received: bytes) -> Reading | More | None:
    """None: not well-formed, not all there, or waiting for a word from us."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.head_bytes)
    parser.receive_data(received)
    request: h11.Request | None = None
    body = b""
    try:
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                length = dict(request.headers).get(b"content-length") if request is not None else None
                waits = parser.they_are_waiting_for_100_continue
                return More(int(length) - len(body)) if length is not None and not waits else None
    except h11.RemoteProtocolError:
        return None
    assert request is not None
    return Reading(
        method=request.method.decode("ascii"),
        target=request.target.decode("ascii"),
        headers=tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers),
        http_version=request.http_version.decode("ascii"),
        keep_alive=parser.their_state is not h11.MUST_CLOSE,
        body=body,
        consumed=len(received) - len(parser.trailing_data[0]),
    )


def read_by_fast_lane(received: bytes, setting: Setting) -> Reading | More | None:
    """None: it declines."""
    taken = take(received, setting)
    if taken is None:
        return None
    end = received.index(b"\r\n\r\n") + 4
    head = setting.fast_lane.parse(received[:end])
    assert head is not None
    assert len(head.header_lines) <= LIMITS.header_lines
    assert head.headers == dict(reversed(head.header_lines)), "of a repeated header, the first value"
    assert head.content_length == int(head.headers.get("content-length", "0")) <= LIMITS.body_bytes
    if not isinstance(taken, tuple):
        return More(end + head.content_length - len(received))
    request, consumed = taken
    assert request.head is head, "heads are kept, and shared"
    body = request.body
    return Reading(head.method, head.target, head.header_lines, head.http_version, head.keep_alive, body, consumed)


def check(received: bytes, shared: Setting) -> bool:
    """Whether the fast lane took the request. Raises AssertionError if it took it for another than h11 does.

    `shared` has seen, and remembers, other requests.
    """
    fast = read_by_fast_lane(received, setting())
    assert read_by_fast_lane(received, shared) == fast, "what was remembered differs from what is read afresh"
    if fast is not None:
        theirs = read_by_h11(received)
        assert fast == theirs, f"fast lane: {fast}\nh11: {theirs}"
    return check(received + b"x" * fast.missing, shared) if isinstance(fast, More) else fast is not None


def received_of(data: bytes) -> bytes:
    return _put_together(data[1:]) if data[:1] == b"\x00" else data


def _put_together(recipe: bytes) -> bytes:
    """A request of likely pieces, most of them usual, so that each oddity is met alone as well as in company."""
    choices = iter(recipe)

    def pick(pieces: tuple[bytes, ...], usual: int = 1) -> bytes:
        choice = next(choices, 0)
        return pieces[choice % usual] if choice < _ODD else pieces[choice % len(pieces)]

    parts = [pick(METHODS, 4), b" ", pick(TARGETS, 7), b" ", pick(VERSIONS), pick(ENDS)]
    parts += [pick(NAMES), pick(COLONS, 2), pick(VALUES), pick(ENDS, 3)]
    for _ in range(next(choices, 0) % 6):
        parts += [pick(NAMES, 12), pick(COLONS, 2), pick(VALUES, 26), pick(ENDS, 3)]
    parts += [pick(ENDS), pick(BODIES, 5)]
    received = bytearray(b"".join(parts))
    for _ in range(max(0, next(choices, 0) - _ODD)):
        received[next(choices, 0) % len(received)] = next(choices, 0)
    return bytes(received)


def main() -> None:
    shared = setting()

    def test_one_input(data: bytes) -> None:
        check(received_of(data), shared)

    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

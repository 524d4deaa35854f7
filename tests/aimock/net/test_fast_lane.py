from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aimock.net.exchange import Head
from aimock.net.fast_lane import FastLane, make_head

FUZZ = Path(__file__).parents[3] / "fuzz"


def _load(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle: Any = _load(FUZZ / "fuzz_fast_lane.py")
shared = oracle.setting()


def parse(head: bytes, lines: int = 100) -> Head | None:
    return FastLane(4096, lines).parse(head)


def head_of(*lines: bytes, start: bytes = b"POST /v1/x HTTP/1.1") -> bytes:
    return b"\r\n".join((start, *lines, b"", b""))


@pytest.mark.parametrize(
    ("lines", "read", "length"),
    [
        ([b"Host: x"], [("host", "x")], 0),
        ([b"HOST:x"], [("host", "x")], 0),
        ([b"Host: \t x \t "], [("host", "x")], 0),
        ([b"Host:"], [("host", "")], 0),
        ([b"Host: x", b"A: b \t c"], [("host", "x"), ("a", "b \t c")], 0),
        ([b"Host: x", b"X-!#$%&'*+.^_`|~9: y"], [("host", "x"), ("x-!#$%&'*+.^_`|~9", "y")], 0),
        ([b"Host: x", b"Content-Length: 12"], [("host", "x"), ("content-length", "12")], 12),
        ([b"Host: x", b"Content-Length: 007"], [("host", "x"), ("content-length", "007")], 7),
        ([b"Host: x", b"Connection: Keep-Alive"], [("host", "x"), ("connection", "Keep-Alive")], 0),
        ([b"A: 1", b"Host: x", b"a: 2"], [("a", "1"), ("host", "x"), ("a", "2")], 0),
    ],
)
def test_plain_heads_are_read(lines: list[bytes], read: list[tuple[str, str]], length: int) -> None:
    head = parse(head_of(*lines))
    assert head is not None
    assert (head.method, head.target, head.http_version, head.keep_alive) == ("POST", "/v1/x", "1.1", True)
    assert list(head.header_lines) == read
    assert head.headers == dict(reversed(read))
    assert head.content_length == length


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(head_of(b"Host: x", start=start), id=repr(start))
        for start in (
            b"POST /v1/x HTTP/1.0", b"POST  /v1/x HTTP/1.1", b"POST /v1/x HTTP/2.0", b"POST / http/1.1", b"POST /",
            b"post /v1/x HTTP/1.1", b" POST /v1/x HTTP/1.1", b"POST /v1/x HTTP/1.1 ", b"POST /a b HTTP/1.1",
            b"POST /caf\xc3\xa9 HTTP/1.1", b"POST /\x00 HTTP/1.1", b"POST\t/ HTTP/1.1", b"M-SEARCH / HTTP/1.1", b"",
            b"CONNECT x:443 HTTP/1.1", b"POST v1/x HTTP/1.1", b"POST * HTTP/1.1", b"\r\nPOST / HTTP/1.1",
        )
    ] + [
        pytest.param(head_of(*lines), id=repr(lines))
        for lines in (
            (), (b"A: b",), (b"Host: x", b"Host: x"), (b"Host: x", b"Host: y"), (b"Host : x",), (b" Host: x",),
            (b"Host: x", b" folded"), (b"Host: x", b"\tfolded"), (b"Host: x", b"no colon"), (b"Host: x", b": nameless"),
            (b"Host: x", b"A: caf\xe9"), (b"Host: x", b"A: \x00"), (b"Host: x", b"A: \x01"), (b"Host: x", b"A: \x7f"),
            (b"Host: x", b"A: b\x0b"), (b"Host: x", b"A: b\nB: c"), (b"Host: x", b"A: b\rB: c"), (b"Host: x\n",),
            (b"Host: x", b"A(b: c"), (b"Host: x", b"Content-Length: 5, 5"), (b"Host: x", b"Content-Length: +5"),
            (b"Host: x", b"Content-Length:"), (b"Host: x", b"Content-Length: -1"), (b"Host: x", b"Content-Length: 1_0"),
            (b"Host: x", b"Content-Length: 5", b"Content-Length: 5"), (b"Host: x", b"Content-Length: 0x5"),
            (b"Host: x", b"Content-Length: " + b"1" * 16), (b"Host: x", b"Transfer-Encoding: chunked"),
            (b"Host: x", b"Transfer-Encoding:"), (b"Host: x", b"Connection: close"), (b"Host: x", b"Connection:"),
            (b"Host: x", b"Connection: keep-alive, close"),
            (b"Host: x", b"Connection: keep-alive", b"Connection: close"),
            (b"Host: x", b"Expect: 100-continue"), (b"Host: x", b"Upgrade: h2c"), (b"Host: x", b"TE: trailers"),
            (b"Host: x", b"Trailer: a"),
        )
    ],
)  # fmt: skip
def test_all_others_are_left_to_h11(head: bytes) -> None:
    assert parse(head) is None


@pytest.mark.parametrize(
    ("method", "target", "parts"),
    [
        ("GET", "/", ("/", "")),
        ("GET", "//v1/../models", ("//v1/../models", "")),
        ("GET", "/a%2Fb?c=%20&d", ("/a%2Fb", "c=%20&d")),
        ("GET", "/a??b?", ("/a", "?b?")),
        ("GET", "http://h:80/a?b", ("/a", "b")),
        ("GET", "HTTPS://h", ("/", "")),
        ("GET", "http://h?a=/b", ("/", "a=/b")),
        ("GET", "http://h?a", ("/", "a")),
        ("OPTIONS", "*", ("*", "")),
        ("GET", "*", None),
        ("CONNECT", "h:443", None),
        ("GET", "ftp://h/a", None),
        ("GET", "a", None),
    ],
)
def test_targets_are_split_textually(method: str, target: str, parts: tuple[str, str] | None) -> None:
    head = make_head(method, target, [("host", "x")])
    assert parts == ((head.path, head.query) if head is not None else None)


def test_limits() -> None:
    head = head_of(b"Host: x", b"A: b", b"C: d")
    assert FastLane(len(head), 3).parse(head) is not None
    assert FastLane(len(head) - 1, 3).parse(head) is None
    assert FastLane(len(head), 2).parse(head) is None


def test_heads_are_kept_by_their_exact_bytes() -> None:
    lane = FastLane(4096, 100)
    one, other = head_of(b"Host: x"), head_of(b"host: x")
    assert lane.parse(one) is lane.parse(bytes(bytearray(one)))
    assert lane.parse(one) is not lane.parse(other)


def test_keeping_is_bounded_and_changes_nothing() -> None:
    lane = FastLane(1 << 20, 100)
    for number in range(20_000):
        head = lane.parse(head_of(b"Host: x", b"X-Request-Id: %d" % number))
        assert head is not None
        assert head.headers["x-request-id"] == str(number)
    kept = sum(len(value) for value in vars(lane).values() if isinstance(value, dict))
    assert kept < 10_000
    large = head_of(b"Host: x", b"A: " + b"a" * 100_000)
    assert lane.parse(large) is not lane.parse(large), "a kept head of that size could not be afforded a thousand times"


# -- against h11 -------------------------------------------------------------------------------------------------------

SEEDS = [path.read_bytes() for path in sorted((FUZZ / "corpus" / "fuzz_fast_lane").iterdir())]
ODD_BYTES = st.one_of(
    st.binary(max_size=3), st.sampled_from([b"\r\n", b"\n", b"\r\n ", b": ", b" ", b"\r\n\r\n", b","])
)
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), ODD_BYTES), max_size=3)


@pytest.mark.parametrize("path", sorted((FUZZ / "corpus" / "fuzz_fast_lane").iterdir()), ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    oracle.check(oracle.received_of(path.read_bytes()), shared)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from([seed for seed in SEEDS if seed[:1] != b"\0"]), EDITS)
def test_edited_requests_are_read_as_h11_reads_them(seed: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    received = seed
    for position, removed, inserted in edits:
        position %= len(received) + 1
        received = received[:position] + inserted + received[position + removed :]
    oracle.check(received, shared)


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=60))
@example(b"")
def test_composed_requests_are_read_as_h11_reads_them(recipe: bytes) -> None:
    oracle.check(oracle.received_of(b"\0" + recipe), shared)

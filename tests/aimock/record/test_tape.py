"""Tapes: what passes is cut, timed and kept, and nothing is kept that there is no room for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.record.tape import TapeWriter
from aimock_protocols import eventstream
from aimock_protocols.cutting import is_terminal

SSE = "text/event-stream; charset=utf-8"
BINARY = "application/vnd.amazon.eventstream"
MESSAGE = eventstream.event("chunk", b"{}")


class Writing(TapeWriter):
    """A tape with room for much, and what it warned of."""

    def __init__(self, content_type: str = SSE, *, is_stream: bool = True, **room: int) -> None:
        self.warnings: list[str] = []
        room = {"max_bytes": 10**6, "max_frames": 1000} | room
        headers = (("x", "1"), ("content-type", content_type))
        super().__init__("openai_chat", 200, headers, is_stream=is_stream, warn=self.warnings.append, **room)

    def frames(self) -> tuple[tuple[float, bytes], ...]:
        return self.tape("seal").frames


def test_a_stream_is_kept_by_its_frames_and_their_times() -> None:
    tape = Writing()
    assert tape.feed(b"data: 1\n\nda", 28.0) == [b"data: 1\n\n"]
    assert tape.feed(b"ta: 2\n", 40.0) == []
    assert tape.feed(b"\ndata: [DONE]\n\n", 57.0) == [b"data: 2\n\n", b"data: [DONE]\n\n"]
    tape.end(90.0)
    assert tape.frames() == ((28.0, b"data: 1\n\n"), (29.0, b"data: 2\n\n"), (0.0, b"data: [DONE]\n\n"))
    assert tape.timings() == {"ttftMs": 28, "interChunkDelaysMs": [29, 0], "totalDurationMs": 57}
    kept = tape.tape("seal")
    assert (kept.protocol, kept.status, kept.is_stream, kept.seal) == ("openai_chat", 200, True, "seal")
    assert kept.headers == (("x", "1"), ("content-type", SSE))
    assert kept.body == tape.body == b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"


def test_what_rounding_loses_does_not_add_up() -> None:
    tape = Writing()
    for number in range(1, 1001):
        tape.feed(b"data: x\n\n", number * 1.0449)
    tape.end(2000.0)
    timings: Any = tape.timings()
    assert timings["totalDurationMs"] == 1044.9
    at = 0.0
    for number, (gap, _) in enumerate(tape.frames(), 1):
        at += gap
        assert gap == round(gap, 1)
        assert at == pytest.approx(number * 1.0449, abs=0.051)


@pytest.mark.parametrize(
    ("content_type", "pieces", "timed"),
    [
        (SSE, [b"data: 1\n\n", b"data: 2"], 2),
        (SSE, [b"data: 1\n\n"], None),
        (SSE, [b"data: 1"], None),
        ("application/x-ndjson", [b"{}\n", b"{}"], 2),
        (BINARY, [MESSAGE, MESSAGE, MESSAGE[:9]], 2),
        (BINARY, [MESSAGE, MESSAGE[:9]], None),
        ("audio/mpeg", [b"\xff\xfb", b"\0"], 2),
        (SSE, [], None),
    ],
)
def test_a_last_text_counts_and_half_a_binary_message_does_not(
    content_type: str, pieces: list[bytes], timed: int | None
) -> None:
    """record-replay §5.4"""
    tape = Writing(content_type)
    for number, piece in enumerate(pieces):
        tape.feed(piece, 10.0 * (number + 1))
    tape.end(99.0)
    timings = tape.timings()
    assert (None if timings is None else 1 + len(timings["interChunkDelaysMs"])) == timed
    assert tape.body == b"".join(pieces)
    assert sum(gap for gap, _ in tape.frames()) == 10.0 * len(pieces), "a rest came when its last byte did"


def test_a_whole_body_is_one_frame_at_its_end() -> None:
    tape = Writing("application/json", is_stream=False, max_frames=1)
    assert tape.feed(b'{"a":', 10.0) == tape.feed(b"1}", 20.0) == []
    tape.end(25.0)
    assert tape.frames() == ((25.0, b'{"a":1}'),)
    assert tape.timings() is None


def test_an_empty_body_is_one_too() -> None:
    tape = Writing(is_stream=False)
    tape.end(5.0)
    assert tape.frames() == ((5.0, b""),)


def test_the_frame_that_ends_a_stream_is_noticed_when_it_comes() -> None:
    tape = Writing()
    assert not any(is_terminal(tape.protocol, frame) for frame in tape.feed(b"data: {}\n\ndata: [DO", 1.0))
    assert any(is_terminal(tape.protocol, frame) for frame in tape.feed(b"NE]\n\n", 2.0))


# -- room --------------------------------------------------------------------------------------------------------------

STREAM = b"data: 1\n\n" * 4


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ({"max_bytes": len(STREAM) - 1}, "more than 35 bytes of a response: it is relayed, and not recorded"),
        ({"max_frames": 3}, "more than 3 frames of a response: it is relayed, and not recorded"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_more_than_there_is_room_for_is_not_kept(room: dict[str, int], said: str, size: int) -> None:
    """record-replay §4.3: also where all of it comes in one piece; and it is said once."""
    tape = Writing(**room)
    for at in range(0, len(STREAM), size):
        tape.feed(STREAM[at : at + size], 1.0)
    assert tape.is_over
    assert tape.feed(STREAM, 2.0) == []
    tape.end(3.0)
    assert (tape.body, tape.timings(), tape.warnings) == (b"", None, [said])


@pytest.mark.parametrize("is_stream", [True, False])
def test_what_fits_to_the_byte_is_kept(is_stream: bool) -> None:
    tape = Writing(is_stream=is_stream, max_bytes=len(STREAM), max_frames=4)
    tape.feed(STREAM, 1.0)
    tape.end(2.0)
    assert (tape.is_over, tape.body, tape.warnings) == (False, STREAM, [])


def test_a_last_frame_that_nothing_ended_needs_room_too() -> None:
    tape = Writing(max_frames=4)
    tape.feed(STREAM + b"data", 1.0)
    tape.end(2.0)
    assert (tape.is_over, tape.body, len(tape.warnings)) == (True, b"", 1)


@pytest.mark.parametrize("content_type", [SSE, BINARY, "application/x-ndjson", "application/json", "audio/mpeg", ""])
@given(
    stream=st.lists(st.binary(max_size=6) | st.sampled_from([b"data: 1\n\n", MESSAGE, b"[{}", b",{}"])).map(b"".join),
    cuts=st.lists(st.integers(0, 2**16), max_size=8),
    gaps=st.lists(st.floats(0, 1e5), min_size=9, max_size=9),
    is_stream=st.booleans(),
)
def test_any_bytes_are_kept_whatever_came_when(
    content_type: str, stream: bytes, cuts: list[int], gaps: list[float], is_stream: bool
) -> None:
    tape = Writing(content_type, is_stream=is_stream)
    now = 0.0
    edges = [0, *sorted(at % (len(stream) + 1) for at in cuts), len(stream)]
    for gap, (start, end) in zip(gaps, pairwise(edges), strict=False):
        now += gap
        tape.feed(stream[start:end], now)
    tape.end(now)
    assert tape.body == stream
    assert all(gap >= 0 for gap, _ in tape.frames())
    assert sum(gap for gap, _ in tape.frames()) <= now + 0.06

from __future__ import annotations

import pytest

from aimock_protocols.canonical import Frame, FrameKind
from aimock_protocols.midstream import interrupted

STREAM = [
    Frame(b"open", FrameKind.OPEN),
    Frame(b"ping", FrameKind.PING),
    Frame(b"one", FrameKind.TOKEN),
    Frame(b"two", FrameKind.TOKEN),
    Frame(b"usage", FrameKind.CLOSE),
    Frame(b"done", FrameKind.CLOSE),
]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, b"error"),
        (1, b"open ping error"),
        (2, b"open ping one error"),
        (3, b"open ping one two error"),
        (9, b"open ping one two error"),
    ],
)
def test_the_error_takes_the_place_of_the_rest(after: int, expected: bytes) -> None:
    frames = interrupted(STREAM, after, Frame(b"error", FrameKind.CLOSE))
    assert b" ".join(frame.data for frame in frames) == expected

"""An error in the midst of a stream: the same for every protocol, whatever its error frame looks like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aimock_protocols.canonical import Frame, FrameKind

COUNTED = frozenset({FrameKind.OPEN, FrameKind.TOKEN})
"""The kinds that count as chunks, for truncation and for errors alike."""


def interrupted(frames: Iterable[Frame], after_chunks: int, error: Frame) -> Iterator[Frame]:
    """`frames` until `after_chunks` counted ones have passed, then `error`, then nothing.

    A stream that has fewer ends in the error too: it takes the place of the closing frames.
    """
    left = after_chunks
    for frame in frames:
        if frame.kind is FrameKind.CLOSE:
            break
        if frame.kind in COUNTED:
            if left <= 0:
                break
            left -= 1
        yield frame
    yield error

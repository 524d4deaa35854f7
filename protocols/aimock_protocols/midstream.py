"""An error in the midst of a stream: the same for every protocol, whatever its error frame looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp

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


def until_error(
    frames: Iterable[Frame],
    reply: Reply,
    error_frame: Callable[..., Frame],
    shape: Any,
    stamp: Stamp,
    *,
    replaces_last: bool = False,
) -> Iterator[Frame]:
    """The frames of a reply; of one with a mid-stream error those before it, and then the frame that `error_frame`
    makes of it. `replaces_last` says that the last frame ends the stream, though it counts as a chunk."""
    broken = reply.mid_stream_error
    if broken is None:
        return iter(frames)
    before = list(frames)[:-1] if replaces_last else frames
    return interrupted(before, broken.after_chunks, error_frame(broken.error, shape, stamp))

"""A tape is what passes while a provider answers: its bytes cut into frames, each with its time, and no more of them
than there is room for.

Source: record-replay §4.3 and §5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimock.fixtures.recording import SWITCHED, Tape, ms, read_tape, seal_of, tape_beside, tape_json
from aimock_protocols import eventstream
from aimock_protocols.canonical import Headers
from aimock_protocols.cutting import cutter_for

__all__ = ["SWITCHED", "Tape", "TapeWriter", "read_tape", "seal_of", "tape_beside", "tape_json"]


class TapeWriter:
    """Is fed with one response while it passes.

    Times are milliseconds since the request was sent. They are kept to a tenth, the gaps between them so that they add
    up to the same again. All frames that came in one piece came at its time. The body of a response that is no stream
    is one frame, and a stream of a type without frames has those pieces in which it came; so does a turn of a session,
    whose pieces are messages.

    `max_bytes` and `max_frames` are the most that is kept; `warn` is told once if there is more.
    """

    def __init__(
        self,
        protocol: str,
        status: int,
        headers: Headers,
        *,
        is_stream: bool,
        max_bytes: int,
        max_frames: int,
        warn: Callable[[str], object],
    ) -> None:
        content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
        self.protocol = protocol
        self.status = status
        self.headers = headers
        self.is_stream = is_stream
        self.is_over = False
        """Whether there was more than there is room for: nothing is kept then, nor looked at any more."""
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._warn = warn
        self._cutter = cutter_for(content_type) if is_stream else None
        self._frames: list[tuple[float, bytes]] = []
        self._size = 0
        self._latest = 0.0
        """When the last piece came."""
        self._kept = 0.0
        """When the last frame did, by what is kept."""
        self._pieces: list[bytes] = []
        """Those of a body that is no stream."""
        self._is_broken_off = False

    @property
    def messages(self) -> list[bytes]:
        """The frames so far."""
        return [data for _, data in self._frames]

    @property
    def body(self) -> bytes:
        """All that came. None of it is there before the end but whole frames."""
        return b"".join(self.messages)

    def feed(self, piece: bytes, at: float) -> list[bytes]:
        """Takes a piece that came now. Returns the frames that it completes."""
        self._latest = at
        self._size += len(piece)
        if self.is_over or self._exceeds("bytes", self._size, self._max_bytes) or not piece:
            return []
        if not self.is_stream:
            self._pieces.append(piece)
            return []
        frames = [piece] if self._cutter is None else self._cutter.feed(piece)
        if self._exceeds("frames", len(self._frames) + len(frames), self._max_frames):
            return []
        for frame in frames:
            self._keep(frame, at)
        return frames

    def end(self, at: float) -> None:
        """The response has ended now. What no delimiter ended is its last frame, and came when its last byte did."""
        if self.is_over:
            return
        if not self.is_stream:
            self._keep(b"".join(self._pieces), at)
            self._pieces.clear()
        elif self._cutter is not None and (rest := self._cutter.rest()):
            # Of a binary message that is not whole nobody can say anything.
            self._is_broken_off = isinstance(self._cutter, eventstream.Cutter)
            if not self._exceeds("frames", len(self._frames) + 1, self._max_frames):
                self._keep(rest, self._latest)

    def tape(self, seal: str) -> Tape:
        """All of it, for a response with this seal. Only after the end, and unless it is over."""
        return Tape(self.protocol, self.status, self.headers, self.is_stream, tuple(self._frames), seal)

    def timings(self) -> dict[str, Any] | None:
        """The `recordedTimings` of a stream of two frames or more."""
        gaps = [ms(gap) for gap, _ in self._frames[: len(self._frames) - self._is_broken_off]]
        if not self.is_stream or len(gaps) < 2:
            return None
        return {"ttftMs": gaps[0], "interChunkDelaysMs": gaps[1:], "totalDurationMs": ms(round(sum(gaps), 1))}

    def _keep(self, frame: bytes, at: float) -> None:
        moment = max(round(at, 1), self._kept)
        self._frames.append((round(moment - self._kept, 1), frame))
        self._kept = moment

    def _exceeds(self, of_what: str, amount: int, most: int) -> bool:
        if amount <= most:
            return False
        self.is_over = True
        self._frames.clear()
        self._pieces.clear()
        self._cutter = None
        self._warn(f"more than {most} {of_what} of a response: it is relayed, and not recorded")
        return True

"""Time: when each frame of a stream is due (spec: core-physics-chaos §1 to §3).

Functions over frames: they compute offsets and wait for nothing. A delay belongs to a counted frame and comes before
it; frames that are not counted follow the one before them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import attrs

from aimock.fixtures import Fixture, RecordedTimings, StreamingProfile
from aimock.net.exchange import Ending
from aimock_protocols.canonical import Frame
from aimock_protocols.midstream import COUNTED


class Pace(NamedTuple):
    """The timing of one stream. Times in milliseconds, as fixtures have them."""

    latency: float = 0.0
    profile: StreamingProfile | None = None
    timings: RecordedTimings | None = None
    speed: float = 1.0

    @property
    def is_instant(self) -> bool:
        """Whether no frame waits at all."""
        if self.profile is not None and (self.profile.ttft or self.profile.tps):
            return False
        if self.profile is None and self.timings is not None:
            return not (self.timings.ttft_ms or any(self.timings.inter_chunk_delays_ms))
        return self.latency <= 0

    def delay(self, index: int, uniforms: Iterator[float]) -> float:
        """Seconds that counted frame `index` waits after the one before it. Jitter is drawn from `uniforms`."""
        if self.profile is not None:
            delay = self._profile_delay(self.profile, index, uniforms)
        elif self.timings is not None:
            delay = _recorded_delay(self.timings, index)
        else:
            delay = self.latency
        return max(0.0, delay) / 1000 / self.speed

    def _profile_delay(self, profile: StreamingProfile, index: int, uniforms: Iterator[float]) -> float:
        if index == 0 and profile.ttft is not None:
            delay = profile.ttft
        elif profile.tps:
            delay = 1000 / profile.tps
        else:
            return self.latency
        if profile.jitter:
            delay *= 1 + (2 * next(uniforms) - 1) * profile.jitter
        return delay


def _recorded_delay(timings: RecordedTimings, index: int) -> float:
    delays = timings.inter_chunk_delays_ms
    if index == 0:
        return timings.ttft_ms
    if index <= len(delays):
        return delays[index - 1]
    return sum(delays) / len(delays) if delays else 0.0


def is_instant(fixture: Fixture, latency: float) -> bool:
    """Whether the fixture's streams wait for nothing, on a server with this latency: a quick look, since most do."""
    if fixture.streaming_profile is None and fixture.recorded_timings is None:
        return (fixture.latency if fixture.latency is not None else latency) <= 0
    return pace_of(fixture, latency, 1.0).is_instant


def pace_of(fixture: Fixture, latency: float, replay_speed: float) -> Pace:
    """The fixture's timing, with the server's latency and speed where it has none of its own."""
    return Pace(
        fixture.latency if fixture.latency is not None else latency,
        fixture.streaming_profile,
        fixture.recorded_timings,
        fixture.replay_speed or replay_speed,
    )


def schedule(frames: Iterable[Frame], pace: Pace, uniforms: Iterator[float]) -> Iterator[tuple[float, Frame]]:
    """Each frame with its offset in seconds from the start of the stream."""
    offset = 0.0
    index = 0
    for frame in frames:
        if frame.kind in COUNTED:
            offset += pace.delay(index, uniforms)
            index += 1
        yield offset, frame


@attrs.frozen
class Interruption:
    """A schedule that ends before its time."""

    schedule: Sequence[tuple[float, Frame]]
    ends_at: float
    """Offset in seconds."""
    reason: str
    """The fixture key that asked for it."""
    ending: Ending = Ending.FIN


def interrupt(
    timed: Sequence[tuple[float, Frame]], truncate_after_chunks: int | None, disconnect_after_ms: float | None
) -> Interruption | None:
    """What is left of a schedule that is cut after so many counted frames or so much time, whichever is first.

    None if the stream ends before either.
    """
    cuts: list[Interruption] = []
    counted = [position for position, (_, frame) in enumerate(timed) if frame.kind in COUNTED]
    if truncate_after_chunks is not None and 0 < truncate_after_chunks <= len(counted):
        last = counted[truncate_after_chunks - 1]
        cuts.append(Interruption(timed[: last + 1], timed[last][0], "truncateAfterChunks"))
    if disconnect_after_ms is not None and timed and disconnect_after_ms / 1000 < timed[-1][0]:
        end = disconnect_after_ms / 1000
        cuts.append(Interruption([item for item in timed if item[0] <= end], end, "disconnectAfterMs"))
    return min(cuts, key=lambda cut: cut.ends_at, default=None)

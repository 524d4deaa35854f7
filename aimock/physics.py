"""Time: when each frame of a stream is due (spec: core-physics-chaos §1 to §3).

Functions over frames: they compute offsets and wait for nothing. A delay belongs to a counted frame and comes before
it; frames that are not counted follow the one before them at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import attrs

from aimock.fixtures import Fixture, RecordedTimings, StreamingProfile
from aimock.net.exchange import Ending
from aimock_protocols.canonical import Frame, Keepalive
from aimock_protocols.midstream import COUNTED

_SPREAD = 0.7
"""A delay drawn from a bell curve differs from its mean by at most this fraction, as in llm-d's simulator: a stream
that is slow by chance is wanted, one that hangs by chance is not."""
_LEAST_PROBABILITY = 2.0**-53


class Surroundings(NamedTuple):
    """What a stream's timing depends on besides its fixture."""

    uniforms: Iterator[float]
    """The randomness of this exchange."""
    prompt_tokens: Callable[[], int]
    streams: Callable[[], int]
    """How many streams are under way, this one included."""


class Pace(NamedTuple):
    """The timing of one stream. Times in milliseconds, as fixtures have them."""

    latency: float = 0.0
    profile: StreamingProfile | None = None
    timings: RecordedTimings | None = None
    speed: float = 1.0

    @property
    def is_instant(self) -> bool:
        """Whether no frame waits at all."""
        if self.profile is not None and (self.profile.ttft or self.profile.tps or self.profile.prefill_per_token):
            return False
        if self.profile is None and self.timings is not None:
            return not (self.timings.ttft_ms or any(self.timings.inter_chunk_delays_ms))
        return self.latency <= 0

    def delay(self, index: int, around: Surroundings) -> float:
        """Seconds that counted frame `index` waits after the one before it."""
        if self.profile is not None:
            delay = _profile_delay(self.profile, self.latency, index, around)
        elif self.timings is not None:
            delay = _recorded_delay(self.timings, index)
        else:
            delay = self.latency
        return max(0.0, delay) / 1000 / self.speed


def _profile_delay(profile: StreamingProfile, latency: float, index: int, around: Surroundings) -> float:
    prefill = profile.prefill_per_token if index == 0 else None
    if index == 0 and (profile.ttft is not None or prefill is not None):
        delay = profile.ttft or 0.0
        if prefill is not None:
            delay += prefill * around.prompt_tokens()
        deviation = profile.ttft_std_dev
    elif profile.tps:
        delay = 1000 / profile.tps
        deviation = profile.gap_std_dev
    else:
        return latency
    if deviation:
        delay = _normal(delay, deviation, next(around.uniforms))
    elif profile.jitter:
        delay *= 1 + (2 * next(around.uniforms) - 1) * profile.jitter
    if profile.load_factor is not None and profile.load_streams is not None:
        delay *= _load(profile.load_factor, profile.load_streams, around.streams())
    return delay


def _normal(mean: float, deviation: float, uniform: float) -> float:
    """A draw from a bell curve, kept within _SPREAD of its mean."""
    import statistics  # slow to import, and few profiles vary so

    drawn = statistics.NormalDist(mean, deviation).inv_cdf(max(uniform, _LEAST_PROBABILITY))
    return min(max(drawn, mean * (1 - _SPREAD)), mean * (1 + _SPREAD))


def _load(factor: float, at_streams: int, streams: int) -> float:
    """How many times longer everything takes: from 1 for a single stream, in a straight line up to the factor."""
    return 1 + (factor - 1) * min(1.0, (streams - 1) / (at_streams - 1))


def _recorded_delay(timings: RecordedTimings, index: int) -> float:
    delays = timings.inter_chunk_delays_ms
    if index == 0:
        return timings.ttft_ms
    if index <= len(delays):
        return delays[index - 1]
    return sum(delays) / len(delays) if delays else 0.0


@attrs.frozen
class Tempo:
    """The server's own timing, for fixtures that have none."""

    latency: float = 0.0
    """ms"""
    profile: StreamingProfile | None = None
    speed: float = 1.0

    _is_instant: bool = attrs.field(init=False)

    @_is_instant.default
    def _waits_for_nothing(self) -> bool:
        return Pace(self.latency, self.profile).is_instant

    def is_instant(self, fixture: Fixture) -> bool:
        """Whether the fixture's streams wait for nothing: a quick look, since most do."""
        return self._is_instant if fixture.is_plain else self.pace_of(fixture).is_instant

    def pace_of(self, fixture: Fixture) -> Pace:
        """The fixture's timing. The server's profile stands in only for one that says nothing of its own."""
        says_nothing = fixture.recorded_timings is None and fixture.latency is None
        return Pace(
            fixture.latency if fixture.latency is not None else self.latency,
            fixture.streaming_profile or (self.profile if says_nothing else None),
            fixture.recorded_timings,
            fixture.replay_speed or self.speed,
        )


def schedule(
    frames: Iterable[Frame], pace: Pace, around: Surroundings, delay: float = 0.0
) -> Iterator[tuple[float, Frame]]:
    """Each frame with its offset in seconds from the start of the stream, which begins after `delay`."""
    offset = delay
    index = 0
    for frame in frames:
        if frame.kind in COUNTED:
            offset += pace.delay(index, around)
            index += 1
        yield offset, frame


def kept_alive(
    timed: Iterable[tuple[float, Frame]], keepalive: Keepalive, ends_at: float | None = None
) -> Iterator[tuple[float, Frame]]:
    """The schedule with a keepalive for every interval in which it would be silent: before the first frame too, and
    after the last one until `ends_at`."""
    said = 0.0
    for offset, frame in itertools.chain(timed, () if ends_at is None else [(ends_at, None)]):
        while offset - said > keepalive.interval:
            said += keepalive.interval
            yield said, keepalive.frame
        said = offset
        if frame is not None:
            yield offset, frame


class Limit(NamedTuple):
    """Where a stream is to be cut short, and how it then ends."""

    reason: str
    """The fixture key or the fault that asks for it."""
    after_chunks: int | None = None
    after_ms: float | None = None
    ending: Ending = Ending.FIN


@attrs.frozen
class Interruption:
    """A schedule that ends before its time."""

    schedule: Sequence[tuple[float, Frame]]
    ends_at: float
    """Offset in seconds."""
    limit: Limit


def interrupt(timed: Sequence[tuple[float, Frame]], limits: Iterable[Limit]) -> Interruption | None:
    """What is left of a schedule that is cut after so many counted frames or so much time, whichever is first.

    None if the stream ends before any of the limits.
    """
    counted = [position for position, (_, frame) in enumerate(timed) if frame.kind in COUNTED]
    cuts: list[Interruption] = []
    for limit in limits:
        if limit.after_chunks is not None and limit.after_chunks <= len(counted):
            kept = timed[: counted[limit.after_chunks - 1] + 1] if limit.after_chunks else ()
            cuts.append(Interruption(kept, kept[-1][0] if kept else 0.0, limit))
        if limit.after_ms is not None and timed and limit.after_ms / 1000 < timed[-1][0]:
            end = limit.after_ms / 1000
            cuts.append(Interruption([item for item in timed if item[0] <= end], end, limit))
    return min(cuts, key=lambda cut: (cut.ends_at, len(cut.schedule)), default=None)

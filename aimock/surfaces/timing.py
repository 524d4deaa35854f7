"""When each frame of an answer is due, and where the answer is cut short: physics and faults, for one exchange."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aimock.exchange import Exchange
from aimock.faults import OVERLOADED, delay_of, limit_of, spoiled_frames
from aimock.fixtures import Fixture, Question
from aimock.fixtures.faults import Fault
from aimock.journal import Entry
from aimock.net.exchange import Ending, Outcome
from aimock.physics import Limit, Surroundings, interrupt, schedule
from aimock.randomness import uniforms
from aimock_protocols.canonical import ErrorReply, Frame, Stamp

ErrorFrame = Callable[[ErrorReply, Stamp], Frame]
"""Tells an error in the midst of a stream."""


class Timed(NamedTuple):
    """Frames with their offsets in seconds, and how they end."""

    frames: Iterable[tuple[float, Frame]]
    ending: Ending
    ends_at: float | None
    """Offset of the ending; None: at once after the last frame."""
    on_end: Callable[[Outcome], None]


def is_instant(exchange: Exchange, fixture: Fixture) -> bool:
    """Whether a stream waits for nothing, and nothing befalls it: a quick look, since most are."""
    if exchange.fault is not None or (not fixture.is_plain and _limits(fixture, None)):
        return False
    return exchange.state.settings.tempo.is_instant(fixture)


def timed(
    exchange: Exchange, fixture: Fixture, frames: Iterable[Frame], question: Question, error: ErrorFrame, entry: Entry
) -> Timed:
    """The frames as physics, limits and faults have them."""
    state, stamp, fault = exchange.state, exchange.stamp, exchange.fault
    pace = state.settings.tempo.pace_of(fixture)
    delay = 0.0
    if fault is not None:
        frames = spoiled_frames(frames, fault, functools.partial(error, OVERLOADED, stamp))
        delay = delay_of(fault)
    around = Surroundings(uniforms(stamp.entropy, "jitter"), lambda: question.prompt_tokens, lambda: state.streams)
    scheduled: Iterable[tuple[float, Frame]] = schedule(frames, pace, around, delay)
    on_end: Callable[[Outcome], None] = entry.ended
    if pace.profile is not None and pace.profile.load_factor is not None:
        on_end = state.under_way(on_end)
    return ended_by(scheduled, _limits(fixture, fault), entry, on_end)


def ended_by(
    scheduled: Iterable[tuple[float, Frame]], limits: Sequence[Limit], entry: Entry, on_end: Callable[[Outcome], None]
) -> Timed:
    """The same frames, cut short by the first of the limits that they reach."""
    if limits:
        scheduled = tuple(scheduled)
        cut = interrupt(scheduled, limits)
        if cut is not None:
            entry.planned = cut.limit.reason
            return Timed(cut.schedule, cut.limit.ending, cut.ends_at, on_end)
    return Timed(scheduled, Ending.CLEAN, None, on_end)


def _limits(fixture: Fixture, fault: Fault | None) -> Sequence[Limit]:
    """Where a stream is to be cut short."""
    limits = []
    if fixture.truncate_after_chunks is not None:
        limits.append(Limit("truncateAfterChunks", after_chunks=fixture.truncate_after_chunks))
    if fixture.disconnect_after_ms is not None:
        limits.append(Limit("disconnectAfterMs", after_ms=fixture.disconnect_after_ms))
    cut = limit_of(fault) if fault is not None else None
    return limits if cut is None else [*limits, cut]

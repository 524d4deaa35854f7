"""Telling speech from silence by loudness, for protocols whose clients talk until the server notices that they stopped.

Nothing but the samples counts: the same audio is heard the same way however it is split, and whenever it comes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import attrs

_WINDOW_MS = 20
_SAMPLE_BYTES = 2
_CERTAIN = 656
"""Mean amplitude, of 32,768, at which a threshold of 1 takes sound for speech: noise of a room stays below a tenth of
it, somebody who speaks is above its double."""


class Heard(NamedTuple):
    """What was noticed, and where: in ms since the first sample."""

    starts: bool
    """Speech begins, else it has ended."""
    at: int


@attrs.define(eq=False)
class Hearing:
    """Listens to one stream of audio."""

    threshold: float = 0.5
    """From 0, where any sound is speech, to 1."""
    prefix_padding_ms: int = 0
    """By how much the beginning of speech is told earlier than it is heard, as far as it was not told of before."""
    silence_duration_ms: int = 500
    """How long it must be silent before speech has ended; that it has is told at the end of this silence."""
    onset_ms: int = 0
    """How long speech must last before it is taken for any."""

    is_speech: bool = attrs.field(default=False, init=False)
    """Whether somebody is speaking."""
    position_ms: int = attrs.field(default=0, init=False)
    """How much was listened to, in whole windows of 20 ms."""

    _unheard: bytes = attrs.field(default=b"", init=False)
    """Less than a window."""
    _lasting_ms: int = attrs.field(default=0, init=False)
    """For how long it has been otherwise than `is_speech` says."""
    _told_ms: int = attrs.field(default=0, init=False)

    def hear(self, pcm: bytes, rate: int) -> list[Heard]:
        """Takes in 16-bit little-endian samples of one channel, so many a second; less than a window may be left for
        the next time."""
        audio = self._unheard + pcm
        samples = max(1, rate * _WINDOW_MS // 1000)
        size = samples * _SAMPLE_BYTES
        window = struct.Struct(f"<{samples}h")
        whole = len(audio) - len(audio) % size
        self._unheard = audio[whole:]
        least = self.threshold * _CERTAIN * samples
        heard = (self._next(sum(map(abs, each)) > least) for each in window.iter_unpack(audio[:whole]))
        return [told for told in heard if told is not None]

    def _next(self, is_loud: bool) -> Heard | None:
        """A window more."""
        self.position_ms += _WINDOW_MS
        if is_loud is self.is_speech:
            self._lasting_ms = 0
            return None
        self._lasting_ms += _WINDOW_MS
        if self._lasting_ms < (self.onset_ms if is_loud else self.silence_duration_ms):
            return None
        at = self.position_ms
        if is_loud:
            at = max(self._told_ms, at - self._lasting_ms - self.prefix_padding_ms)
        self.is_speech, self._lasting_ms, self._told_ms = is_loud, 0, at
        return Heard(is_loud, at)

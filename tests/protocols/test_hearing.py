"""Speech told from silence."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.hearing import Heard, Hearing
from recorded import needs_corpus, rows_of

RATE = 16000


def sound(ms: int, amplitude: int = 3000, rate: int = RATE) -> bytes:
    """A square wave: its mean amplitude is its amplitude."""
    count = rate * ms // 1000
    return struct.pack(f"<{count}h", *(amplitude if at % 40 < 20 else -amplitude for at in range(count)))


def silence(ms: int, rate: int = RATE) -> bytes:
    return bytes(2 * (rate * ms // 1000))


def started(at: int) -> Heard:
    return Heard(True, at)


def ended(at: int) -> Heard:
    return Heard(False, at)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_speech_begins_and_ends(rate: int) -> None:
    hearing = Hearing()
    heard = hearing.hear(silence(200, rate) + sound(400, rate=rate) + silence(1000, rate), rate)
    assert heard == [started(200), ended(1100)]
    assert not hearing.is_speech
    assert hearing.position_ms == 1600


def test_speech_goes_on_over_a_short_silence() -> None:
    spoken = sound(100) + silence(480) + sound(100)
    assert Hearing().hear(spoken + silence(480), RATE) == [started(0)]
    assert Hearing(silence_duration_ms=200).hear(spoken, RATE) == [started(0), ended(300), started(580)]


def test_what_is_too_short_is_no_speech() -> None:
    hearing = Hearing(onset_ms=100)
    assert hearing.hear(sound(80) + silence(100), RATE) == []
    assert hearing.hear(sound(120), RATE) == [started(180)]


def test_padding_is_told_as_far_as_nothing_else_was() -> None:
    hearing = Hearing(prefix_padding_ms=300, silence_duration_ms=100)
    assert hearing.hear(silence(100) + sound(100) + silence(200) + sound(40), RATE) == [
        started(0),
        ended(300),
        started(300),
    ]
    assert Hearing(prefix_padding_ms=300).hear(silence(1000) + sound(40), RATE) == [started(700)]


@pytest.mark.parametrize(
    ("threshold", "amplitude", "is_speech"),
    [(0, 0, False), (0, 1, True), (0.5, 300, False), (0.5, 400, True), (1, 600, False), (1, 700, True)],
)
def test_threshold(threshold: float, amplitude: int, is_speech: bool) -> None:
    assert bool(Hearing(threshold).hear(sound(100, amplitude), RATE)) is is_speech


@given(st.lists(st.binary(max_size=3000)), st.sampled_from([0, 8000, 11025, 24000]), st.floats(0, 1))
def test_split_does_not_matter(pieces: list[bytes], rate: int, threshold: float) -> None:
    hearing = Hearing(threshold, 100, 60, 40)
    heard = [told for piece in pieces for told in hearing.hear(piece, rate)]
    assert heard == Hearing(threshold, 100, 60, 40).hear(b"".join(pieces), rate)
    assert [told.starts for told in heard] == [place % 2 == 0 for place in range(len(heard))]
    assert [told.at for told in heard] == sorted(told.at for told in heard)
    assert hearing.is_speech is (len(heard) % 2 == 1)


@needs_corpus
def test_a_recorded_greeting() -> None:
    """`Hello, my name is Marcelo.`, spoken in a room; the provider took it for one turn."""
    row = next(row for row in rows_of("realtime-ws") if "test_google_ws/test_audio_in" in row["id"])
    sent = (message["data"] for message in row["interactions"] if message["direction"] == "sent")
    spoken = [message["realtime_input"]["audio"]["data"] for message in sent if "realtime_input" in message]
    hearing = Hearing(silence_duration_ms=800)
    heard = [told for piece in spoken for told in hearing.hear(base64.urlsafe_b64decode(piece), RATE)]
    assert [told.starts for told in heard] == [True, False]

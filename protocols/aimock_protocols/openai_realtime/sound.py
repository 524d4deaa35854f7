"""Sound as Realtime sends it: formats, how long bytes of them last, silence, and pieces (wire-openai-realtime §4)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

LONGEST_PIECE_MS = 400
_SPOKEN_PIECE_MS = 200
"""How long the pieces of a fixture's audio are."""


class Format(NamedTuple):
    """A way to write sound down."""

    rate: int
    """Samples a second."""
    width: int
    """Bytes a sample."""
    silence: bytes
    """A sample of it."""

    decoded: tuple[bytes, ...] = ()
    """What each byte is in 16-bit samples, if it is not written so."""

    def pcm(self, audio: bytes) -> bytes:
        """The sound in 16-bit little-endian samples."""
        return b"".join(map(self.decoded.__getitem__, audio)) if self.decoded else audio

    def milliseconds(self, length: int) -> float:
        """How long so many bytes last."""
        return length / self.width * 1000 / self.rate

    def length(self, milliseconds: float) -> int:
        """Bytes that last so long, in whole samples."""
        return int(milliseconds * self.rate / 1000) * self.width


def _mu_law(code: int) -> int:
    """A µ-law sample (ITU-T G.711)."""
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _a_law(code: int) -> int:
    """An A-law sample (ITU-T G.711)."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
    return magnitude if code & 0x80 else -magnitude


def _g711(silence: bytes, law: Callable[[int], int]) -> Format:
    return Format(8000, 1, silence, tuple(law(code).to_bytes(2, "little", signed=True) for code in range(256)))


PCM = Format(24000, 2, b"\0\0")
_FORMATS = {"audio/pcm": PCM, "audio/pcmu": _g711(b"\xff", _mu_law), "audio/pcma": _g711(b"\xd5", _a_law)}


def format_of(told: Mapping[str, Any]) -> Format:
    """The format that a session names."""
    return _FORMATS[told["type"]]


def silences(form: Format, milliseconds: int) -> list[str]:
    """Silence in pieces, in base64."""
    whole, rest = divmod(milliseconds, LONGEST_PIECE_MS)
    pieces = [_silence(form, LONGEST_PIECE_MS)] * whole
    return [*pieces, _silence(form, rest)] if rest else pieces


@lru_cache(maxsize=256)
def _silence(form: Format, milliseconds: int) -> str:
    samples = form.length(milliseconds) // form.width
    return base64.b64encode(form.silence * samples).decode("ascii")


def pieces(form: Format, audio: bytes) -> Iterator[str]:
    """A fixture's audio in pieces of whole samples, in base64."""
    size = form.length(_SPOKEN_PIECE_MS)
    for start in range(0, len(audio), size):
        yield base64.b64encode(audio[start : start + size]).decode("ascii")


def samples_of(audio: bytes) -> bytes:
    """The samples in a fixture's audio: those of a WAV file without its head, all else as it is. What is compressed
    stays so, for nothing here can decode it."""
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        at = 12
        while at + 8 <= len(audio):
            size = int.from_bytes(audio[at + 4 : at + 8], "little")
            if audio[at : at + 4] == b"data":
                return audio[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
    return audio

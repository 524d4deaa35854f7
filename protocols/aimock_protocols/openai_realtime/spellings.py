"""The Beta's names for members of a session and of a response, which old clients still send: each has a place in the
GA shape (wire-openai-realtime §2, §9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


def _format(value: Any) -> Any:
    return {"type": FORMATS[value]} if isinstance(value, str) and value in FORMATS else value


def _modalities(value: Any) -> Any:
    """The Beta spoke and wrote at once; to speak is to be transcribed in the GA API."""
    return ["audio"] if isinstance(value, list) and "audio" in value else value


def _same(value: Any) -> Any:
    return value


_Place = tuple[tuple[str, ...], Callable[[Any], Any]]

_PLACES: Mapping[str, _Place] = {
    "modalities": (("output_modalities",), _modalities),
    "voice": (("audio", "output", "voice"), _same),
    "speed": (("audio", "output", "speed"), _same),
    "input_audio_format": (("audio", "input", "format"), _format),
    "output_audio_format": (("audio", "output", "format"), _format),
    "input_audio_transcription": (("audio", "input", "transcription"), _same),
    "input_audio_noise_reduction": (("audio", "input", "noise_reduction"), _same),
    "turn_detection": (("audio", "input", "turn_detection"), _same),
    "max_response_output_tokens": (("max_output_tokens",), _same),
    "temperature": ((), _same),
    "input_audio_sampling_rate": ((), _same),
}
"""By the Beta's name, or Azure Voice Live's: where it is now, and what of its value; nowhere if it is no more."""


def modern(told: dict[str, Any]) -> dict[str, Any]:
    """A session, or settings of a response, in the GA shape. What is said in both ways is so as the GA API says it."""
    if not isinstance(told.get("audio", {}), dict):
        return told
    made = {name: value for name, value in told.items() if name not in _PLACES and name != "audio"}
    inner = told.get("audio", {})
    sides = {name: value for name, value in inner.items() if name not in _PLACES}
    audio = {name: dict(side) if isinstance(side, dict) else side for name, side in sides.items()}
    for side in audio.values():
        if isinstance(side, dict) and "format" in side:
            side["format"] = _format(side["format"])
    if audio or "audio" in told:
        made["audio"] = audio
    for source in (told, inner):
        for name in source.keys() & _PLACES.keys():
            path, read = _PLACES[name]
            if path:
                _put(made, path, read(source[name]))
    return made


def _put(made: Any, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        made = made.setdefault(name, {})
        if not isinstance(made, dict):
            return
    made.setdefault(path[-1], value)

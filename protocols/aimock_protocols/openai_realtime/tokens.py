"""Token counts as Realtime tells them: text, audio and pictures apart (wire-openai-realtime §4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aimock_protocols.usage import Spellings, extras, first, given_counts

MS_PER_TOKEN_HEARD = 100
MS_PER_TOKEN_SPOKEN = 50
"""What OpenAI counts as a token of audio, of a user and of the model."""

_SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("input_token_details", "input_tokens_details", "prompt_tokens_details"),
    completion_details=("output_token_details", "output_tokens_details", "completion_tokens_details"),
)
_NOTHING_CACHED = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}

Usage = dict[str, Any]


def spoken(milliseconds: float) -> int:
    """Tokens of so much of the model's speech."""
    return math.ceil(milliseconds / MS_PER_TOKEN_SPOKEN)


def heard(milliseconds: float) -> int:
    """Tokens of so much of a user's speech."""
    return math.ceil(milliseconds / MS_PER_TOKEN_HEARD)


def usage(given: Mapping[str, Any], text_in: int, audio_in: int, text_out: int, audio_out: int) -> Usage:
    """A response's usage: counts and details that the fixture gives, or the estimate."""
    counts = given_counts(given, _SPELLINGS)
    if counts is not None:
        text_in, audio_in, text_out, audio_out = counts.prompt, 0, counts.completion, 0
    details_in = {
        "text_tokens": text_in,
        "audio_tokens": audio_in,
        "image_tokens": 0,
        "cached_tokens": 0,
        "cached_tokens_details": _NOTHING_CACHED,
    }
    details_out = {"text_tokens": text_out, "audio_tokens": audio_out}
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out if counts is None else counts.total,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": details_in | (first(given, _SPELLINGS.prompt_details, dict) or {}),
        "output_token_details": details_out | (first(given, _SPELLINGS.completion_details, dict) or {}),
        **extras(given, _SPELLINGS),
    }


_TOKENS_A_MINUTE = 15_000_000


def rate_limits(used: int) -> list[dict[str, Any]]:
    """What is left of the tokens of a minute, when so many have just been used."""
    resets = round(used * 60 / _TOKENS_A_MINUTE, 3)
    remaining = max(0, _TOKENS_A_MINUTE - used)
    return [{"name": "tokens", "limit": _TOKENS_A_MINUTE, "remaining": remaining, "reset_seconds": resets}]

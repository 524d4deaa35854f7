"""The choices that one server was started with, and those that may change while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import attrs

from aimock.fixtures.question import Transform

_TRUE = frozenset({"1", "true"})


@attrs.define(kw_only=True)
class Settings:
    """Times in milliseconds. `strict` and `request_transform` are read at each request, the rest at start."""

    latency: float = 0.0
    """Before every frame of a stream."""
    chunk_size: int = 20
    """Characters per slice of streamed text."""
    replay_speed: float = 1.0
    """Divides every delay."""
    strict: bool = False
    """Whether a request that no fixture matches is answered 503 rather than 404."""
    request_transform: Transform | None = None
    """Normalises a request body before it is matched; literals are then compared whole."""
    journal_max_entries: int = 1000
    fixture_counts_max_test_ids: int = 500
    seed: int | None = None
    wall_clock: Callable[[], float] = time.time
    """Unix time in seconds: what `created` fields, the journal and the Date header say."""


def strict_turns() -> bool:
    """Whether the environment asks for turn indices to be obeyed to the letter."""
    return os.environ.get("AIMOCK_STRICT_TURN_INDEX") in _TRUE


def private_urls_allowed() -> bool:
    """Whether the environment allows remote fixtures to come from addresses that are not public."""
    return os.environ.get("AIMOCK_ALLOW_PRIVATE_URLS") in _TRUE


def model_list(variable: str) -> list[str]:
    """The model prefixes that an environment variable lists; read at each call, as the reference does."""
    value = os.environ.get(variable)
    return value.split(",") if value else []

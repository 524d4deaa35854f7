"""The choices that one server was started with, and those that may change while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import attrs
import trio

from aimock.chaos import QUIET
from aimock.fixtures import Chaos, StreamingProfile
from aimock.fixtures.question import Transform
from aimock.physics import Tempo
from aimock.quotas import Quota
from aimock_protocols.canonical import Embeddings
from aimock_protocols.sessions import Options

_TRUE = frozenset({"1", "true"})


@attrs.define(kw_only=True)
class Settings:
    """Times in milliseconds. `strict` and `request_transform` are read at each request, the rest at start."""

    latency: float = 0.0
    """Before every frame of a stream."""
    streaming_profile: StreamingProfile | None = None
    """The timing of streams whose fixture says nothing of it."""
    chunk_size: int = 20
    """Characters per slice of streamed text."""
    replay_speed: float = 1.0
    """Divides every delay."""
    strict: bool = False
    """Whether a request that no fixture matches is answered 503 rather than 404."""
    providers: frozenset[str] | None = None
    """Those whose APIs are answered (`providers.NAMES`); None: all."""
    request_transform: Transform | None = None
    """Normalises a request body before it is matched; literals are then compared whole."""
    journal_max_entries: int = 1000
    fixture_counts_max_test_ids: int = 500
    seed: int | None = None
    chaos: Chaos = QUIET
    """The server's level at start."""
    quota: Quota | None = None
    clock: Callable[[], float] = trio.current_time
    """Seconds that only go forward: quotas are kept by it."""
    embeddings: Embeddings = "hash"
    """How vectors follow from their texts."""
    rewrite_ids: bool = False
    """Whether what was recorded is answered with fresh ids."""
    metrics: bool = False
    """Whether requests are counted, and `GET /metrics` answered."""
    api_keys: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Of which a request must present one; none: everybody may ask."""
    is_secure: bool = False
    """Whether clients come by HTTPS, as far as this server knows."""
    sessions: Options = attrs.field(factory=Options)
    """What sessions over WebSockets are told."""
    wall_clock: Callable[[], float] = time.time
    """Unix time in seconds: what `created` fields, the journal and the Date header say."""
    tempo: Tempo = attrs.field(init=False)

    @tempo.default
    def _tempo(self) -> Tempo:
        return Tempo(self.latency, self.streaming_profile, self.replay_speed)


def strict_turns() -> bool:
    """Whether the environment asks for turn indices to be obeyed to the letter."""
    return os.environ.get("AIMOCK_STRICT_TURN_INDEX") in _TRUE


def matches_history() -> bool:
    """Whether the environment asks that fixtures see what a request takes up of what was said before."""
    return os.environ.get("AIMOCK_MATCH_HISTORY") in _TRUE


def private_urls_allowed() -> bool:
    """Whether the environment allows remote fixtures to come from addresses that are not public."""
    return os.environ.get("AIMOCK_ALLOW_PRIVATE_URLS") in _TRUE


def model_list(variable: str) -> list[str]:
    """The model prefixes that an environment variable lists; read at each call, as the reference does."""
    value = os.environ.get(variable)
    return value.split(",") if value else []

"""The one source of randomness of a server: a seed, forked for each request.

The entropy of a request follows from the seed, the test id, what was asked, and how often that was asked before under
the test id; from nothing else. So a run repeats from its seed, tests that run side by side do not disturb each other,
and neither do the requests of one test, in whatever order they arrive.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Literal

from aimock.bounded import Bounded
from aimock_protocols.canonical import ENTROPY_BYTES

_FLOAT_BITS = 53
_DRAWN_AT_ONCE = 16

_GENERATION = 4_096
"""So many contents are remembered, and as many that came before them; what is older is counted anew."""
_MAX_KEYS = 1_024


def uniforms(entropy: bytes, label: str) -> Iterator[float]:
    """Endless numbers, uniform in [0, 1). Draws under one label do not disturb those under another."""
    block = entropy
    while True:
        block = hashlib.blake2b(block, key=label.encode()).digest()
        for start in range(0, 64, 8):
            yield (int.from_bytes(block[start : start + 8], "little") >> (64 - _FLOAT_BITS)) / (1 << _FLOAT_BITS)


def _later(first: bytes) -> Iterator[bytes]:
    """The entropy of all requests with the same content but the first. Drawn many at a time, which costs a tenth."""
    block = first
    while True:
        block = hashlib.shake_256(block[-ENTROPY_BYTES:]).digest(ENTROPY_BYTES * _DRAWN_AT_ONCE)
        for start in range(0, len(block), ENTROPY_BYTES):
            yield block[start : start + ENTROPY_BYTES]


class Randomness:
    """Entropy for requests, from one seed."""

    def __init__(self, seed: int | None = None) -> None:
        """`seed`: None draws a fresh one."""
        self.seed = secrets.randbits(32) if seed is None else seed
        # Contents are known by a hash: they are large, and their hash is known anyway. Most content comes once, and is
        # then False here, which costs the garbage collector nothing; what has come again is what it goes on with.
        self._young: dict[int, Iterator[bytes] | Literal[False]] = {}
        self._old: dict[int, Iterator[bytes] | Literal[False]] = {}
        self._begun: Bounded[tuple[str, str], hashlib.blake2b] = Bounded(_MAX_KEYS)  # a copy costs half a new one

    def fork(self, scope: str, target: str, body: bytes) -> bytes:
        """The entropy of the next request for `target` with this body, under a test id or another scope."""
        content = hash((scope, target, body))
        known = self._young.get(content)
        if known:
            return next(known)
        if known is None:
            known = self._old.pop(content, None)
            if len(self._young) >= _GENERATION:
                self._old, self._young = self._young, {}
        begun = self._begun.get((scope, target)) or self._begin(scope, target)
        digest = begun.copy()
        digest.update(body)
        first = digest.digest()
        if known is None:
            self._young[content] = False
            return first
        self._young[content] = source = known or _later(first)
        return next(source)

    def _begin(self, scope: str, target: str) -> hashlib.blake2b:
        key = hashlib.blake2b(repr((self.seed, scope, target)).encode()).digest()
        begun = hashlib.blake2b(key=key, digest_size=ENTROPY_BYTES)
        self._begun.keep((scope, target), begun)
        return begun

    def rewind(self) -> None:
        """Starts all content over from its first request."""
        self._young.clear()
        self._old.clear()

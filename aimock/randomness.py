"""The one source of randomness of a server: a seed, forked for each request.

The entropy of a request depends on the seed, the test id and the number of the request within that test id, and on
nothing else, so a run repeats from its seed and parallel tests do not disturb each other.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Iterator

from aimock_protocols.canonical import ENTROPY_BYTES

_FLOAT_BITS = 53
_DRAWN_AT_ONCE = 32


def uniforms(entropy: bytes, label: str) -> Iterator[float]:
    """Endless numbers, uniform in [0, 1). Draws under one label do not disturb those under another."""
    block = entropy
    while True:
        block = hashlib.blake2b(block, key=label.encode()).digest()
        for start in range(0, 64, 8):
            yield (int.from_bytes(block[start : start + 8], "little") >> (64 - _FLOAT_BITS)) / (1 << _FLOAT_BITS)


class _Source:
    """The entropy of one test id's requests, one after the other; drawn many at a time, which costs a tenth."""

    __slots__ = ("_block", "_position", "_random")

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._block = b""
        self._position = 0

    def next(self) -> bytes:
        start = self._position
        if start == len(self._block):
            self._block = self._random.randbytes(ENTROPY_BYTES * _DRAWN_AT_ONCE)
            start = 0
        self._position = start + ENTROPY_BYTES
        return self._block[start : start + ENTROPY_BYTES]


class Randomness:
    """Entropy for requests, from one seed."""

    def __init__(self, seed: int | None = None, max_test_ids: int = 500) -> None:
        """`seed`: None draws a fresh one. Of more than `max_test_ids` test ids the oldest is forgotten (0: none is)."""
        self.seed = secrets.randbits(32) if seed is None else seed
        self._max_test_ids = max_test_ids
        self._sources: dict[str, _Source] = {}

    def fork(self, test_id: str) -> bytes:
        """The entropy of the next request under this test id."""
        source = self._sources.get(test_id)
        if source is None:
            if 0 < self._max_test_ids <= len(self._sources):
                del self._sources[next(iter(self._sources))]
            source = self._sources[test_id] = _Source(f"{self.seed} {test_id}")
        return source.next()

    def rewind(self) -> None:
        """Starts every test id over from its first request."""
        self._sources.clear()

"""The one source of randomness of a server: a seed, forked for each request.

A fork depends on the seed, the test id and the number of the request within that test id, and on nothing else, so a
run repeats from its seed and parallel tests do not disturb each other.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

_BITS = 53  # what a double holds exactly


class Fork:
    """The randomness of one request. Each draw has a label, and the same label draws the same."""

    __slots__ = ("entropy",)

    def __init__(self, entropy: bytes) -> None:
        self.entropy = entropy

    def uniforms(self, label: str) -> Iterator[float]:
        """Endless numbers, uniform in [0, 1)."""
        block = hashlib.blake2b(label.encode(), key=self.entropy).digest()
        while True:
            for start in range(0, 64, 8):
                yield (int.from_bytes(block[start : start + 8], "little") >> (64 - _BITS)) / (1 << _BITS)
            block = hashlib.blake2b(block, key=self.entropy).digest()


class Randomness:
    """Forks for requests, from one seed."""

    def __init__(self, seed: int | None = None, max_test_ids: int = 500) -> None:
        """`seed`: None draws a fresh one. Of more than `max_test_ids` test ids the oldest is forgotten (0: none is)."""
        self.seed = secrets.randbits(32) if seed is None else seed
        self._max_test_ids = max_test_ids
        self._key = hashlib.blake2b(str(self.seed).encode()).digest()
        self._requests: dict[str, int] = {}

    def fork(self, test_id: str) -> Fork:
        """The fork for the next request under this test id."""
        number = self._requests.get(test_id)
        if number is None:
            number = 0
            if 0 < self._max_test_ids <= len(self._requests):
                del self._requests[next(iter(self._requests))]
        self._requests[test_id] = number + 1
        return Fork(hashlib.blake2b(b"%d %b" % (number, test_id.encode()), key=self._key, digest_size=32).digest())

    def rewind(self) -> None:
        """Starts every test id over from its first request."""
        self._requests.clear()

"""What a run is asked to do: the same for every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Cores
from bench.servers import Server


@dataclass(frozen=True)
class Plan:
    servers: tuple[Server, ...]
    rounds: int
    """Alternations: each server is measured once a round, in turn."""
    starts: int
    """Alternations of the cold start, which is short and noisy."""
    seconds: int
    """Length of one slice of load."""
    sizes: tuple[int, ...]
    """Numbers of fixtures among which the match cost is measured."""
    cores: Cores
    directory: Path
    """Scratch space for fixtures."""

    def progress(self, row: str, rounds: int) -> Iterator[int]:
        """The numbers of the rounds, told on the way."""
        for number in range(rounds):
            print(f"  {row}: round {number + 1} of {rounds}", flush=True)
            yield number

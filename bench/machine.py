"""The machine under the benchmark: which core serves, which one drives the load, and how quiet it is."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """One core for the server, another for everything else, so that neither is billed for its neighbour."""

    server: int
    load: int

    @classmethod
    def available(cls) -> Cores:
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=usable[0], load=usable[-1])

    @property
    def shared(self) -> bool:
        return self.server == self.load


def load_average() -> float:
    """Runnable tasks, averaged over the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            names = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def describe() -> dict[str, object]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load average": load_average(),
        "python": platform.python_version(),
    }

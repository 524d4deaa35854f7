"""What a running process has cost so far, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    members = [pid]
    for member in members:  # grows while it is walked
        for children in (PROC / str(member)).glob("task/*/children"):
            members.extend(int(child) for child in _read(children).split())
    return members


def cpu_nanoseconds(pid: int) -> int:
    """CPU time of every thread of the family. `/proc/PID/schedstat` alone would count only the main thread."""
    tasks = (task for member in family(pid) for task in (PROC / str(member)).glob("task/*/schedstat"))
    return sum(int(stat.split()[0]) for stat in map(_read, tasks) if stat)


def core_nanoseconds(core: int) -> int:
    """How long the core was busy, with whatever, or was withheld by a hypervisor; in steps of some milliseconds."""
    for line in _read(PROC / "stat").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return 0


def peak_resident_bytes(pid: int) -> int:
    """The most memory that the family ever held resident (the sum of each member's own peak)."""
    return sum(_status_of(member, "VmHWM:") for member in family(pid))


def resident_bytes(pid: int) -> int:
    """What the family holds resident now."""
    return sum(_status_of(member, "VmRSS:") for member in family(pid))


def _status_of(pid: int, name: str) -> int:
    for line in _read(PROC / str(pid) / "status").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    """Empty if the process or thread has just gone."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""

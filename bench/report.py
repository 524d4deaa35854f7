"""From samples to the table: medians, their ratio to the reference, and a word about the target."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from statistics import median

REFERENCE = "reference"


class Judged(enum.Enum):
    """What a target is held against."""

    AGAINST_REFERENCE = "ratio"
    """The server's median over the reference's."""
    ALONE = "value"
    """The server's own median, which is a ratio already."""


@dataclass
class Row:
    """One metric, its samples by server. Less is better, always."""

    metric: str
    unit: str
    target: float | None = None
    judged: Judged = Judged.AGAINST_REFERENCE
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, server: str, sample: float) -> None:
        self.samples.setdefault(server, []).append(sample)

    def median(self, server: str) -> float | None:
        samples = self.samples.get(server)
        return median(samples) if samples else None

    def ratio(self, server: str) -> float | None:
        """What is held against the target; None if one side was not measured."""
        own = self.median(server)
        if self.judged is Judged.ALONE:
            return own
        reference = self.median(REFERENCE)
        return own / reference if own is not None and reference else None

    def ratios(self, server: str) -> list[float]:
        """The ratio of every round by itself: its spread shows what the ratio of the medians is worth."""
        own = self.samples.get(server, [])
        if self.judged is Judged.ALONE:
            return own
        return [mine / theirs for mine, theirs in zip(own, self.samples.get(REFERENCE, []), strict=False)]

    def verdict(self, server: str) -> str:
        ratio = self.ratio(server)
        if self.target is None or ratio is None:
            return "-"
        return "pass" if ratio <= self.target else "FAIL"


def table(rows: list[Row], server: str) -> str:
    """The rows for one server beside the reference."""
    headings = ("metric", REFERENCE, server, "ratio", "rounds", "target", "verdict")
    lines = [headings, *(_line(row, server) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    metric, *figures = zip(line, widths, strict=True)
    return "  ".join([metric[0].ljust(metric[1]), *(cell.rjust(width) for cell, width in figures)])


def _line(row: Row, server: str) -> tuple[str, ...]:
    ratio = row.ratio(server)
    spread = row.ratios(server)
    return (
        row.metric,
        _quantity(row.median(REFERENCE), row.unit),
        _quantity(row.median(server), row.unit),
        "-" if ratio is None else f"{ratio:.2f}",
        f"{min(spread):.2f}..{max(spread):.2f}" if spread else "-",
        "-" if row.target is None else f"≤ {row.target:g}",
        row.verdict(server),
    )


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def as_json(rows: list[Row]) -> list[dict[str, object]]:
    return [
        {
            "metric": row.metric,
            "unit": row.unit,
            "target": row.target,
            "judged": row.judged.value,
            "servers": {
                server: {
                    "samples": samples,
                    "median": row.median(server),
                    "ratio": row.ratio(server),
                    "verdict": row.verdict(server),
                }
                for server, samples in row.samples.items()
            },
            "notes": row.notes,
        }
        for row in rows
    ]

"""The support matrix, docs/support.md: for official SDKs and for frameworks, one table of whole answers and one of
streams, a row a client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from matrix import CLIENTS, of
from matrix.scenarios import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs" / "support.md"
WAYS = ("whole", "streamed")
_TABLE = re.compile(r"(?<=<!-- seen by )(\w+): (\w+)( -->\n)((?:\|.*\n)*)")


class Cell(NamedTuple):
    """What one client has of one scenario."""

    way: str
    client: str
    scenario: str
    expected: str

    def __str__(self) -> str:
        return f"{self.client}-{self.scenario}-{self.way}".replace(" ", "_")


def cells(group: str) -> Iterator[Cell]:
    """All that the page says of a group of clients."""
    for seen_by, way, _, table in _TABLE.findall(PAGE.read_text()):
        if seen_by != group or not table:
            continue
        head, _, *rows = table.splitlines()
        scenarios = _fields(head)[2:]
        for row in rows:
            client, _, *told = _fields(row)
            for scenario, outcome in zip(scenarios, told, strict=True):
                yield Cell(way, client, scenario, outcome)


def rewrite(group: str, see: Callable[[Cell], str]) -> None:
    """Writes a group's cells anew, of the scenarios and clients that there are; the rows of clients that are not
    installed here stay as they are."""

    def table(found: re.Match[str]) -> str:
        seen_by, way, end, rows = found.groups()
        if seen_by != group:
            return found[0]
        kept = [_fields(row) for row in rows.splitlines()[2:]]
        lines = {(speaks, name): told for name, speaks, *told in kept if name not in CLIENTS}
        for name in of(group):
            told = [see(Cell(way, name, scenario, "")) for scenario in SCENARIOS]
            lines[f"`{CLIENTS[name].speaks}`", name] = told
        head = [["client", "protocol", *SCENARIOS], ["---"] * (len(SCENARIOS) + 2)]
        written = head + [[name, speaks, *told] for (speaks, name), told in sorted(lines.items())]
        return f"{seen_by}: {way}{end}" + "".join(f"| {' | '.join(line)} |\n" for line in written)

    PAGE.write_text(_TABLE.sub(table, PAGE.read_text()))


def _fields(row: str) -> list[str]:
    return [field.strip() for field in row.strip("|").split(" | ")]

"""The support matrix, docs/support.md: for official SDKs and for frameworks, one table of whole answers and one of
streams, a row a client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from matrix import CLIENTS
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
    for of, way, _, table in _TABLE.findall(PAGE.read_text()):
        if of != group or not table:
            continue
        head, _, *rows = table.splitlines()
        scenarios = _fields(head)[2:]
        for row in rows:
            client, _, *told = _fields(row)
            for scenario, outcome in zip(scenarios, told, strict=True):
                yield Cell(way, client, scenario, outcome)


def rewrite(group: str, see: Callable[[Cell], str]) -> None:
    """Writes a group's cells anew, of the clients and scenarios that there are."""

    def table(found: re.Match[str]) -> str:
        of, way, end, _ = found.groups()
        if of != group:
            return found[0]
        lines = [["client", "protocol", *SCENARIOS], ["---"] * (len(SCENARIOS) + 2)]
        for name, client in sorted(CLIENTS.items(), key=lambda item: (item[1].speaks, item[0])):
            told = [see(Cell(way, name, scenario, "")) for scenario in SCENARIOS]
            lines.append([name, f"`{client.speaks}`", *told])
        return f"{of}: {way}{end}" + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    PAGE.write_text(_TABLE.sub(table, PAGE.read_text()))


def _fields(row: str) -> list[str]:
    return [field.strip() for field in row.strip("|").split(" | ")]

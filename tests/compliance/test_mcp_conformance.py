"""The MCP conformance suite against the server: no scenario fails, in neither era.

The released suite knows the legacy revisions; the one to come knows what 2025-11-25 and 2026-07-28 require, each frozen
at its release, and scenarios beyond. What the server has is `mcp_conformance.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import node_packages
from aimock.surfaces.mcp.mock import MCPMock

HERE = Path(__file__).parent

RELEASED = "@modelcontextprotocol/conformance"
NEXT = "conformance-next"

SUITES: dict[str, tuple[str, list[str], int]] = {
    "released, active": (RELEASED, ["--suite", "active"], 30),
    "released, pending": (RELEASED, ["--suite", "pending"], 2),
    "next, 2025-11-25": (NEXT, ["--requirements", "2025-11-25"], 33),
    "next, 2026-07-28": (NEXT, ["--requirements", "2026-07-28"], 50),
}
"""Package, arguments, and how many scenarios they are."""

EXPECTED_FAILURES: dict[str, frozenset[str]] = {}
"""Scenarios that fail, by suite, each argued in docs/mcp.md. One that passes must go."""

_LINE = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)


@pytest.fixture(scope="module")
def packages() -> Path:
    return node_packages.installed()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    section = json.loads((HERE / "mcp_conformance.json").read_text())["mcp"]
    del section["serverInfo"]
    with MCPMock().add(section) as mock:
        mock.add_tool(
            {"name": "slow_compute", "description": "Takes its time.", "execution": {"taskSupport": "optional"}}
        )
        mock.on_tool_call("slow_compute", slow_compute)
        yield mock.url


async def slow_compute(arguments: dict[str, Any]) -> str:
    await trio.sleep(arguments.get("seconds", 0))
    return f"computed for {arguments.get('seconds', 0)} s"


@pytest.mark.parametrize("suite", SUITES)
def test_no_scenario_fails(suite: str, packages: Path, url: str) -> None:
    package, arguments, count = SUITES[suite]
    done = node_packages.run(packages / package / "dist" / "index.js", "server", "--url", url, *arguments, timeout=180)
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    verdicts = {name: int(failed) for _, name, _, failed in _LINE.findall(summary)}
    assert len(verdicts) == count, done.stdout[-2000:] + done.stderr[-2000:]
    failed = {name for name, failures in verdicts.items() if failures}
    assert failed == EXPECTED_FAILURES.get(suite, frozenset()), done.stdout[-6000:]

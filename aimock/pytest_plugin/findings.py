"""What was found wrong, and how it is told: requests that nothing answered, fixtures that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

KEPT = 500
"""Findings of a kind that a run remembers."""
SHOWN = 20
"""… and that its summary shows, unless it is verbose."""

_TITLES = {
    "unexpected": "unexpected requests, which nothing answered:",
    "unused": "fixtures that nothing asked for:",
    "problems": "problems in fixture files:",
}


class RunFindings(TypedDict):
    """What concerns no single test, as plain JSON: under xdist it travels from worker to controller."""

    unexpected: list[str]
    problems: list[str]
    common: list[str]
    """Fixtures that tests share …"""
    used: list[str]
    """… and those of them that answered something."""


class Findings:
    """Those of a run, collected from its tests and, under xdist, its workers."""

    def __init__(self) -> None:
        self.run = RunFindings(unexpected=[], problems=[], common=[], used=[])
        self._of_tests: dict[str, list[str]] = {"unexpected": [], "unused": []}
        self._beyond = dict.fromkeys(_TITLES, 0)

    def add_test(self, nodeid: str, found: Mapping[str, Iterable[str]]) -> None:
        for kind, lines in found.items():
            for line in lines:
                self._keep(kind, self._of_tests[kind], f"{nodeid}: {line}")

    def add_run(self, found: RunFindings) -> None:
        """What one process found outside of its tests. A fixture is used if any process used it."""
        for line in found["unexpected"]:
            self._keep("unexpected", self.run["unexpected"], line)
        for line in found["problems"]:
            if line not in self.run["problems"]:
                self._keep("problems", self.run["problems"], line)
        self.run["common"] = list(dict.fromkeys(self.run["common"] + found["common"]))
        self.run["used"] = list(dict.fromkeys(self.run["used"] + found["used"]))

    def _keep(self, kind: str, lines: list[str], line: str) -> None:
        if len(lines) < KEPT:
            lines.append(line)
        else:
            self._beyond[kind] += 1

    def lines(self, *, verbose: bool) -> list[str]:
        """The summary; empty if all is well."""
        outside = [f"outside of any test: {line}" for line in self.run["unexpected"]]
        lines = [
            *self._section("problems", self.run["problems"], verbose),
            *self._section("unexpected", self._of_tests["unexpected"] + outside, verbose),
            *self._section("unused", self._of_tests["unused"], verbose),
        ]
        common = self.run["common"]
        unused = sorted(set(common) - set(self.run["used"]))
        if unused:
            lines.append(
                f"{len(unused)} of {len(common)} common fixtures were not used{':' if verbose else ' (see -v)'}"
            )
            lines += [f"  {line}" for line in unused] if verbose else []
        return lines

    def _section(self, kind: str, found: list[str], verbose: bool) -> list[str]:
        if not found:
            return []
        shown = found if verbose else found[:SHOWN]
        more = len(found) - len(shown) + self._beyond[kind]
        return [_TITLES[kind], *(f"  {line}" for line in shown), *([f"  … and {more} more"] if more else [])]


def in_strict_mode(found: Mapping[str, list[str]]) -> str:
    """Why a test fails that has passed otherwise."""
    told = [
        line for kind in ("unexpected", "unused") if found[kind] for line in (_TITLES[kind], *_indented(found[kind]))
    ]
    return "\n".join(["aimock: the test passed, but not in strict mode", *told])


def _indented(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [f"  {line}" for line in lines[:SHOWN]] + ([f"  … and {more} more"] if more > 0 else [])

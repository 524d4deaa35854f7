"""The Autobahn TestSuite against an echo on the server's own loop: no case fails.

The cases of compression (12 and 13) take minutes; `AUTOBAHN=all` asks for them, as `.ci/run` does. They need Python 2.7
and are skipped where there is none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance import autobahn

ECHO = Path(__file__).parent / "echo.py"

GROUPS: dict[str, tuple[list[str], int]] = {
    "frames, texts and closing": ([*(f"{number}.*" for number in range(1, 8)), "10.*"], 247),
    "sizes": (["9.*"], 54),
    **{f"compression {group}": ([f"{group}.*"], 18) for group in [f"12.{n}" for n in range(1, 6)]},
    **{f"compression {group}": ([f"{group}.*"], 18) for group in [f"13.{n}" for n in range(1, 8)]},
}
"""Cases, and how many they are."""

NOT_OK = {
    "7.1.6": autobahn.Verdict("INFORMATIONAL", "INFORMATIONAL"),
    "7.13.1": autobahn.Verdict("INFORMATIONAL", "INFORMATIONAL"),
    "7.13.2": autobahn.Verdict("INFORMATIONAL", "INFORMATIONAL"),
}
"""The suite only looks what a server does with close codes that are nobody's, and after a close frame."""


@pytest.fixture(scope="module")
def runner() -> Path:
    try:
        return autobahn.install()
    except autobahn.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def port(runner: Path) -> Iterator[int]:
    """Of an echo in a process of its own."""
    with subprocess.Popen([sys.executable, ECHO], stdout=subprocess.PIPE, text=True) as echo:
        assert echo.stdout is not None
        try:
            yield int(echo.stdout.readline())
        finally:
            echo.terminate()


@pytest.mark.parametrize("group", GROUPS)
def test_no_case_fails(group: str, runner: Path, port: int, tmp_path: Path) -> None:
    if group.startswith("compression") and os.environ.get("AUTOBAHN") != "all":
        pytest.skip("takes long: AUTOBAHN=all")
    cases, count = GROUPS[group]
    verdicts = autobahn.run(runner, port, cases, tmp_path)
    assert len(verdicts) == count
    not_ok = {case: verdict for case, verdict in verdicts.items() if verdict != ("OK", "OK")}
    assert not_ok == {case: verdict for case, verdict in NOT_OK.items() if case in verdicts}

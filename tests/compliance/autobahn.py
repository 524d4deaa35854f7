"""The Autobahn TestSuite, which wants Python 2.7: where that is found, how the suite is installed, and run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

VERSION = "25.10.1"
CACHE = Path(__file__).parents[2] / ".cache" / f"autobahn-{VERSION}"

_INSTALL_TIMEOUT = 600.0
_RUN_TIMEOUT = 3000.0


class Unavailable(Exception):
    """The suite cannot be run here."""


class Verdict(NamedTuple):
    """Autobahn's words: OK, NON-STRICT, INFORMATIONAL, UNIMPLEMENTED, FAILED, …"""

    behavior: str
    close: str


def install() -> Path:
    """The suite's runner; installed once, into a folder that is kept. Raises Unavailable."""
    runner = CACHE / "environment" / "bin" / "wstest"
    is_complete = CACHE / "complete"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not is_complete.exists():
            _install(_python2())
            is_complete.touch()
    return runner


def _install(python: Path) -> None:
    """virtualenv comes first, since installing beside the interpreter's own packages would change them for all."""
    boot, environment = CACHE / "boot", CACHE / "environment"
    for step, variables in (
        ([python, "-m", "pip", "install", "--target", boot, "virtualenv"], {}),
        ([python, "-m", "virtualenv", environment], {"PYTHONPATH": str(boot)}),
        ([environment / "bin" / "pip", "install", f"autobahntestsuite=={VERSION}"], {}),
    ):
        done = subprocess.run(
            step, env=_environment() | variables, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT
        )
        if done.returncode != 0:
            raise Unavailable(f"the Autobahn TestSuite could not be installed: {done.stderr.strip()[-300:]}")


def _python2() -> Path:
    for candidate in _candidates():
        asked = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[0])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == "2":
            return candidate
    raise Unavailable("no Python 2.7 here, which the Autobahn TestSuite needs")


def _candidates() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted((pyenv / "versions").glob("2.7*/bin/python2.7"))
    found = shutil.which("python2.7")
    if found is not None:
        yield Path(found)


def _environment() -> dict[str, str]:
    """Ours, less what is meant for our own Python."""
    return {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def run(runner: Path, port: int, cases: Sequence[str], directory: Path) -> dict[str, Verdict]:
    """What the suite's client finds of the server on this port, by case. `directory` is for its reports."""
    specification = directory / "cases.json"
    server = {"agent": "aimock", "url": f"ws://127.0.0.1:{port}"}
    told = {"outdir": str(directory / "reports"), "servers": [server], "cases": list(cases), "exclude-cases": []}
    specification.write_text(json.dumps(told | {"exclude-agent-cases": {}}))
    done = subprocess.run(
        [runner, "-m", "fuzzingclient", "-s", specification],
        env=_environment(),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=_RUN_TIMEOUT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    index = json.loads((directory / "reports" / "index.json").read_text())
    return {case: Verdict(found["behavior"], found["behaviorClose"]) for case, found in index["aimock"].items()}

"""Packages of npm for tests, in a cache outside the repository: installed once, and a visible skip where that fails."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aimock-tests" / "npm"
_SECONDS = 180
_SCRIPT_SECONDS = 60


def node_modules(*packages: str) -> Path:
    """The `node_modules` with these packages (`name@version`) in it. Skips the test if there is no node, or npm cannot
    install them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not here")
    top = _CACHE / re.sub(r"[^A-Za-z0-9.-]+", "_", "+".join(sorted(packages)))
    top.mkdir(parents=True, exist_ok=True)
    with (top / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers want them at a time
        done = top / ".installed"
        if not done.exists():
            (top / "package.json").write_text('{"private": true}')
            words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
            try:
                ran = subprocess.run(words, cwd=top, capture_output=True, text=True, timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                pytest.skip(f"npm did not install {', '.join(packages)} within {_SECONDS} s")
            if ran.returncode != 0:
                pytest.skip(f"npm cannot install {', '.join(packages)}: {ran.stderr[-300:]}")
            done.touch()
    return top / "node_modules"


def printed(script: Path, package: str, folder: Path, *words: str) -> Any:
    """What a script prints as JSON, run by node in a folder of its own, where it finds the package. Skips the test as
    `node_modules` does."""
    packages = node_modules(package)
    shutil.copy(script, folder)  # packages are looked for beside the script, and above it
    (folder / "node_modules").symlink_to(packages)
    command = ["node", str(folder / script.name), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=_SCRIPT_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)

"""Packages of npm that tests run: MCP's conformance suite and its TypeScript SDK, with their Node.

They are installed once, into a folder that is kept, by an npm that is there already.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = (
    "node@22.23.3",
    "@modelcontextprotocol/conformance@0.1.16",
    "conformance-next@npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/sdk@1.32.2",
)
CACHE = Path(os.environ.get("AIMOCK_NODE_CACHE", Path(__file__).parents[1] / ".cache" / "node-mcp"))

_INSTALL_TIMEOUT = 300.0


def installed() -> Path:
    """The folder `node_modules`; the test is skipped where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here, which installs the MCP conformance suite and the TypeScript SDK")
    CACHE.mkdir(parents=True, exist_ok=True)
    marked = CACHE / "installed"
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not marked.exists() or marked.read_text() != "\n".join(PACKAGES):
            (CACHE / "package.json").write_text("{}")
            done = subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", *PACKAGES],
                cwd=CACHE,
                capture_output=True,
                text=True,
                timeout=_INSTALL_TIMEOUT,
            )
            if done.returncode != 0:
                pytest.skip(f"npm could not install {', '.join(PACKAGES)}: {done.stderr.strip()[-300:]}")
            marked.write_text("\n".join(PACKAGES))
    return CACHE / "node_modules"


def run(script: Path, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs a script by the Node that came with the packages."""
    node = CACHE / "node_modules" / ".bin" / "node"
    environment = os.environ | {"NO_COLOR": "1", "NODE_PATH": str(CACHE / "node_modules")}
    return subprocess.run(
        [node, script, *arguments], cwd=CACHE, env=environment, capture_output=True, text=True, timeout=timeout
    )

"""The official JavaScript client, where node and npm are there. It takes a host and a port, and no path."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from aimock import AIMock, VectorMock
from npm_packages import node_modules

_CLIENT = "chromadb@3.5.0"
_SECONDS = 60


def test_the_quick_start_with_the_client_for_javascript(tmp_path: Path) -> None:
    packages = node_modules(_CLIENT)
    script = tmp_path / "chroma.mjs"  # packages are looked for beside the script, and above it
    shutil.copy(Path(__file__).with_name("chroma.mjs"), script)
    (tmp_path / "node_modules").symlink_to(packages)
    with AIMock() as server:
        server.mount("/vector", VectorMock())
        words = ["node", str(script), str(server.port)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "version": "1.0.0",
        "query": [[["2", "3"]], [["ccc", "abc"]], [[1, 3]], [[{"n": 2}, {"n": 3}]]],
        "got": [["1", "3"], ["aa", "abc"], [[2, 0, 0], [1, 1, 1]]],
        "metadata": {"about": "letters"},
        "count": 3,
        "listed": ["novels"],
        "errors": ["ChromaNotFoundError", "ChromaUniqueError", "ChromaClientError"],
        "left": 0,
    }

"""A mock of Chroma for tests, and the real server that comes with its client, to compare it with."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimock.surfaces.mock import ServiceMock
from aimock.surfaces.vector.chroma import Chroma
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Store

SECONDS = 30
"""In which the real server starts."""


def chroma_mock(store: Store | None = None, **options: Any) -> ServiceMock[VectorService]:
    """A mock that speaks Chroma alone. `options`: those of its server."""
    return ServiceMock(VectorService(Store() if store is None else store, [Chroma()], allow_reset=True), **options)


@contextlib.contextmanager
def real_chroma(folder: Path) -> Iterator[str]:
    """The URL of chromadb's own server, with what it keeps in the folder. Skips the test without it."""
    command = shutil.which("chroma") or shutil.which("chroma", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("chromadb is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "chroma.yaml"
    config.write_text(
        f'port: {port}\nlisten_address: "127.0.0.1"\npersist_path: "{folder / "data"}"\nallow_reset: true\n'
    )
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([command, "run", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(f"{url}/api/v2/heartbeat", process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers: another process's start is told by nothing else."""
    end = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=SECONDS).close()
            return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("chromadb's server did not start")
        time.sleep(0.05)

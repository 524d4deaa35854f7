"""The program as a process of its own, for tests of a whole server."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def served(words: Sequence[str], cwd: Path) -> Iterator[str]:
    """`aimock WORDS` in a directory; the URL that it says it listens on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")}
    command = [sys.executable, "-m", "aimock", *words]
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        try:
            for line in process.stdout:
                said += line
                listening = re.search(r"listening on (\S+)", line)
                if listening:
                    yield listening[1]
                    return
            raise AssertionError(said)
        finally:
            process.terminate()
            process.communicate(timeout=30)

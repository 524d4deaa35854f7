"""Files that outlive a run, and that several processes may write and read at a time."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

UNFINISHED = ".unfinished"
"""How the name of a file ends that is being written; one that is left over is of a process that was killed."""


def cache_directory() -> Path:
    """Where the user's cache of this program is. Raises RuntimeError if the user has no home directory."""
    top = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(top) if os.path.isabs(top) else Path.home() / ".cache"  # a relative one counts for nothing, says XDG
    return base / "aimock"


def write_whole(file: Path, data: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """Puts a file in its place in one step: who reads it meanwhile sees the old one or the new, and with `durable` that
    holds even if the machine stops. The umask takes from the mode. Raises OSError."""
    written = file.with_name(f".{file.name}.{secrets.token_hex(8)}{UNFINISHED}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as open_file:
            open_file.write(data)
            if durable:
                open_file.flush()
                os.fsync(open_file.fileno())
        os.replace(written, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise

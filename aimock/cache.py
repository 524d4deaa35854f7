"""Files that outlive a run, and that several processes may write and read at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def cache_directory() -> Path:
    """Where the user's cache of this program is. Raises RuntimeError if the user has no home directory."""
    top = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(top) if os.path.isabs(top) else Path.home() / ".cache"  # a relative one counts for nothing, says XDG
    return base / "aimock"


def write_whole(file: Path, data: bytes, mode: int = 0o600) -> None:
    """Puts a file in its place in one step: who reads it meanwhile sees the old one or the new. Raises OSError."""
    descriptor, written = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as open_file:
            open_file.write(data)
        os.chmod(written, mode)
        os.replace(written, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise

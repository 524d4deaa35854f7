"""One process at a time: a lock that the operating system takes from who dies, so that none is ever stale."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 30.0
"""Seconds to wait for another process, which needs milliseconds."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""A file system that has none: there the last writer wins."""

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(file: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the lock that this file is, which is there only as long. Raises OSError; TimeoutError if another process
    does not give it back."""
    deadline = time.monotonic() + patience
    wait = 0.001
    while (descriptor := _try(file)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, f"another process has held the lock for {patience:g} s", str(file))
        time.sleep(wait)
        wait = min(wait * 2, 0.05)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is open: it stays, and locks nothing
            os.unlink(file)
        os.close(descriptor)


def _try(file: Path) -> int | None:
    """The descriptor of the lock file, which holds the lock; None if another process has it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor)
        if os.path.samestat(os.fstat(descriptor), os.stat(file)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return descriptor
        os.close(descriptor)
        raise
    # Held by another, or removed by the one who held it before us: what we have locked is no lock any more.
    os.close(descriptor)
    return None

"""What the server says on the terminal: `[aimock] …`, warnings and errors on stderr, the rest on stdout."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aimock.fixtures import Problem

logger = logging.getLogger("aimock")

logger.addHandler(logging.NullHandler())

_LEVELS = {"silent": logging.CRITICAL + 1, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class _Terminal(logging.Handler):
    """Writes to whatever stdout and stderr are at the time."""

    is_apart = False
    """Whether stdout is somebody else's."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if self.is_apart or record.levelno >= logging.WARNING else sys.stdout
        try:
            print(self.format(record), file=stream, flush=True)
        except (OSError, ValueError):
            self.handleError(record)


def show(level: str, *, apart: bool = False) -> None:
    """Prints records from `level` (`silent`, `warn`, `info` or `debug`) on; raises KeyError for any other. `apart`: all
    on stderr.

    For a process that is the server. A program that embeds it sets up the logger `aimock` as it likes.
    """
    logger.setLevel(_LEVELS[level])
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        handler = _Terminal()
        handler.is_apart = apart
        handler.setFormatter(logging.Formatter("[aimock] %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False


def report_problem(problem: Problem) -> None:
    """Says what is wrong with a fixture file: an error where something of it is not served, else a warning."""
    logger.log(logging.ERROR if problem.severity == "error" else logging.WARNING, "%s", problem)

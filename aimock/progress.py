"""One line at the foot of a terminal, kept up to date while a server records.

The terminal is told to scroll above that line, so that logs, and the output of a command beside which the server runs,
go on as ever: nobody's lines have to be cleared and drawn again. It has no colours.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

import trio

if TYPE_CHECKING:
    from aimock.record.tally import Tally

_INTERVAL = 0.1
"""Seconds between two drawings."""
_LEAST_LINES, _LEAST_COLUMNS = 3, 20

_SAVE, _RESTORE = "\x1b7", "\x1b8"
"""The place of the cursor (DECSC, DECRC)."""


def fits(log_level: str | None) -> bool:
    """Whether there is a terminal to show it on, and somebody who wants to see anything."""
    if log_level == "silent" or os.environ.get("TERM") in (None, "dumb"):
        return False
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return lines >= _LEAST_LINES and columns >= _LEAST_COLUMNS


async def show(tally: Tally) -> None:
    """Shows what it counts until it is cancelled."""
    changed = trio.Event()

    def note() -> None:
        changed.set()

    tally.on_change = note
    with contextlib.suppress(OSError), _foot(sys.stderr) as foot:
        while True:
            changed = trio.Event()
            foot.draw(_text(tally))
            await changed.wait()
            await trio.sleep(_INTERVAL)


def _text(tally: Tally) -> str:
    counts = f"recorded {tally.recorded.requests}, replayed {tally.replayed.requests}, missed {tally.missed}"
    failed = f", failed {tally.failed}" if tally.failed else ""
    last = f", last: {tally.last}" if tally.last else ""
    return f"aimock: {counts}{failed}{last}"


@contextlib.contextmanager
def _foot(terminal: TextIO) -> Iterator[_Foot]:
    """Raises OSError if the terminal goes away."""
    foot = _Foot(terminal)
    terminal.write("\n\x1b[A")  # at the last line there is room beneath then
    try:
        yield foot
    finally:
        foot.leave()


class _Foot:
    """The last line of a terminal."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._lines = 0

    def draw(self, text: str) -> None:
        """Raises OSError."""
        columns, lines = os.get_terminal_size(self._terminal.fileno())
        fenced = ""
        if lines != self._lines:
            self._lines = lines
            fenced = f"{_SAVE}\x1b[1;{lines - 1}r{_RESTORE}"  # what scrolls (DECSTBM), which moves the cursor
        self._terminal.write(f"{fenced}{_SAVE}\x1b[{lines};1H\x1b[2K{text[: columns - 1]}{_RESTORE}")
        self._terminal.flush()

    def leave(self) -> None:
        """Raises OSError."""
        self._terminal.write(f"{_SAVE}\x1b[r\x1b[{self._lines};1H\x1b[2K{_RESTORE}")
        self._terminal.flush()

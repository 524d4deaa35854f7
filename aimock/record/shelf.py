"""Where recordings are kept: written whole or not at all, by one at a time, and never outside their directory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from aimock.cache import UNFINISHED, write_whole
from aimock.fixtures import Fixture, Origin, Pattern, make_fixture
from aimock.fixtures.recording import Tape, tape_beside, tape_json
from aimock.record.config import Mode, RecordConfig
from aimock.record.contents import Contents, Entry, file_of, recorded_before
from aimock.record.locking import locked
from aimock.record.naming import Place, is_single, single_path, snapshot_path
from aimock.record.redacting import redacted

_LEFT_OVER = 600.0
"""Seconds after which a file that is being written is thought to be of a process that was killed."""


_LARGEST = 256 * 1024
_LARGEST_BINARY = 1024
"""Bytes of a recording that stand in the fixture file."""


class ShelfError(Exception):
    """A recording that cannot be kept, and why: for a log, and for the header `X-AIMock-Record-Error`."""


@attrs.frozen
class Saved:
    """A recording that is kept."""

    path: Path
    index: int
    """Position of the entry in its file, from 0."""
    entry: Entry
    """As it was written."""
    tape: Tape | None = None
    """What it has under `recording`."""

    def fixture(self) -> Fixture:
        """The fixture that it is for whoever reads the file."""
        return make_fixture({**self.entry, "recording": self.tape}, Origin("recorded", str(self.path), self.index))


@attrs.define
class _Waiting:
    """An entry that is to be written into a file."""

    entry: Entry
    warnings: Sequence[str]
    tape: Tape | None = None
    beside: str | None = None
    """The name of the file for the bytes of the tape, if they are to be in one of their own."""
    outcome: Saved | Exception | None = None


@attrs.define
class _File:
    """A file that this process writes."""

    lock: Any = attrs.field(factory=threading.Lock)
    waiting: deque[_Waiting] = attrs.field(factory=deque)
    taken: set[int] = attrs.field(factory=set)
    """The places of the entries that have been written in this run."""


class Shelf:
    """The directory of recordings of one server. `warn` is told what is odd there; `now` gives Unix time, seconds.

    Everything here may wait for a file system, and may be called by several threads at once.
    """

    def __init__(self, config: RecordConfig, warn: Callable[[str], None], now: Callable[[], float] = time.time) -> None:
        self._top = config.fixture_path
        self._mode: Mode = config.mode
        self._redact = tuple(map(Pattern, config.redact))
        self._warn = warn
        self._now = now
        self._lock = threading.Lock()
        self._files: dict[Path, _File] = {}
        self._is_new: dict[Path, bool] = {}
        self._singles: dict[Path, dict[Path, Entry]] = {}
        self._swept: set[Path] = set()

    def check(self) -> None:
        """Makes sure that something can be written, before anything is worth it. Raises ShelfError if nothing can."""
        if self._mode == "none":
            return
        probe = self._top / f".{secrets.token_hex(8)}.probe"
        try:
            self._prepare(self._top)
            write_whole(probe, b"")
            probe.unlink()
        except OSError as error:
            raise ShelfError(f"nothing can be recorded: {_reason(error, error.filename or self._top)}") from error

    def refusal(self, place: Place) -> str | None:
        """Why nothing new is recorded at this place, by the mode that was chosen: a request that misses need not go to
        its provider then."""
        if self._mode == "none":
            return 'record mode "none" records nothing'
        tape = self._tape(place)
        if self._mode == "once" and not self._began_empty(tape):
            return f'{tape} was recorded before, and record mode "once" adds nothing to it'
        return None

    def save(self, entry: Entry, place: Place, warnings: Iterable[str] = ()) -> Saved:
        """Keeps one entry of a fixture file, in which `recording` may be a Tape, and the warnings that go with it.
        Raises ShelfError, and has then lost nothing that was kept before."""
        refusal = self.refusal(place)
        if refusal is not None:
            raise ShelfError(refusal)
        tape = entry.get("recording")
        if isinstance(tape, Tape):
            entry = {**entry, "recording": tape_json(tape)}
        entry = self._presentable(entry)
        try:
            path = self._path(place, entry)
            self._prepare(path.parent)
        except OSError as error:
            raise ShelfError(_reason(error, error.filename or self._top)) from error
        waiting = _Waiting(entry, tuple(warnings))
        if isinstance(tape, Tape) and "recording" in entry:
            waiting.tape = tape
            if _is_apart(tape):
                waiting.beside = f"{path.stem}-{hashlib.sha256(tape.body).hexdigest()[:16]}.bin"
                entry["recording"] = tape_beside(tape, waiting.beside)
        return self._write(path, waiting)

    def _presentable(self, entry: Entry) -> Entry:
        """The entry as it may be written, and will be read again. Raises ShelfError."""
        try:
            text = json.dumps(redacted(entry, self._redact), ensure_ascii=False, allow_nan=False)
            text.encode()
        except TimeoutError as error:
            raise ShelfError("a pattern of record.redact takes too long, so nothing is recorded") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise ShelfError(f"the recording cannot be written as JSON: {error}") from error
        read: Entry = json.loads(text)
        return read

    # -- which file ------------------------------------------------------------------------------------------------

    def _tape(self, place: Place) -> Path:
        """What all that is recorded at a place lies in: a file, or without a test id the files that begin so."""
        snapshot = snapshot_path(place)
        return self._top / snapshot if snapshot else self._top / single_path(place, 0, "").parent / place.provider

    def _began_empty(self, tape: Path) -> bool:
        """Whether nothing was recorded there when it was first asked for."""
        with self._lock:
            if tape not in self._is_new:
                self._is_new[tape] = not (os.path.lexists(tape) if tape.suffix else any(self._recorded_singles(tape)))
            return self._is_new[tape]

    def _recorded_singles(self, tape: Path) -> list[Path]:
        try:
            names = sorted(os.listdir(tape.parent))
        except OSError:
            return []
        return [tape.parent / name for name in names if is_single(name, tape.name)]

    def _path(self, place: Place, entry: Entry) -> Path:
        snapshot = snapshot_path(place)
        if snapshot is not None:
            return self._top / snapshot
        if self._mode == "all" and (earlier := self._earlier_single(self._tape(place), entry)) is not None:
            return earlier
        while True:
            path = self._top / single_path(place, self._now(), secrets.token_hex(4))
            if not os.path.lexists(path):
                return path

    def _earlier_single(self, tape: Path, entry: Entry) -> Path | None:
        """The file in which the same match was recorded before: each is written anew once, the first one first."""
        with self._lock:
            if tape not in self._singles:
                read = ((path, self._readable(path)) for path in self._recorded_singles(tape))
                self._singles[tape] = {
                    path: contents.entries[0] for path, contents in read if contents and len(contents.entries) == 1
                }
            path = recorded_before(entry, self._singles[tape].items())
            if path is not None:
                del self._singles[tape][path]
            return path

    @staticmethod
    def _readable(path: Path) -> Contents | None:
        try:
            return Contents.of(path.read_bytes())
        except (OSError, ValueError):
            return None

    def _prepare(self, directory: Path) -> None:
        """Makes the directory, if it is one of ours, and removes what a killed process left in it."""
        if not Path(os.path.realpath(directory)).is_relative_to(os.path.realpath(self._top)):
            raise ShelfError(f"{directory} leads out of {self._top}, so nothing is recorded there")
        directory.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if directory in self._swept:
                return
            self._swept.add(directory)
        with os.scandir(directory) as found:
            for each in found:
                if re.fullmatch(rf"\..*\.[0-9a-f]{{16}}{re.escape(UNFINISHED)}", each.name):
                    self._remove_if_old(each)

    def _remove_if_old(self, found: os.DirEntry[str]) -> None:
        try:
            if self._now() - found.stat(follow_symlinks=False).st_mtime > _LEFT_OVER:
                os.unlink(found.path)
        except FileNotFoundError:
            return

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self, path: Path, waiting: _Waiting) -> Saved:
        """Entries that wait for the same file are written together, by the first whose turn it is."""
        with self._lock:
            file = self._files.setdefault(path, _File())
        file.waiting.append(waiting)
        with file.lock:
            if waiting.outcome is None:
                together = [file.waiting.popleft() for _ in range(len(file.waiting))]
                try:
                    self._add(path, file, together)
                except Exception as error:
                    for each in together:
                        each.outcome = error
        if self._mode != "all":
            with self._lock:
                self._files.pop(path, None)  # who has it still is kept apart from the next by the lock on the disk
        if isinstance(waiting.outcome, Saved):
            return waiting.outcome
        assert waiting.outcome is not None
        raise ShelfError(_reason(waiting.outcome, path)) from waiting.outcome

    def _add(self, path: Path, file: _File, together: Sequence[_Waiting]) -> None:
        with locked(path.with_name(f".{path.name}.lock")):
            mode, contents = self._read(path)
            names = set(map(file_of, contents.entries))
            taken = file.taken.copy()
            saved = [self._put(path, taken, contents, each) for each in together]
            if contents.is_changed:
                with _kept_beside(path, together, mode):
                    write_whole(path, contents.text().encode(), mode, durable=True)
                _tidy(path, names.difference(map(file_of, contents.entries)))
            for each, outcome in zip(together, saved, strict=True):
                each.outcome = outcome
            file.taken = taken

    def _put(self, path: Path, taken: set[int], contents: Contents, waiting: _Waiting) -> Saved:
        entry = waiting.entry
        contents.warn(waiting.warnings)
        place = contents.place_of(entry, taken) if self._mode == "all" else None
        if place is None:
            saved = Saved(path, contents.add(entry), entry, waiting.tape)
        else:
            saved = Saved(path, place, contents.replace(place, entry), waiting.tape)
        taken.add(saved.index)
        return saved

    def _read(self, path: Path) -> tuple[int, Contents]:
        """The mode and the contents of a file, which may not exist. One that holds no fixtures is put aside, since
        somebody may yet want what is in it."""
        try:
            status = path.lstat()
        except FileNotFoundError:
            return 0o666, Contents()
        if not stat.S_ISREG(status.st_mode):
            raise ShelfError(f"{path} is no regular file, so nothing is recorded there")
        try:
            return stat.S_IMODE(status.st_mode), Contents.of(path.read_bytes())
        except ValueError as error:
            aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.aside")
            os.rename(path, aside)
            warning = f"{path} {error}; it is kept as {aside.name}, and recorded anew"
            self._warn(warning)
            return stat.S_IMODE(status.st_mode), Contents()


def _is_apart(tape: Tape) -> bool:
    """Whether its bytes are too many to stand in a file that people read and compare, or no text."""
    if len(tape.body) > _LARGEST_BINARY:
        try:
            tape.body.decode()
        except UnicodeDecodeError:
            return True
    return len(tape.body) > _LARGEST


@contextlib.contextmanager
def _kept_beside(path: Path, together: Sequence[_Waiting], mode: int) -> Iterator[None]:
    """Writes the bytes that have files of their own, which are there only if the file that names them is."""
    written: list[Path] = []
    try:
        for each in together:
            if each.tape is not None and each.beside is not None:
                file = path.with_name(each.beside)
                if not file.exists():
                    write_whole(file, each.tape.body, mode, durable=True)
                    written.append(file)
        yield
    except BaseException:
        for file in written:
            with contextlib.suppress(OSError):
                file.unlink()
        raise


def _tidy(path: Path, names: Iterable[str | None]) -> None:
    """Removes the files of bytes that no recording in this file names any more, if they were written for it."""
    for name in names:
        if name is not None and re.fullmatch(rf"{re.escape(path.stem)}-[0-9a-f]{{16}}\.bin", name):
            with contextlib.suppress(OSError):
                path.with_name(name).unlink()


def _reason(error: Exception, path: Any) -> str:
    return f"{path}: {error.strerror or error}" if isinstance(error, OSError) else str(error)

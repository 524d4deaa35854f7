"""What is in a file of recordings, and how a new one joins those that are there (record-replay §5, §6)."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import orjson

from aimock.fixtures.text import entry_text

RECORDED_KEYS = ("match", "response", "recordedTimings", "metadata", "recording")
"""Keys of an entry that a recorder writes. What else is there its author has added."""

_START, _END = '{\n  "fixtures": [', "\n  ]\n}\n"
"""How a file of nothing but fixtures begins as we write it, and how one ends that ends in fixtures."""

Entry = dict[str, Any]
P = TypeVar("P")


@attrs.define
class Contents:
    """A file of recordings as it is read and written. What the recorder does not know in it stays as it is."""

    entries: list[Any] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    others: dict[str, Any] = attrs.field(factory=dict)
    """Other keys of the file, such as `$schema`."""
    source: str = ""
    """The text that it was read from."""
    is_changed: bool = attrs.field(default=False, init=False)
    _added: int = attrs.field(default=0, init=False)
    _rewritten: bool = attrs.field(default=False, init=False)
    """Whether anything else than entries at the end is new."""

    @classmethod
    def of(cls, data: bytes) -> Contents:
        """Raises ValueError with what is wrong."""
        text = data.removeprefix(codecs.BOM_UTF8)
        try:
            orjson.loads(text)  # who loads fixtures is more exacting; who reads numbers of any size, less
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is no JSON ({error})") from error
        if not isinstance(value, dict) or not isinstance(value.get("fixtures"), list):
            raise ValueError('has no "fixtures" array')
        source = text.decode() if list(value)[-1] == "fixtures" else ""
        entries = value.pop("fixtures")
        return cls(entries, _warnings(value.pop("_warnings", None), value.pop("_warning", None)), value, source)

    def text(self) -> str:
        """Of what was there no line changes if entries were added only: others may like them otherwise than we do. (It
        also takes a tenth of the time.)"""
        if not self._rewritten and self._added < len(self.entries) and self.source.endswith(_END):
            return self.source.removesuffix(_END) + "," + entry_text(self.entries[-self._added :]).removeprefix(_START)
        return entry_text(self.entries, self.warnings, self.others)

    def add(self, entry: Entry) -> int:
        """Puts an entry at the end, and gives its place."""
        self.entries.append(entry)
        self._added += 1
        self.is_changed = True
        return len(self.entries) - 1

    def place_of(self, entry: Entry, taken: Collection[int]) -> int | None:
        """Where what was recorded for the same is, in no place that is taken."""
        free = ((place, each) for place, each in enumerate(self.entries) if place not in taken)
        return recorded_before(entry, free)

    def replace(self, place: int, entry: Entry) -> Entry:
        """Puts an entry in the place of another, and gives what is there now: what the author of the old one has added
        stays, and one that says the same, at whatever times, stays altogether."""
        old = self.entries[place]
        if not _same(old, entry):
            added = {key: value for key, value in old.items() if key not in (*RECORDED_KEYS, *entry)}
            self.entries[place] = entry | added
            self.is_changed = self._rewritten = True
        now: Entry = self.entries[place]
        return now

    def warn(self, warnings: Iterable[str]) -> None:
        """Adds those that are not there yet."""
        before = self.warnings
        self.warnings = list(dict.fromkeys([*before, *warnings]))
        if self.warnings != before:
            self.is_changed = self._rewritten = True


def file_of(entry: Any) -> str | None:
    """The name of the file beside this one that has the bytes of the entry's recording, if one has."""
    recording = entry.get("recording") if isinstance(entry, Mapping) else None
    name = recording.get("file") if isinstance(recording, Mapping) else None
    return name if isinstance(name, str) else None


def recorded_before(entry: Entry, places: Iterable[tuple[P, Any]]) -> P | None:
    """In which of these places the same was recorded: the first with this very request, else the first that this one
    would match."""
    alike = [(place, old) for place, old in places if isinstance(old, Mapping) and old.get("match") == entry["match"]]
    if not alike:
        return None
    return min(alike, key=lambda each: each[1].get("metadata") != entry.get("metadata"))[0]


def _warnings(several: Any, joined: Any) -> list[str]:
    """From the array, else from the text."""
    if isinstance(several, list):
        return list(dict.fromkeys(each for each in several if isinstance(each, str) and each))
    return list(dict.fromkeys(filter(None, joined.split("; ")))) if isinstance(joined, str) else []


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two recordings differ in nothing but their times."""
    return _timeless(old) == _timeless(new)


def _timeless(entry: Mapping[str, Any]) -> str:
    """As text: to Python, 1 is True."""
    told = {key: entry.get(key) for key in RECORDED_KEYS if key != "recordedTimings"}
    recording = told["recording"]
    if isinstance(recording, Mapping):
        frames = recording.get("frames")
        contents = (
            [frame[1:] if isinstance(frame, list) else frame for frame in frames]
            if isinstance(frames, list)
            else frames
        )
        told["recording"] = {**recording, "frames": contents, "afterMs": None}
    return json.dumps(told, sort_keys=True)

"""The `agui` section of a config file, and files of fixtures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import orjson

from aimock.config import unknown_key
from aimock.fixtures.load import FixtureFileError, Problem, read_file, walk
from aimock.surfaces.agui.fixture import ENTRY_KEYS, Fixture, read_fixture, remarks
from aimock.surfaces.agui.match import MATCH_KEYS
from aimock.surfaces.agui.recording import SECTION_KEYS, Recording, read_recording
from aimock_protocols.agui.shapes import shown

logger = logging.getLogger("aimock")

_KEYS = ("fixtures", "record", "validate")


class Section(NamedTuple):
    """What a section says."""

    fixtures: Sequence[Fixture] = ()
    recording: Recording | None = None


def read_section(value: Any, directory: Path) -> Section:
    """Paths in it are relative to the directory. Raises ValueError that names the key, and of a file which; or the
    fixture, the event and the rule that it breaks."""
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {shown(value)}")
    told = {key: each for key, each in value.items() if each is not None and not key.startswith("_")}
    for key in told:
        if key not in _KEYS:
            raise ValueError(unknown_key(key, _KEYS))
    validate = told.get("validate", True)
    if not isinstance(validate, bool):
        raise ValueError(f"validate: expected true or false, got {shown(validate)}")
    fixtures = [*_fixtures(told.get("fixtures", []), directory, validate)]
    if "record" not in told:
        return Section(fixtures)
    recording = read_recording(told["record"])
    recording = attrs.evolve(recording, directory=directory / recording.directory)
    return Section([*fixtures, *_recorded(recording, told.get("fixtures"), directory)], recording)


def _recorded(recording: Recording, read: Any, directory: Path) -> Iterator[Fixture]:
    """What was recorded in earlier runs, unless it was `read` with the other fixtures."""
    folder = recording.directory
    if isinstance(read, str) and folder.resolve().is_relative_to((directory / read).resolve()):
        return
    if folder.is_dir() and not recording.options.proxy_only:
        yield from _fixtures(str(folder.absolute()), directory, validate=True)


def _fixtures(value: Any, directory: Path, validate: bool) -> Iterator[Fixture]:
    if not isinstance(value, str):
        yield from read_entries(value, "fixtures", validate)
        return
    for file in _files(directory / value):
        yield from read_entries(_entries(file), str(file), validate)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for found in walk(path):
        if isinstance(found, Problem):
            raise ValueError(f"fixtures: {found}")
        yield found.path


def _entries(file: Path) -> Any:
    """Of a file that holds an array, or an object with one under `fixtures`."""
    try:
        content = orjson.loads(read_file(file))
    except (FixtureFileError, orjson.JSONDecodeError) as error:
        said = str(error) if isinstance(error, FixtureFileError) else f"not JSON: {error}"
        raise ValueError(f"fixtures: {file}: {said}") from None
    if isinstance(content, dict) and "fixtures" in content:
        content = content["fixtures"]
    return content


def read_entries(entries: Any, place: str, validate: bool = True) -> Iterator[Fixture]:
    """The fixtures of entries; `place` is what messages call them. Raises ValueError."""
    if not isinstance(entries, list | tuple):
        raise ValueError(f"{place}: expected an array of fixtures, or a path, got {shown(entries)}")
    for index, entry in enumerate(entries):
        try:
            fixture = read_fixture(entry, validate=validate)
        except ValueError as error:
            raise ValueError(f"{place}[{index}]{error}") from None
        if fixture is None:
            logger.warning("%s[%d]: it has neither text, events nor a run; the entry is skipped", place, index)
            continue
        for remark in remarks(fixture):
            logger.warning("%s[%d]: %s", place, index, remark)
        yield fixture


_ENTRY_SCHEMA = {
    "type": "object",
    "properties": {
        **dict.fromkeys(ENTRY_KEYS, True),
        "match": {"type": "object", "properties": dict.fromkeys(MATCH_KEYS, True), "patternProperties": {"^_": True}},
        "text": {"type": "string"},
        "events": {"type": "array", "items": {"type": "object"}},
        "run": {"type": "array", "items": {"type": "object"}},
        "delayMs": {"type": "number", "minimum": 0},
        "validate": {"type": "boolean"},
    },
    "patternProperties": {"^_": True},
    "additionalProperties": False,
    "required": ["match"],
}


def config_schema() -> dict[str, Any]:
    """A section as a JSON Schema; of events it says little, for their rules are no matter of schemas."""
    return {
        "type": "object",
        "properties": {
            "fixtures": {"anyOf": [{"type": "string"}, {"type": "array", "items": _ENTRY_SCHEMA}]},
            "record": {"type": "object", "properties": dict.fromkeys(SECTION_KEYS, True), "required": ["upstream"]},
            "validate": {"type": "boolean"},
        },
        "patternProperties": {"^_": True},
        "additionalProperties": False,
    }

"""The `agui` section of a config file, and files of fixtures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import orjson

from aimock.fixtures.load import FixtureFileError, Problem, read_file, walk
from aimock.reading import Check, Keys, flag, keyed, object_schema, unlike
from aimock.surfaces.agui.fixture import ENTRY, Fixture, read_fixture, remarks
from aimock.surfaces.agui.recording import Recording, read_recording, recording_schema

logger = logging.getLogger("aimock")


class Section(NamedTuple):
    """What a section says."""

    fixtures: Sequence[Fixture] = ()
    recording: Recording | None = None


def read_section(value: Any, directory: Path) -> Section:
    """Paths in it are relative to the directory. Raises ValueError that names the key, and of a file which; or the
    fixture, the event and the rule that it breaks."""
    told = keyed(value, "", _KEYS)
    fixtures = [*_fixtures(told.get("fixtures", []), directory, told.get("validate", True))]
    if "record" not in told:
        return Section(fixtures)
    recording = told["record"]
    recording = attrs.evolve(recording, directory=directory / recording.directory)
    return Section([*fixtures, *_recorded(recording, told.get("fixtures"), directory)], recording)


def _given(value: Any, place: str) -> Any:
    return value


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
        yield from read_entries(_entries(file), f"fixtures: {file}", validate)


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
        raise unlike(place, "an array of fixtures, or a path", entries)
    for index, entry in enumerate(entries):
        here = f"{place}[{index}]"
        fixture = read_fixture(entry, here, validate=validate)
        if fixture is None:
            logger.warning("%s: it has neither text, events nor a run; the entry is skipped", here)
            continue
        for remark in remarks(fixture):
            logger.warning("%s: %s", here, remark)
        yield fixture


_KEYS: Keys = {
    "fixtures": _given,
    "record": Check(read_recording, recording_schema()),
    "validate": flag,
}


def config_schema() -> dict[str, Any]:
    """A section as a JSON Schema; of events it says little, for their rules are no matter of schemas."""
    entries = {"type": "array", "items": object_schema(ENTRY, ("match",))}
    told = object_schema(_KEYS)
    told["properties"]["fixtures"] = {"anyOf": [{"type": "string"}, entries]}
    return told

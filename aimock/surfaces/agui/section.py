"""The `agui` section of a config file, and files of fixtures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from aimock.documents import Placed, listed, located
from aimock.reading import Check, Keys, flag, keyed, object_schema
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
    if isinstance(read, str) and folder.resolve().is_relative_to(located(read, directory).resolve()):
        return
    if folder.is_dir() and not recording.options.proxy_only:
        yield from _fixtures(str(folder.absolute()), directory, validate=True)


def _fixtures(value: Any, directory: Path, validate: bool) -> Iterator[Fixture]:
    return read_entries(listed(value, "fixtures", directory, "fixtures"), validate)


def read_entries(entries: Iterable[Placed], validate: bool = True) -> Iterator[Fixture]:
    """The fixtures of entries. Raises ValueError that begins with the place of one."""
    for place, entry in entries:
        fixture = read_fixture(entry, place, validate=validate)
        if fixture is None:
            logger.warning("%s: it has neither text, events nor a run; the entry is skipped", place)
            continue
        for remark in remarks(fixture):
            logger.warning("%s: %s", place, remark)
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

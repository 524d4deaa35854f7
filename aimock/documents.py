"""Files that say something as JSON or TOML, and the paths of such files in place of what they say.

Wherever a config file takes an object or an array, and no string, a string is a path. A file has the value as it would
stand there, perhaps under the name of its key (`{"tools": […]}`); in place of an array perhaps under `fixtures`, or one
item of it alone. A folder in place of an array has its items in its `*.json` files, in the order of their names; in
place of an object each of its files and folders is the value of the key that it is named after.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aimock.reading import array, inside, shown, wrong

logger = logging.getLogger("aimock")

_SUFFIXES = (".json", ".toml")
_ENTRIES = "fixtures"
_PATH = {"type": "string", "minLength": 1}


class Placed(NamedTuple):
    """A value, and what messages call its place."""

    place: str
    value: Any


def located(path: str, directory: Path) -> Path:
    """Where a path in a file leads: from the working directory, or where nothing lies there, from that of the file."""
    beside = directory / path
    return beside if not os.path.exists(path) and os.path.exists(beside) else Path(path)


def read_document(path: Path) -> Any:
    """What a file says: in TOML if its name ends so, else in JSON. Raises ValueError that says why it says nothing,
    with the line and the column."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    return _toml(data) if path.suffix == ".toml" else _json(data)


def _json(data: bytes) -> Any:
    import orjson  # a start without such files does without it for now

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error


def _toml(data: bytes) -> Any:
    import tomllib

    try:
        return _as_json(tomllib.loads(data.decode()))
    except ValueError as error:
        raise ValueError(f"not TOML: {error}") from error


def _as_json(value: Any) -> Any:
    """A value of TOML, whose times are texts by ISO 8601 in JSON."""
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def listed(value: Any, place: str, directory: Path, key: str) -> Iterator[Placed]:
    """The items of an array; or those of the file, or of the files of the folder, that a string names, where they may
    stand under the key. Raises ValueError."""
    if not isinstance(value, str):
        yield from (Placed(f"{place}[{index}]", item) for index, item in enumerate(array(value, place)))
        return
    for file in _files(located(value, directory), place):
        yield from items(file, place, key)


def items(file: Path, place: str, key: str) -> Iterator[Placed]:
    """Those of one file. Raises ValueError."""
    here, content = _content(file, place, key, _ENTRIES)
    if isinstance(content, dict):
        yield Placed(here, content)
    else:
        yield from (Placed(f"{here}[{index}]", item) for index, item in enumerate(array(content, here)))


def _files(path: Path, place: str) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    from aimock.fixtures.load import Problem, walk  # few have folders

    found = [*walk(path)]
    if not found:  # as before anything was recorded there
        logger.warning("%s: %s has no JSON files", place, path)
    for each in found:
        if isinstance(each, Problem):
            raise wrong(place, str(each))
        yield each.path


def _inner(folder: Path, place: str) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise wrong(place, f"{folder}: {error.strerror or error}") from error


def _content(file: Path, place: str, *keys: str) -> Placed:
    """What a file has, or of an object what it has under the first of the keys that it has."""
    here = f"{place}: {file}"
    try:
        content = read_document(file)
    except ValueError as error:
        raise wrong(here, str(error)) from error
    named = next((each for each in keys if isinstance(content, dict) and each in content), None)
    return Placed(here, content) if named is None else Placed(inside(here, named), content[named])


# -- by a schema -------------------------------------------------------------------------------------------------------


def with_paths(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what is written: where paths may stand, it takes strings too."""
    told = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in told:
            told[key] = {name: with_paths(each) if isinstance(each, dict) else each for name, each in told[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(told.get(key), Mapping):
            told[key] = with_paths(told[key])
    if "anyOf" in told:
        told["anyOf"] = [_inside(each) for each in told["anyOf"]]
        return told | ({"anyOf": [_PATH, *told["anyOf"]]} if _takes_path(schema) else {})
    return {"anyOf": [_PATH, told]} if _takes_path(schema) else told


def _inside(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One of several: paths may stand in it, but not for it."""
    told = with_paths(schema)
    return told["anyOf"][1] if _takes_path(schema) and "anyOf" not in schema else told


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What `anyOf` lists, which stands beside nothing else in the schemas that come here."""
    return [each for inner in schema["anyOf"] for each in _alternatives(inner)] if "anyOf" in schema else [schema]


def _takes(schema: Mapping[str, Any], kind: str) -> bool:
    """Whether it has something to say of such values; what says nothing of types has."""
    return any(kind in _types(each) for each in _alternatives(schema))


def _types(schema: Mapping[str, Any]) -> Any:
    if "const" in schema:
        return ()
    return schema.get("type", "string")


def _takes_path(schema: Mapping[str, Any]) -> bool:
    is_secret = schema.get("writeOnly", False)  # where a key belongs, nothing is looked up, nor shown
    return (_takes(schema, "object") or _takes(schema, "array")) and not _takes(schema, "string") and not is_secret


def _is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether no path can stand for such a value, nor in it."""
    kinds = _alternatives(schema)
    return not any(_takes(each, "object") or _takes(each, "array") for each in kinds)


def _of_any(alternatives: list[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    """What the first of them that has a schema under the key has there."""
    return next((each[key] for each in alternatives if isinstance(each.get(key), Mapping)), {})


class Filling:
    """What a file says, with what is in the files that it names."""

    def __init__(self, directory: Path) -> None:
        """`directory`: that of the file."""
        self._directory = directory
        self._origins: dict[str, str] = {}

    def fill(self, value: Any, schema: Mapping[str, Any], place: str) -> Any:
        """A value of which the schema tells, without paths. Raises ValueError."""
        if isinstance(value, str) and _takes_path(schema):
            value = self._read(value, schema, place)
        kinds = _alternatives(schema)
        if isinstance(value, list):
            inner = _of_any(kinds, "items")
            if _is_plain(inner):  # as those of long vectors are
                return value
            return [self.fill(item, inner, f"{place}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, dict):
            known = {key: inner for each in kinds for key, inner in each.get("properties", {}).items()}
            others = _of_any(kinds, "additionalProperties")
            return {key: self.fill(each, known.get(key, others), inside(place, key)) for key, each in value.items()}
        return value

    def _read(self, given: str, schema: Mapping[str, Any], place: str) -> Any:
        path, key = located(given, self._directory), place.rpartition(".")[2].partition("[")[0]
        is_object = _takes(schema, "object")
        if not os.path.exists(path):
            kinds = " or ".join(f"an {kind}" for kind in ("object", "array") if _takes(schema, kind))
            raise wrong(place, f"expected {kinds}, or the path of a file that has it; {shown(given)} does not exist")
        if path.is_dir() and is_object:
            files = [each for each in _inner(path, place) if each.suffix in _SUFFIXES or each.is_dir()]
            known = {key for each in _alternatives(schema) for key in each.get("properties", ())}
            if not _takes(schema, "array") or any(each.stem in known for each in files):
                return {each.stem: str(each.absolute()) for each in files}
        elif is_object:
            self._origins[place], value = _content(path, place, key)
            return value
        found = list(listed(given, place, self._directory, key))
        self._origins |= {f"{place}[{index}]": item.place for index, item in enumerate(found)}
        return [item.value for item in found]

    def explained(self, error: ValueError) -> str:
        """A message with the name of the file in which its place is."""
        said = str(error)
        for place in sorted(self._origins, key=len, reverse=True):
            if said.startswith(place) and said[len(place) : len(place) + 1] in (".", "[", ":"):
                return self._origins[place] + said[len(place) :]
        return said

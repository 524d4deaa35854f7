"""The config file: every key is honoured or refused, with its path and the nearest key that exists.

Relative paths in it are taken from the working directory, and where nothing lies there, from the file's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs


class ConfigError(Exception):
    """A config file or option that cannot be used; the text says which, and what was expected."""


@attrs.frozen
class Config:
    """What a config file may say in this version. None leaves the choice to the command line and its defaults."""

    port: int | None = None
    host: str | None = None
    strict: bool | None = None
    seed: int | None = None
    fixtures: tuple[str, ...] | None = None
    latency: float | None = None
    chunk_size: int | None = None
    replay_speed: float | None = None
    log_level: str | None = None
    watch: bool | None = None
    validate_on_load: bool | None = None
    journal_max: int | None = None
    fixture_counts_max: int | None = None


LOG_LEVELS = ("silent", "warn", "info", "debug")

T = TypeVar("T")


@attrs.frozen
class Check(Generic[T]):
    """What a value must be. Called with one, gives it as the server has it; its ValueError says what was expected."""

    read: Callable[[Any], T]
    schema: Mapping[str, Any]
    """The same as a JSON Schema."""

    def __call__(self, value: Any) -> T:
        return self.read(value)


def _expects(schema: Mapping[str, Any]) -> Callable[[Callable[[Any], T]], Check[T]]:
    return lambda read: Check(read, schema)


def whole_number(least: int, most: int | None = None) -> Check[int]:
    """Checks an integer from `least` to `most`."""

    def check(value: Any) -> int:
        if type(value) is not int or value < least or (most is not None and value > most):
            raise ValueError(f"a whole number from {least} to {most}" if most else f"a whole number of {least} or more")
        return value

    return Check(check, {"type": "integer", "minimum": least} | ({"maximum": most} if most else {}))


def number(least: float, exclusive: bool = False) -> Check[float]:
    """Checks a finite number of at least (or, if exclusive, above) `least`."""

    def check(value: Any) -> float:
        good = type(value) in (int, float) and value == value and abs(value) != float("inf")
        if not good or value < least or (exclusive and value == least):
            raise ValueError(f"a number above {least:g}" if exclusive else f"a number of {least:g} or more")
        return float(value)

    return Check(check, {"type": "number", "exclusiveMinimum" if exclusive else "minimum": least})


@_expects({"enum": list(LOG_LEVELS)})
def log_level(value: Any) -> str:
    if value not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return str(value)


@_expects({"type": "integer"})
def seed(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("an integer")
    return value


@_expects({"type": "boolean"})
def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


_FILLED = {"type": "string", "minLength": 1}


@_expects(_FILLED)
def _string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a string that is not empty")
    return value


@_expects({"anyOf": [_FILLED, {"type": "array", "items": _FILLED, "minItems": 1}]})
def _sources(value: Any) -> tuple[str, ...]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path for path in paths):
        raise ValueError("a path, or a list of paths")
    return tuple(paths)


PORT = whole_number(0, 65535)

_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "port": ("port", PORT),
    "host": ("host", _string),
    "strict": ("strict", _boolean),
    "seed": ("seed", seed),
    "llm.fixtures": ("fixtures", _sources),
    "llm.latency": ("latency", number(0)),
    "llm.chunkSize": ("chunk_size", whole_number(1)),
    "llm.replaySpeed": ("replay_speed", number(0, exclusive=True)),
    "llm.logLevel": ("log_level", log_level),
    "llm.watch": ("watch", _boolean),
    "llm.validateOnLoad": ("validate_on_load", _boolean),
    "journal.max": ("journal_max", whole_number(0)),
    "journal.fixtureCountsMax": ("fixture_counts_max", whole_number(0)),
}
"""JSON path to attribute and check; a check's ValueError says what was expected."""

NOT_YET = frozenset({"metrics", "auth", "mcp", "a2a", "agui", "vector", "services", "llm.chaos", "llm.record"})
"""Keys of the reference that this version does not honour, and therefore refuses."""


def load_config(path: Path) -> Config:
    """Raises ConfigError, naming the file and the key."""
    import orjson  # a start without a config file does without it for now

    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path.absolute()}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path.absolute()}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.absolute()}: expected a JSON object")
    values: dict[str, Any] = {}
    content.pop("$schema", None)  # what editors go by
    for key, value in _flattened(content).items():
        attribute, check = _known(path, key)
        try:
            values[attribute] = check(value)
        except ValueError as error:
            import re

            shown = re.sub(r'://[^"]*', "://…", orjson.dumps(value).decode())[:80]  # a URL may have a secret in it
            raise ConfigError(f"{path}: {key}: expected {error}, got {shown}") from error
    if "fixtures" in values:
        values["fixtures"] = tuple(_located(source, path.parent) for source in values["fixtures"])
    return Config(**values)


def _flattened(content: dict[str, Any]) -> dict[str, Any]:
    """Keys of the sections joined to their section by a dot; sections are those that have keys in the table."""
    sections = {key.partition(".")[0] for key in _KEYS if "." in key}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if key in sections and isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def _known(path: Path, key: str) -> tuple[str, Callable[[Any], Any]]:
    if key in _KEYS:
        return _KEYS[key]
    if key in NOT_YET:
        raise ConfigError(f"{path}: {key}: this version does not support it")
    if any(known.startswith(f"{key}.") for known in _KEYS):
        raise ConfigError(f"{path}: {key}: expected an object")
    import difflib  # only a wrong key needs it

    nearest = difflib.get_close_matches(key, _KEYS, n=1)
    advice = f', did you mean "{nearest[0]}"?' if nearest else f"; known are {', '.join(sorted(_KEYS))}"
    raise ConfigError(f"{path}: {key}: unknown key{advice}")


def _located(source: str, directory: Path) -> str:
    if "://" in source:
        return source
    beside = directory / source
    return str(beside) if not Path(source).exists() and beside.exists() else source

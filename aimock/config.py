"""The config file: every key is honoured or refused, with its path and the nearest key that exists.

Relative paths in it are taken from the working directory, and where nothing lies there, from the file's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from aimock.config_keys import KEYS
from aimock.mounts import SERVICES, from_config
from aimock.reading import Read, placed, unknown, wrong

if TYPE_CHECKING:  # flags are judged before any of these is imported
    from aimock.fixtures import Chaos, Fixture, StreamingProfile
    from aimock.quotas import Quota
    from aimock.record.config import RecordConfig
    from aimock.surfaces.mounted import Mounted
    from aimock.tls import TLS
    from aimock_protocols.sessions import Options


class Failure(Exception):
    """A reason not to serve, in one line."""


class ConfigError(Exception):
    """A config file or option that cannot be used; the text says which, and what was expected."""


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


@attrs.frozen
class Config:
    """What a config file may say in this version. None leaves the choice to the command line and its defaults."""

    port: int | None = None
    host: str | None = None
    tls: TLS | None = None
    strict: bool | None = None
    seed: int | None = None
    frozen_time: float | None = None
    fixtures: tuple[str, ...] | None = None
    latency: float | None = None
    streaming_profile: StreamingProfile | None = None
    chaos: Chaos | None = None
    quota: Quota | None = None
    chunk_size: int | None = None
    replay_speed: float | None = None
    rewrite_ids: bool | None = None
    log_level: str | None = None
    watch: bool | None = None
    validate_on_load: bool | None = None
    journal_max: int | None = None
    fixture_counts_max: int | None = None
    metrics: bool | None = None
    http2: bool | None = None
    api_keys: tuple[str, ...] | None = attrs.field(default=None, repr=False)
    beta: str | None = None
    vad: str | None = None
    silence_ms_per_char: int | None = None
    live_frames: str | None = None
    compat: str | None = None
    record: RecordConfig | None = None
    services: tuple[tuple[str, Mounted], ...] = ()
    """With their paths."""
    service_fixtures: tuple[Fixture, ...] = ()
    """For services that fixtures answer: search, rerank, moderation and so on."""

    @property
    def sessions(self) -> Options:
        """What sessions over WebSockets are told."""
        from aimock_protocols.sessions import Options

        given = Options()
        return Options(
            has_beta=self.beta == "shim",
            hears=self.vad == "energy",
            silence_ms_per_character=_or(self.silence_ms_per_char, given.silence_ms_per_character),
            in_text_frames=self.live_frames == "text",
            is_compatible=self.compat == "aimock",
        )

    @property
    def wall_clock(self) -> Callable[[], float]:
        """Gives the Unix time in seconds; always the same, if it is frozen."""
        now = self.frozen_time
        return time.time if now is None else lambda: now


NOT_YET = frozenset({"mcp", "a2a", "agui", "vector"} - set(SERVICES))
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
    try:
        return _config(content, path.parent)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _config(content: dict[str, Any], directory: Path) -> Config:
    """Raises ValueError that begins with the key."""
    values: dict[str, Any] = {}
    content.pop("$schema", None)  # what editors go by
    services: list[tuple[str, Mounted]] = []
    scripted: list[Fixture] = []
    for key, value in _flattened(content).items():
        if key in SERVICES:
            services += from_config(key, value, directory)
        else:
            attribute, read = _known(key)
            if attribute == "service_fixtures":
                scripted += _scripted(key, value, directory)
            else:
                values[attribute] = read(value, key)
    if "fixtures" in values:
        values["fixtures"] = tuple(_located(source, directory) for source in values["fixtures"])
    if "tls" in values:
        values["tls"] = values["tls"].located(lambda file: _located(file, directory))
    return Config(**values, services=tuple(services), service_fixtures=tuple(scripted))


def _scripted(key: str, value: Any, directory: Path) -> list[Fixture]:
    from aimock.fixtures.services import section_fixtures  # few config files have any

    return placed(lambda section: section_fixtures(key.partition(".")[2], section, directory), value, key)


def _flattened(content: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Keys of the sections joined to their section by a dot; sections are those that have keys in the table."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        place = section + key
        if isinstance(value, dict) and any(known.startswith(f"{place}.") for known in KEYS):
            flat |= _flattened(value, f"{place}.")
        else:
            flat[place] = value
    return flat


def _known(key: str) -> tuple[str, Read]:
    if key in KEYS:
        return KEYS[key]
    if key in NOT_YET:
        raise wrong(key, "this version does not support it")
    if any(known.startswith(f"{key}.") for known in KEYS):
        raise wrong(key, "expected an object")  # and nothing of what is there: it may be a secret
    raise unknown("", key, [*KEYS, *SERVICES])


def _located(source: str, directory: Path) -> str:
    if "://" in source:
        return source
    beside = directory / source
    return str(beside) if not Path(source).exists() and beside.exists() else source

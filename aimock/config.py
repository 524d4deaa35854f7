"""The config file: every key is honoured or refused, with its path and the nearest key that exists.

It is JSON, or TOML if its name ends so. Keys that begin with an underscore are comments. A path may stand in place of
an object or an array (`documents`); relative ones are taken from the working directory, and where nothing lies there,
from the file's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from aimock.config_keys import KEYS
from aimock.documents import Filling, located, read_document
from aimock.mounts import SERVICES, from_config
from aimock.reading import Read, inside, schema_of, unknown, wrong

if TYPE_CHECKING:  # flags are judged before any of these is imported
    from aimock.fixtures import Chaos, Fixture, StreamingProfile
    from aimock.quotas import Quota
    from aimock.record.config import RecordConfig
    from aimock.surfaces.mounted import Mounted
    from aimock.tls import TLS
    from aimock_protocols.canonical import Embeddings
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
    providers: frozenset[str] | None = None
    """Those whose APIs are answered; None: all."""
    latency: float | None = None
    streaming_profile: StreamingProfile | None = None
    chaos: Chaos | None = None
    quota: Quota | None = None
    chunk_size: int | None = None
    replay_speed: float | None = None
    embeddings: Embeddings | None = None
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


def load_config(path: Path) -> Config:
    """Raises ConfigError, naming the file and the key."""
    try:
        content = read_document(path)
    except ValueError as error:
        raise ConfigError(f"{path.absolute()}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.absolute()}: expected an object")
    filling = Filling(path.parent)
    try:
        return _config(content, path.parent, filling)
    except ValueError as error:
        raise ConfigError(f"{path}: {filling.explained(error)}") from error


def _config(content: dict[str, Any], directory: Path, filling: Filling) -> Config:
    """Raises ValueError that begins with the key."""
    values: dict[str, Any] = {}
    services: list[tuple[str, Mounted]] = []
    scripted: list[Fixture] = []
    for key, value in _flattened(content, filling):
        if key in SERVICES:
            services += from_config(key, value, directory)
            continue
        attribute, read = _known(key)
        if attribute == "service_fixtures":
            scripted += _scripted(key, value, filling)
        else:
            values[attribute] = read(filling.fill(value, schema_of(read), key), key)
    if "fixtures" in values:
        values["fixtures"] = tuple(_source(each, directory) for each in values["fixtures"])
    if "tls" in values:
        values["tls"] = values["tls"].located(lambda file: str(located(file, directory)))
    return Config(**values, services=tuple(services), service_fixtures=tuple(scripted))


def _scripted(key: str, value: Any, filling: Filling) -> list[Fixture]:
    from aimock.fixtures.services import RERANK_SCHEMA, section_fixtures  # few config files have any

    return section_fixtures(key.partition(".")[2], filling.fill(value, RERANK_SCHEMA, key), key)


def _flattened(content: Mapping[str, Any], filling: Filling, section: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their keys, with those of their sections before them; what is no comment, nor tells editors the
    schema."""
    for key, value in content.items():
        place = inside(section, key)
        if key.startswith("_") or place == "$schema":
            continue
        if not any(known.startswith(f"{place}.") for known in KEYS):
            yield place, value
            continue
        if place != SECRET:
            value = filling.fill(value, _SECTION, place)
        if isinstance(value, dict):
            yield from _flattened(value, filling, place)
        else:
            raise wrong(place, "expected an object")  # and nothing of what is there: it may be a secret


_SECTION = {"type": "object"}
SECRET = "auth"
"""The section in which no string is looked up as a path."""


def _known(key: str) -> tuple[str, Read]:
    if key in KEYS:
        return KEYS[key]
    raise unknown("", key, [*KEYS, *SERVICES])


def _source(name: str, directory: Path) -> str:
    return name if "://" in name else str(located(name, directory))

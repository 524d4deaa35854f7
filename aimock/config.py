"""The config file: every key is honoured or refused, with its path and the nearest key that exists.

Relative paths in it are taken from the working directory, and where nothing lies there, from the file's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from aimock.mounts import SERVICES, from_config
from aimock_protocols.services import SECTIONS

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


def _one_of(*words: str) -> Check[str]:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return Check(check, {"enum": list(words)})


log_level = _one_of(*LOG_LEVELS)


@_expects({"type": "integer"})
def seed(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("an integer")
    return value


@_expects(
    {
        "anyOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 10**11},
            {"type": "string", "pattern": "^[0-9]{4}-"},
        ]
    }
)
def moment(value: Any) -> float:
    """Checks a time: Unix seconds, or text by ISO 8601, which without a zone is UTC."""
    if type(value) in (int, float) and 0 <= value < 10**11:
        return float(value)
    if isinstance(value, str):
        import datetime  # for the few who freeze the time

        try:
            read = datetime.datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()
    raise ValueError("Unix seconds, or a time by ISO 8601")


@_expects({"$ref": "#/$defs/streamingProfile"})
def profile(value: Any) -> StreamingProfile:
    """Checks a streaming profile: its name, or an object as in a fixture. Raises ConfigError."""
    from aimock.fixtures import StreamingProfile, make_fixture, validate_fixtures

    if isinstance(value, StreamingProfile):
        return value
    entry = {"match": {}, "response": {"content": "x"}, "streamingProfile": value}
    findings = validate_fixtures([entry])  # warnings too: an unknown key, which a fixture may have
    if findings:
        raise ConfigError(findings[0].message.removeprefix("streamingProfile").lstrip(":. "))
    checked = make_fixture(entry)
    if checked.streaming_profile is None:
        raise ValueError("the name of a profile, or an object")
    return checked.streaming_profile


@_expects({"$ref": "#/$defs/chaos"})
def chaos(value: Any) -> Chaos:
    """Checks the server's chaos, an object as in a fixture. Raises ConfigError."""
    from aimock.chaos import ChaosError, chaos_from_json

    try:
        return chaos_from_json(value)
    except ChaosError as error:
        raise ConfigError(str(error)) from None


@_expects(
    {
        "type": "object",
        "properties": {
            "requestsPerMinute": {"type": "integer", "minimum": 1, "maximum": 10**9},
            "tokensPerMinute": {"type": "integer", "minimum": 1, "maximum": 10**9},
            "per": {"enum": ["key", "model"]},
        },
        "additionalProperties": False,
        "anyOf": [{"required": ["requestsPerMinute"]}, {"required": ["tokensPerMinute"]}],
    }
)
def quota(value: Any) -> Quota:
    """Checks a quota: `{"requestsPerMinute": …, "tokensPerMinute": …, "per": "key"}`. Raises ConfigError."""
    from aimock.quotas import QuotaError, quota_from_json

    try:
        return quota_from_json(value)
    except QuotaError as error:
        raise ConfigError(str(error)) from None


@_expects({"$ref": "#/$defs/record"})
def record(value: Any) -> RecordConfig:
    """Checks what recording is told. Raises ConfigError."""
    from aimock.record.config import RecordConfig, record_config

    try:
        return value if isinstance(value, RecordConfig) else record_config(value)
    except ValueError as error:
        raise ConfigError(str(error)) from None


@_expects({"$ref": "#/$defs/serviceFixtures"})
def _service_fixtures(value: Any) -> Any:
    """They are read beside their file."""
    return value


@_expects({"$ref": "#/$defs/rerankFixtures"})
def _rerank_fixtures(value: Any) -> Any:
    """They may say besides how the rest is ranked."""
    return value


@_expects({"type": "boolean"})
def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


_FILLED = {"type": "string", "minLength": 1}


@_expects(_FILLED)
def filled_string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a string that is not empty")
    return value


@_expects({"anyOf": [_FILLED, {"type": "array", "items": _FILLED, "minItems": 1}]})
def _sources(value: Any) -> tuple[str, ...]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path for path in paths):
        raise ValueError("a path, or a list of paths")
    return tuple(paths)


def _one_kind(required: Mapping[str, Any], optional: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


@_expects(
    {
        "anyOf": [
            _one_kind({"cert": _FILLED, "key": _FILLED}, {}),
            _one_kind({"selfSigned": {"const": True}}, {"caFile": _FILLED}),
        ]
    }
)
def tls(value: Any) -> TLS:
    """Checks `{"cert": FILE, "key": FILE}` or `{"selfSigned": true, "caFile": FILE}`. Raises ConfigError."""
    from aimock.tls import TLSError, tls_from_json

    try:
        return tls_from_json(value)
    except TLSError as error:
        raise ConfigError(str(error)) from None


class UnfitKeys(ValueError):
    """A list of API keys that cannot be used. The text goes after the name of the list, and shows no key."""


@_expects({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1})
def api_keys(value: Any) -> tuple[str, ...]:
    """Checks a list of API keys and takes the blanks off their ends, as HTTP does. Raises UnfitKeys."""
    if not isinstance(value, list | tuple) or not value:
        raise UnfitKeys(": expected a list of one or more strings")
    keys: list[str] = []
    for index, key in enumerate(value):
        trimmed = key.strip(" \t") if isinstance(key, str) else ""
        if not trimmed:
            raise UnfitKeys(f"[{index}]: expected a string that is not empty")
        if not trimmed.isprintable():
            raise UnfitKeys(f"[{index}]: expected a string without control characters")
        if trimmed in keys:
            raise UnfitKeys(f"[{index}]: expected another key than [{keys.index(trimmed)}]")
        keys.append(trimmed)
    return tuple(keys)


PORT = whole_number(0, 65535)

_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "port": ("port", PORT),
    "host": ("host", filled_string),
    "tls": ("tls", tls),
    "strict": ("strict", boolean),
    "seed": ("seed", seed),
    "frozenTime": ("frozen_time", moment),
    "llm.fixtures": ("fixtures", _sources),
    "llm.latency": ("latency", number(0)),
    "llm.streamingProfile": ("streaming_profile", profile),
    "llm.chaos": ("chaos", chaos),
    "llm.quota": ("quota", quota),
    "llm.record": ("record", record),
    "llm.chunkSize": ("chunk_size", whole_number(1)),
    "llm.replaySpeed": ("replay_speed", number(0, exclusive=True)),
    "llm.rewriteIds": ("rewrite_ids", boolean),
    "llm.logLevel": ("log_level", log_level),
    "llm.watch": ("watch", boolean),
    "llm.validateOnLoad": ("validate_on_load", boolean),
    "journal.max": ("journal_max", whole_number(0)),
    "journal.fixtureCountsMax": ("fixture_counts_max", whole_number(0)),
    "metrics": ("metrics", boolean),
    "http2": ("http2", boolean),
    "auth.apiKeys": ("api_keys", api_keys),
    "realtime.beta": ("beta", _one_of("reject", "shim")),
    "realtime.vad": ("vad", _one_of("off", "energy")),
    "realtime.silenceMsPerChar": ("silence_ms_per_char", whole_number(0, 1000)),
    "gemini.live.frames": ("live_frames", _one_of("binary", "text")),
    "compat": ("compat", _one_of("off", "aimock")),
    **{f"services.{name}": ("service_fixtures", _service_fixtures) for name in SECTIONS},
    "services.rerank": ("service_fixtures", _rerank_fixtures),
}
"""JSON path to attribute and check; a check's ValueError says what was expected."""

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
    values: dict[str, Any] = {}
    content.pop("$schema", None)  # what editors go by
    services: list[tuple[str, Mounted]] = []
    scripted: list[Fixture] = []
    for key, value in _flattened(content).items():
        if key in SERVICES:
            services += _services(path, key, value)
            continue
        attribute, check = _known(path, key)
        if attribute == "service_fixtures":
            scripted += _scripted(path, key, value)
            continue
        try:
            values[attribute] = check(value)
        except UnfitKeys as error:
            raise ConfigError(f"{path}: {key}{error}") from error
        except ConfigError as error:
            raise ConfigError(f"{path}: {key}: {error}") from error
        except ValueError as error:
            import re

            shown = re.sub(r'://[^"]*', "://…", orjson.dumps(value).decode())[:80]  # a URL may have a secret in it
            raise ConfigError(f"{path}: {key}: expected {error}, got {shown}") from error
    if "fixtures" in values:
        values["fixtures"] = tuple(_located(source, path.parent) for source in values["fixtures"])
    if "tls" in values:
        values["tls"] = values["tls"].located(lambda file: _located(file, path.parent))
    return Config(**values, services=tuple(services), service_fixtures=tuple(scripted))


def _scripted(path: Path, key: str, value: Any) -> list[Fixture]:
    from aimock.fixtures.services import section_fixtures  # few config files have any

    try:
        return section_fixtures(key.partition(".")[2], value, path.parent)
    except ValueError as error:
        raise ConfigError(f"{path}: {key}: {error}") from error


def _services(path: Path, key: str, value: Any) -> list[tuple[str, Mounted]]:
    try:
        return from_config(key, value, path.parent)
    except ValueError as error:
        place = "" if str(error).startswith("[") else ": "
        raise ConfigError(f"{path}: {key}{place}{error}") from error


def _flattened(content: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Keys of the sections joined to their section by a dot; sections are those that have keys in the table."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        place = section + key
        if isinstance(value, dict) and any(known.startswith(f"{place}.") for known in _KEYS):
            flat |= _flattened(value, f"{place}.")
        else:
            flat[place] = value
    return flat


def _known(path: Path, key: str) -> tuple[str, Callable[[Any], Any]]:
    if key in _KEYS:
        return _KEYS[key]
    if key in NOT_YET:
        raise ConfigError(f"{path}: {key}: this version does not support it")
    if any(known.startswith(f"{key}.") for known in _KEYS):
        raise ConfigError(f"{path}: {key}: expected an object")
    raise ConfigError(f"{path}: {unknown_key(key, [*_KEYS, *SERVICES])}")


def unknown_key(key: str, known: Collection[str]) -> str:
    """What there is to say of a key that there is not: the nearest that there is, or all of them."""
    import difflib  # only a wrong key needs it

    nearest = difflib.get_close_matches(key, known, n=1)
    advice = f', did you mean "{nearest[0]}"?' if nearest else f"; known are {', '.join(sorted(known))}"
    return f"{key}: unknown key{advice}"


def _located(source: str, directory: Path) -> str:
    if "://" in source:
        return source
    beside = directory / source
    return str(beside) if not Path(source).exists() and beside.exists() else source

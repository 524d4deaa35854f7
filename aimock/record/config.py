"""What recording is told: the keys of `llm.record` in a config file, of `enable_recording` and of the control API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from aimock.config import Check, boolean, number, unknown_key, whole_number
from aimock.record.credentials import read_key
from aimock.record.providers import SCHEMES
from aimock.record.urls import read_base
from aimock.redaction import redact_target

Mode = Literal["none", "once", "new_episodes", "all"]

MIB = 1024 * 1024
MOST_BUFFERED = 256 * MIB
"""Bytes; no choice goes beyond."""


@attrs.frozen(kw_only=True)
class RecordConfig:
    """How to record (spec: record-replay §1). Times in milliseconds."""

    providers: Mapping[str, str] = attrs.field(factory=dict)
    """Provider to base URL. A miss of a provider without one is an ordinary miss."""
    provider_keys: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Provider to our key there, before those of the environment."""
    fixture_path: Path = Path("fixtures/recorded")
    """The directory of what is recorded."""
    proxy_only: bool = False
    """Relay, and keep nothing."""
    mode: Mode = "new_episodes"
    """Whether a file that exists is left alone (`once`), added to, or rewritten where it matches (`all`)."""
    record_full_model_version: bool = False
    """Whether the date stays in the model that a recording matches."""
    upstream_timeout_ms: float = 30_000.0
    """For connecting, and for silence until the head of the answer."""
    body_timeout_ms: float = 30_000.0
    """For silence within the body."""
    max_proxy_buffer_bytes: int = 64 * MIB
    max_proxy_buffer_frames: int = 5_000_000
    normalize_status: bool = False
    """Whether statuses are relayed as the reference does it: 200 or 502."""
    record_errors: bool = False
    sequence: bool = False
    """Whether repeats of a request are recorded one after the other."""
    rewrite_ids: bool = False
    """Whether recordings are answered with fresh ids meanwhile."""
    coalesce: bool = False
    """Whether a request that is being asked already waits for that answer."""
    redact: tuple[str, ...] = ()
    """Regular expressions: what they find in a body is not written down."""


def record_config(value: Any, otherwise: RecordConfig | None = None) -> RecordConfig:
    """From JSON with the keys of the reference, each of which is honoured or refused; what it does not say is as
    `otherwise`. Raises ValueError, naming the key and what was expected. It shows no credential."""
    if not isinstance(value, Mapping):
        raise ValueError(f"expected an object, got {value!r:.40}")
    found: dict[str, Any] = {}
    for key, given in value.items():
        if key in _NOT_YET:
            raise ValueError(f"{key}: this version does not support it")
        if key not in _KEYS:
            raise ValueError(unknown_key(str(key), _KEYS))
        attribute, check = _KEYS[key]
        try:
            found[attribute] = check(given)
        except _Unfit as error:
            raise ValueError(f"{key}{error}") from None
        except ValueError as expected:
            raise ValueError(f"{key}: expected {expected}, got {given!r:.40}") from None
    return attrs.evolve(otherwise or RecordConfig(), **found)


def record_schema() -> dict[str, Any]:
    """The same as a JSON Schema, as far as one can say it: of a URL and of a regular expression it knows little."""
    properties = {key: dict(check.schema) for key, (_, check) in _KEYS.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


class _Unfit(ValueError):
    """Something within the value of a key. The text goes after the key, and shows no credential."""


def _mode(value: Any) -> str:
    if value not in get_args(Mode):
        raise ValueError(f"one of {', '.join(get_args(Mode))}")
    return str(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("the path of a directory")
    return Path(value)


def _buffered(value: Any) -> int:
    return min(whole_number(1)(value), MOST_BUFFERED)


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
        raise ValueError("a list of regular expressions")
    if value:
        from aimock.fixtures.patterns import Pattern, PatternError  # few redact

        for index, pattern in enumerate(value):
            try:
                Pattern(pattern)
            except PatternError as error:
                raise _Unfit(f"[{index}]: {error}") from None
    return tuple(value)


def _by_provider(of_what: str, check: Callable[[str, Any], str]) -> Callable[[Any], Mapping[str, str]]:
    def read(value: Any) -> Mapping[str, str]:
        if not isinstance(value, Mapping):
            raise _Unfit(f": expected an object, from provider to {of_what}")
        found: dict[str, str] = {}
        for provider, given in value.items():
            if provider not in SCHEMES:
                raise _Unfit("." + unknown_key(str(provider), SCHEMES).replace("unknown key", "unknown provider", 1))
            try:
                found[provider] = check(provider, given)
            except ValueError as expected:
                raise _Unfit(f".{provider}: expected {expected}") from None
        return found

    return read


def _url(provider: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a URL, got {value!r:.40}")
    try:
        read_base(value)
    except ValueError as expected:
        raise ValueError(f"{expected}, got {redact_target(value)[:80]!r}") from None
    return value


def _key(provider: str, value: Any) -> str:
    if SCHEMES[provider] is None:
        raise ValueError("no key: this provider takes none that could be configured")
    if not isinstance(value, str):
        raise ValueError("a string")
    return read_key(value)


def _of_each(providers: Iterable[str], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(providers, schema), "additionalProperties": False}


_FILLED = {"type": "string", "minLength": 1}
_KEYED = [name for name, scheme in SCHEMES.items() if scheme is not None]

_KEYS: Mapping[str, tuple[str, Check[Any]]] = {
    "providers": (
        "providers",
        Check(_by_provider("base URL", _url), _of_each(SCHEMES, {"type": "string", "pattern": "^https?://"})),
    ),
    "providerKeys": ("provider_keys", Check(_by_provider("key", _key), _of_each(_KEYED, _FILLED))),
    "fixturePath": ("fixture_path", Check(_path, _FILLED)),
    "proxyOnly": ("proxy_only", boolean),
    "mode": ("mode", Check(_mode, {"enum": list(get_args(Mode))})),
    "recordFullModelVersion": ("record_full_model_version", boolean),
    "upstreamTimeoutMs": ("upstream_timeout_ms", number(0, exclusive=True)),
    "bodyTimeoutMs": ("body_timeout_ms", number(0, exclusive=True)),
    "maxProxyBufferBytes": ("max_proxy_buffer_bytes", Check(_buffered, whole_number(1).schema)),
    "maxProxyBufferFrames": ("max_proxy_buffer_frames", whole_number(1)),
    "normalizeStatus": ("normalize_status", boolean),
    "recordErrors": ("record_errors", boolean),
    "sequence": ("sequence", boolean),
    "coalesce": ("coalesce", boolean),
    "rewriteIds": ("rewrite_ids", boolean),
    "redact": ("redact", Check(_patterns, {"type": "array", "items": _FILLED})),
}
"""JSON key to attribute and check; a check's ValueError says what was expected."""

_NOT_YET = frozenset({"fal", "openRouterVideo"})
"""Keys that this version does not honour, and therefore refuses."""

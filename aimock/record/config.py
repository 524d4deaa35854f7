"""What recording is told: the keys of `llm.record` in a config file, of `enable_recording` and of the control API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from aimock.reading import (
    Check,
    Fields,
    filled,
    flag,
    inside,
    members,
    number,
    object_schema,
    one_of,
    placed,
    reads,
    unknown,
    unlike,
    whole_number,
    wrong,
)
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


def record_config(value: Any, place: str = "", otherwise: RecordConfig | None = None) -> RecordConfig:
    """From JSON with the keys of the reference, each of which is honoured or refused; what it does not say is as
    `otherwise`. Raises ValueError that begins with the place. It shows no credential."""
    for key in _NOT_YET.intersection(value if isinstance(value, Mapping) else ()):
        raise wrong(inside(place, key), "this version does not support it")
    return attrs.evolve(otherwise or RecordConfig(), **members(value, place, FIELDS))


def record_schema() -> dict[str, Any]:
    """The same as a JSON Schema, as far as one can say it: of a URL and of a regular expression it knows little."""
    return object_schema({key: read for key, (_, read) in FIELDS.items()})


@reads(filled.schema)
def _path(value: Any, place: str) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise unlike(place, "the path of a directory", value)
    return Path(value)


@reads(whole_number(1).schema)
def _buffered(value: Any, place: str) -> int:
    return min(whole_number(1)(value, place), MOST_BUFFERED)


@reads({"type": "array", "items": filled.schema})
def _patterns(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
        raise unlike(place, "a list of regular expressions", value)
    if value:
        from aimock.fixtures.patterns import Pattern  # few redact

        for index, pattern in enumerate(value):
            placed(Pattern, pattern, f"{place}[{index}]")
    return tuple(value)


def _by_provider(
    of_what: str, providers: Iterable[str], read: Callable[[str, Any, str], str], schema: Mapping[str, Any]
) -> Check[Mapping[str, str]]:
    """`providers`: those that the schema names."""

    @reads({"type": "object", "properties": dict.fromkeys(providers, schema), "additionalProperties": False})
    def by_provider(value: Any, place: str) -> Mapping[str, str]:
        if not isinstance(value, Mapping):  # which is not shown: it may be a key
            raise wrong(place, f"expected an object, from provider to {of_what}")
        for provider in value:
            if provider not in SCHEMES:
                raise unknown(place, str(provider), SCHEMES, "provider")
        return {provider: read(provider, each, inside(place, provider)) for provider, each in value.items()}

    return by_provider


def read_url(value: Any, place: str) -> str:
    """The base URL of a provider."""
    if not isinstance(value, str):
        raise unlike(place, "a URL", value)
    try:
        read_base(value)
    except ValueError as expected:
        raise wrong(place, f'expected {expected}, got "{redact_target(value)[:80]}"') from None
    return value


def _url(provider: str, value: Any, place: str) -> str:
    return read_url(value, place)


def _key(provider: str, value: Any, place: str) -> str:
    if SCHEMES[provider] is None:
        raise wrong(place, "expected no key: this provider takes none that could be configured")
    if not isinstance(value, str):
        raise wrong(place, "expected a string")
    try:
        return read_key(value)
    except ValueError as expected:
        raise wrong(place, f"expected {expected}") from None


_KEYED = [name for name, scheme in SCHEMES.items() if scheme is not None]

FIELDS: Fields = {
    "providers": ("providers", _by_provider("base URL", SCHEMES, _url, {"type": "string", "pattern": "^https?://"})),
    "providerKeys": ("provider_keys", _by_provider("key", _KEYED, _key, filled.schema)),
    "fixturePath": ("fixture_path", _path),
    "proxyOnly": ("proxy_only", flag),
    "mode": ("mode", one_of(*get_args(Mode))),
    "recordFullModelVersion": ("record_full_model_version", flag),
    "upstreamTimeoutMs": ("upstream_timeout_ms", number(0, exclusive=True)),
    "bodyTimeoutMs": ("body_timeout_ms", number(0, exclusive=True)),
    "maxProxyBufferBytes": ("max_proxy_buffer_bytes", _buffered),
    "maxProxyBufferFrames": ("max_proxy_buffer_frames", whole_number(1)),
    "normalizeStatus": ("normalize_status", flag),
    "recordErrors": ("record_errors", flag),
    "sequence": ("sequence", flag),
    "coalesce": ("coalesce", flag),
    "rewriteIds": ("rewrite_ids", flag),
    "redact": ("redact", _patterns),
}

_NOT_YET = frozenset({"fal", "openRouterVideo"})
"""Keys that this version does not honour, and therefore refuses."""

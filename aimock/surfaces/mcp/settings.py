"""What a section of a config file says of the server itself, beside its tools, resources and prompts."""

from __future__ import annotations

from typing import Any

import attrs

from aimock.surfaces.mcp.reading import ARRAY, COUNT, FLAG, NUMBER, OBJECT, TEXT, Kind, object_of, shown
from aimock.surfaces.mcp.server import DEFAULT_CAPABILITIES, Options
from aimock_protocols.mcp import revisions

SECTION: dict[str, Kind] = {
    "serverInfo": OBJECT,
    "instructions": TEXT,
    "capabilities": OBJECT,
    "versions": ARRAY,
    "pageSize": COUNT,
    "cache": OBJECT,
    "sessions": TEXT,
    "responseMode": TEXT,
    "strictAccept": FLAG,
    "allowedOrigins": ARRAY,
    "allowedHosts": ARRAY,
    "maxSessions": COUNT,
    "sessionIdleMs": NUMBER,
    "keepAliveMs": NUMBER,
}
"""Keys about the server."""

_INFO: dict[str, Kind] = {
    "name": TEXT,
    "version": TEXT,
    "title": TEXT,
    "description": TEXT,
    "websiteUrl": TEXT,
    "icons": ARRAY,
}


@attrs.frozen
class Transport:
    """How the server answers over HTTP."""

    is_stateful: bool = True
    """Whether legacy clients get sessions."""
    prefers_events: bool = False
    """Whether answers are streams even if they are whole."""
    strict_accept: bool = False
    """Whether clients must say that they take both JSON and events, as they are to."""
    allowed_origins: tuple[str, ...] = ()
    """Beside those of this machine; `*` allows all."""
    allowed_hosts: tuple[str, ...] = ()
    """If there are any, no others are served."""
    most_sessions: int = 1_000
    """More end those that are idle longest."""
    idle_seconds: float = 3_600.0
    """After which a session ends."""
    keep_alive: float = 15.0
    """Seconds after which a quiet stream says so, and a slow answer becomes a stream."""


def options(value: dict[str, Any]) -> Options:
    """Of a section. Raises ValueError."""
    told = Options()
    if "serverInfo" in value:
        info = object_of(value["serverInfo"], "serverInfo", _INFO)
        told = attrs.evolve(told, info=told.info | info)
    if "versions" in value:
        versions = value["versions"]
        for number, version in enumerate(versions):
            if version not in revisions.ALL:
                expected = ", ".join(revisions.ALL)
                raise ValueError(f"versions[{number}]: expected one of {expected}; got {shown(version)}")
        if not any(version in revisions.LEGACY for version in versions):
            raise ValueError("versions: expected at least one of " + ", ".join(revisions.LEGACY))
        told = attrs.evolve(told, versions=tuple(version for version in revisions.ALL if version in versions))
    if "capabilities" in value:
        told = attrs.evolve(told, capabilities=_capabilities(value["capabilities"]))
    if "pageSize" in value:
        told = attrs.evolve(told, page_size=_at_least_one(value, "pageSize"))
    if "cache" in value:
        told = attrs.evolve(told, cache=_cache(value["cache"]))
    return attrs.evolve(told, instructions=value.get("instructions"))


def transport(value: dict[str, Any]) -> Transport:
    """Of a section. Raises ValueError."""
    default = Transport()
    return Transport(
        is_stateful=_choice(value, "sessions", ("stateful", "stateless")) == "stateful",
        prefers_events=_choice(value, "responseMode", ("json", "sse")) == "sse",
        strict_accept=value.get("strictAccept", False),
        allowed_origins=_texts(value, "allowedOrigins"),
        allowed_hosts=_texts(value, "allowedHosts"),
        most_sessions=_at_least_one(value, "maxSessions", default.most_sessions),
        idle_seconds=_seconds(value, "sessionIdleMs", default.idle_seconds),
        keep_alive=_seconds(value, "keepAliveMs", default.keep_alive),
    )


def _capabilities(value: dict[str, Any]) -> dict[str, Any]:
    for key, inner in value.items():
        if not isinstance(inner, dict):
            raise ValueError(f"capabilities.{key}: expected an object, got {shown(inner)}")
    known = dict.fromkeys((*DEFAULT_CAPABILITIES, "experimental", "extensions"), OBJECT)
    return object_of(value, "capabilities", known)


def _cache(value: dict[str, Any]) -> dict[str, Any]:
    cache = object_of(value, "cache", {"ttlMs": COUNT, "cacheScope": TEXT})
    if cache.get("ttlMs", 0) < 0:
        raise ValueError(f"cache.ttlMs: expected milliseconds, got {cache['ttlMs']}")
    _choice(cache, "cacheScope", ("public", "private"))
    return {"ttlMs": 0, "cacheScope": "public"} | cache


def _choice(value: dict[str, Any], key: str, choices: tuple[str, str]) -> str:
    chosen: str = value.get(key, choices[0])
    if chosen not in choices:
        raise ValueError(f"{key}: expected {' or '.join(choices)}; got {shown(chosen)}")
    return chosen


def _texts(value: dict[str, Any], key: str) -> tuple[str, ...]:
    texts = value.get(key, [])
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"{key}[{number}]: expected a string, got {shown(text)}")
    return tuple(texts)


def _at_least_one(value: dict[str, Any], key: str, otherwise: int = 1) -> int:
    count: int = value.get(key, otherwise)
    if count < 1:
        raise ValueError(f"{key}: expected an integer of 1 or more, got {count}")
    return count


def _seconds(value: dict[str, Any], key: str, otherwise: float) -> float:
    if key not in value:
        return otherwise
    if not value[key] > 0:
        raise ValueError(f"{key}: expected milliseconds above 0, got {shown(value[key])}")
    return float(value[key]) / 1000

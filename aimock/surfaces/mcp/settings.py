"""What a section of a config file says of the server itself, beside its tools, resources and prompts."""

from __future__ import annotations

from typing import Any

import attrs

from aimock.reading import (
    Keys,
    array,
    count,
    flag,
    many,
    mapping,
    number,
    object_of,
    one_of,
    text,
    whole_number,
)
from aimock.surfaces.mcp.server import DEFAULT_CAPABILITIES, Options
from aimock_protocols.mcp import revisions

_INFO: Keys = {
    "name": text,
    "version": text,
    "title": text,
    "description": text,
    "websiteUrl": text,
    "icons": array,
}
_CAPABILITIES: Keys = dict.fromkeys((*DEFAULT_CAPABILITIES, "experimental", "extensions"), mapping)
_CACHE: Keys = {"ttlMs": count, "cacheScope": one_of("public", "private")}
_AT_LEAST_ONE = whole_number(1)
_ABOVE_0 = number(0, exclusive=True, expected="milliseconds above 0")

SECTION: Keys = {
    "serverInfo": object_of(_INFO),
    "instructions": text,
    "capabilities": object_of(_CAPABILITIES),
    "versions": many(one_of(*revisions.ALL)),
    "pageSize": _AT_LEAST_ONE,
    "cache": object_of(_CACHE),
    "sessions": one_of("stateful", "stateless"),
    "responseMode": one_of("json", "sse"),
    "strictAccept": flag,
    "allowedOrigins": many(text),
    "allowedHosts": many(text),
    "maxSessions": _AT_LEAST_ONE,
    "sessionIdleMs": _ABOVE_0,
    "keepAliveMs": _ABOVE_0,
    "record": mapping,
}
"""Keys about the server."""


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
        told = attrs.evolve(told, info=told.info | value["serverInfo"])
    if "versions" in value:
        versions = value["versions"]
        if not any(version in revisions.LEGACY for version in versions):
            raise ValueError("versions: expected at least one of " + ", ".join(revisions.LEGACY))
        told = attrs.evolve(told, versions=tuple(version for version in revisions.ALL if version in versions))
    if "capabilities" in value:
        told = attrs.evolve(told, capabilities=value["capabilities"])
    if "pageSize" in value:
        told = attrs.evolve(told, page_size=value["pageSize"])
    if "cache" in value:
        told = attrs.evolve(told, cache={"ttlMs": 0, "cacheScope": "public"} | value["cache"])
    return attrs.evolve(told, instructions=value.get("instructions"))


def transport(value: dict[str, Any]) -> Transport:
    """Of a section."""
    default = Transport()
    return Transport(
        is_stateful=value.get("sessions", "stateful") == "stateful",
        prefers_events=value.get("responseMode", "json") == "sse",
        strict_accept=value.get("strictAccept", default.strict_accept),
        allowed_origins=tuple(value.get("allowedOrigins", ())),
        allowed_hosts=tuple(value.get("allowedHosts", ())),
        most_sessions=value.get("maxSessions", default.most_sessions),
        idle_seconds=value.get("sessionIdleMs", default.idle_seconds * 1000) / 1000,
        keep_alive=value.get("keepAliveMs", default.keep_alive * 1000) / 1000,
    )

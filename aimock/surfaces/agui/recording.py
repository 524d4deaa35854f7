"""What recording is told: the `record` key of a section, and the flags of the command line."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import attrs

from aimock.reading import Fields, members, object_schema
from aimock.record.config import FIELDS, RecordConfig, read_url

FOLDER = "agui-recorded"
"""Where recordings lie, below the fixtures."""

_SHARED = (
    "proxyOnly",
    "upstreamTimeoutMs",
    "bodyTimeoutMs",
    "maxProxyBufferBytes",
    "maxProxyBufferFrames",
    "redact",
)
"""Keys that mean what they mean where LLMs are recorded."""

PROVIDER = "agui"
"""What the agent is called in names of files."""


@attrs.frozen
class Recording:
    """Which agent is asked where nothing matches, and what becomes of what it says."""

    upstream: str = attrs.field(repr=False)
    """The URL of the agent."""
    directory: Path = Path("fixtures") / FOLDER
    options: RecordConfig = attrs.field(factory=RecordConfig)
    """As for LLMs; its provider and path are put in by `config`."""

    @property
    def config(self) -> RecordConfig:
        origin = "://".join(urllib.parse.urlsplit(self.upstream)[:2])
        return attrs.evolve(self.options, providers={PROVIDER: origin}, fixture_path=self.directory)

    @property
    def target(self) -> str:
        """What of the agent's URL stands in the request."""
        parts = urllib.parse.urlsplit(self.upstream)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _url(value: Any, place: str) -> str:
    if isinstance(value, str):
        read_url(value.partition("?")[0], place)  # an agent's may have a query
        return value
    return read_url(value, place)


_OWN: Fields = {"upstream": ("upstream", _url), "fixturePath": ("directory", FIELDS["fixturePath"][1])}
_FIELDS: Fields = {**_OWN, **{key: FIELDS[key] for key in _SHARED}}


def read_recording(value: Any, place: str) -> Recording:
    """Raises ValueError that begins with the place; it shows no query of a URL."""
    told = members(value, place, _FIELDS, ("upstream",), is_setting=False)
    own = {attribute: told.pop(attribute) for attribute, _ in _OWN.values() if attribute in told}
    return Recording(**own, options=RecordConfig(**told))


def recording_schema() -> dict[str, Any]:
    """The same as a JSON Schema."""
    return object_schema({key: read for key, (_, read) in _FIELDS.items()}, ("upstream",))

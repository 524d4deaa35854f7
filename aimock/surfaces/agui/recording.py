"""What recording is told: the `record` key of a section, and the flags of the command line."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from aimock.config import unknown_key
from aimock.record.config import RecordConfig, record_config
from aimock.record.urls import read_base
from aimock.redaction import redact_target
from aimock_protocols.agui.shapes import shown

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
SECTION_KEYS = ("upstream", "fixturePath", *_SHARED)

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


def read_recording(value: Any) -> Recording:
    """Raises ValueError that names the key and what was expected; it shows no query of a URL."""
    if not isinstance(value, Mapping):
        raise ValueError(f"record: expected an object, got {shown(value)}")
    told = {key: each for key, each in value.items() if each is not None}
    for key in told:
        if key not in SECTION_KEYS:
            raise ValueError(f"record.{unknown_key(key, SECTION_KEYS)}")
    if "upstream" not in told:
        raise ValueError("record.upstream: is missing: the URL of the agent to record")
    path = told.get("fixturePath", f"fixtures/{FOLDER}")
    if not isinstance(path, str | Path) or not str(path):
        raise ValueError(f"record.fixturePath: expected the path of a directory, got {shown(path)}")
    try:
        options = record_config({key: each for key, each in told.items() if key in _SHARED})
    except ValueError as error:
        raise ValueError(f"record.{error}") from None
    return Recording(_url(told["upstream"]), Path(path), options)


def _url(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"record.upstream: expected a URL, got {shown(value)}")
    try:
        read_base(value.partition("?")[0])  # an agent's may have a query
    except ValueError as expected:
        raise ValueError(f"record.upstream: expected {expected}, got {redact_target(value)[:80]!r}") from None
    return value

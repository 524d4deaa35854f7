"""Where a recording goes: names that are stable, flat, and never lead out of the directory (record-replay §6)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import PurePath

import attrs

from aimock.fixtures import DEFAULT_TEST_ID

LONGEST = 100
"""Characters of a slug that are kept; a longer one ends in a hash of the whole, so that two do not become one."""

_SPEC_FILE = re.compile(r"\A.*?\.(?:spec|test|e2e)\.(?:ts|tsx|js|jsx|mjs|cjs)(?=[\s›]|\Z)\s*›?", re.DOTALL)
"""The file name that JavaScript's test runners put before the names of the steps."""
_STEP = re.compile(r"\s*[›>]\s*")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789")})
"""Names that are no files on Windows, whatever their extension."""


@attrs.frozen
class Place:
    """What decides where a recording is kept."""

    provider: str
    """Provider key of record-replay §1."""
    test_id: str = DEFAULT_TEST_ID
    context: str | None = None


def slug(test_id: str) -> str:
    """One path segment for a test id: lower case, ASCII letters, digits, `_` and `-`; empty if nothing is left.

    Two test ids share a segment only if these rules leave the same of both.
    """
    return _segment(_STEP.sub("--", _SPEC_FILE.sub("", test_id)))


def _segment(text: str) -> str:
    """The steps that a context goes through too. What is too long, or a device's name, gets an ending that no other
    segment has."""
    name = re.sub(r"-{3,}", "--", re.sub(r"[^A-Za-z0-9_-]", "-", text)).strip("-").lower()
    if len(name) > LONGEST:
        return f"{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return f"{name}-" if name in _DEVICES else name


def snapshot_path(place: Place) -> PurePath | None:
    """Where all recordings of one test and provider are kept, below the directory of recordings; None without a test
    id that leaves a name."""
    segment = slug(place.test_id) if place.test_id != DEFAULT_TEST_ID else ""
    return PurePath(segment, f"{place.provider}.json") if segment else None


def single_path(place: Place, now: float, unique: str) -> PurePath:
    """Where one recording without a test id is kept, below the same: named by the time (Unix, seconds) at which it was
    made, and by eight hexadecimal digits."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"
    return PurePath(_segment(place.context or ""), f"{place.provider}-{stamp}-{unique}.json")


def is_single(name: str, provider: str) -> bool:
    """Whether a file is named as one recording of this provider."""
    return re.fullmatch(re.escape(provider) + r"-\d{4}(-\d\d){2}T(\d\d-){3}\d{3}Z-[0-9a-f]{8}\.json", name) is not None

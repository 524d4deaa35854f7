"""Versions of the API, by the header that names them. They are dates, so they compare as text."""

from __future__ import annotations

from collections.abc import Mapping

HEADER = "x-pinecone-api-version"

NAMED_DEFAULT = "2025-10"
"""From here on the default namespace has its name in statistics; before, it is the empty text."""
DOCUMENTS = "2026-07"
"""The first with schemas and documents; from here on, 64-bit integers of namespaces are decimal text."""
LATEST = "2026-07"


def version_of(headers: Mapping[str, str]) -> str:
    """The version that a client asks for; the latest if it names none."""
    named = headers.get(HEADER, "").strip()
    return named or LATEST

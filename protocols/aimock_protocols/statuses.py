"""What errors are called by their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping


def named_by(names: Mapping[int, str], status: int) -> str:
    """The name of a status; of those that have none, those below 500 are called as 400 is, the rest as 500."""
    return names.get(status) or names[400 if status < 500 else 500]

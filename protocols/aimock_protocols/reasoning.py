"""Which models reason: the gate before the reasoning channels of a reply (core-fixtures §5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

NOT_REASONING = (
    "gpt-4.1",
    "gpt-4o",
    "gpt-4-turbo",
    "gpt-4",
    "gpt-3.5",
    "claude-3-5-",
    "claude-3-haiku",
    "claude-3-opus",
    "claude-3-sonnet",
    "gemini-1.5-",
)
"""Prefixes of the models that do not reason; every other model counts as one that does."""

_DATE = re.compile(r"-(?:\d{8}(?:-v\d+)?(?:[:.]\d+)*|\d{4}-\d{2}-\d{2})\Z", re.ASCII)
_PROVIDERS = re.compile(r"\A(?:[^.-]*\.)+")


def is_reasoning_model(model: str, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> bool:
    """Whether `model` has a reasoning channel; no name at all (empty) has.

    `deny` and `allow` are prefixes that outrank the built-in list, `deny` before `allow`; empty entries say nothing.
    """
    name = normalized_model(model)
    if _starts_with_any(name, deny):
        return False
    return _starts_with_any(name, allow) or not name.startswith(NOT_REASONING)


def normalized_model(model: str) -> str:
    """The name without its date and Bedrock's region and vendor: `us.anthropic.claude-x-20250101-v1:0` → `claude-x`."""
    return _PROVIDERS.sub("", _DATE.sub("", model).lower())


def _starts_with_any(name: str, entries: Iterable[str]) -> bool:
    prefixes = (normalized_model(entry.strip()) for entry in entries)
    return any(prefix and name.startswith(prefix) for prefix in prefixes)

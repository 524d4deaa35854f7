"""Where credentials travel, in one registry, so that what is accepted as one is never shown as anything else."""

from __future__ import annotations

import re

REDACTED = "[REDACTED]"

CREDENTIAL_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key"})
"""Headers in which a client may present a key."""

SECRET_HEADERS = CREDENTIAL_HEADERS | {
    "cookie",
    "set-cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-token",
    "x-auth-token",
}
"""Headers whose values are never kept."""

_SECRET_QUERY_KEYS = ("key", "api_key", "apikey", "api-key", "access_token", "token", "x-amz-signature")
_SECRET_QUERY = re.compile(rf"([?&](?:{'|'.join(map(re.escape, _SECRET_QUERY_KEYS))})=)[^&#]+", re.IGNORECASE)


def redact_target(target: str) -> str:
    """A request target without the values of its secret query keys."""
    return _SECRET_QUERY.sub(rf"\g<1>{REDACTED}", target) if "?" in target else target


def redact_headers(lines: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Header lines as one mapping, repeated ones joined, without secrets."""
    shown: dict[str, str] = {}
    for name, value in lines:
        if name in SECRET_HEADERS:
            shown[name] = REDACTED
        else:
            shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown

"""Tokens: what the token endpoint says, how they are presented, and how a resource asks for better ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aimock_protocols.oauth.parameters import written_scopes

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
"""RFC 6750 2.1."""

NO_STORE = (("cache-control", "no-store"), ("pragma", "no-cache"))
"""Headers of whatever has a token in it (RFC 6749 5.1)."""


def token_response(access: str, seconds: int, scopes: Iterable[str], refresh: str | None) -> dict[str, Any]:
    """RFC 6749 5.1."""
    scope = written_scopes(scopes)
    return {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": seconds,
        **({"scope": scope} if scope else {}),
        **({"refresh_token": refresh} if refresh is not None else {}),
    }


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header; None if there is none in it."""
    found = _BEARER.fullmatch((authorization or "").strip())
    return found[1] if found else None


def challenge(parameters: Mapping[str, str]) -> str:
    """A WWW-Authenticate header (RFC 6750 3, RFC 9728 5.1), of parameters without quotes or backslashes."""
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())

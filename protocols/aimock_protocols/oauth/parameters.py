"""Forms, queries and scopes."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable

from aimock_protocols.oauth.errors import OAuthError

FORM = "application/x-www-form-urlencoded"
_MOST = 64
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
"""RFC 6749 3.3."""


def read_parameters(text: bytes | str) -> dict[str, str]:
    """A query or a form. One without a value counts as absent, and none may come twice (RFC 6749 3.1, 3.2). Raises
    OAuthError."""
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        pairs = urllib.parse.parse_qsl(decoded, keep_blank_values=True, max_num_fields=_MOST, errors="strict")
    except UnicodeDecodeError:
        raise OAuthError("invalid_request", "the parameters are not UTF-8") from None
    except ValueError:
        raise OAuthError("invalid_request", f"there are more than {_MOST} parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise OAuthError("invalid_request", f"the parameter {name!r:.40} comes more than once")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def required(parameters: dict[str, str], name: str) -> str:
    """Raises OAuthError if it is absent."""
    if name not in parameters:
        raise OAuthError("invalid_request", f"the parameter {name!r} is missing")
    return parameters[name]


def read_scopes(text: str | None) -> tuple[str, ...]:
    """The scopes of a space-delimited list, each once, in its order. Raises OAuthError."""
    if text is None:
        return ()
    if _SCOPE.fullmatch(text) is None:
        raise OAuthError("invalid_scope", "expected scopes separated by single spaces")
    return tuple(dict.fromkeys(text.split(" ")))


def is_scope(text: object) -> bool:
    return isinstance(text, str) and " " not in text and _SCOPE.fullmatch(text) is not None


def written_scopes(scopes: Iterable[str]) -> str:
    return " ".join(scopes)

"""Where credentials travel, in one registry, so that what is accepted as one is never shown as anything else."""

from __future__ import annotations

import re
import urllib.parse

REDACTED = "[REDACTED]"

CREDENTIAL_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key"})
"""Headers in which a client may present a key."""

CREDENTIAL_QUERY_KEYS = frozenset({"key"})
"""Query keys in which it may, as Google's clients do."""

CREDENTIAL_SUBPROTOCOL = "openai-insecure-api-key."
"""How a subprotocol begins that is a key, since pages can set no headers of a WebSocket's handshake (OpenAI)."""

SECRET_HEADERS = CREDENTIAL_HEADERS | {
    "cookie",
    "set-cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-token",
    "x-auth-token",
    "ocp-apim-subscription-key",
}
"""Headers whose values are never kept."""

SECRET_QUERY_KEYS = CREDENTIAL_QUERY_KEYS | {
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "token",
    "sig",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-signature",
}
"""Query keys whose values are never kept, whatever their case and however they are encoded."""

SIGNED = re.compile(r"AWS4-HMAC-SHA256[ \t]+Credential=([^/,\s]+)/.+", re.IGNORECASE)
"""An `authorization` by which a client of AWS signs: what it presents of itself is its access key id, the first group.
Signatures are not verified."""

_SUBPROTOCOL_KEY = re.compile(rf"({re.escape(CREDENTIAL_SUBPROTOCOL)})[^,\s]*", re.IGNORECASE)
_NAME = re.compile(r"(?:^|\?)([^?=]*)=")
_USER = re.compile(r"^(https?://)[^/?#]*@", re.IGNORECASE)


def redact_target(target: str) -> str:
    """A request target without the values of its secret query keys, nor the user and password of an absolute one."""
    path, mark, query = _USER.sub(rf"\g<1>{REDACTED}@", target).partition("?")
    return path + mark + "&".join(map(_redacted, query.split("&")))


def _redacted(parameter: str) -> str:
    """Without the value, if any of the names in it is secret: a second question mark may begin one for some readers."""
    for name in _NAME.finditer(parameter):
        if urllib.parse.unquote_plus(name[1]).strip().lower() in SECRET_QUERY_KEYS and parameter[name.end() :]:
            return parameter[: name.end()] + REDACTED
    return parameter


def redact_headers(lines: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Header lines as one mapping, repeated ones joined, without secrets."""
    shown: dict[str, str] = {}
    for name, value in lines:
        if name in SECRET_HEADERS:
            shown[name] = REDACTED
            continue
        if name == "sec-websocket-protocol":
            value = _SUBPROTOCOL_KEY.sub(rf"\g<1>{REDACTED}", value)
        shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown

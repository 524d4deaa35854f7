"""Which headers pass, in either direction (spec: record-replay §3 and §4)."""

from __future__ import annotations

from aimock.net.exchange import Headers
from aimock.redaction import CREDENTIAL_SUBPROTOCOL

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Of one connection, as are all that `Connection` names (RFC 9110 7.6.1)."""

_NOT_FORWARDED = _HOP_BY_HOP | {"host", "content-length", "expect", "cookie", "accept-encoding"}
"""Beside those: what is made anew for the provider, and what this server has dealt with."""

_NOT_RELAYED = _HOP_BY_HOP | {
    "content-length",
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
    "date",
}
"""Beside those: what is true of the provider's address only, and what this server says itself."""
_CORS = "access-control-"

_NOT_KEPT = frozenset({"openai-organization", "openai-project", "anthropic-organization-id"})
"""They say whose key it was."""


def forwarded_headers(lines: Headers) -> Headers:
    """What of a client's headers (names in lower case) goes to the provider, line by line."""
    dropped = _NOT_FORWARDED | _of_connection(lines)
    return tuple(line for line in lines if line[0] not in dropped and not is_steering(line[0]))


def is_steering(name: str) -> bool:
    """Whether a header (or, where a page asks for a WebSocket, a query key) is meant for this server."""
    return name == "x-test-id" or name.startswith("x-aimock-")


def without_handshake(lines: Headers) -> tuple[Headers, tuple[str, ...]]:
    """A WebSocket's headers without those of its handshake with this server, and the subprotocols that were offered. A
    key among these, as pages send it, becomes a header: so one rule says with which key a request goes on."""
    kept = [line for line in lines if not line[0].startswith("sec-websocket-")]
    offered = [offer.strip() for name, value in lines if name == "sec-websocket-protocol" for offer in value.split(",")]
    keys = [offer for offer in offered if offer.startswith(CREDENTIAL_SUBPROTOCOL)]
    if keys and not any(name == "authorization" for name, _ in kept):
        kept.append(("authorization", f"Bearer {keys[0].removeprefix(CREDENTIAL_SUBPROTOCOL)}"))
    return tuple(kept), tuple(offer for offer in offered if offer and offer not in keys)


def relayed_headers(headers: Headers) -> Headers:
    """What of a provider's headers (names in lower case) goes to the client, line by line."""
    dropped = _NOT_RELAYED | _of_connection(headers)
    return tuple(line for line in headers if line[0] not in dropped and not line[0].startswith(_CORS))


def kept_headers(relayed: Headers) -> Headers:
    """What of the headers that went to the client is recorded."""
    return tuple(line for line in relayed if line[0] not in _NOT_KEPT)


def _of_connection(lines: Headers) -> set[str]:
    return {token.strip().lower() for name, value in lines if name == "connection" for token in value.split(",")}

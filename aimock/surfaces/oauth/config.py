"""The `auth` of a service: `true`, or an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock.reading import (
    Check,
    Fields,
    filled,
    flag,
    many,
    mapping_of,
    members,
    number,
    object_schema,
    reads,
    unlike,
    wrong,
)
from aimock_protocols.oauth.clients import Client, check_redirect_uri, is_document
from aimock_protocols.oauth.metadata import GRANT_TYPES, SECRET_METHODS
from aimock_protocols.oauth.parameters import is_scope


@attrs.frozen
class AuthConfig:
    """How a service is guarded."""

    scopes: tuple[str, ...] = ()
    """Those that every request needs."""
    method_scopes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """What more a JSON-RPC method needs, by its name, or by `tools/call NAME` for one tool."""
    access_token_seconds: float = 3600
    refresh_token_seconds: float | None = None
    """None: for ever."""
    code_seconds: float = 60
    refresh_tokens: bool = True
    """Whether refresh tokens are given out."""
    rotate_refresh_tokens: bool = True
    """Whether each can be used once, and brings the next (OAuth 2.1 4.3.1)."""
    registration: bool = True
    """Whether clients may register themselves."""
    client_metadata_documents: bool = True
    """Whether a client's id may be the URL of its metadata, which is not fetched."""
    clients: tuple[Client, ...] = ()

    @property
    def supported(self) -> tuple[str, ...]:
        """All scopes that there are; none: any is granted."""
        more = (scope for scopes in self.method_scopes.values() for scope in scopes)
        return tuple(dict.fromkeys((*self.scopes, *more)))


def read_auth(value: Any) -> AuthConfig | None:
    """As a config section has it; None: nobody is kept out. Raises ValueError that names the key."""
    if isinstance(value, AuthConfig):
        return value
    if isinstance(value, bool):
        return AuthConfig() if value else None
    if not isinstance(value, Mapping):
        raise unlike("auth", "true, false or an object", value)
    return AuthConfig(**members(value, "auth", _KEYS))


def auth_schema() -> dict[str, Any]:
    """What `read_auth` reads, as a JSON Schema."""
    return {"anyOf": [{"type": "boolean"}, object_schema({key: read for key, (_, read) in _KEYS.items()})]}


# -- its keys ----------------------------------------------------------------------------------------------------------


def _array_of(expected: str, items: Mapping[str, Any], holds: Callable[[Any], bool]) -> Check[tuple[Any, ...]]:
    @reads({"type": "array", "items": items})
    def read(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not all(holds(each) for each in value):
            raise unlike(place, f"an array of {expected}", value)
        return tuple(value)

    return read


_TEXT = {"type": "string"}
_SCOPES = _array_of("scopes, which have no spaces in them", _TEXT, is_scope)


def _is_target(value: Any) -> bool:
    return isinstance(value, str) and check_redirect_uri(value) is None


_CLIENT_KEYS: Fields = {
    "clientId": ("client_id", filled),
    "clientSecret": ("secret", filled),
    "redirectUris": (
        "redirect_uris",
        _array_of("URIs by https, to loopback, or of a scheme of their own", _TEXT, _is_target),
    ),
    "grantTypes": (
        "grant_types",
        _array_of(", ".join(GRANT_TYPES), {"enum": list(GRANT_TYPES)}, GRANT_TYPES.__contains__),
    ),
    "scopes": ("scopes", _SCOPES),
}


@reads(object_schema({key: read for key, (_, read) in _CLIENT_KEYS.items()}, ("clientId",)))
def _client(value: Any, place: str) -> Client:
    told = members(value, place, _CLIENT_KEYS, ("clientId",))
    if "secret" in told:
        told["auth_method"] = SECRET_METHODS[0]
    elif "client_credentials" in told.get("grant_types", ()):
        raise wrong(place, "client_credentials needs a clientSecret")
    told.setdefault("grant_types", GRANT_TYPES if "secret" in told else GRANT_TYPES[:2])
    if "redirect_uris" not in told and is_document(told["client_id"]):
        told["redirect_uris"] = None
    return Client(**told)


@reads(many(_client).schema)
def _clients(value: Any, place: str) -> tuple[Client, ...]:
    return tuple(many(_client)(value, place))


_SECONDS = number(0, exclusive=True)
_KEYS: Fields = {
    "scopes": ("scopes", _SCOPES),
    "methodScopes": ("method_scopes", mapping_of(_SCOPES)),
    "accessTokenSeconds": ("access_token_seconds", _SECONDS),
    "refreshTokenSeconds": ("refresh_token_seconds", _SECONDS),
    "codeSeconds": ("code_seconds", _SECONDS),
    "refreshTokens": ("refresh_tokens", flag),
    "rotateRefreshTokens": ("rotate_refresh_tokens", flag),
    "registration": ("registration", flag),
    "clientMetadataDocuments": ("client_metadata_documents", flag),
    "clients": ("clients", _clients),
}

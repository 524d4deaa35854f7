"""The `auth` of a service: `true`, or an object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock.config import Check, boolean, filled_string, number, unknown_key
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
        raise ValueError(f"auth: expected true, false or an object, got {_shown(value)}")
    return AuthConfig(**_members(value, _KEYS, "auth"))


def auth_schema() -> dict[str, Any]:
    """What `read_auth` reads, as a JSON Schema."""
    return {"anyOf": [{"type": "boolean"}, _object_schema(_KEYS)]}


# -- its keys ----------------------------------------------------------------------------------------------------------

_Keys = Mapping[str, tuple[str, Check[Any]]]


class _Misplaced(ValueError):
    """Something wrong inside a value; the text begins with its place there."""


def _members(value: Mapping[str, Any], keys: _Keys, place: str) -> dict[str, Any]:
    """The members of an object, by their attributes. Raises ValueError."""
    members: dict[str, Any] = {}
    for key, given in value.items():
        if key not in keys:
            raise _Misplaced(f"{place}.{unknown_key(str(key), keys)}")
        attribute, check = keys[key]
        try:
            members[attribute] = check(given)
        except _Misplaced as error:
            raise _Misplaced(f"{place}.{key}{error}") from None
        except ValueError as error:
            raise _Misplaced(f"{place}.{key}: expected {error}, got {_shown(given)}") from None
    return members


def _object_schema(keys: _Keys, required: tuple[str, ...] = ()) -> dict[str, Any]:
    properties = {key: dict(check.schema) for key, (_, check) in keys.items()}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _shown(value: Any) -> str:
    return json.dumps(value, default=repr)[:80]


def _array_of(holds: Callable[[Any], bool], words: str) -> Callable[[Any], tuple[str, ...]]:
    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(holds(each) for each in value):
            raise ValueError(words)
        return tuple(value)

    return read


def _method_scopes(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ValueError("an object of arrays of scopes")
    return {key: _SCOPES(scopes) for key, scopes in value.items()}


def _clients(value: Any) -> tuple[Client, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("an array")
    return tuple(_client(each, f"[{place}]") for place, each in enumerate(value))


def _client(value: Any, place: str) -> Client:
    """Raises ValueError."""
    if not isinstance(value, Mapping):
        raise _Misplaced(f"{place}: expected an object")
    members = _members(value, _CLIENT_KEYS, place)
    if "client_id" not in members:
        raise _Misplaced(f"{place}: expected a clientId")
    if "secret" in members:
        members["auth_method"] = SECRET_METHODS[0]
    elif "client_credentials" in members.get("grant_types", ()):
        raise _Misplaced(f"{place}: client_credentials needs a clientSecret")
    members.setdefault("grant_types", GRANT_TYPES if "secret" in members else GRANT_TYPES[:2])
    if "redirect_uris" not in members and is_document(members["client_id"]):
        members["redirect_uris"] = None
    return Client(**members)


def _is_target(value: Any) -> bool:
    return isinstance(value, str) and check_redirect_uri(value) is None


_TEXTS = {"type": "array", "items": {"type": "string"}}
_SCOPES = Check(_array_of(is_scope, "an array of scopes, which have no spaces in them"), _TEXTS)
_SECONDS = number(0, exclusive=True)
_CLIENT_KEYS: _Keys = {
    "clientId": ("client_id", filled_string),
    "clientSecret": ("secret", filled_string),
    "redirectUris": (
        "redirect_uris",
        Check(_array_of(_is_target, "an array of URIs by https, to loopback, or of a scheme of their own"), _TEXTS),
    ),
    "grantTypes": (
        "grant_types",
        Check(
            _array_of(GRANT_TYPES.__contains__, f"an array of {', '.join(GRANT_TYPES)}"),
            {"type": "array", "items": {"enum": list(GRANT_TYPES)}},
        ),
    ),
    "scopes": ("scopes", _SCOPES),
}
_KEYS: _Keys = {
    "scopes": ("scopes", _SCOPES),
    "methodScopes": ("method_scopes", Check(_method_scopes, {"type": "object", "additionalProperties": _TEXTS})),
    "accessTokenSeconds": ("access_token_seconds", _SECONDS),
    "refreshTokenSeconds": ("refresh_token_seconds", _SECONDS),
    "codeSeconds": ("code_seconds", _SECONDS),
    "refreshTokens": ("refresh_tokens", boolean),
    "rotateRefreshTokens": ("rotate_refresh_tokens", boolean),
    "registration": ("registration", boolean),
    "clientMetadataDocuments": ("client_metadata_documents", boolean),
    "clients": (
        "clients",
        Check(_clients, {"type": "array", "items": _object_schema(_CLIENT_KEYS, ("clientId",))}),
    ),
}

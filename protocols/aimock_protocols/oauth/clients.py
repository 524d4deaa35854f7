"""Clients: how they register, prove who they are, and where their codes may be sent."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from aimock_protocols.oauth.errors import OAuthError
from aimock_protocols.oauth.metadata import AUTH_METHODS, GRANT_TYPES, SECRET_METHODS
from aimock_protocols.oauth.parameters import read_scopes

_MOST_URIS = 32
_NO_TARGETS = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
"""Schemes to which no code is ever sent."""


@attrs.frozen(eq=False)
class Client:
    """A client as the authorization server knows it."""

    client_id: str
    secret: str | None = attrs.field(default=None, repr=False)
    auth_method: str = "none"
    redirect_uris: tuple[str, ...] | None = ()
    """None: whatever is fit to be one, for a client whose document nobody has read."""
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    scopes: tuple[str, ...] = ()
    """Those that it may have; empty: all."""


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _member(metadata: Mapping[str, Any], name: str, default: list[str]) -> tuple[str, ...]:
    value = metadata.get(name)
    if value is None:
        return tuple(default)
    if not _strings(value):
        raise OAuthError("invalid_client_metadata", f"{name}: expected an array of strings")
    return tuple(value)


def registered(body: bytes, client_id: str, secret: str, supported: Sequence[str]) -> tuple[Client, dict[str, Any]]:
    """The client of a registration (RFC 7591 2), and what it is told: all that it said, and its id; the time is the
    caller's. `secret` becomes the client's if it wants to authenticate with one. Raises OAuthError."""
    try:
        metadata = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise OAuthError("invalid_client_metadata", "the body is not JSON") from None
    if not isinstance(metadata, dict):
        raise OAuthError("invalid_client_metadata", "expected a JSON object")
    grants = _member(metadata, "grant_types", ["authorization_code", "refresh_token"])
    unknown = [grant for grant in grants if grant not in GRANT_TYPES]
    if unknown or not grants:
        raise OAuthError("invalid_client_metadata", f"grant_types: expected some of {', '.join(GRANT_TYPES)}")
    uris = _member(metadata, "redirect_uris", [])
    if len(uris) > _MOST_URIS:
        raise OAuthError("invalid_redirect_uri", f"there are more than {_MOST_URIS}")
    for place, uri in enumerate(uris):
        _check_redirect(uri, f"redirect_uris[{place}]")
    method = metadata.get("token_endpoint_auth_method") or "client_secret_basic"
    if method not in AUTH_METHODS:
        known = ", ".join(AUTH_METHODS)
        raise OAuthError("invalid_client_metadata", f"token_endpoint_auth_method: expected one of {known}")
    if "authorization_code" in grants:
        if not uris:
            raise OAuthError("invalid_redirect_uri", "redirect_uris: expected at least one")
        if "code" not in _member(metadata, "response_types", ["code"]):
            raise OAuthError("invalid_client_metadata", 'response_types: expected "code" among them')
    if "client_credentials" in grants and method == "none":
        raise OAuthError("invalid_client_metadata", "client_credentials: needs a client that authenticates")
    scope = metadata.get("scope")
    if scope is not None and not isinstance(scope, str):
        raise OAuthError("invalid_client_metadata", "scope: expected a string")
    for each in read_scopes(scope or None):
        if supported and each not in supported:
            raise OAuthError("invalid_client_metadata", f"scope: {each!r:.60} is not supported")
    has_secret = method in SECRET_METHODS
    client = Client(client_id, secret if has_secret else None, method, uris, grants)
    told = {name: value for name, value in metadata.items() if value is not None} | {
        "client_id": client_id,
        "redirect_uris": list(uris),
        "grant_types": list(grants),
        "response_types": list(_member(metadata, "response_types", ["code"])),
        "token_endpoint_auth_method": method,
    }
    if has_secret:
        told |= {"client_secret": secret, "client_secret_expires_at": 0}
    return client, told


# -- who it is ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class Presented:
    """What a request to the token endpoint says of its client."""

    client_id: str
    secret: str | None = attrs.field(repr=False)
    method: str


def presented(authorization: str | None, form: Mapping[str, str]) -> Presented:
    """Raises OAuthError if it says nothing, two things at once, or nothing that can be read (RFC 6749 2.3.1)."""
    if authorization is None:
        if "client_id" not in form:
            raise OAuthError("invalid_client", "the request does not say which client it is from")
        secret = form.get("client_secret")
        return Presented(form["client_id"], secret, "none" if secret is None else "client_secret_post")
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not colon:
            raise ValueError
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_client", "expected Basic credentials in the Authorization header") from None
    if "client_secret" in form:
        raise OAuthError("invalid_request", "the client authenticates in two ways at once")
    client_id = urllib.parse.unquote_plus(name)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_client", "the header and the body name different clients")
    return Presented(client_id, urllib.parse.unquote_plus(secret), "client_secret_basic")


def prove(client: Client, said: Presented) -> None:
    """Raises OAuthError unless the client is who it says. A secret counts in either place."""
    if client.secret is None:
        if said.secret is not None:
            raise OAuthError("invalid_client", "this client has no secret")
    elif said.secret is None or not hmac.compare_digest(client.secret.encode(), said.secret.encode()):
        raise OAuthError("invalid_client", "the client's secret is missing or wrong")


def is_document(client_id: str) -> bool:
    """Whether a client's id can be the URL of its metadata (draft-ietf-oauth-client-id-metadata-document 3)."""
    url = _parsed(client_id)
    return (
        url is not None
        and url.scheme == "https"
        and bool(url.hostname)
        and url.path not in ("", "/")
        and not {".", ".."} & set(url.path.split("/"))
        and not url.fragment
        and url.username is None
    )


# -- where it is -------------------------------------------------------------------------------------------------------


def _parsed(uri: str) -> urllib.parse.SplitResult | None:
    try:
        url = urllib.parse.urlsplit(uri)
        _ = url.port
    except ValueError:
        return None
    return url


def _is_loopback(url: urllib.parse.SplitResult) -> bool:
    if url.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False


def check_redirect_uri(uri: str) -> str | None:
    """What is wrong with a redirect URI, if anything is (OAuth 2.1 2.3, MCP authorization: HTTPS, or loopback; native
    clients have schemes of their own)."""
    url = _parsed(uri)
    if url is None or not url.scheme or any(ord(letter) <= 0x20 or ord(letter) > 0x7E for letter in uri):
        return "expected an absolute URI"
    if "#" in uri:
        return "expected a URI without a fragment"
    if url.scheme in _NO_TARGETS:
        return f"expected another scheme than {url.scheme}"
    if url.scheme in ("http", "https") and not url.hostname:
        return "expected a URI with a host"
    if url.scheme == "http" and not _is_loopback(url):
        return "expected https, or a loopback address"
    return None


def _check_redirect(uri: str, place: str) -> None:
    fault = check_redirect_uri(uri)
    if fault is not None:
        raise OAuthError("invalid_redirect_uri", f"{place}: {fault}")


def redirect_uri(client: Client, asked: str | None) -> str:
    """Where to send the client's browser. Raises OAuthError, of which only the user may then be told."""
    known = client.redirect_uris
    if asked is None:
        if known is None or len(known) != 1:
            raise OAuthError("invalid_request", "the parameter 'redirect_uri' is missing")
        return known[0]
    if known is None:
        _check_redirect_of_request(asked)
    elif not any(_same_redirect(uri, asked) for uri in known):
        raise OAuthError("invalid_request", "redirect_uri: the client has not registered it")
    return asked


def _check_redirect_of_request(uri: str) -> None:
    fault = check_redirect_uri(uri)
    if fault is not None:
        raise OAuthError("invalid_request", f"redirect_uri: {fault}")


def _same_redirect(known: str, asked: str) -> bool:
    """To the letter, but for the port on the loopback interface (RFC 8252 7.3)."""
    if known == asked:
        return True
    first, second = _parsed(known), _parsed(asked)
    if first is None or second is None or first.scheme != "http" or not _is_loopback(first):
        return False
    return _without_port(first) == _without_port(second)


def _without_port(url: urllib.parse.SplitResult) -> tuple[str | None, ...]:
    return url.scheme, url.hostname, url.username, url.password, url.path, url.query, url.fragment

"""The request for an authorization code, and the redirect that answers it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Mapping, Sequence

import attrs

from aimock_protocols.oauth.clients import Client
from aimock_protocols.oauth.errors import OAuthError
from aimock_protocols.oauth.parameters import read_scopes, required

OFFLINE = "offline_access"
"""The scope with which clients ask for a refresh token; it is granted whether or not it is listed."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64url (RFC 7636 4.2)."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@attrs.frozen
class Asked:
    """What a client wants a code for."""

    scopes: tuple[str, ...]
    challenge: str = attrs.field(repr=False)
    redirect_uri: str | None
    """As the request has it: the token request must then say the same."""


def asked(parameters: dict[str, str], client: Client, resource: str, supported: Sequence[str]) -> Asked:
    """Raises OAuthError, which goes back by the redirect."""
    if required(parameters, "response_type") != "code":
        raise OAuthError("unsupported_response_type", 'response_type: expected "code"')
    if "authorization_code" not in client.grant_types:
        raise OAuthError("unauthorized_client", "the client is not registered for authorization_code")
    if "request" in parameters or "request_uri" in parameters:
        raise OAuthError("request_not_supported", "request objects are not supported")
    challenge = required(parameters, "code_challenge")
    if parameters.get("code_challenge_method") != "S256":  # absent means plain, which OAuth 2.1 has no more
        raise OAuthError("invalid_request", 'code_challenge_method: expected "S256"')
    if _CHALLENGE.fullmatch(challenge) is None:
        raise OAuthError("invalid_request", "code_challenge: expected a SHA-256 in base64url, without padding")
    check_resource(parameters, resource)
    return Asked(granted_scopes(parameters, client, supported), challenge, parameters.get("redirect_uri"))


def granted_scopes(parameters: Mapping[str, str], client: Client, supported: Sequence[str]) -> tuple[str, ...]:
    """Those asked for, or else all that there are for this client. Raises OAuthError for one that it cannot have."""
    most = client.scopes or tuple(supported)
    wanted = read_scopes(parameters.get("scope"))
    for scope in wanted:
        if most and scope not in most and scope != OFFLINE:
            raise OAuthError("invalid_scope", f"{scope!r:.60} is not one of {', '.join(most)}")
    return wanted or most


def check_resource(parameters: Mapping[str, str], resource: str) -> None:
    """Raises OAuthError if the token is wanted for another resource (RFC 8707 2)."""
    wanted = parameters.get("resource")
    if wanted is not None and _canonical(wanted) != _canonical(resource):
        raise OAuthError("invalid_target", f"resource: expected {resource}")


def _canonical(uri: str) -> tuple[str, ...] | None:
    """Case of scheme and host aside, and a slash at the end."""
    try:
        url = urllib.parse.urlsplit(uri)
    except ValueError:
        return None
    return url.scheme.lower(), url.netloc.lower(), url.path.rstrip("/"), url.query, url.fragment


def redirected(uri: str, parameters: Mapping[str, str]) -> str:
    """A redirect URI with parameters more; what its query has already stays (RFC 6749 3.1.2)."""
    return uri + ("&" if "?" in uri else "?") + urllib.parse.urlencode(parameters)


def check_verifier(challenge: str, parameters: dict[str, str]) -> None:
    """Raises OAuthError unless it is whose digest the challenge was (RFC 7636 4.6)."""
    verifier = required(parameters, "code_verifier")
    if _VERIFIER.fullmatch(verifier) is None:
        raise OAuthError("invalid_request", "code_verifier: expected 43 to 128 unreserved characters")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    if not hmac.compare_digest(digest, challenge.encode()):
        raise OAuthError("invalid_grant", "code_verifier: does not belong to the code")

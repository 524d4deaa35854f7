"""What a resource and its authorization server say of themselves, and where they say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WELL_KNOWN = "/.well-known/"
"""How the paths of documents begin that say what there is (RFC 8615)."""
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
"""RFC 9728 3; the path of the resource follows."""
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
"""RFC 8414 3; the path of the issuer follows."""
OPENID = "/.well-known/openid-configuration"
"""Likewise (RFC 8414 5); OpenID Connect itself appends it to the issuer."""

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
AUTH_METHODS = ("none", *SECRET_METHODS)


def protected_resource(resource: str, issuer: str, scopes: Sequence[str]) -> dict[str, Any]:
    """RFC 9728 2."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        **({"scopes_supported": list(scopes)} if scopes else {}),
        "bearer_methods_supported": ["header"],
    }


def authorization_server(
    issuer: str, endpoints: str, scopes: Sequence[str], *, registers: bool, takes_documents: bool
) -> dict[str, Any]:
    """RFC 8414 2. `endpoints`: the URL below which they are. `takes_documents`: whether the URL of a client's metadata
    may be its id."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{endpoints}/authorize",
        "token_endpoint": f"{endpoints}/token",
        **({"registration_endpoint": f"{endpoints}/register"} if registers else {}),
        "revocation_endpoint": f"{endpoints}/revoke",
        **({"scopes_supported": list(scopes)} if scopes else {}),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": takes_documents,
        "authorization_response_iss_parameter_supported": True,
    }


def openid(server: dict[str, Any], endpoints: str) -> dict[str, Any]:
    """The same with what OpenID Connect Discovery 1.0 requires besides, for clients that look only there. No id tokens
    are issued, so there is no key."""
    return server | {
        "jwks_uri": f"{endpoints}/jwks",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }

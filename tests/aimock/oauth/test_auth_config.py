"""The `auth` of a section: what it may say, and how it is told what it may not."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from aimock.surfaces.oauth.config import AuthConfig, auth_schema, read_auth

WHOLE = {
    "scopes": ["read"],
    "methodScopes": {"tools/call": ["write"]},
    "accessTokenSeconds": 60,
    "refreshTokenSeconds": 600.5,
    "codeSeconds": 1,
    "refreshTokens": True,
    "rotateRefreshTokens": False,
    "registration": False,
    "clientMetadataDocuments": False,
    "clients": [
        {"clientId": "a", "clientSecret": "s", "redirectUris": ["app.example:/cb"], "scopes": ["read"]},
        {"clientId": "https://app.example/c.json", "grantTypes": ["authorization_code"]},
        {"clientId": "b"},
    ],
}


def test_all_of_it() -> None:
    read = read_auth(WHOLE)
    assert read is not None
    assert read.supported == ("read", "write")
    assert (read.access_token_seconds, read.refresh_token_seconds, read.code_seconds) == (60, 600.5, 1)
    first, document, last = read.clients
    assert (first.auth_method, first.grant_types[-1]) == ("client_secret_basic", "client_credentials")
    assert document.redirect_uris is None
    assert (last.redirect_uris, last.grant_types) == ((), ("authorization_code", "refresh_token"))
    assert "'s'" not in repr(read)
    jsonschema.validate(WHOLE, auth_schema())


def test_the_short_forms() -> None:
    assert read_auth(True) == AuthConfig()
    assert read_auth(False) is None
    assert read_auth({}) == AuthConfig()
    assert read_auth(AuthConfig(("a",))) == AuthConfig(("a",))


@pytest.mark.parametrize(
    ("value", "says", "schema_sees_it"),
    [
        ("yes", "auth: expected true, false or an object", True),
        ({"scope": ["a"]}, 'auth.scope: unknown key, did you mean "scopes"?', True),
        ({"scopes": "a"}, "auth.scopes: expected an array of scopes", True),
        ({"scopes": ["a b"]}, "auth.scopes: expected an array of scopes", False),
        ({"methodScopes": ["a"]}, "auth.methodScopes: expected an object", True),
        ({"methodScopes": {"tools/call": "a"}}, "auth.methodScopes.tools/call: expected", True),
        ({"accessTokenSeconds": 0}, "auth.accessTokenSeconds: expected a number above 0, got 0", True),
        ({"accessTokenSeconds": "1"}, 'expected a number above 0, got "1"', True),
        ({"registration": 1}, "auth.registration: expected true or false, got 1", True),
        ({"clients": {}}, "auth.clients: expected an array", True),
        ({"clients": [1]}, "auth.clients[0]: expected an object", True),
        ({"clients": [{"clientId": "a"}, {}]}, "auth.clients[1].clientId: is missing", True),
        ({"clients": [{"clientId": ""}]}, "auth.clients[0].clientId: expected a string", True),
        ({"clients": [{"clientId": "a", "secret": "s"}]}, "auth.clients[0].secret: unknown key", True),
        (
            {"clients": [{"clientId": "a", "redirectUris": ["http://a/b"]}]},
            "redirectUris: expected an array of URIs",
            False,
        ),
        ({"clients": [{"clientId": "a", "grantTypes": ["password"]}]}, "grantTypes: expected an array of", True),
        ({"clients": [{"clientId": "a", "grantTypes": ["client_credentials"]}]}, "needs a clientSecret", False),
    ],
)
def test_what_it_may_not_say(value: Any, says: str, schema_sees_it: bool) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  the text is looked at below
        read_auth(value)
    assert says in str(error.value)
    if schema_sees_it:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, auth_schema())

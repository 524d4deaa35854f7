"""OAuth on the wire: what is taken, and what is refused with which error."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.oauth import authorization, clients, metadata, parameters, tokens
from aimock_protocols.oauth.clients import Client, Presented
from aimock_protocols.oauth.errors import OAuthError

RESOURCE = "http://localhost:4010/mcp"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CLIENT = Client("c1", redirect_uris=("http://127.0.0.1:3000/cb", "https://app.example/cb"))


def code_of(error: pytest.ExceptionInfo[OAuthError]) -> str:
    return error.value.code


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1&b=x+y%20z", {"a": "1", "b": "x y z"}),
        (b"a=%C3%A9", {"a": "é"}),
        ("a=&b=1", {"b": "1"}),
        ("", {}),
        ("a", {}),
    ],
)
def test_parameters_are_read_as_forms_are(text: bytes | str, expected: dict[str, str]) -> None:
    assert parameters.read_parameters(text) == expected


@pytest.mark.parametrize("text", ["a=1&a=2", "a=1&a=", b"\xff=1", "a=%ff", "&".join(f"a{n}=1" for n in range(65))])
def test_parameters_that_nobody_can_rely_on_are_refused(text: bytes | str) -> None:
    with pytest.raises(OAuthError) as error:
        parameters.read_parameters(text)
    assert code_of(error) == "invalid_request"


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=20), max_size=20))
def test_what_a_redirect_carries_is_read_again(told: dict[str, str]) -> None:
    encodable = {key: value for key, value in told.items() if (key + value).isprintable()}
    uri = authorization.redirected("http://localhost/cb?kept=1", encodable)
    assert parameters.read_parameters(urllib.parse.urlsplit(uri).query) == {"kept": "1"} | encodable


@pytest.mark.parametrize(
    ("text", "scopes"), [(None, ()), ("a", ("a",)), ("b a b", ("b", "a")), ("files:read https://x/y", None)]
)
def test_scopes_are_kept_once_in_their_order(text: str | None, scopes: tuple[str, ...] | None) -> None:
    read = parameters.read_scopes(text)
    assert read == (scopes if scopes is not None else tuple((text or "").split()))


@pytest.mark.parametrize("text", [" a", "a ", "a  b", 'a"b', "a\\b", "é", "a\tb", "\n"])
def test_scopes_beyond_the_grammar_are_refused(text: str) -> None:
    with pytest.raises(OAuthError) as error:
        parameters.read_scopes(text)
    assert code_of(error) == "invalid_scope"
    assert not parameters.is_scope(text)


# -- clients -----------------------------------------------------------------------------------------------------------

REGISTRATION: dict[str, Any] = {"redirect_uris": ["http://localhost:3000/cb"], "client_name": "Test"}


def registered(**changes: Any) -> tuple[Client, dict[str, Any]]:
    return clients.registered(orjson.dumps(REGISTRATION | changes), "id-1", "secret-1", ("read", "write"))


def test_a_registration_is_told_all_that_it_said_and_its_credentials() -> None:
    client, told = registered(scope="read", logo_uri=None)
    assert told == {
        "redirect_uris": ["http://localhost:3000/cb"],
        "client_name": "Test",
        "scope": "read",
        "client_id": "id-1",
        "client_secret": "secret-1",
        "client_secret_expires_at": 0,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    assert client.secret == "secret-1"
    assert "secret-1" not in repr(client)


def test_a_public_client_gets_no_secret() -> None:
    client, told = registered(token_endpoint_auth_method="none")
    assert client.secret is None
    assert not {"client_secret", "client_secret_expires_at"} & told.keys()


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri", "at least one"),
        ({"redirect_uris": None}, "invalid_redirect_uri", "at least one"),
        ({"redirect_uris": "http://localhost"}, "invalid_client_metadata", "redirect_uris"),
        ({"redirect_uris": ["http://evil.example/cb"]}, "invalid_redirect_uri", "redirect_uris[0]: expected https"),
        ({"redirect_uris": ["https://a/b", "https://a/b#c"]}, "invalid_redirect_uri", "redirect_uris[1]"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", "javascript"),
        ({"redirect_uris": ["/relative"]}, "invalid_redirect_uri", "absolute"),
        ({"redirect_uris": ["http://[::1"]}, "invalid_redirect_uri", "absolute"),
        ({"redirect_uris": ["https:///x"]}, "invalid_redirect_uri", "host"),
        ({"redirect_uris": ["https://a/\r\nx"]}, "invalid_redirect_uri", "absolute"),
        ({"redirect_uris": ["https://a/é"]}, "invalid_redirect_uri", "absolute"),
        ({"redirect_uris": ["https://a/"] * 33}, "invalid_redirect_uri", "32"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata", "grant_types"),
        ({"grant_types": []}, "invalid_client_metadata", "grant_types"),
        ({"grant_types": [1]}, "invalid_client_metadata", "grant_types"),
        ({"response_types": ["token"]}, "invalid_client_metadata", "response_types"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata", "token_endpoint_auth_method"),
        (
            {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"},
            "invalid_client_metadata",
            "authenticates",
        ),
        ({"scope": "read admin"}, "invalid_client_metadata", "admin"),
        ({"scope": 1}, "invalid_client_metadata", "scope"),
        ({"scope": "a  b"}, "invalid_scope", "single spaces"),
    ],
)
def test_registrations_that_cannot_be_are_refused(changes: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(OAuthError) as error:
        registered(**changes)
    assert code_of(error) == code
    assert says in error.value.description


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff"])
def test_registrations_that_are_no_objects_are_refused(body: bytes) -> None:
    with pytest.raises(OAuthError) as error:
        clients.registered(body, "id", "secret", ())
    assert code_of(error) == "invalid_client_metadata"


@pytest.mark.parametrize(
    "uri",
    ["https://app.example/cb", "http://localhost/cb", "http://127.0.0.1:1/cb", "http://[::1]:9/cb", "cursor://mcp/cb"],
)
def test_fit_redirect_uris(uri: str) -> None:
    assert clients.check_redirect_uri(uri) is None


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "form", "expected"),
    [
        (None, {"client_id": "c"}, Presented("c", None, "none")),
        (None, {"client_id": "c", "client_secret": "s"}, Presented("c", "s", "client_secret_post")),
        (basic("c", "s"), {}, Presented("c", "s", "client_secret_basic")),
        (basic("c%2Fd", "s%3A%20t"), {"client_id": "c/d"}, Presented("c/d", "s: t", "client_secret_basic")),
        (basic("c", ""), {}, Presented("c", "", "client_secret_basic")),
    ],
)
def test_who_a_client_says_it_is(authorization: str | None, form: dict[str, str], expected: Presented) -> None:
    assert clients.presented(authorization, form) == expected


@pytest.mark.parametrize(
    ("authorization", "form", "code"),
    [
        (None, {}, "invalid_client"),
        ("Bearer abc", {}, "invalid_client"),
        ("Basic !!!", {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"no colon").decode(), {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"\xff:x").decode(), {}, "invalid_client"),
        (basic("c", "s"), {"client_id": "d"}, "invalid_client"),
        (basic("c", "s"), {"client_secret": "s"}, "invalid_request"),
    ],
)
def test_a_client_that_cannot_be_told(authorization: str | None, form: dict[str, str], code: str) -> None:
    with pytest.raises(OAuthError) as error:
        clients.presented(authorization, form)
    assert code_of(error) == code


@pytest.mark.parametrize(
    ("secret", "shown", "good"),
    [
        ("s", "s", True),
        (None, None, True),
        ("s", None, False),
        ("s", "S", False),
        (None, "s", False),
        ("s", "é", False),
    ],
)
def test_only_a_client_s_own_secret_proves_it(secret: str | None, shown: str | None, good: bool) -> None:
    client, said = Client("c", secret), Presented("c", shown, "none")
    if good:
        clients.prove(client, said)
    else:
        with pytest.raises(OAuthError) as error:
            clients.prove(client, said)
        assert code_of(error) == "invalid_client"


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("https://app.example/cb", True),
        ("http://127.0.0.1:3000/cb", True),
        ("http://127.0.0.1:51999/cb", True),  # RFC 8252 7.3
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.2:3000/cb", False),
        ("http://127.0.0.1:3000/cb/", False),
        ("http://127.0.0.1:3000/cb?x=1", False),
        ("https://app.example:444/cb", False),
        ("https://app.example/CB", False),
        ("https://app.example.evil/cb", False),
        ("http://127.0.0.1:port/cb", False),
    ],
)
def test_codes_go_only_where_the_client_said_at_first(asked: str, goes: bool) -> None:
    if goes:
        assert clients.redirect_uri(CLIENT, asked) == asked
    else:
        with pytest.raises(OAuthError) as error:
            clients.redirect_uri(CLIENT, asked)
        assert code_of(error) == "invalid_request"


def test_a_redirect_uri_may_be_left_out_where_there_is_one() -> None:
    assert clients.redirect_uri(Client("c", redirect_uris=("https://a/b",)), None) == "https://a/b"
    for uris in (("https://a/b", "https://a/c"), (), None):
        with pytest.raises(OAuthError):
            clients.redirect_uri(Client("c", redirect_uris=uris), None)


def test_a_client_whose_document_nobody_read_may_have_any_fit_redirect_uri() -> None:
    unread = Client("https://app.example/client.json", redirect_uris=None)
    assert clients.redirect_uri(unread, "http://localhost:9/cb") == "http://localhost:9/cb"
    with pytest.raises(OAuthError):
        clients.redirect_uri(unread, "http://evil.example/cb")


@pytest.mark.parametrize(
    ("client_id", "good"),
    [
        ("https://app.example/client.json", True),
        ("https://app.example/a?b=c", True),
        ("https://app.example", False),
        ("https://app.example/", False),
        ("http://app.example/client.json", False),
        ("https://app.example/../client.json", False),
        ("https://app.example/client.json#x", False),
        ("https://user@app.example/client.json", False),
        ("https:///client.json", False),
        ("https://[/client.json", False),
        ("c1", False),
    ],
)
def test_which_ids_can_be_documents(client_id: str, good: bool) -> None:
    assert clients.is_document(client_id) is good


# -- authorization -----------------------------------------------------------------------------------------------------

ASKING = {
    "response_type": "code",
    "client_id": "c1",
    "redirect_uri": "https://app.example/cb",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "scope": "read",
    "resource": RESOURCE,
}


def test_what_is_asked_for() -> None:
    asked = authorization.asked(ASKING, CLIENT, RESOURCE, ("read", "write"))
    assert asked == authorization.Asked(("read",), CHALLENGE, "https://app.example/cb")
    assert CHALLENGE not in repr(asked)
    without = {key: value for key, value in ASKING.items() if key not in ("scope", "resource")}
    assert authorization.asked(without, CLIENT, RESOURCE, ("read", "write")).scopes == ("read", "write")
    offline = ASKING | {"scope": "read offline_access"}
    assert authorization.asked(offline, CLIENT, RESOURCE, ("read",)).scopes == ("read", "offline_access")
    anything = ASKING | {"scope": "whatever"}
    assert authorization.asked(anything, CLIENT, RESOURCE, ()).scopes == ("whatever",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "http://localhost:4010/other"}, "invalid_target"),
        ({"resource": "http://["}, "invalid_target"),
        ({"resource": RESOURCE + "#x"}, "invalid_target"),
        ({"request": "eyJ"}, "request_not_supported"),
    ],
)
def test_what_cannot_be_asked_for(change: dict[str, str | None], code: str) -> None:
    given = {key: value for key, value in (ASKING | change).items() if value is not None}
    with pytest.raises(OAuthError) as error:
        authorization.asked(given, CLIENT, RESOURCE, ("read",))
    assert code_of(error) == code


def test_a_client_for_other_grants_gets_no_code() -> None:
    with pytest.raises(OAuthError) as error:
        authorization.asked(ASKING, Client("c", "s", grant_types=("client_credentials",)), RESOURCE, ())
    assert code_of(error) == "unauthorized_client"


@pytest.mark.parametrize("resource", [RESOURCE, RESOURCE + "/", "HTTP://LOCALHOST:4010/mcp"])
def test_the_resource_may_be_spelled_so(resource: str) -> None:
    authorization.check_resource({"resource": resource}, RESOURCE)


@pytest.mark.parametrize(
    ("verifier", "code"),
    [(VERIFIER, None), (None, "invalid_request"), ("short", "invalid_request"), ("w" * 43, "invalid_grant")],
)
def test_only_the_verifier_behind_the_challenge_proves(verifier: str | None, code: str | None) -> None:
    form = {} if verifier is None else {"code_verifier": verifier}
    if code is None:
        authorization.check_verifier(CHALLENGE, form)
    else:
        with pytest.raises(OAuthError) as error:
            authorization.check_verifier(CHALLENGE, form)
        assert code_of(error) == code


# -- tokens and metadata -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc.D-_~+/=", "abc.D-_~+/="),
        ("bearer  abc", "abc"),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer a b", None),
        ("Basic abc", None),
        ("Bearer ab\x00c", None),
    ],
)
def test_bearer_tokens_are_found(header: str | None, token: str | None) -> None:
    assert tokens.bearer(header) == token


def test_what_is_not_there_is_not_said() -> None:
    assert tokens.token_response("a", 60, (), None) == {"access_token": "a", "token_type": "Bearer", "expires_in": 60}
    assert "scopes_supported" not in metadata.protected_resource(RESOURCE, "http://i", ())
    told = metadata.authorization_server("http://i", "http://i/oauth", (), registers=False, takes_documents=False)
    assert not {"registration_endpoint", "scopes_supported"} & told.keys()


def test_metadata_is_what_the_official_client_reads() -> None:
    auth = pytest.importorskip("mcp.shared.auth")
    told = metadata.authorization_server(
        "http://i/mcp", "http://i/mcp/oauth", ("read",), registers=True, takes_documents=True
    )
    read = auth.OAuthMetadata.model_validate(metadata.openid(told, "http://i/mcp/oauth"))
    assert read.client_id_metadata_document_supported
    assert str(read.registration_endpoint) == "http://i/mcp/oauth/register"
    resource = auth.ProtectedResourceMetadata.model_validate(
        metadata.protected_resource(RESOURCE, "http://i", ("read",))
    )
    assert resource.scopes_supported == ["read"]

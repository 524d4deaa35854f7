"""The authorization server: who is let in, for how long, and what everybody else hears."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aimock import AIMock
from aimock.config import ConfigError, load_config
from aimock.surfaces.mock import ServiceMock
from guarded import REDIRECT, VERIFIER, Clock, Door, Guarded, told

Make = Callable[..., Guarded]
SECRET = "a secret of ours: 100%"
CLIENTS = [
    {"clientId": "robot", "clientSecret": SECRET, "grantTypes": ["client_credentials"], "scopes": ["read"]},
    {"clientId": "app", "redirectUris": [REDIRECT]},
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Iterator[Make]:
    with AIMock(seed=1, wall_clock=clock, metrics=True) as mock, contextlib.ExitStack() as stack:
        yield lambda auth=True: stack.enter_context(Guarded(mock, auth))


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


# -- the door ----------------------------------------------------------------------------------------------------------


def test_nobody_gets_in_without_a_token_and_hears_where_to_get_one(make: Make) -> None:
    door = make({"scopes": ["read"]})
    answer = door.enter()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{door.mock.url}/.well-known/oauth-protected-resource/door", scope="read"'
    )
    answer = door.enter("made-up")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="the access')
    assert answer.json() == {"error": "invalid_token", "error_description": "the access token is unknown"}


def test_the_whole_way(make: Make) -> None:
    door = make({"scopes": ["read"], "accessTokenSeconds": 60})
    client = door.register(client_name="Test")
    sent = told(door.authorize(client["client_id"]))
    assert sent["state"] == "s1"
    assert sent["iss"] == door.url
    answer = door.exchange(client["client_id"], sent["code"], resource=door.url)
    tokens = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert tokens | {"access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "read",
        "refresh_token": "",
    }
    assert door.enter(tokens["access_token"]).text == "welcome /"
    assert door.http.get("/door/other").status_code == 401
    assert door.http.get("/.well-known/door").status_code == 200  # where clients look before they have a token


def test_tokens_end_with_time_and_are_refreshed_once_each(make: Make, clock: Clock) -> None:
    door = make({"accessTokenSeconds": 60, "refreshTokenSeconds": 600})
    client_id, tokens = door.let_in()
    clock.now += 59.9
    assert door.enter(tokens["access_token"]).status_code == 200
    clock.now += 0.1
    assert door.enter(tokens["access_token"]).json()["error_description"] == "the access token has expired"
    fresh = door.refresh(client_id, tokens["refresh_token"]).json()
    assert door.enter(fresh["access_token"]).status_code == 200
    assert fresh["refresh_token"] != tokens["refresh_token"]
    stolen = door.refresh(client_id, tokens["refresh_token"])  # used before: everything of the grant falls with it
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert door.enter(fresh["access_token"]).json()["error_description"] == "the access token was revoked"
    client_id, tokens = door.let_in()
    clock.now += 600
    assert "expired" in door.refresh(client_id, tokens["refresh_token"]).json()["error_description"]


def test_refresh_tokens_may_live_on_or_not_be_there(make: Make) -> None:
    door = make({"rotateRefreshTokens": False})
    client_id, tokens = door.let_in()
    for _ in range(2):
        again = door.refresh(client_id, tokens["refresh_token"]).json()
        assert "refresh_token" not in again
        assert door.enter(again["access_token"]).status_code == 200
    with AIMock() as other, Guarded(other, {"refreshTokens": False}) as door:
        assert "refresh_token" not in door.let_in()[1]


def test_a_code_is_good_once_and_for_a_minute(make: Make, clock: Clock) -> None:
    door = make()
    client_id = door.register()["client_id"]
    code = told(door.authorize(client_id))["code"]
    tokens = door.exchange(client_id, code).json()
    assert door.exchange(client_id, code).json()["error_description"] == "the authorization code was used before"
    assert door.enter(tokens["access_token"]).status_code == 401
    code = told(door.authorize(client_id))["code"]
    clock.now += 60
    assert door.exchange(client_id, code).json()["error_description"] == "the authorization code has expired"


def test_a_code_stays_good_where_the_request_was_bad(make: Make) -> None:
    door = make({"clients": CLIENTS})
    client_id = door.register()["client_id"]
    code = told(door.authorize(client_id))["code"]
    assert door.exchange("app", code).json()["error"] == "invalid_grant"
    assert door.exchange(client_id, code, code_verifier="w" * 43).json()["error"] == "invalid_grant"
    assert door.exchange(client_id, code, redirect_uri=REDIRECT + "x").json()["error"] == "invalid_grant"
    assert door.exchange(client_id, code, resource="http://elsewhere/").json()["error"] == "invalid_target"
    assert door.exchange(client_id, code).status_code == 200


def test_refreshing_gives_no_more_than_was_granted(make: Make) -> None:
    door = make({"scopes": ["read"], "methodScopes": {"tools/call": ["write"]}})
    client_id, tokens = door.let_in(scope="read write")
    less = door.refresh(client_id, tokens["refresh_token"], scope="read").json()
    assert less["scope"] == "read"
    more = door.refresh(client_id, less["refresh_token"], scope="read write")  # the refresh token has them all still
    assert more.json()["scope"] == "read write"
    client_id, tokens = door.let_in(scope="read")
    assert door.refresh(client_id, tokens["refresh_token"], scope="write").json()["error"] == "invalid_scope"


def test_some_methods_need_more(make: Make) -> None:
    door = make({"scopes": ["read"], "methodScopes": {"tools/call": ["write"], "tools/call drop": ["admin"]}})
    _, tokens = door.let_in(scope="read")
    token = tokens["access_token"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop"}}
    assert door.enter(token, {"method": "tools/list"}).status_code == 200
    answer = door.enter(token, call)
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope", error_description="the token lacks write admin"')
    assert challenge.endswith('scope="read write admin"')
    assert door.enter(token, [{"method": "tools/list"}, call]).status_code == 403
    _, tokens = door.let_in(scope="read write admin")
    assert door.enter(tokens["access_token"], call).status_code == 200
    for odd in ("not json", [1, None], {"method": 1}, {"method": "tools/call", "params": 3}):
        assert door.enter(tokens["access_token"], odd).status_code == 200  # the service says what is wrong with it


def test_client_credentials(make: Make) -> None:
    door = make({"scopes": ["read"], "clients": CLIENTS})
    answer = door.token(
        basic("robot", "a+secret+of+ours%3A+100%25"), grant_type="client_credentials", resource=door.url
    )
    assert answer.json() | {"access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "read",
    }
    assert door.enter(answer.json()["access_token"]).status_code == 200
    posted = {"client_id": "robot", "client_secret": SECRET}
    assert door.token(grant_type="client_credentials", **posted).status_code == 200
    assert door.token(grant_type="client_credentials", scope="admin", **posted).json()["error"] == "invalid_scope"


def test_a_document_is_a_client_without_being_registered(make: Make) -> None:
    door = make()
    client_id, tokens = door.let_in("https://app.example/client.json")
    assert client_id == "https://app.example/client.json"
    assert door.enter(tokens["access_token"]).status_code == 200
    with AIMock() as other, Guarded(other, {"clientMetadataDocuments": False}) as shut:
        assert shut.authorize("https://app.example/client.json").status_code == 400
        metadata = shut.http.get("/.well-known/oauth-authorization-server/door").json()
        assert metadata["client_id_metadata_document_supported"] is False


def test_revocation_is_what_its_endpoint_says(make: Make) -> None:
    door = make({"clients": CLIENTS})
    client_id, tokens = door.let_in()

    def revoke(token: str, client: str = client_id) -> httpx.Response:
        return door.http.post(f"{door.endpoints}/revoke", data={"token": token, "client_id": client})

    assert revoke(tokens["access_token"], "app").status_code == 200  # not that client's, and nobody is told so
    assert door.enter(tokens["access_token"]).status_code == 200
    answer = revoke(tokens["access_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert door.enter(tokens["access_token"]).status_code == 401
    fresh = door.refresh(client_id, tokens["refresh_token"]).json()
    assert revoke(fresh["refresh_token"]).status_code == 200
    assert door.enter(fresh["access_token"]).json()["error_description"] == "the access token was revoked"
    assert revoke("made-up").status_code == 200
    assert (
        door.http.post(f"{door.endpoints}/revoke", data={"client_id": client_id}).json()["error"] == "invalid_request"
    )
    assert revoke("x", "nobody").status_code == 401


# -- metadata ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource/door", "/.well-known/oauth-protected-resource"]
)
def test_the_resource_says_who_guards_it(make: Make, path: str) -> None:
    door = make({"scopes": ["read"], "methodScopes": {"tools/call": ["write", "read"]}})
    assert door.http.get(path).json() == {
        "resource": door.url,
        "authorization_servers": [door.url],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/.well-known/oauth-authorization-server/door", "/door"),
        ("/.well-known/openid-configuration/door", "/door"),
        ("/door/.well-known/openid-configuration", "/door"),
        ("/.well-known/oauth-authorization-server", ""),
        ("/.well-known/openid-configuration", ""),
    ],
)
def test_the_server_is_the_issuer_that_it_was_asked_as(make: Make, path: str, issuer: str) -> None:
    door = make()
    told = door.http.get(path).json()
    assert told["issuer"] == door.mock.url + issuer
    assert told["token_endpoint"] == door.url + "/oauth/token"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert ("jwks_uri" in told) == ("openid" in path)
    assert door.http.get("/door/oauth/jwks").json() == {"keys": []}


def test_two_services_have_two_servers(make: Make) -> None:
    door = make()
    door.mock.mount("/other", ServiceMock(Door(), auth=True))
    _, tokens = door.let_in()
    other = door.http.post("/other", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert other.status_code == 401
    assert other.headers["www-authenticate"].count("/oauth-protected-resource/other") == 1
    assert door.http.get("/.well-known/oauth-protected-resource/other").json()["resource"].endswith("/other")


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"host": "mock.test:81"}, "http://mock.test:81"),
        ({"host": "mock.test", "x-forwarded-proto": "https"}, "https://mock.test"),
        ({"host": "mock.test", "x-forwarded-proto": "gopher"}, "http://mock.test"),
        ({"host": "[::1]:81"}, "http://[::1]:81"),
        ({"host": 'evil" onload="x'}, "http://localhost"),
    ],
)
def test_addresses_are_the_client_s_own(make: Make, headers: dict[str, str], origin: str) -> None:
    door = make()
    told = door.http.get("/.well-known/oauth-protected-resource/door", headers=headers).json()
    assert told["resource"] == origin + "/door"


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"client_id": "nobody"}, {"client_id": None}, {"redirect_uri": "http://127.0.0.1:9/other"}, {"redirect_uri": "x"}],
)
def test_nobody_is_sent_anywhere_who_cannot_be_trusted(make: Make, change: dict[str, str | None]) -> None:
    door = make()
    asked = {"client_id": door.register()["client_id"]} | change
    answer = door.authorize(**asked)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
    ],
)
def test_what_is_wrong_goes_back_by_the_redirect(make: Make, change: dict[str, str], error: str) -> None:
    door = make({"scopes": ["read"]})
    sent = told(door.authorize(door.register()["client_id"], **change))
    assert sent["error"] == error
    assert sent["state"] == "s1"
    assert sent["iss"] == door.url
    assert "code" not in sent


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({"grant_type": "x"}, {}, 401, "invalid_client"),
        ({"client_id": "nobody", "grant_type": "client_credentials"}, {}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, basic("robot", "wrong"), 401, "invalid_client"),
        ({"client_id": "robot", "grant_type": "client_credentials"}, {}, 401, "invalid_client"),
        ({"client_id": "app"}, {}, 400, "invalid_request"),
        ({"client_id": "app", "grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        ({"client_id": "app", "grant_type": "client_credentials"}, {}, 400, "unauthorized_client"),
        ({"client_id": "app", "grant_type": "authorization_code"}, {}, 400, "invalid_request"),
        ({"client_id": "app", "grant_type": "authorization_code", "code": "x"}, {}, 400, "invalid_grant"),
        ({"client_id": "app", "grant_type": "refresh_token"}, {}, 400, "invalid_request"),
        ({"client_id": "app", "grant_type": "refresh_token", "refresh_token": "x"}, {}, 400, "invalid_grant"),
    ],
)
def test_what_gets_no_token(make: Make, form: dict[str, str], headers: dict[str, str], status: int, error: str) -> None:
    door = make({"clients": CLIENTS})
    answer = door.token(headers, **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401 and bool(headers))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"{}"), ("", b"a=1"), ("application/x-www-form-urlencoded", b"grant_type=a&grant_type=b")],
)
def test_a_token_request_is_a_form(make: Make, content_type: str, body: bytes) -> None:
    door = make()
    answer = door.http.post(f"{door.endpoints}/token", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_registration_may_be_shut(make: Make) -> None:
    door = make({"registration": False})
    assert door.http.post(f"{door.endpoints}/register", json={"redirect_uris": [REDIRECT]}).status_code == 400
    assert "registration_endpoint" not in door.http.get("/.well-known/oauth-authorization-server/door").json()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/door/oauth/token", "POST"),
        ("PUT", "/door/oauth/authorize", "GET, POST"),
        ("POST", "/door/oauth/jwks", "GET"),
        ("DELETE", "/door/oauth/register", "POST"),
    ],
)
def test_other_methods(make: Make, method: str, path: str, allow: str) -> None:
    answer = make().http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_a_page_may_ask(make: Make) -> None:
    door = make()
    headers = {"origin": "http://page.test", "access-control-request-method": "POST"}
    assert door.http.options("/door", headers=headers).status_code == 204
    assert door.enter().headers["access-control-allow-origin"] == "*"


# -- on command --------------------------------------------------------------------------------------------------------


def test_tokens_end_on_command(make: Make) -> None:
    door = make({"clients": CLIENTS})
    oauth = door.service.oauth
    client_id, tokens = door.let_in()
    _, others = door.let_in("app")
    assert oauth.status() == {"clients": 3, "accessTokens": 2, "refreshTokens": 2, "failures": {}}
    assert oauth.expire_tokens(client_id) == 1
    assert door.enter(tokens["access_token"]).json()["error_description"] == "the access token has expired"
    assert door.enter(others["access_token"]).status_code == 200
    fresh = door.refresh(client_id, tokens["refresh_token"]).json()
    assert oauth.expire_tokens(refresh_tokens=True) == 4
    assert door.refresh(client_id, fresh["refresh_token"]).json()["error"] == "invalid_grant"
    client_id, tokens = door.let_in()
    assert oauth.revoke() == 1
    assert door.enter(tokens["access_token"]).json()["error_description"] == "the access token was revoked"
    assert (
        door.refresh(client_id, tokens["refresh_token"]).json()["error_description"] == "the refresh token was revoked"
    )
    oauth.reset()
    assert oauth.status() == {"clients": 2, "accessTokens": 0, "refreshTokens": 0, "failures": {}}


def test_what_fails_on_command(make: Make) -> None:
    door = make()
    oauth = door.service.oauth
    client_id, tokens = door.let_in()
    oauth.fail_next("resource")
    oauth.fail_next("resource", "insufficient_scope", description="not today")
    assert [door.enter(tokens["access_token"]).status_code for _ in range(3)] == [401, 403, 200]
    oauth.fail_next("token", times=2)
    oauth.fail_next("token", "temporarily_unavailable")
    oauth.fail_next("token", "slow_down", status=429)
    answers = [door.refresh(client_id, "x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 503, 429]
    assert answers[0].json() == {"error": "invalid_grant", "error_description": "failed on command"}
    oauth.fail_next("authorize")
    assert told(door.authorize(client_id))["error"] == "access_denied"
    oauth.fail_next("authorize", "wrong_issuer")
    assert told(door.authorize(client_id))["iss"] == "https://elsewhere.example"
    oauth.fail_next("authorize", "wrong_state")
    assert told(door.authorize(client_id))["state"] == "another"
    oauth.fail_next("metadata", "wrong_issuer")
    oauth.fail_next("metadata")
    metadata = "/.well-known/oauth-authorization-server/door"
    assert door.http.get(metadata).json()["issuer"] == "https://elsewhere.example"
    assert door.http.get(metadata).status_code == 500
    oauth.fail_next("register", status=403)
    assert door.http.post(f"{door.endpoints}/register", json={}).status_code == 403
    oauth.fail_next("revoke")
    assert door.http.post(f"{door.endpoints}/revoke", data={}).status_code == 503
    assert oauth.status()["failures"] == {}
    assert door.enter(tokens["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"endpoint": "door"}, "endpoint: expected one of"),
        ({"endpoint": "token", "error": "No Code"}, "error: expected a code"),
        ({"endpoint": "token", "error": "wrong_state"}, "goes with authorize"),
        ({"endpoint": "resource", "error": "invalid_grant"}, "a resource says one of"),
        ({"endpoint": "token", "status": 200}, "status: expected"),
        ({"endpoint": "token", "times": 0}, "times: expected"),
        ({"endpoint": "token", "times": 1001}, "times: expected"),
        ({"endpoint": "token", "description": 'a "quote"'}, "description: expected"),
    ],
)
def test_failures_that_cannot_be(make: Make, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make().service.oauth.fail_next(**given)


def test_failures_do_not_pile_up(make: Make) -> None:
    oauth = make().service.oauth
    oauth.fail_next("token", times=1000)
    with pytest.raises(ValueError, match="at most 1000"):
        oauth.fail_next("token")


def test_the_control_api_says_the_same(make: Make) -> None:
    door = make()
    client_id, tokens = door.let_in()

    def command(body: Any, mount: str = "door") -> httpx.Response:
        return door.http.post(f"/__aimock/services/{mount}/oauth", json=body)

    assert command({"expireTokens": True}).json()["expireTokens"] == 1
    assert door.enter(tokens["access_token"]).status_code == 401
    done = command({"revoke": {"clientId": client_id}, "failNext": [{"endpoint": "token", "times": 2}]}).json()
    assert done == {
        "revoke": 1,
        "failNext": 2,
        "status": {"clients": 1, "accessTokens": 0, "refreshTokens": 0, "failures": {"token": 2}},
    }
    assert command({"reset": True}).json()["status"]["clients"] == 0
    assert command({}, "nowhere").status_code == 400
    door.mock.mount("/open", ServiceMock(Door()))
    assert "has no auth" in command({}, "open").json()["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"expireToken": True}, 'did you mean "expireTokens"'),
        ({"expireTokens": 1}, "expireTokens: expected true or an object"),
        ({"expireTokens": {"client": "a"}}, 'did you mean "clientId"'),
        ({"expireTokens": {"refreshTokens": 1}}, "expireTokens.refreshTokens"),
        ({"revoke": {"clientId": 1}}, "revoke.clientId"),
        ({"failNext": "token"}, "failNext: expected"),
        ({"failNext": {"endpoint": "x"}}, "failNext.endpoint"),
        ({"failNext": {"endpont": "x"}}, "failNext.endpont: unknown key"),
        ({"reset": 1}, "reset: expected true"),
        ({"revoke": True, "reset": 0}, "reset: expected true"),
    ],
)
def test_commands_that_cannot_be_change_nothing(make: Make, body: dict[str, Any], says: str) -> None:
    door = make()
    _, tokens = door.let_in()
    answer = door.http.post("/__aimock/services/door/oauth", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert door.enter(tokens["access_token"]).status_code == 200


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_no_token_is_ever_shown(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    door = make({"clients": CLIENTS})
    secret = door.register(token_endpoint_auth_method="client_secret_post")["client_secret"]
    code = told(door.authorize("app"))["code"]
    tokens = door.exchange("app", code).json()
    door.enter(tokens["access_token"])
    door.enter("made-up-token")
    fresh = door.refresh("app", tokens["refresh_token"]).json()
    door.token(basic("robot", SECRET), grant_type="client_credentials")
    door.http.post(f"{door.endpoints}/revoke", data={"client_id": "app", "token": fresh["refresh_token"]})
    door.http.get(f"{door.endpoints}/authorize?client_secret=hidden-1&refresh_token=hidden-2&code_verifier=hidden-3")
    shown = json.dumps(door.mock.get_requests()) + caplog.text + repr(door.service.service.guard)
    secrets = [secret, code, VERIFIER, SECRET, "made-up-token", "hidden-1", "hidden-2", "hidden-3"]
    secrets += [held[key] for held in (tokens, fresh) for key in ("access_token", "refresh_token")]
    assert [text for text in secrets if text in shown] == []
    entries = [
        (entry["path"].partition("?")[0], entry["body"], entry["response"]["status"])
        for entry in door.service.get_requests()
    ]
    assert entries[2] == (
        "/door/oauth/token",
        {"grant_type": "authorization_code", "client_id": "app", "redirect_uri": REDIRECT},
        200,
    )
    assert entries[1][1]["client_id"] == "app"
    metrics = door.http.get("/metrics").text
    assert 'aimock_mcp_requests_total{method="oauth/token"} 3' in metrics
    assert 'aimock_mcp_requests_total{method="oauth/challenge"} 1' in metrics


def test_tokens_follow_from_the_seed() -> None:
    def run(seed: int) -> tuple[str, dict[str, Any]]:
        with AIMock(seed=seed) as mock, Guarded(mock, True) as door:
            return door.let_in(resource=None)

    first, again, other = run(7), run(7), run(8)
    assert first == again
    assert first[1]["access_token"] != other[1]["access_token"]
    assert first[1]["access_token"] != first[1]["refresh_token"]


def test_no_more_is_remembered_than_there_is_room_for(clock: Clock) -> None:
    from aimock.surfaces.oauth.config import AuthConfig
    from aimock.surfaces.oauth.guard import Guard

    with AIMock(wall_clock=clock) as mock, Guarded(mock, None) as door:
        door.service.service.guard = Guard(AuthConfig(), max_clients=3, max_tokens=5)
        ways = [door.let_in() for _ in range(8)]
        assert door.service.oauth.status() == {"clients": 3, "accessTokens": 5, "refreshTokens": 5, "failures": {}}
        got_in = [door.enter(tokens["access_token"]).status_code for _, tokens in ways]
        assert got_in == [401] * 3 + [200] * 5
        assert door.authorize(ways[0][0]).status_code == 400


def test_it_stands_in_a_config_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    for auth, status in ((True, 401), (False, 202), ({"scopes": ["read"]}, 401)):
        file.write_text(json.dumps({"mcp": {"path": "/tools", "auth": auth}}))
        [(path, service)] = load_config(file).services
        with AIMock().mount(path, service) as mock:
            said = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}
            headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": said["method"]}
            assert httpx.post(mock.url + path, json=said, headers=headers).status_code == status
    file.write_text(json.dumps({"mcp": [{"auth": {"scope": []}}]}))
    with pytest.raises(ConfigError, match=r'mcp\[0\]\.auth\.scope: unknown key, did you mean "scopes"'):
        load_config(file)


def test_over_tls_its_addresses_say_so() -> None:
    with AIMock(tls=True) as mock, Guarded(mock, True) as door:
        context = ssl.create_default_context(cafile=str(mock.ca_file))
        answer = httpx.get(door.url, verify=context)
        assert f'resource_metadata="{mock.url}/.well-known' in answer.headers["www-authenticate"]
        assert mock.url.startswith("https://")


def test_a_service_that_lets_everybody_in_has_no_server(make: Make) -> None:
    door = make(False)
    assert door.enter().status_code == 200
    assert door.http.get("/.well-known/oauth-protected-resource/door").status_code == 404
    with pytest.raises(RuntimeError, match="auth=True"):
        _ = door.service.oauth

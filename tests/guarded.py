"""A guarded service that says who it let in, and a client that goes the whole way of OAuth by hand."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Iterable
from typing import Any, Self

import httpx

from aimock import AIMock
from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Whole
from aimock.surfaces.mock import ServiceMock
from aimock.surfaces.mounted import Mounted

REDIRECT = "http://127.0.0.1:9/cb"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Door(Mounted):
    """Lets everybody in, once they get here."""

    name = "mcp"

    @property
    def extra_routes(self) -> Iterable[tuple[str, str]]:
        return (("GET", "/.well-known/door"),)

    def respond(self, exchange: Exchange, path: str) -> Answer:
        self.noted(exchange, 200, "enter")
        return Whole(200, (), b"welcome " + path.encode(), exchange.fresh_headers)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        return Whole(status, (), message.encode(), exchange.fresh_headers)

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}

    def add(self, value: Any) -> int:
        return 0

    def reset(self) -> None:
        pass

    def rewind(self, test_id: str | None = None) -> None:
        pass


class Clock:
    """Time that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Guarded:
    """A running server with one guarded service at `/door`."""

    def __init__(self, mock: AIMock, auth: Any) -> None:
        self.mock = mock
        self.service: ServiceMock[Door] = ServiceMock(Door(), auth=auth)
        mock.mount("/door", self.service)
        self.url = mock.url + "/door"
        self.http = httpx.Client(base_url=mock.url)
        self.endpoints = "/door/oauth"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def enter(self, token: str | None = None, body: Any = None) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.http.post("/door", headers=headers, json=body)

    def register(self, **changes: Any) -> dict[str, Any]:
        said = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"} | changes
        answer = self.http.post(f"{self.endpoints}/register", json=said)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def authorize(self, client_id: str, **changes: str | None) -> httpx.Response:
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT,
            "state": "s1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": self.url,
        }
        given = {key: value for key, value in (asked | changes).items() if value is not None}
        return self.http.get(f"{self.endpoints}/authorize", params=given)

    def token(self, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        return self.http.post(f"{self.endpoints}/token", data=form, headers=headers)

    def exchange(self, client_id: str, code: str, **changes: str) -> httpx.Response:
        form = {"code": code, "client_id": client_id, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return self.token(grant_type="authorization_code", **(form | changes))

    def refresh(self, client_id: str, refresh_token: str, **changes: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", client_id=client_id, refresh_token=refresh_token, **changes)

    def let_in(self, client_id: str | None = None, **changes: str | None) -> tuple[str, dict[str, Any]]:
        """The whole way: a client's id, and its tokens."""
        client_id = client_id or self.register()["client_id"]
        answer = self.exchange(client_id, told(self.authorize(client_id, **changes))["code"])
        assert answer.status_code == 200, answer.text
        return client_id, answer.json()


def told(redirect: httpx.Response) -> dict[str, str]:
    """What a redirect tells the client."""
    assert redirect.status_code == 302, redirect.text
    location = redirect.headers["location"]
    assert location.startswith(REDIRECT + "?")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))

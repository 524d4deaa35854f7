"""Stands before a service: nobody is let in without a token of its own authorization server.

The endpoints lie under the mount, at `/oauth/…`; the metadata lies at the origin too, where clients look for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from aimock.exchange import Exchange
from aimock.net.exchange import Whole
from aimock.surfaces.oauth.config import AuthConfig, read_auth
from aimock.surfaces.oauth.endpoints import JSON, Call, Endpoints
from aimock.surfaces.oauth.failures import Failure, Failures, OnCommand
from aimock.surfaces.oauth.grants import Grants, Kind
from aimock_protocols.oauth import metadata
from aimock_protocols.oauth.errors import OAuthError
from aimock_protocols.oauth.parameters import written_scopes
from aimock_protocols.oauth.tokens import bearer, challenge

if TYPE_CHECKING:
    from aimock.surfaces.mounted import Mounted


class Guard:
    """The authorization server of one service."""

    def __init__(self, config: AuthConfig, *, max_clients: int = 1_000, max_tokens: int = 10_000) -> None:
        """`max_clients`: of those that register themselves. `max_tokens`: of each kind; the oldest go first."""
        self._config = config
        self._grants = Grants(config.clients, max_clients, max_tokens)
        self._failures = Failures()
        self._endpoints = Endpoints(config, self._grants, self._failures)

    # -- on command ------------------------------------------------------------------------------------------------

    def expire(self, now: float, client_id: str | None = None, *, refresh_tokens: bool = False) -> int:
        """Ends the time of all access tokens in force, and if told so of refresh tokens: so many."""
        kinds = (Kind.ACCESS, Kind.REFRESH) if refresh_tokens else (Kind.ACCESS,)
        return self._grants.expire(kinds, client_id, now)

    def revoke(self, now: float, client_id: str | None = None) -> int:
        """Revokes all that was granted, refresh tokens too. Returns how many grants those were."""
        return self._grants.revoke_all(client_id, now)

    def fail_next(self, failure: Failure, times: int = 1) -> None:
        """Raises ValueError if too many are waiting."""
        self._failures.add(failure, times)

    def status(self, now: float) -> dict[str, Any]:
        return self._grants.counts(now) | {"failures": self._failures.counts()}

    def reset(self) -> None:
        """Forgets clients that registered themselves, all tokens, and failures to come."""
        self._grants.clear()
        self._failures.clear()

    # -- what it answers -------------------------------------------------------------------------------------------

    def routes(self, mount: str) -> Iterator[tuple[str, str]]:
        """Methods and paths at the origin: with the mount's path in them, and without, for clients that know no better
        (MCP's revision of 2025-03-26)."""
        for path in (metadata.PROTECTED_RESOURCE, metadata.AUTHORIZATION_SERVER, metadata.OPENID):
            yield "GET", path + mount
            yield "GET", path

    def answer(self, service: Mounted, exchange: Exchange, path: str) -> Whole | None:
        """The answer to what is the guard's business: its own endpoints, and requests without a fit token. None: let
        it in, as everybody is who looks at what is well known, for clients do so before they have a token."""
        call = Call.of(service, exchange)
        answer = self._endpoints.answer(call, path)
        return self._judged(call) if answer is None and not path.startswith(metadata.WELL_KNOWN) else answer

    def _judged(self, call: Call) -> Whole | None:
        """None if the request has a token that is good for it."""
        needed = (*self._config.scopes, *self._more_scopes(call.exchange.request.body))
        presented = bearer(call.exchange.head.headers.get("authorization"))
        try:
            self._failures.strike("resource")
            if presented is None:
                raise OAuthError("invalid_token", "")
            self._check(presented, call.now, needed)
        except OAuthError as error:
            status = (error.failure.status if isinstance(error, OnCommand) else None) or error.status
            return self._challenged(call, error, status, needed, silent=presented is None)
        return None

    def expired(self, service: Mounted, exchange: Exchange) -> Whole:
        """The token of this request, which was good, ends; and what the client hears then."""
        call = Call.of(service, exchange)
        presented = bearer(exchange.head.headers.get("authorization"))
        if presented is not None:
            self._grants.expire_one(presented, call.now)
        error = OAuthError("invalid_token", "the access token has expired")
        return self._challenged(call, error, error.status, self._config.scopes, silent=False)

    def _check(self, presented: str, now: float, needed: tuple[str, ...]) -> None:
        """Raises OAuthError."""
        try:
            ticket = self._grants.valid(Kind.ACCESS, presented, now)
        except OAuthError as error:
            raise OAuthError("invalid_token", error.description) from None
        missing = [scope for scope in needed if scope not in ticket.scopes]
        if missing:
            raise OAuthError("insufficient_scope", f"the token lacks {written_scopes(missing)}")

    def _more_scopes(self, body: bytes) -> tuple[str, ...]:
        """What the JSON-RPC methods of a body need besides."""
        more = self._config.method_scopes
        if not more:
            return ()
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ()  # the service will say so
        messages = message if isinstance(message, list) else [message]
        keys = [key for each in messages if isinstance(each, dict) for key in _keys(each)]
        return tuple(dict.fromkeys(scope for key in keys for scope in more.get(key, ())))

    def _challenged(
        self, call: Call, error: OAuthError, status: int, needed: tuple[str, ...], *, silent: bool
    ) -> Whole:
        """A refusal that says what is wanted. `silent`: no error, since there was no token (RFC 6750 3.1)."""
        told = {} if silent and error.code == "invalid_token" else error.parameters
        asked = {"resource_metadata": call.origin + metadata.PROTECTED_RESOURCE + call.service.path}
        if needed:
            asked["scope"] = written_scopes(dict.fromkeys(needed))
        call.service.noted(call.exchange, status, "oauth/challenge")
        headers = (*JSON, ("www-authenticate", challenge(told | asked)))
        body = {"error": error.code, "error_description": error.description or "no access token"}
        return Whole(status, headers, orjson.dumps(body), call.exchange.fresh_headers)


def guard_of(auth: Any) -> Guard | None:
    """The guard that the `auth` of a section asks for, if it asks for one. Raises ValueError that names the key."""
    config = read_auth(auth)
    return None if config is None else Guard(config)


def _keys(message: Mapping[str, Any]) -> Iterator[str]:
    """By which a JSON-RPC message may be found among `method_scopes`."""
    method, params = message.get("method"), message.get("params")
    if isinstance(method, str):
        yield method
        if isinstance(params, dict):
            yield f"{method} {params.get('name')}"

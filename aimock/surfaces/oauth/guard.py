"""Stands before a service: an authorization server of its own, and nobody is let in without a token of it.

The endpoints lie under the mount, at `/oauth/…`; the metadata lies at the origin too, where clients look for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Headers, Whole
from aimock.surfaces.oauth.config import AuthConfig, read_auth
from aimock.surfaces.oauth.failures import ENDPOINTS, WRONG_ISSUER, WRONG_STATE, Failure, Failures
from aimock.surfaces.oauth.grants import Grant, Grants, Kind, Ticket
from aimock_protocols.oauth import authorization, clients, metadata
from aimock_protocols.oauth.clients import Client
from aimock_protocols.oauth.errors import OAuthError
from aimock_protocols.oauth.parameters import FORM, read_parameters, read_scopes, required, written_scopes
from aimock_protocols.oauth.tokens import NO_STORE, bearer, challenge, token_response

if TYPE_CHECKING:
    from aimock.surfaces.mounted import Mounted

_ENDPOINTS = "/oauth"
_JSON: Headers = (("content-type", "application/json"), *CORS)
_SHOWN = ("response_type", "grant_type", "client_id", "redirect_uri", "scope", "resource", "token_type_hint")
_SHOWN_OF_REGISTRATIONS = ("client_name", "redirect_uris", "grant_types", "scope", "token_endpoint_auth_method")
"""What the journal keeps of a request: nothing by which anybody could be let in."""
_ELSEWHERE = "https://elsewhere.example"
_FAIL_BY_THEMSELVES = ("authorize", "metadata")
"""Endpoints whose failures are not all errors."""
_TOKEN_LENGTH = 43
"""Of 62 characters each, 256 bits."""


class _Call(NamedTuple):
    """A request to an endpoint."""

    service: Mounted
    exchange: Exchange
    origin: str
    issuer: str
    """The resource too: a service is guarded by a server of its own."""

    @property
    def now(self) -> float:
        return self.exchange.stamp.created

    @property
    def endpoints(self) -> str:
        return self.issuer + _ENDPOINTS


class _Said(NamedTuple):
    """What an endpoint answers."""

    status: int
    body: Any = None
    headers: Headers = ()


class Guard:
    """The authorization server of one service."""

    def __init__(self, config: AuthConfig, *, max_clients: int = 1_000, max_tokens: int = 10_000) -> None:
        """`max_clients`: of those that register themselves. `max_tokens`: of each kind; the oldest go first."""
        self._config = config
        self._grants = Grants(config.clients, max_clients, max_tokens)
        self._failures = Failures()

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
        it in."""
        origin = exchange.origin
        call = _Call(service, exchange, origin, origin + service.path)
        found = self._endpoint(call, path)
        if found is None:
            return self._judged(call)
        name, methods, answer = found
        if exchange.head.method not in methods:
            allow = ", ".join(methods)
            said = _Said(
                405, {"error": "invalid_request", "error_description": f"expected {allow}"}, (("allow", allow),)
            )
            return self._sent(call, name, said)
        return self._sent(call, name, self._failing(call, name, answer))

    def _endpoint(self, call: _Call, path: str) -> tuple[str, tuple[str, ...], Callable[[_Call], _Said]] | None:
        if path in _ROUTES:
            name, methods, answer = _ROUTES[path]
            return name, methods, lambda call: answer(self, call)
        if not path.startswith("/.well-known/"):
            return None
        mount = call.service.path
        if path in (metadata.PROTECTED_RESOURCE, metadata.PROTECTED_RESOURCE + mount):
            return "resource_metadata", ("GET",), self._resource_metadata
        known = [known for known in (metadata.AUTHORIZATION_SERVER, metadata.OPENID) if path in (known, known + mount)]
        return ("metadata", ("GET",), self._server_metadata) if known else None

    def _failing(self, call: _Call, name: str, answer: Callable[[_Call], _Said]) -> _Said:
        """What an endpoint answers, or the error that it meets."""
        try:
            if name in ENDPOINTS and name not in _FAIL_BY_THEMSELVES:
                self._fail(name)
            return answer(call)
        except _OnCommand as error:
            return _Said(error.failure.status or error.status, error.parameters, NO_STORE)
        except OAuthError as error:
            headers: Headers = NO_STORE
            if error.code == "invalid_client" and "authorization" in call.exchange.head.headers:
                headers += (("www-authenticate", 'Basic realm="aimock"'),)  # RFC 6749 5.2
            return _Said(error.status, error.parameters, headers)

    def _fail(self, name: str) -> None:
        failure = self._failures.next(name)
        if failure is not None:
            raise _OnCommand(failure)

    def _sent(self, call: _Call, name: str, said: _Said) -> Whole:
        call.service.noted(call.exchange, said.status, f"oauth/{name}", _shown(call.exchange, name))
        body = b"" if said.body is None else orjson.dumps(said.body)
        return Whole(said.status, (*_JSON, *said.headers), body, call.exchange.fresh_headers)

    # -- the resource ----------------------------------------------------------------------------------------------

    def _judged(self, call: _Call) -> Whole | None:
        """None if the request has a token that is good for it."""
        needed = (*self._config.scopes, *self._more_scopes(call.exchange.request.body))
        presented = bearer(call.exchange.head.headers.get("authorization"))
        try:
            self._fail("resource")
            if presented is None:
                raise OAuthError("invalid_token", "")
            self._check(presented, call.now, needed)
        except OAuthError as error:
            status = (error.failure.status if isinstance(error, _OnCommand) else None) or error.status
            return self._challenged(call, error, status, needed, silent=presented is None)
        return None

    def expired(self, service: Mounted, exchange: Exchange) -> Whole:
        """The token of this request, which was good, ends; and what the client hears then."""
        origin = exchange.origin
        call = _Call(service, exchange, origin, origin + service.path)
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
        self, call: _Call, error: OAuthError, status: int, needed: tuple[str, ...], *, silent: bool
    ) -> Whole:
        """A refusal that says what is wanted. `silent`: no error, since there was no token (RFC 6750 3.1)."""
        told = {} if silent and error.code == "invalid_token" else error.parameters
        asked = {"resource_metadata": call.origin + metadata.PROTECTED_RESOURCE + call.service.path}
        if needed:
            asked["scope"] = written_scopes(dict.fromkeys(needed))
        call.service.noted(call.exchange, status, "oauth/challenge")
        headers = (*_JSON, ("www-authenticate", challenge(told | asked)))
        body = {"error": error.code, "error_description": error.description or "no access token"}
        return Whole(status, headers, orjson.dumps(body), call.exchange.fresh_headers)

    # -- metadata --------------------------------------------------------------------------------------------------

    def _resource_metadata(self, call: _Call) -> _Said:
        return _Said(200, metadata.protected_resource(call.issuer, call.issuer, self._config.supported))

    def _server_metadata(self, call: _Call) -> _Said:
        """A client that asks at the origin expects the origin to be the issuer (RFC 8414 3.3)."""
        asked = call.exchange.head.path
        at_origin = asked in (metadata.AUTHORIZATION_SERVER, metadata.OPENID)
        config, issuer = self._config, call.origin if at_origin else call.issuer
        failure = self._failures.next("metadata")
        if failure is not None:
            if failure.error != WRONG_ISSUER:
                raise _OnCommand(failure)
            issuer = _ELSEWHERE
        document = metadata.authorization_server(
            issuer,
            call.endpoints,
            config.supported,
            registers=config.registration,
            takes_documents=config.client_metadata_documents,
        )
        return _Said(200, metadata.openid(document, call.endpoints) if metadata.OPENID in asked else document)

    def _keys(self, call: _Call) -> _Said:
        return _Said(200, {"keys": []})

    # -- clients ---------------------------------------------------------------------------------------------------

    def _register(self, call: _Call) -> _Said:
        if not self._config.registration:
            raise OAuthError("access_denied", "clients cannot register themselves here")
        stamp = call.exchange.stamp
        client, told = clients.registered(
            call.exchange.request.body,
            stamp.uuid("client"),
            stamp.alphanumeric(_TOKEN_LENGTH, "client secret"),
            self._config.supported,
        )
        self._grants.register(client)
        return _Said(201, told | {"client_id_issued_at": int(call.now)}, NO_STORE)

    def _client(self, client_id: str) -> Client | None:
        client = self._grants.client(client_id)
        if client is None and self._config.client_metadata_documents and clients.is_document(client_id):
            return Client(client_id, redirect_uris=None)
        return client

    def _authenticated(self, call: _Call, form: dict[str, str]) -> Client:
        said = clients.presented(call.exchange.head.headers.get("authorization"), form)
        client = self._client(said.client_id)
        if client is None:
            raise OAuthError("invalid_client", "the client is unknown")
        clients.prove(client, said)
        return client

    # -- codes -----------------------------------------------------------------------------------------------------

    def _authorize(self, call: _Call) -> _Said:
        """Approves at once: there is nobody to ask. Raises OAuthError where there is nowhere to redirect to."""
        head = call.exchange.head
        parameters = read_parameters(head.query) if head.method == "GET" else _form(call.exchange)
        client = self._client(required(parameters, "client_id"))
        if client is None:
            raise OAuthError("invalid_request", "the client is unknown")
        target = clients.redirect_uri(client, parameters.get("redirect_uri"))
        told = {"state": parameters["state"]} if "state" in parameters else {}
        told["iss"] = call.issuer  # RFC 9207
        failure = self._failures.next("authorize")
        wrong = failure.error if failure is not None else None
        try:
            if failure is not None and wrong not in (WRONG_ISSUER, WRONG_STATE):
                raise failure.raised()
            wanted = authorization.asked(parameters, client, call.issuer, self._config.supported)
        except OAuthError as error:
            return _redirect(target, error.parameters | told)
        if wrong is not None:
            told |= {"iss": _ELSEWHERE} if wrong == WRONG_ISSUER else {"state": "another"}
        grant = Grant(client.client_id, wanted.scopes)
        ticket = Ticket(grant, wanted.scopes, call.now + self._config.code_seconds, wanted)
        code = self._grants.issue(Kind.CODE, call.exchange.stamp.alphanumeric(_TOKEN_LENGTH, "code"), ticket)
        return _redirect(target, {"code": code} | told)

    # -- tokens ----------------------------------------------------------------------------------------------------

    def _token(self, call: _Call) -> _Said:
        form = _form(call.exchange)
        client = self._authenticated(call, form)
        grant_type = required(form, "grant_type")
        if grant_type not in _GRANT_TYPES:
            raise OAuthError("unsupported_grant_type", f"expected one of {', '.join(_GRANT_TYPES)}")
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", f"the client is not registered for {grant_type}")
        authorization.check_resource(form, call.issuer)
        return _Said(200, _GRANT_TYPES[grant_type](self, call, client, form), NO_STORE)

    def _by_code(self, call: _Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        ticket = self._own(Kind.CODE, required(form, "code"), client, call)
        asked = ticket.asked
        assert asked is not None, "a code is issued with what it was asked for"
        if form.get("redirect_uri", asked.redirect_uri) != asked.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri: another one than that of the code")
        authorization.check_verifier(asked.challenge, form)
        self._grants.spend(ticket, Kind.CODE)
        return self._tokens(call, ticket.grant, ticket.scopes, refreshable="refresh_token" in client.grant_types)

    def _by_refresh_token(self, call: _Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        ticket = self._own(Kind.REFRESH, required(form, "refresh_token"), client, call)
        scopes = read_scopes(form.get("scope")) or ticket.scopes
        if any(scope not in ticket.scopes for scope in scopes):
            raise OAuthError("invalid_scope", "the refresh token was not granted that much")
        rotates = self._config.rotate_refresh_tokens
        if rotates:
            self._grants.spend(ticket, Kind.REFRESH)
        return self._tokens(call, ticket.grant, scopes, refreshable=rotates)

    def _by_credentials(self, call: _Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        scopes = authorization.granted_scopes(form, client, self._config.supported)
        return self._tokens(call, Grant(client.client_id, scopes), scopes, refreshable=False)

    def _own(self, kind: Kind, text: str, client: Client, call: _Call) -> Ticket:
        """Raises OAuthError, which does not betray that another client has it."""
        ticket = self._grants.valid(kind, text, call.now)
        if ticket.grant.client_id != client.client_id:
            raise OAuthError("invalid_grant", f"the {kind.value} is unknown")
        return ticket

    def _tokens(self, call: _Call, grant: Grant, scopes: tuple[str, ...], *, refreshable: bool) -> dict[str, Any]:
        config, stamp, now = self._config, call.exchange.stamp, call.now
        lives = Ticket(grant, scopes, now + config.access_token_seconds)
        access = self._grants.issue(Kind.ACCESS, stamp.alphanumeric(_TOKEN_LENGTH, "access token"), lives)
        refresh = None
        if refreshable and config.refresh_tokens:
            seconds = config.refresh_token_seconds
            renews = Ticket(grant, grant.scopes, None if seconds is None else now + seconds)
            refresh = self._grants.issue(Kind.REFRESH, stamp.alphanumeric(_TOKEN_LENGTH, "refresh token"), renews)
        return token_response(access, int(config.access_token_seconds), scopes, refresh)

    def _revoke(self, call: _Call) -> _Said:
        """200 whether or not there was such a token (RFC 7009 2.2)."""
        form = _form(call.exchange)
        client = self._authenticated(call, form)
        self._grants.revoke(client.client_id, required(form, "token"))
        return _Said(200, None, NO_STORE)


def guard_of(auth: Any) -> Guard | None:
    """The guard that the `auth` of a section asks for, if it asks for one. Raises ValueError that names the key."""
    config = read_auth(auth)
    return None if config is None else Guard(config)


class _OnCommand(OAuthError):
    """An error that a test asked for."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error, failure.description)
        self.failure = failure


_ROUTES: Mapping[str, tuple[str, tuple[str, ...], Callable[[Guard, _Call], _Said]]] = {
    f"{_ENDPOINTS}/authorize": ("authorize", ("GET", "POST"), Guard._authorize),
    f"{_ENDPOINTS}/token": ("token", ("POST",), Guard._token),
    f"{_ENDPOINTS}/register": ("register", ("POST",), Guard._register),
    f"{_ENDPOINTS}/revoke": ("revoke", ("POST",), Guard._revoke),
    f"{_ENDPOINTS}/jwks": ("jwks", ("GET",), Guard._keys),
}
_GRANT_TYPES: Mapping[str, Callable[[Guard, _Call, Client, dict[str, str]], dict[str, Any]]] = dict(
    zip(metadata.GRANT_TYPES, (Guard._by_code, Guard._by_refresh_token, Guard._by_credentials), strict=True)
)


def _form(exchange: Exchange) -> dict[str, str]:
    kind = exchange.head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise OAuthError("invalid_request", f"content-type: expected {FORM}")
    return read_parameters(exchange.request.body)


def _redirect(target: str, parameters: Mapping[str, str]) -> _Said:
    return _Said(302, None, (("location", authorization.redirected(target, parameters)), *NO_STORE))


def _keys(message: Mapping[str, Any]) -> Iterator[str]:
    """By which a JSON-RPC message may be found among `method_scopes`."""
    method, params = message.get("method"), message.get("params")
    if isinstance(method, str):
        yield method
        if isinstance(params, dict):
            yield f"{method} {params.get('name')}"


def _shown(exchange: Exchange, name: str) -> dict[str, Any]:
    """What the journal keeps of a request to an endpoint."""
    if name == "register":
        try:
            given = orjson.loads(exchange.request.body)
        except orjson.JSONDecodeError:
            return {}
        return _chosen(given, _SHOWN_OF_REGISTRATIONS) if isinstance(given, dict) else {}
    try:
        return _chosen(read_parameters(exchange.request.body or exchange.head.query), _SHOWN)
    except OAuthError:
        return {}


def _chosen(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}

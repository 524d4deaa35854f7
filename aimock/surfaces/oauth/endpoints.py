"""The endpoints of an authorization server, and its metadata: what clients ask on their way to a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Headers, Whole
from aimock.surfaces.oauth.config import AuthConfig
from aimock.surfaces.oauth.failures import ENDPOINTS, WRONG_ISSUER, WRONG_STATE, Failures, OnCommand
from aimock.surfaces.oauth.grants import Grant, Grants, Kind, Ticket
from aimock_protocols.oauth import authorization, clients, metadata
from aimock_protocols.oauth.clients import Client
from aimock_protocols.oauth.errors import OAuthError
from aimock_protocols.oauth.parameters import FORM, read_parameters, read_scopes, required
from aimock_protocols.oauth.tokens import NO_STORE, token_response

if TYPE_CHECKING:
    from aimock.surfaces.mounted import Mounted

JSON: Headers = (("content-type", "application/json"), *CORS)

_ENDPOINTS = "/oauth"
_SHOWN = ("response_type", "grant_type", "client_id", "redirect_uri", "scope", "resource", "token_type_hint")
_SHOWN_OF_REGISTRATIONS = ("client_name", "redirect_uris", "grant_types", "scope", "token_endpoint_auth_method")
"""What the journal keeps of a request: nothing by which anybody could be let in."""
_ELSEWHERE = "https://elsewhere.example"
_FAIL_BY_THEMSELVES = ("authorize", "metadata")
"""Endpoints whose failures are not all errors."""
_TOKEN_LENGTH = 43
"""Of 62 characters each, 256 bits."""


class Call(NamedTuple):
    """A request to an endpoint."""

    service: Mounted
    exchange: Exchange
    origin: str
    issuer: str
    """The resource too: a service is guarded by a server of its own."""

    @classmethod
    def of(cls, service: Mounted, exchange: Exchange) -> Call:
        origin = exchange.origin
        return cls(service, exchange, origin, origin + service.path)

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


class Endpoints:
    """Those of one service."""

    def __init__(self, config: AuthConfig, grants: Grants, failures: Failures) -> None:
        self._config = config
        self._grants = grants
        self._failures = failures

    def answer(self, call: Call, path: str) -> Whole | None:
        """The answer, if there is an endpoint at the path, which is inside the mount or at the origin."""
        found = self._endpoint(call, path)
        if found is None:
            return None
        name, methods, answer = found
        if call.exchange.head.method in methods:
            said = self._failing(call, name, answer)
        else:
            allow = ", ".join(methods)
            error = OAuthError("invalid_request", f"expected {allow}")
            said = _Said(405, error.parameters, (("allow", allow),))
        call.service.noted(call.exchange, said.status, f"oauth/{name}", _shown(call.exchange, name))
        if said.body is None:
            return Whole(said.status, (*CORS, *said.headers), b"", call.exchange.fresh_headers)
        return Whole(said.status, (*JSON, *said.headers), orjson.dumps(said.body), call.exchange.fresh_headers)

    def _endpoint(self, call: Call, path: str) -> tuple[str, tuple[str, ...], Callable[[Call], _Said]] | None:
        if path in _ROUTES:
            name, methods, answer = _ROUTES[path]
            return name, methods, lambda call: answer(self, call)
        if not path.startswith(metadata.WELL_KNOWN):
            return None
        mount = call.service.path
        if path in (metadata.PROTECTED_RESOURCE, metadata.PROTECTED_RESOURCE + mount):
            return "resource_metadata", ("GET",), self._resource_metadata
        known = [known for known in (metadata.AUTHORIZATION_SERVER, metadata.OPENID) if path in (known, known + mount)]
        return ("metadata", ("GET",), self._server_metadata) if known else None

    def _failing(self, call: Call, name: str, answer: Callable[[Call], _Said]) -> _Said:
        """What an endpoint answers, or the error that it meets."""
        try:
            if name in ENDPOINTS and name not in _FAIL_BY_THEMSELVES:
                self._failures.strike(name)
            return answer(call)
        except OnCommand as error:
            return _Said(error.failure.status or error.status, error.parameters, NO_STORE)
        except OAuthError as error:
            headers: Headers = NO_STORE
            if error.code == "invalid_client" and "authorization" in call.exchange.head.headers:
                headers += (("www-authenticate", 'Basic realm="aimock"'),)  # RFC 6749 5.2
            return _Said(error.status, error.parameters, headers)

    # -- metadata --------------------------------------------------------------------------------------------------

    def _resource_metadata(self, call: Call) -> _Said:
        return _Said(200, metadata.protected_resource(call.issuer, call.issuer, self._config.supported))

    def _server_metadata(self, call: Call) -> _Said:
        """A client that asks at the origin expects the origin to be the issuer (RFC 8414 3.3)."""
        asked = call.exchange.head.path
        at_origin = asked in (metadata.AUTHORIZATION_SERVER, metadata.OPENID)
        config, issuer = self._config, call.origin if at_origin else call.issuer
        failure = self._failures.next("metadata")
        if failure is not None:
            if failure.error != WRONG_ISSUER:
                raise OnCommand(failure)
            issuer = _ELSEWHERE
        document = metadata.authorization_server(
            issuer,
            call.endpoints,
            config.supported,
            registers=config.registration,
            takes_documents=config.client_metadata_documents,
        )
        return _Said(200, metadata.openid(document, call.endpoints) if metadata.OPENID in asked else document)

    def _keys(self, call: Call) -> _Said:
        return _Said(200, {"keys": []})

    # -- clients ---------------------------------------------------------------------------------------------------

    def _register(self, call: Call) -> _Said:
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

    def _authenticated(self, call: Call, form: dict[str, str]) -> Client:
        said = clients.presented(call.exchange.head.headers.get("authorization"), form)
        client = self._client(said.client_id)
        if client is None:
            raise OAuthError("invalid_client", "the client is unknown")
        clients.prove(client, said)
        return client

    # -- codes -----------------------------------------------------------------------------------------------------

    def _authorize(self, call: Call) -> _Said:
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

    def _token(self, call: Call) -> _Said:
        form = _form(call.exchange)
        client = self._authenticated(call, form)
        grant_type = required(form, "grant_type")
        if grant_type not in _GRANT_TYPES:
            raise OAuthError("unsupported_grant_type", f"expected one of {', '.join(_GRANT_TYPES)}")
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", f"the client is not registered for {grant_type}")
        authorization.check_resource(form, call.issuer)
        return _Said(200, _GRANT_TYPES[grant_type](self, call, client, form), NO_STORE)

    def _by_code(self, call: Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        ticket = self._own(Kind.CODE, required(form, "code"), client, call)
        asked = ticket.asked
        assert asked is not None, "a code is issued with what it was asked for"
        if form.get("redirect_uri", asked.redirect_uri) != asked.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri: another one than that of the code")
        authorization.check_verifier(asked.challenge, form)
        self._grants.spend(ticket, Kind.CODE)
        return self._tokens(call, ticket.grant, ticket.scopes, refreshable="refresh_token" in client.grant_types)

    def _by_refresh_token(self, call: Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        ticket = self._own(Kind.REFRESH, required(form, "refresh_token"), client, call)
        scopes = read_scopes(form.get("scope")) or ticket.scopes
        if any(scope not in ticket.scopes for scope in scopes):
            raise OAuthError("invalid_scope", "the refresh token was not granted that much")
        rotates = self._config.rotate_refresh_tokens
        if rotates:
            self._grants.spend(ticket, Kind.REFRESH)
        return self._tokens(call, ticket.grant, scopes, refreshable=rotates)

    def _by_credentials(self, call: Call, client: Client, form: dict[str, str]) -> dict[str, Any]:
        scopes = authorization.granted_scopes(form, client, self._config.supported)
        return self._tokens(call, Grant(client.client_id, scopes), scopes, refreshable=False)

    def _own(self, kind: Kind, text: str, client: Client, call: Call) -> Ticket:
        """Raises OAuthError, which does not betray that another client has it."""
        ticket = self._grants.valid(kind, text, call.now)
        if ticket.grant.client_id != client.client_id:
            raise OAuthError("invalid_grant", f"the {kind.value} is unknown")
        return ticket

    def _tokens(self, call: Call, grant: Grant, scopes: tuple[str, ...], *, refreshable: bool) -> dict[str, Any]:
        config, stamp, now = self._config, call.exchange.stamp, call.now
        lives = Ticket(grant, scopes, now + config.access_token_seconds)
        access = self._grants.issue(Kind.ACCESS, stamp.alphanumeric(_TOKEN_LENGTH, "access token"), lives)
        refresh = None
        if refreshable and config.refresh_tokens:
            seconds = config.refresh_token_seconds
            renews = Ticket(grant, grant.scopes, None if seconds is None else now + seconds)
            refresh = self._grants.issue(Kind.REFRESH, stamp.alphanumeric(_TOKEN_LENGTH, "refresh token"), renews)
        return token_response(access, int(config.access_token_seconds), scopes, refresh)

    def _revoke(self, call: Call) -> _Said:
        """200 whether or not there was such a token (RFC 7009 2.2)."""
        form = _form(call.exchange)
        client = self._authenticated(call, form)
        self._grants.revoke(client.client_id, required(form, "token"))
        return _Said(200, None, NO_STORE)


_ROUTES: Mapping[str, tuple[str, tuple[str, ...], Callable[[Endpoints, Call], _Said]]] = {
    f"{_ENDPOINTS}/authorize": ("authorize", ("GET", "POST"), Endpoints._authorize),
    f"{_ENDPOINTS}/token": ("token", ("POST",), Endpoints._token),
    f"{_ENDPOINTS}/register": ("register", ("POST",), Endpoints._register),
    f"{_ENDPOINTS}/revoke": ("revoke", ("POST",), Endpoints._revoke),
    f"{_ENDPOINTS}/jwks": ("jwks", ("GET",), Endpoints._keys),
}
_GRANT_TYPES: Mapping[str, Callable[[Endpoints, Call, Client, dict[str, str]], dict[str, Any]]] = dict(
    zip(metadata.GRANT_TYPES, (Endpoints._by_code, Endpoints._by_refresh_token, Endpoints._by_credentials), strict=True)
)


def _form(exchange: Exchange) -> dict[str, str]:
    kind = exchange.head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise OAuthError("invalid_request", f"content-type: expected {FORM}")
    return read_parameters(exchange.request.body)


def _redirect(target: str, parameters: Mapping[str, str]) -> _Said:
    return _Said(302, None, (("location", authorization.redirected(target, parameters)), *NO_STORE))


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

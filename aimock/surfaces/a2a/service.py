"""The A2A service: agents behind one URL, in both bindings and both versions."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from aimock import reading
from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.journal import Entry
from aimock.net.exchange import Answer, Headers, Whole
from aimock.surfaces.a2a.agents import Agent, Agents, read_definitions
from aimock.surfaces.a2a.asking import Addressed, Asking
from aimock.surfaces.a2a.push import Push, redacted
from aimock.surfaces.a2a.signing import Signing, read_signing, signing_of
from aimock.surfaces.a2a.tasks import Tasks
from aimock.surfaces.mounted import Mounted
from aimock_protocols import jsonrpc
from aimock_protocols.a2a import card as cards
from aimock_protocols.a2a.bindings import JSON, Binding, JsonRpc, Rest, Told, loads
from aimock_protocols.a2a.errors import (
    BY_CODE,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NO_EXTENDED_CARD,
    NO_MATCH,
    UNSUPPORTED_OPERATION,
    VERSION_NOT_SUPPORTED,
    A2AError,
)
from aimock_protocols.a2a.operations import METHODS, ROUTES, Asked, Routed, by_method, by_path, by_route
from aimock_protocols.a2a.versions import HEADER, Version, version_of
from aimock_protocols.canonical import ErrorReply

MAX_TASKS = 10_000
_CARD = "GetAgentCard"
_KEYS = "GetKeys"
_UNKNOWN = "unknown"
_CARD_PATHS = frozenset({cards.CARD_PATH, cards.OLD_CARD_PATH, cards.KEYS_PATH})
_MAX_AGE = 60
"""Seconds for which a card may be kept."""
_STRICT_STATUS = 503
_OLD_PREFIX = "v1"
"""Under it 0.3 has its own HTTP+JSON binding, which is not spoken here: no tenant can be called so."""


SECTION: reading.Keys = {
    "agents": read_definitions,
    "maxTasks": reading.count,
    "push": reading.object_of({"allow": reading.many(reading.filled)}),
    "signing": read_signing,
}
"""The keys of a config file's section."""


class A2AService(Mounted):
    """Several agents. The root of the mount is all of them, in the order of their registration, with the card of the
    first; `/{name}` is one."""

    name = "a2a"
    paths = _CARD_PATHS
    headers: Headers = (*CORS, ("a2a-version", Version.V1.value))
    """Of every answer."""

    def __init__(
        self, *, max_tasks: int = MAX_TASKS, push_to: Iterable[str] = (), signing: Signing | None = None
    ) -> None:
        """`max_tasks` are remembered, the oldest of those that are at rest go first. `push_to`: hosts beside this
        machine that may be notified, `*` for all. `signing`: that cards are signed."""
        super().__init__()
        self.agents = Agents()
        self.push = Push(tuple(push_to), self.spawn)
        self.tasks = Tasks(max_tasks, self.push.forget)
        self.signing = signing

    # -- what every service has ------------------------------------------------------------------------------------

    @property
    def extra_routes(self) -> Iterable[tuple[str, str]]:
        return (("GET", cards.CARD_PATH), ("GET", cards.OLD_CARD_PATH))

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "agents": len(self.agents), "tasks": len(self.tasks)}

    def add(self, value: Any, directory: Path | None = None) -> int:
        given = reading.keyed(value, "", SECTION)
        if "maxTasks" in given:
            self.tasks.most = max(1, given["maxTasks"])
        self.push.allowed = tuple(given.get("push", {}).get("allow", self.push.allowed))
        if "signing" in given:
            self.signing = signing_of(given["signing"], "signing", directory)
        return self.agents.take(given.get("agents", []))

    def reset(self) -> None:
        self.tasks.clear()
        self.agents.clear()

    def rewind(self, test_id: str | None = None) -> None:
        self.agents.rewind(test_id)

    def label(self, path: str) -> str:
        """Without names of agents, ids and tenants: there are few."""
        inside = self._addressed(path).path
        return super().label(inside) if inside in ("/", *_CARD_PATHS) else "/{operation}"

    def noted(self, exchange: Exchange, status: int, method: str | Mapping[str, str], body: Any = None) -> Entry:
        return super().noted(exchange, status, method, redacted(body))

    async def aclose(self) -> None:
        await super().aclose()
        await self.push.aclose()

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        binding: Binding = JsonRpc() if exchange.head.path.rstrip("/").endswith(self.path) else Rest()
        self.noted(exchange, status, _UNKNOWN)
        return self._told(exchange, binding.failure(A2AError(INVALID_REQUEST, message), status))

    # -- requests --------------------------------------------------------------------------------------------------

    def respond(self, exchange: Exchange, path: str) -> Answer:
        method, addressed = exchange.head.method, self._addressed(path)
        inside = addressed.path
        if inside in _CARD_PATHS:
            return self._card(exchange, addressed) if method == "GET" else self._wrong_method(exchange, {"GET"})
        if inside == "/":
            return self._rpc(exchange, addressed) if method == "POST" else self._wrong_method(exchange, {"POST"})
        routed = by_path(method, inside)
        if not isinstance(routed, Routed):
            return self._wrong_method(exchange, routed) if routed else self._no_route(exchange)
        return self._rest(exchange, addressed, routed)

    def _addressed(self, path: str) -> Addressed:
        """A path may begin with an agent's name, or with a tenant's: no tenant has tasks of his own here."""
        path = path.rstrip("/") or "/"
        if _is_known(path):
            return Addressed(None, "", path)
        _, first, *rest = path.split("/", 2)
        inside = "/" + (rest[0] if rest else "")
        agent = self.agents.named(urllib.parse.unquote(first))
        if agent is not None:
            tenanted = "/" + inside.split("/", 2)[-1]
            is_tenant = not _is_known(inside) and _is_known(tenanted)
            return Addressed(agent, f"/{first}", tenanted if is_tenant else inside)
        is_tenant = _is_known(inside) and inside != "/" and first != _OLD_PREFIX
        return Addressed(None, "", inside if is_tenant else path)

    def _rpc(self, exchange: Exchange, addressed: Addressed) -> Answer:
        body: Any = None
        binding = JsonRpc()
        method = _UNKNOWN
        try:
            body = loads(exchange.request.body)
            if isinstance(body, list):
                raise A2AError(INVALID_REQUEST, "Invalid Request: batches are not supported")
            message = jsonrpc.message(body, null_ids=True)
            if isinstance(message, jsonrpc.Response):
                raise A2AError(INVALID_REQUEST, 'Invalid Request: "method" is missing')
            binding = JsonRpc(Version.V1, message.id if isinstance(message, jsonrpc.Request) else None)
            self._check_version(exchange)
            if message.method in METHODS:
                method = message.method
                binding = JsonRpc(METHODS[method][1], binding.id)
            asked = by_method(message.method, message.params)
        except jsonrpc.RpcError as error:
            kind = BY_CODE.get(error.code, INVALID_REQUEST)
            return self._failed(exchange, JsonRpc(Version.V1, error.id), A2AError(kind, error.message), method, body)
        except A2AError as error:
            return self._failed(exchange, binding, error, method, body)
        return self._answer(exchange, addressed, binding, asked, method, body)

    def _rest(self, exchange: Exchange, addressed: Addressed, routed: Routed) -> Answer:
        binding, method, body = Rest(), routed.operation.value, None
        try:
            self._check_version(exchange)
            if exchange.request.body:
                body = loads(exchange.request.body)
            if not isinstance({} if body is None else body, dict):
                raise A2AError(INVALID_REQUEST, "Invalid Request: expected an object")
            asked = by_route(routed, exchange.head.query, body or {})
        except jsonrpc.RpcError as error:
            return self._failed(exchange, binding, A2AError(BY_CODE[error.code], error.message), method, body)
        except A2AError as error:
            return self._failed(exchange, binding, error, method, body)
        return self._answer(exchange, addressed, binding, asked, method, body)

    def _check_version(self, exchange: Exchange) -> None:
        """Which version is meant the method or the path says; what the client names must only be known."""
        named = exchange.head.headers.get(HEADER)
        if named is None:
            query = dict(urllib.parse.parse_qsl(exchange.head.query))
            named = next((value for key, value in query.items() if key.lower() == HEADER), "")
        if version_of(named) is None:
            raise A2AError(
                VERSION_NOT_SUPPORTED,
                f"A2A version {named[:40]!r} is not supported",
                {"requestedVersion": named[:40], "supportedVersions": ", ".join(each.value for each in Version)},
            )

    def _answer(
        self, exchange: Exchange, addressed: Addressed, binding: Binding, asked: Asked, method: str, body: Any
    ) -> Answer:
        """The answer to what is understood, with the fault that chaos has for it."""
        asking = Asking(self, exchange, addressed, binding, asked, method, body)

        def fail(error: ErrorReply) -> Whole:
            return self._failed(exchange, binding, A2AError(INTERNAL_ERROR, error.message), method, body, error.status)

        def serve() -> Answer:
            try:
                return asking.answer()
            except A2AError as error:
                status = _STRICT_STATUS if error.kind is NO_MATCH and exchange.strict else None
                return self._failed(exchange, binding, error, method, body, status)

        streamed = asked.operation.is_streamed
        return self.under_chaos(exchange, serve, streamed=streamed, fail=fail, error_frame=asking.error_frame)

    # -- cards -----------------------------------------------------------------------------------------------------

    def _card(self, exchange: Exchange, addressed: Addressed) -> Whole:
        if addressed.path == cards.KEYS_PATH:
            return self._keys(exchange)
        agent = addressed.agent or self.agents.first
        if agent is None:
            self.missed(exchange, "no agent is registered")
            return self._failed(exchange, Rest(), A2AError(METHOD_NOT_FOUND, "No agent is registered"), _CARD)
        body = orjson.dumps(self.card(exchange, agent, addressed.base))
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers: Headers = (("etag", tag), ("cache-control", f"max-age={_MAX_AGE}"), *self.headers)
        known = [each.strip().removeprefix("W/") for each in exchange.head.headers.get("if-none-match", "").split(",")]
        status = 304 if tag in known or known == ["*"] else 200
        entry = self.noted(exchange, status, _CARD)
        if status == 304:
            return Whole(status, headers, b"", exchange.fresh_headers, on_end=entry.ended)
        headers = (("content-type", JSON), *headers)
        return Whole(status, headers, body, exchange.fresh_headers, on_end=entry.ended)

    def card(self, exchange: Exchange, agent: Agent, base: str, extended: bool = False) -> dict[str, Any]:
        """An agent's card, as it is seen from where the request came; signed, if cards are."""
        mount = f"{exchange.origin}{self.path}"
        card = cards.card(agent.card_fields(extended), mount + base, agent.versions)
        if self.signing is not None:
            key = self.signing.key(exchange.state.randomness.seed)
            header = {"alg": "ES256", "jku": mount + cards.KEYS_PATH, "kid": key.id, "typ": "JOSE"}
            card["signatures"] = [cards.signature(card, header, key.sign)]
        return cards.document(card)

    def extended_card(self, exchange: Exchange, addressed: Addressed) -> dict[str, Any]:
        """Raises A2AError if there is none."""
        agent = addressed.agent or self.agents.first
        if agent is None or not agent.capabilities["extendedAgentCard"]:
            raise A2AError(UNSUPPORTED_OPERATION, "The agent does not support authenticated extended cards")
        if agent.extended is None:
            raise A2AError(NO_EXTENDED_CARD)
        return self.card(exchange, agent, addressed.base, extended=True)

    def _keys(self, exchange: Exchange) -> Whole:
        """The key by which signatures of cards are verified, where their `jku` says."""
        keys = [] if self.signing is None else [self.signing.key(exchange.state.randomness.seed).public]
        entry = self.noted(exchange, 200, _KEYS)
        told = Told(200, JSON, orjson.dumps({"keys": keys}))
        return self._told(exchange, told, on_end=entry.ended)

    # -- errors ----------------------------------------------------------------------------------------------------

    def _no_route(self, exchange: Exchange) -> Whole:
        self.missed(exchange, "A2A has no such path, and there is no agent of this name")
        return self._failed(exchange, Rest(), A2AError(METHOD_NOT_FOUND, "Not found"), _UNKNOWN)

    def _wrong_method(self, exchange: Exchange, allowed: Iterable[str]) -> Whole:
        error = A2AError(METHOD_NOT_FOUND, f"{exchange.head.method} is not allowed here")
        return self._failed(exchange, Rest(), error, _UNKNOWN, None, 405, (("allow", ", ".join(sorted(allowed))),))

    def _failed(
        self,
        exchange: Exchange,
        binding: Binding,
        error: A2AError,
        method: str,
        body: Any = None,
        status: int | None = None,
        headers: Headers = (),
    ) -> Whole:
        told = binding.failure(error, status)
        entry = exchange.entry or self.noted(exchange, told.status, method, body)
        return self._told(exchange, told, headers, entry.ended)

    def _told(
        self, exchange: Exchange, told: Told, headers: Headers = (), on_end: Callable[..., None] | None = None
    ) -> Whole:
        all_headers = (("content-type", told.media_type), *self.headers, *headers)
        return Whole(told.status, all_headers, told.body, exchange.fresh_headers, on_end=on_end)


def _is_known(path: str) -> bool:
    """Whether a path is one of those that every agent has."""
    return path == "/" or path in _CARD_PATHS or bool(any(route.path.fullmatch(path) for route in ROUTES))

"""Request to Answer: an ordinary function that awaits nothing.

Control, route, surface. What goes wrong on the way becomes an answer too: a client always hears something, in the
style of the API that it meant to reach.
"""

from __future__ import annotations

import functools
import importlib
import logging
import urllib.parse
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, NamedTuple

import attrs

from aimock import probes
from aimock.cors import CORS
from aimock.exchange import Exchange, Plan
from aimock.net.exchange import Answer, Handler, Head, Headers, Refusal, Request, Task, Whole
from aimock.net.handshake import asks_for_websocket
from aimock.routing import CONTROL_PREFIX, Resolved, Router
from aimock.state import State
from aimock.steering import steering_of
from aimock_protocols.canonical import ErrorReply, Route
from aimock_protocols.registry import PROTOCOLS, Registered, SideRoute

if TYPE_CHECKING:
    from aimock.auth import Guard
    from aimock.surfaces.shared import SharedSurface
    from aimock.surfaces.sides import SideSurface

logger = logging.getLogger("aimock")

_UNKNOWN_PATH = "{unknown}"
_UNKNOWN_CONTROL_PATH = f"{CONTROL_PREFIX}/{{other}}"
"""Labels of the paths that are no route's."""

_UNSCOPED = "__server__"
"""Scope of the randomness that probes and the control API use, so that polling them changes no test's ids."""


class Target(NamedTuple):
    """Who answers on a route."""

    answer: Callable[[Exchange], Answer]
    refuse: Callable[[Exchange, int, str], Whole]
    """Answers in the same style a request that could not be read to its end."""
    scoped: bool = False
    """Whether the exchange belongs to a test: then its randomness is counted under the test id."""
    service: str | None = None
    """What the journal calls the service that it is a part of, if it is one's."""
    protocol: str | None = None
    """That of a model's API, by its name in the registry."""


class _Claim(NamedTuple):
    """Paths that several APIs share, as the clients of one of them mean them."""

    router: Router[Callable[[], Target]]
    sides: Callable[[], SideSurface]


def _said(head: Head, name: str) -> str | None:
    """The value of a header, or of a query key whose name begins with a question mark."""
    if not name.startswith("?"):
        return head.headers.get(name)
    return dict(urllib.parse.parse_qsl(head.query, keep_blank_values=True)).get(name[1:]) if head.query else None


class App:
    """Requests to answers, over one server's state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._router: Router[Callable[[], Target]] = Router()
        self._sockets: Router[Callable[[], Target]] = Router()
        self._claims: list[_Claim] = []
        self._marks: dict[str, list[tuple[str, int]]] = {}
        """Headers and query keys by which clients are known: how their values begin, and whose claim that is."""
        self._templates: list[str] = []
        for method, path, target in (
            ("GET", "/", Target(probes.root, _refuse)),
            ("GET", "/health", Target(probes.health, _refuse)),
            ("GET", "/ready", Target(probes.ready, _refuse)),
            ("GET", "/v1/_requests", Target(_deferred("aimock.control", "list_requests"), _refuse)),
            ("DELETE", "/v1/_requests", Target(_deferred("aimock.control", "clear_requests"), _refuse)),
        ):
            self._add(self._router, method, path, functools.partial(_same, target))
        if state.metrics is not None:
            scrape = Target(_deferred("aimock.metrics", "scrape"), _refuse)
            self._add(self._router, "GET", "/metrics", functools.partial(_same, scrape))
        for registered in PROTOCOLS:
            self._register(registered)
        self._guard: Guard | None = None
        if state.settings.api_keys:
            from aimock.auth import Guard  # most servers have no keys

            self._guard = Guard(state.settings.api_keys, lambda secret: self._state.memories.has(secret))

    @property
    def state(self) -> State:
        return self._state

    def _register(self, registered: Registered) -> None:
        sides = functools.cache(functools.partial(_side_surface, registered))
        chat = functools.cache(functools.partial(_chat_target, registered))

        def targets(
            side_routes: tuple[SideRoute, ...], routes: tuple[Route, ...]
        ) -> list[tuple[str, str, Callable[[], Target]]]:
            """Side routes come first: theirs are the special cases of what a chat route's template takes in."""
            beside = [
                (method, template, functools.partial(_side_target, registered, sides, function))
                for method, template, function in side_routes
            ]
            return beside + [(*route, chat) for route in routes]

        socket = functools.cache(functools.partial(_socket_target, registered))
        for template in registered.sockets:
            self._add(self._sockets, "GET", template, socket)
        for_all = targets(registered.sides, registered.routes)
        for method, template, target in for_all:
            if not self._router.has(method, template):
                self._add(self._router, method, template, target)
        if registered.known_by:
            router: Router[Callable[[], Target]] = Router()
            for name, start in registered.known_by:
                self._marks.setdefault(name, []).append((start, len(self._claims)))
            self._claims.append(_Claim(router, sides))
            for method, template, target in for_all + targets(registered.known_sides, registered.known_routes):
                self._add(router, method, template, target)

    def _add(
        self, router: Router[Callable[[], Target]], method: str, template: str, target: Callable[[], Target]
    ) -> None:
        router.add(method, template, target)
        self._templates.append(template)

    def counted(self) -> Handler:
        """The handler that net serves: this, or what counts its requests, if they are to be counted."""
        if self._state.metrics is None:
            return self
        from aimock.metrics import Metered

        return Metered(self, self._state.metrics)

    def use(self, state: State) -> None:
        """From the next request on, answers from another state. What has begun stays with the one it began in."""
        self._state = state

    def answer(self, request: Request) -> Answer:
        """The contract with net: awaits nothing, raises nothing."""
        plan: Plan | None = request.head.memo
        if plan is None or plan.edition is not self._state.mounts.edition:
            plan = self._plan(request.head)
        exchange = Exchange(request, plan, self._state)
        offered = self._state.settings.providers
        try:
            answer = plan.answer(exchange) if offered is None else self._offered(exchange, offered)
        except Exception as error:
            return _failed(exchange, error)
        return Task(functools.partial(_guarded, answer, exchange)) if isinstance(answer, Task) else answer

    def _offered(self, exchange: Exchange, offered: Container[str]) -> Answer:
        """The answer of a server that has some providers' APIs only."""
        plan, head = exchange.plan, exchange.head
        if plan.protocol is not None:
            from aimock.providers import owner_of  # most servers have all

            owner = owner_of(plan.protocol, head)
            if owner not in offered:
                return self._no_route(self._claim(head), exchange, withheld=owner)
        return plan.answer(exchange)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        """The answer to a request that net could not read."""
        if head is None:  # and nobody can say who asks, or what for
            head = Head("GET", "", "", "", {}, ())
            nobody = functools.partial(self._no_route, None)
            plan = Plan(nobody, _refuse, {}, steering_of(head), _UNSCOPED, _UNKNOWN_PATH, None)
        else:
            plan = self._plan(head)
        exchange = Exchange(Request(head), plan, self._state)
        answer = plan.refuse(exchange, refusal.status, refusal.message)
        if exchange.entry is not None:
            exchange.entry.refused()
        return answer

    def label(self, head: Head | None) -> str:
        """What metrics call the path of a request; `head` is None if it could not be read."""
        if head is None:
            return _UNKNOWN_PATH
        plan: Plan = head.memo or self._plan(head)
        return plan.label

    def _plan(self, head: Head) -> Plan:
        """Who answers requests with this head: the guard, control, preflights, then the routes."""
        steering = steering_of(head)
        params: Mapping[str, str] = {}
        claim = self._claim(head)
        resolved = self._resolved(head, claim)
        mounts = self._state.mounts
        located = mounts.find(head.method, head.path) if len(mounts) else None
        if located is None and (resolved is None or head.path == "/") and len(mounts):
            located = mounts.claimed(head)
        if self._guard is not None and not self._guard.admits(head):
            target = Target(self._guard.reject, self._guard.reject)
        elif head.method == "OPTIONS" and (self._guard is None or self._guard.lets_ask(head)):
            target = Target(_preflight, _refuse)
        elif head.path.startswith(CONTROL_PREFIX):
            target = Target(_deferred("aimock.control", "answer"), _refuse)
        elif located is not None:
            service, inside = located.service, located.path
            target = Target(lambda exchange: service.answer(exchange, inside), service.refuse, True, service.name)
        elif resolved is not None:
            target, params = resolved.target(), resolved.params
        else:
            target = Target(functools.partial(self._no_route, claim), _refuse)
        scope = steering.test_id if target.scoped else _UNSCOPED
        if located is not None:
            label = located.label
        else:
            label = resolved.label if resolved is not None else self._label(head.path)
        plan = Plan(
            target.answer,
            target.refuse,
            params,
            steering,
            scope,
            label,
            mounts.edition,
            target.service,
            target.protocol if target.service is None else None,
        )
        head.memo = plan
        return plan

    def _resolved(self, head: Head, claim: _Claim | None) -> Resolved[Callable[[], Target]] | None:
        if asks_for_websocket(head):  # whatever else is wrong with it; and some clients begin the path with two slashes
            return self._sockets.resolve("GET", "/" + head.path.lstrip("/"))
        method = head.method.upper()  # some clients write it small, and are answered everywhere
        resolved = claim.router.resolve(method, head.path) if claim is not None else None
        return resolved or self._router.resolve(method, head.path)

    def _claim(self, head: Head) -> _Claim | None:
        """That of the first API whose clients a request is known to be from."""
        places = [
            place
            for name, marks in self._marks.items()
            if (value := _said(head, name)) is not None
            for start, place in marks
            if value.startswith(start)
        ]
        return self._claims[min(places)] if places else None

    def _label(self, path: str) -> str:
        """Of a path that is no route's with this method."""
        if path.startswith(CONTROL_PREFIX):
            from aimock.control import PATHS

            return path if path in PATHS else _UNKNOWN_CONTROL_PATH
        return self._router.label(path) or _UNKNOWN_PATH

    def _no_route(self, claim: _Claim | None, exchange: Exchange, withheld: str | None = None) -> Whole:
        """404, or 405 if only the method is wrong: in the words of the API that the client is known to speak, else in
        OpenAI's where the path looks like OpenAI's. `withheld`: the provider who has the path, but not here."""
        method, path = exchange.head.method, exchange.head.path
        routers = [self._router] if claim is None else [self._router, claim.router]
        if withheld is not None or asks_for_websocket(exchange.head):
            routers = []  # no method would do
        allowed = frozenset(method for router in routers for method in router.methods(path))
        nearest = self._nearest(path) if withheld is None else {"hint": f"llm.providers does not name {withheld}"}
        headers: Headers = (("allow", ", ".join(sorted(allowed))),) if allowed else ()
        exchange.unexpected(f"{method} is not allowed" if allowed else nearest.get("hint", "no route has this path"))
        if claim is not None:
            message, status = ("Method Not Allowed", 405) if allowed else ("Not Found", 404)
            told = claim.sides().refuse(exchange, ErrorReply(message, status=status, hint=nearest.get("hint")))
            return attrs.evolve(told, headers=told.headers + headers)
        if not path.startswith(("/v1/", "/openai/")) and not allowed:
            return exchange.json(404, {"error": {"message": "Not found", "type": "not_found", **nearest}})
        message, status = f"Invalid URL ({method} {path})", 404
        if allowed:
            message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
            status = 405
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return exchange.json(status, {"error": error | nearest}, headers)

    def _nearest(self, path: str) -> dict[str, str]:
        import difflib  # only a wrong path needs it

        nearest = difflib.get_close_matches(path[:200], self._templates, n=1, cutoff=0.6)
        return {"hint": f"the nearest route is {nearest[0]}"} if nearest and nearest[0] != path else {}


async def _guarded(task: Task, exchange: Exchange) -> Answer:
    answer: Answer = task
    try:
        while isinstance(answer, Task):
            answer = await answer.run()
        return answer
    except Exception as error:
        return _failed(exchange, error)


def _failed(exchange: Exchange, error: Exception) -> Whole:
    """The answer where making one failed; the journal says so, whether or not the exchange was in it by then."""
    logger.error("%s %s failed", exchange.head.method, exchange.head.path, exc_info=error)
    if exchange.entry is None and exchange.plan.scope != _UNSCOPED:
        exchange.record(500)
    if exchange.entry is not None:
        exchange.entry.failed(500)
    return exchange.json(500, {"error": {"message": str(error), "type": "server_error"}})


def _same(target: Target) -> Target:
    return target


def _deferred(module: str, name: str) -> Callable[[Exchange], Whole]:
    """A function of a module that is imported when it is first called: a start needs neither control nor models."""

    def answer(exchange: Exchange) -> Whole:
        answered: Whole = getattr(importlib.import_module(module), name)(exchange)
        return answered

    return answer


def _chat_target(registered: Registered) -> Target:
    """The surface of a protocol, made when its first request comes."""
    from aimock.surfaces.llm import LLMSurface

    among = registered.load_among()
    if among is None:
        surface: LLMSurface | SharedSurface = LLMSurface(registered.load())
    else:
        from aimock.surfaces.shared import SharedSurface

        surface = SharedSurface(among)
    return Target(surface.answer, surface.refuse, scoped=True, service=registered.service, protocol=registered.name)


def _socket_target(registered: Registered) -> Target:
    from aimock.surfaces.sockets import SocketSurface

    surface = SocketSurface(registered.load_socket())
    return Target(surface.answer, surface.refuse, scoped=True, protocol=registered.name)


def _side_surface(registered: Registered) -> SideSurface:
    from aimock.surfaces.sides import SideSurface

    return SideSurface(registered.load())


def _side_target(registered: Registered, sides: Callable[[], SideSurface], function: str) -> Target:
    surface = sides()

    def refuse(exchange: Exchange, status: int, message: str) -> Whole:
        return surface.refuse(exchange, ErrorReply(message, "invalid_request_error", status=status))

    return Target(
        lambda exchange: surface.answer(exchange, function),
        refuse,
        service=registered.service,
        protocol=registered.name,
    )


def _refuse(exchange: Exchange, status: int, message: str) -> Whole:
    return exchange.json(status, {"error": {"message": message, "type": "invalid_request_error"}})


def _preflight(exchange: Exchange) -> Whole:
    """CORS: whatever headers the page wants to send are allowed by name, since Firefox takes no `*` for some."""
    wanted = exchange.head.headers.get("access-control-request-headers")
    return Whole(204, _preflight_headers(wanted), b"", exchange.fresh_headers)


@functools.lru_cache(maxsize=256)
def _preflight_headers(wanted: str | None) -> tuple[tuple[str, str], ...]:
    if not wanted:
        return CORS
    return tuple((name, wanted if name == "access-control-allow-headers" else value) for name, value in CORS)

"""Request to Answer: an ordinary function that awaits nothing.

Control, route, surface. What goes wrong on the way becomes an answer too: a client always hears something, in the
style of the API that it meant to reach.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from aimock.cors import CORS
from aimock.exchange import Exchange, Plan
from aimock.net.exchange import Answer, Head, Headers, Refusal, Request, Task, Whole
from aimock.routing import Router
from aimock.state import State
from aimock.steering import steering_of
from aimock_protocols.canonical import ErrorReply
from aimock_protocols.registry import CHAT_PROTOCOLS, Registered

if TYPE_CHECKING:
    from aimock.surfaces.sides import SideSurface

logger = logging.getLogger("aimock")

CONTROL_PREFIX = "/__aimock"

_UNSCOPED = "__server__"
"""Scope of the randomness that probes and the control API use, so that polling them changes no test's ids."""


class Target(NamedTuple):
    """Who answers on a route."""

    answer: Callable[[Exchange], Answer]
    refuse: Callable[[Exchange, int, str], Whole]
    """Answers in the same style a request that could not be read to its end."""
    scoped: bool = False
    """Whether the exchange belongs to a test: then its randomness is counted under the test id."""


class _Claim(NamedTuple):
    """Paths that several APIs share, as those requests mean them that have a certain header."""

    header: str
    router: Router[Callable[[], Target]]
    sides: Callable[[], SideSurface]


class App:
    """The handler that net serves, over one server's state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._router: Router[Callable[[], Target]] = Router()
        self._claims: list[_Claim] = []
        self._templates: list[str] = []
        for method, path, target in (
            ("GET", "/", Target(_root, _refuse)),
            ("GET", "/health", Target(_health, _refuse)),
            ("GET", "/ready", Target(_ready, _refuse)),
            ("GET", "/v1/_requests", Target(_deferred("aimock.control", "list_requests"), _refuse)),
            ("DELETE", "/v1/_requests", Target(_deferred("aimock.control", "clear_requests"), _refuse)),
        ):
            self._add(self._router, method, path, functools.partial(_same, target))
        for registered in CHAT_PROTOCOLS:
            self._register(registered)

    def _register(self, registered: Registered) -> None:
        chat = functools.cache(functools.partial(_chat_target, registered))
        for method, template in registered.routes:
            self._add(self._router, method, template, chat)
        sides = functools.cache(functools.partial(_side_surface, registered))
        router = self._router
        if registered.known_by is not None:
            router = Router()
            self._claims.append(_Claim(registered.known_by, router, sides))
        for method, template, function in registered.sides:
            self._add(router, method, template, functools.partial(_side_target, sides, function))

    def _add(
        self, router: Router[Callable[[], Target]], method: str, template: str, target: Callable[[], Target]
    ) -> None:
        router.add(method, template, target)
        self._templates.append(template)

    def answer(self, request: Request) -> Answer:
        """The contract with net: awaits nothing, raises nothing."""
        plan: Plan = request.head.memo or self._plan(request.head)
        exchange = Exchange(request, plan, self._state)
        try:
            answer = plan.answer(exchange)
        except Exception as error:
            return _failed(exchange, error)
        return Task(functools.partial(_guarded, answer, exchange)) if isinstance(answer, Task) else answer

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        """The answer to a request that net could not read."""
        plan = self._plan(head or _UNREADABLE)
        return plan.refuse(Exchange(Request(head or _UNREADABLE), plan, self._state), refusal.status, refusal.message)

    def _plan(self, head: Head) -> Plan:
        """Who answers requests with this head: control, preflights, then the routes."""
        steering = steering_of(head)
        params: Mapping[str, str] = {}
        if head.method == "OPTIONS":
            target = Target(_preflight, _refuse)
        elif head.path.startswith(CONTROL_PREFIX):
            target = Target(_deferred("aimock.control", "answer"), _refuse)
        else:
            claim = next((claim for claim in self._claims if claim.header in head.headers), None)
            resolved = claim.router.resolve(head.method, head.path) if claim is not None else None
            resolved = resolved or self._router.resolve(head.method, head.path)
            if resolved is not None:
                target, params = resolved.target(), resolved.params
            else:
                target = Target(functools.partial(self._no_route, claim), _refuse)
        plan = Plan(target.answer, target.refuse, params, steering, steering.test_id if target.scoped else _UNSCOPED)
        head.memo = plan
        return plan

    def _no_route(self, claim: _Claim | None, exchange: Exchange) -> Whole:
        """404, or 405 if only the method is wrong: in the words of the API that the client is known to speak, else in
        OpenAI's where the path looks like OpenAI's."""
        method, path = exchange.head.method, exchange.head.path
        allowed = self._router.methods(path)
        if claim is not None:
            allowed |= claim.router.methods(path)
            message, status = ("Method Not Allowed", 405) if allowed else ("Not Found", 404)
            error = ErrorReply(message, status=status, hint=self._nearest(path).get("hint"))
            return claim.sides().refuse(exchange, error)
        if not path.startswith(("/v1/", "/openai/")) and not allowed:
            return exchange.json(404, {"error": {"message": "Not found", "type": "not_found", **self._nearest(path)}})
        told = {"message": f"Invalid URL ({method} {path})", "type": "invalid_request_error"}
        status = 404
        headers: Headers = ()
        if allowed:
            status = 405
            headers = (("allow", ", ".join(sorted(allowed))),)
            told["message"] = (
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
            )
        return exchange.json(status, {"error": {**told, "param": None, "code": None, **self._nearest(path)}}, headers)

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
    logger.error("%s %s failed", exchange.head.method, exchange.head.path, exc_info=error)
    return exchange.json(500, {"error": {"message": str(error), "type": "server_error"}})


_UNREADABLE = Head("GET", "", "", "", {}, ())
"""Stands for a head that could not be read."""


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

    surface = LLMSurface(registered.load())
    return Target(surface.answer, surface.refuse, scoped=True)


def _side_surface(registered: Registered) -> SideSurface:
    from aimock.surfaces.sides import SideSurface

    return SideSurface(registered.load())


def _side_target(sides: Callable[[], SideSurface], function: str) -> Target:
    surface = sides()

    def refuse(exchange: Exchange, status: int, message: str) -> Whole:
        return surface.refuse(exchange, ErrorReply(message, "invalid_request_error", status=status))

    return Target(lambda exchange: surface.answer(exchange, function), refuse)


def _root(exchange: Exchange) -> Whole:
    """Clients look here whether anybody is there."""
    return Whole(
        200, (("content-type", "text/plain; charset=utf-8"), *CORS), b"aimock is running", exchange.fresh_headers
    )


def _health(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ok"})


def _ready(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ready"})


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

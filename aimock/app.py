"""Request to Answer: an ordinary function that awaits nothing.

Control, route, surface. What goes wrong on the way becomes an answer too: a client always hears something, in the
style of the API that it meant to reach.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aimock.cors import CORS
from aimock.exchange import Exchange, Plan
from aimock.net.exchange import Answer, Head, Refusal, Request, Whole
from aimock.routing import Router
from aimock.state import State
from aimock.steering import steering_of
from aimock_protocols.registry import CHAT_PROTOCOLS, Registered

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


class App:
    """The handler that net serves, over one server's state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._router: Router[Callable[[], Target]] = Router()
        self._templates: list[str] = []
        for method, path, target in (
            ("GET", "/health", Target(_health, _refuse)),
            ("GET", "/ready", Target(_ready, _refuse)),
            ("GET", "/v1/_requests", Target(_deferred("aimock.control", "list_requests"), _refuse)),
            ("DELETE", "/v1/_requests", Target(_deferred("aimock.control", "clear_requests"), _refuse)),
            ("GET", "/v1/models", _models("list_models")),
            ("GET", "/v1/models/{model:path}", _models("retrieve_model")),
        ):
            self._add(method, path, functools.partial(_same, target))
        for registered in CHAT_PROTOCOLS:
            surface = functools.cache(functools.partial(_chat_surface, registered))
            for route in registered.routes:
                self._add(route.method, route.template, surface)

    @property
    def state(self) -> State:
        return self._state

    def _add(self, method: str, template: str, target: Callable[[], Target]) -> None:
        self._router.add(method, template, target)
        self._templates.append(template)

    def answer(self, request: Request) -> Answer:
        """The contract with net: awaits nothing, raises nothing."""
        plan: Plan = request.head.memo or self._plan(request.head)
        exchange = Exchange(request, plan, self._state)
        try:
            return plan.answer(exchange)
        except Exception as error:
            logger.exception("%s %s failed", request.head.method, request.head.path)
            return exchange.json(500, {"error": {"message": str(error), "type": "server_error"}})

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
        elif (resolved := self._router.resolve(head.method, head.path)) is not None:
            target, params = resolved.target(), resolved.params
        else:
            target = Target(self._no_route, _refuse)
        plan = Plan(target.answer, target.refuse, params, steering, steering.test_id if target.scoped else _UNSCOPED)
        head.memo = plan
        return plan

    def _no_route(self, exchange: Exchange) -> Whole:
        """404, or 405 if only the method is wrong, in OpenAI's envelope where the path looks like OpenAI's."""
        method, path = exchange.head.method, exchange.head.path
        allowed = self._router.methods(path)
        if not path.startswith(("/v1/", "/openai/")) and not allowed:
            return exchange.json(404, {"error": {"message": "Not found", "type": "not_found", **self._nearest(path)}})
        error = {"message": f"Invalid URL ({method} {path})", "type": "invalid_request_error"}
        status = 404
        headers: tuple[tuple[str, str], ...] = ()
        if allowed:
            status = 405
            headers = (("allow", ", ".join(sorted(allowed))),)
            error["message"] = (
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
            )
        return exchange.json(status, {"error": {**error, "param": None, "code": None, **self._nearest(path)}}, headers)

    def _nearest(self, path: str) -> dict[str, str]:
        import difflib  # only a wrong path needs it

        nearest = difflib.get_close_matches(path[:200], self._templates, n=1, cutoff=0.6)
        return {"hint": f"the nearest route is {nearest[0]}"} if nearest and nearest[0] != path else {}


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


def _models(name: str) -> Target:
    return Target(_deferred("aimock.surfaces.models", name), _refuse_like_openai)


def _chat_surface(registered: Registered) -> Target:
    """The surface of a protocol, made when its first request comes."""
    from aimock.surfaces.llm import LLMSurface

    surface = LLMSurface(registered.load())
    return Target(surface.answer, surface.refuse, scoped=True)


def _health(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ok"})


def _ready(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ready"})


def _refuse(exchange: Exchange, status: int, message: str) -> Whole:
    return exchange.json(status, {"error": {"message": message, "type": "invalid_request_error"}})


def _refuse_like_openai(exchange: Exchange, status: int, message: str) -> Whole:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return exchange.json(status, {"error": error})


def _preflight(exchange: Exchange) -> Whole:
    """CORS: whatever headers the page wants to send are allowed by name, since Firefox takes no `*` for some."""
    wanted = exchange.head.headers.get("access-control-request-headers")
    return Whole(204, _preflight_headers(wanted), b"", exchange.fresh_headers)


@functools.lru_cache(maxsize=256)
def _preflight_headers(wanted: str | None) -> tuple[tuple[str, str], ...]:
    if not wanted:
        return CORS
    return tuple((name, wanted if name == "access-control-allow-headers" else value) for name, value in CORS)

"""Request to Answer: an ordinary function that awaits nothing.

Control, route, surface. What goes wrong on the way becomes an answer too: a client always hears something, in the
style of the API that it meant to reach.
"""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Callable, Mapping

import attrs

from aimock import control
from aimock.exchange import CORS, Exchange, Plan
from aimock.net.exchange import Answer, Head, Refusal, Request, Whole
from aimock.routing import Router
from aimock.state import State
from aimock.steering import steering_of
from aimock.surfaces import models
from aimock.surfaces.llm import LLMSurface
from aimock_protocols import openai_models
from aimock_protocols.registry import CHAT_PROTOCOLS

logger = logging.getLogger("aimock")

_UNSCOPED = "__server__"
"""Scope of the randomness that probes and the control API use, so that polling them changes no test's ids."""


@attrs.frozen
class Target:
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
        self._router: Router[Target] = Router()
        self._templates: list[str] = []
        for method, path, plain in (
            ("GET", "/health", _health),
            ("GET", "/ready", _ready),
            ("GET", "/v1/_requests", control.list_requests),
            ("DELETE", "/v1/_requests", control.clear_requests),
        ):
            self._add(method, path, Target(plain, _refuse))
        for route in openai_models.routes:
            answer = models.retrieve_model if "{" in route.template else models.list_models
            self._add(route.method, route.template, Target(answer, _refuse_like_openai))
        for protocol in CHAT_PROTOCOLS:
            surface = LLMSurface(protocol)
            for route in protocol.routes:
                self._add(route.method, route.template, Target(surface.answer, surface.refuse, scoped=True))

    def _add(self, method: str, template: str, target: Target) -> None:
        self._router.add(method, template, target)
        self._templates.append(template)

    def answer(self, request: Request) -> Answer:
        """The contract with net: awaits nothing, raises nothing."""
        plan = request.head.memo.get("plan") or self._plan(request.head)
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
        elif head.path.startswith(control.PREFIX):
            target = Target(control.answer, _refuse)
        elif (resolved := self._router.resolve(head.method, head.path)) is not None:
            target, params = resolved
        else:
            target = Target(self._no_route, _refuse)
        plan = Plan(target.answer, target.refuse, params, steering, steering.test_id if target.scoped else _UNSCOPED)
        head.memo["plan"] = plan
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
        nearest = difflib.get_close_matches(path[:200], self._templates, n=1, cutoff=0.6)
        return {"hint": f"the nearest route is {nearest[0]}"} if nearest and nearest[0] != path else {}


_UNREADABLE = Head("GET", "", "", "", {}, ())
"""Stands for a head that could not be read."""


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

"""One exchange on its way through the pipeline: the request, what it says to the server, and its time and chance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aimock.cors import CORS
from aimock.fixtures import Fixture
from aimock.fixtures.faults import Fault
from aimock.journal import Entry, Neutral, request_id
from aimock.memories import Memory
from aimock.net.exchange import Answer, Head, Request, Whole
from aimock.state import State
from aimock.steering import Steering
from aimock_protocols.canonical import Allowance, Headers, Stamp

if TYPE_CHECKING:
    from aimock_protocols.ids import Renaming

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
"""What may stand in a URL that is told to others; a name that was sent as anything else is none."""

_JSON_HEADERS: Headers = (("content-type", "application/json"), *CORS)


@attrs.define(eq=False)
class Plan:
    """What the head of a request decides: the same for all requests that come with that head. Never changed."""

    answer: Callable[[Exchange], Answer]
    refuse: Callable[[Exchange, int, str], Whole]
    """Answers in the same style a request that could not be read to its end."""
    params: Mapping[str, str]
    """What the route's template found in the path, as sent."""
    steering: Steering
    scope: str
    """What the exchange's randomness is counted under: its test id, unless it is none of a test's business."""
    label: str
    """What metrics call the path; there are few of them, whatever clients ask for."""
    edition: object
    """Of the mounts for which it holds."""
    service: str | None = None
    """The kind of service that the request is for, if it is for one."""
    protocol: str | None = None
    """That of a model's API, by its name in the registry, if the request is for one."""


@attrs.define(eq=False)
class Exchange:
    """A request and what is derived from it; randomness is drawn only by those who ask."""

    request: Request
    plan: Plan
    state: State
    neutral: Neutral | dict[str, Any] | None = None
    """The neutral body of the request for the journal, or what gives it; None until the request has been understood."""
    allowance: Allowance | None = None
    """What is left of the client's quota; None where none is kept."""
    fault: Fault | None = None
    """What chaos has in store for it."""
    entry: Entry | None = None
    """Its entry in the journal, once there is one."""
    upgrade: Exchange | None = None
    """The handshake of the session whose turn it is, if a provider can go on with that."""
    _stamp: Stamp | None = None
    _renaming: Renaming | None = None

    @property
    def params(self) -> Mapping[str, str]:
        return self.plan.params

    @property
    def steering(self) -> Steering:
        return self.plan.steering

    @property
    def head(self) -> Head:
        return self.request.head

    @property
    def strict(self) -> bool:
        """Whether strict mode holds for this request."""
        override = self.plan.steering.strict
        return self.state.settings.strict if override is None else override

    @property
    def strict_override(self) -> bool | None:
        """The request's own choice, where it changes the server's."""
        override = self.plan.steering.strict
        return override if override != self.state.settings.strict else None

    @property
    def stamp(self) -> Stamp:
        """The time and randomness of this exchange, drawn when they are first asked for."""
        stamp = self._stamp
        if stamp is None:
            state, request = self.state, self.request
            entropy = state.randomness.fork(self.plan.scope, request.head.target, request.body)
            stamp = self._stamp = Stamp(state.settings.wall_clock(), entropy)
        return stamp

    @property
    def renaming(self) -> Renaming | None:
        """Fresh ids for what was recorded; None if it has its own."""
        if self._renaming is None and self.state.rewrites_ids:
            from aimock_protocols.ids import Renaming  # few want it

            self._renaming = Renaming(self.stamp, self.state.given_ids.named_in(self.request.body))
        return self._renaming

    @property
    def fresh_headers(self) -> Headers:
        stamp = self.stamp
        return (("x-request-id", request_id(self.plan.steering, stamp)),)

    @property
    def origin(self) -> str:
        """Where the client reaches this server, as far as it says so itself: `http://host:port`."""
        headers = self.head.headers
        host, scheme = headers.get("host", ""), headers.get("x-forwarded-proto", "").strip().lower()
        if scheme not in ("http", "https"):
            scheme = "https" if self.state.settings.is_secure else "http"
        return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"

    def fresh_beside(self, headers: Headers) -> Headers:
        """The same beside these (names in lower case), for those that they do not have already."""
        told = {name for name, _ in headers}
        return tuple(line for line in self.fresh_headers if line[0] not in told)

    def memory(self, protocol: str) -> Memory:
        """What the server remembers for the exchange's test of the family that a protocol is of."""
        return self.state.memories.of(self.plan.steering.test_id, protocol.partition(".")[0])

    def record(self, status: int, fixture: Fixture | None = None) -> Entry:
        """Journals the exchange. The one place where that happens."""
        state = self.state
        entry = self.entry = Entry(
            self.stamp, state.randomness.seed, self.request, self.plan, status, self.neutral, fixture, self.fault
        )
        state.journal.add(entry)
        return entry

    def unexpected(self, why: str) -> None:
        """Says that nothing here is meant to answer this request."""
        if self.state.on_unexpected is not None:
            self.state.on_unexpected(self, why)

    def json(self, status: int, body: Any, headers: Headers = ()) -> Whole:
        """A JSON response of our own, in no provider's style."""
        return Whole(status, _JSON_HEADERS + headers, orjson.dumps(body), self.fresh_headers)

"""Outcomes as answers of HTTP: whole, or streams, and what the journal hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Headers, Relay, Task, Whole
from aimock.net.exchange import Outcome as Ended
from aimock.surfaces.mcp.moves import Outcome
from aimock.surfaces.mcp.server import METHODS
from aimock.surfaces.mcp.streams import EventStream
from aimock_protocols.jsonrpc import Id, RpcError
from aimock_protocols.mcp import frames
from aimock_protocols.mcp.errors import modern_status

if TYPE_CHECKING:
    from aimock.journal import Entry
    from aimock.surfaces.mcp.service import MCPService

_JSON: Headers = (("content-type", "application/json"), *CORS)
EVENTS: Headers = (*frames.HEADERS, *CORS)


class Refused(Exception):
    """A request that HTTP refuses already."""

    def __init__(self, status: int, error: RpcError, headers: Headers = ()) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


class Accepted(NamedTuple):
    """What a client takes."""

    json: bool
    events: bool


class Answering:
    """Answers one POST, or reads a stream for one GET."""

    def __init__(self, service: MCPService, exchange: Exchange, method: str) -> None:
        """`method`: as metrics call it, as long as it is not known what was meant."""
        self._service = service
        self._exchange = exchange
        self._method = method
        self._value: Any = None
        self._modern = False
        self.id: Id = None
        """Of the request that was posted."""
        self._entry: Entry | None = None
        self.accepted = service.accepted(exchange)

    def meant(self, value: Any, *, modern: bool = False) -> None:
        """What was posted, and whether it is of the modern era."""
        self._value, self._method, self._modern = value, label_of(value), modern
        id = value.get("id") if isinstance(value, dict) and "method" in value else None
        self.id = id if type(id) in (str, int) else None

    def _noted(self, status: int) -> Entry:
        if self._entry is None:
            self._entry = self._service.noted(self._exchange, status, self._method, self._value)
        self._entry.status = status
        return self._entry

    def whole(self, status: int, message: Any = None, headers: Headers = ()) -> Whole:
        """One JSON value, or nothing."""
        entry = self._noted(status)
        body = b"" if message is None else orjson.dumps(message)
        fixed = CORS if message is None else _JSON
        return Whole(status, fixed + headers, body, self._exchange.fresh_headers, on_end=entry.ended)

    def refused(self, refused: Refused) -> Whole:
        return self.whole(refused.status, refused.error.response(self.id), refused.headers)

    def told(self, outcomes: list[Outcome], headers: Headers = (), *, batch: bool = False) -> Whole:
        """Answers that came at once."""
        status = 200
        for outcome in outcomes:
            if self._modern:
                status = modern_status(outcome.response)
            if outcome.missed is not None:
                self._service.missed(self._exchange, outcome.missed)
                if self._exchange.strict:
                    status = 503
                    outcome.response["error"]["message"] = f"Strict mode: {outcome.missed}"
        responses = [outcome.response for outcome in outcomes]
        if status != 200 or not self.wants_events:
            return self.whole(status, responses if batch else responses[0], headers)
        entry = self._noted(status)
        body = b"".join(map(frames.event, responses))
        return Whole(status, EVENTS + headers, body, self._exchange.fresh_headers, on_end=entry.ended)

    @property
    def wants_events(self) -> bool:
        return self.accepted.events and (self._service.prefers_events or not self.accepted.json)

    def awaited(self, stream: EventStream) -> Task:
        """An answer that takes its time: whole if nothing was said before it, otherwise the stream."""
        return Task(lambda: self._await(stream))

    async def _await(self, stream: EventStream) -> Answer:
        self._noted(200)
        try:
            if not self.accepted.events:
                await stream.stirred(float("inf"))
            elif not self.wants_events:
                await stream.stirred(self._service.keep_alive)
        except trio.Cancelled:
            self._noted(200).ended(Ended.CLIENT_LEFT)
            stream.leave()
            raise
        if stream.is_over and not stream.has_spoken and not self.wants_events:
            return self.whole(202) if stream.outcome is None else self.told([stream.outcome])
        return self.relay(stream)

    def relay(self, stream: EventStream, after: int | None = None) -> Relay:
        """What a stream says, from after that event on, or from where nobody has read."""
        entry = self._noted(200)
        stream.has_reader = True
        pieces = stream.read(after, self._service.keep_alive)
        return Relay(200, EVENTS, pieces, self._exchange.fresh_headers, on_end=entry.ended)


def label_of(value: Any) -> str:
    """What metrics call a message: its method, if it is one that there is."""
    method = value.get("method") if isinstance(value, dict) else None
    if isinstance(method, str):
        return method if method in METHODS or method in _NOTIFICATIONS else "other"
    return "response" if isinstance(value, dict) and ("result" in value or "error" in value) else "unknown"


_NOTIFICATIONS = frozenset(
    f"notifications/{name}" for name in ("initialized", "cancelled", "progress", "roots/list_changed")
)

"""Streamable HTTP with sessions: the revisions from 2025-03-26 to 2025-11-25 (and 2024-11-05's messages)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Whole
from aimock.surfaces.mcp.answering import Answering, Refused
from aimock.surfaces.mcp.held import HeldSession
from aimock.surfaces.mcp.moves import Caller, Outcome
from aimock.surfaces.mcp.performing import Line, Performer, UnderWay, begin
from aimock.surfaces.mcp.sessions import Session
from aimock.surfaces.mcp.streams import EventStream, Together
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INVALID_REQUEST, Request, RpcError
from aimock_protocols.mcp import frames, revisions
from aimock_protocols.mcp.envelope import SESSION_HEADER, VERSION_HEADER, progress_token

if TYPE_CHECKING:
    from aimock.surfaces.mcp.service import MCPService

_LAST_EVENT = "last-event-id"


class Legacy:
    """What the service does for clients with sessions, or with what a stateless server has of them."""

    def __init__(self, service: MCPService) -> None:
        self._service = service

    def post(self, exchange: Exchange, value: Any, answering: Answering) -> Answer:
        """Raises Refused, RpcError."""
        if type(value) is list:
            return self._batch(exchange, value, answering)
        message = jsonrpc.message(value)
        if isinstance(message, Request) and message.method == "initialize":
            return self._initialize(exchange, message, answering)
        held = self._held(exchange)
        if not isinstance(message, Request):
            held.session.hear(message)
            return answering.whole(202)
        held.session.check_room(message.id)
        caller = self._caller(exchange, held, message, answering)
        begun = begin(self._service.server.answer(message, caller))
        if isinstance(begun, Outcome):
            return answering.told([begun])
        stream = held.open() if answering.accepted.events else EventStream(muted=True)
        self._perform(held, message, caller, begun, stream)
        return answering.awaited(stream)

    def _perform(self, held: HeldSession, message: Request, caller: Caller, begun: UnderWay, line: Line) -> None:
        """Goes on beside the connection, whose end is no reason to stop."""

        async def run() -> None:
            try:
                await Performer(caller, line).perform(begun)
            finally:
                held.session.ended(message.id)

        held.session.began(message.id, self._service.spawn(run))

    def _initialize(self, exchange: Exchange, message: Request, answering: Answering) -> Whole:
        revision, result = self._service.server.initialize(message.params)
        params = message.params
        outcome = Outcome(jsonrpc.result(message.id, result))
        if not self._service.is_stateful:
            return answering.told([outcome])
        now = exchange.state.settings.clock()
        session = Session(exchange.stamp.uuid("session"), revision, params["capabilities"], params["clientInfo"])
        self._service.sessions.add(HeldSession(session, now))
        return answering.told([outcome], ((SESSION_HEADER, session.id),))

    def _batch(self, exchange: Exchange, values: list[Any], answering: Answering) -> Answer:
        """Several messages at once, as 2025-03-26 has them. Those that are none are answered each by itself."""
        if not values:
            raise RpcError(INVALID_REQUEST, "Invalid Request: an empty batch")
        held = self._held(exchange)
        if held.session.revision != revisions.BATCHES:
            raise RpcError(INVALID_REQUEST, f"Invalid Request: {held.session.revision} has no batches")
        outcomes: list[Outcome] = []
        waiting: list[tuple[Request, Caller, UnderWay]] = []
        for value in values:
            try:
                message = jsonrpc.message(value)
                if not isinstance(message, Request):
                    held.session.hear(message)
                    continue
                if message.method == "initialize":
                    raise RpcError(INVALID_REQUEST, "initialize must not be in a batch", id=message.id)
                if any(message.id == other.id for other, _, _ in waiting):
                    raise RpcError(INVALID_REQUEST, "Two requests of a batch have this id", id=message.id)
                held.session.check_room(message.id)
            except RpcError as refused:
                outcomes.append(Outcome(refused.response()))
                continue
            caller = self._caller(exchange, held, message, answering)
            begun = begin(self._service.server.answer(message, caller))
            if isinstance(begun, Outcome):
                outcomes.append(begun)
            else:
                waiting.append((message, caller, begun))
        if not outcomes and not waiting:
            return answering.whole(202)
        if not waiting:
            return answering.told(outcomes, batch=True)
        if not answering.accepted.events:
            for _, _, begun in waiting:
                begun.steps.close()
            raise RpcError(INVALID_REQUEST, "A batch with requests that take their time is answered by events only")
        stream = held.open()
        for outcome in outcomes:
            stream.send(outcome.response)
        open: list[object] = []
        lines = [Together(stream, open) for _ in waiting]
        for (message, caller, begun), line in zip(waiting, lines, strict=True):
            self._perform(held, message, caller, begun, line)
        return answering.relay(stream)

    def get(self, exchange: Exchange, answering: Answering) -> Answer:
        """The lasting stream of a session, or one that broke off, from where it broke off. Raises Refused."""
        if not self._service.is_stateful:
            raise _not_allowed()
        if not answering.accepted.events:
            raise Refused(406, RpcError(INVALID_REQUEST, "Not Acceptable: this is answered by text/event-stream"))
        if SESSION_HEADER not in exchange.head.headers:
            raise _not_allowed()
        held = self._held(exchange)
        last = exchange.head.headers.get(_LAST_EVENT)
        stream, after = held.lasting(), None
        if last is not None:
            place = frames.place(last)
            found = held.stream(place.stream) if place is not None else None
            if place is None or found is None or not found.knows(place.number):
                raise Refused(400, RpcError(INVALID_REQUEST, "Last-Event-ID is of no event that is still known"))
            stream, after = found, place.number
        if stream.has_reader:
            raise Refused(409, RpcError(INVALID_REQUEST, "Conflict: the stream is being read already"))
        return answering.relay(stream, after)

    def delete(self, exchange: Exchange, answering: Answering) -> Whole:
        """Ends a session. Raises Refused."""
        if not self._service.is_stateful:
            raise _not_allowed()
        headers = exchange.head.headers
        if SESSION_HEADER not in headers and headers.get(VERSION_HEADER) == revisions.MODERN:
            raise _not_allowed()
        held = self._held(exchange)
        self._service.sessions.end(held.session.id)
        return answering.whole(200, {"ok": True})

    def _held(self, exchange: Exchange) -> HeldSession:
        """The session that a request names. Raises Refused: 400 if it names none, 404 if there is none."""
        headers = exchange.head.headers
        version = headers.get(VERSION_HEADER)
        now = exchange.state.settings.clock()
        spoken = self._service.server.options.versions
        if version is not None and not revisions.is_legacy(version, spoken):
            known = ", ".join(spoken)
            raise Refused(
                400, RpcError(INVALID_REQUEST, f"Unsupported protocol version: {version} (supported: {known})")
            )
        if not self._service.is_stateful:
            return HeldSession(Session("", version or revisions.ASSUMED, {}, {}), now)
        name = headers.get(SESSION_HEADER)
        if name is None:
            raise Refused(400, RpcError(INVALID_REQUEST, "Missing session ID"))
        held = self._service.sessions.get(name, now)
        if held is None:
            raise Refused(404, RpcError(INVALID_REQUEST, "Session not found"))
        return held  # whose revision holds: clients send another that is spoken, and no server of the SDKs minds

    def _caller(self, exchange: Exchange, held: HeldSession, message: Request, answering: Answering) -> Caller:
        session = held.session
        return Caller(
            session.revision,
            session.capabilities if answering.accepted.events else {},  # whoever takes no events cannot be asked
            exchange.stamp,
            exchange.steering.test_id,
            session,
            session.log_level,
            progress_token(message.params),
        )


def _not_allowed() -> Refused:
    """For what only sessions have, where there is none."""
    return Refused(405, RpcError(INVALID_REQUEST, "Method Not Allowed without a session"), (("allow", "POST"),))

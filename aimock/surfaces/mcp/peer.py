"""One client over one lasting connection that carries messages both ways: stdio, or HTTP+SSE (2024-11-05).

See the package's docstring for the contract with what carries the messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from aimock.surfaces.mcp.listening import Listening
from aimock.surfaces.mcp.moves import Caller, Outcome
from aimock.surfaces.mcp.performing import Performer, begin
from aimock.surfaces.mcp.server import Server, Spawn
from aimock.surfaces.mcp.sessions import Send, Session, unheard
from aimock_protocols import jsonrpc
from aimock_protocols.canonical import Stamp
from aimock_protocols.jsonrpc import Id, Notification, Request, RpcError
from aimock_protocols.mcp import revisions
from aimock_protocols.mcp.envelope import climb, is_modern, progress_token

_DEFAULT_TEST_ID = "__default__"


class Peer:
    """Never raises, never waits."""

    def __init__(
        self,
        server: Server,
        send: Send,
        spawn: Spawn,
        stamp: Callable[[bytes], Stamp],
        test_id: str = _DEFAULT_TEST_ID,
        *,
        on_missed: Callable[[str], None] | None = None,
    ) -> None:
        """`on_missed` is told why nothing here is meant to answer a request."""
        self.session: Session | None = None
        self._server = server
        self._send = send
        self._spawn = spawn
        self._stamp = stamp
        self._test_id = test_id
        self._on_missed = on_missed
        self._modern: dict[Id, trio.CancelScope] = {}
        self._listening: dict[Id, Listening] = {}
        server.spawn = server.spawn or spawn
        server.registry.listeners.append(self._changed)

    def receive(self, body: bytes) -> None:
        """One message, or a batch if the revision that is spoken has them."""
        try:
            value = jsonrpc.loads(body)
            if type(value) is list and self._takes_batches and value:
                for item in value:
                    self._take(item, body)
            else:
                self._take(value, body)
        except RpcError as refused:
            self._send(refused.response())

    @property
    def _takes_batches(self) -> bool:
        return self.session is not None and self.session.revision == revisions.BATCHES

    def _take(self, value: Any, body: bytes) -> None:
        try:
            message = jsonrpc.message(value)
        except RpcError as refused:
            self._send(refused.response())
            return
        if isinstance(message, Request):
            self._answer(message, is_modern({}, value), self._stamp(body))
        elif self.session is not None:
            self.session.hear(message)
        elif isinstance(message, Notification) and message.method == "notifications/cancelled":
            self._cancel(message)

    def _cancel(self, message: Notification) -> None:
        """In the modern era a client without streams says so when it wants to hear no more."""
        id = message.params.get("requestId")
        if not isinstance(id, str | int):
            return
        scope, listening = self._modern.get(id), self._listening.pop(id, None)
        if scope is not None:
            scope.cancel()
        if listening is not None:
            listening.close()

    def _answer(self, request: Request, modern: bool, stamp: Stamp) -> None:
        try:
            if modern:
                self._begin_modern(request, stamp)
            elif request.method == "initialize":
                self._initialize(request, stamp)
            else:
                self._begin_legacy(request, stamp)
        except RpcError as refused:
            self._send(refused.response(request.id))

    def _initialize(self, request: Request, stamp: Stamp) -> None:
        if self.session is not None:
            raise RpcError(jsonrpc.INVALID_REQUEST, "The session is initialized already")
        revision, result = self._server.initialize(request.params)
        params = request.params
        self.session = Session(
            stamp.uuid("session"), revision, params["capabilities"], params["clientInfo"], self._send
        )
        self._send(jsonrpc.result(request.id, result))

    def _begin_legacy(self, request: Request, stamp: Stamp) -> None:
        session = self.session
        if session is None:
            if request.method != "ping":
                raise RpcError(jsonrpc.INVALID_REQUEST, "The first request of a session is initialize")
            session = Session("", revisions.ASSUMED, {}, {}, self._send)
        session.check_room(request.id)
        caller = Caller(
            session.revision,
            session.capabilities,
            stamp,
            self._test_id,
            session,
            session.log_level,
            progress_token(request.params),
        )
        self._begin(request, caller, session.began, session.ended)

    def _begin_modern(self, request: Request, stamp: Stamp) -> None:
        envelope = climb(request, None, (), self._server.options.versions)
        if request.method == "subscriptions/listen":
            if request.id in self._listening or len(self._listening) >= _MOST_LISTENING:
                raise RpcError(jsonrpc.INVALID_REQUEST, "Too many subscriptions, or two of one id")
            self._listening[request.id] = Listening(self._server, request, self._send)
            return
        if request.id in self._modern or len(self._modern) >= _MOST_CALLS:
            raise RpcError(jsonrpc.INVALID_REQUEST, "Too many requests at once, or two of one id")
        caller = Caller(
            envelope.version,
            envelope.capabilities,
            stamp,
            self._test_id,
            log_level=envelope.log_level,
            progress_token=envelope.progress_token,
        )

        def ended(id: Id) -> None:
            self._modern.pop(id, None)

        self._begin(request, caller, self._modern.__setitem__, ended)

    def _begin(
        self,
        request: Request,
        caller: Caller,
        began: Callable[[Id, trio.CancelScope], object],
        ended: Callable[[Id], object],
    ) -> None:
        begun = begin(self._server.answer(request, caller))
        line = _Line(self, request.id, ended)
        if isinstance(begun, Outcome):
            line.finish(begun)
        else:
            performer = Performer(caller, line)
            began(request.id, self._spawn(lambda: performer.perform(begun)))

    def tell(self, outcome: Outcome | None) -> None:
        """Sends an answer, if there is one."""
        if outcome is not None:
            if outcome.missed is not None and self._on_missed is not None:
                self._on_missed(outcome.missed)
            self._send(outcome.response)

    def send(self, message: dict[str, Any]) -> None:
        self._send(message)

    def _changed(self, what: str) -> None:
        if self.session is not None:
            self.session.changed(what)

    def close(self) -> None:
        """The client is gone: whatever runs for it ends."""
        self._server.registry.listeners.remove(self._changed)
        if self.session is not None:
            self.session.close()
        for scope in [*self._modern.values()]:
            scope.cancel()
        for listening in self._listening.values():
            listening.close()
        self._send = unheard


_MOST_LISTENING = 100
_MOST_CALLS = 1_000


class _Line:
    """The way of one request over the connection of all."""

    def __init__(self, peer: Peer, id: Id, ended: Callable[[Id], object]) -> None:
        self._peer = peer
        self._id = id
        self._ended = ended

    def send(self, message: dict[str, Any]) -> None:
        self._peer.send(message)

    def hang_up(self, retry_ms: int) -> None:
        """There is no stream that could be taken up again."""

    def finish(self, outcome: Outcome | None) -> None:
        self._ended(self._id)
        self._peer.tell(outcome)

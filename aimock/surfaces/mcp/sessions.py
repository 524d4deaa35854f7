"""A legacy session: what a client and this server know of each other between `initialize` and the end.

It knows no transport. Whoever carries it gives it `send`, for messages that belong to no request of the client's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio

from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import Id, Notification, Response, RpcError
from aimock_protocols.mcp.errors import invalid_params

Send = Callable[[dict[str, Any]], None]


def unheard(message: dict[str, Any]) -> None:
    """Where there is nobody to send a message to."""


_MOST_SUBSCRIPTIONS = 1_000
_MOST_CALLS = 1_000


@attrs.define(eq=False)
class _Asked:
    """A request of ours that the client has not answered yet."""

    answered: trio.Event = attrs.field(factory=trio.Event)
    response: Response | None = None


@attrs.define(eq=False)
class Session:
    id: str
    revision: str
    capabilities: dict[str, Any]
    client_info: dict[str, Any]
    send: Send = unheard
    """For what belongs to no request."""
    log_level: str | None = None
    """The least severe log messages that are wanted; None: all."""
    subscriptions: set[str] = attrs.field(factory=set)
    """URIs of resources."""
    has_begun: bool = False
    """Whether the client has said that it is initialized."""
    _calls: dict[Id, trio.CancelScope] = attrs.field(factory=dict)
    _asked: dict[Id, _Asked] = attrs.field(factory=dict)
    _last_id: int = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._calls)

    def hear(self, message: Notification | Response) -> None:
        """What needs no answer. What is not understood, or comes too late, is passed over."""
        if isinstance(message, Response):
            asked = self._asked.get(message.id)
            if asked is not None:
                asked.response = message
                asked.answered.set()
        elif message.method == "notifications/initialized":
            self.has_begun = True
        elif message.method == "notifications/cancelled":
            id = message.params.get("requestId")
            scope = self._calls.get(id) if isinstance(id, str | int) else None
            if scope is not None:
                scope.cancel()

    def subscribe(self, uri: str) -> None:
        """Raises RpcError if there are too many."""
        if len(self.subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise invalid_params(f"No more than {_MOST_SUBSCRIPTIONS} subscriptions in a session")
        self.subscriptions.add(uri)

    def began(self, id: Id, scope: trio.CancelScope) -> None:
        """A request takes its time; cancelling the scope ends it."""
        self._calls[id] = scope

    def ended(self, id: Id) -> None:
        self._calls.pop(id, None)

    def check_room(self, id: Id) -> None:
        """Raises RpcError if a request of this id is under way, or too many are."""
        if id in self._calls:
            raise RpcError(jsonrpc.INVALID_REQUEST, "A request with this id is under way")
        if len(self._calls) >= _MOST_CALLS:
            raise RpcError(jsonrpc.INTERNAL_ERROR, f"No more than {_MOST_CALLS} requests at once in a session")

    async def ask(self, send: Send, method: str, params: dict[str, Any]) -> Any:
        """The client's answer to a request of ours, which `send` takes to it. Raises RpcError if that is an error."""
        self._last_id += 1
        id = self._last_id
        asked = self._asked[id] = _Asked()
        try:
            send(jsonrpc.request(id, method, params))
            await asked.answered.wait()
        finally:
            del self._asked[id]
        assert asked.response is not None
        error = asked.response.error
        if error is not None:
            raise RpcError(error["code"], error["message"], error.get("data"))
        return asked.response.result

    def changed(self, what: str) -> None:
        """Tells the client of a change: of a list, or of a resource that it has subscribed to."""
        if what in ("tools", "prompts", "resources"):
            self.send(jsonrpc.notification(f"notifications/{what}/list_changed"))
        elif what in self.subscriptions:
            self.send(jsonrpc.notification("notifications/resources/updated", {"uri": what}))

    def close(self) -> None:
        """Whatever is under way ends, unanswered."""
        for scope in [*self._calls.values()]:
            scope.cancel()

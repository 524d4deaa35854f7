"""A modern client's subscription: what it wants to hear of, and what it is told (2026-07-28, subscriptions/listen)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import Request
from aimock_protocols.mcp.envelope import SUBSCRIPTION_KEY
from aimock_protocols.mcp.errors import invalid_params, method_not_found

if TYPE_CHECKING:
    from aimock.surfaces.mcp.server import Server
    from aimock.surfaces.mcp.tasks import Task

_LISTS = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}
_MOST_RESOURCES = 1_000


class Listening:
    """It listens from the beginning, and says so."""

    def __init__(self, server: Server, request: Request, send: Callable[[dict[str, Any]], None]) -> None:
        """Raises RpcError (-32601, -32602)."""
        capabilities = server.options.capabilities
        if not any(_offers(capabilities, kind, "listChanged") for kind in _LISTS.values()):
            raise method_not_found(request.method)
        wanted = request.params.get("notifications")
        if type(wanted) is not dict:
            raise invalid_params("notifications must be an object")
        uris = wanted.get("resourceSubscriptions", [])
        if type(uris) is not list or not all(type(uri) is str for uri in uris) or len(uris) > _MOST_RESOURCES:
            raise invalid_params(
                f"notifications.resourceSubscriptions must be an array of at most {_MOST_RESOURCES} URIs"
            )
        granted: dict[str, Any] = {
            key: True
            for key, kind in _LISTS.items()
            if wanted.get(key) is True and _offers(capabilities, kind, "listChanged")
        }
        if uris and _offers(capabilities, "resources", "subscribe"):
            granted["resourceSubscriptions"] = uris
        ids = wanted.get("taskIds", [])
        if type(ids) is list and ids and "tasks" in capabilities:
            granted["taskIds"] = [id for id in ids[:_MOST_RESOURCES] if type(id) is str]
        self._about = {SUBSCRIPTION_KEY: request.id}
        self._lists = {_LISTS[key] for key in granted if key in _LISTS}
        self._uris = frozenset(granted.get("resourceSubscriptions", ()))
        self._task_ids = frozenset(granted.get("taskIds", ()))
        self._send = send
        self._tasks = server.tasks
        self._registry = server.registry
        self._id = request.id
        self._tell("subscriptions/acknowledged", {"notifications": granted})
        self._registry.listeners.append(self._changed)
        self._tasks.listeners.append(self._task_changed)

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send(jsonrpc.notification(f"notifications/{method}", {"_meta": self._about, **params}))

    def _changed(self, what: str) -> None:
        if what in self._lists:
            self._tell(f"{what}/list_changed", {})
        elif what in self._uris:
            self._tell("resources/updated", {"uri": what})

    def _task_changed(self, task: Task) -> None:
        if task.id in self._task_ids:
            self._tell("tasks", task.modern())

    def end(self) -> dict[str, Any]:
        """Listens no more; the last message of a subscription that the server ends."""
        self.close()
        return jsonrpc.result(self._id, {"resultType": "complete", "_meta": self._about})

    def close(self) -> None:
        """Listens no more."""
        if self._changed in self._registry.listeners:
            self._registry.listeners.remove(self._changed)
            self._tasks.listeners.remove(self._task_changed)


def _offers(capabilities: dict[str, Any], kind: str, feature: str) -> bool:
    return bool((capabilities.get(kind) or {}).get(feature))

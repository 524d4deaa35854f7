"""What an agent can be asked, and how each binding and version asks it.

Source: A2A 1.0 §5.3 (the table of methods) and §11; 0.3 §3.5.6 for its JSON-RPC methods.
"""

from __future__ import annotations

import enum
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs

from aimock_protocols.a2a import legacy, schema
from aimock_protocols.a2a.errors import METHOD_NOT_FOUND, A2AError
from aimock_protocols.a2a.schema import Shape
from aimock_protocols.a2a.versions import Version


class Operation(enum.Enum):
    """By the names that 1.0 has for them."""

    SEND = "SendMessage"
    STREAM = "SendStreamingMessage"
    GET = "GetTask"
    LIST = "ListTasks"
    CANCEL = "CancelTask"
    SUBSCRIBE = "SubscribeToTask"
    CREATE_PUSH = "CreateTaskPushNotificationConfig"
    GET_PUSH = "GetTaskPushNotificationConfig"
    LIST_PUSHES = "ListTaskPushNotificationConfigs"
    DELETE_PUSH = "DeleteTaskPushNotificationConfig"
    EXTENDED_CARD = "GetExtendedAgentCard"

    @property
    def is_streamed(self) -> bool:
        return self in (Operation.STREAM, Operation.SUBSCRIBE)


class _Legacy(NamedTuple):
    """How 0.3 asks it, and has it answered."""

    method: str
    read: Callable[[Mapping[str, Any]], dict[str, Any]]
    written: Callable[[Any], Any]


_SHAPES: Mapping[Operation, Shape] = {
    Operation.SEND: schema.SEND,
    Operation.STREAM: schema.SEND,
    Operation.GET: schema.GET_TASK,
    Operation.LIST: schema.LIST_TASKS,
    Operation.CANCEL: schema.CANCEL,
    Operation.SUBSCRIBE: schema.SUBSCRIBE,
    Operation.CREATE_PUSH: schema.CREATE_PUSH,
    Operation.GET_PUSH: schema.PUSH_ID,
    Operation.LIST_PUSHES: schema.LIST_PUSHES,
    Operation.DELETE_PUSH: schema.PUSH_ID,
    Operation.EXTENDED_CARD: schema.EXTENDED_CARD,
}

_PUSHES = "tasks/pushNotificationConfig"
_LEGACY: Mapping[Operation, _Legacy] = {
    Operation.SEND: _Legacy("message/send", legacy.read_send, legacy.written_event),
    Operation.STREAM: _Legacy("message/stream", legacy.read_send, legacy.written_event),
    Operation.GET: _Legacy("tasks/get", legacy.read_get, legacy.written_task),
    Operation.CANCEL: _Legacy("tasks/cancel", legacy.read_as_it_is, legacy.written_task),
    Operation.SUBSCRIBE: _Legacy("tasks/resubscribe", legacy.read_as_it_is, legacy.written_event),
    Operation.CREATE_PUSH: _Legacy(f"{_PUSHES}/set", legacy.read_push_set, legacy.written_push),
    Operation.GET_PUSH: _Legacy(f"{_PUSHES}/get", legacy.read_push_id, legacy.written_push),
    Operation.LIST_PUSHES: _Legacy(f"{_PUSHES}/list", legacy.read_push_list, legacy.written_pushes),
    Operation.DELETE_PUSH: _Legacy(f"{_PUSHES}/delete", legacy.read_push_id, legacy.written_as_it_is),
    Operation.EXTENDED_CARD: _Legacy(
        "agent/getAuthenticatedExtendedCard", legacy.read_as_it_is, legacy.written_as_it_is
    ),
}

METHODS: Mapping[str, tuple[Operation, Version]] = {
    **{operation.value: (operation, Version.V1) for operation in Operation},
    **{old.method: (operation, Version.V0_3) for operation, old in _LEGACY.items()},
}
"""JSON-RPC methods. No name is of both versions, so it is by the name that one knows the version."""


@attrs.frozen
class Asked:
    """What is asked, understood."""

    operation: Operation
    version: Version
    params: dict[str, Any]
    """In 1.0, checked: known fields only."""


def asked(operation: Operation, version: Version, params: Mapping[str, Any]) -> Asked:
    """Raises A2AError (INVALID_PARAMS)."""
    if version is Version.V0_3:
        params = _LEGACY[operation].read(params)
    return Asked(operation, version, _SHAPES[operation].read(params))


def by_method(method: str, params: Mapping[str, Any]) -> Asked:
    """What a JSON-RPC request asks. Raises A2AError."""
    found = METHODS.get(method)
    if found is None:
        raise A2AError(METHOD_NOT_FOUND, metadata={"method": method[:200]})
    return asked(*found, params)


def written(operation: Operation, version: Version, value: Any) -> Any:
    """An answer, or an event of a stream, in the words of a version."""
    return value if version is Version.V1 else _LEGACY[operation].written(value)


# -- HTTP+JSON ---------------------------------------------------------------------------------------------------------


class Route(NamedTuple):
    """A method and a path of the HTTP+JSON binding."""

    method: str
    path: re.Pattern[str]
    operation: Operation


_TASK = "/tasks/(?P<{}>[^/]+)"
_CONFIGS = _TASK.format("taskId") + "/pushNotificationConfigs"
ROUTES: tuple[Route, ...] = tuple(
    Route(method, re.compile(path), operation)
    for method, path, operation in (
        ("POST", "/message:send", Operation.SEND),
        ("POST", "/message:stream", Operation.STREAM),
        ("GET", "/tasks", Operation.LIST),
        ("POST", _TASK.format("id") + ":cancel", Operation.CANCEL),
        ("POST", _TASK.format("id") + ":subscribe", Operation.SUBSCRIBE),
        ("GET", _TASK.format("id") + ":subscribe", Operation.SUBSCRIBE),
        ("GET", _TASK.format("id"), Operation.GET),
        ("POST", _CONFIGS, Operation.CREATE_PUSH),
        ("GET", _CONFIGS, Operation.LIST_PUSHES),
        ("GET", _CONFIGS + "/(?P<id>[^/]+)", Operation.GET_PUSH),
        ("DELETE", _CONFIGS + "/(?P<id>[^/]+)", Operation.DELETE_PUSH),
        ("GET", "/extendedAgentCard", Operation.EXTENDED_CARD),
    )
)
"""Both methods subscribe: the prose of the specification has POST, its proto has GET."""


class Routed(NamedTuple):
    """What a path asks for."""

    operation: Operation
    params: dict[str, str]
    """What the path itself says."""


def by_path(method: str, path: str) -> Routed | frozenset[str]:
    """What a method and a path ask for; else the methods that the path allows, none if it is no route's."""
    found = [(route, match) for route in ROUTES if (match := route.path.fullmatch(path))]
    for route, match in found:
        if route.method == method:
            params = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
            return Routed(route.operation, params)
    return frozenset(route.method for route, _ in found)


def by_route(routed: Routed, query: str, body: Mapping[str, Any]) -> Asked:
    """What a request over HTTP+JSON asks: body and query say what the path does not. Raises A2AError."""
    queried = dict(urllib.parse.parse_qsl(query))
    return asked(routed.operation, Version.V1, {**body, **queried, **routed.params})

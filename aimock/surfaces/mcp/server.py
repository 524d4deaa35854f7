"""The server: what each method answers, in both eras. It does no I/O; see `performing.py`."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import attrs
import trio

from aimock.surfaces.mcp import calling, tasking
from aimock.surfaces.mcp.counters import Counters
from aimock.surfaces.mcp.entries import Tool
from aimock.surfaces.mcp.moves import Caller, InputRequired, Missed, Outcome, Steps
from aimock.surfaces.mcp.registry import Registry
from aimock.surfaces.mcp.tasks import EXTENSION, Tasks
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, Request, RpcError
from aimock_protocols.mcp import paging, request_state, revisions, shapes
from aimock_protocols.mcp.envelope import LEVELS
from aimock_protocols.mcp.errors import RESOURCE_NOT_FOUND, invalid_params, method_not_found
from aimock_protocols.mcp.header_values import check_arguments

logger = logging.getLogger("aimock")

_STATE_LASTS = 3_600.0
"""Seconds for which a client may take to answer."""
_MOST_COMPLETIONS = 100

Spawn = Callable[[Callable[[], Awaitable[None]]], trio.CancelScope]
"""Begins an async function beside the caller; cancelling the scope ends it."""

_ASKING = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods that may want input, and the parameter that says of what."""

DEFAULT_CAPABILITIES: dict[str, Any] = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "prompts": {"listChanged": True},
    "logging": {},
    "completions": {},
    "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}},
}
"""All that is built. What is empty may be filled at any time, so it is declared, and its lists are empty."""


@attrs.frozen
class Options:
    """What a server says of itself, and how it answers."""

    info: dict[str, Any] = attrs.field(factory=lambda: {"name": "mcp-mock", "version": "1.0.0"})
    instructions: str | None = None
    capabilities: dict[str, Any] = attrs.field(factory=lambda: DEFAULT_CAPABILITIES)
    versions: tuple[str, ...] = revisions.ALL
    page_size: int | None = None
    cache: dict[str, Any] | None = None
    """`ttlMs` and `cacheScope` of modern results."""


class Server:
    """What answers, over whatever transport."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.registry = Registry()
        self.counters = Counters()
        self.tasks = Tasks()
        self.spawn: Spawn | None = None
        """How what goes on by itself is begun; set by what serves it first."""
        self.wall_clock: Callable[[], float] = time.time
        self.key = b""
        """With which state that travels is signed; of 32 bytes, from the server's seed."""

    def seeded(self, seed: int, wall_clock: Callable[[], float] = time.time) -> None:
        """Signs with a key of this seed, and reads Unix time from this clock."""
        self.wall_clock = wall_clock
        self.key = hashlib.blake2b(b"mcp requestState", key=str(seed).encode()[:64], digest_size=32).digest()

    # -- requests --------------------------------------------------------------------------------------------------

    def knows(self, method: str, revision: str) -> bool:
        """Whether a request of this method is answered at all."""
        known = _METHODS.get(method)
        return (
            known is not None
            and (known.capability != "tasks" or revisions.has(revision, "tasks"))
            and (known.modern if revision == revisions.MODERN else known.legacy)
            and (known.capability is None or known.capability in self.options.capabilities)
        )

    def answer(self, request: Request, caller: Caller) -> Steps[Outcome]:
        """The answer to a request of a session (or of the modern era). Raises nothing."""
        missed = None
        try:
            result = yield from self._result(request, caller)
            response = jsonrpc.result(request.id, result)
        except InputRequired as required:
            response = jsonrpc.result(request.id, self._asking(request, caller, required))
        except RpcError as error:
            response = jsonrpc.error(request.id, error.code, error.message, error.data)
            missed = error.message if isinstance(error, Missed) else None
        except Exception as fault:
            logger.exception("%s failed", request.method)
            response = jsonrpc.error(request.id, INTERNAL_ERROR, f"{type(fault).__name__}: {fault}")
        return Outcome(response, missed)

    def check_headers(self, request: Request, lines: tuple[tuple[str, str], ...]) -> None:
        """Holds a call's headers to its arguments. Raises RpcError."""
        if request.method == "tools/call":
            tool = self.registry.get("tools", request.params.get("name"))
            if isinstance(tool, Tool) and tool.mirrored:
                check_arguments(tool.mirrored, request.params.get("arguments"), lines)

    def _result(self, request: Request, caller: Caller) -> Steps[dict[str, Any]]:
        if not self.knows(request.method, caller.revision):
            raise method_not_found(request.method)
        if caller.is_modern and request.method in _ASKING:
            caller.inputs = self._inputs(request, caller)
        made = _METHODS[request.method].answer(self, request.params, caller)
        result: dict[str, Any] = (yield from made) if isinstance(made, Generator) else made
        if caller.is_modern:
            return shapes.complete(result, request.method, self.options.info, self.options.cache)
        return result

    def _inputs(self, request: Request, caller: Caller) -> dict[str, Any]:
        """What the client has answered by now: what it brought back, and what it answers with this request."""
        params = request.params
        given = params.get("inputResponses", {})
        if type(given) is not dict:
            raise invalid_params("inputResponses must be an object")
        known: dict[str, Any] = {}
        if "requestState" in params:
            name = str(params.get(_ASKING[request.method]))
            known = request_state.unseal(self.key, request.method, name, params["requestState"], caller.stamp.created)
        return known | given

    def _asking(self, request: Request, caller: Caller, required: InputRequired) -> dict[str, Any]:
        name = str(request.params.get(_ASKING[request.method]))
        until = caller.stamp.created + _STATE_LASTS
        state = request_state.seal(self.key, request.method, name, caller.accepted, until)
        wanted = {
            key: {"method": question.method, "params": question.params} for key, question in required.wanted.items()
        }
        asked = {"resultType": "input_required", "inputRequests": wanted, "requestState": state}
        return shapes.complete(asked, "", self.options.info)

    # -- about the server ------------------------------------------------------------------------------------------

    def initialize(self, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The revision that is spoken from now on, and the result. Raises RpcError (-32602)."""
        requested = params.get("protocolVersion")
        info = params.get("clientInfo")
        if type(requested) is not str:
            raise invalid_params("protocolVersion must be a string")
        if type(params.get("capabilities")) is not dict:
            raise invalid_params("capabilities must be an object")
        if type(info) is not dict or type(info.get("name")) is not str or type(info.get("version")) is not str:
            raise invalid_params("clientInfo must be an object with a name and a version")
        revision = revisions.negotiated(requested, self.options.versions)
        result = {
            "protocolVersion": revision,
            "capabilities": self._capabilities(revision),
            "serverInfo": shapes.server_info(self.options.info, revision),
        }
        return revision, result | self._instructions()

    def _discover(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        told = {
            "supportedVersions": list(self.options.versions),
            "capabilities": self._capabilities(caller.revision),
        }
        return told | self._instructions()

    def _capabilities(self, revision: str) -> dict[str, Any]:
        told = dict(self.options.capabilities)
        if revision == revisions.MODERN and told.pop("tasks", None) is not None:
            told["extensions"] = {EXTENSION: {}} | told.get("extensions", {})  # which they are by then
        lacking = {key for key in ("completions", "tasks") if not revisions.has(revision, key)}
        return {key: value for key, value in told.items() if key not in lacking}

    def _instructions(self) -> dict[str, Any]:
        return {} if self.options.instructions is None else {"instructions": self.options.instructions}

    # -- lists -----------------------------------------------------------------------------------------------------

    def _list(self, kind: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        page = paging.page(self.registry.all(kind), params.get("cursor"), self.options.page_size)
        items = [shapes.definition(entry.definition, kind, caller.revision) for entry in page.items]
        return {kind: items} | ({} if page.next is None else {"nextCursor": page.next})

    # -- the rest --------------------------------------------------------------------------------------------------

    def _complete(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        ref, argument = params.get("ref"), params.get("argument")
        if type(ref) is not dict or ref.get("type") not in ("ref/prompt", "ref/resource"):
            raise invalid_params("ref must be an object of type ref/prompt or ref/resource")
        if type(argument) is not dict or not all(type(argument.get(key)) is str for key in ("name", "value")):
            raise invalid_params("argument must be an object with a name and a value")
        kinds = ("prompts",) if ref["type"] == "ref/prompt" else ("resourceTemplates", "resources")
        key = ref.get("name" if ref["type"] == "ref/prompt" else "uri")
        known = self.registry.completions.get(key) if isinstance(key, str) else None
        if known is None and all(self.registry.get(kind, key) is None for kind in kinds):
            raise Missed(INVALID_PARAMS, f"Unknown {ref['type']}: {key}")
        begun = argument["value"].lower()
        values = [value for value in (known or {}).get(argument["name"], ()) if value.lower().startswith(begun)]
        shown = values[:_MOST_COMPLETIONS]
        return {"completion": {"values": shown, "total": len(values), "hasMore": len(shown) < len(values)}}

    def _ping(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {}

    def _set_level(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        level = params.get("level")
        if level not in LEVELS:
            raise invalid_params(f"level must be one of {', '.join(LEVELS)}")
        if caller.session is not None:
            caller.session.log_level = level
        return {}

    def _subscribe(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        uri = self._subscribable(params, caller)
        if caller.session is not None:
            caller.session.subscribe(uri)
        return {}

    def _unsubscribe(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        uri = self._subscribable(params, caller)
        if caller.session is not None:
            caller.session.subscriptions.discard(uri)
        return {}

    def _subscribable(self, params: dict[str, Any], caller: Caller) -> str:
        if not self.options.capabilities.get("resources", {}).get("subscribe"):
            raise method_not_found("resources/subscribe")
        uri = params.get("uri")
        if type(uri) is not str:
            raise invalid_params("uri must be a string")
        if self.registry.resource(uri) is None:
            raise Missed(RESOURCE_NOT_FOUND, f"Resource not found: {uri}", {"uri": uri})
        return uri


Answering = Callable[[Server, dict[str, Any], Caller], dict[str, Any] | Steps[dict[str, Any]]]


@attrs.frozen
class _Method:
    answer: Answering
    capability: str | None = None
    """Without which nobody answers."""
    legacy: bool = True
    modern: bool = True


def _lister(kind: str) -> Answering:
    return lambda server, params, caller: server._list(kind, params, caller)


_METHODS: dict[str, _Method] = {
    "tools/list": _Method(_lister("tools"), "tools"),
    "tools/call": _Method(calling.call_tool, "tools"),
    "resources/list": _Method(_lister("resources"), "resources"),
    "resources/templates/list": _Method(_lister("resourceTemplates"), "resources"),
    "resources/read": _Method(calling.read_resource, "resources"),
    "prompts/list": _Method(_lister("prompts"), "prompts"),
    "prompts/get": _Method(calling.get_prompt, "prompts"),
    "completion/complete": _Method(Server._complete, "completions"),
    "ping": _Method(Server._ping, modern=False),
    "logging/setLevel": _Method(Server._set_level, "logging", modern=False),
    "resources/subscribe": _Method(Server._subscribe, "resources", modern=False),
    "resources/unsubscribe": _Method(Server._unsubscribe, "resources", modern=False),
    "tasks/get": _Method(tasking.get_task, "tasks"),
    "tasks/cancel": _Method(tasking.cancel_task, "tasks"),
    "tasks/update": _Method(tasking.update_task, "tasks", legacy=False),
    "tasks/list": _Method(tasking.list_tasks, "tasks", modern=False),
    "tasks/result": _Method(tasking.task_result, "tasks", modern=False),
    "server/discover": _Method(Server._discover, legacy=False),
}

METHODS = frozenset({*_METHODS, "initialize", "subscriptions/listen"})
"""All that are answered in some era."""

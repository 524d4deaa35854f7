"""The server: what each method answers, in both eras. It does no I/O; see `performing.py`."""

from __future__ import annotations

import hashlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Protocol

import attrs
import trio

from aimock.surfaces.mcp.counters import Counters
from aimock.surfaces.mcp.entries import (
    Entry,
    Prompt,
    Resource,
    ResourceTemplate,
    Tool,
    prompt_result,
    resource_result,
    tool_result,
)
from aimock.surfaces.mcp.moves import Caller, InputRequired, Outcome, Steps, ToolFailed, Until
from aimock.surfaces.mcp.performing import go_on
from aimock.surfaces.mcp.registry import Registry
from aimock.surfaces.mcp.script import Step, Verbatim, play, questions, require
from aimock.surfaces.mcp.tasks import EXTENSION, Task, Tasks
from aimock.surfaces.mcp.templates import filled
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, Request, RpcError
from aimock_protocols.mcp import paging, request_state, revisions, shapes
from aimock_protocols.mcp.envelope import LEVELS, RELATED_TASK_KEY
from aimock_protocols.mcp.errors import RESOURCE_NOT_FOUND, invalid_params, method_not_found, missing_capability
from aimock_protocols.mcp.header_values import check_arguments

logger = logging.getLogger("aimock")

_STATE_LASTS = 3_600.0
"""Seconds for which a client may take to answer."""
_MOST_COMPLETIONS = 100
_LONGEST_TTL_MS = 3_600_000

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


class Missed(RpcError):
    """Nothing here is meant to answer this."""


class Recording(Protocol):
    """A real server, of which this one learns."""

    @property
    def is_ready(self) -> bool:
        """Whether what it has is listed here."""

    async def prepare(self) -> None:
        """Lists it. Raises RpcError."""

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a call of a tool that is listed, which is given here from now on. Raises RpcError."""


class Server:
    """What answers, over whatever transport."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.registry = Registry()
        self.counters = Counters()
        self.recording: Recording | None = None
        """Where calls go that nothing here answers, if they go anywhere."""
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
        recording = self.recording
        if recording is not None and caller.may_record and not recording.is_ready and "/" in request.method:
            yield Until(lambda call: recording.prepare())
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

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call_tool(self, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
        """What nothing here answers the real server does, if there is one that has the tool."""
        recording = self.recording
        try:
            return (yield from self._called(params, caller))
        except Missed:
            name = params["name"]
            if recording is None or not caller.may_record or self.registry.get("tools", name) is None:
                raise
            answer = yield Until(lambda call: recording.call(name, params.get("arguments", {})))
            return shapes.tool_result(tool_result(answer), caller.revision)

    def _called(self, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
        name = params.get("name")
        if type(name) is not str:
            raise invalid_params("name must be a string")
        arguments = params.get("arguments", {})
        if type(arguments) is not dict:
            raise invalid_params("arguments must be an object")
        tool = self.registry.get("tools", name)
        if not isinstance(tool, Tool):
            raise Missed(INVALID_PARAMS, f"Unknown tool: {name}")
        fault = tool.arguments.fault(arguments)
        if fault is not None and not revisions.has(caller.revision, "argument_errors"):
            raise invalid_params(f"Invalid arguments for tool {name}: {fault}")
        becomes_task = self._becomes_task(tool, params, caller)
        if fault is not None:
            failure = shapes.text_result(f"Invalid arguments for tool {name}: {fault}", is_error=True)
            return shapes.tool_result(failure, caller.revision)
        inputs: dict[str, Any] = {}
        if becomes_task and not caller.is_modern:
            return {"task": self._begin_task(tool, caller, arguments, inputs, params["task"]).legacy()}
        if becomes_task:  # after its first questions, which are answered as those of any call
            inputs = yield from self._prepared(tool, caller, arguments)
            return {"resultType": "task", **self._begin_task(tool, caller, arguments, inputs, {}).modern()}
        return (yield from self._run_tool(tool, caller, arguments, inputs, tool.script.steps_for(arguments)))

    def _run_tool(
        self, tool: Tool, caller: Caller, arguments: dict[str, Any], inputs: dict[str, Any], steps: Sequence[Step]
    ) -> Steps[dict[str, Any]]:
        """From these steps to its result. `inputs`: what its client has answered before."""
        try:
            result = yield from self._played(tool, caller, arguments, tool_result, (*steps, *tool.later), inputs)
        except ToolFailed as failed:
            result = shapes.text_result(str(failed), is_error=True)
        if tool.output is not None and not result["isError"]:
            fault = tool.output.fault(result.get("structuredContent"))
            if fault is not None:
                raise RpcError(INTERNAL_ERROR, f"The result of {tool.key} does not fit its outputSchema: {fault}")
        return shapes.tool_result(result, caller.revision)

    def _get_prompt(self, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
        name, arguments = params.get("name"), params.get("arguments", {})
        if type(name) is not str:
            raise invalid_params("name must be a string")
        if type(arguments) is not dict or not all(type(value) is str for value in arguments.values()):
            raise invalid_params("arguments must be an object of strings")
        prompt = self.registry.get("prompts", name)
        if not isinstance(prompt, Prompt):
            raise Missed(INVALID_PARAMS, f"Unknown prompt: {name}")
        missing = [key for key in prompt.required if key not in arguments]
        if missing:
            raise invalid_params(f"Missing required arguments: {', '.join(missing)}")
        result = yield from self._held(prompt, caller, arguments, prompt_result)
        about = {key: prompt.definition[key] for key in ("description",) if key in prompt.definition}
        return shapes.prompt_result(about | result, caller.revision)

    def _read_resource(self, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
        uri = params.get("uri")
        if type(uri) is not str:
            raise invalid_params("uri must be a string")
        found = self.registry.resource(uri)
        if found is None:
            code = INVALID_PARAMS if caller.is_modern else RESOURCE_NOT_FOUND
            raise Missed(code, f"Resource not found: {uri}", {"uri": uri})
        entry, variables = found

        def result_of(answer: Any) -> dict[str, Any]:
            return resource_result(answer, entry.definition, uri)

        result = yield from self._held(entry, caller, variables | {"uri": uri}, result_of)
        return result

    def _held(
        self, entry: Entry, caller: Caller, arguments: dict[str, Any], read: Callable[[Any], dict[str, Any]]
    ) -> Steps[dict[str, Any]]:
        """As `_played`, for what has no other way to tell of a failure than a protocol error."""
        try:
            return (yield from self._played(entry, caller, arguments, read, entry.script.steps_for(arguments), {}))
        except ToolFailed as failed:
            raise RpcError(INTERNAL_ERROR, str(failed)) from None

    def _prepared(self, tool: Tool, caller: Caller, arguments: dict[str, Any]) -> Steps[dict[str, Any]]:
        """What its client answered to the steps before its task."""
        steps = tool.script.steps_for(arguments)
        require(caller, questions(steps))
        return (yield from play(steps, caller, arguments, self.registry.tell))

    def _played(
        self,
        entry: Entry,
        caller: Caller,
        arguments: dict[str, Any],
        read: Callable[[Any], dict[str, Any]],
        steps: Sequence[Step],
        inputs: dict[str, Any],
    ) -> Steps[dict[str, Any]]:
        """What an entry's script, or its handler, comes to, as `read` takes its answer."""
        script = entry.script
        require(caller, questions(steps))
        inputs = yield from play(steps, caller, arguments, self.registry.tell, inputs)
        if entry.handler is not None:
            answer = yield from _handled(entry, arguments)
        else:
            answers = script.answers_for(arguments, inputs)
            if not answers:
                raise Missed(INVALID_PARAMS, f"{entry.key} has no case for these arguments")
            turn = self.counters.next(caller.test_id, f"{type(entry).__name__} {entry.key}") if len(answers) > 1 else 0
            answer = answers[min(turn, len(answers) - 1)]
            if isinstance(answer, Verbatim):
                answer = answer.answer
            else:
                answer = filled(answer, {"args": arguments, "arguments": arguments, "input": inputs})
        try:
            return read(answer)
        except ValueError as wrong:
            raise ToolFailed(f"The answer of {entry.key} is none: {wrong}") from None

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _becomes_task(self, tool: Tool, params: dict[str, Any], caller: Caller) -> bool:
        """Whether a call goes on as a task. Raises RpcError if the tool has it otherwise than the client."""
        support = tool.task_support
        if "tasks" not in self.options.capabilities or caller.revision not in (revisions.MODERN, revisions.TASKS):
            return False
        if caller.is_modern:
            if support == "required":
                self._require_tasks(caller)
            return support != "forbidden" and caller.has_extension(EXTENSION)
        wanted = params.get("task")
        if wanted is not None and type(wanted) is not dict:
            raise invalid_params("task must be an object")
        if (wanted is None and support == "required") or (wanted is not None and support == "forbidden"):
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"{tool.key} as a task is {support}")
        return wanted is not None

    def _begin_task(
        self, tool: Tool, caller: Caller, arguments: dict[str, Any], inputs: dict[str, Any], wanted: dict[str, Any]
    ) -> Task:
        if self.spawn is None:
            raise RpcError(INTERNAL_ERROR, "Nothing can go on by itself here")
        lasting = tool.lasting
        ttl = wanted.get("ttl")
        if type(ttl) is int and ttl > 0:
            lasting = attrs.evolve(lasting, ttl_ms=min(ttl, _LONGEST_TTL_MS))
        owner = caller.session.id if caller.session is not None else ""
        task = Task(caller.stamp.uuid("task"), owner, lasting, self.wall_clock)
        self.tasks.add(task)
        within = attrs.evolve(caller, task=task)
        steps = () if caller.is_modern else tool.script.steps_for(arguments)
        work = self._run_tool(tool, within, arguments, inputs, steps)
        task.scope = self.spawn(lambda: go_on(task, work, within, errors_fail=not caller.is_modern))
        return task

    def _require_tasks(self, caller: Caller) -> None:
        if not caller.has_extension(EXTENSION):
            raise missing_capability({"extensions": {EXTENSION: {}}})

    def _task(self, params: dict[str, Any], caller: Caller) -> Task:
        """Raises RpcError if there is none of this id, or the client cannot know of it."""
        if caller.is_modern:
            self._require_tasks(caller)
        owner = caller.session.id if caller.session is not None else ""
        task = self.tasks.get(params.get("taskId"), owner, self.wall_clock())
        if task is None:
            raise invalid_params(f"Unknown task: {params.get('taskId')}")
        return task

    def _get_task(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        task = self._task(params, caller)
        return task.modern() if caller.is_modern else task.legacy()

    def _list_tasks(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        owner = caller.session.id if caller.session is not None else ""
        known = self.tasks.of(owner, self.wall_clock())
        page = paging.page(known, params.get("cursor"), self.options.page_size)
        listed = {"tasks": [task.legacy() for task in page.items]}
        return listed | ({} if page.next is None else {"nextCursor": page.next})

    def _task_result(self, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
        task = self._task(params, caller)
        if not task.is_over:
            yield Until(lambda call: task.done.wait())
        if task.error is not None:
            raise RpcError(task.error["code"], task.error["message"], task.error.get("data"))
        if task.result is None:
            raise invalid_params(f"Task {task.id} was cancelled")
        meta = {**(task.result.get("_meta") or {}), RELATED_TASK_KEY: {"taskId": task.id}}
        return task.result | {"_meta": meta}

    def _update_task(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        task, inputs = self._task(params, caller), params.get("inputResponses")
        if type(inputs) is not dict:
            raise invalid_params("inputResponses must be an object")
        task.answer(inputs)
        return {}

    def _cancel_task(self, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        task = self._task(params, caller)
        if task.is_over and not caller.is_modern:
            raise invalid_params(f"Task {task.id} is {task.status} already")
        task.cancel()
        return {} if caller.is_modern else task.legacy()

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


def _handled(entry: Tool | Resource | ResourceTemplate | Prompt, arguments: dict[str, Any]) -> Steps[Any]:
    """What a handler gives. What it raises fails the call."""
    handler = entry.handler
    assert handler is not None
    try:
        if inspect.iscoroutinefunction(handler):
            takes_call = len(inspect.signature(handler).parameters) > 1
            return (yield Until(lambda call: handler(arguments, call) if takes_call else handler(arguments)))
        return handler(arguments)
    except (InputRequired, ToolFailed, RpcError):
        raise
    except Exception as error:
        raise ToolFailed(str(error) or type(error).__name__) from error


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
    "tools/call": _Method(Server._call_tool, "tools"),
    "resources/list": _Method(_lister("resources"), "resources"),
    "resources/templates/list": _Method(_lister("resourceTemplates"), "resources"),
    "resources/read": _Method(Server._read_resource, "resources"),
    "prompts/list": _Method(_lister("prompts"), "prompts"),
    "prompts/get": _Method(Server._get_prompt, "prompts"),
    "completion/complete": _Method(Server._complete, "completions"),
    "ping": _Method(Server._ping, modern=False),
    "logging/setLevel": _Method(Server._set_level, "logging", modern=False),
    "resources/subscribe": _Method(Server._subscribe, "resources", modern=False),
    "resources/unsubscribe": _Method(Server._unsubscribe, "resources", modern=False),
    "tasks/get": _Method(Server._get_task, "tasks"),
    "tasks/cancel": _Method(Server._cancel_task, "tasks"),
    "tasks/update": _Method(Server._update_task, "tasks", legacy=False),
    "tasks/list": _Method(Server._list_tasks, "tasks", modern=False),
    "tasks/result": _Method(Server._task_result, "tasks", modern=False),
    "server/discover": _Method(Server._discover, legacy=False),
}

METHODS = frozenset({*_METHODS, "initialize", "subscriptions/listen"})
"""All that are answered in some era."""

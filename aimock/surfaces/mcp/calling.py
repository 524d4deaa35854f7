"""Calls of tools, prompts and resources: from the parameters to the result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aimock.surfaces.mcp.entries import Entry, Prompt, Tool, prompt_result, resource_result, tool_result
from aimock.surfaces.mcp.moves import Caller, InputRequired, Missed, Steps, ToolFailed, Until
from aimock.surfaces.mcp.script import Step, play, questions, require
from aimock.surfaces.mcp.tasking import becomes_task, begin_task
from aimock.surfaces.mcp.templates import filled
from aimock_protocols.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, RpcError
from aimock_protocols.mcp import revisions, shapes
from aimock_protocols.mcp.errors import RESOURCE_NOT_FOUND, invalid_params

if TYPE_CHECKING:
    from aimock.surfaces.mcp.server import Server


def call_tool(server: Server, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
    name = params.get("name")
    if type(name) is not str:
        raise invalid_params("name must be a string")
    arguments = params.get("arguments", {})
    if type(arguments) is not dict:
        raise invalid_params("arguments must be an object")
    tool = server.registry.get("tools", name)
    if not isinstance(tool, Tool):
        raise Missed(INVALID_PARAMS, f"Unknown tool: {name}")
    fault = tool.arguments.fault(arguments)
    if fault is not None and not revisions.has(caller.revision, "argument_errors"):
        raise invalid_params(f"Invalid arguments for tool {name}: {fault}")
    as_task = becomes_task(server, tool, params, caller)
    if fault is not None:
        failure = shapes.text_result(f"Invalid arguments for tool {name}: {fault}", is_error=True)
        return shapes.tool_result(failure, caller.revision)
    steps = tool.script.steps_for(arguments)
    if not as_task:
        return (yield from _tool_run(server, tool, caller, arguments, steps, {}))
    if not caller.is_modern:

        def run(within: Caller) -> Steps[dict[str, Any]]:
            return _tool_run(server, tool, within, arguments, steps, {})

        return {"task": begin_task(server, tool, caller, run, params["task"].get("ttl")).legacy()}
    # Its first questions are answered as those of any call.
    require(caller, questions(steps))
    inputs = yield from play(steps, caller, arguments, server.registry.tell)

    def go_on(within: Caller) -> Steps[dict[str, Any]]:
        return _tool_run(server, tool, within, arguments, (), inputs)

    return {"resultType": "task", **begin_task(server, tool, caller, go_on).modern()}


def _tool_run(
    server: Server,
    tool: Tool,
    caller: Caller,
    arguments: dict[str, Any],
    steps: Sequence[Step],
    inputs: dict[str, Any],
) -> Steps[dict[str, Any]]:
    """From these steps to its result. `inputs`: what its client has answered before."""
    try:
        result = yield from _played(server, tool, caller, arguments, tool_result, (*steps, *tool.later), inputs)
    except ToolFailed as failed:
        result = shapes.text_result(str(failed), is_error=True)
    if tool.output is not None and not result["isError"]:
        fault = tool.output.fault(result.get("structuredContent"))
        if fault is not None:
            raise RpcError(INTERNAL_ERROR, f"The result of {tool.key} does not fit its outputSchema: {fault}")
    return shapes.tool_result(result, caller.revision)


def get_prompt(server: Server, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
    name, arguments = params.get("name"), params.get("arguments", {})
    if type(name) is not str:
        raise invalid_params("name must be a string")
    if type(arguments) is not dict or not all(type(value) is str for value in arguments.values()):
        raise invalid_params("arguments must be an object of strings")
    prompt = server.registry.get("prompts", name)
    if not isinstance(prompt, Prompt):
        raise Missed(INVALID_PARAMS, f"Unknown prompt: {name}")
    missing = [key for key in prompt.required if key not in arguments]
    if missing:
        raise invalid_params(f"Missing required arguments: {', '.join(missing)}")
    result = yield from _held(server, prompt, caller, arguments, prompt_result)
    about = {key: prompt.definition[key] for key in ("description",) if key in prompt.definition}
    return shapes.prompt_result(about | result, caller.revision)


def read_resource(server: Server, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
    uri = params.get("uri")
    if type(uri) is not str:
        raise invalid_params("uri must be a string")
    found = server.registry.resource(uri)
    if found is None:
        code = INVALID_PARAMS if caller.is_modern else RESOURCE_NOT_FOUND
        raise Missed(code, f"Resource not found: {uri}", {"uri": uri})
    entry, variables = found

    def result_of(answer: Any) -> dict[str, Any]:
        return resource_result(answer, entry.definition, uri)

    result = yield from _held(server, entry, caller, variables | {"uri": uri}, result_of)
    return result


def _held(
    server: Server, entry: Entry, caller: Caller, arguments: dict[str, Any], read: Callable[[Any], dict[str, Any]]
) -> Steps[dict[str, Any]]:
    """As `_played`, for what has no other way to tell of a failure than a protocol error."""
    try:
        return (yield from _played(server, entry, caller, arguments, read, entry.script.steps_for(arguments), {}))
    except ToolFailed as failed:
        raise RpcError(INTERNAL_ERROR, str(failed)) from None


def _played(
    server: Server,
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
    inputs = yield from play(steps, caller, arguments, server.registry.tell, inputs)
    if entry.handler is not None:
        answer = yield from _handled(entry, arguments)
    else:
        answers = script.answers_for(arguments, inputs)
        if not answers:
            raise Missed(INVALID_PARAMS, f"{entry.key} has no case for these arguments")
        turn = server.counters.next(caller.test_id, f"{type(entry).__name__} {entry.key}") if len(answers) > 1 else 0
        answer = answers[min(turn, len(answers) - 1)]
        answer = filled(answer, {"args": arguments, "arguments": arguments, "input": inputs})
    try:
        return read(answer)
    except ValueError as wrong:
        raise ToolFailed(f"The answer of {entry.key} is none: {wrong}") from None


def _handled(entry: Entry, arguments: dict[str, Any]) -> Steps[Any]:
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

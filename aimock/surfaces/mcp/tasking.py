"""Calls that go on as tasks, and what is asked of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from aimock.surfaces.mcp.entries import Tool
from aimock.surfaces.mcp.moves import Caller, Steps, Until
from aimock.surfaces.mcp.performing import go_on
from aimock.surfaces.mcp.tasks import EXTENSION, Task
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INTERNAL_ERROR, RpcError
from aimock_protocols.mcp import paging, revisions
from aimock_protocols.mcp.envelope import RELATED_TASK_KEY
from aimock_protocols.mcp.errors import invalid_params, missing_capability

if TYPE_CHECKING:
    from aimock.surfaces.mcp.server import Server

_LONGEST_TTL_MS = 3_600_000


def becomes_task(server: Server, tool: Tool, params: dict[str, Any], caller: Caller) -> bool:
    """Whether a call goes on as a task. Raises RpcError if the tool has it otherwise than the client."""
    support = tool.task_support
    if "tasks" not in server.options.capabilities or caller.revision not in (revisions.MODERN, revisions.TASKS):
        return False
    if caller.is_modern:
        if support == "required":
            _require_tasks(server, caller)
        return support != "forbidden" and caller.has_extension(EXTENSION)
    wanted = params.get("task")
    if wanted is not None and type(wanted) is not dict:
        raise invalid_params("task must be an object")
    if (wanted is None and support == "required") or (wanted is not None and support == "forbidden"):
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"{tool.key} as a task is {support}")
    return wanted is not None


def begin_task(
    server: Server, tool: Tool, caller: Caller, run: Callable[[Caller], Steps[dict[str, Any]]], ttl: Any = None
) -> Task:
    """`run`: what goes on, for the caller within the task. `ttl`: how long the client wants it kept, in ms."""
    if server.spawn is None:
        raise RpcError(INTERNAL_ERROR, "Nothing can go on by itself here")
    lasting = tool.lasting
    if type(ttl) is int and ttl > 0:
        lasting = attrs.evolve(lasting, ttl_ms=min(ttl, _LONGEST_TTL_MS))
    task = Task(caller.stamp.uuid("task"), _owner(caller), lasting, server.wall_clock)
    server.tasks.add(task)
    within = attrs.evolve(caller, task=task)
    task.scope = server.spawn(lambda: go_on(task, run(within), within, errors_fail=not caller.is_modern))
    return task


def _owner(caller: Caller) -> str:
    """Whose a task is: its session's, or nobody's."""
    return caller.session.id if caller.session is not None else ""


def _require_tasks(server: Server, caller: Caller) -> None:
    if not caller.has_extension(EXTENSION):
        raise missing_capability({"extensions": {EXTENSION: {}}})


def _task(server: Server, params: dict[str, Any], caller: Caller) -> Task:
    """Raises RpcError if there is none of this id, or the client cannot know of it."""
    if caller.is_modern:
        _require_tasks(server, caller)
    task = server.tasks.get(params.get("taskId"), _owner(caller), server.wall_clock())
    if task is None:
        raise invalid_params(f"Unknown task: {params.get('taskId')}")
    return task


def get_task(server: Server, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    task = _task(server, params, caller)
    return task.modern() if caller.is_modern else task.legacy()


def list_tasks(server: Server, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    known = server.tasks.of(_owner(caller), server.wall_clock())
    page = paging.page(known, params.get("cursor"), server.options.page_size)
    listed = {"tasks": [task.legacy() for task in page.items]}
    return listed | ({} if page.next is None else {"nextCursor": page.next})


def task_result(server: Server, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
    task = _task(server, params, caller)
    if not task.is_over:
        yield Until(lambda call: task.done.wait())
    if task.error is not None:
        raise RpcError(task.error["code"], task.error["message"], task.error.get("data"))
    if task.result is None:
        raise invalid_params(f"Task {task.id} was cancelled")
    meta = {**(task.result.get("_meta") or {}), RELATED_TASK_KEY: {"taskId": task.id}}
    return task.result | {"_meta": meta}


def update_task(server: Server, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    task, inputs = _task(server, params, caller), params.get("inputResponses")
    if type(inputs) is not dict:
        raise invalid_params("inputResponses must be an object")
    task.answer(inputs)
    return {}


def cancel_task(server: Server, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    task = _task(server, params, caller)
    if task.is_over and not caller.is_modern:
        raise invalid_params(f"Task {task.id} is {task.status} already")
    task.cancel()
    return {} if caller.is_modern else task.legacy()

"""Tasks: calls that are answered at once by what they can be asked for, and go on by themselves.

In 2025-11-25 the client asks for one (`params.task`), and fetches the result when there is one; in 2026-07-28 tasks are
an extension, the server decides, and what a task has come to is told with its status.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import trio

from aimock.surfaces.mcp.moves import Wanted
from aimock_protocols.rfc3339 import in_microseconds

EXTENSION = "io.modelcontextprotocol/tasks"

_TERMINAL = frozenset({"completed", "failed", "cancelled"})
_MOST = 1_000
_TTL_MS = 300_000
_POLL_MS = 1_000


@attrs.frozen
class Lasting:
    """How long what is said of a task holds."""

    ttl_ms: int = _TTL_MS
    poll_ms: int = _POLL_MS
    message: str | None = None


class Task:
    """A call that goes on."""

    def __init__(self, id: str, owner: str, lasting: Lasting, clock: Callable[[], float]) -> None:
        """`owner`: the session that it belongs to; empty in the modern era. `clock`: Unix time."""
        self.id = id
        self.owner = owner
        self.lasting = lasting
        self.created = self.updated = clock()
        self.status = "working"
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.wanted: dict[str, Wanted] = {}
        """What the client is asked, and has not answered."""
        self.done = trio.Event()
        self.scope: trio.CancelScope | None = None
        self.on_change: Callable[[Task], None] = lambda task: None
        self._given: dict[str, Any] = {}
        self._answered = trio.Event()
        self._clock = clock

    @property
    def is_over(self) -> bool:
        return self.status in _TERMINAL

    @property
    def expires(self) -> float:
        return self.created + self.lasting.ttl_ms / 1000

    def become(self, status: str) -> None:
        """What is over stays as it is."""
        if self.is_over:
            return
        self.status, self.updated = status, self._clock()
        if status in _TERMINAL:
            self.wanted.clear()
            self.done.set()
        self.on_change(self)

    async def ask(self, wanted: Mapping[str, Wanted]) -> dict[str, Any]:
        """Waits until the client has answered all of it."""
        self.wanted, self._given, self._answered = dict(wanted), {}, trio.Event()
        self.become("input_required")
        await self._answered.wait()
        return self._given

    def answer(self, inputs: Mapping[str, Any]) -> None:
        """Takes what was asked for, and passes over the rest."""
        for key, answer in inputs.items():
            if key in self.wanted and self.wanted[key].accepts(answer):
                self._given[key] = answer
                del self.wanted[key]
        if self.status == "input_required" and not self.wanted:
            self.become("working")
            self._answered.set()

    def cancel(self) -> None:
        self.become("cancelled")
        if self.scope is not None:
            self.scope.cancel()

    def legacy(self) -> dict[str, Any]:
        return self._told("ttl", "pollInterval")

    def modern(self) -> dict[str, Any]:
        """With what it has come to, or wants."""
        told = self._told("ttlMs", "pollIntervalMs")
        if self.result is not None:
            told["result"] = self.result
        if self.error is not None:
            told["error"] = self.error
        if self.wanted:
            told["inputRequests"] = {
                key: {"method": wanted.method, "params": wanted.params} for key, wanted in self.wanted.items()
            }
        return told

    def _told(self, ttl: str, poll: str) -> dict[str, Any]:
        message = {} if self.lasting.message is None else {"statusMessage": self.lasting.message}
        return {
            "taskId": self.id,
            "status": self.status,
            **message,
            "createdAt": in_microseconds(self.created),
            "lastUpdatedAt": in_microseconds(self.updated),
            ttl: self.lasting.ttl_ms,
            poll: self.lasting.poll_ms,
        }


class Tasks:
    """Those of a server: so many at most, each for its time."""

    def __init__(self) -> None:
        self._tasks: collections.OrderedDict[str, Task] = collections.OrderedDict()
        self.listeners: list[Callable[[Task], None]] = []

    def add(self, task: Task) -> None:
        """Makes room for it: what is over goes first, and then what is oldest."""
        self._expire(task.created)
        while len(self._tasks) >= _MOST:
            over = next((other for other in self._tasks.values() if other.is_over), None)
            self._drop(over or next(iter(self._tasks.values())))
        task.on_change = self._tell
        self._tasks[task.id] = task

    def get(self, id: Any, owner: str, now: float) -> Task | None:
        """The task of this id, for whom it belongs to."""
        self._expire(now)
        task = self._tasks.get(id) if isinstance(id, str) else None
        return task if task is not None and task.owner == owner else None

    def of(self, owner: str, now: float) -> list[Task]:
        self._expire(now)
        return [task for task in self._tasks.values() if task.owner == owner]

    def clear(self) -> None:
        for task in [*self._tasks.values()]:
            self._drop(task)

    def _expire(self, now: float) -> None:
        for task in [task for task in self._tasks.values() if task.expires < now]:
            self._drop(task)

    def _drop(self, task: Task) -> None:
        del self._tasks[task.id]
        task.cancel()

    def _tell(self, task: Task) -> None:
        listeners: Iterable[Callable[[Task], None]] = [*self.listeners]
        for listener in listeners:
            listener(task)

"""The tasks that a service knows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from aimock.surfaces.a2a.agents import Agent
from aimock.surfaces.a2a.performance import Performance
from aimock_protocols.a2a.errors import TASK_NOT_FOUND, A2AError

_LOOKED_AT = 64


class Tasks:
    """At most so many. When there is no room, one of the oldest goes to which nothing happens and whom nobody follows,
    or else the oldest."""

    def __init__(self, most: int, forget: Callable[[Performance], None]) -> None:
        """`forget` is told of each task that goes."""
        self._known: dict[str, Performance] = {}
        self.most = most
        self._forget = forget
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._known)

    def number(self) -> int:
        """Of the next task."""
        return next(self._numbers)

    def add(self, performance: Performance) -> None:
        while len(self._known) >= self.most:
            self._drop(next(self._at_rest(), next(iter(self._known.values()))))
        self._known[performance.task.id] = performance

    def find(self, id: str, only: Agent | None) -> Performance:
        """The task as it is now, if it is that agent's. Raises A2AError."""
        performance = self._known.get(id)
        if performance is None or (only is not None and performance.agent is not only):
            raise A2AError(TASK_NOT_FOUND, metadata={"taskId": id[:200]})
        performance.settle()
        return performance

    def of(self, test_id: str, only: Agent | None) -> Iterator[Performance]:
        """Those of a test, as they are now."""
        for performance in self._known.values():
            if performance.test_id == test_id and (only is None or performance.agent is only):
                performance.settle()
                yield performance

    def clear(self) -> None:
        for performance in [*self._known.values()]:
            self._drop(performance)

    def _at_rest(self) -> Iterator[Performance]:
        """Of the oldest, those that nobody would miss."""
        for performance in itertools.islice(self._known.values(), _LOOKED_AT):
            performance.settle()
            if performance.is_idle:
                yield performance

    def _drop(self, performance: Performance) -> None:
        del self._known[performance.task.id]
        self._forget(performance)
        performance.leave()

"""A task's script as it is performed: each step has its time, and is done when that has come.

Nobody needs to wait for it: a task is brought up to date when it is looked at, and whoever follows it waits until its
next step is due. So tasks go on whether or not a client is there, and cost nothing meanwhile.
"""

from __future__ import annotations

import collections
import math
from typing import Any

import attrs
import trio

from aimock.physics import Pace, Surroundings
from aimock.surfaces.a2a.agents import Agent
from aimock.surfaces.a2a.entries import WORKING, Artifact, Entry, Status, Step, leg
from aimock_protocols.a2a.task import Task, ends
from aimock_protocols.canonical import Stamp

Event = dict[str, Any]
"""A StreamResponse of 1.0."""


@attrs.define(eq=False)
class Follower:
    """Somebody who hears of all that happens to a task."""

    heard: collections.deque[Event] = attrs.field(factory=collections.deque)
    """What has not been handed on yet; no more than the script has steps."""


@attrs.frozen
class _Due:
    at: float
    """Trio's time."""
    wall: float
    """Unix time then."""
    step: Step
    stamp: Stamp
    label: str


@attrs.define(eq=False)
class Performance:
    """One task, and what is still to happen to it."""

    task: Task
    agent: Agent
    entry: Entry
    test_id: str
    _rest: tuple[Step, ...] = ()
    """What is done when the client has continued the task."""
    _due: collections.deque[_Due] = attrs.field(factory=collections.deque)
    _followers: list[Follower] = attrs.field(factory=list)
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _is_gone: bool = False
    _artifact_ids: dict[str | None, str] = attrs.field(factory=dict)
    """By their names; None for the last one without."""
    _legs: int = 0

    @property
    def is_moving(self) -> bool:
        """Whether something happens to it by itself."""
        return bool(self._due)

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss it."""
        return not self._due and not self._followers

    @property
    def has_more(self) -> bool:
        """Whether its script says how it goes on when the client has continued it."""
        return bool(self._rest)

    # -- what happens ----------------------------------------------------------------------------------------------

    def begin(self, entry: Entry, pace: Pace, around: Surroundings, stamp: Stamp) -> None:
        """Performs an entry's script from its first step."""
        self.entry, self._rest = entry, entry.steps
        self.resume(pace, around, stamp)

    def resume(self, pace: Pace, around: Surroundings, stamp: Stamp) -> None:
        """Performs what is left of the script, as far as it goes without the client; at least the final step."""
        steps = [*leg(self.entry, self._rest, self.task.state)]
        self._rest = self._rest[len(steps) :]
        self._legs += 1
        start, offset = trio.current_time(), 0.0
        for index, step in enumerate(steps):
            if step.delay_ms is not None:
                offset += step.delay_ms / 1000 / pace.speed
            else:
                offset += pace.delay(index, around)
            self._due.append(_Due(start + offset, stamp.created + offset, step, stamp, f"{self._legs}.{index}"))

    def settle(self) -> None:
        """Does what is due."""
        now = trio.current_time()
        while self._due and self._due[0].at <= now:
            due = self._due.popleft()
            self._tell(self._done(due))

    def hear(self, message: Event, at: float) -> None:
        """Its client says something, `at` a point in Unix time; if that was waited for, work goes on."""
        was_interrupted = self.task.is_interrupted
        self.task.hear(message)
        if was_interrupted:
            self._tell(self.task.turn(WORKING, at, None))

    def cancel(self, at: float) -> None:
        """Ends it, `at` a point in Unix time."""
        self._due.clear()
        self._rest = ()
        self._tell(self.task.turn("TASK_STATE_CANCELED", at, None))

    def _done(self, due: _Due) -> Event:
        step, task = due.step, self.task
        if isinstance(step, Status):
            said = None
            if step.parts is not None:
                said = {
                    "messageId": "msg-" + due.stamp.alphanumeric(16, f"said {due.label}"),
                    "role": "ROLE_AGENT",
                    "parts": step.parts,
                    "taskId": task.id,
                    "contextId": task.context_id,
                }
            return task.turn(step.state, due.wall, said, step.metadata)
        artifact = {"artifactId": self._artifact_id(step, due), **step.described, "parts": step.parts}
        return task.bring(artifact, step.append, step.last_chunk, step.metadata)

    def _artifact_id(self, step: Artifact, due: _Due) -> str:
        """An artifact's own id, else that of the one before it with its name; without a name, of the one that it is
        appended to."""
        known = self._artifact_ids.get(step.name) if step.name is not None or step.append else None
        id = step.id or known or "artifact-" + due.stamp.alphanumeric(16, f"artifact {due.label}")
        self._artifact_ids[step.name] = id
        return id

    def _tell(self, event: Event) -> None:
        for follower in self._followers:
            follower.heard.append(event)
        self._touch()

    def _touch(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def leave(self) -> None:
        """Nobody can find it from now on: whoever follows it has heard all there is."""
        self._is_gone = True
        self._due.clear()
        self._touch()

    # -- who follows -----------------------------------------------------------------------------------------------

    def follow(self, follower: Follower) -> Follower:
        """The follower hears of what happens from now on."""
        self._followers.append(follower)
        return follower

    def unfollow(self, follower: Follower) -> None:
        if follower in self._followers:
            self._followers.remove(follower)

    async def news(self, follower: Follower) -> list[Event]:
        """What the follower has not heard yet, as soon as there is something; up to the event at which a stream ends.
        Nothing, if nothing will come."""
        while True:
            self.settle()
            if follower.heard or self._is_gone:
                return told(follower)
            await self._wait()

    async def rest(self) -> None:
        """Waits until nothing more happens by itself."""
        self.settle()
        while self._due:
            await self._wait()
            self.settle()

    async def _wait(self) -> None:
        changed = self._changed
        with trio.move_on_at(self._due[0].at if self._due else math.inf):
            await changed.wait()


def told(follower: Follower) -> list[Event]:
    """What the follower has not heard yet, up to the event at which a stream ends; it is then heard."""
    events: list[Event] = []
    while follower.heard and not (events and ends(events[-1])):
        events.append(follower.heard.popleft())
    return events

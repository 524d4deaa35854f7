"""One request to an agent, understood, and its answer."""

from __future__ import annotations

import collections
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import trio

from aimock.exchange import Exchange
from aimock.journal import Entry as JournalEntry
from aimock.net.exchange import Answer, Headers, Outcome, Relay, Task, Whole
from aimock.physics import Pace, Surroundings
from aimock.randomness import uniforms
from aimock.surfaces.a2a.agents import Agent
from aimock.surfaces.a2a.entries import Entry, Status
from aimock.surfaces.a2a.performance import Follower, Performance, told
from aimock_protocols.a2a.bindings import Binding
from aimock_protocols.a2a.errors import (
    CONTENT_TYPE_NOT_SUPPORTED,
    EXTENSION_REQUIRED,
    INTERNAL_ERROR,
    NO_MATCH,
    PUSH_NOT_SUPPORTED,
    TASK_NOT_CANCELABLE,
    TASK_NOT_FOUND,
    UNSUPPORTED_OPERATION,
    VERSION_NOT_SUPPORTED,
    A2AError,
    Kind,
    unfit,
)
from aimock_protocols.a2a.operations import Asked, Operation
from aimock_protocols.a2a.task import TERMINAL, ends, listed
from aimock_protocols.a2a.task import Task as TaskRecord
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp

if TYPE_CHECKING:
    from aimock.surfaces.a2a.service import A2AService

_EXTENSIONS = ("a2a-extensions", "x-a2a-extensions")
"""The header by which a client says which it knows; 0.3 had the second."""
_SHOWN = 80
"""Characters of a message that a miss tells of."""


class Addressed(NamedTuple):
    """Whom a path means, and what is asked of him there."""

    agent: Agent | None
    """None: all agents."""
    base: str
    """The path inside the mount at which he is."""
    path: str
    """Inside that."""


@attrs.define(eq=False)
class Asking:
    """Everything about it. `answer` is called once."""

    service: A2AService
    exchange: Exchange
    addressed: Addressed
    binding: Binding
    asked: Asked
    method: str
    """What journal and metrics call it."""
    body: Any
    _in_force: str = ""
    """Extensions that the client knows and the agent has."""

    def answer(self) -> Answer:
        """Raises A2AError."""
        agent = self.addressed.agent or self.service.agents.first
        if agent is not None:
            self._admit(agent)
        return _ANSWERS[self.asked.operation](self)

    def error_frame(self, error: ErrorReply, stamp: Stamp) -> Frame:
        """An error in the midst of a stream."""
        return Frame(self.binding.failure_event(A2AError(INTERNAL_ERROR, error.message)), FrameKind.CLOSE)

    def _admit(self, agent: Agent) -> None:
        """Whether the agent speaks the version, and the client has all extensions that it must have."""
        if self.asked.version not in agent.versions:
            spoken = ", ".join(version.value for version in agent.versions)
            raise A2AError(VERSION_NOT_SUPPORTED, metadata={"supportedVersions": spoken})
        declared = agent.capabilities.get("extensions", [])
        if not declared:
            return
        lines = [value for name, value in self.exchange.head.header_lines if name in _EXTENSIONS]
        known = {each.strip() for line in lines for each in line.split(",")}
        for extension in declared:
            if extension.get("required", False) and extension["uri"] not in known:
                raise A2AError(EXTENSION_REQUIRED, metadata={"uri": extension["uri"]})
        self._in_force = ", ".join(each["uri"] for each in declared if each["uri"] in known)

    # -- messages --------------------------------------------------------------------------------------------------

    def _send(self) -> Answer:
        message = self.asked.params["message"]
        if message.get("taskId"):
            return self._continue(self._of_message(message), message)
        agent, entry = self._match(self.addressed.agent)
        if entry.parts is not None:
            return self._say(entry, entry.parts, message)
        return self._create(agent, entry, message)

    def _match(self, only: Agent | None) -> tuple[Agent, Entry]:
        """What answers the message. Raises A2AError: that of the entry, or because there is none."""
        exchange, message = self.exchange, self.asked.params["message"]
        text = " ".join(part["text"] for part in message["parts"] if "text" in part)
        streamed = self.asked.operation is Operation.STREAM
        found = self.service.agents.match(only, text, message["messageId"], exchange.steering.test_id, streamed)
        if found is None:
            self.service.missed(exchange, f"no agent has a pattern for {text[:_SHOWN]!r}")
            raise A2AError(NO_MATCH, f"Strict mode: {NO_MATCH.message}" if exchange.strict else None)
        agent, entry = found
        if streamed:
            _require(agent, "streaming", UNSUPPORTED_OPERATION)
        refused = agent.refused_mode(message["parts"])
        if refused is not None:
            raise A2AError(CONTENT_TYPE_NOT_SUPPORTED, metadata={"mediaType": refused[:_SHOWN]})
        if entry.error is not None:
            raise entry.error.with_traceback(None)  # it is raised again and again, and would remember each time
        return found

    def _say(self, entry: Entry, parts: list[dict[str, Any]], message: dict[str, Any]) -> Answer:
        """A message is the answer."""
        stamp = self.exchange.stamp
        said = {
            "messageId": "msg-" + stamp.alphanumeric(16, "message"),
            "role": "ROLE_AGENT",
            "parts": parts,
            "contextId": message.get("contextId") or "ctx-" + stamp.alphanumeric(16, "context"),
        }
        if entry.metadata is not None:
            said["metadata"] = entry.metadata
        delay = self._pace(entry).delay(0, self._surroundings())
        journaled = self._note()
        if self.asked.operation is Operation.STREAM:
            return self._at_once([(delay, {"message": said})], journaled)

        async def wait() -> None:
            await trio.sleep(delay)

        return self._waited(wait if delay else None, lambda: {"message": said}, journaled)

    def _create(self, agent: Agent, entry: Entry, message: dict[str, Any]) -> Answer:
        """A task is the answer."""
        stamp, tasks = self.exchange.stamp, self.service.tasks
        task = TaskRecord(
            "task-" + stamp.alphanumeric(16, "task"),
            message.get("contextId") or "ctx-" + stamp.alphanumeric(16, "context"),
            entry.opens,
            stamp.created,
            tasks.number(),
            entry.metadata,
        )
        performance = Performance(task, agent, entry, self.exchange.steering.test_id)
        self._configure_push(performance)
        performance.hear(message, stamp.created)
        tasks.add(performance)
        return self._perform(performance, entry)

    def _of_message(self, message: dict[str, Any]) -> Performance:
        """The task that the message is for. Raises A2AError if it cannot be continued so."""
        performance = self.service.tasks.find(message["taskId"], self.addressed.agent)
        task = performance.task
        if task.is_terminal:
            raise A2AError(UNSUPPORTED_OPERATION, f"Task is in a terminal state: {task.state}", {"taskId": task.id})
        if message.get("contextId", "") not in ("", task.context_id):
            raise unfit("message.contextId", f"the task is in context {task.context_id}")
        return performance

    def _continue(self, performance: Performance, message: dict[str, Any]) -> Answer:
        """Goes on with the task: as its script says, else as an entry does that has a pattern for the message, else to
        its final state."""
        entry = None
        if not performance.is_moving and not performance.has_more:
            try:
                _, entry = self._match(performance.agent)
            except A2AError as error:
                if error.kind is not NO_MATCH or performance.entry.final.state not in TERMINAL:
                    raise
            if entry is not None and entry.parts is not None:
                entry = attrs.evolve(entry, parts=None, final=Status(entry.final.state, entry.parts))
        if self.asked.operation is Operation.STREAM:
            _require(performance.agent, "streaming", UNSUPPORTED_OPERATION)
        self._configure_push(performance)
        performance.hear(message, self.exchange.stamp.created)
        return self._perform(performance, entry)

    def _configure_push(self, performance: Performance) -> None:
        """Raises A2AError."""
        config = self.asked.params.get("configuration", {}).get("taskPushNotificationConfig")
        if config is not None:
            _require(performance.agent, "pushNotifications", PUSH_NOT_SUPPORTED)
            self.service.push.create(performance, config, self.asked.version)

    def _perform(self, performance: Performance, entry: Entry | None) -> Answer:
        """Has the script go on (with an entry: begin), and answers with what comes of it."""
        configuration = self.asked.params.get("configuration", {})
        history = configuration.get("historyLength")
        before = {"task": performance.task.view(history)}
        follower = Follower(collections.deque([before]))
        is_streamed = self.asked.operation is Operation.STREAM
        if is_streamed:
            performance.follow(follower)
        scripted = entry or performance.entry
        if entry is not None:
            performance.begin(entry, self._pace(scripted), self._surroundings(), self.exchange.stamp)
        elif not performance.is_moving:
            performance.resume(self._pace(scripted), self._surroundings(), self.exchange.stamp)
        performance.settle()
        self.service.push.wake(performance)
        journaled = self._note()
        if is_streamed:
            return self._stream(performance, follower, journaled)
        if configuration.get("returnImmediately", False):
            return self._whole(before, journaled)
        wait = performance.rest if performance.is_moving else None
        return self._waited(wait, lambda: {"task": performance.task.view(history)}, journaled)

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _task(self, name: str = "id") -> Performance:
        return self.service.tasks.find(self.asked.params[name], self.addressed.agent)

    def _get(self) -> Answer:
        return self._whole(self._task().task.view(self.asked.params.get("historyLength")))

    def _list(self) -> Answer:
        found = self.service.tasks.of(self.exchange.steering.test_id, self.addressed.agent)
        return self._whole(listed((performance.task for performance in found), self.asked.params))

    def _cancel(self) -> Answer:
        performance = self._task()
        task = performance.task
        if task.is_terminal or not performance.entry.is_cancelable:
            raise A2AError(TASK_NOT_CANCELABLE, metadata={"taskId": task.id, "state": task.state})
        performance.cancel(self.exchange.stamp.created)
        self.service.push.wake(performance)
        return self._whole(task.view())

    def _subscribe(self) -> Answer:
        performance = self._task()
        task = performance.task
        _require(performance.agent, "streaming", UNSUPPORTED_OPERATION)
        if task.is_terminal:
            raise A2AError(UNSUPPORTED_OPERATION, f"Task is in a terminal state: {task.state}", {"taskId": task.id})
        follower = performance.follow(Follower(collections.deque([{"task": task.view()}])))
        return self._stream(performance, follower, self._note())

    def _extended_card(self) -> Answer:
        return self._whole(self.service.extended_card(self.exchange, self.addressed))

    # -- push notifications ----------------------------------------------------------------------------------------

    def _notified(self) -> Performance:
        """The task whose notifications are meant. Raises A2AError if its agent has none."""
        performance = self._task("taskId")
        _require(performance.agent, "pushNotifications", PUSH_NOT_SUPPORTED)
        return performance

    def _create_push(self) -> Answer:
        performance = self._notified()
        config = self.service.push.create(performance, self.asked.params, self.asked.version)
        self.service.push.wake(performance)
        return self._whole(config)

    def _get_push(self) -> Answer:
        task, id = self._notified().task, self.asked.params["id"]
        for config in self.service.push.configs(task.id):
            if config["id"] == id:
                return self._whole(config)
        raise A2AError(TASK_NOT_FOUND, "The task has no such push notification config", {"taskId": task.id, "id": id})

    def _list_pushes(self) -> Answer:
        return self._whole({"configs": self.service.push.configs(self._notified().task.id)})

    def _delete_push(self) -> Answer:
        self.service.push.delete(self._notified(), self.asked.params["id"])
        return self._whole(None)

    # -- answers ---------------------------------------------------------------------------------------------------

    def _pace(self, entry: Entry) -> Pace:
        """The entry's timing. The server's profile stands in only for one that says nothing of its own."""
        tempo = self.exchange.state.settings.tempo
        says_nothing = entry.delay_ms is None
        return Pace(
            entry.delay_ms if entry.delay_ms is not None else tempo.latency,
            entry.profile or (tempo.profile if says_nothing else None),
            None,
            entry.replay_speed or tempo.speed,
        )

    def _surroundings(self) -> Surroundings:
        state = self.exchange.state
        return Surroundings(uniforms(self.exchange.stamp.entropy, "jitter"), lambda: 0, lambda: state.streams)

    def _note(self) -> JournalEntry:
        return self.service.noted(self.exchange, 200, self.method, self.body)

    def _headers(self, media_type: str) -> Headers:
        in_force = ((_EXTENSIONS[0], self._in_force),) if self._in_force else ()
        return (("content-type", media_type), *self.service.headers, *in_force)

    def _whole(self, value: Any, journaled: JournalEntry | None = None) -> Whole:
        journaled = journaled or self._note()
        told = self.binding.whole(self.asked.operation, value)
        headers = self._headers(told.media_type)
        return Whole(told.status, headers, told.body, self.exchange.fresh_headers, on_end=journaled.ended)

    def _waited(
        self, wait: Callable[[], Awaitable[None]] | None, value: Callable[[], Any], journaled: JournalEntry
    ) -> Answer:
        """An answer that is known when `wait` has ended."""
        if wait is None:
            return self._whole(value(), journaled)

        async def run() -> Whole:
            try:
                await wait()
            except trio.Cancelled:
                journaled.ended(Outcome.CLIENT_LEFT)
                raise
            return self._whole(value(), journaled)

        return Task(run)

    def _at_once(self, timed: list[tuple[float, dict[str, Any]]], journaled: JournalEntry) -> Answer:
        """A stream of which everything is known beforehand, with offsets in seconds."""
        operation, headers = self.asked.operation, self._headers("text/event-stream")
        frames = [(offset, Frame(self.binding.event(operation, event), FrameKind.TOKEN)) for offset, event in timed]
        return self.service.streamed(self.exchange, journaled, headers, frames, self.error_frame)

    def _stream(self, performance: Performance, follower: Follower, journaled: JournalEntry) -> Answer:
        """What the follower hears. If that is all there is, nobody waits for more."""
        if any(ends(event) for event in follower.heard):
            performance.unfollow(follower)
            return self._at_once([(0.0, event) for event in told(follower)], journaled)
        headers = self._headers("text/event-stream")
        pieces = self._pieces(performance, follower)
        return Relay(200, headers, pieces, self.exchange.fresh_headers, on_end=journaled.ended)

    async def _pieces(self, performance: Performance, follower: Follower) -> AsyncGenerator[bytes, None]:
        try:
            while events := await performance.news(follower):
                yield b"".join(self.binding.event(self.asked.operation, event) for event in events)
                if ends(events[-1]):
                    return
        finally:
            performance.unfollow(follower)


def _require(agent: Agent, capability: str, otherwise: Kind) -> None:
    """Raises A2AError if the agent does not have it."""
    if not agent.capabilities[capability]:
        raise A2AError(otherwise, metadata={"agent": agent.name})


_ANSWERS: Mapping[Operation, Callable[[Asking], Answer]] = {
    Operation.SEND: Asking._send,
    Operation.STREAM: Asking._send,
    Operation.GET: Asking._get,
    Operation.LIST: Asking._list,
    Operation.CANCEL: Asking._cancel,
    Operation.SUBSCRIBE: Asking._subscribe,
    Operation.CREATE_PUSH: Asking._create_push,
    Operation.GET_PUSH: Asking._get_push,
    Operation.LIST_PUSHES: Asking._list_pushes,
    Operation.DELETE_PUSH: Asking._delete_push,
    Operation.EXTENDED_CARD: Asking._extended_card,
}

"""In which order the events of a run may come.

What clients enforce: @ag-ui/client 1.0 fails a run at the first event that breaks one of these rules, and so would a
fixture that does. Events must be well-formed (`vocabulary`) before they are asked about here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import attrs

from aimock_protocols.agui.chunks import Expander, OrderError
from aimock_protocols.agui.shapes import shown
from aimock_protocols.agui.vocabulary import Event

__all__ = ["Order", "OrderError", "Violation", "violation"]

Owner = str | None
"""A subagent's run, or None: the parent agent."""


class _Bracket(NamedTuple):
    """What one event opens, some may continue, and one closes."""

    name: str
    key: str
    bucket: str
    """Among which things its id is told apart, when it is asked whose it is."""
    start: str
    content: str | None
    end: str


_BRACKETS = (
    _Bracket("text message", "messageId", "message", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"),
    _Bracket("tool call", "toolCallId", "tool call", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"),
    _Bracket("reasoning", "messageId", "reasoning", "REASONING_START", None, "REASONING_END"),
    _Bracket(
        "reasoning message",
        "messageId",
        "reasoning",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
    ),
)
_STARTS = {bracket.start: bracket for bracket in _BRACKETS}
_CONTINUES = {kind: bracket for bracket in _BRACKETS for kind in (bracket.content, bracket.end) if kind is not None}
_ENDS = frozenset(bracket.end for bracket in _BRACKETS)

_AFTER = {"error": ("RUN_STARTED",), "finish": ("RUN_STARTED", "RUN_ERROR")}
"""What may come when a run has ended so."""


@attrs.define
class _Run:
    """What is open within one run, and whose things are."""

    open: dict[tuple[str, str], None] = attrs.field(factory=dict)
    """By what it is and its id, in the order of opening."""
    owners: dict[tuple[str, str], Owner] = attrs.field(factory=dict)
    """By bucket and id. They stay when a thing is closed: what comes later may still name it."""
    steps: dict[tuple[Owner, str], None] = attrs.field(factory=dict)
    subagents: set[str] = attrs.field(factory=set)
    closed_subagents: set[str] = attrs.field(factory=set)


class Order:
    """Reads the events of a stream, which may have several runs one after the other."""

    def __init__(self) -> None:
        self._expander = Expander()
        self._run = _Run()
        self._phase = "begin"
        """`begin`, `run`, or how the last run ended: `finish` or `error`."""

    def feed(self, event: Event) -> None:
        """Raises OrderError, and must not be fed any more then."""
        for each in self._expander.feed(event):
            self._one(each)

    def _one(self, event: Event) -> None:
        kind = event["type"]
        if self._phase == "begin" and kind not in ("RUN_STARTED", "RUN_ERROR"):
            raise OrderError("the first event must be RUN_STARTED")
        if self._phase in _AFTER and kind not in _AFTER[self._phase]:
            raise OrderError(f"the run has ended; only {' or '.join(_AFTER[self._phase])} may follow")
        if kind in _STARTS:
            self._start(event, _STARTS[kind])
        elif kind in _CONTINUES:
            self._continue(event, _CONTINUES[kind])
        elif kind in _RULES:
            _RULES[kind](self, event)

    # -- messages, tool calls, reasoning ---------------------------------------------------------------------------

    def _start(self, event: Event, bracket: _Bracket) -> None:
        name = event[bracket.key]
        if (bracket.name, name) in self._run.open:
            raise OrderError(f"{bracket.name} {shown(name)} is open already")
        tag = event.get("subagentRunId")
        parent = event.get("parentMessageId")
        if parent is not None and ("message", parent) in self._run.owners:  # a call is where its message is
            owner = self._run.owners["message", parent]
            if tag not in (None, owner):
                raise OrderError(f"tool call {shown(name)} is in message {shown(parent)}, which is {_whose(owner)}")
            if self._run.owners.get((bracket.bucket, name), owner) != owner:
                raise OrderError(f"tool call {shown(name)} was {_whose(self._run.owners[bracket.bucket, name])}")
            tag = owner
        else:
            self._agree(event, bracket.bucket, name)
        self._run.owners.setdefault((bracket.bucket, name), tag)
        self._run.open[bracket.name, name] = None

    def _continue(self, event: Event, bracket: _Bracket) -> None:
        name = event[bracket.key]
        if (bracket.name, name) not in self._run.open:
            raise OrderError(f"no {bracket.name} {shown(name)} is open")
        self._agree(event, bracket.bucket, name)
        if event["type"] in _ENDS:
            del self._run.open[bracket.name, name]

    def _agree(self, event: Event, bucket: str, name: str) -> None:
        """An event that says whose it is must be of the one whose thing it is about."""
        tag = event.get("subagentRunId")
        owner = self._run.owners.get((bucket, name), tag)
        if tag is not None and owner != tag:
            raise OrderError(f"{bucket} {shown(name)} is {_whose(owner)}, and not {_whose(tag)}")

    def _encrypted(self, event: Event) -> None:
        buckets = ("tool call",) if event["subtype"] == "tool-call" else ("message", "reasoning")
        bucket = next((each for each in buckets if (each, event["entityId"]) in self._run.owners), buckets[0])
        self._agree(event, bucket, event["entityId"])

    def _result(self, event: Event) -> None:
        self._run.owners["message", event["messageId"]] = event.get("subagentRunId")

    def _activity(self, event: Event) -> None:
        thing = ("activity", event["messageId"])
        if thing not in self._run.owners or event.get("replace") is not False:
            self._run.owners[thing] = event.get("subagentRunId")

    def _messages(self, event: Event) -> None:
        for thing, owner in _owned(event["messages"]):
            self._run.owners[thing] = owner

    # -- steps and subagents ---------------------------------------------------------------------------------------

    def _step_started(self, event: Event) -> None:
        step = (event.get("subagentRunId"), event["stepName"])
        if step in self._run.steps:
            raise OrderError(f"step {shown(step[1])} is open already")
        self._run.steps[step] = None

    def _step_finished(self, event: Event) -> None:
        owner, name = event.get("subagentRunId"), event["stepName"]
        if (owner, name) in self._run.steps:
            del self._run.steps[owner, name]
            return
        other = [each for each, open_name in self._run.steps if open_name == name]
        if other:
            raise OrderError(f"step {shown(name)} is {_whose(other[0])}, and not {_whose(owner)}")
        raise OrderError(f"no step {shown(name)} is open")

    def _subagent_started(self, event: Event) -> None:
        run, name, parent = self._run, event["subagentRunId"], event.get("parentSubagentRunId")
        if name in run.subagents:
            raise OrderError(f"subagent {shown(name)} is at work already")
        if name in run.closed_subagents:
            raise OrderError(f"subagent {shown(name)} has ended in this run, and its id is used up")
        if parent is not None and parent not in run.subagents | run.closed_subagents:
            raise OrderError(f"its parent {shown(parent)} was not started in this run")
        run.subagents.add(name)

    def _subagent_ended(self, event: Event) -> None:
        name = event["subagentRunId"]
        if name not in self._run.subagents:
            raise OrderError(f"no subagent {shown(name)} is at work")
        self._run.subagents.remove(name)
        self._run.closed_subagents.add(name)

    # -- runs ------------------------------------------------------------------------------------------------------

    def _run_started(self, event: Event) -> None:
        if self._phase == "run":
            raise OrderError("a run is under way already")
        self._run, self._phase = _Run(), "run"
        for thing, owner in _owned(event.get("input", {}).get("messages", [])):
            self._run.owners.setdefault(thing, owner)

    def _run_finished(self, event: Event) -> None:
        left = [f"{name} {shown(id)}" for name, id in self._run.open]
        left += [f"step {shown(name)}" for _, name in self._run.steps]
        left += [f"subagent {shown(name)}" for name in sorted(self._run.subagents)]
        if left:
            raise OrderError(f"still open: {', '.join(left)}")
        self._phase = "finish"

    def _run_error(self, event: Event) -> None:
        self._phase = "error"


_RULES: Mapping[str, Callable[[Order, Event], None]] = {
    "RUN_STARTED": Order._run_started,
    "RUN_FINISHED": Order._run_finished,
    "RUN_ERROR": Order._run_error,
    "STEP_STARTED": Order._step_started,
    "STEP_FINISHED": Order._step_finished,
    "SUBAGENT_STARTED": Order._subagent_started,
    "SUBAGENT_FINISHED": Order._subagent_ended,
    "SUBAGENT_ERROR": Order._subagent_ended,
    "TOOL_CALL_RESULT": Order._result,
    "ACTIVITY_SNAPSHOT": Order._activity,
    "ACTIVITY_DELTA": lambda order, event: order._agree(event, "activity", event["messageId"]),
    "MESSAGES_SNAPSHOT": Order._messages,
    "REASONING_ENCRYPTED_VALUE": Order._encrypted,
}
"""Of the events that open and close no bracket; those that stand here for nothing may come at any time in a run."""

_BUCKETS = {"reasoning": "reasoning", "activity": "activity"}
"""Of messages by their role; the others are messages."""


def _owned(messages: Iterable[Event]) -> Iterator[tuple[tuple[str, str], Owner]]:
    """Whose the messages of a conversation are, and the tool calls in them."""
    for message in messages:
        owner = message.get("subagentRunId")
        yield (_BUCKETS.get(message["role"], "message"), message["id"]), owner
        for call in message.get("toolCalls", []):
            yield ("tool call", call["id"]), owner


def _whose(owner: Owner) -> str:
    return "the parent agent's" if owner is None else f"subagent {shown(owner)}'s"


class Violation(NamedTuple):
    """The event that breaks a rule, and which."""

    place: int
    """Of the event, from 0."""
    rule: str


def violation(events: Iterable[Event]) -> Violation | None:
    """The first event that clients would not take."""
    order = Order()
    for place, event in enumerate(events):
        try:
            order.feed(event)
        except OrderError as error:
            return Violation(place, str(error))
    return None

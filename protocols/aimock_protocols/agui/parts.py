"""What a run is made of: text, tool calls, state, reasoning, … each as the events that tell it.

A part is a function that is given `Names`, of whom it asks for the names of the new things in it; `run` puts parts
together. Names are templates, for which `playing` puts ids that are new in each run. Where an id is given it is used as
it is, in every run: a tool call whose result a later request brings is such a case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from aimock_protocols.agui.vocabulary import Event


class Names:
    """Gives each thing in a run a name of its own."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def new(self, kind: str) -> str:
        """A template for the id of one more thing; `kind` is the field that has the id."""
        self._given[kind] += 1
        return f"{{{{{kind}:{self._given[kind]}}}}}"


Part = Callable[[Names], list[Event]]


def _given(**fields: Any) -> Event:
    """The fields that have a value."""
    return {key: value for key, value in fields.items() if value is not None}


def text(content: str, *, message_id: str | None = None, role: str = "assistant", name: str | None = None) -> Part:
    """A message, streamed. No text is no CONTENT event: older clients refuse an empty one."""

    def events(names: Names) -> list[Event]:
        own = {"messageId": message_id or names.new("messageId")}
        content_events = [{"type": "TEXT_MESSAGE_CONTENT", **own, "delta": content}] if content else []
        start = {"type": "TEXT_MESSAGE_START", **own, "role": role, **_given(name=name)}
        return [start, *content_events, {"type": "TEXT_MESSAGE_END", **own}]

    return events


def text_chunk(content: str, *, message_id: str | None = None, role: str = "assistant") -> Part:
    """The same in the shorthand that needs neither start nor end."""
    return lambda names: [
        {
            "type": "TEXT_MESSAGE_CHUNK",
            "messageId": message_id or names.new("messageId"),
            "role": role,
            "delta": content,
        }
    ]


def _json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def tool_call(
    name: str,
    arguments: Any = None,
    *,
    result: Any = None,
    tool_call_id: str | None = None,
    parent_message_id: str | None = None,
) -> Part:
    """A call of a tool. `arguments` and `result` are text, or what becomes JSON; without a result the client is to
    bring one."""

    def events(names: Names) -> list[Event]:
        own = {"toolCallId": tool_call_id or names.new("toolCallId")}
        said = _json({} if arguments is None else arguments)
        made: list[Event] = [
            {"type": "TOOL_CALL_START", **own, "toolCallName": name, **_given(parentMessageId=parent_message_id)},
            *([{"type": "TOOL_CALL_ARGS", **own, "delta": said}] if said else []),
            {"type": "TOOL_CALL_END", **own},
        ]
        return made if result is None else made + tool_result(own["toolCallId"], result)(names)

    return events


def tool_call_chunk(name: str, arguments: Any = None, *, tool_call_id: str | None = None) -> Part:
    """The same in the shorthand."""
    return lambda names: [
        {
            "type": "TOOL_CALL_CHUNK",
            "toolCallId": tool_call_id or names.new("toolCallId"),
            "toolCallName": name,
            "delta": _json({} if arguments is None else arguments),
        }
    ]


def tool_result(tool_call_id: str, content: Any) -> Part:
    """What a tool gave back: text, content parts, or what becomes JSON."""
    is_parts = isinstance(content, list) and all(isinstance(each, Mapping) and "type" in each for each in content)
    said = content if is_parts and content else _json(content)
    return lambda names: [
        {
            "type": "TOOL_CALL_RESULT",
            "messageId": names.new("messageId"),
            "toolCallId": tool_call_id,
            "content": said,
            "role": "tool",
        }
    ]


def reasoning(content: str, *, encrypted: str | None = None, message_id: str | None = None) -> Part:
    """What it thinks aloud; `encrypted` is the provider's sealed form of it."""

    def events(names: Names) -> list[Event]:
        own = {"messageId": message_id or names.new("messageId")}
        said = [{"type": "REASONING_MESSAGE_CONTENT", **own, "delta": content}] if content else []
        sealed = [] if encrypted is None else encrypted_value(own["messageId"], encrypted)(names)
        return [
            {"type": "REASONING_START", **own},
            {"type": "REASONING_MESSAGE_START", **own, "role": "reasoning"},
            *said,
            {"type": "REASONING_MESSAGE_END", **own},
            *sealed,
            {"type": "REASONING_END", **own},
        ]

    return events


def reasoning_chunk(content: str, *, message_id: str | None = None) -> Part:
    """The same in the shorthand."""
    return lambda names: [
        {"type": "REASONING_MESSAGE_CHUNK", "messageId": message_id or names.new("messageId"), "delta": content}
    ]


def encrypted_value(entity_id: str, value: str, subtype: str = "message") -> Part:
    """A provider's sealed value that belongs to a message, or (`subtype` "tool-call") to a tool call."""
    return lambda names: [
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": subtype, "entityId": entity_id, "encryptedValue": value}
    ]


def state_snapshot(snapshot: Any) -> Part:
    return lambda names: [{"type": "STATE_SNAPSHOT", "snapshot": snapshot}]


def state_delta(patch: Sequence[Mapping[str, Any]]) -> Part:
    """A change of the state, in JSON Patch."""
    return lambda names: [{"type": "STATE_DELTA", "delta": [*patch]}]


def messages_snapshot(messages: Sequence[Mapping[str, Any]]) -> Part:
    return lambda names: [{"type": "MESSAGES_SNAPSHOT", "messages": [*messages]}]


def activity(
    activity_type: str,
    content: Mapping[str, Any],
    *,
    patches: Sequence[Sequence[Mapping[str, Any]]] = (),
    replace: bool = True,
    message_id: str | None = None,
) -> Part:
    """Something that goes on, and how it changes, each time by a JSON Patch of its content."""

    def events(names: Names) -> list[Event]:
        own = {"messageId": message_id or names.new("messageId"), "activityType": activity_type}
        deltas = (activity_delta(own["messageId"], activity_type, patch) for patch in patches)
        changes = [event for delta in deltas for event in delta(names)]
        return [{"type": "ACTIVITY_SNAPSHOT", **own, "content": {**content}, "replace": replace}, *changes]

    return events


def activity_delta(message_id: str, activity_type: str, patch: Sequence[Mapping[str, Any]]) -> Part:
    """A change of an activity that an earlier snapshot told of."""
    return lambda names: [
        {"type": "ACTIVITY_DELTA", "messageId": message_id, "activityType": activity_type, "patch": [*patch]}
    ]


def raw(event: Any, source: str | None = None) -> Part:
    """A provider's own event."""
    return lambda names: [{"type": "RAW", "event": event, **_given(source=source)}]


def custom(name: str, value: Any = None) -> Part:
    """An application's own event."""
    return lambda names: [{"type": "CUSTOM", "name": name, "value": value}]


def error(message: str, code: str | None = None) -> Part:
    """The failure with which a run ends."""
    return lambda names: [{"type": "RUN_ERROR", "message": message, **_given(code=code)}]


def events(*given: Event) -> Part:
    """Events as they are."""
    return lambda names: [*given]


def step(name: str, *parts: Part) -> Part:
    """Parts within a step."""
    return lambda names: [
        {"type": "STEP_STARTED", "stepName": name},
        *_made(parts, names),
        {"type": "STEP_FINISHED", "stepName": name},
    ]


_OF_THE_RUN = frozenset({"RUN_STARTED", "RUN_FINISHED"})
_OF_NO_SUBAGENT = frozenset({"MESSAGES_SNAPSHOT", "RUN_ERROR"})


def subagent(
    name: str,
    *parts: Part,
    description: str | None = None,
    result: Any = None,
    interrupt_ids: Sequence[str] | None = None,
    failure: str | None = None,
    subagent_run_id: str | None = None,
) -> Part:
    """Parts that a subagent does, and how it ends: with a `result`, waiting for interrupts, or with a failure."""

    def made(names: Names) -> list[Event]:
        own = {"subagentRunId": subagent_run_id or names.new("subagentRunId")}
        done: list[Event] = []
        for event in _made(parts, names):
            if event["type"] == "SUBAGENT_STARTED":
                event = {"parentSubagentRunId": own["subagentRunId"], **event}
            done.append(event if event["type"] in _OF_NO_SUBAGENT else {**own, **event})
        if failure is not None:
            end: Event = {"type": "SUBAGENT_ERROR", **own, "message": failure}
        else:
            suspended = None if interrupt_ids is None else {"type": "suspended", "interruptIds": [*interrupt_ids]}
            end = {"type": "SUBAGENT_FINISHED", **own, **_given(result=result, outcome=suspended)}
        return [{"type": "SUBAGENT_STARTED", **own, "name": name, **_given(description=description)}, *done, end]

    return made


def _made(parts: Sequence[Part], names: Names) -> list[Event]:
    """The events of parts; those of a run that one of them has besides are left out."""
    return [event for part in parts for event in part(names) if event["type"] not in _OF_THE_RUN]


def run(
    *parts: Part,
    result: Any = None,
    interrupts: Sequence[Mapping[str, Any]] = (),
    outcome: Mapping[str, Any] | None = None,
    usage: Sequence[Mapping[str, Any]] | None = None,
) -> list[Event]:
    """The events of a whole run. It ends with an error if one of its parts is one, else with the outcome, which is an
    interrupt if there are `interrupts`."""
    made = _made(parts, Names())
    failed = next((place for place, event in enumerate(made) if event["type"] == "RUN_ERROR"), None)
    if failed is not None:
        return [{"type": "RUN_STARTED"}, *made[: failed + 1]]
    if interrupts:
        outcome = {"type": "interrupt", "interrupts": [*interrupts]}
    return [
        {"type": "RUN_STARTED"},
        *made,
        {"type": "RUN_FINISHED", **_given(result=result, outcome=outcome, usage=usage)},
    ]

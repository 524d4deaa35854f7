"""Runs as fixture files write them: `"run": [{"text": "Hi"}, {"toolCall": "f", "arguments": {}}, {"error": "down"}]`.

Each member is an object: one of its keys says what it is (a part of `parts`), and the others what it has besides. An
event as it is on the wire, with its `type`, is a member too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from aimock_protocols.agui import parts
from aimock_protocols.agui.parts import Part
from aimock_protocols.agui.shapes import (
    BOOLEAN,
    OBJECT,
    STRING,
    Shape,
    anything,
    list_of,
    one_of,
    record,
    shown,
)
from aimock_protocols.agui.vocabulary import INTERRUPT, OUTCOME, PATCH, USAGE, Event


class WrittenError(ValueError):
    """A run that cannot be read. The text says where, and what was expected."""


class _Form(NamedTuple):
    """How a part is written."""

    make: Callable[..., Part]
    subject: Shape
    """Of the value of the key that says what it is; it is the first argument."""
    required: Mapping[str, Shape] = {}
    optional: Mapping[str, Shape] = {}
    """Other arguments, by their names in camelCase."""
    has_parts: bool = False
    """Whether it has a `run` of its own."""


_ROLE = one_of("developer", "system", "assistant", "user")

_FORMS: Mapping[str, _Form] = {
    "text": _Form(parts.text, STRING, {}, {"messageId": STRING, "role": _ROLE, "name": STRING}),
    "textChunk": _Form(parts.text_chunk, STRING, {}, {"messageId": STRING, "role": _ROLE}),
    "toolCall": _Form(
        parts.tool_call,
        STRING,
        {},
        {"arguments": anything, "result": anything, "toolCallId": STRING, "parentMessageId": STRING},
    ),
    "toolCallChunk": _Form(parts.tool_call_chunk, STRING, {}, {"arguments": anything, "toolCallId": STRING}),
    "toolResult": _Form(parts.tool_result, STRING, {"content": anything}),
    "reasoning": _Form(parts.reasoning, STRING, {}, {"encrypted": STRING, "messageId": STRING}),
    "reasoningChunk": _Form(parts.reasoning_chunk, STRING, {}, {"messageId": STRING}),
    "encryptedValue": _Form(
        parts.encrypted_value, STRING, {"value": STRING}, {"subtype": one_of("tool-call", "message")}
    ),
    "stateSnapshot": _Form(parts.state_snapshot, anything),
    "stateDelta": _Form(parts.state_delta, PATCH),
    "messagesSnapshot": _Form(parts.messages_snapshot, list_of(OBJECT)),
    "activity": _Form(
        parts.activity,
        STRING,
        {"content": OBJECT},
        {"patches": list_of(PATCH), "replace": BOOLEAN, "messageId": STRING},
    ),
    "activityDelta": _Form(parts.activity_delta, STRING, {"activityType": STRING, "patch": PATCH}),
    "raw": _Form(parts.raw, anything, {}, {"source": STRING}),
    "custom": _Form(parts.custom, STRING, {}, {"value": anything}),
    "error": _Form(parts.error, STRING, {}, {"code": STRING}),
    "step": _Form(parts.step, STRING, has_parts=True),
    "subagent": _Form(
        parts.subagent,
        STRING,
        {},
        {
            "description": STRING,
            "result": anything,
            "interruptIds": list_of(STRING),
            "failure": STRING,
            "subagentRunId": STRING,
        },
        has_parts=True,
    ),
}
"""By the key that says what a part is."""

_DEEPEST = 32
"""Parts within parts."""


_ENDING: Mapping[str, Shape] = {
    "interrupts": list_of(INTERRUPT),
    "result": anything,
    "outcome": OUTCOME,
    "usage": USAGE,
}
ENDING_KEYS = tuple(_ENDING)
"""Beside a run: how it ends."""


def read_run(given: Any, path: str, ending: Mapping[str, Any]) -> list[Event]:
    """The events of a run. `path`: of its parts, beside which the keys of its ending stand. Raises WrittenError."""
    for fault in record({}, _ENDING)({**ending}, ""):
        above, dot, _ = path.rpartition(".")
        raise WrittenError(above + dot + fault)
    return parts.run(*read_parts(given, path), **ending)


def read_parts(given: Any, path: str, depth: int = 0) -> list[Part]:
    """The parts of a `run`. Raises WrittenError."""
    if not isinstance(given, list):
        raise WrittenError(f"{path}: expected an array of parts, got {shown(given)}")
    if depth > _DEEPEST:
        raise WrittenError(f"{path}: more than {_DEEPEST} levels of parts")
    return [_read_part(member, f"{path}[{place}]", depth) for place, member in enumerate(given)]


def _read_part(member: Any, path: str, depth: int) -> Part:
    if not isinstance(member, dict):
        raise WrittenError(f"{path}: expected an object, got {shown(member)}")
    if "type" in member:
        return parts.events(member)
    kinds = [key for key in member if key in _FORMS]
    if len(kinds) != 1:
        wrong = f"{kinds[0]} and {kinds[1]} are two parts" if kinds else f"it has none of {', '.join(_FORMS)}"
        raise WrittenError(f"{path}: {wrong}{'' if kinds else nearest(str(next(iter(member), '')), _FORMS)}")
    kind, form = kinds[0], _FORMS[kinds[0]]
    required = {kind: form.subject, **form.required} | ({"run": anything} if form.has_parts else {})
    for key in member:
        if key not in required and key not in form.optional and not str(key).startswith("_"):
            raise WrittenError(f"{path}.{key}: unknown key{nearest(str(key), [*required, *form.optional])}")
    for fault in record(required, form.optional)(member, path):
        raise WrittenError(fault)
    inner = read_parts(member["run"], f"{path}.run", depth + 1) if form.has_parts else []
    told = {_snake(key): member[key] for key in (*form.required, *form.optional) if key in member}
    return form.make(member[kind], *inner, **told)


def nearest(key: str, known: Collection[str]) -> str:
    """What to say of a key that there is not, beside that."""
    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(key.lower(), lowered, n=1)
    return f', did you mean "{lowered[close[0]]}"?' if close else ""


def _snake(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)

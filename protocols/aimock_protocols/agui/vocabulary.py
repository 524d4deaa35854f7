"""The events of AG-UI 1.0, each with its fields and what they must be.

Source: the JSON Schema of the protocol (https://ag-ui.com/spec/1.0/schema.json), as ag-ui-protocol 1.0 has it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aimock_protocols.agui.shapes import (
    BOOLEAN,
    OBJECT,
    STRING,
    Shape,
    anything,
    either,
    list_of,
    of_kind,
    one_of,
    record,
    shown,
    tagged,
)

Event = dict[str, Any]

PROTOCOL_VERSION = "1.0"

_SAFE = 2**53 - 1
"""The largest integer that a JSON number carries everywhere."""
_POINTER = re.compile(r"(/([^/~]|~[01])*)*")


def _is_integer(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= _SAFE


_TIMESTAMP = of_kind("a whole number of milliseconds", lambda value: _is_integer(value, -_SAFE))
_COUNT = of_kind("a whole number of 0 or more", lambda value: _is_integer(value, 0))
_JSON_POINTER = of_kind(
    "a JSON Pointer", lambda value: isinstance(value, str) and _POINTER.fullmatch(value) is not None
)

_AT_PATH = {"op": STRING, "path": _JSON_POINTER}
_WITH_VALUE = record({**_AT_PATH, "value": anything}, {})
_WITH_FROM = record({**_AT_PATH, "from": _JSON_POINTER}, {})
PATCH = list_of(
    tagged(
        "op",
        {
            "add": _WITH_VALUE,
            "remove": record(_AT_PATH, {}),
            "replace": _WITH_VALUE,
            "move": _WITH_FROM,
            "copy": _WITH_FROM,
            "test": _WITH_VALUE,
        },
    )
)
"""JSON Patch (RFC 6902)."""

_SOURCE = tagged(
    "type",
    {
        "data": record({"type": STRING, "value": STRING, "mimeType": STRING}, {}),
        "url": record({"type": STRING, "value": STRING}, {"mimeType": STRING}),
        "file": record({"type": STRING, "value": STRING}, {"mimeType": STRING, "provider": STRING}),
    },
)
_MEDIA = record({"type": STRING, "source": _SOURCE}, {"id": STRING})
_PARTS = list_of(
    tagged(
        "type",
        {
            "text": record({"type": STRING, "text": STRING}, {"id": STRING}),
            **dict.fromkeys(("image", "audio", "video", "document"), _MEDIA),
        },
    )
)
_CONTENT = either(STRING, _PARTS)

_TOOL_CALL = record(
    {"id": STRING, "type": one_of("function"), "function": record({"name": STRING, "arguments": STRING}, {})},
    {"encryptedValue": STRING, "metadata": OBJECT},
)
_MESSAGE = {"id": STRING, "role": STRING}
_OF_A_MESSAGE = {"name": STRING, "encryptedValue": STRING, "metadata": OBJECT, "subagentRunId": STRING}
_MESSAGES = list_of(
    tagged(
        "role",
        {
            "developer": record({**_MESSAGE, "content": STRING}, _OF_A_MESSAGE),
            "system": record({**_MESSAGE, "content": STRING}, _OF_A_MESSAGE),
            "assistant": record(_MESSAGE, {**_OF_A_MESSAGE, "content": STRING, "toolCalls": list_of(_TOOL_CALL)}),
            "user": record({**_MESSAGE, "content": _CONTENT}, _OF_A_MESSAGE),
            "tool": record({**_MESSAGE, "content": _CONTENT, "toolCallId": STRING}, {**_OF_A_MESSAGE, "error": STRING}),
            "activity": record(
                {**_MESSAGE, "activityType": STRING, "content": OBJECT}, {"metadata": OBJECT, "subagentRunId": STRING}
            ),
            "reasoning": record({**_MESSAGE, "content": STRING}, _OF_A_MESSAGE),
        },
    )
)

USAGE = list_of(
    record(
        {},
        {
            "provider": STRING,
            "model": STRING,
            **dict.fromkeys(
                (
                    "inputTokens",
                    "outputTokens",
                    "totalTokens",
                    "reasoningTokens",
                    "cachedInputTokens",
                    "cacheWriteInputTokens",
                ),
                _COUNT,
            ),
        },
    )
)
INTERRUPT = record(
    {"id": STRING, "reason": STRING},
    {
        "message": STRING,
        "toolCallId": STRING,
        "responseSchema": OBJECT,
        "expiresAt": STRING,
        "metadata": OBJECT,
        "subagentRunId": STRING,
    },
)
OUTCOME = tagged(
    "type",
    {
        "success": record({"type": STRING}, {"pendingToolCallIds": list_of(STRING)}),
        "interrupt": record({"type": STRING, "interrupts": list_of(INTERRUPT, least=1)}, {}),
        "cancelled": record({"type": STRING}, {}),
    },
)
_SUBAGENT_OUTCOME = tagged(
    "type",
    {
        "success": record({"type": STRING}, {}),
        "suspended": record({"type": STRING}, {"interruptIds": list_of(STRING)}),
    },
)
_INPUT = record({"threadId": STRING, "runId": STRING, "messages": _MESSAGES}, {"parentRunId": STRING})

_TEXT_ROLE = one_of("developer", "system", "assistant", "user")
_OF_EVERY_EVENT: Mapping[str, Shape] = {
    "type": STRING,
    "timestamp": _TIMESTAMP,
    "rawEvent": anything,
    "metadata": OBJECT,
}
_MESSAGE_ID = {"messageId": STRING}
_CALL_ID = {"toolCallId": STRING}
_DELTA = {"delta": STRING}
_RUN = {"threadId": STRING, "runId": STRING}
_ACTIVITY = {"messageId": STRING, "activityType": STRING}

_REQUIRED: Mapping[str, Mapping[str, Shape]] = {
    "RUN_STARTED": _RUN,
    "RUN_FINISHED": _RUN,
    "RUN_ERROR": {"message": STRING},
    "STEP_STARTED": {"stepName": STRING},
    "STEP_FINISHED": {"stepName": STRING},
    "TEXT_MESSAGE_START": _MESSAGE_ID,
    "TEXT_MESSAGE_CONTENT": _MESSAGE_ID | _DELTA,
    "TEXT_MESSAGE_END": _MESSAGE_ID,
    "TEXT_MESSAGE_CHUNK": {},
    "TOOL_CALL_START": _CALL_ID | {"toolCallName": STRING},
    "TOOL_CALL_ARGS": _CALL_ID | _DELTA,
    "TOOL_CALL_END": _CALL_ID,
    "TOOL_CALL_CHUNK": {},
    "TOOL_CALL_RESULT": _MESSAGE_ID | _CALL_ID | {"content": _CONTENT},
    "STATE_SNAPSHOT": {"snapshot": anything},
    "STATE_DELTA": {"delta": PATCH},
    "MESSAGES_SNAPSHOT": {"messages": _MESSAGES},
    "ACTIVITY_SNAPSHOT": _ACTIVITY | {"content": OBJECT},
    "ACTIVITY_DELTA": _ACTIVITY | {"patch": PATCH},
    "REASONING_START": _MESSAGE_ID,
    "REASONING_MESSAGE_START": _MESSAGE_ID | {"role": one_of("reasoning")},
    "REASONING_MESSAGE_CONTENT": _MESSAGE_ID | _DELTA,
    "REASONING_MESSAGE_END": _MESSAGE_ID,
    "REASONING_MESSAGE_CHUNK": {},
    "REASONING_END": _MESSAGE_ID,
    "REASONING_ENCRYPTED_VALUE": {
        "subtype": one_of("tool-call", "message"),
        "entityId": STRING,
        "encryptedValue": STRING,
    },
    "SUBAGENT_STARTED": {"subagentRunId": STRING, "name": STRING},
    "SUBAGENT_FINISHED": {"subagentRunId": STRING},
    "SUBAGENT_ERROR": {"subagentRunId": STRING, "message": STRING},
    "RAW": {"event": anything},
    "CUSTOM": {"name": STRING, "value": anything},
}

_OPTIONAL: Mapping[str, Mapping[str, Shape]] = {
    "RUN_STARTED": {"parentRunId": STRING, "input": _INPUT, "protocolVersion": STRING},
    "RUN_FINISHED": {"result": anything, "outcome": OUTCOME, "usage": USAGE},
    "RUN_ERROR": {"code": STRING, "usage": USAGE},
    "TEXT_MESSAGE_START": {"role": _TEXT_ROLE, "name": STRING},
    "TEXT_MESSAGE_CHUNK": {"messageId": STRING, "role": _TEXT_ROLE, "delta": STRING, "name": STRING},
    "TOOL_CALL_START": {"parentMessageId": STRING},
    "TOOL_CALL_CHUNK": {"toolCallId": STRING, "toolCallName": STRING, "parentMessageId": STRING, "delta": STRING},
    "TOOL_CALL_RESULT": {"role": one_of("tool")},
    "ACTIVITY_SNAPSHOT": {"replace": BOOLEAN},
    "REASONING_MESSAGE_CHUNK": {"messageId": STRING, "delta": STRING},
    "SUBAGENT_STARTED": {
        "description": STRING,
        "parentSubagentRunId": STRING,
        "parentToolCallId": STRING,
        "parentMessageId": STRING,
    },
    "SUBAGENT_FINISHED": {"result": anything, "outcome": _SUBAGENT_OUTCOME},
    "SUBAGENT_ERROR": {"code": STRING},
    "RAW": {"source": STRING},
}

_OF_THE_RUN = frozenset({"RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "MESSAGES_SNAPSHOT"})
"""Events that belong to no subagent."""

EVENT_TYPES = tuple(_REQUIRED)


def _optional(kind: str) -> Mapping[str, Shape]:
    of_subagents = {} if kind in _OF_THE_RUN else {"subagentRunId": STRING}
    return {**_OF_EVERY_EVENT, **of_subagents, **_OPTIONAL.get(kind, {})}


_SHAPES = {kind: record(required, _optional(kind)) for kind, required in _REQUIRED.items()}
FIELDS: Mapping[str, frozenset[str]] = {
    kind: frozenset({*required, *_optional(kind)}) for kind, required in _REQUIRED.items()
}
"""All that an event of each type may have."""


def _nearest(kind: Any) -> str:
    close = difflib.get_close_matches(kind.upper(), EVENT_TYPES, n=1) if isinstance(kind, str) else []
    return f", did you mean {close[0]}?" if close else ""


def event_faults(event: Any) -> Iterator[str]:
    """What is wrong with an event by itself, as `path: what was expected`. None of it is about its place in a run."""
    if not isinstance(event, dict):
        yield f"expected an object, got {shown(event)}"
    elif not isinstance(kind := event.get("type"), str) or kind not in _SHAPES:
        yield f"type: expected that of an event, got {shown(kind)}{_nearest(kind)}"
    else:
        yield from _SHAPES[kind](event, "")

"""What an agent answers: messages, and tasks with a script.

A script is a list of steps. It runs until a step brings the task to a state in which its client must act, or to its
end; what comes after such a step is done when the client has continued the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aimock import reading
from aimock.config_keys import profile
from aimock.fixtures import StreamingProfile
from aimock.fixtures.patterns import Needle, parse_needle
from aimock.reading import Check, Keys, keyed, object_schema, placed, unlike, wrong
from aimock_protocols.a2a.errors import BY_CODE, BY_REASON, INTERNAL_ERROR, A2AError, Kind
from aimock_protocols.a2a.legacy import read_part
from aimock_protocols.a2a.schema import PART, STATES
from aimock_protocols.a2a.task import ENDING, TERMINAL

WORKING = "TASK_STATE_WORKING"
SUBMITTED = "TASK_STATE_SUBMITTED"
_COMPLETED = "TASK_STATE_COMPLETED"

Parts = list[dict[str, Any]]


@attrs.frozen
class Status:
    """A step: the task comes to another state."""

    state: str
    parts: Parts | None = None
    """What the agent says with it."""
    metadata: dict[str, Any] | None = None
    delay_ms: float | None = None
    """Before this step; None: as the entry has it."""


@attrs.frozen
class Artifact:
    """A step: the task has another artifact, or a chunk of one."""

    parts: Parts
    id: str | None = None
    """None: that of the artifact of the same name, or a new one."""
    described: dict[str, Any] = attrs.field(factory=dict)
    """Its other fields, as on the wire: name, description, metadata, extensions."""
    append: bool = False
    last_chunk: bool = True
    metadata: dict[str, Any] | None = None
    """Of the event."""
    delay_ms: float | None = None

    @property
    def name(self) -> str | None:
        return self.described.get("name")


Step = Status | Artifact


@attrs.frozen(eq=False)
class Entry:
    """What is answered to a message that has the pattern in its text."""

    pattern: Needle
    parts: Parts | None = None
    """Of the message that is the answer; None: the answer is a task."""
    opens: str = SUBMITTED
    """The state in which the task begins."""
    steps: tuple[Step, ...] = ()
    final: Status = Status(_COMPLETED)
    """The step after the last one, if that has not ended the task."""
    is_scripted: bool = False
    """Whether it stands among `streamingTasks`, which are looked at first if a stream is wanted."""
    is_cancelable: bool = True
    metadata: dict[str, Any] | None = None
    error: A2AError | None = None
    """The answer is this error."""
    delay_ms: float | None = None
    """Before each step; None: as the server has it."""
    profile: StreamingProfile | None = None
    replay_speed: float | None = None
    sequence_index: int | None = None
    """It answers only where so many messages had this pattern before, under the test id."""
    message_id_prefix: str | None = None


# -- reading -----------------------------------------------------------------------------------------------------------


def parts(value: Any, place: str) -> Parts:
    """A list of parts, of 1.0 or 0.3; a string is a list of one."""
    if isinstance(value, str):
        return [{"text": value}]

    def part(each: Any, where: str) -> dict[str, Any]:
        if isinstance(each, str):
            return {"text": each}
        given = reading.mapping(each, where)
        faults: list[tuple[str, str]] = []
        read = PART(read_part(given) if "kind" in given else given, where, faults)
        if faults:
            raise wrong(*faults[0])
        return read

    return list(reading.many(part)(value, place)) or [{"text": ""}]


def _state(value: Any, place: str) -> str:
    """A state by its name in either version, or without its prefix."""
    name = f"TASK_STATE_{value.removeprefix('TASK_STATE_').upper().replace('-', '_')}" if isinstance(value, str) else ""
    if name not in STATES:
        raise unlike(place, f"one of {', '.join(STATES)}", value)
    return name


def _pattern(value: Any, place: str) -> Needle:
    return placed(parse_needle, value, place)


def _error(value: Any, place: str) -> A2AError:
    """An error: the name of its reason, its code, or an object with `code`, `message` and `data`."""
    if not isinstance(value, Mapping):
        return A2AError(_kind(value, place))
    keys: Keys = {"code": _kind, "message": reading.filled, "data": reading.anything}
    given = keyed(value, place, keys, ("code",))
    return A2AError(given["code"], given.get("message"), data=given.get("data"))


def _kind(value: Any, place: str) -> Kind:
    if isinstance(value, str) and value in BY_REASON:
        return BY_REASON[value]
    if type(value) is int:
        return BY_CODE.get(value) or INTERNAL_ERROR._replace(code=value, reason="UNKNOWN_ERROR")
    raise unlike(place, f"a code, or one of {', '.join(BY_REASON)}", value)


def _prompts(value: Any, place: str) -> list[Parts]:
    """What the agent says as it asks, once or several times: a string, or a list of strings or of lists of parts."""
    if isinstance(value, str):
        return [parts(value, place)]
    return list(reading.many(parts)(value, place))


_ARTIFACT: Keys = {
    "artifactId": reading.filled,
    "parts": parts,
    "name": reading.text,
    "description": reading.text,
    "metadata": reading.mapping,
    "extensions": reading.many(reading.text),
}
_DESCRIBED = ("name", "description", "metadata", "extensions")


def _artifact(value: Any, place: str) -> Artifact:
    given = keyed(value, place, _ARTIFACT)
    described = {key: given[key] for key in _DESCRIBED if key in given}
    return Artifact(given.get("parts", [{"text": ""}]), given.get("artifactId"), described)


_STATUS_EVENT: Keys = {
    "type": reading.text,
    "state": _state,
    "message": parts,
    "metadata": reading.mapping,
    "delayMs": reading.milliseconds,
}
_ARTIFACT_EVENT: Keys = {
    "type": reading.text,
    **_ARTIFACT,
    "append": reading.flag,
    "lastChunk": reading.flag,
    "delayMs": reading.milliseconds,
}


def _event(value: Any, place: str) -> Step:
    kind = reading.mapping(value, place).get("type")
    if kind == "status":
        given = keyed(value, place, _STATUS_EVENT, ("state",))
        return Status(given["state"], given.get("message"), given.get("metadata"), given.get("delayMs"))
    if kind != "artifact":
        raise unlike(f"{place}.type", '"status" or "artifact"', kind)
    given = keyed(value, place, _ARTIFACT_EVENT)
    step = _artifact({key: each for key, each in value.items() if key in _ARTIFACT and key != "metadata"}, place)
    return attrs.evolve(
        step,
        append=given.get("append", False),
        last_chunk=given.get("lastChunk", True),
        metadata=given.get("metadata"),
        delay_ms=given.get("delayMs"),
    )


def _events(value: Any, place: str) -> list[Step]:
    """Events, none of which comes after the end of the task."""
    steps: list[Step] = reading.many(_event)(value, place)
    for index, step in enumerate(steps[:-1]):
        if isinstance(step, Status) and step.state in TERMINAL:
            raise ValueError(f"{place}[{index + 1}]: comes after {place}[{index}], which ends the task")
    return steps


_COMMON: Keys = {
    "pattern": _pattern,
    "error": _error,
    "delayMs": reading.milliseconds,
    "streamingProfile": profile,
    "replaySpeed": reading.number(0, exclusive=True),
    "sequenceIndex": reading.count,
    "messageIdPrefix": reading.filled,
    "metadata": reading.mapping,
}
_OF_TASKS: Keys = {
    **_COMMON,
    "finalState": _state,
    "statusMessage": parts,
    "inputRequired": _prompts,
    "authRequired": _prompts,
    "cancelable": reading.flag,
}
_KEYS: Mapping[str, Keys] = {
    "messages": {**_COMMON, "parts": parts},
    "tasks": {**_OF_TASKS, "artifacts": reading.many(_artifact)},
    "streamingTasks": {**_OF_TASKS, "events": _events},
}
SECTIONS = tuple(_KEYS)
"""The kinds of entries, by the keys under which they stand; in the order in which they are looked at."""


def _read(section: str, value: Any, place: str) -> Entry:
    given = keyed(value, place, _KEYS[section], ("pattern",))
    common: dict[str, Any] = {
        "error": given.get("error"),
        "delay_ms": given.get("delayMs"),
        "profile": given.get("streamingProfile"),
        "replay_speed": given.get("replaySpeed"),
        "sequence_index": given.get("sequenceIndex"),
        "message_id_prefix": given.get("messageIdPrefix"),
        "metadata": given.get("metadata"),
    }
    if section == "messages":
        return Entry(given["pattern"], given.get("parts", [{"text": ""}]), **common)
    prompts = [
        Status(state, asked)
        for key, state in (
            ("authRequired", "TASK_STATE_AUTH_REQUIRED"),
            ("inputRequired", "TASK_STATE_INPUT_REQUIRED"),
        )
        for asked in given.get(key, ())
    ]
    is_scripted = section == "streamingTasks"
    return Entry(
        given["pattern"],
        opens=SUBMITTED if is_scripted else WORKING,
        steps=(*prompts, *given.get("events" if is_scripted else "artifacts", ())),
        final=Status(given.get("finalState", _COMPLETED), given.get("statusMessage")),
        is_scripted=is_scripted,
        is_cancelable=given.get("cancelable", True),
        **common,
    )


def reader(section: str) -> Check[Entry]:
    """What reads the entries of a section."""
    return Check(lambda value, place: _read(section, value, place), object_schema(_KEYS[section], ("pattern",)))


def leg(entry: Entry, steps: tuple[Step, ...], state: str) -> Iterator[Step]:
    """The steps up to the next one at which the script halts, its final one included if it comes to that. `state`: in
    which the task is."""
    for step in steps:
        yield step
        if isinstance(step, Status):
            state = step.state
            if state in ENDING:
                return
    if entry.final.state != state or entry.final.parts is not None:
        yield entry.final

"""What a fixture asks of a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock.config import unknown_key
from aimock.fixtures.patterns import Needle, PatternError, equals, occurs, parse_needle
from aimock_protocols.agui.run_input import RunInput
from aimock_protocols.agui.shapes import shown

logger = logging.getLogger("aimock")

Predicate = Callable[[Mapping[str, Any]], object]
"""Is given the request's body, RunAgentInput as JSON has it."""

_UNSAID = object()


@attrs.frozen
class Resume:
    """An answer to an interrupt, as far as it counts."""

    interrupt_id: Needle | None = None
    status: str | None = None
    payload: Any = attrs.field(default=_UNSAID, hash=False)
    """What the answer's payload must have in it."""

    def fits(self, entry: Mapping[str, Any]) -> bool:
        if self.interrupt_id is not None and not equals(self.interrupt_id, entry["interruptId"]):
            return False
        if self.status is not None and entry["status"] != self.status:
            return False
        return self.payload is _UNSAID or _has(entry.get("payload"), self.payload)


def _has(value: Any, wanted: Any) -> bool:
    """Whether a value is the one that is wanted; of objects, whether it has at least what is wanted."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return all(key in value and _has(value[key], each) for key, each in wanted.items())
    return type(value) is type(wanted) and bool(value == wanted)


@attrs.frozen
class Match:
    """All that is said must hold; None says nothing."""

    message: Needle | None = None
    """Occurs in the newest text of a user. Upper and lower case differ."""
    tool_call_id: Needle | None = None
    """The call whose result the last message is."""
    tool_name: Needle | None = None
    """One of the tools that the client offers."""
    state_key: str | None = None
    """A key at the top of the state."""
    resume: Resume | bool | None = None
    """One of the answers to interrupts; or whether there are any."""
    turn_index: int | None = None
    """How many messages of the assistant there are."""
    sequence_index: int | None = None
    """How often, within a test, fixtures were served that ask the same but for this."""
    predicate: Predicate | None = None

    @property
    def sequence(self) -> Match:
        """What all fixtures of one sequence ask."""
        return attrs.evolve(self, sequence_index=None)

    def fits(self, asked: RunInput) -> bool:
        """Whether all holds but `sequence_index`, which is the book's."""
        return all(
            test(wanted, asked) for field, test in _TESTS.items() if (wanted := getattr(self, field)) is not None
        )


def _is_resumed(wanted: Resume | bool, asked: RunInput) -> bool:
    if isinstance(wanted, bool):
        return bool(asked.resume) is wanted
    return any(map(wanted.fits, asked.resume))


def _predicted(predicate: Predicate, asked: RunInput) -> bool:
    try:
        return bool(predicate(asked.body))
    except Exception:  # somebody else's code: as elsewhere, a failure is a "no"
        logger.debug("a predicate failed", exc_info=True)
        return False


_TESTS: Mapping[str, Callable[[Any, RunInput], bool]] = {
    "message": lambda needle, asked: (text := asked.last_user_text) is not None and occurs(needle, text),
    "tool_call_id": lambda needle, asked: (id := asked.last_tool_call_id) is not None and equals(needle, id),
    "tool_name": lambda needle, asked: any(equals(needle, name) for name in asked.tool_names),
    "state_key": lambda key, asked: isinstance(asked.state, dict) and key in asked.state,
    "resume": _is_resumed,
    "turn_index": lambda turn, asked: asked.assistant_turns == turn,
    "predicate": _predicted,
}


# -- from JSON ---------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("expected a whole number of 0 or more")
    return value


def _callable(value: Any) -> Predicate:
    if not callable(value):
        raise ValueError("expected a function, which only a program can give")
    predicate: Predicate = value
    return predicate


def _status(value: Any) -> str:
    if value not in ("resolved", "cancelled"):
        raise ValueError('expected "resolved" or "cancelled"')
    return str(value)


def _resume(value: Any) -> Resume | bool:
    return value if isinstance(value, bool) else Resume(**_read(value, _RESUME_KEYS))


_RESUME_KEYS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "interruptId": ("interrupt_id", parse_needle),
    "status": ("status", _status),
    "payload": ("payload", lambda value: value),
}
_KEYS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "message": ("message", parse_needle),
    "toolCallId": ("tool_call_id", parse_needle),
    "toolName": ("tool_name", parse_needle),
    "stateKey": ("state_key", _text),
    "resume": ("resume", _resume),
    "turnIndex": ("turn_index", _count),
    "sequenceIndex": ("sequence_index", _count),
    "predicate": ("predicate", _callable),
}

MATCH_KEYS = tuple(_KEYS)


def read_match(value: Any) -> Match:
    """Raises ValueError that names the key and what was expected. What is null is not there."""
    return Match(**_read(value, _KEYS))


def _read(value: Any, keys: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f": expected an object, got {shown(value)}")
    found: dict[str, Any] = {}
    for key, given in value.items():
        if key not in keys:
            if str(key).startswith("_"):
                continue
            raise ValueError("." + unknown_key(str(key), keys))
        attribute, read = keys[key]
        if given is None and attribute != "payload":
            continue
        try:
            found[attribute] = read(given)
        except PatternError as error:
            raise ValueError(f".{key}: {error}, got {shown(given)}") from None
        except ValueError as error:
            said = str(error)
            raise ValueError(f".{key}{said}" if said[:1] in ".:" else f".{key}: {said}, got {shown(given)}") from None
    return found

"""What a fixture asks of a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock.fixtures.patterns import Needle, equals, occurs, parse_needle
from aimock.reading import Fields, anything, count, members, one_of, placed, text, unlike
from aimock_protocols.agui.run_input import RunInput

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


def _callable(value: Any, place: str) -> Predicate:
    if not callable(value):
        raise unlike(place, "a function, which only a program can give", value)
    predicate: Predicate = value
    return predicate


def _needle(value: Any, place: str) -> Needle:
    return placed(parse_needle, value, place)


def _resume(value: Any, place: str) -> Resume | bool:
    return value if isinstance(value, bool) else Resume(**members(value, place, _RESUME_KEYS, is_setting=False))


_RESUME_KEYS: Fields = {
    "interruptId": ("interrupt_id", _needle),
    "status": ("status", one_of("resolved", "cancelled")),
    "payload": ("payload", anything),
}
_KEYS: Fields = {
    "message": ("message", _needle),
    "toolCallId": ("tool_call_id", _needle),
    "toolName": ("tool_name", _needle),
    "stateKey": ("state_key", text),
    "resume": ("resume", _resume),
    "turnIndex": ("turn_index", count),
    "sequenceIndex": ("sequence_index", count),
    "predicate": ("predicate", _callable),
}

MATCH_KEYS = tuple(_KEYS)


def read_match(value: Any, place: str = "") -> Match:
    """Raises ValueError that names the key and what was expected. What is null is not there."""
    return Match(**members(value, place, _KEYS, is_setting=False))

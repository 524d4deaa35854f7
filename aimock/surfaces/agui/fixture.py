"""Fixtures: what is asked, and the events that answer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aimock.config import unknown_key
from aimock.fixtures import Fixture as Delivery
from aimock.fixtures import make_fixture, validate_fixtures
from aimock.surfaces.agui.match import Match, read_match
from aimock_protocols.agui.order import violation
from aimock_protocols.agui.playing import RunIds, played
from aimock_protocols.agui.run_input import RunInput
from aimock_protocols.agui.shapes import shown
from aimock_protocols.agui.vocabulary import FIELDS, Event, event_faults
from aimock_protocols.agui.written import ENDING_KEYS, nearest, read_run
from aimock_protocols.canonical import ENTROPY_BYTES, Stamp

_SAMPLE = RunIds(RunInput({"threadId": "thread", "runId": "run", "messages": []}), Stamp(0.0, bytes(ENTROPY_BYTES)))

_TIMING_KEYS = ("latency", "streamingProfile", "recordedTimings")
_DELIVERY_KEYS = (*_TIMING_KEYS, "chunkSize", "replaySpeed")
ENTRY_KEYS = ("match", "text", "events", "run", *ENDING_KEYS, "delayMs", *_DELIVERY_KEYS, "validate")


@attrs.frozen(eq=False)
class Fixture:
    """One answer."""

    match: Match
    events: Sequence[Event]
    """With templates in place of ids."""
    delivery: Delivery
    """How it is delivered: the timing of a chat's fixture, of which nothing else counts."""
    delay_ms: float | None = None
    """After each event, if nothing more exact is said."""
    is_checked: bool = True
    """Whether its events are held against the rules."""
    is_composed: bool = True
    """Whether nobody wrote down its events, so that its texts may be cut where they have a pace."""


def read_fixture(entry: Any, *, validate: bool = True) -> Fixture | None:
    """The fixture of an entry; None if there is nothing in it to say. Raises ValueError that names the key, or the
    event and the rule that it breaks. `validate`: whether rules of events are asked about where the entry does not say
    so itself."""
    if not isinstance(entry, Mapping):
        raise ValueError(f": expected an object, got {shown(entry)}")
    told = {key: value for key, value in entry.items() if value is not None and not str(key).startswith("_")}
    for key in told:
        if key not in ENTRY_KEYS:
            raise ValueError("." + unknown_key(str(key), ENTRY_KEYS))
    if "match" not in told:
        raise ValueError(".match: is missing; {} matches everything")
    try:
        match = read_match(told["match"])
    except ValueError as error:
        raise ValueError(f".match{error}") from None
    events = _events(told)
    if events is None:
        return None
    own = told.get("validate", validate)
    if not isinstance(own, bool):
        raise ValueError(f".validate: expected true or false, got {shown(own)}")
    is_composed = "text" in told or "run" in told
    _check(events, own, ".run: events" if is_composed else ".events")
    return Fixture(match, events, _delivery(told), _delay(told), own, is_composed)


def _events(told: Mapping[str, Any]) -> Sequence[Event] | None:
    if "run" in told and ("text" in told or "events" in told):
        raise ValueError(f'.run: does not go with "{"text" if "text" in told else "events"}"')
    ending = {key: told[key] for key in ENDING_KEYS if key in told}
    if "text" in told:  # the reference lets it win over events
        if not isinstance(told["text"], str):
            raise ValueError(f".text: expected a string, got {shown(told['text'])}")
        return read_run([{"text": told["text"]}], ".text", ending)
    if "run" in told:
        return read_run(told["run"], ".run", ending)
    if ending:
        raise ValueError(f'.{next(iter(ending))}: goes with "text" or "run"')
    events = told.get("events")
    if events is not None and not isinstance(events, list | tuple):
        raise ValueError(f".events: expected an array, got {shown(events)}")
    return events


def _check(events: Sequence[Any], validate: bool, path: str) -> None:
    """Raises ValueError. Without `validate` anything goes that can be sent."""
    for place, event in enumerate(events):
        if not isinstance(event, dict):
            raise ValueError(f"{path}[{place}]: expected an object, got {shown(event)}")
    try:
        sample = played(events, _SAMPLE)
        orjson.dumps(sample)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be sent as JSON: {error}") from None
    if not validate:
        return
    for place, event in enumerate(sample):
        for fault in event_faults(event):
            raise ValueError(f"{path}[{place}].{fault}")
    broken = violation(sample)
    if broken is not None:
        raise ValueError(f"{path}[{broken.place}]: {sample[broken.place]['type']}: {broken.rule}")


def _delay(told: Mapping[str, Any]) -> float | None:
    """Milliseconds; None if there is none, or something more exact is said."""
    delay = told.get("delayMs")
    if delay is None:
        return None
    if type(delay) not in (int, float) or not 0 <= delay < float("inf"):
        raise ValueError(f".delayMs: expected a number of 0 or more, got {shown(delay)}")
    return None if any(key in told for key in _TIMING_KEYS) else float(delay)


def _delivery(told: Mapping[str, Any]) -> Delivery:
    entry = {"match": {}, "response": {"content": "x"}} | {key: told[key] for key in _DELIVERY_KEYS if key in told}
    for finding in validate_fixtures([entry]):
        raise ValueError(f".{finding.message}")
    return make_fixture(entry)


def remarks(fixture: Fixture) -> Iterator[str]:
    """What is odd in its events, and breaks no rule."""
    if not fixture.is_checked:
        return
    for place, event in enumerate(fixture.events):
        known = FIELDS[event["type"]]
        for key in event.keys() - known:
            yield f"events[{place}].{key}: {event['type']} has no such field{nearest(key, known)}"
    if fixture.events[-1:] and fixture.events[-1]["type"] not in ("RUN_FINISHED", "RUN_ERROR"):
        yield "the run does not end: no RUN_FINISHED or RUN_ERROR comes last"

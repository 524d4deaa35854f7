"""Fixtures: what is asked, and the events that answer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aimock.fixtures import Fixture as Delivery
from aimock.fixtures import make_fixture, validate_fixtures
from aimock.reading import Keys, array, flag, inside, keyed, number, text, unlike, wrong
from aimock.surfaces.agui.match import Match, read_match
from aimock_protocols.agui.order import violation
from aimock_protocols.agui.playing import RunIds, played
from aimock_protocols.agui.run_input import RunInput
from aimock_protocols.agui.vocabulary import FIELDS, Event, event_faults
from aimock_protocols.agui.written import ENDING_KEYS, nearest, read_run
from aimock_protocols.canonical import ENTROPY_BYTES, Stamp

_SAMPLE = RunIds(RunInput({"threadId": "thread", "runId": "run", "messages": []}), Stamp(0.0, bytes(ENTROPY_BYTES)))

_TIMING_KEYS = ("latency", "streamingProfile", "recordedTimings")
_DELIVERY_KEYS = (*_TIMING_KEYS, "chunkSize", "replaySpeed")


def _given(value: Any, place: str) -> Any:
    """Judged where it is used."""
    return value


ENTRY: Keys = {
    "match": read_match,
    "text": text,
    "events": array,
    "run": _given,
    **dict.fromkeys(ENDING_KEYS, _given),
    "delayMs": number(0),
    **dict.fromkeys(_DELIVERY_KEYS, _given),
    "validate": flag,
}
"""The keys of an entry."""


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


def read_fixture(entry: Any, place: str = "", *, validate: bool = True) -> Fixture | None:
    """The fixture of an entry; None if there is nothing in it to say. Raises ValueError that names the key, or the
    event and the rule that it breaks. `validate`: whether rules of events are asked about where the entry does not say
    so itself."""
    told = keyed(entry, place, ENTRY, ("match",))
    events = _events(told, place)
    if events is None:
        return None
    own = told.get("validate", validate)
    is_composed = "text" in told or "run" in told
    _check(events, own, inside(place, "run: events" if is_composed else "events"))
    delay = None if any(key in told for key in _TIMING_KEYS) else told.get("delayMs")  # something more exact is said
    return Fixture(told["match"], events, _delivery(told, place), delay, own, is_composed)


def _events(told: Mapping[str, Any], place: str) -> Sequence[Event] | None:
    if "run" in told and ("text" in told or "events" in told):
        raise wrong(inside(place, "run"), f'does not go with "{"text" if "text" in told else "events"}"')
    ending = {key: told[key] for key in ENDING_KEYS if key in told}
    if "text" in told:  # the reference lets it win over events
        return read_run([{"text": told["text"]}], inside(place, "text"), ending)
    if "run" in told:
        return read_run(told["run"], inside(place, "run"), ending)
    if ending:
        raise wrong(inside(place, next(iter(ending))), 'goes with "text" or "run"')
    return told.get("events")


def _check(events: Sequence[Any], validate: bool, place: str) -> None:
    """Raises ValueError. Without `validate` anything goes that can be sent."""
    for index, event in enumerate(events):
        if not isinstance(event, dict):
            raise unlike(f"{place}[{index}]", "an object", event)
    try:
        sample = played(events, _SAMPLE)
        orjson.dumps(sample)
    except (TypeError, RecursionError) as error:
        raise wrong(place, f"cannot be sent as JSON: {error}") from None
    if not validate:
        return
    for index, event in enumerate(sample):
        for fault in event_faults(event):
            raise ValueError(f"{place}[{index}].{fault}")
    broken = violation(sample)
    if broken is not None:
        raise ValueError(f"{place}[{broken.place}]: {sample[broken.place]['type']}: {broken.rule}")


def _delivery(told: Mapping[str, Any], place: str) -> Delivery:
    entry = {"match": {}, "response": {"content": "x"}} | {key: told[key] for key in _DELIVERY_KEYS if key in told}
    for finding in validate_fixtures([entry]):
        raise ValueError(inside(place, finding.message))
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

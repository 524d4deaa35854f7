"""What goes wrong with an exchange: decided once, after the match, from three levels.

Spec: core-physics-chaos §4 to §6.

The request's own wishes outrank the fixture's, and these the server's, field by field. The verdict is one fault at
most; what it does to the answer is told in `faults`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from aimock.bounded import Bounded
from aimock.fixtures import Chaos, Fixture
from aimock.fixtures.faults import Fault, FaultName, read_faults
from aimock.fixtures.structure import camel, converter
from aimock.fixtures.values import CHAOS_MS, RATE, Rule
from aimock.reading import Fields, Read, flag, members, of_kind, placed

_MAX_TEST_IDS = 1_024
_MAX_COUNTS = 65_536

QUIET = Chaos()

_RATES = (
    ("drop_rate", Fault(FaultName.DROP)),
    ("malformed_rate", Fault(FaultName.MALFORMED)),
    ("rate_limit_rate", Fault(FaultName.RATE_LIMIT)),
    ("disconnect_rate", Fault(FaultName.DISCONNECT)),
)
"""In the order in which they are drawn."""

FIELDS = tuple(field.name for field in attrs.fields(Chaos))


# -- reading -----------------------------------------------------------------------------------------------------------


def _expected(rule: Rule) -> str:
    return f"a {rule.words.removeprefix('must be a ')}"


def chaos_from_json(given: Any, place: str = "") -> Chaos:
    """Chaos from a JSON object. Raises ValueError that begins with the place."""
    return given if isinstance(given, Chaos) else Chaos(**members(given, place, _FIELDS))


def chaos_to_json(chaos: Chaos) -> dict[str, Any]:
    """The fields that are set, as `chaos_from_json` reads them."""
    shown: dict[str, Any] = converter.unstructure(chaos)
    return shown


def _check(rule: Rule) -> Read:
    return of_kind(_expected(rule), {}, rule.holds)


_READERS: dict[str, Read] = {
    **dict.fromkeys(FIELDS, _check(RATE)),
    "latency_ms": _check(CHAOS_MS),
    "faults": lambda value, place: placed(read_faults, value, place),
    "websocket": flag,
}
_FIELDS: Fields = {camel(name): (name, read) for name, read in _READERS.items()}


def _from_text(form: re.Pattern[str], rule: Rule, text: str) -> float:
    """A number as a header or a flag has it: digits, perhaps a point, nothing else. Raises ValueError."""
    number = float(text) if form.fullmatch(text) else None
    if number is None or not rule.holds(number):
        raise ValueError(_expected(rule))
    return number


_rate_from_text = functools.partial(_from_text, re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII), RATE)
KINDS: Mapping[str, tuple[str, Callable[[str], float]]] = {
    "drop": ("drop_rate", _rate_from_text),
    "malformed": ("malformed_rate", _rate_from_text),
    "ratelimit": ("rate_limit_rate", _rate_from_text),
    "disconnect": ("disconnect_rate", _rate_from_text),
    "latency": ("latency_ms", functools.partial(_from_text, re.compile(r"\d+", re.ASCII), CHAOS_MS)),
}
"""What headers and flags call each field, and how they write it."""


# -- levels ------------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Level:
    """Chaos in force on one level. A level is itself and no other: its faults' strikes are counted apart from those of
    a level that says the same."""

    chaos: Chaos = QUIET


class ServerChaos:
    """The server's level: one for all, what stands in for it under single test ids, and how often faults struck."""

    def __init__(self, initial: Chaos = QUIET) -> None:
        self._initial = initial
        self._for_all = Level(initial)
        self._by_test_id: dict[str, Level] = {}
        self._struck: Bounded[tuple[str, object, Fault], int] = Bounded(_MAX_COUNTS)
        self.is_quiet = initial == QUIET

    def at(self, test_id: str | None) -> Level:
        """What holds for requests under a test id, or under any that has none of its own."""
        return self._for_all if test_id is None else self._by_test_id.get(test_id, self._for_all)

    def install(self, chaos: Chaos, test_id: str | None = None) -> None:
        """For one test id, instead of what holds for all; without one, for all. Raises ValueError if it is blank, or
        if too many test ids have chaos of their own."""
        if test_id is None:
            self._for_all = Level(chaos)
        elif not test_id.strip():
            raise ValueError("test id: expected one that is not blank")
        elif test_id in self._by_test_id or len(self._by_test_id) < _MAX_TEST_IDS:
            self._by_test_id[test_id] = Level(chaos)
        else:
            raise ValueError(f"{_MAX_TEST_IDS} test ids have chaos of their own; forget some first")
        self._note()

    def forget(self, test_id: str | None = None) -> None:
        """What holds for all holds for this test id again; without one, what the server was started with for all."""
        if test_id is None:
            self._for_all = Level(self._initial)
        else:
            self._by_test_id.pop(test_id, None)
        self._note()

    def reset(self) -> None:
        """As the server was started, with every count at its start."""
        self._by_test_id.clear()
        self._struck.clear()
        self.forget()

    def rewind(self, test_id: str | None = None) -> None:
        """Forgets how often faults struck, under one test id or all."""
        for key in [key for key in self._struck if test_id in (None, key[0])]:
            del self._struck[key]

    def _note(self) -> None:
        self.is_quiet = self._for_all.chaos == QUIET and not self._by_test_id

    def may_strike(self, test_id: str, owner: object, fault: Fault) -> bool:
        """Whether a fault has strikes left under a test id."""
        return fault.times is None or self._struck.get((test_id, owner, fault), 0) < fault.times

    def note_strike(self, test_id: str, owner: object, fault: Fault) -> None:
        if fault.times is not None:
            key = (test_id, owner, fault)
            self._struck.keep(key, self._struck.get(key, 0) + 1)


@attrs.frozen(eq=False)
class Odds:
    """What may go wrong with one exchange: three levels made one."""

    chaos: Chaos
    owner: object
    """Whose faults these are, for counting their strikes."""

    @property
    def latency(self) -> float:
        """Seconds."""
        return (self.chaos.latency_ms or 0.0) / 1000


_REQUEST = "request"


def odds(server: Level, fixture: Fixture | Level | None, request: Chaos | None) -> Odds | None:
    """What may go wrong; None if nothing can. Of each field, the uppermost level that says anything counts. What
    answers may be no fixture, and have a level of its own."""
    told: list[tuple[Chaos, object]] = []
    if request is not None:
        told.append((request, _REQUEST))
    if fixture is not None and fixture.chaos is not None:
        told.append((fixture.chaos, fixture))
    if server.chaos != QUIET:
        told.append((server.chaos, server))
    if not told:
        return None
    fields: dict[str, Any] = {}
    owner: object = None
    for name in FIELDS:
        found = next(((getattr(chaos, name), level) for chaos, level in told if getattr(chaos, name) is not None), None)
        if found is not None:
            fields[name] = found[0]
            owner = found[1] if name == "faults" else owner
    return Odds(Chaos(**fields), owner)


def draw(odds: Odds, server: ServerChaos, test_id: str, uniforms: Iterator[float]) -> Fault | None:
    """The fault that strikes, if any: rates first, then faults in their order, each drawn by itself, the first hit
    wins."""
    for name, fault in _RATES:
        rate = getattr(odds.chaos, name)
        if rate and next(uniforms) < rate:
            return fault
    for fault in odds.chaos.faults or ():
        may = fault.rate and server.may_strike(test_id, odds.owner, fault)
        if may and next(uniforms) < fault.rate:
            server.note_strike(test_id, odds.owner, fault)
            return fault
    return None

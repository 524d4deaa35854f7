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
from aimock.fixtures.faults import Fault, FaultError, FaultName, read_faults
from aimock.fixtures.structure import camel, converter
from aimock.fixtures.values import BOOLEAN, CHAOS_MS, RATE, Rule

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


class ChaosError(ValueError):
    """Chaos that cannot be; the text names the field and what was expected."""


# -- reading -----------------------------------------------------------------------------------------------------------


def _checked(rule: Rule, value: Any) -> Any:
    """A value that holds to the rule. Raises ValueError, saying what was expected."""
    if not rule.holds(value):
        raise ValueError(f"a {rule.words.removeprefix('must be a ')}")
    return value


def chaos_from_json(given: Any) -> Chaos:
    """Chaos from a JSON object. Raises ChaosError."""
    if isinstance(given, Chaos):
        return given
    if not isinstance(given, Mapping):
        raise ChaosError("expected an object")
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = _ATTRIBUTES.get(key)
        if name is None:
            raise ChaosError(f"{key}: unknown field; known are {', '.join(_ATTRIBUTES)}")
        try:
            values[name] = _READERS[name](value)
        except FaultError as error:
            raise ChaosError(f"{key}: {error}") from error
        except ValueError as error:
            raise ChaosError(f"{key}: expected {error}, got {value!r:.40}") from error
    return Chaos(**values)


def chaos_to_json(chaos: Chaos) -> dict[str, Any]:
    """The fields that are set, as `chaos_from_json` reads them."""
    shown: dict[str, Any] = converter.unstructure(chaos)
    return shown


_ATTRIBUTES = {camel(name): name for name in FIELDS}
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(FIELDS, functools.partial(_checked, RATE)),
    "latency_ms": functools.partial(_checked, CHAOS_MS),
    "faults": read_faults,
    "websocket": functools.partial(_checked, BOOLEAN),
}


def _from_text(form: re.Pattern[str], rule: Rule, text: str) -> float:
    """A number as a header or a flag has it: digits, perhaps a point, nothing else. Raises ValueError."""
    number: float = _checked(rule, float(text) if form.fullmatch(text) else None)
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
        """For one test id, instead of what holds for all; without one, for all. Raises ChaosError if it is blank, or
        if too many test ids have chaos of their own."""
        if test_id is None:
            self._for_all = Level(chaos)
        elif not test_id.strip():
            raise ChaosError("test id: expected one that is not blank")
        elif test_id in self._by_test_id or len(self._by_test_id) < _MAX_TEST_IDS:
            self._by_test_id[test_id] = Level(chaos)
        else:
            raise ChaosError(f"{_MAX_TEST_IDS} test ids have chaos of their own; forget some first")
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

"""Formulas that score points again, by what prefetches gave them and by their payloads.

Expressions are read once into functions; what cannot be computed for a point refuses the whole request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from aimock_protocols.qdrant import geo
from aimock_protocols.qdrant.errors import bad_request, invalid, malformed, shown
from aimock_protocols.qdrant.filters import Filters, Point, moment
from aimock_protocols.qdrant.ids import PointId
from aimock_protocols.qdrant.moments import microseconds_of
from aimock_protocols.qdrant.paths import Path, items, parsed, path
from aimock_protocols.qdrant.reading import Fields, listed, number, struct, text

_GREATEST = 3.4028234663852886e38
"""As a float of 32 bits."""


@attrs.frozen
class Given:
    """What an expression is computed from."""

    point: Point
    scores: Sequence[Mapping[PointId, float]]
    """Of the points of each prefetch."""
    defaults: Mapping[str | int, Any]
    """Of variables that a point lacks: paths as they were written, and numbers of prefetches."""


Expression = Callable[[Given], float]
"""Raises WireError."""


@attrs.frozen
class Formula:
    expression: Expression
    defaults: Mapping[str | int, Any]

    def score(self, point: Point, scores: Sequence[Mapping[PointId, float]]) -> float:
        """Raises WireError if it is no finite number."""
        score = self.expression(Given(point, scores, self.defaults))
        return _finite(score if abs(score) <= _GREATEST else math.inf, f"{score} as f32")


def formula(filters: Filters, fields: Fields) -> Formula:
    """Reads a formula with its defaults. Raises WireError."""
    told = fields.get("defaults", struct, {})
    defaults = {_variable(key, fields.place("defaults")): item for key, item in told.items()}
    return Formula(fields.need("formula", _Reading(filters).expression), defaults)


def _variable(name: str, place: str) -> str | int:
    """The number of a prefetch (`$score`, `$score[1]`), or a path."""
    if not name.startswith("$score"):
        if parsed(name) is None:
            raise malformed(f"{place}: Invalid json path: '{name[:80]}'")
        return name
    index = name.removeprefix("$score")
    if index == "":
        return 0
    if not (index.startswith("[") and index.endswith("]") and index[1:-1].isascii() and index[1:-1].isdigit()):
        raise malformed(f"{place}: Invalid score variable: {name[:80]}")
    return int(index[1:-1])


def _finite(value: float, expression: str) -> float:
    if not math.isfinite(value):
        raise bad_request(f"The expression {expression} produced a non-finite number")
    return value


def _told(name: str, steps: Path, given: Given) -> Any:
    """The value of a payload's variable, or its default; of an array with one item, that."""
    found = [*items(given.point.metadata or {}, steps)]
    if not found:
        default = given.defaults.get(name)
        found = default if isinstance(default, list) else [] if default is None else [default]
    if not found:
        raise bad_request(f"No value found for {name} in the payload nor the formula defaults")
    return found[0] if len(found) == 1 else found


@attrs.frozen
class _Reading:
    """Reads expressions. Methods raise WireError."""

    filters: Filters
    depth: int = 0

    def expression(self, value: Any, place: str) -> Expression:
        if self.depth > 64:
            raise malformed(f"{place}: recursion limit exceeded")
        if type(value) in (int, float):
            return lambda given: float(value)
        if isinstance(value, str):
            return _named(value, place)
        fields = Fields(value, place)
        deeper = attrs.evolve(self, depth=self.depth + 1)
        for name, read in _EXPRESSIONS.items():
            if name in fields:
                return read(deeper, fields, name)
        holds = self.filters.condition(value, place)
        return lambda given: float(holds(given.point))

    def _some(self, fields: Fields, name: str) -> list[Expression]:
        operands = fields.need(name, listed(self.expression))
        if not operands:
            raise invalid(fields.place(name), f"`{name}` needs at least one operand")
        return operands

    def _sum(self, fields: Fields, name: str) -> Expression:
        operands = fields.need(name, listed(self.expression))
        return lambda given: sum(operand(given) for operand in operands)

    def _mult(self, fields: Fields, name: str) -> Expression:
        operands = fields.need(name, listed(self.expression))

        def product(given: Given) -> float:
            value = 1.0
            for operand in operands:
                value *= operand(given)
                if value == 0.0:  # what comes after it is not asked for
                    return value
            return value

        return product

    def _max(self, fields: Fields, name: str) -> Expression:
        operands = self._some(fields, name)
        return lambda given: max(operand(given) for operand in operands)

    def _min(self, fields: Fields, name: str) -> Expression:
        operands = self._some(fields, name)
        return lambda given: min(operand(given) for operand in operands)

    def _div(self, fields: Fields, name: str) -> Expression:
        parts = fields.within(name)
        left, right = parts.need("left", self.expression), parts.need("right", self.expression)
        by_zero = parts.get("by_zero_default", number)

        def quotient(given: Given) -> float:
            dividend = left(given)
            if dividend == 0.0:
                return dividend
            divisor = right(given)
            if divisor == 0.0:
                return _finite(math.inf if by_zero is None else by_zero, f"{dividend}/{divisor}")
            return _finite(dividend / divisor, f"{dividend}/{divisor}")

        return quotient

    def _pow(self, fields: Fields, name: str) -> Expression:
        parts = fields.within(name)
        base, exponent = parts.need("base", self.expression), parts.need("exponent", self.expression)

        def power(given: Given) -> float:
            bottom, top = base(given), exponent(given)
            return _computed(lambda: math.pow(bottom, top), f"{bottom}^{top}")

        return power

    def _geo_distance(self, fields: Fields, name: str) -> Expression:
        parts = fields.within(name)
        origin, to = parts.need("origin", geo.place), parts.need("to", text)
        steps = parts.need("to", path)

        def metres(given: Given) -> float:
            there = geo.place_of(_told(to, steps, given))
            if there is None:
                raise bad_request(f"Expected geo point for {to} in the payload and/or in the formula defaults.")
            return geo.distance(origin, there)

        return metres

    def _datetime(self, fields: Fields, name: str) -> Expression:
        seconds = fields.need(name, moment) / 1_000_000
        return lambda given: seconds

    def _datetime_key(self, fields: Fields, name: str) -> Expression:
        key, steps = fields.need(name, text), fields.need(name, path)

        def seconds(given: Given) -> float:
            told = _told(key, steps, given)
            at = microseconds_of(told) if isinstance(told, str) else None
            if at is None:
                raise bad_request(f"Expected datetime for {key} in the payload and/or in the formula defaults.")
            return at / 1_000_000

        return seconds

    def one(self, compute: Callable[[float], float]) -> Callable[[Fields, str], Expression]:
        """Reads a function of one operand."""

        def read(fields: Fields, name: str) -> Expression:
            operand = fields.need(name, self.expression)

            def value(given: Given) -> float:
                of = operand(given)
                return _computed(lambda: compute(of), f"{name}({of})")

            return value

        return read

    def decay(self, curve: _Curve, linear: bool = False) -> Callable[[Fields, str], Expression]:
        """Reads a function that falls with the distance of `x` from `target`: it has fallen to `midpoint` where that
        is `scale`."""

        def read(fields: Fields, name: str) -> Expression:
            parts = fields.within(name)
            x = parts.need("x", self.expression)
            target = parts.get("target", self.expression, _zero)
            scale, midpoint = parts.get("scale", number, 1.0), parts.get("midpoint", number, 0.5)
            if scale <= 0:
                raise invalid(parts.place("scale"), f"Scale must be non-zero positive, got {scale}")
            if not (0 <= midpoint <= 1 if linear else 0 < midpoint < 1):
                raise invalid(parts.place("midpoint"), f"Decay midpoint is out of range, got {midpoint}")
            return lambda given: curve((x(given) - target(given)) / scale, midpoint)

        return read


_Curve = Callable[[float, float], float]
"""Of the distance in scales, and the midpoint."""


def _zero(given: Given) -> float:
    return 0.0


def _named(name: str, place: str) -> Expression:
    variable = _variable(name, place)
    if isinstance(variable, int):
        default = variable

        def score(given: Given) -> float:
            scores = given.scores[default] if default < len(given.scores) else {}
            return scores.get(given.point.id, given.defaults.get(default, 0.0))

        return score
    steps = parsed(variable) or ()

    def value(given: Given) -> float:
        told = _told(name, steps, given)
        if type(told) not in (int, float):
            raise bad_request(
                f"Expected number value for {name} in the payload and/or in the formula defaults. "
                f"Error: {shown(told)} is not a number"
            )
        return float(told)

    return value


def _computed(compute: Callable[[], float], expression: str) -> float:
    try:
        return _finite(compute(), expression)
    except (ValueError, OverflowError, ZeroDivisionError):
        return _finite(math.nan, expression)


_Read = Callable[[_Reading, Fields, str], Expression]


def _function(compute: Callable[[float], float]) -> _Read:
    return lambda reading, fields, name: reading.one(compute)(fields, name)


def _decay(curve: _Curve, linear: bool = False) -> _Read:
    return lambda reading, fields, name: reading.decay(curve, linear)(fields, name)


_EXPRESSIONS: Mapping[str, _Read] = {
    "mult": _Reading._mult,
    "sum": _Reading._sum,
    "max": _Reading._max,
    "min": _Reading._min,
    "div": _Reading._div,
    "pow": _Reading._pow,
    "neg": _function(lambda value: -value),
    "abs": _function(abs),
    "sqrt": _function(math.sqrt),
    "exp": _function(math.exp),
    "log10": _function(math.log10),
    "ln": _function(math.log),
    "acosh": _function(math.acosh),
    "geo_distance": _Reading._geo_distance,
    "datetime": _Reading._datetime,
    "datetime_key": _Reading._datetime_key,
    "lin_decay": _decay(lambda away, midpoint: max(0.0, 1 - (1 - midpoint) * abs(away)), linear=True),
    "exp_decay": _decay(lambda away, midpoint: midpoint ** abs(away)),
    "gauss_decay": _decay(lambda away, midpoint: midpoint ** (away * away)),
}

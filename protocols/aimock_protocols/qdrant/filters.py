"""Filters: read once, then asked of each point.

A condition on a payload's field holds if any of the values there does it justice; those of an array are its items.
Integers, floats and booleans are different values to a match, as they are to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from aimock_protocols.qdrant import geo
from aimock_protocols.qdrant.errors import invalid, malformed, shown
from aimock_protocols.qdrant.ids import PointId, ids, slice_of
from aimock_protocols.qdrant.moments import microseconds_of
from aimock_protocols.qdrant.paths import EVERY, Path, found, items, path
from aimock_protocols.qdrant.reading import Fields, count, counted, flag, number, one_or_many, struct, text
from aimock_protocols.qdrant.tokens import WORDS, Tokenizer, holds_in_a_row

_DEEPEST = 64
"""Filters within filters."""


class Point(Protocol):
    """What filters ask of a point."""

    @property
    def id(self) -> PointId: ...

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """Its payload."""

    @property
    def vectors(self) -> Mapping[str, Any]: ...


Condition = Callable[[Point], bool]
Test = Callable[[Any], bool]
"""Of one value of a payload."""

Tokenizers = Mapping[Path, Tokenizer]
"""Of the fields that have a text index."""


@attrs.frozen
class Filter:
    """Conditions, joined. Itself one."""

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    """At least one, if there are any."""
    must_not: tuple[Condition, ...] = ()
    at_least: tuple[Condition, ...] = ()
    least: int = 0
    """How many of `at_least` must hold."""

    def __call__(self, point: Point) -> bool:
        return (
            all(holds(point) for holds in self.must)
            and not any(holds(point) for holds in self.must_not)
            and (not self.should or any(holds(point) for holds in self.should))
            and (not self.least or sum(holds(point) for holds in self.at_least) >= self.least)
        )

    def and_(self, other: Filter | None) -> Filter:
        """Both, clause by clause, as the server hands filters down: the `should` of both are alternatives."""
        if other is None:
            return self
        return Filter(
            self.must + other.must,
            self.should + other.should,
            self.must_not + other.must_not,
            self.at_least + other.at_least,
            max(self.least, other.least),
        )


EVERYTHING = Filter()


def none_of(mentioned: frozenset[PointId]) -> Filter:
    """All points but these."""
    return Filter(must_not=(_has_id(mentioned),)) if mentioned else EVERYTHING


def only(chosen: frozenset[PointId]) -> Filter:
    """These points."""
    return Filter(must=(_has_id(chosen),))


def _has_id(chosen: frozenset[PointId]) -> Condition:
    return lambda point: point.id in chosen


@attrs.frozen
class _Element:
    """An object in an array, to a nested filter; it has no id and no vectors."""

    metadata: Mapping[str, Any]
    id: PointId = ""
    vectors: Mapping[str, Any] = {}


@attrs.frozen
class Filters:
    """Reads filters of a collection. Methods raise WireError."""

    tokenizers: Tokenizers
    _depth: int = 0

    def filter(self, value: Any, place: str) -> Filter:
        fields = Fields(value, place)
        fields.only(("should", "min_should", "must", "must_not"))
        if self._depth > _DEEPEST:
            raise malformed(f"{place}: recursion limit exceeded")
        conditions = one_or_many(attrs.evolve(self, depth=self._depth + 1).condition)
        least, at_least = 0, []
        if "min_should" in fields:
            some = fields.within("min_should")
            at_least, least = some.need("conditions", conditions), some.need("min_count", counted(1))
        must, should, must_not = (tuple(fields.get(name, conditions, [])) for name in ("must", "should", "must_not"))
        return Filter(must, should, must_not, tuple(at_least), least)

    def condition(self, value: Any, place: str) -> Condition:
        fields = Fields(value, place)
        for name, read in _CONDITIONS.items():
            if name in fields:
                return read(self, fields)
        if not value or not _CLAUSES.isdisjoint(value):
            return self.filter(value, place)
        raise malformed(f"{place}: data did not match any variant of untagged enum Condition: {shown(value)}")

    # -- conditions ------------------------------------------------------------------------------------------------

    def _field(self, fields: Fields) -> Condition:
        steps = fields.need("key", path)
        tests: list[Test] = [fields.need(name, read) for name, read in _AREAS.items() if name in fields]
        if "match" in fields:
            tests.append(_match(fields.value["match"], fields.place("match"), self.tokenizers.get(steps, WORDS)))
        if "range" in fields:
            tests.append(_range(fields.value["range"], fields.place("range")))
        wholes = [fields.need(name, read)(steps) for name, read in _WHOLES.items() if name in fields]
        if not tests and not wholes:
            raise invalid(fields.place("key"), "At least one field condition must be specified")

        def holds(point: Point) -> bool:
            payload = point.metadata or {}
            return any(test(value) for value in items(payload, steps) for test in tests) or any(
                whole(point) for whole in wholes
            )

        return holds

    def _is_empty(self, fields: Fields) -> Condition:
        return _empty(fields.within("is_empty").need("key", path))

    def _is_null(self, fields: Fields) -> Condition:
        return _null(fields.within("is_null").need("key", path))

    def _has_id(self, fields: Fields) -> Condition:
        return _has_id(frozenset(fields.need("has_id", ids)))

    def _has_vector(self, fields: Fields) -> Condition:
        name = fields.need("has_vector", text)
        return lambda point: name in point.vectors

    def _slice(self, fields: Fields) -> Condition:
        part = fields.within("slice")
        total, index = part.need("total", counted(1)), part.need("index", count)
        if index >= total:
            raise invalid(part.place("index"), f"value {index} invalid, must be from 0 to {total - 1}")
        return lambda point: not isinstance(point, _Element) and slice_of(point.id, total) == index

    def _nested(self, fields: Fields) -> Condition:
        nested = fields.within("nested")
        steps = nested.need("key", path)
        holds = nested.need("filter", attrs.evolve(self, depth=self._depth + 1).filter)
        if len(steps) > 1 and steps[-1] is EVERY:  # `a` and `a[]` are the same here
            steps = steps[:-1]

        def any_element(point: Point) -> bool:
            return any(
                holds(_Element(item))
                for value in found(point.metadata or {}, steps)
                if isinstance(value, list)
                for item in value
                if isinstance(item, dict)
            )

        return any_element


_CLAUSES = frozenset({"must", "should", "must_not", "min_should"})
_CONDITIONS: Mapping[str, Callable[[Filters, Fields], Condition]] = {
    "key": Filters._field,
    "is_empty": Filters._is_empty,
    "is_null": Filters._is_null,
    "has_id": Filters._has_id,
    "has_vector": Filters._has_vector,
    "slice": Filters._slice,
    "nested": Filters._nested,
}
"""By the key that each is known by."""

# -- conditions on all that is at a path -------------------------------------------------------------------------------


def _empty(steps: Path) -> Condition:
    return lambda point: all(value is None or value == [] for value in found(point.metadata or {}, steps))


def _null(steps: Path) -> Condition:
    def holds(point: Point) -> bool:
        values = found(point.metadata or {}, steps)
        return any(value is None or (isinstance(value, list) and None in value) for value in values)

    return holds


def _as_told(condition: Callable[[Path], Condition]) -> Callable[[Any, str], Callable[[Path], Condition]]:
    """Reads whether the condition is to hold, or not to."""

    def read(value: Any, place: str) -> Callable[[Path], Condition]:
        wanted = flag(value, place)

        def of(steps: Path) -> Condition:
            holds = condition(steps)
            return lambda point: holds(point) is wanted

        return of

    return read


def _values_count(value: Any, place: str) -> Callable[[Path], Condition]:
    within = _bounds(Fields(value, place), count)

    def of(steps: Path) -> Condition:
        def holds(point: Point) -> bool:
            counts = [_count(value) for value in found(point.metadata or {}, steps)]
            return any(map(within, counts or (0,)))

        return holds

    return of


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else int(value is not None)


_WHOLES: Mapping[str, Callable[[Any, str], Callable[[Path], Condition]]] = {
    "values_count": _values_count,
    "is_empty": _as_told(_empty),
    "is_null": _as_told(_null),
}

# -- conditions on single values ---------------------------------------------------------------------------------------


def _at_place(read: Callable[[Any, str], geo.Area]) -> Callable[[Any, str], Test]:
    def area(value: Any, place: str) -> Test:
        holds = read(value, place)

        def test(found: Any) -> bool:
            here = geo.place_of(found)
            return here is not None and holds(here)

        return test

    return area


_AREAS: Mapping[str, Callable[[Any, str], Test]] = {
    "geo_bounding_box": _at_place(geo.bounding_box),
    "geo_radius": _at_place(geo.radius),
    "geo_polygon": _at_place(geo.polygon),
}


def _bounds(fields: Fields, read: Callable[[Any, str], float]) -> Callable[[float], bool]:
    lt, lte, gt, gte = (fields.get(name, read) for name in ("lt", "lte", "gt", "gte"))

    def within(value: float) -> bool:
        return (
            (lt is None or value < lt)
            and (lte is None or value <= lte)
            and (gt is None or value > gt)
            and (gte is None or value >= gte)
        )

    return within


def _range(value: Any, place: str) -> Test:
    """Of numbers, or of points in time."""
    if any(isinstance(bound, str) for bound in struct(value, place).values()):
        within = _bounds(Fields(value, place), moment)

        def in_time(found: Any) -> bool:
            at = microseconds_of(found) if isinstance(found, str) else None
            return at is not None and within(at)

        return in_time
    between = _bounds(Fields(value, place), number)
    return lambda found: type(found) in (int, float) and between(found)


def moment(value: Any, place: str) -> int:
    """Reads a point in time, as Unix time in microseconds."""
    at = microseconds_of(text(value, place))
    if at is None:
        raise malformed(f"{place}: '{value[:40]}' is not in a supported date/time format, please use RFC 3339")
    return at


def _match(value: Any, place: str, tokenizer: Tokenizer) -> Test:
    fields = Fields(value, place)
    for name, read in _MATCHES.items():
        if name in fields:
            return read(fields.value[name], fields.place(name), tokenizer)
    raise malformed(f"{place}: data did not match any variant of untagged enum Match: {shown(value)}")


def _equal(value: Any, place: str, _: Tokenizer) -> Test:
    if type(value) not in (bool, int, str):
        raise malformed(f"{place}: data did not match any variant of untagged enum ValueVariants: {shown(value)}")
    kind = type(value)
    return lambda found: type(found) is kind and found == value


def _any(value: Any, place: str, _: Tokenizer) -> Test:
    kinds = {type(item) for item in value} if isinstance(value, list) else {None}
    if not kinds <= {int} and not kinds <= {str}:
        raise malformed(f"{place}: data did not match any variant of untagged enum AnyVariants: {shown(value)}")
    wanted, kind = frozenset(value), next(iter(kinds), None)
    return lambda found: type(found) is kind and found in wanted


def _except(value: Any, place: str, tokenizer: Tokenizer) -> Test:
    one_of_them = _any(value, place, tokenizer)
    return lambda found: found is not None and not one_of_them(found)


def _about_tokens(
    judge: Callable[[list[str], list[str]], bool],
) -> Callable[[Any, str, Tokenizer], Test]:
    """A test of a document's tokens by those that are wanted; without any of these it never holds."""

    def read(value: Any, place: str, tokenizer: Tokenizer) -> Test:
        wanted = tokenizer.of_query(text(value, place))
        return lambda found: isinstance(found, str) and bool(wanted) and judge(tokenizer.of_document(found), wanted)

    return read


def _about_text(judge: Callable[[str, str], bool]) -> Callable[[Any, str, Tokenizer], Test]:
    def read(value: Any, place: str, _: Tokenizer) -> Test:
        wanted = text(value, place)
        return lambda found: isinstance(found, str) and judge(found, wanted)

    return read


_MATCHES: Mapping[str, Callable[[Any, str, Tokenizer], Test]] = {
    "value": _equal,
    "text": _about_tokens(lambda tokens, wanted: set(wanted) <= set(tokens)),
    "text_any": _about_tokens(lambda tokens, wanted: not set(wanted).isdisjoint(tokens)),
    "phrase": _about_tokens(holds_in_a_row),
    "prefix": _about_text(str.startswith),
    "substring": _about_text(str.__contains__),
    "any": _any,
    "except": _except,
}

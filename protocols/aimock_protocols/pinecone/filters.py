"""Metadata filters, compiled to predicates.

A filter is an object whose members must all hold: `{"field": {"$gte": 1, "$lt": 5}}`, `{"field": "value"}` for `$eq`,
`{"$and": […]}`, `{"$or": […]}`. Of a field that holds a list of strings, `$eq` and `$in` hold if they do of any of
them; `$ne` and `$nin` are the opposite of those, and so hold of a record that lacks the field. A boolean is no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.reading import fields_of, shown

Predicate = Callable[[Mapping[str, Any]], bool]
"""Whether metadata match."""

Condition = Callable[[Any], bool]
"""Whether the value of one field does; None where there is none."""

Compile = Callable[[Any, str], Condition]
"""Makes a condition of an operator's operand. Raises WireError that names the operator."""

MAX_DEPTH = 64
"""Of `$and` and `$or` in each other."""


def compiled(value: Any, operators_of: Callable[[str], Mapping[str, Compile]] | None = None) -> Predicate | None:
    """What a filter selects; None if it is absent or empty, and so selects everything. `operators_of`: those that a
    field takes, where they differ. Raises WireError."""
    if value is None or value == {}:
        return None
    return _all_of(value, operators_of or (lambda field: METADATA), MAX_DEPTH)


def _all_of(value: Any, operators_of: Callable[[str], Mapping[str, Compile]], depth: int) -> Predicate:
    predicates: list[Predicate] = []
    for key, operand in fields_of(value, "filter").items():
        if key in _JOINED:
            predicates.append(_joined(key, operand, operators_of, depth - 1))
        elif key.startswith("$"):
            raise refusal(f"{key} is not a valid operator here: filters take {', '.join(_JOINED)}, or a field's name")
        else:
            predicates += _conditions(key, operand, operators_of(key))
    return predicates[0] if len(predicates) == 1 else lambda metadata: all(each(metadata) for each in predicates)


def _joined(operator: str, operand: Any, operators_of: Callable[[str], Mapping[str, Compile]], depth: int) -> Predicate:
    if type(operand) is not list or not operand:
        raise refusal(f"the {operator} operator must be followed by a non-empty list, got {shown(operand)} instead")
    if depth < 0:
        raise refusal(f"filter is nested deeper than {MAX_DEPTH} levels")
    members = [_all_of(each, operators_of, depth) for each in operand]
    join = _JOINED[operator]
    return lambda metadata: join(member(metadata) for member in members)


_JOINED: Mapping[str, Callable[[Iterable[bool]], bool]] = {"$and": all, "$or": any}


def _conditions(field: str, operand: Any, operators: Mapping[str, Compile]) -> Iterable[Predicate]:
    asked = operand if type(operand) is dict else {"$eq": operand}
    if not asked:
        raise refusal(f"illegal condition for field {field}, got an empty object")
    for operator, value in asked.items():
        if operator not in operators:
            known = ", ".join(operators)
            raise refusal(f"illegal condition for field {field}, got {shown(operator)}: it takes {known}")
        yield _of_field(field, operators[operator](value, operator))


def _of_field(field: str, condition: Condition) -> Predicate:
    return lambda metadata: condition(metadata.get(field))


# -- operators ---------------------------------------------------------------------------------------------------------


def _equal(operand: Any, operator: str) -> Condition:
    if type(operand) not in (str, int, float, bool):
        raise _followed_by(operator, "a string, boolean or number", operand)
    return _any_in([operand])


def _within(operand: Any, operator: str) -> Condition:
    if type(operand) is not list or any(type(each) not in (str, int, float, bool) for each in operand):
        raise _followed_by(operator, "a list of strings, booleans or numbers", operand)
    return _any_in(operand)


def _not(compile_: Compile) -> Compile:
    def compile_opposite(operand: Any, operator: str) -> Condition:
        condition = compile_(operand, operator)
        return lambda value: not condition(value)

    return compile_opposite


def _compared(holds: Callable[[Any, Any], bool]) -> Compile:
    def compile_comparison(operand: Any, operator: str) -> Condition:
        if type(operand) not in (int, float):
            raise _followed_by(operator, "a number", operand)
        return lambda value: type(value) in (int, float) and holds(value, operand)

    return compile_comparison


def _exists(operand: Any, operator: str) -> Condition:
    if type(operand) is not bool:
        raise _followed_by(operator, "a boolean", operand)
    return lambda value: (value is not None) == operand


def _any_in(operands: Iterable[Any]) -> Condition:
    """Whether a value, or any element of one, is among them. True is not 1, though Python has them equal."""
    wanted = {(type(each) is bool, each) for each in operands}

    def holds(value: Any) -> bool:
        elements = value if type(value) is list else (value,)
        return any((type(each) is bool, each) in wanted for each in elements if type(each) in (str, int, float, bool))

    return holds


def _followed_by(operator: str, expected: str, operand: Any) -> Exception:
    return refusal(f"the {operator} operator must be followed by {expected}, got {shown(operand)} instead")


METADATA: Mapping[str, Compile] = {
    "$eq": _equal,
    "$ne": _not(_equal),
    "$gt": _compared(lambda value, operand: value > operand),
    "$gte": _compared(lambda value, operand: value >= operand),
    "$lt": _compared(lambda value, operand: value < operand),
    "$lte": _compared(lambda value, operand: value <= operand),
    "$in": _within,
    "$nin": _not(_within),
    "$exists": _exists,
}
"""What a field of metadata takes."""

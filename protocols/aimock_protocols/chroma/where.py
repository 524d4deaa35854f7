"""Filters: `where` over metadata and `where_document` over documents, as predicates of records.

A filter has exactly one key, and an operator's object exactly one operator. What lacks the key fulfils `$ne`, `$nin`
and `$not_contains`. Integers and floats compare as numbers, but for members of a list, which are of one type.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aimock_protocols.chroma import schema as schemas
from aimock_protocols.chroma.errors import refused
from aimock_protocols.chroma.metadata import kind_of
from aimock_protocols.chroma.reading import check_depth


class Filed(Protocol):
    """What a record is to a filter."""

    @property
    def metadata(self) -> Mapping[str, Any] | None: ...

    @property
    def document(self) -> str | None: ...


Condition = Callable[[Filed], bool]
Searcher = Callable[[str], Callable[[str], bool]]
"""Makes of a regular expression what finds it in a text. Raises WireError."""
_OfValue = Callable[[Any], bool]

_NOTHING: Mapping[str, Any] = {}
_INVALID = "Invalid where clause"
_INVALID_TEXT = "Invalid where document clause"
_INT64 = range(-(2**63), 2**63)


def condition_of(where: Any, where_document: Any, schema: schemas.Schema, searcher: Searcher) -> Condition | None:
    """What both filters say together; None if there are none. Raises WireError."""
    check_depth((where, where_document))
    by_metadata = None if where is None else _metadata(where, schema, searcher)
    by_text = None if where_document is None else _text(where_document, schema, searcher)
    if by_metadata is None or by_text is None:
        return by_metadata or by_text
    return lambda record: by_metadata(record) and by_text(record)


def _metadata(value: Any, schema: schemas.Schema, searcher: Searcher) -> Condition:
    key, wanted = _only(value, _INVALID)
    if key in _CONNECTIVES:
        if not isinstance(wanted, list):
            raise refused(_INVALID)
        return _connected(key, [_metadata(each, schema, searcher) for each in wanted])
    if key.startswith("$"):
        raise refused(_INVALID)
    if not isinstance(wanted, dict):
        wanted = {"$eq": wanted}
    name, operand = _only(wanted, _INVALID)
    if key == "#document" and name in _TEXT and isinstance(operand, str):
        return _of_text(name, operand, schema, searcher)
    if name not in _OPERATORS or not _is_operand(name, operand):
        raise refused(_INVALID)
    schemas.check_key(schema, key, kind_of(operand[0] if isinstance(operand, list) else operand))
    fulfils = _OPERATORS[name](operand)
    return lambda record: fulfils((record.metadata or _NOTHING).get(key))


def _text(value: Any, schema: schemas.Schema, searcher: Searcher) -> Condition:
    name, operand = _only(value, _INVALID_TEXT)
    if name in _CONNECTIVES and isinstance(operand, list):
        return _connected(name, [_text(each, schema, searcher) for each in operand])
    if name not in _TEXT or not isinstance(operand, str):
        raise refused(_INVALID_TEXT)
    return _of_text(name, operand, schema, searcher)


def _of_text(name: str, operand: str, schema: schemas.Schema, searcher: Searcher) -> Condition:
    schemas.check_text(schema)
    is_pattern, is_wanted = _TEXT[name]
    found = searcher(operand) if is_pattern else lambda text: operand in text
    return lambda record: (record.document is not None and found(record.document)) is is_wanted


def _connected(name: str, conditions: list[Condition]) -> Condition:
    quantified = _CONNECTIVES[name]
    return lambda record: quantified(condition(record) for condition in conditions)


def _only(value: Any, message: str) -> tuple[str, Any]:
    """The one member of an object."""
    if not isinstance(value, dict) or len(value) != 1:
        raise refused(message)
    return next(iter(value.items()))


def _is_operand(name: str, operand: Any) -> bool:
    if name in _OF_LISTS:
        if not isinstance(operand, list) or not operand:
            return False
        return len({type(each) for each in operand}) == 1 and all(_is_scalar(each) for each in operand)
    return _is_scalar(operand) and (name not in _OF_NUMBERS or _is_number(operand))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | float) or (isinstance(value, int) and value in _INT64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(wanted: Any) -> _OfValue:
    is_bool = isinstance(wanted, bool)
    return lambda value: value == wanted and isinstance(value, bool) is is_bool


def _among(wanted: list[Any]) -> _OfValue:
    options, are_bools = frozenset(wanted), isinstance(wanted[0], bool)
    return lambda value: _is_scalar(value) and value in options and isinstance(value, bool) is are_bools


def _has(wanted: Any) -> _OfValue:
    return lambda value: (
        isinstance(value, list) and any(each == wanted and type(each) is type(wanted) for each in value)
    )


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any], _OfValue]:
    return lambda wanted: lambda value: _is_number(value) and compare(value, wanted)


def _negated(make: Callable[[Any], _OfValue]) -> Callable[[Any], _OfValue]:
    def made(wanted: Any) -> _OfValue:
        fulfils = make(wanted)
        return lambda value: not fulfils(value)

    return made


_OPERATORS: Mapping[str, Callable[[Any], _OfValue]] = {
    "$eq": _equal,
    "$ne": _negated(_equal),
    "$gt": _compared(operator.gt),
    "$gte": _compared(operator.ge),
    "$lt": _compared(operator.lt),
    "$lte": _compared(operator.le),
    "$in": _among,
    "$nin": _negated(_among),
    "$contains": _has,
    "$not_contains": _negated(_has),
}
_OF_NUMBERS = frozenset({"$gt", "$gte", "$lt", "$lte"})
_OF_LISTS = frozenset({"$in", "$nin"})
_CONNECTIVES: Mapping[str, Callable[[Any], bool]] = {"$and": all, "$or": any}
_TEXT: Mapping[str, tuple[bool, bool]] = {
    "$contains": (False, True),
    "$not_contains": (False, False),
    "$regex": (True, True),
    "$not_regex": (True, False),
}
"""Whether the operand is a pattern, and whether it is to be found."""

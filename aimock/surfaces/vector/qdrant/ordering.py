"""Points in the order of a payload's values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aimock.surfaces.vector.qdrant.target import Target
from aimock.surfaces.vector.store import Record
from aimock_protocols.qdrant.collections import ORDERED
from aimock_protocols.qdrant.errors import wrong_input
from aimock_protocols.qdrant.ids import order
from aimock_protocols.qdrant.moments import microseconds_of
from aimock_protocols.qdrant.paths import items
from aimock_protocols.qdrant.queries import OrderBy


def _integer(value: Any) -> float | None:
    return value if type(value) is int else None


def _float(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _moment(value: Any) -> float | None:
    return microseconds_of(value) if isinstance(value, str) else None


_VALUES: Mapping[str, Callable[[Any], float | None]] = {"integer": _integer, "float": _float, "datetime": _moment}
"""What an index of that type has of a value."""


def in_order(target: Target, records: Iterable[Record], by: OrderBy) -> list[tuple[float, Record]]:
    """The records with their values, one of several values as often; equal ones by id. Raises WireError without an
    index that has an order."""
    kind = target.index_type(by.key)
    if kind not in ORDERED:
        raise wrong_input(
            f"No range index for `order_by` key: `{by.key}`. Please create one to use `order_by`. "
            "Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas "
            "support Range conditions"
        )
    read = _VALUES[kind or ""]
    pairs = []
    for record in records:
        values = {value for each in items(record.metadata or {}, by.steps) if (value := read(each)) is not None}
        pairs += [(value, record) for value in values if _from_start(value, by)]
    return sorted(pairs, key=lambda pair: (pair[0], order(pair[1].id)), reverse=by.descending)


def _from_start(value: float, by: OrderBy) -> bool:
    if by.start_from is None:
        return True
    return value <= by.start_from if by.descending else value >= by.start_from

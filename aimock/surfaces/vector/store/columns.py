"""The vectors of one field of a namespace, in blocks that never move.

A row is written once. When its record is replaced or deleted it is marked dead, by the number of the operation that did
it. So whoever has the blocks and the number of an operation can read in a thread what was there after it, while rows
are added and others die.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector.store.postings import Postings
from aimock.surfaces.vector.store.values import Doubles, Field, Floats, Form, Id, Record, Sparse, Vector

_SMALLEST, _LARGEST, _GROWTH = 16, 1024, 4
"""Rows of a column's first block and of its later ones, and how they grow: what is small stays small."""
_CLEANED = 2
"""Blocks at most that are cleaned at a time: that takes some milliseconds each, and streams wait."""

_NEVER = np.iinfo(np.int64).max
_NOTHING = Sparse(np.empty(0, np.uint32), np.empty(0, np.float32))
_GONE = Record("", {})


class Block:
    """Rows, of which the last may not be written yet and some may be dead."""

    __slots__ = ("_postings", "born", "dead", "died", "records", "rows", "squares")

    def __init__(self, size: int, field: Field) -> None:
        dimension = field.dimension if field.form is Form.DENSE else None
        self.born = np.full(size, _NEVER, np.int64)
        self.died = np.full(size, _NEVER, np.int64)
        self.dead = 0
        self.records: list[Record] = []
        """Of the rows that are written; or `_GONE`, if it is dead and nobody could ask for it."""
        self.rows: Floats = np.empty((size, dimension or 0), np.float32)
        """Of no width where records have their vectors to themselves: those of no fixed size."""
        self.squares: Doubles = np.empty(size if dimension else 0, np.float64)
        """Of the rows' lengths."""
        self._postings: Postings | None = None

    @property
    def is_full(self) -> bool:
        return len(self.records) == len(self.born)

    def alive(self, at: int, rows: int) -> npt.NDArray[np.bool_]:
        """Which of the first rows were there after that operation."""
        return (self.born[:rows] <= at) & (self.died[:rows] > at)

    def write(self, vector: Vector) -> Vector:
        """Into the next row; the vector as its record is to have it."""
        if isinstance(vector, Sparse) or not self.rows.shape[1]:
            return vector
        row: Floats = self.rows[len(self.records)]
        row[:] = vector
        wide = row.astype(np.float64)
        self.squares[len(self.records)] = np.vecdot(wide, wide)
        row.setflags(write=False)
        return row

    def add(self, record: Record, at: int) -> None:
        """The record of what was written last."""
        self.records.append(record)
        self.born[len(self.records) - 1] = at

    def postings(self, name: str) -> Postings:
        """Of all rows that are written, which are sparse vectors of a field of that name. Made when they are asked for
        first; if two threads do at once, they make the same."""
        made, written = self._postings, len(self.records)
        if made is None or made.vectors != written:
            vectors = (record.vectors.get(name) for record in self.records[:written])
            made = self._postings = Postings.of([each if isinstance(each, Sparse) else _NOTHING for each in vectors])
        return made


class _Slot(NamedTuple):
    block: Block
    row: int


class Column:
    """Grows at its end, and knows the row of each record that is there now."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._slots: dict[Id, _Slot] = {}
        self.blocks: list[Block] = []

    def write(self, vector: Vector) -> Vector:
        if not self.blocks or self.blocks[-1].is_full:
            size = min(len(self.blocks[-1].born) * _GROWTH, _LARGEST) if self.blocks else _SMALLEST
            self.blocks.append(Block(size, self._field))
        return self.blocks[-1].write(vector)

    def add(self, record: Record, at: int) -> None:
        block = self.blocks[-1]
        self._slots[record.id] = _Slot(block, len(block.records))
        block.add(record, at)

    def remove(self, id: Id, at: int, is_read: bool) -> None:
        """`is_read`: somebody may have a snapshot with it."""
        slot = self._slots.pop(id, None)
        if slot is None:
            return
        block, row = slot
        block.died[row] = at
        block.dead += 1
        if not is_read:
            block.records[row] = _GONE
        if block.is_full and block.dead == len(block.born):
            self.blocks.remove(block)

    def repoint(self, record: Record) -> None:
        """The record's row here has that record from now on, which says the same."""
        slot = self._slots.get(record.id)
        if slot is not None:
            slot.block.records[slot.row] = record

    def stragglers(self) -> list[Record]:
        """The records that are still in blocks more dead than alive: removed and added again, they let these go."""
        mostly_dead = (block for block in self.blocks if block.is_full and 2 * block.dead > len(block.born))
        return [
            record
            for block in itertools.islice(mostly_dead, _CLEANED)
            for row, record in enumerate(block.records)
            if block.died[row] == _NEVER
        ]

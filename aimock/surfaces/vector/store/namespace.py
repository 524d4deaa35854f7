"""Records in the order in which they came, and their vectors."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import attrs
import orjson

from aimock.surfaces.vector.store.columns import Column
from aimock.surfaces.vector.store.errors import StoreError, VectorError
from aimock.surfaces.vector.store.snapshot import Snapshot, checked
from aimock.surfaces.vector.store.values import Field, Form, Id, Record, Sparse, Vector

if TYPE_CHECKING:
    from aimock.surfaces.vector.store.collection import Collection

_OVERHEAD = 500
"""Bytes that a record takes besides what is in it."""


class Namespace:
    """A part of a collection; one that holds nothing is nowhere noted."""

    def __init__(self, collection: Collection, name: str) -> None:
        """Its collection makes it."""
        self.name = name
        self.size = 0
        """About how many bytes its records take."""
        self._collection = collection
        self._records: dict[Id, Record] = {}
        self._columns: dict[str, Column] = {}
        self._next_place = 0
        self._readers: weakref.WeakSet[Snapshot] = weakref.WeakSet()
        self._is_lent = False
        """A snapshot was taken of the records as they are."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """In the order of insertion."""
        return iter([*self._records.values()])

    def __contains__(self, id: object) -> bool:
        return id in self._records

    def get(self, id: Id) -> Record | None:
        return self._records.get(id)

    def snapshot(self) -> Snapshot:
        """What it holds now; takes no time."""
        blocks = {name: (*column.blocks,) for name, column in self._columns.items()}
        fields = dict(self._collection.fields)
        taken = Snapshot(self._records, fields, blocks, self._collection.operations, self.size)
        self._readers.add(taken)
        self._is_lent = True
        return taken

    def put(self, records: Iterable[Record]) -> None:
        """Inserts them, or puts them in the place of those with the same id; of several with one id the last counts.
        Raises DimensionError or VectorError for a vector that is not like its field's, StoreError for metadata that is
        not JSON, Full, FileError: then nothing has been changed."""
        fields = dict(self._collection.fields)
        coming: dict[Id, Record] = {}
        for record in records:
            for name, vector in record.vectors.items():
                fields[name] = _learned(name, fields, vector)
            coming[record.id] = record
        if not coming:
            return
        sizes = {id: _size(record) for id, record in coming.items()}
        new = sum(id not in self._records for id in coming)
        more = sum(sizes.values()) - self._size_of(coming)
        at = self._collection.operations + 1
        self._collection.writing(self, [*coming.values()], fields, new, more)
        self.size += more
        self._change()
        for id, record in coming.items():
            before = self._records.get(id)
            self._place(record, at, sizes[id], self._new_place() if before is None else before.place)
        self._clean(at)

    def delete(self, ids: Iterable[Id]) -> int:
        """How many there were. Raises FileError: then nothing has been changed."""
        going = [id for id in dict.fromkeys(ids) if id in self._records]
        if going:
            at = self._collection.operations + 1
            size = self._size_of(going)
            self._collection.deleting(self, going, size)
            self.size -= size
            if len(going) == len(self._records):
                self._records, self._columns = {}, {}
                return len(going)
            self._change()
            for id in going:
                del self._records[id]
                for column in self._columns.values():
                    column.remove(id, at, bool(self._readers))
            self._clean(at)
        return len(going)

    def clear(self) -> None:
        self.delete([*self._records])

    def restore(self, record: Record) -> None:
        """Puts back what was read from a file; in order. Raises DimensionError, VectorError."""
        for name, vector in record.vectors.items():
            self._collection.fields[name] = _learned(name, self._collection.fields, vector)
        size = _size(record)
        self.size += size
        self._place(record, record.version, size, self._new_place())
        self._collection.holds(self)

    def _size_of(self, ids: Iterable[Id]) -> int:
        return sum(self._records[id].size for id in ids if id in self._records)

    def _change(self) -> None:
        """Before the records change: a snapshot that somebody reads keeps them as they are."""
        if self._is_lent and self._readers:
            self._records = dict(self._records)
        self._is_lent = False

    def _new_place(self) -> int:
        self._next_place += 1
        return self._next_place

    def _place(self, record: Record, version: int, size: int, place: int) -> None:
        """Puts it there, its vectors into their columns."""
        if record.id in self._records:
            for column in self._columns.values():
                column.remove(record.id, version, bool(self._readers))
        columns = {name: self._column(name) for name in record.vectors}
        vectors = {name: column.write(record.vectors[name]) for name, column in columns.items()}
        placed = Record(record.id, vectors, record.metadata, record.document, record.uri, version, place, size)
        for column in columns.values():
            column.add(placed, version)
        self._records[placed.id] = placed

    def _clean(self, at: int) -> None:
        """Lets go of some of the blocks that are mostly dead. Whoever reads them has them still."""
        for name, column in self._columns.items():
            for record in column.stragglers():
                column.remove(record.id, at, bool(self._readers))
                moved = attrs.evolve(record, vectors={**record.vectors, name: column.write(record.vectors[name])})
                column.add(moved, at)
                self._records[moved.id] = moved
                for other in self._columns.values():
                    other.repoint(moved)

    def _column(self, name: str) -> Column:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column(self._collection.fields[name])
        return column


def _learned(name: str, fields: Mapping[str, Field], vector: Vector) -> Field:
    """The field, which has the dimension of its first vector."""
    field = fields.get(name)
    if field is None:
        raise VectorError(f"the collection has no vectors of the name {name!r}")
    checked(name, field, vector)
    if field.dimension is None and field.form is not Form.SPARSE and not isinstance(vector, Sparse):
        return attrs.evolve(field, dimension=vector.shape[-1])
    return field


def _size(record: Record) -> int:
    """Raises StoreError for what is not JSON."""
    try:
        told = orjson.dumps([record.id, record.metadata, record.document, record.uri])
    except (TypeError, ValueError) as error:
        raise StoreError(f"the metadata of {record.id!r} is not JSON: {error}") from error
    return _OVERHEAD + len(told) + sum(vector.nbytes for vector in record.vectors.values())

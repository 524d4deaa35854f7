"""Records in the order in which they came, and their vectors."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
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
        taken = Snapshot(self._records, dict(self._collection.fields), blocks, self._collection.operations)
        self._readers.add(taken)
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
            coming[record.id] = attrs.evolve(record, size=_size(record))
        if not coming:
            return
        place = self._next_place
        at = self._collection.operations + 1
        for id, record in coming.items():
            before = self._records.get(id)
            coming[id] = attrs.evolve(record, version=at, place=place if before is None else before.place)
            place += before is None
        new = place - self._next_place
        size = sum(each.size for each in coming.values()) - self._size_of(coming)
        self._collection.writing(self, new, size, [*coming.values()], fields)
        self._next_place = place
        self._change()
        for record in coming.values():
            self._replace(record, at)

    def delete(self, ids: Iterable[Id]) -> int:
        """How many there were."""
        going = [id for id in dict.fromkeys(ids) if id in self._records]
        if going:
            self._collection.deleting(self, going, self._size_of(going))
            self._change()
            for id in going:
                for column in self._columns.values():
                    column.remove(id, self._collection.operations)
                del self._records[id]
            self._collection.settled(self)
        return len(going)

    def clear(self) -> None:
        self.delete([*self._records])

    def _size_of(self, ids: Iterable[Id]) -> int:
        return sum(self._records[id].size for id in ids if id in self._records)

    def _change(self) -> None:
        """Before the records change: a snapshot that somebody reads keeps them as they are."""
        if self._readers:
            self._records = dict(self._records)
            self._readers.clear()

    def _replace(self, record: Record, at: int) -> None:
        for column in self._columns.values():
            column.remove(record.id, at)
        columns = [self._column(name) for name in record.vectors]
        written = [column.write(vector) for column, vector in zip(columns, record.vectors.values(), strict=True)]
        kept = attrs.evolve(record, vectors=dict(zip(record.vectors, written, strict=True)))
        for column in columns:
            column.add(kept, at)
        self._records[kept.id] = kept

    def _column(self, name: str) -> Column:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column(self._collection.fields[name])
        return column


def _learned(name: str, fields: dict[str, Field], vector: Vector) -> Field:
    """The field, which has the dimension of its first vector."""
    field = fields.get(name)
    if field is None:
        raise VectorError(f"the collection has no vectors of the name {name!r}")
    checked(name, field, vector)
    if field.dimension is None and field.form is not Form.SPARSE and not isinstance(vector, Sparse):
        return attrs.evolve(field, dimension=vector.shape[-1])
    return field


def _size(record: Record) -> int:
    size = _OVERHEAD + len(record.document or "") + len(record.uri or "")
    for vector in record.vectors.values():
        size += vector.indices.nbytes + vector.values.nbytes if isinstance(vector, Sparse) else vector.nbytes
    if record.metadata:
        try:
            size += len(orjson.dumps(record.metadata))
        except (TypeError, ValueError) as error:
            raise StoreError(f"the metadata of {record.id!r} is not JSON: {error}") from error
    return size

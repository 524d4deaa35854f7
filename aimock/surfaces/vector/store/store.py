"""The store of all collections."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from aimock.surfaces.vector.store.collection import Collection
from aimock.surfaces.vector.store.errors import Exists, Full

MAX_COLLECTIONS = 10_000
MAX_RECORDS = 2_000_000
MAX_BYTES = 4 * 1024**3


class Store:
    """Collections by name, as each dialect sees them. Names are unique among those that a dialect sees in a scope."""

    def __init__(
        self,
        *,
        max_collections: int = MAX_COLLECTIONS,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Limits are of all collections together; bytes are those of records, about."""
        self._limits = {"max_collections": max_collections, "max_records": max_records, "max_bytes": max_bytes}
        self._collections: dict[str, Collection] = {}
        self._records = 0
        self._bytes = 0
        self.notes: MutableMapping[str, Any] = {}
        """JSON that dialects keep besides: Chroma's tenants and databases, Qdrant's aliases."""

    def __len__(self) -> int:
        return len(self._collections)

    def __iter__(self) -> Iterator[Collection]:
        """In the order of creation."""
        return iter([*self._collections.values()])

    def create(self, collection: Collection) -> None:
        """Raises Exists, Full."""
        self._refuse_twin(collection, collection.name)
        if collection.id in self._collections:
            raise Exists(f"a collection has the id {collection.id} already")
        self._refuse_over("max_collections", len(self._collections) + 1)
        self.make_room(len(collection), collection.size)
        self._collections[collection.id] = collection
        collection.store = self

    def named(self, dialect: str, name: str, scope: str = "") -> Collection | None:
        return next((each for each in self.of(dialect, scope) if each.name == name), None)

    def with_id(self, dialect: str, id: str) -> Collection | None:
        found = self._collections.get(id)
        return found if found is not None and dialect in found.dialects else None

    def of(self, dialect: str, scope: str | None = None) -> list[Collection]:
        """In the order of creation. `scope`: None is all."""
        return [
            each
            for each in self._collections.values()
            if dialect in each.dialects and (scope is None or each.scope == scope)
        ]

    def drop(self, collection: Collection) -> None:
        if self._collections.pop(collection.id, None) is not None:
            self.make_room(-len(collection), -collection.size)
            collection.store = None

    def rename(self, collection: Collection, name: str) -> None:
        """Raises Exists."""
        self._refuse_twin(collection, name)
        collection.name = name

    def clear(self) -> None:
        """No collections and no notes."""
        for collection in self:
            self.drop(collection)
        self.notes.clear()

    def close(self) -> None:
        """Nothing is to be done where there is no file."""

    def make_room(self, records: int, size: int) -> None:
        """For so many records more, of so many bytes. Raises Full."""
        if records > 0:
            self._refuse_over("max_records", self._records + records)
        if size > 0:
            self._refuse_over("max_bytes", self._bytes + size)
        self._records += records
        self._bytes += size

    def _refuse_over(self, limit: str, wanted: int) -> None:
        if wanted > self._limits[limit]:
            raise Full(limit, self._limits[limit])

    def _refuse_twin(self, collection: Collection, name: str) -> None:
        for each in self._collections.values():
            if each is collection or each.name != name or each.scope != collection.scope:
                continue
            if each.dialects & collection.dialects:
                raise Exists(f"a collection of the name {name!r} exists")

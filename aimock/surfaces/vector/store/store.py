"""The store of all collections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from aimock.surfaces.vector.store.collection import About, Collection
from aimock.surfaces.vector.store.errors import Exists, FileError, Full, StoreError
from aimock.surfaces.vector.store.file import StoreFile
from aimock.surfaces.vector.store.values import Id, Record

MAX_COLLECTIONS = 10_000
MAX_RECORDS = 2_000_000
MAX_BYTES = 4 * 1024**3
MAX_NOTES = 10_000


class Store:
    """Collections by name, as each dialect sees them. Names are unique among those that a dialect sees in a scope.

    With a file, every change is in it before it is made; if that fails, FileError is raised and nothing is changed.
    """

    def __init__(
        self,
        *,
        file: Path | None = None,
        max_collections: int = MAX_COLLECTIONS,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
        max_notes: int = MAX_NOTES,
    ) -> None:
        """Limits are of all collections together; bytes are those of records, about. Raises FileError for a file that
        cannot be used."""
        self._limits = {
            "max_collections": max_collections,
            "max_records": max_records,
            "max_bytes": max_bytes,
            "max_notes": max_notes,
        }
        self._collections: dict[str, Collection] = {}
        self._named: dict[tuple[str, str], list[Collection]] = {}
        """By scope and name; different dialects may have different ones of the same."""
        self._records = 0
        self._bytes = 0
        self._file = None if file is None else StoreFile(file)
        self._noted: dict[str, Any] = {}
        self.notes: MutableMapping[str, Any] = _Notes(self, self._noted)
        """JSON that dialects keep besides: Chroma's tenants and databases, Qdrant's aliases. What is changed within
        a value is to be set again."""
        if self._file is not None:
            try:
                self._load(self._file)
            except BaseException:
                self._file.close()
                raise

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
        self.refuse_over("max_collections", len(self._collections) + 1)
        self._refuse_full(len(collection), collection.size)
        with self.change() as file:
            if file is not None:
                file.put_collection(collection.about())
                for name, namespace in collection.namespaces.items():
                    for record in namespace:
                        file.put(collection.id, name, [record], record.version)
        self._take(collection)

    def named(self, dialect: str, name: str, scope: str = "") -> Collection | None:
        named = self._named.get((scope, name), ())
        return next((each for each in named if dialect in each.dialects), None)

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
        if collection.store is self:
            with self.change() as file:
                if file is not None:
                    file.drop_collection(collection.id)
            self._let_go(collection)

    def rename(self, collection: Collection, name: str) -> None:
        """Raises Exists."""
        self._refuse_twin(collection, name)
        if collection.store is self:
            self.keep(collection.about()._replace(name=name))
            self._unname(collection)
            self._named.setdefault((collection.scope, name), []).append(collection)
        collection.name = name

    def clear(self) -> None:
        """No collections and no notes."""
        with self.change() as file:
            if file is not None:
                file.clear()
        for collection in self:
            self._let_go(collection)
        self._noted.clear()

    def close(self) -> None:
        """Of its file. What it holds can be read on."""
        if self._file is not None:
            self._file.close()

    # -- what collections and notes tell it ---------------------------------------------------------------------------

    def keep(self, about: About) -> None:
        """What has changed of a collection besides its records."""
        with self.change() as file:
            if file is not None:
                file.put_collection(about)

    def writing(self, about: About, namespace: str, records: Sequence[Record], new: int, size: int) -> None:
        """Records are about to be put there, `new` of them more than before, which take `size` bytes more."""
        self._refuse_full(new, size)
        with self.change() as file:
            if file is not None:
                file.put_collection(about)
                file.put(about.id, namespace, records, about.operations)
        self._records += new
        self._bytes += size

    def deleting(self, about: About, namespace: str, ids: Sequence[Id], size: int) -> None:
        with self.change() as file:
            if file is not None:
                file.put_collection(about)
                file.delete(about.id, namespace, ids)
        self._records -= len(ids)
        self._bytes -= size

    @contextlib.contextmanager
    def change(self) -> Iterator[StoreFile | None]:
        """The file, if there is one, to which all is written or nothing."""
        if self._file is None:
            yield None
        else:
            with self._file.change():
                yield self._file

    def refuse_over(self, limit: str, wanted: int) -> None:
        if wanted > self._limits[limit]:
            raise Full(limit, self._limits[limit])

    def _refuse_full(self, records: int, size: int) -> None:
        if records > 0:
            self.refuse_over("max_records", self._records + records)
        if size > 0:
            self.refuse_over("max_bytes", self._bytes + size)

    def _refuse_twin(self, collection: Collection, name: str) -> None:
        for each in self._named.get((collection.scope, name), ()):
            if each is not collection and each.dialects & collection.dialects:
                raise Exists(f"a collection of the name {name!r} exists")

    def _take(self, collection: Collection) -> None:
        self._collections[collection.id] = collection
        self._named.setdefault((collection.scope, collection.name), []).append(collection)
        self._records += len(collection)
        self._bytes += collection.size
        collection.store = self

    def _let_go(self, collection: Collection) -> None:
        del self._collections[collection.id]
        self._unname(collection)
        self._records -= len(collection)
        self._bytes -= collection.size
        collection.store = None

    def _unname(self, collection: Collection) -> None:
        key = collection.scope, collection.name
        self._named[key].remove(collection)
        if not self._named[key]:
            del self._named[key]

    def _load(self, file: StoreFile) -> None:
        read = {about.id: Collection.told(about) for about in file.collections()}
        try:
            self.refuse_over("max_collections", len(read))
            for count, (id, namespace, record) in enumerate(file.records(), 1):
                self.refuse_over("max_records", count)
                if id not in read:
                    raise StoreError("there are records of a collection that is not there")
                read[id].namespace(namespace).restore(record)
            for collection in read.values():
                self._refuse_full(len(collection), collection.size)
                self._take(collection)
        except FileError:
            raise
        except StoreError as error:
            raise FileError(f"{file.path} cannot be read: {error}") from error
        self._noted.update(file.notes())


class _Notes(MutableMapping[str, Any]):
    """In the order in which they were made."""

    def __init__(self, store: Store, notes: dict[str, Any]) -> None:
        self._store = store
        self._notes = notes

    def __getitem__(self, key: str) -> Any:
        return self._notes[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._notes:
            self._store.refuse_over("max_notes", len(self) + 1)
        with self._store.change() as file:
            if file is not None:
                file.put_note(key, value)
        self._notes[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self._notes:
            raise KeyError(key)
        with self._store.change() as file:
            if file is not None:
                file.delete_note(key)
        del self._notes[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._notes)

    def __len__(self) -> int:
        return len(self._notes)

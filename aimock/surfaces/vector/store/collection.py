"""A collection: fields, settings, namespaces."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from aimock.surfaces.vector.store.namespace import Namespace
from aimock.surfaces.vector.store.values import Field, Id, Record

if TYPE_CHECKING:
    from aimock.surfaces.vector.script import Script
    from aimock.surfaces.vector.store.store import Store


class About(NamedTuple):
    """A collection without its records."""

    id: str
    name: str
    scope: str
    dialects: frozenset[str]
    fields: dict[str, Field]
    metadata: dict[str, Any]
    created: float
    operations: int


class Collection:
    """Holds nothing but what it is told, until a store has it: from then on the store's limits hold, and its file
    keeps what is changed."""

    def __init__(
        self,
        name: str,
        *,
        id: str,
        dialects: Set[str],
        fields: Mapping[str, Field],
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        created: float = 0.0,
    ) -> None:
        """`id`: a UUID's text. `dialects`: which see it. `scope`: "", or Chroma's "tenant/database". `metadata`: JSON,
        a dialect's own settings of it. `created`: seconds since 1970."""
        self.name = name
        self.id = id
        self.dialects = frozenset(dialects)
        self.scope = scope
        self.fields = dict(fields)
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.created = created
        self.script: Script | None = None
        """Tells the results of its queries beforehand. Not kept in a file."""
        self.operations = 0
        """Changes of its records so far; a record's version is the one that wrote it."""
        self.store: Store | None = None
        """The one that has it."""
        self._known: weakref.WeakValueDictionary[str, Namespace] = weakref.WeakValueDictionary()
        self._holding: dict[str, Namespace] = {}

    @classmethod
    def told(cls, about: About) -> Collection:
        """As it was, without its records."""
        collection = cls(
            about.name,
            id=about.id,
            dialects=about.dialects,
            fields=about.fields,
            scope=about.scope,
            metadata=about.metadata,
            created=about.created,
        )
        collection.operations = about.operations
        return collection

    def __len__(self) -> int:
        """Its records."""
        return sum(map(len, self._holding.values()))

    @property
    def size(self) -> int:
        """About how many bytes its records take."""
        return sum(namespace.size for namespace in self._holding.values())

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """Those that hold something, by their names' order."""
        return {name: self._holding[name] for name in sorted(self._holding)}

    def namespace(self, name: str = "") -> Namespace:
        """Comes to be with its first record, and is no more when its last has gone."""
        namespace = self._known.get(name)
        if namespace is None:
            namespace = self._known[name] = Namespace(self, name)
        return namespace

    def changed(self) -> None:
        """To be called when its fields or its metadata were changed: they are kept. Raises FileError."""
        if self.store is not None:
            self.store.keep(self.about())

    def about(self) -> About:
        return About(
            self.id, self.name, self.scope, self.dialects, self.fields, self.metadata, self.created, self.operations
        )

    # -- what its namespaces tell it --------------------------------------------------------------------------------

    def writing(
        self, namespace: Namespace, records: Sequence[Record], fields: Mapping[str, Field], new: int, size: int
    ) -> None:
        """Records are about to be put there, `new` more than before, that take `size` bytes more. Raises Full,
        FileError."""
        if self.store is not None:
            about = self.about()._replace(fields={**self.fields, **fields}, operations=self.operations + 1)
            self.store.writing(about, namespace.name, records, new, size)
        self.fields.update(fields)
        self.operations += 1
        self.holds(namespace)

    def deleting(self, namespace: Namespace, ids: Sequence[Id], size: int) -> None:
        """Records are about to go that take so many bytes. Raises FileError."""
        if self.store is not None:
            about = self.about()._replace(operations=self.operations + 1)
            self.store.deleting(about, namespace.name, ids, size)
        self.operations += 1
        if len(ids) == len(namespace):
            del self._holding[namespace.name]

    def holds(self, namespace: Namespace) -> None:
        self._holding[namespace.name] = namespace

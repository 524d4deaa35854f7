"""How Chroma's tenants, databases and collections are kept in the store.

Tenants and databases are a note. A collection's scope is its tenant and database; the default database has none, so
that collections which are there for all dialects are in it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import attrs

from aimock.surfaces.vector.store import Collection, Field, Measure, Store
from aimock_protocols.chroma import schema
from aimock_protocols.chroma.collections import DEFAULT, Place, shown
from aimock_protocols.chroma.errors import over_quota
from aimock_protocols.chroma.metadata import Metadata

NAME = "chroma"
FIELD = ""
"""The one that embeddings are in."""
MAX_NAMES = 10_000
"""Tenants and databases, together."""

_DEFAULT_ID = "00000000-0000-0000-0000-000000000000"
_NOTE = "chroma"
_MEASURES = {"l2": Measure.SQUARED_EUCLIDEAN, "cosine": Measure.COSINE, "ip": Measure.DOT}
_SPACES = {measure: space for space, measure in _MEASURES.items()}


@attrs.frozen
class Names:
    """The tenants, and the databases with their ids by tenant. A database may have a tenant that is not there."""

    tenants: tuple[str, ...] = (DEFAULT.tenant,)
    databases: Mapping[str, Mapping[str, str]] = {DEFAULT.tenant: {DEFAULT.database: _DEFAULT_ID}}

    @classmethod
    def of(cls, store: Store) -> Names:
        note = store.notes.get(_NOTE)
        return cls() if note is None else cls(tuple(note["tenants"]), note["databases"])

    def keep(self, notes: MutableMapping[str, Any]) -> None:
        """Raises WireError if there are too many."""
        if len(self.tenants) + sum(map(len, self.databases.values())) > MAX_NAMES:
            raise over_quota(f"There cannot be more than {MAX_NAMES} tenants and databases")
        notes[_NOTE] = {"tenants": [*self.tenants], "databases": self.databases}

    def with_tenant(self, name: str) -> Names:
        return Names((*self.tenants, name), self.databases)

    def with_database(self, place: Place, id: str) -> Names:
        return self._with(place.tenant, {**self.of_tenant(place.tenant), place.database: id})

    def without_database(self, place: Place) -> Names:
        left = {name: id for name, id in self.of_tenant(place.tenant).items() if name != place.database}
        return self._with(place.tenant, left)

    def _with(self, tenant: str, databases: Mapping[str, str]) -> Names:
        return Names(self.tenants, {**self.databases, tenant: databases})

    def of_tenant(self, tenant: str) -> Mapping[str, str]:
        """Its databases with their ids."""
        return self.databases.get(tenant, {})

    def has(self, place: Place) -> bool:
        return place.database in self.of_tenant(place.tenant)


def forget(store: Store) -> None:
    """Every collection that Chroma's clients see, and all tenants and databases but the first."""
    for collection in store.of(NAME):
        store.drop(collection)
    store.notes.pop(_NOTE, None)


def scope_of(place: Place) -> str:
    return "" if place == DEFAULT else f"{place.tenant}/{place.database}"


def place_of(collection: Collection) -> Place:
    tenant, _, database = collection.scope.rpartition("/")
    return Place(tenant, database) if collection.scope else DEFAULT


def field_of(name: str) -> Field:
    """The field of a collection in which nothing is yet, by its space."""
    return Field(_MEASURES[name])


@attrs.frozen
class Settings:
    """What Chroma knows of a collection besides the store."""

    metadata: Metadata | None
    schema: schema.Schema

    @classmethod
    def of(cls, collection: Collection) -> Settings:
        """Those that it was given, or what follows from it, if it was not made by a client of Chroma's."""
        kept = collection.metadata.get(NAME)
        if kept is not None:
            return cls(kept["metadata"], kept["schema"])
        field = collection.fields.get(FIELD)
        space = None if field is None else _SPACES.get(field.measure)
        return cls(None, schema.with_space(space or schema.SPACES[0]))

    def keep(self, collection: Collection) -> None:
        """The caller says that the collection has changed."""
        collection.metadata[NAME] = {
            **collection.metadata.get(NAME, {}),
            "metadata": self.metadata,
            "schema": self.schema,
        }


def dimension_of(collection: Collection) -> int | None:
    field = collection.fields.get(FIELD)
    return None if field is None else field.dimension


def as_shown(collection: Collection) -> dict[str, Any]:
    settings = Settings.of(collection)
    place, dimension = place_of(collection), dimension_of(collection)
    return shown(collection.id, collection.name, place, settings.metadata, dimension, settings.schema)

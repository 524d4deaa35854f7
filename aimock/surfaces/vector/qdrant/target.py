"""The collection that a call is for, by its name or an alias, and what is kept of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.qdrant.fields import told_of
from aimock.surfaces.vector.store import Collection, Namespace, Store
from aimock_protocols.qdrant.collections import Settings, index_type, parameters
from aimock_protocols.qdrant.errors import no_collection
from aimock_protocols.qdrant.filters import Filters
from aimock_protocols.qdrant.paths import parsed
from aimock_protocols.qdrant.tokens import of_index

_ALIASES = "qdrant.aliases"
_SETTINGS = "qdrant"


def aliases(store: Store) -> Mapping[str, str]:
    """The names of collections by their aliases."""
    told: Mapping[str, str] = store.notes.get(_ALIASES, {})
    return told


def keep_aliases(store: Store, told: Mapping[str, str]) -> None:
    store.notes[_ALIASES] = dict(told)


@attrs.frozen(slots=False)
class Target:
    """A collection as this API sees it."""

    collection: Collection

    @functools.cached_property
    def settings(self) -> Settings:
        told: Settings | None = self.collection.metadata.get(_SETTINGS)
        if told is None:
            told = parameters({name: told_of(field) for name, field in self.collection.fields.items()})
        return told

    @property
    def points(self) -> Namespace:
        return self.collection.namespace()

    @functools.cached_property
    def filters(self) -> Filters:
        """Reads filters, by the text indexes that there are."""
        schema = self.settings.get("payload_schema") or {}
        return Filters(
            {
                steps: of_index(params)
                for field, params in schema.items()
                if params["type"] == "text" and (steps := parsed(field)) is not None
            }
        )

    def index_type(self, field: str) -> str | None:
        return index_type(self.settings, field)

    def keep(self, settings: Settings) -> None:
        """Its settings are others now."""
        self.collection.metadata[_SETTINGS] = settings
        self.collection.changed()


def named(call: Call, name: str) -> Target | None:
    found = call.collection(name)
    if found is None and (aliased := aliases(call.store).get(name)) is not None:
        found = call.collection(aliased)
    return None if found is None else Target(found)


def target(call: Call) -> Target:
    """Of the path. Raises WireError."""
    return other(call, call.params["collection"])


def other(call: Call, name: str) -> Target:
    """Of another name. Raises WireError."""
    found = named(call, name)
    if found is None:
        raise no_collection(name)
    return found

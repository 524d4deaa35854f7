"""Collections: what they are created with and changed to, and how they are shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs

from aimock_protocols.chroma import reading, schema
from aimock_protocols.chroma.errors import refused
from aimock_protocols.chroma.metadata import Metadata, changed_metadata, check_collection, record_metadata
from aimock_protocols.chroma.names import check_name, check_tenant


class Place(NamedTuple):
    """Where a collection is."""

    tenant: str
    database: str


_DIGITS = 9
"""Of a number in a query string."""

DEFAULT = Place("default_tenant", "default_database")


@attrs.frozen
class Creation:
    name: str
    metadata: Metadata | None
    schema: schema.Schema
    get_or_create: bool


@attrs.frozen
class Modification:
    """None: it stays as it is."""

    name: str | None
    metadata: Metadata | None
    """Takes the place of what there was."""
    configuration: Any


def creation(value: Any) -> Creation:
    """Raises WireError."""
    body = reading.mapping(value, "", "struct CreateCollectionPayload")
    reading.check_depth(body)
    name = reading.required(body, "name", reading.string)
    metadata = reading.optional(record_metadata)(body.get("metadata"), "metadata")
    get_or_create = "get_or_create" in body and reading.boolean(body["get_or_create"], "get_or_create")
    if metadata is not None:
        check_collection(metadata, "metadata")
    made = schema.created(body.get("configuration"), body.get("schema"), metadata)
    check_name(name, "name")
    return Creation(name, metadata, made, get_or_create)


def modification(value: Any) -> Modification:
    """Raises WireError for the wrong shape."""
    body = reading.mapping(value, "", "struct UpdateCollectionPayload")
    reading.check_depth(body)
    name = reading.optional(reading.string)(body.get("new_name"), "new_name")
    metadata = reading.optional(changed_metadata)(body.get("new_metadata"), "new_metadata")
    return Modification(name, metadata, body.get("new_configuration"))


def check_modification(change: Modification) -> None:
    """Raises WireError for what a collection cannot become."""
    if change.name is not None:
        check_name(change.name, "new_name")
    if change.metadata is not None:
        check_collection(change.metadata, "new_metadata")


def tenant_name(value: Any) -> str:
    """Of a tenant that is to be created. Raises WireError."""
    name = reading.required(reading.mapping(value, "", "struct CreateTenantPayload"), "name", reading.string)
    check_tenant(name)
    return name


def database_name(value: Any) -> str:
    """Of a database that is to be created. Raises WireError."""
    name = reading.required(reading.mapping(value, "", "struct CreateDatabasePayload"), "name", reading.string)
    check_name(name)
    return name


def page(query: dict[str, list[str]], key: str) -> int | None:
    """The `limit` or `offset` of a listing. Raises WireError."""
    given = query.get(key, [None])[-1]
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal()):
        raise refused(f"Failed to deserialize query string: {key}: invalid digit found in string")
    if len(given) > _DIGITS:
        raise refused(f"Failed to deserialize query string: {key}: number too large to fit in target type")
    return int(given)


def shown(
    id: str, name: str, place: Place, metadata: Metadata | None, dimension: int | None, its_schema: schema.Schema
) -> dict[str, Any]:
    """A collection as answers show it."""
    return {
        "id": id,
        "name": name,
        "configuration_json": schema.configuration(its_schema),
        "schema": its_schema,
        "metadata": metadata,
        "dimension": dimension,
        "tenant": place.tenant,
        "database": place.database,
        "log_position": 0,
        "version": 0,
    }

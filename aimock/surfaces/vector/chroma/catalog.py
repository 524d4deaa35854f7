"""What there is: the server itself, tenants, databases, collections."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.chroma.keeping import (
    FIELD,
    NAME,
    Names,
    Settings,
    as_shown,
    field_of,
    forget,
    place_of,
    scope_of,
)
from aimock.surfaces.vector.store import Collection, Exists, Full
from aimock_protocols.chroma import collections, reading, schema
from aimock_protocols.chroma.collections import DEFAULT, Place
from aimock_protocols.chroma.errors import exists, failed, forbidden, not_found, over_quota, refused, unsupported
from aimock_protocols.chroma.names import check_name, is_uuid

VERSION = "1.0.0"
"""What the server says, whatever version it is of."""
MAX_BATCH = 5461
"""Records that clients put into one call. They heed it; the server takes more."""

T = TypeVar("T")

_NANOSECONDS = 1_000_000_000


# -- the server --------------------------------------------------------------------------------------------------------


def heartbeat(call: Call) -> Answer:
    return call.reply(200, {"nanosecond heartbeat": int(call.exchange.stamp.created * _NANOSECONDS)})


def version(call: Call) -> Answer:
    return call.reply(200, VERSION)


def healthcheck(call: Call) -> Answer:
    return call.reply(200, {"is_executor_ready": True, "is_log_client_ready": True})


def pre_flight(call: Call) -> Answer:
    return call.reply(200, {"max_batch_size": MAX_BATCH, "supports_base64_encoding": True})


def identity(call: Call) -> Answer:
    return call.reply(200, {"user_id": "", "tenant": DEFAULT.tenant, "databases": [DEFAULT.database]})


def reset(call: Call) -> Answer:
    if not call.service.allows_reset:
        raise forbidden("Reset is disabled by config")
    forget(call.store)
    return call.reply(200, True)


# -- tenants and databases ---------------------------------------------------------------------------------------------


def create_tenant(call: Call) -> Answer:
    name = collections.tenant_name(call.body())
    names = Names.of(call.store)
    if name in names.tenants:
        raise exists(f"Tenant [{name}] already exists")
    names.with_tenant(name).keep(call.store.notes)
    return call.reply(200, {})


def get_tenant(call: Call) -> Answer:
    name = call.params["tenant"]
    if name not in Names.of(call.store).tenants:
        raise not_found(f"Tenant [{name}] not found")
    return call.reply(200, {"name": name, "resource_name": None})


def update_tenant(call: Call) -> Answer:
    """Takes a resource name, which only the cloud keeps."""
    body = reading.mapping(call.body(), "", "struct UpdateTenantPayload")
    reading.required(body, "resource_name", reading.string)
    return call.reply(200, {})


def create_database(call: Call) -> Answer:
    place = Place(call.params["tenant"], collections.database_name(call.body()))
    names = Names.of(call.store)
    if names.has(place):
        raise exists(f"Database [{place.database}] already exists")
    names.with_database(place, call.exchange.stamp.uuid()).keep(call.store.notes)
    return call.reply(200, {})


def list_databases(call: Call) -> Answer:
    tenant = call.params["tenant"]
    databases = sorted(Names.of(call.store).of_tenant(tenant).items())
    return call.reply(200, [_database(Place(tenant, name), id) for name, id in _paged(call, databases)])


def get_database(call: Call) -> Answer:
    place = _place(call)
    id = Names.of(call.store).of_tenant(place.tenant).get(place.database)
    if id is None:
        raise not_found(f"Database [{place.database}] not found. Are you sure it exists?")
    return call.reply(200, _database(place, id))


def delete_database(call: Call) -> Answer:
    place = _place(call)
    names = Names.of(call.store)
    if not names.has(place):
        raise not_found(f"Database [{place.database}] not found")
    for collection in call.store.of(NAME, scope_of(place)):
        call.store.drop(collection)
    names.without_database(place).keep(call.store.notes)
    return call.reply(200, {})


def _database(place: Place, id: str) -> dict[str, Any]:
    return {"id": id, "name": place.database, "tenant": place.tenant}


# -- collections -------------------------------------------------------------------------------------------------------


def create_collection(call: Call) -> Answer:
    asked, place = collections.creation(call.body()), _place(call)
    if not Names.of(call.store).has(place):
        raise refused(f"Database [{place.database}] does not exist")
    found = call.collection(asked.name, scope_of(place)) if asked.get_or_create else None
    if found is None:
        found = _new(call, asked.name, place, Settings(asked.metadata, asked.schema))
        _create(call, found)
    return call.reply(200, as_shown(found))


def list_collections(call: Call) -> Answer:
    """By their ids, as the server sorts them."""
    found = sorted(call.store.of(NAME, scope_of(_place(call))), key=lambda collection: collection.id)
    return call.reply(200, [as_shown(collection) for collection in _paged(call, found)])


def count_collections(call: Call) -> Answer:
    return call.reply(200, len(call.store.of(NAME, scope_of(_place(call)))))


def get_collection(call: Call) -> Answer:
    return call.reply(200, as_shown(_named(call)))


def get_collection_by_id(call: Call) -> Answer:
    id = call.params["collection"]
    if not is_uuid(id):
        raise refused("Validation error: collection_id: Invalid collection ID format, expected UUID")
    found = call.collection_with_id(id.lower())
    if found is None or place_of(found) != _place(call):
        raise not_found(f"Collection [{id}] does not exist")
    return call.reply(200, as_shown(found))


def modify_collection(call: Call) -> Answer:
    change = collections.modification(call.body())
    collection = with_id(call)
    collections.check_modification(change)
    settings = Settings.of(collection)
    if change.metadata is not None:
        kept = {key: value for key, value in change.metadata.items() if value is not None}
        settings = attrs.evolve(settings, metadata=kept or None)
    if change.configuration is not None:
        settings = attrs.evolve(settings, schema=schema.modified(settings.schema, change.configuration))
    if change.name is not None:
        try:
            call.store.rename(collection, change.name)
        except Exists:
            raise failed(
                "Database error: error returned from database: (code: 2067) "
                "UNIQUE constraint failed: collections.name, collections.database_id"
            ) from None
    settings.keep(collection)
    collection.changed()
    return call.reply(200, {})


def delete_collection(call: Call) -> Answer:
    call.store.drop(_named(call))
    return call.reply(200, {})


# -- what the cloud has ------------------------------------------------------------------------------------------------


def fork(call: Call) -> Answer:
    """A collection with all that another has, which go their own ways from then on."""
    body = reading.mapping(call.body(), "", "struct ForkCollectionPayload")
    name = reading.required(body, "new_name", reading.string)
    origin = with_id(call)
    check_name(name, "new_name")
    copy = _new(call, name, place_of(origin), Settings.of(origin))
    copy.fields.update(origin.fields)
    snapshot = origin.namespace().snapshot()

    def then(_: None) -> Answer:
        _create(call, copy)
        origin.metadata[NAME] = {**origin.metadata.get(NAME, {}), "forks": _forks(origin) + 1}
        Settings.of(origin).keep(origin)
        origin.changed()
        return call.reply(200, as_shown(copy))

    return call.computed(snapshot.cost(filtered=True), lambda: copy.namespace().put(snapshot), then)


def fork_count(call: Call) -> Answer:
    return call.reply(200, {"count": _forks(with_id(call))})


def indexing_status(call: Call) -> Answer:
    """All is indexed as soon as it is written."""
    done = with_id(call).operations
    counts = {"num_indexed_ops": done, "num_unindexed_ops": 0, "total_ops": done}
    return call.reply(200, {**counts, "op_indexing_progress": 1.0})


def attach_function(call: Call) -> Answer:
    with_id(call)
    raise unsupported(
        "Tonic error: code: 'Operation is not implemented or not supported', "
        'message: " Attached Function operations not yet implemented in SqliteSysDb"'
    )


def get_function(call: Call) -> Answer:
    with_id(call)
    raise not_found("Attached function not found")


def detach_function(call: Call) -> Answer:
    with_id(call)
    raise unsupported(
        "Tonic error: code: 'Operation is not implemented or not supported', message: \"Not implemented\""
    )


def _forks(collection: Collection) -> int:
    return int(collection.metadata.get(NAME, {}).get("forks", 0))


# -- finding -----------------------------------------------------------------------------------------------------------


def with_id(call: Call) -> Collection:
    """The collection that a path names by its id, whatever tenant and database it names. Raises WireError."""
    id = call.params["collection"]
    if not is_uuid(id):
        raise refused("Collection ID is not a valid UUIDv4")
    found = call.collection_with_id(id.lower())
    if found is None:
        raise not_found(f"Collection [{id}] does not exist.")
    return found


def _named(call: Call) -> Collection:
    name = call.params["collection"]
    found = call.collection(name, scope_of(_place(call)))
    if found is None:
        raise not_found(f"Collection [{name}] does not exist")
    return found


def _place(call: Call) -> Place:
    return Place(call.params["tenant"], call.params["database"])


def _paged(call: Call, items: list[T]) -> list[T]:
    query = call.query
    limit, offset = collections.page(query, "limit"), collections.page(query, "offset") or 0
    return items[offset:] if limit is None else items[offset : offset + limit]


def _new(call: Call, name: str, place: Place, settings: Settings) -> Collection:
    """An empty collection that is not yet in the store."""
    stamp = call.exchange.stamp
    collection = Collection(
        name,
        id=stamp.uuid(),
        dialects={NAME},
        scope=scope_of(place),
        fields={FIELD: field_of(schema.space(settings.schema))},
        created=stamp.created,
    )
    settings.keep(collection)
    return collection


def _create(call: Call, collection: Collection) -> None:
    """Raises WireError."""
    try:
        call.store.create(collection)
    except Exists:
        raise exists(f"Collection [{collection.name}] already exists") from None
    except Full as error:
        raise over_quota(str(error)) from error

"""Routes of collections, their aliases and their payload indexes."""

from __future__ import annotations

from typing import Any

import attrs

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.qdrant.fields import field_of, told_of
from aimock.surfaces.vector.qdrant.replies import ok, update_result
from aimock.surfaces.vector.qdrant.target import Target, aliases, keep_aliases, named, target
from aimock.surfaces.vector.store import Collection, Exists, Record
from aimock_protocols.qdrant import collections as told
from aimock_protocols.qdrant.errors import already_there, bad_request, no_collection, not_found, wrong_input
from aimock_protocols.qdrant.paths import found, parsed

_NAME = "qdrant"


def _list(call: Call) -> Answer:
    return ok(call, {"collections": [{"name": each.name} for each in call.store.of(_NAME)]})


def _create(call: Call) -> Answer:
    name = told.named(call.params["collection"])
    creation = told.created(call.body())
    if name in aliases(call.store):
        raise already_there(f"Alias with the same name already exists: `{name}`")
    stamp = call.exchange.stamp
    collection = Collection(
        name,
        id=stamp.uuid("collection"),
        dialects={_NAME},
        fields={name: field_of(field) for name, field in creation.fields.items()},
        created=stamp.created,
    )
    try:
        call.store.create(collection)
    except Exists as error:
        raise already_there(f"Collection `{name}` already exists!") from error
    Target(collection).keep(creation.settings)
    return ok(call, True)


def _describe(call: Call) -> Answer:
    asked = target(call)
    paths = {field: parsed(field) or () for field in asked.settings.get("payload_schema") or {}}
    snapshot = asked.points.snapshot()

    def indexed() -> dict[str, int]:
        return {
            field: sum(next(found(record.metadata or {}, steps), None) is not None for record in snapshot)
            for field, steps in paths.items()
        }

    return call.computed(
        snapshot.cost(filtered=True) * len(paths),
        indexed,
        lambda counts: ok(call, told.described(asked.settings, len(snapshot), counts)),
    )


def _exists(call: Call) -> Answer:
    return ok(call, {"exists": named(call, call.params["collection"]) is not None})


def _update(call: Call) -> Answer:
    asked = target(call)
    asked.keep(told.updated(asked.settings, call.body()))
    return ok(call, True)


def _delete(call: Call) -> Answer:
    collection = call.collection(call.params["collection"])
    if collection is None:
        return ok(call, False)
    call.store.drop(collection)
    keep_aliases(call.store, {alias: name for alias, name in aliases(call.store).items() if name != collection.name})
    return ok(call, True)


# -- aliases -----------------------------------------------------------------------------------------------------------


def _aliases(call: Call) -> Answer:
    return _told_aliases(call, None)


def _aliases_of(call: Call) -> Answer:
    return _told_aliases(call, target(call).collection.name)


def _told_aliases(call: Call, collection: str | None) -> Answer:
    return ok(
        call,
        {
            "aliases": [
                {"alias_name": alias, "collection_name": name}
                for alias, name in aliases(call.store).items()
                if collection in (None, name)
            ]
        },
    )


def _change_aliases(call: Call) -> Answer:
    """All of the actions, or none."""
    after = dict(aliases(call.store))
    for action in told.alias_actions(call.body()):
        taken = {"create": action.alias, "rename": action.target}.get(action.kind)
        if taken is not None and call.collection(taken) is not None:
            raise already_there(f"Collection `{taken}` already exists!")
        if action.kind == "create":
            if call.collection(action.target) is None:
                raise no_collection(action.target)
            after[action.alias] = action.target
        elif action.kind == "delete":
            after.pop(action.alias, None)
        elif action.alias not in after:
            raise not_found(f"Alias {action.alias} does not exists!")
        else:
            after[action.target] = after.pop(action.alias)
    keep_aliases(call.store, after)
    return ok(call, True)


# -- payload indexes ---------------------------------------------------------------------------------------------------


def _create_index(call: Call) -> Answer:
    asked = target(call)
    field, params = told.index(call.body())
    _keep_schema(asked, {**(asked.settings.get("payload_schema") or {}), field: params})
    return ok(call, update_result(call, asked.collection))


def _delete_index(call: Call) -> Answer:
    asked, field = target(call), call.params["field"]
    schema = asked.settings.get("payload_schema") or {}
    _keep_schema(asked, {name: params for name, params in schema.items() if name != field})
    return ok(call, update_result(call, asked.collection))


def _keep_schema(asked: Target, schema: dict[str, Any]) -> None:
    asked.keep({**asked.settings, "payload_schema": schema})


# -- vectors that come and go ------------------------------------------------------------------------------------------


def _create_vector(call: Call) -> Answer:
    asked, name = target(call), call.params["vector"]
    added, settings = told.vector_added(asked.settings, name, call.body())
    there = asked.collection.fields.get(name)
    if there is not None and told_of(there) != added:
        raise wrong_input(f"Vector {name} already exists with a different configuration")
    if there is None:
        asked.collection.fields[name] = field_of(added)
        asked.keep(settings)
    return ok(call, update_result(call, asked.collection))


def _delete_vector(call: Call) -> Answer:
    asked, name = target(call), call.params["vector"]
    if name in asked.collection.fields:
        settings = told.vector_removed(asked.settings, name)
        asked = Target(_made_anew(call, asked.collection, name))
        asked.keep(settings)
    return ok(call, update_result(call, asked.collection))


def _made_anew(call: Call, before: Collection, less: str) -> Collection:
    """The same collection without a field, whose name may come again for vectors of another size."""
    fields = {name: field for name, field in before.fields.items() if name != less}
    after = Collection(
        before.name,
        id=before.id,
        dialects=before.dialects,
        fields=fields,
        scope=before.scope,
        metadata=before.metadata,
        created=before.created,
    )
    after.script, after.operations = before.script, before.operations
    records = [_without(record, less) for record in before.namespace()]
    call.store.drop(before)
    call.store.create(after)
    after.namespace().put(records)
    return after


def _without(record: Record, name: str) -> Record:
    return attrs.evolve(record, vectors={each: item for each, item in record.vectors.items() if each != name})


# -- what is not here --------------------------------------------------------------------------------------------------


def _no_snapshots(call: Call) -> Answer:
    target(call)
    return ok(call, [])


def _not_kept(call: Call) -> Answer:
    target(call)
    raise bad_request("Snapshots are not kept here")


_COLLECTION = "/collections/{collection}"
ROUTES = (
    Route("GET", "/collections", "list", _list),
    Route("POST", "/collections/aliases", "unknown", _change_aliases),
    Route("GET", "/aliases", "list", _aliases),
    Route("GET", _COLLECTION, "describe", _describe),
    Route("PUT", _COLLECTION, "unknown", _create),
    Route("PATCH", _COLLECTION, "unknown", _update),
    Route("DELETE", _COLLECTION, "delete", _delete),
    Route("GET", f"{_COLLECTION}/exists", "describe", _exists),
    Route("GET", f"{_COLLECTION}/aliases", "list", _aliases_of),
    Route("PUT", f"{_COLLECTION}/index", "unknown", _create_index),
    Route("DELETE", f"{_COLLECTION}/index/{{field}}", "unknown", _delete_index),
    Route("PUT", f"{_COLLECTION}/vectors/{{vector}}", "unknown", _create_vector),
    Route("DELETE", f"{_COLLECTION}/vectors/{{vector}}", "unknown", _delete_vector),
    Route("GET", f"{_COLLECTION}/snapshots", "list", _no_snapshots),
    Route("POST", f"{_COLLECTION}/snapshots", "unknown", _not_kept),
)

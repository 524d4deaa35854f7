"""The control plane: indexes are made, listed, described, configured and deleted."""

from __future__ import annotations

import urllib.parse
from typing import Any

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone import snapshots
from aimock.surfaces.vector.pinecone.places import ACCEPTED, DIALECT, SETTINGS, copied, created, index_named, index_of
from aimock.surfaces.vector.store import Collection
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.index_requests import configured, read_creation, read_creation_for_model
from aimock_protocols.pinecone.indexes import described, is_expressible
from aimock_protocols.pinecone.versions import version_of


def _list(call: Call) -> Answer:
    version = version_of(call.exchange.head.headers)
    known = [each for each in call.store.of(DIALECT, "") if is_expressible(index_of(each), version)]
    return call.reply(200, {"indexes": [told(call, each) for each in known]})


def _create(call: Call) -> Answer:
    index = read_creation(call.body(), f"index-{call.exchange.stamp.hexadecimal(8)}")
    source = index.source_collection
    if source is None:
        return call.reply(201, told(call, created(call, index)))
    return call.reply(201, told(call, copied(call, snapshots.collection_named(call, source), index)))


def _create_for_model(call: Call) -> Answer:
    return call.reply(201, told(call, created(call, read_creation_for_model(call.body()))))


def _describe(call: Call) -> Answer:
    collection = index_named(call, call.params["name"])
    return call.reply(200, told(call, collection, is_ready=call.is_ready(collection)))


def _configure(call: Call) -> Answer:
    collection = index_named(call, call.params["name"])
    collection.metadata[SETTINGS] = configured(index_of(collection), call.body()).settings
    collection.changed()
    return call.reply(200, told(call, collection))


def _delete(call: Call) -> Answer:
    collection = index_named(call, call.params["name"])
    if index_of(collection).deletion_protection == "enabled":
        how = "Disable deletion protection before retrying."
        raise refusal(f"Deletion protection is enabled for this index. {how}", 403)
    call.store.drop(collection)
    snapshots.source_deleted(call, collection)
    return call.respond(ACCEPTED)


def told(call: Call, collection: Collection, is_ready: bool = True) -> dict[str, Any]:
    """An index described; clients reach it at a host of its own, which is a path of ours."""
    host = call.url(f"/i/{urllib.parse.quote(collection.name, safe='')}")
    return described(index_of(collection), host, is_ready)


ROUTES = (
    Route("GET", "/indexes", "list", _list),
    Route("POST", "/indexes", "upsert", _create),
    Route("POST", "/indexes/create-for-model", "upsert", _create_for_model),
    Route("GET", "/indexes/{name}", "describe", _describe),
    Route("PATCH", "/indexes/{name}", "upsert", _configure),
    Route("DELETE", "/indexes/{name}", "delete", _delete),
)

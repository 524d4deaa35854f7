"""Calls of Chroma's first version. Its server answers none of them any more; these four are what mocks are asked by
that stand in for an old one. A collection goes by its name or its id, in the default database."""

from __future__ import annotations

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.chroma.keeping import NAME, as_shown
from aimock.surfaces.vector.chroma.records import Writing, queried, write
from aimock.surfaces.vector.store import Collection
from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.chroma.errors import not_found


def list_collections(call: Call) -> Answer:
    return call.reply(200, [as_shown(collection) for collection in call.store.of(NAME, "")])


def add(call: Call) -> Answer:
    write(_found, call, Writing.ADD)
    return call.reply(201, True)


def query(call: Call) -> Answer:
    return queried(_found, call)


def delete_collection(call: Call) -> Answer:
    call.store.drop(_found(call))
    return call.reply(200, {"status": "ok"})


def gone(call: Call) -> Answer:
    raise WireError(ErrorReply("The v1 API is deprecated. Please use /v2 apis", "Unimplemented", status=410))


def _found(call: Call) -> Collection:
    key = call.params["collection"]
    found = call.collection(key)
    if found is None:
        found = call.collection_with_id(key)
    if found is None or found.scope:
        raise not_found(f"Collection [{key}] does not exist")
    return found

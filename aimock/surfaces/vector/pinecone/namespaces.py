"""The data plane's namespaces: made, listed, described, deleted."""

from __future__ import annotations

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.places import (
    Place,
    forget_namespace,
    keep_namespace,
    located,
    namespaces_of,
)
from aimock_protocols.pinecone import namespaces as wire
from aimock_protocols.pinecone.errors import not_found, refusal
from aimock_protocols.pinecone.pages import page
from aimock_protocols.pinecone.versions import version_of


def _list(call: Call) -> Answer:
    prefix, limit, token = wire.read_listing(call.query)
    collection = located(call, "").collection
    known = {wire.named(name): (name, schema) for name, schema in namespaces_of(collection).items()}
    names = sorted(name for name in known if name.startswith(prefix))
    shown = page(names, limit, token)
    version = version_of(call.exchange.head.headers)
    described = [
        wire.description(name, len(collection.namespace(name)), schema, version)
        for name, schema in (known[each] for each in shown.keys)
    ]
    return call.reply(200, wire.listing(described, shown, len(names)))


def _create(call: Call) -> Answer:
    asked = wire.read_creation(call.body())
    place = located(call, asked.name)
    if place.exists:
        raise refusal(f"Namespace '{asked.name}' already exists", 409)
    keep_namespace(place.collection, asked.name, asked.schema)
    return _described(call, place)


def _describe(call: Call) -> Answer:
    return _described(call, _existing(call))


def _delete(call: Call) -> Answer:
    place = _existing(call)
    place.namespace.clear()
    forget_namespace(place.collection, place.name)
    return call.reply(200, {})


def _described(call: Call, place: Place) -> Answer:
    schema = namespaces_of(place.collection).get(place.name)
    version = version_of(call.exchange.head.headers)
    return call.reply(200, wire.description(place.name, len(place.namespace), schema, version))


def _existing(call: Call) -> Place:
    place = located(call, wire.valid_namespace(call.params["namespace"], "namespace"))
    if not place.exists:
        raise not_found("Namespace")
    return place


ROUTES = (
    Route("GET", "/namespaces", "list", _list),
    Route("POST", "/namespaces", "upsert", _create),
    Route("GET", "/namespaces/{namespace}", "describe", _describe),
    Route("DELETE", "/namespaces/{namespace}", "delete", _delete),
)

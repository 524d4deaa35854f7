"""Pinecone's routes, and its words for errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from aimock.cors import CORS
from aimock.net.exchange import Head
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Dialect, Route
from aimock.surfaces.vector.pinecone import documents, grpc, indexes, inference, namespaces, records, snapshots, vectors
from aimock.surfaces.vector.pinecone.places import DIALECT
from aimock_protocols.canonical import ErrorReply, WireResponse
from aimock_protocols.pinecone import errors
from aimock_protocols.pinecone.versions import HEADER

_CONTROL = (*indexes.ROUTES, *snapshots.ROUTES, *inference.ROUTES)
_DATA = (*vectors.ROUTES, *namespaces.ROUTES, *records.ROUTES, *documents.ROUTES, *grpc.ROUTES)


def _routes() -> Iterator[Route]:
    """The data plane is at each index's own host, and at the service's too."""
    yield from _CONTROL
    for route in _DATA:
        yield route
        yield route._replace(template=f"/i/{{index}}{route.template}")


class Pinecone(Dialect):
    name: ClassVar[str] = DIALECT
    routes: Sequence[Route] = (*_routes(),)

    def means(self, head: Head) -> bool:
        return HEADER in head.headers

    def error(self, call: Call, error: ErrorReply) -> WireResponse:
        told = errors.encode(error, call.exchange.head.path.removeprefix(call.service.path))
        return told._replace(headers=(*told.headers, *CORS))

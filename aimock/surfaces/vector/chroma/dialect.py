"""Chroma's API as the service has it: routes, marks of its clients, errors."""

from __future__ import annotations

from typing import ClassVar

import orjson

from aimock.cors import CORS
from aimock.net.exchange import Head
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.chroma import catalog, old, records
from aimock.surfaces.vector.chroma.keeping import NAME
from aimock.surfaces.vector.dialect import Dialect, Route
from aimock_protocols.canonical import ErrorReply, WireResponse
from aimock_protocols.chroma.errors import body_of

_ERROR_HEADERS = (("content-type", "application/json"), *CORS, ("chroma-trace-id", "0" * 32))
"""The id is what a server says that traces nothing."""
_V1, _V2 = "/api/v1", "/api/v2"
_TENANTS = f"{_V2}/tenants"
_DATABASES = f"{_TENANTS}/{{tenant}}/databases"
_DATABASE = f"{_DATABASES}/{{database}}"
_COLLECTIONS = f"{_DATABASE}/collections"
_COLLECTION = f"{_COLLECTIONS}/{{collection}}"

_ROUTES = (
    Route("GET", _V2, "describe", catalog.heartbeat, is_probe=True),
    Route("GET", f"{_V2}/heartbeat", "describe", catalog.heartbeat, is_probe=True),
    Route("GET", f"{_V2}/version", "describe", catalog.version, is_probe=True),
    Route("GET", f"{_V2}/healthcheck", "describe", catalog.healthcheck, is_probe=True),
    Route("GET", f"{_V2}/pre-flight-checks", "describe", catalog.pre_flight, is_probe=True),
    Route("GET", f"{_V2}/auth/identity", "describe", catalog.identity, is_probe=True),
    Route("POST", f"{_V2}/reset", "delete", catalog.reset),
    Route("POST", _TENANTS, "unknown", catalog.create_tenant),
    Route("GET", f"{_TENANTS}/{{tenant}}", "describe", catalog.get_tenant),
    Route("PATCH", f"{_TENANTS}/{{tenant}}", "unknown", catalog.update_tenant),
    Route("POST", _DATABASES, "unknown", catalog.create_database),
    Route("GET", _DATABASES, "list", catalog.list_databases),
    Route("GET", _DATABASE, "describe", catalog.get_database),
    Route("DELETE", _DATABASE, "delete", catalog.delete_database),
    Route("GET", f"{_DATABASE}/collections_count", "describe", catalog.count_collections),
    Route("GET", _COLLECTIONS, "list", catalog.list_collections),
    Route("POST", _COLLECTIONS, "unknown", catalog.create_collection),
    Route("GET", f"{_COLLECTIONS}/by-id/{{collection}}", "describe", catalog.get_collection_by_id),
    Route("GET", _COLLECTION, "describe", catalog.get_collection),
    Route("PUT", _COLLECTION, "unknown", catalog.modify_collection),
    Route("DELETE", _COLLECTION, "delete", catalog.delete_collection),
    Route("POST", f"{_COLLECTION}/add", "upsert", records.add),
    Route("POST", f"{_COLLECTION}/upsert", "upsert", records.upsert),
    Route("POST", f"{_COLLECTION}/update", "upsert", records.update),
    Route("POST", f"{_COLLECTION}/delete", "delete", records.delete),
    Route("POST", f"{_COLLECTION}/get", "query", records.get),
    Route("POST", f"{_COLLECTION}/query", "query", records.query),
    Route("POST", f"{_COLLECTION}/search", "query", records.search),
    Route("GET", f"{_COLLECTION}/count", "describe", records.count),
    Route("POST", f"{_COLLECTION}/fork", "unknown", catalog.fork),
    Route("GET", f"{_COLLECTION}/fork_count", "describe", catalog.fork_count),
    Route("GET", f"{_COLLECTION}/indexing_status", "describe", catalog.indexing_status),
    Route("POST", f"{_COLLECTION}/functions/attach", "unknown", catalog.attach_function),
    Route("GET", f"{_COLLECTION}/functions/{{function}}", "describe", catalog.get_function),
    Route("POST", f"{_COLLECTION}/attached_functions/{{function}}/detach", "unknown", catalog.detach_function),
    Route("GET", f"{_V1}/collections", "list", old.list_collections),
    Route("DELETE", f"{_V1}/collections/{{collection}}", "delete", old.delete_collection),
    Route("POST", f"{_V1}/collections/{{collection}}/add", "upsert", old.add),
    Route("POST", f"{_V1}/collections/{{collection}}/query", "query", old.query),
    *(Route(method, f"{_V1}/{{rest:path}}", "unknown", old.gone) for method in ("GET", "POST", "PUT", "DELETE")),
)


class Chroma(Dialect):
    name: ClassVar[str] = NAME
    provider: ClassVar[str] = "chromadb"

    routes = _ROUTES

    def means(self, head: Head) -> bool:
        return "x-chroma-token" in head.headers or "chroma" in head.headers.get("user-agent", "").lower()

    def error(self, call: Call, error: ErrorReply) -> WireResponse:
        return WireResponse(error.status, _ERROR_HEADERS, orjson.dumps(body_of(error)))

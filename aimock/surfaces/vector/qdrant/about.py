"""Routes that tell of the server itself."""

from __future__ import annotations

from collections.abc import Callable

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.qdrant.replies import ok
from aimock_protocols.canonical import WireResponse

VERSION = "1.19.0"
"""Of the server that is told: clients take those of one minor version more or less without a warning."""

_ID = "00000000-0000-4000-8000-000000000000"
_TEXT = (("content-type", "text/plain; charset=utf-8"),)


def _index(call: Call) -> Answer:
    return call.reply(200, {"title": "qdrant - vector search engine", "version": VERSION, "commit": "0" * 40})


def _saying(text: str) -> Callable[[Call], Answer]:
    return lambda call: call.respond(WireResponse(200, _TEXT, text.encode()))


def _telemetry(call: Call) -> Answer:
    count = len(call.store.of("qdrant"))
    app = {"name": "qdrant", "version": VERSION}
    return ok(call, {"id": _ID, "app": app, "collections": {"number_of_collections": count}})


def _metrics(call: Call) -> Answer:
    collections = call.store.of("qdrant")
    lines = (
        "# HELP app_info information about qdrant server",
        "# TYPE app_info gauge",
        f'app_info{{name="qdrant",version="{VERSION}"}} 1',
        "# HELP collections_total number of collections",
        "# TYPE collections_total gauge",
        f"collections_total {len(collections)}",
        "# HELP collections_vector_total total number of vectors in all collections",
        "# TYPE collections_vector_total gauge",
        f"collections_vector_total {sum(map(len, collections))}",
        "",
    )
    return _saying("\n".join(lines))(call)


def _cluster(call: Call) -> Answer:
    return ok(call, {"status": "disabled"})


ROUTES = (
    Route("GET", "/", "describe", _index, is_probe=True),
    Route("GET", "/healthz", "describe", _saying("healthz check passed"), is_probe=True),
    Route("GET", "/livez", "describe", _saying("healthz check passed"), is_probe=True),
    Route("GET", "/readyz", "describe", _saying("all shards are ready"), is_probe=True),
    Route("GET", "/telemetry", "describe", _telemetry, is_probe=True),
    Route("GET", "/metrics", "describe", _metrics, is_probe=True),
    Route("GET", "/cluster", "describe", _cluster, is_probe=True),
)

"""Qdrant's REST API.

- `target.py`: the collection that is meant. `fields.py`: its vectors. `replies.py`: how answers read.
- `collections.py`, `points.py`, `queries.py`, `about.py`: the routes.
- `writes.py`: what changes points. `searching.py`, `scoring.py`, `ordering.py`: what finds them.
"""

from __future__ import annotations

import orjson

from aimock.net.exchange import Head
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Dialect, Route
from aimock.surfaces.vector.qdrant import about, collections, points, queries
from aimock_protocols.canonical import ErrorReply, WireResponse
from aimock_protocols.qdrant.errors import envelope, malformed


class Qdrant(Dialect):
    name = "qdrant"
    routes: tuple[Route, ...] = (*collections.ROUTES, *points.ROUTES, *queries.ROUTES, *about.ROUTES)

    def means(self, head: Head) -> bool:
        agent = head.headers.get("user-agent", "")
        return "qdrant" in agent or agent.startswith("python-client/")

    def error(self, call: Call, error: ErrorReply) -> WireResponse:
        if error.type == "malformed":
            error = malformed(error.message).reply
        headers = (("content-type", "application/json"), *_retry(error))
        return WireResponse(error.status, headers, orjson.dumps(envelope(error)))


def _retry(error: ErrorReply) -> tuple[tuple[str, str], ...]:
    return () if error.retry_after is None else (("retry-after", f"{error.retry_after:g}"),)

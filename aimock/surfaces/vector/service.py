"""The vector database service: one store behind the APIs of several providers."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import trio

from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Head, Whole
from aimock.routing import Resolved, Router
from aimock.surfaces.mounted import Mounted
from aimock.surfaces.vector import shown
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Dialect, Route
from aimock.surfaces.vector.section import read_section, take
from aimock.surfaces.vector.store import Store
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp

THREADS = 2
"""Queries that are computed at the same time, beside the server's loop; more wait."""


class Spoken(NamedTuple):
    """A dialect and what it has for a path."""

    dialect: Dialect
    resolved: Resolved[Route]


class VectorService(Mounted):
    """The store, behind all dialects at once: their paths differ but for a few, where a client's headers decide, else
    the order of the dialects. Under its own name (`/vector/qdrant/…`) each is alone; and what no other API here has is
    answered at the origin too, for clients that take no path."""

    name = "vector"
    shows = shown.PARAMETERS

    def __init__(self, store: Store, dialects: Sequence[Dialect], *, allow_reset: bool = False) -> None:
        """`allow_reset`: whether an API that has a call for it may empty what its clients see."""
        super().__init__()
        self.store = store
        self.allows_reset = allow_reset
        self.threads = trio.CapacityLimiter(THREADS)
        self._dialects = {dialect.name: dialect for dialect in dialects}
        self._routers = {dialect.name: _router(dialect) for dialect in dialects}

    # -- what every service has ------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "collections": len(self.store)}

    def shown(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        return super().shown(parameters) | shown.collections(self.store, parameters)

    def reset(self) -> None:
        self.store.clear()

    def add(self, value: Any, directory: Path | None = None) -> int:
        """`directory`: from which paths of files in it are relative; None: they are refused."""
        return take(self.store, read_section(value, directory, is_start=False).collections)

    def rewind(self, test_id: str | None = None) -> None:
        for collection in self.store:
            if collection.script is not None:
                collection.script.rewind(test_id)

    def label(self, path: str) -> str:
        prefix, dialects, inside = self._addressed(path)
        labels = (self._routers[dialect.name].label(inside) for dialect in dialects)
        return prefix + next((label for label in labels if label is not None), "" if inside == "/" else "/{other}")

    def claims(self, head: Head) -> bool:
        spoken = self._spoken(head, head.path)
        return spoken is not None and (head.path != "/" or spoken.dialect.means(head))  # the root has a page of ours

    async def aclose(self) -> None:
        await super().aclose()
        self.store.close()

    # -- requests --------------------------------------------------------------------------------------------------

    def respond(self, exchange: Exchange, path: str) -> Answer:
        spoken = self._spoken(exchange.head, path)
        if spoken is None:
            return self._no_route(exchange, path)
        dialect, (route, params, _) = spoken
        decoded = {key: urllib.parse.unquote(value) for key, value in params.items()}
        call = Call(self, exchange, dialect, route.operation, decoded)
        if route.is_probe:
            return call.answered(route.handle)
        serve = functools.partial(call.answered, route.handle)
        return self.under_chaos(exchange, serve, streamed=False, fail=call.fail, error_frame=_no_stream)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        path = exchange.head.path.removeprefix(self.path) or "/"
        return self._unrouted(exchange, path).fail(ErrorReply(message, status=status))

    def _no_route(self, exchange: Exchange, path: str) -> Whole:
        _, dialects, inside = self._addressed(path)
        allowed = sorted({each for dialect in dialects for each in self._routers[dialect.name].methods(inside)})
        call = self._unrouted(exchange, path)
        if allowed:
            refusal = call.fail(ErrorReply("Method Not Allowed", status=405))
            refusal.headers = (*refusal.headers, ("allow", ", ".join(allowed)))
            return refusal
        self.missed(exchange, "no vector database's API has this path")
        return call.fail(ErrorReply("Not Found", status=404))

    def _unrouted(self, exchange: Exchange, path: str) -> Call:
        """A call to the API that a request for no route of any is most likely for."""
        _, dialects, _ = self._addressed(path)
        return Call(self, exchange, self._preferring(exchange.head, dialects)[0], "unknown", {})

    def _spoken(self, head: Head, path: str) -> Spoken | None:
        """The dialect that a request is in, and its route."""
        _, dialects, inside = self._addressed(path)
        for dialect in self._preferring(head, dialects):
            resolved = self._routers[dialect.name].resolve(head.method, inside)
            if resolved is not None:
                return Spoken(dialect, resolved)
        return None

    def _addressed(self, path: str) -> tuple[str, Sequence[Dialect], str]:
        """The part of a path that names a dialect, if it does, the dialects that may have the rest, and the rest."""
        _, first, *rest = path.split("/", 2)
        if first in self._dialects:
            return f"/{first}", [self._dialects[first]], "/" + "".join(rest)
        return "", [*self._dialects.values()], path

    @staticmethod
    def _preferring(head: Head, dialects: Iterable[Dialect]) -> Sequence[Dialect]:
        return sorted(dialects, key=lambda dialect: not dialect.means(head))


def _router(dialect: Dialect) -> Router[Route]:
    router: Router[Route] = Router(lambda path: [path] if path == "/" else [path, path.rstrip("/")])
    for route in dialect.routes:
        router.add(route.method, route.template, route)
    return router


def _no_stream(error: ErrorReply, stamp: Stamp) -> Frame:
    """These APIs have no streams, in the midst of which an error could be told."""
    return Frame(b"", FrameKind.TOKEN)

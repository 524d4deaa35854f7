"""The data plane over gRPC is not spoken: who asks by it is told so, in a way that a gRPC client understands."""

from __future__ import annotations

import urllib.parse

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock_protocols.canonical import WireResponse

_WHY = "gRPC is not spoken here: use the REST client, pc.index(name) without grpc=True"
_UNIMPLEMENTED = "12"


def _refuse(call: Call) -> Answer:
    """A response that has its trailers in its head, for it has no messages (gRPC over HTTP/2, "Trailers-Only")."""
    told = (("grpc-status", _UNIMPLEMENTED), ("grpc-message", urllib.parse.quote(_WHY, safe=" :,()=.")))
    return call.respond(WireResponse(200, (("content-type", "application/grpc"), *told), b""))


ROUTES = (Route("POST", "/VectorService/{method}", "unknown", _refuse),)

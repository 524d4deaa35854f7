"""How answers go over HTTP: by JSON-RPC, or as the HTTP+JSON binding has them.

Both stream server-sent events. Source: A2A 1.0 §9 and §11, and what a2a-sdk's servers send.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import attrs
import orjson

from aimock_protocols import jsonrpc, sse
from aimock_protocols.a2a.errors import A2AError, rest_error, rpc_error
from aimock_protocols.a2a.operations import Operation, written
from aimock_protocols.a2a.versions import Version

JSON = "application/json"
A2A_JSON = "application/a2a+json"


_DEPTH = 100
"""As deep as protobuf's parsers go; what is deeper could not be written again."""


def loads(body: bytes) -> Any:
    """The JSON value of a request's body. Raises RpcError (-32700), for one that is nested too deep as well."""
    value = jsonrpc.loads(body)
    level = [value] if body.count(b"[") + body.count(b"{") > _DEPTH else []
    for _ in range(_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise jsonrpc.RpcError(jsonrpc.PARSE_ERROR, f"Parse error: nested more than {_DEPTH} levels deep")
    return value


class Told(NamedTuple):
    """A whole response."""

    status: int
    media_type: str
    body: bytes


class Binding(Protocol):
    """One request's way of being answered."""

    @property
    def version(self) -> Version: ...

    def whole(self, operation: Operation, value: Any) -> Told:
        """An answer; `value` is in 1.0."""

    def failure(self, error: A2AError, status: int | None = None) -> Told:
        """An error; `status` in place of its own."""

    def event(self, operation: Operation, value: Any) -> bytes:
        """An event of a stream; `value` is a StreamResponse in 1.0."""

    def failure_event(self, error: A2AError) -> bytes:
        """An error in a stream that has begun."""


@attrs.frozen
class JsonRpc:
    """The answer to one JSON-RPC request."""

    version: Version = Version.V1
    id: jsonrpc.Id = None

    def whole(self, operation: Operation, value: Any) -> Told:
        return Told(200, JSON, self._result(operation, value))

    def failure(self, error: A2AError, status: int | None = None) -> Told:
        return Told(status or 200, JSON, orjson.dumps(rpc_error(error, self.version, self.id)))

    def event(self, operation: Operation, value: Any) -> bytes:
        return sse.encode(self._result(operation, value))

    def failure_event(self, error: A2AError) -> bytes:
        """Named, in 1.0: a2a-sdk's client looks there. That of 0.3 looks into the data alone."""
        body = orjson.dumps(rpc_error(error, self.version, self.id))
        return sse.encode(body, b"error" if self.version is Version.V1 else None)

    def _result(self, operation: Operation, value: Any) -> bytes:
        return orjson.dumps(jsonrpc.result(self.id, written(operation, self.version, value)))


@attrs.frozen
class Rest:
    """The answer to one request over HTTP+JSON, which is 1.0 only."""

    version: Version = Version.V1

    def whole(self, operation: Operation, value: Any) -> Told:
        return Told(200, A2A_JSON, orjson.dumps({} if value is None else value))

    def failure(self, error: A2AError, status: int | None = None) -> Told:
        return Told(status or error.kind.status, A2A_JSON, orjson.dumps(rest_error(error, status)))

    def event(self, operation: Operation, value: Any) -> bytes:
        return sse.encode(orjson.dumps(value))

    def failure_event(self, error: A2AError) -> bytes:
        return sse.encode(orjson.dumps(rest_error(error)), b"error")

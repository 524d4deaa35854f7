"""JSON-RPC 2.0: what one message is, what is wrong with one, and how answers are written.

Bytes become a JSON value (`loads`), a value becomes a `Request`, a `Notification` or a `Response` (`message`), and
whatever cannot be one is an `RpcError` that knows its code and, where it could be read, the id that the answer must
carry. Batches are lists of values: whether one may come is the business of the protocol above, and so are its HTTP
status codes. Parameters are by name throughout, as MCP and A2A have them.

Source: jsonrpc.org/specification, sections 4 to 6.
"""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from aimock_protocols.json_bodies import is_writable

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

VERSION = "2.0"

Id = str | int | None
"""None where an id could not be read, or where a protocol allows null."""

_ID_BITS = 64
"""Integers of more bits come as floats, and cannot be written as they came."""


@attrs.frozen
class Request:
    """A call that wants an answer."""

    id: Id
    method: str
    params: dict[str, Any]


@attrs.frozen
class Notification:
    """A call that wants none."""

    method: str
    params: dict[str, Any]


@attrs.frozen
class Response:
    """An answer to a request of ours: one of result and error."""

    id: Id
    result: Any = None
    error: dict[str, Any] | None = None


Message = Request | Notification | Response


class RpcError(Exception):
    """An error that is told to the peer: what it sent is no message, or what it asks for cannot be had."""

    def __init__(self, code: int, message: str, data: Any = None, id: Id = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        """Told only if it is not None."""
        self.id = id
        """Of the request that is refused, where it could be read."""

    def response(self, id: Id = None) -> dict[str, Any]:
        """The error as an answer, to its own request or to `id`."""
        return error(self.id if id is None else id, self.code, self.message, self.data)


def loads(body: bytes | str) -> Any:
    """The JSON value of a body, which can be written again. Raises RpcError (-32700)."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise RpcError(PARSE_ERROR, f"Parse error: {wrong}") from None
    if not is_writable(value):
        raise RpcError(PARSE_ERROR, "Parse error: nested too deeply")
    return value


def message(value: Any, *, null_ids: bool = False) -> Message:
    """A JSON value as the message that it is. Raises RpcError (-32600, -32602).

    `null_ids`: a request may say `"id": null` and is answered under it (A2A); otherwise that is refused (MCP).
    """
    if type(value) is not dict:
        raise RpcError(INVALID_REQUEST, f"Invalid Request: expected an object, got {_kind(value)}")
    has_id = "id" in value
    id = value.get("id")
    known = id if _is_id(id) else None
    if value.get("jsonrpc") != VERSION:
        raise RpcError(INVALID_REQUEST, 'Invalid Request: "jsonrpc" must be "2.0"', id=known)
    if has_id and known is None and not (null_ids and id is None):
        raise RpcError(INVALID_REQUEST, f'Invalid Request: "id" must be a string or an integer, got {_kind(id)}')
    if "method" not in value:
        return _response(value, known)
    method = value["method"]
    if type(method) is not str or not method:
        raise RpcError(INVALID_REQUEST, 'Invalid Request: "method" must be a string that is not empty', id=known)
    if "result" in value or "error" in value:
        raise RpcError(INVALID_REQUEST, "Invalid Request: a message is a call or an answer, not both", id=known)
    params = value.get("params", {})
    if type(params) is list:
        raise RpcError(INVALID_PARAMS, 'Invalid params: "params" must be an object; none are taken by place', id=known)
    if type(params) is not dict:
        raise RpcError(INVALID_REQUEST, f'Invalid Request: "params" must be an object, got {_kind(params)}', id=known)
    return Request(known, method, params) if has_id else Notification(method, params)


def _response(value: dict[str, Any], id: Id) -> Response:
    error = value.get("error")
    if ("result" in value) == ("error" in value):
        raise RpcError(INVALID_REQUEST, 'Invalid Request: neither a "method" nor one of "result" and "error"', id=id)
    if "id" not in value:
        raise RpcError(INVALID_REQUEST, 'Invalid Request: an answer needs an "id"')
    if "error" in value and not (
        type(error) is dict and type(error.get("code")) is int and type(error.get("message")) is str
    ):
        raise RpcError(INVALID_REQUEST, 'Invalid Request: "error" needs an integer "code" and a "message"', id=id)
    return Response(id, value.get("result"), error)


def _is_id(id: Any) -> bool:
    return type(id) is str or (type(id) is int and id.bit_length() < _ID_BITS)


_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def request(id: Id, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """A call of ours, as a JSON value."""
    return {"jsonrpc": VERSION, "id": id, "method": method} | ({} if params is None else {"params": params})


def notification(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """A call of ours that wants no answer."""
    return {"jsonrpc": VERSION, "method": method} | ({} if params is None else {"params": params})


def result(id: Id, value: Any) -> dict[str, Any]:
    """The answer to a request."""
    return {"jsonrpc": VERSION, "id": id, "result": value}


def error(id: Id, code: int, message: str, data: Any = None) -> dict[str, Any]:
    """The answer to a request that is refused; `data` is told only if it is not None."""
    told = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": VERSION, "id": id, "error": told}

"""The errors of MCP beyond JSON-RPC's own, and the HTTP statuses that the modern era has for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import RpcError

RESOURCE_NOT_FOUND = -32002
"""Legacy; the modern era says -32602."""
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
URL_ELICITATION_REQUIRED = -32042
"""2025-11-25 only."""

_STATUSES = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    jsonrpc.METHOD_NOT_FOUND: 404,
}


def modern_status(response: dict[str, Any]) -> int:
    """The HTTP status of a response in the modern era; in the legacy one all that were understood have 200."""
    return _STATUSES.get(response["error"]["code"], 200) if "error" in response else 200


def method_not_found(method: str) -> RpcError:
    return RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {method}")


def invalid_params(message: str, data: Any = None) -> RpcError:
    return RpcError(jsonrpc.INVALID_PARAMS, message, data)


def header_mismatch(message: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"Header mismatch: {message}")


def unsupported_version(requested: str, supported: Sequence[str]) -> RpcError:
    data = {"supported": list(supported), "requested": requested}
    return RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)


def missing_capability(required: dict[str, Any]) -> RpcError:
    """`required`: the capabilities in the form in which a client declares them."""
    return RpcError(MISSING_CAPABILITY, "Missing required client capability", {"requiredCapabilities": required})

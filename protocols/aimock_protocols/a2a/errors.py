"""Errors of A2A: one table for JSON-RPC codes, HTTP statuses and reasons.

Source: A2A 1.0 §5.4 and §9.5; a2a-sdk's `utils/errors.py` and `utils/error_handlers.py` for the details.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aimock_protocols import jsonrpc
from aimock_protocols.a2a.versions import Version

DOMAIN = "a2a-protocol.org"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

Violation = tuple[str, str]
"""A field, as the client wrote it, and what is wrong with it."""


class Kind(NamedTuple):
    """What kind of error it is, in all the ways in which that is told."""

    code: int
    status: int
    """Of HTTP, in the HTTP+JSON binding."""
    rpc_status: str
    """The name of that status in gRPC."""
    reason: str
    message: str


_BLOCKED = "FAILED_PRECONDITION"
_INVALID = "INVALID_ARGUMENT"

TASK_NOT_FOUND = Kind(-32001, 404, "NOT_FOUND", "TASK_NOT_FOUND", "Task not found")
TASK_NOT_CANCELABLE = Kind(-32002, 400, _BLOCKED, "TASK_NOT_CANCELABLE", "Task cannot be canceled")
PUSH_NOT_SUPPORTED = Kind(
    -32003, 400, _BLOCKED, "PUSH_NOTIFICATION_NOT_SUPPORTED", "Push Notification is not supported"
)
UNSUPPORTED_OPERATION = Kind(-32004, 400, _BLOCKED, "UNSUPPORTED_OPERATION", "This operation is not supported")
CONTENT_TYPE_NOT_SUPPORTED = Kind(-32005, 400, _INVALID, "CONTENT_TYPE_NOT_SUPPORTED", "Incompatible content types")
INVALID_AGENT_RESPONSE = Kind(-32006, 500, "INTERNAL", "INVALID_AGENT_RESPONSE", "Invalid agent response")
NO_EXTENDED_CARD = Kind(
    -32007, 400, _BLOCKED, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", "Authenticated Extended Card is not configured"
)
EXTENSION_REQUIRED = Kind(-32008, 400, _BLOCKED, "EXTENSION_SUPPORT_REQUIRED", "Extension support required")
VERSION_NOT_SUPPORTED = Kind(-32009, 400, _BLOCKED, "VERSION_NOT_SUPPORTED", "Version not supported")
NO_MATCH = Kind(-32000, 404, "NOT_FOUND", "NO_MATCHING_PATTERN", "No matching pattern for message")
"""Not of the specification: no fixture answers."""
PARSE_ERROR = Kind(jsonrpc.PARSE_ERROR, 400, _INVALID, "PARSE_ERROR", "Invalid JSON payload")
INVALID_REQUEST = Kind(jsonrpc.INVALID_REQUEST, 400, _INVALID, "INVALID_REQUEST", "Invalid Request")
METHOD_NOT_FOUND = Kind(jsonrpc.METHOD_NOT_FOUND, 404, "NOT_FOUND", "METHOD_NOT_FOUND", "Method not found")
INVALID_PARAMS = Kind(jsonrpc.INVALID_PARAMS, 400, _INVALID, "INVALID_PARAMS", "Invalid params")
INTERNAL_ERROR = Kind(jsonrpc.INTERNAL_ERROR, 500, "INTERNAL", "INTERNAL_ERROR", "Internal error")

KINDS: tuple[Kind, ...] = (
    TASK_NOT_FOUND,
    TASK_NOT_CANCELABLE,
    PUSH_NOT_SUPPORTED,
    UNSUPPORTED_OPERATION,
    CONTENT_TYPE_NOT_SUPPORTED,
    INVALID_AGENT_RESPONSE,
    NO_EXTENDED_CARD,
    EXTENSION_REQUIRED,
    VERSION_NOT_SUPPORTED,
    NO_MATCH,
    PARSE_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    INVALID_PARAMS,
    INTERNAL_ERROR,
)
BY_CODE: Mapping[int, Kind] = {kind.code: kind for kind in KINDS}
BY_REASON: Mapping[str, Kind] = {kind.reason: kind for kind in KINDS}

_UNKNOWN_IN_0_3 = frozenset({EXTENSION_REQUIRED.code, VERSION_NOT_SUPPORTED.code})
"""Its clients know no such codes, and are told of an internal error, as a2a-sdk does."""


class A2AError(Exception):
    """An error that is told to the client. Has no binding: the same is told by each in its way."""

    def __init__(
        self,
        kind: Kind,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        data: Any = None,
    ) -> None:
        """`data`: told in place of the details."""
        super().__init__(message or kind.message)
        self.kind = kind
        self.message = message or kind.message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.data = data

    def details(self) -> list[dict[str, Any]]:
        """As 1.0 has them, in both bindings."""
        info = {"@type": _ERROR_INFO, "reason": self.kind.reason, "domain": DOMAIN, "metadata": self.metadata}
        if not self.violations:
            return [info]
        fields = [{"field": field, "description": wrong} for field, wrong in self.violations]
        return [info, {"@type": _BAD_REQUEST, "fieldViolations": fields}]


def unfit(field: str, wrong: str) -> A2AError:
    """A parameter that cannot be what it is."""
    return A2AError(INVALID_PARAMS, f"Invalid params: {field}: {wrong}", violations=[(field, wrong)])


def rpc_error(error: A2AError, version: Version, id: jsonrpc.Id) -> dict[str, Any]:
    """The error as a JSON-RPC answer."""
    if version is Version.V1:
        data = error.details() if error.data is None else error.data
        return jsonrpc.error(id, error.kind.code, error.message, data)
    told: dict[str, Any] = dict(error.metadata)
    if error.violations:
        told["errors"] = [{"field": field, "message": wrong} for field, wrong in error.violations]
    code = jsonrpc.INTERNAL_ERROR if error.kind.code in _UNKNOWN_IN_0_3 else error.kind.code
    return jsonrpc.error(id, code, error.message, (told or None) if error.data is None else error.data)


def rest_error(error: A2AError, status: int | None = None) -> dict[str, Any]:
    """The error as the HTTP+JSON binding has it (`google.rpc.Status` in an envelope)."""
    details = error.details() if error.data is None else error.data
    told = {"code": status or error.kind.status, "status": error.kind.rpc_status, "message": error.message}
    return {"error": told | {"details": details if isinstance(details, list) else [details]}}

"""Which era a request is of, and what a modern one says of itself: the ladder that it must climb.

Sources: 2026-07-28, basic/index "Per-request protocol fields", basic/transports/streamable-http "Standard headers";
spec/wire-mcp.md §1 (order of the signs), §4.1 (order of the rungs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aimock_protocols.jsonrpc import Request
from aimock_protocols.mcp import header_values
from aimock_protocols.mcp.errors import header_mismatch, invalid_params, unsupported_version
from aimock_protocols.mcp.revisions import LEGACY, MODERN

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
RELATED_TASK_KEY = "io.modelcontextprotocol/related-task"

VERSION_HEADER = "mcp-protocol-version"
METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
SESSION_HEADER = "mcp-session-id"

_NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The parameter that `Mcp-Name` repeats."""

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the least severe first (RFC 5424)."""


def is_modern(headers: Mapping[str, str], body: Any) -> bool:
    """Whether a POST is of the modern era, or so like it that its errors must be told in modern words: a client that
    hears a legacy one goes back to `initialize`."""
    version = headers.get(VERSION_HEADER, "").strip()
    if version == MODERN:
        return True
    params = body.get("params") if type(body) is dict else None
    meta = params.get("_meta") if type(params) is dict else None
    if type(meta) is dict and VERSION_KEY in meta:
        return True
    if type(body) is dict and body.get("method") == "initialize":
        return False
    if SESSION_HEADER in headers or not version or version in LEGACY:
        return False
    return type(meta) is dict or METHOD_HEADER in headers


@attrs.frozen
class Envelope:
    """What a modern request says of its client."""

    version: str
    capabilities: dict[str, Any]
    log_level: str | None
    """The least severe log messages that it wants; None: none at all."""
    progress_token: str | int | None


def climb(
    request: Request, headers: Mapping[str, str] | None, lines: Sequence[tuple[str, str]], supported: Sequence[str]
) -> Envelope:
    """The rungs that hold for all methods. `headers` is None where there are none (stdio); names in lower case.

    Raises RpcError: -32602, -32020, -32022, in this order.
    """
    meta = request.params.get("_meta")
    if type(meta) is not dict:
        raise invalid_params(f"params._meta must be an object with {VERSION_KEY} and {CAPABILITIES_KEY}")
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise invalid_params(f"params._meta lacks {' and '.join(missing)}")
    version, capabilities = meta[VERSION_KEY], meta[CAPABILITIES_KEY]
    if type(capabilities) is not dict:
        raise invalid_params(f"params._meta.{CAPABILITIES_KEY} must be an object")
    if headers is not None:
        _check_headers(request, version, headers, lines)
    if type(version) is not str:
        raise invalid_params(f"params._meta.{VERSION_KEY} must be a string")
    if version != MODERN or MODERN not in supported:
        raise unsupported_version(version, supported)
    level = meta.get(LOG_LEVEL_KEY)
    if level is not None and level not in LEVELS:
        raise invalid_params(f"params._meta.{LOG_LEVEL_KEY} must be one of {', '.join(LEVELS)}")
    return Envelope(version, capabilities, level, progress_token(request.params))


def _check_headers(
    request: Request, version: Any, headers: Mapping[str, str], lines: Sequence[tuple[str, str]]
) -> None:
    for name in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER):
        if sum(line == name for line, _ in lines) > 1:
            raise header_mismatch(f"{name} is there more than once")
    expected = {VERSION_HEADER: version, METHOD_HEADER: request.method}
    if request.method in _NAMED_BY:
        expected[NAME_HEADER] = request.params.get(_NAMED_BY[request.method])
    for name, value in expected.items():
        if value is None and name == NAME_HEADER:
            continue  # its parameter is missing, which is the method's to say
        if name not in headers:
            raise header_mismatch(f"{name} is missing")
        said = headers[name].strip(" \t")
        if (header_values.decode(said) if name == NAME_HEADER else said) != value:
            raise header_mismatch(f"{name} is not what the body says")


def progress_token(params: Mapping[str, Any]) -> str | int | None:
    """The token under which a request wants to hear of its progress."""
    meta = params.get("_meta")
    token = meta.get("progressToken") if type(meta) is dict else None
    return token if type(token) in (str, int) else None

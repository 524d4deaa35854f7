"""How sessions tell of errors: they close, with a code by the kind of error. As the reference has it they go on, after
a message that the real service never sends (wire-gemini-live §4, §6)."""

from __future__ import annotations

import orjson

from aimock_protocols.canonical import ErrorReply
from aimock_protocols.gemini.platform import envelope_within
from aimock_protocols.sessions import Close

_INVALID, _POLICY, _INTERNAL = 1007, 1008, 1011
_CLOSE_CODES = {400: _INVALID, 401: _POLICY, 403: _POLICY, 404: _POLICY}
"""By the HTTP status of an error; of all others the server is at fault."""

_REASON_BYTES = 123
"""All that a close frame can hold (RFC 6455 5.5)."""

_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 501: 12, 503: 14}
_GRPC_INTERNAL = 13
_GRPC_NAMED = {"FAILED_PRECONDITION": 9}
"""Codes of google.rpc.Code that no HTTP status has for itself."""

_NO_MATCH = ErrorReply("No fixture matched", status=404)


def close(error: ErrorReply) -> Close:
    """The end of a session by an error, whose name is told where nothing else says that a quota is meant."""
    told = envelope_within(_plain(error))["error"]
    reason = f"{told['status']}: {told['message']}" if told["code"] == 429 else told["message"]
    return Close(_CLOSE_CODES.get(told["code"], _INTERNAL), _cut(reason))


def message(error: ErrorReply) -> bytes:
    """The reference's message."""
    error = _plain(error)
    told = envelope_within(error)["error"]
    status = error.type or told["status"]
    code = _GRPC_NAMED.get(status) or _GRPC_CODES.get(told["code"], _GRPC_INTERNAL)
    return orjson.dumps({"error": {"code": code, "message": told["message"], "status": status}})


def _plain(error: ErrorReply) -> ErrorReply:
    """A miss in the few words that both have for it."""
    return _NO_MATCH if error.code == "no_fixture_match" else error


def _cut(reason: str) -> str:
    return reason.encode(errors="replace")[:_REASON_BYTES].decode(errors="ignore")

"""Events that only a WebSocket has: refusals, and what becomes of steering (wire-openai-realtime §11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from aimock_protocols.canonical import ErrorReply
from aimock_protocols.openai_platform import told_error
from aimock_protocols.openai_responses.steering import Steer
from aimock_protocols.retrying import retry_headers
from aimock_protocols.sessions import Event

_REQUIRED = {
    "function_call": ("function_call_output", ("call_id", "name")),
    "custom_tool_call": ("custom_tool_call_output", ("call_id",)),
}
"""What answers each call, and what of the call tells which one is meant."""


def refused(error: ErrorReply, lane: str | None, carried: Iterable[Steer] = ()) -> list[Event]:
    """An error in place of a response, and given back what was to steer another one to it. The connection lives on."""
    told = told_error(error)
    headers = retry_headers(error)
    if headers:
        told["headers"] = dict(headers)
    given_back = (steer_failed(steer, lane, "successor_creation_failed", error.message) for steer in carried)
    return [_event("error", lane, status=error.status, error=told), *given_back]


def accepted(steer: Steer, lane: str | None, number: int) -> Event:
    """The input will be part of a response to come."""
    return _event("response.steer.accepted", lane, sequence_number=number, steer=_named(steer))


def pending(steer: Steer, lane: str | None, number: int, output: Iterable[dict[str, Any]]) -> Event:
    """The input waits for the results of the calls in the output that it came upon."""
    required = [
        {"type": answer, **{key: call[key] for key in keys}}
        for call in output
        if call["type"] in _REQUIRED
        for answer, keys in (_REQUIRED[call["type"]],)
    ]
    return _event(
        "response.steer.pending",
        lane,
        reason="waiting_for_required_input",
        required_input=required,
        sequence_number=number,
        steer=_named(steer),
    )


def steer_failed(steer: Steer, lane: str | None, code: str, message: str) -> Event:
    """The input is given back, for it will be part of no response; so the event is not numbered with any."""
    return _event(
        "response.steer.failed",
        lane,
        error={"code": code, "message": message, "type": "invalid_request_error"},
        sequence_number=0,
        steer={**_named(steer), "input": steer.input},
    )


def _named(steer: Steer) -> dict[str, Any]:
    named = {"previous_response_id": steer.previous}
    return named if steer.id is None else {"id": steer.id, **named}


def _event(name: str, lane: str | None, **members: Any) -> Event:
    named = {} if lane is None else {"stream_id": lane}
    return Event(orjson.dumps({"type": name, **members, **named}))

"""A client's events: read, handed to what handles their type, and refused (wire-openai-realtime §1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import orjson

from aimock_protocols.canonical import WireError
from aimock_protocols.json_bodies import is_writable
from aimock_protocols.openai_platform import missing, refusal
from aimock_protocols.openai_realtime import checks
from aimock_protocols.openai_realtime.events import ClientEvent, Mint, told
from aimock_protocols.sessions import Move

_S = TypeVar("_S")

Handlers = Mapping[str, Callable[[_S, ClientEvent, Mint], Iterable[Move]]]
"""What handles the events of each type."""

_NEVER_TOLD = ("input_audio_buffer.append", "session.input_audio_buffer.append")
"""Events of which nothing is ever told again: they are large, and any depth of theirs does no harm."""


def handled(handlers: Handlers[_S], session: _S, message: str | bytes, mint: Mint) -> Iterator[Move]:
    """What follows from a message; an error if it is refused. Worked out move by move: what was heard last in a message
    finds done what was heard first."""
    event_id = None
    try:
        event = _read(message)
        event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
        if "type" not in event:
            raise missing("type")
        yield from handlers[checks.choice(*handlers)(event["type"], "type")](session, event, mint)
    except WireError as error:
        yield told(mint.error(error.reply, event_id))


def _read(message: str | bytes) -> ClientEvent:
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise refusal(f"We could not parse the JSON body of your message: {error}", code="invalid_json") from None
    if type(event) is not dict:
        raise refusal("A message must be a JSON object.", code="invalid_json")
    if event.get("type") not in _NEVER_TOLD and not is_writable(event):
        raise refusal("The message is nested too deeply.", code="invalid_json")
    return event

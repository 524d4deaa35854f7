"""What an answer on a tape says, in no provider's terms."""

from __future__ import annotations

import logging
from typing import Any, cast

import attrs
import orjson

from aimock.record.tape import SWITCHED, TapeWriter
from aimock_protocols.canonical import (
    ChatProtocol,
    ErrorReply,
    Headers,
    Reply,
    Results,
    Vectors,
    WireError,
    WireProtocol,
)
from aimock_protocols.sessions import Followed, SocketProtocol

logger = logging.getLogger("aimock")

Said = Reply | Vectors | Results | ErrorReply | dict[str, Any]
"""An answer; or as a fixture's response what nobody here can read."""


def said_on(tape: TapeWriter, protocol: WireProtocol | SocketProtocol) -> Said:
    """What the answer says; as a fixture's response with the body itself, if nobody can read it."""
    try:
        said: Said = _read(tape, protocol)
    except WireError as error:
        said = error.reply
    except ValueError as error:
        logger.warning("%s answered with what cannot be read, it is kept as it is: %s", protocol.name, error)
        return {"json": _as_json(tape.body), "status": tape.status}
    if isinstance(said, ErrorReply) and tape.status >= 400:
        said = attrs.evolve(said, status=tape.status, retry_after=_retry_after(tape.headers))
    return said


def _read(tape: TapeWriter, protocol: WireProtocol | SocketProtocol) -> Any:
    """A reply, vectors or an error. Raises WireError and ValueError."""
    if tape.status == SWITCHED:
        return cast(Followed, protocol).said_in(tape.messages)
    if tape.is_stream:
        return cast(ChatProtocol, protocol).collapse([tape.body])
    return cast(WireProtocol, protocol).parse(tape.body)


def error_in(said: Said) -> ErrorReply | None:
    """The error that it is, or that a stream ended with, whatever status it came under."""
    if isinstance(said, Reply) and said.mid_stream_error is not None:
        return said.mid_stream_error.error
    return said if isinstance(said, ErrorReply) else None


def _retry_after(headers: Headers) -> float | None:
    """Seconds; what is no number (a date) is of its time, and not told again."""
    value = dict(headers).get("retry-after", "")
    return float(value) if value.isdecimal() else None


def _as_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")

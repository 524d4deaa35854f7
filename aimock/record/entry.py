"""The entry of a fixture file for what a provider answered: what it is found by, what it says, and what it was."""

from __future__ import annotations

import logging
from typing import Any, cast

import attrs
import orjson

from aimock.fixtures import Question
from aimock.fixtures.structure import response_json
from aimock.record.config import RecordConfig
from aimock.record.derive import derived_match, metadata_of
from aimock.record.tape import SWITCHED, TapeWriter, seal_of
from aimock_protocols.canonical import (
    ChatProtocol,
    ChatRequest,
    ErrorReply,
    Headers,
    WireError,
    WireProtocol,
)
from aimock_protocols.sessions import Followed, SocketProtocol

logger = logging.getLogger("aimock")


def entry_of(
    protocol: WireProtocol | SocketProtocol,
    chat: ChatRequest,
    question: Question,
    tape: TapeWriter,
    config: RecordConfig,
) -> dict[str, Any]:
    """What answers this request from now on, with a Tape under `recording`."""
    answer = _answer(protocol, tape)
    entry: dict[str, Any] = {"match": derived_match(question, config), "response": answer}
    timings = tape.timings()
    if timings is not None:
        entry["recordedTimings"] = timings
    metadata = metadata_of(chat)
    if metadata:
        entry["metadata"] = metadata
    return entry | {"recording": tape.tape(seal_of(answer))}


def _answer(protocol: WireProtocol | SocketProtocol, tape: TapeWriter) -> dict[str, Any]:
    """The answer as a fixture has it; the body itself, if nobody can read it."""
    try:
        said = _said(protocol, tape)
    except WireError as error:
        said = error.reply
    except ValueError as error:
        logger.warning("%s answered with what cannot be read, it is kept as it is: %s", protocol.name, error)
        return {"json": _as_json(tape.body), "status": tape.status}
    if isinstance(said, ErrorReply) and tape.status >= 400:
        said = attrs.evolve(said, status=tape.status, retry_after=_retry_after(tape.headers))
    return response_json(said)


def _said(protocol: WireProtocol | SocketProtocol, tape: TapeWriter) -> Any:
    """A reply, vectors or an error. Raises WireError and ValueError."""
    if tape.status == SWITCHED:
        return cast(Followed, protocol).said_in(tape.messages)
    if tape.is_stream:
        return cast(ChatProtocol, protocol).collapse([tape.body])
    return cast(WireProtocol, protocol).parse(tape.body)


def _retry_after(headers: Headers) -> float | None:
    """Seconds; what is no number (a date) is of its time, and not told again."""
    value = dict(headers).get("retry-after", "")
    return float(value) if value.isdecimal() else None


def _as_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")

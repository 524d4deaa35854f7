"""Answers read back, whole and streamed (wire-bedrock §3, §5, wire-stream-collapse §7).

Nobody says which family an answer is of: it is told by what it looks like.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, cast

import attrs

from aimock_protocols import eventstream
from aimock_protocols.bedrock_invoke.counts import METRICS, usage_of
from aimock_protocols.bedrock_invoke.families import of_answer
from aimock_protocols.bedrock_invoke.family import ChatFamily
from aimock_protocols.bedrock_platform import payload_of, read_error, read_exception
from aimock_protocols.canonical import ErrorReply, Reply, Results, Vectors, WireError
from aimock_protocols.collapsing import Collapsed, ended, json_object, mapping, only_reply, read_events


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    reader = _Reader()
    read = read_events(eventstream.messages(chunks), reader.take, payload_of)
    family = of_answer(reader.documents)
    if family is None:
        if reader.error is not None:
            raise WireError(reader.error)
        return Collapsed(Reply(), True, read.dropped, read.first_dropped)
    collapsed = cast(ChatFamily, family).collapse(reader.documents)
    return Collapsed(
        reader.reply(collapsed.reply),
        collapsed.truncated or read.broke_off or reader.error is not None,
        collapsed.dropped + read.dropped,
        collapsed.first_dropped or read.first_dropped,
    )


@attrs.define(eq=False)
class _Reader:
    """Takes the documents out of their events."""

    documents: list[dict[str, Any]] = attrs.field(factory=list)
    error: ErrorReply | None = None

    def take(self, message: eventstream.Message) -> bool:
        """Takes in one message of a stream; whether it was the last that counts. Raises ValueError."""
        self.error = read_exception(message)
        if self.error is None:
            payload = json_object(message.payload)
            wrapped = payload.get("bytes")
            if isinstance(wrapped, str):
                payload = json_object(base64.b64decode(wrapped, validate=True))
            self.documents.append(payload)
        return self.error is not None

    def reply(self, reply: Reply) -> Reply:
        """What the family made of the documents, with what these tell whatever their family is. Raises WireError if
        there is an error and nothing else."""
        if reply.usage is None:
            reply = attrs.evolve(reply, usage=usage_of(mapping(self.documents[-1].get(METRICS))))
        return ended(reply, self.error, len(self.documents))


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply | Vectors | Results:
    """The reply of a whole body, or its vectors or results. Raises ValueError if it has none of these, and WireError if
    it is an error."""
    value = json_object(body)
    family = of_answer([value])
    if family is None:
        error = read_error(value)
        raise ValueError("an answer of no family of models") if error is None else WireError(error)
    answer: Reply | Vectors | Results = family.parse(body)
    return answer

"""Reading streams back: what is the same whatever protocol was streamed.

Reading is lenient: what is of an unexpected type is as good as absent. What a stream leaves in doubt is told in
`Collapsed`, never hidden in the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeVar

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, MidStreamError, Part, Reply, Text, WireError
from aimock_protocols.framing import FramingError

SAMPLE_LENGTH = 200
"""Characters that are kept of the first event that could not be read."""


@attrs.frozen
class Collapsed:
    """What a stream carried."""

    reply: Reply
    truncated: bool
    """The stream broke off: without what ends it, by an error inside it, or by an event beyond the size limit."""
    dropped: int
    """Events that could not be read."""
    first_dropped: str | None
    """How the first of them began."""


class Read(NamedTuple):
    """How the reading of a stream went."""

    broke_off: bool
    """It ended at an event beyond the size limit, or at bytes that the framing makes no event of."""
    dropped: int
    first_dropped: str | None


_Event = TypeVar("_Event")
_Taken = TypeVar("_Taken", contravariant=True)


class Reader(Protocol[_Taken]):
    """Puts a reply together from the events of a stream."""

    @property
    def is_done(self) -> bool:
        """Whether what ends a stream has come."""

    def take(self, event: _Taken) -> bool:
        """Takes in one event; whether it was the last that counts. Raises ValueError on one that cannot be read."""

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""


def read_events(events: Iterable[_Event], take: Callable[[_Event], bool], data: Callable[[_Event], str]) -> Read:
    """Gives each event of a framing to `take`, until that says that nothing more is to come. Events at which it raises
    ValueError are dropped; `data` tells the text of one."""
    dropped = 0
    first_dropped = None
    try:
        for event in events:
            try:
                if take(event):
                    break
            except ValueError:
                dropped += 1
                first_dropped = first_dropped or data(event)[:SAMPLE_LENGTH]
    except FramingError:
        return Read(True, dropped, first_dropped)
    return Read(False, dropped, first_dropped)


def collapsed(events: Iterable[_Event], reader: Reader[_Event], data: Callable[[_Event], str] = str) -> Collapsed:
    """All that a reader makes of a stream. Raises WireError if all that it brought was an error."""
    read = read_events(events, reader.take, data)
    return Collapsed(reader.reply(), read.broke_off or not reader.is_done, read.dropped, read.first_dropped)


def collapsed_sse(chunks: Iterable[bytes], reader: Reader[sse.Event]) -> Collapsed:
    """The same of a stream of server-sent events."""
    return collapsed(sse.events(chunks), reader, lambda event: event.data)


def only_reply(read_stream: Callable[[Iterable[bytes]], Collapsed]) -> Callable[[Iterable[bytes]], Reply]:
    """A protocol's `collapse`, from what also tells whether the stream was whole."""

    def collapse(chunks: Iterable[bytes]) -> Reply:
        """The reply of a stream, however its bytes were split; `read_stream` also tells whether it was whole.

        Raises WireError if all that the stream brought was an error.
        """
        return read_stream(chunks).reply

    return collapse


def ended(reply: Reply, error: ErrorReply | None, chunks: int) -> Reply:
    """The reply of a stream that ended with this error, if any, after so many counted frames. Raises WireError if
    nothing came before it."""
    if error is None:
        return reply
    if is_silent(reply):
        raise WireError(error)
    return attrs.evolve(reply, mid_stream_error=MidStreamError(chunks, error))


def is_silent(reply: Reply) -> bool:
    """Whether the model has not said anything."""
    if reply.reasoning or reply.redacted_thinking or reply.refusal or reply.tool_plan:
        return False
    return all(part == Text("") for part in reply.parts)


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts in normal form: no text touches another, and empty text counts only if it is alone."""
    runs: list[Part] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, Text)):
        if is_text:
            runs.append(Text("".join(part.text for part in run if isinstance(part, Text))))
        else:
            runs += run
    return tuple(part for part in runs if len(runs) == 1 or part != Text(""))


def json_object(data: str | bytes) -> dict[str, Any]:
    """The JSON object that the text must be. Raises ValueError."""
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def json_text(value: Any) -> str:
    """A JSON value as text: the arguments of a call that come as an object, say. Raises ValueError if it is nested
    deeper than can be written."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise ValueError(f"nested too deeply: {error}") from None


def arguments_in(text: str) -> str:
    """The arguments of a call, from all that came of their text: blank text stands for none."""
    return text if text.strip() else "{}"


def string(value: Any) -> str | None:
    """A string that says something, else None."""
    return value if isinstance(value, str) and value else None


def integer(value: Any) -> int | None:
    """A whole number, else None."""
    return value if type(value) is int else None


def listed(value: Any) -> list[Any]:
    """A list, else an empty one."""
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list, none if it is no list."""
    return [item for item in listed(value) if isinstance(item, dict)]


def mapping(value: Any) -> dict[str, Any]:
    """An object, else an empty one."""
    return value if isinstance(value, dict) else {}

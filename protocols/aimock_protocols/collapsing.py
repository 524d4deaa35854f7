"""Reading streams back: what is the same whatever protocol was streamed.

Reading is lenient: what is of an unexpected type is as good as absent. What a stream leaves in doubt is told in
`Collapsed`, never hidden in the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import Reply
from aimock_protocols.framing import EventTooLarge, FramingError

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

    oversized: bool
    """It ended at an event beyond the size limit."""
    dropped: int
    first_dropped: str | None
    broken: bool = False
    """It ended at bytes that the framing makes no event of."""


_Event = TypeVar("_Event")


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
    except EventTooLarge:
        return Read(True, dropped, first_dropped)
    except FramingError:
        return Read(False, dropped, first_dropped, broken=True)
    return Read(False, dropped, first_dropped)


def read_sse(chunks: Iterable[bytes], take: Callable[[sse.Event], bool]) -> Read:
    """The same of a stream of server-sent events."""
    return read_events(sse.events(chunks), take, lambda event: event.data)


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


def string(value: Any) -> str | None:
    """A string that says something, else None."""
    return value if isinstance(value, str) and value else None


def mapping(value: Any) -> dict[str, Any]:
    """An object, else an empty one."""
    return value if isinstance(value, dict) else {}

"""Streams cut into the frames that they came in, for recording and relaying: bytes in, the same bytes out, by events.

Where the decoders of the framings give what events say, the cutters here give the events themselves, with whatever is
between them. Frames and what is left at the end, joined, are what was fed, however that was split; and the frames are
the same however it was.

Source: record-replay §4.2 and §5.4.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from aimock_protocols import eventstream, json_array, ndjson, sse
from aimock_protocols.bedrock_invoke.counts import METRICS
from aimock_protocols.collapsing import dicts, json_object, json_text, mapping


class Cutter(Protocol):
    """Cuts one stream."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, each with what ends it. Raises nothing."""

    def rest(self) -> bytes:
        """Takes what is there of a frame whose end has not come: the last one, when the stream has ended."""


_CUTTERS: dict[str, Callable[[], Cutter]] = {
    "text/event-stream": sse.cutter,
    "application/x-ndjson": ndjson.cutter,
    "application/stream+json": ndjson.cutter,
    eventstream.CONTENT_TYPE: eventstream.Cutter,
    "application/json": json_array.Cutter,
}


def cutter_for(content_type: str) -> Cutter | None:
    """The cutter for streams of this type; None if they have no frames of which we know. JSON is cut as an array that
    grows, which is how Gemini streams it: a body that is no array is one frame."""
    make = _CUTTERS.get(content_type.partition(";")[0].strip().lower())
    return None if make is None else make()


# -- ends --------------------------------------------------------------------------------------------------------------

_Document = dict[str, Any]


def _says(key: str, *values: str) -> Callable[[_Document], bool]:
    return lambda document: document.get(key) in values


def _has_finished(document: _Document) -> bool:
    candidates = dicts(document.get("candidates"))
    return any(each.get("finishReason") for each in candidates) or "blockReason" in mapping(
        document.get("promptFeedback")
    )


_IS_LAST: dict[str, Callable[[_Document], bool]] = {
    "anthropic_messages": _says("type", "message_stop"),
    "openai_responses": _says("type", "response.completed", "response.failed", "response.incomplete"),
    "cohere": lambda document: document.get("type") == "message-end" or document.get("event_type") == "stream-end",
    "gemini": _has_finished,
    "gemini_interactions": _says("event_type", "interaction.completed"),
    "ollama": lambda document: document.get("done") is True,
    "bedrock_converse": lambda document: "metadata" in document,
    "bedrock_invoke": lambda document: METRICS in document,
}
"""Whether a document is the one with which streams of a family of protocols end; all others end with `[DONE]`, or as
transcripts do."""
_is_last_of_transcript = _says("type", "transcript.text.done")


def is_terminal(protocol_name: str, frame: bytes) -> bool:
    """Whether the provider ends its streams with this frame, so that a client which leaves then misses nothing. The
    protocol is named as in the registry. Raises nothing."""
    is_last = _IS_LAST.get(re.split("[.:]", protocol_name)[0])
    try:
        if is_last is None:
            return any(text == "[DONE]" or _is_last_of_transcript(json_object(text)) for text in _texts(frame))
        return any(is_last(json_object(text)) for text in _texts(frame))
    except ValueError:
        return False


def _texts(frame: bytes) -> Iterator[str]:
    """The JSON texts in a frame of any framing. Raises ValueError."""
    bare = frame.strip(b" \t\r\n,[")
    if bare.startswith(b"{"):
        yield bare.decode()
    elif frame.startswith(b"\0"):  # the length of a message, which is below 16 MiB
        for message in eventstream.messages([frame]):
            payload = json_object(message.payload)
            wrapped = payload.get("bytes")
            if isinstance(wrapped, str):
                yield base64.b64decode(wrapped).decode()
            else:
                yield json_text({message.text(":event-type") or "": payload})
    else:
        yield from (event.data for event in sse.events([frame]))

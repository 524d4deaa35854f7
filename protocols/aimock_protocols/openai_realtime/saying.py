"""What a response says, event by event: items are opened and filled one after the other, and closed at its end, as the
recorded sessions have it (wire-openai-realtime §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import attrs

from aimock_protocols.canonical import Reply, Text, ToolCall
from aimock_protocols.openai_realtime.events import Mint, ServerEvent
from aimock_protocols.openai_realtime.sound import Format, pieces, samples_of, silences
from aimock_protocols.sessions import Speech
from aimock_protocols.slicing import slices

_FILLED = 16
"""Deltas are filled up to multiples of so many characters, against who would guess text from the length of packets."""

FIRST_TO_CLOSE = frozenset(
    {"response.output_audio.done", "response.output_text.done", "response.function_call_arguments.done"}
)
"""With what the closing of an item begins."""


@attrs.define(eq=False)
class Output:
    """An item of a response, as far as it has been told."""

    told: dict[str, Any]
    """As it was opened; as it was closed, once that has been told."""
    index: int
    previous_id: str | None = None
    said: str = ""
    """Its text, transcript or arguments."""
    sound_length: int = 0
    """Bytes of audio."""
    is_closed: bool = False

    @property
    def id(self) -> str:
        return str(self.told["id"])

    @property
    def is_call(self) -> bool:
        return bool(self.told["type"] == "function_call")


@attrs.frozen(eq=False)
class Teller:
    """Tells the items of one response."""

    mint: Mint
    response_id: str
    is_apart: bool
    """Whether the response is none of the conversation's."""
    speaks: bool
    """Whether messages are audio, with a transcript."""
    format: Format
    ms_per_character: int
    chunk_size: int

    def message(self, output: Output, text: str) -> Iterator[ServerEvent]:
        """A message of this text, opened and filled."""
        spoken = [(piece, silences(self.format, len(piece) * self.ms_per_character)) for piece in self._slices(text)]
        yield from self.opened(output)
        yield from self._filled(output, spoken)

    def speech(self, output: Output, speech: Speech) -> Iterator[ServerEvent]:
        """A message of this audio."""
        sounds = pieces(self.format, samples_of(speech.audio))
        pairs = zip_longest(self._slices(speech.transcript or ""), sounds)
        yield from self.opened(output)
        yield from self._filled(output, ((piece, [] if sound is None else [sound]) for piece, sound in pairs))

    def call(self, output: Output, call: ToolCall) -> Iterator[ServerEvent]:
        """A call of a function."""
        yield from self.opened(output)
        for piece in self._slices(call.arguments or "{}"):
            yield self._delta("function_call_arguments", output, piece, call_id=output.told["call_id"])

    def opened(self, output: Output) -> Iterator[ServerEvent]:
        """What begins an item."""
        yield self._item_event("added", output, output.told)
        if not self.is_apart:
            yield self.mint.event("conversation.item.added", previous_item_id=output.previous_id, item=output.told)
        if not output.is_call:
            yield self._at("response.content_part.added", output, content_index=0, part=self._part(""))

    def closed(self, output: Output, status: str) -> Iterator[ServerEvent]:
        """What ends an item, of which so much was said."""
        if output.is_call:
            whole = output.told | {"status": status, "arguments": output.said}
            named = {"call_id": whole["call_id"], "name": whole["name"], "arguments": output.said}
            yield self._at("response.function_call_arguments.done", output, **named)
        else:
            part = (
                {"type": "audio", "transcript": output.said} if self.speaks else {"type": "text", "text": output.said}
            )
            if self.speaks:
                yield self._at("response.output_audio.done", output, content_index=0)
                done = {"content_index": 0, "transcript": output.said}
                yield self._at("response.output_audio_transcript.done", output, **done)
            else:
                yield self._at("response.output_text.done", output, content_index=0, text=output.said)
            yield self._at("response.content_part.done", output, content_index=0, part=part)
            whole = output.told | {"status": status, "content": [part | {"type": f"output_{part['type']}"}]}
        if not self.is_apart:
            yield self.mint.event("conversation.item.done", previous_item_id=output.previous_id, item=whole)
        yield self._item_event("done", output, whole)

    def _filled(self, output: Output, spoken: Iterable[tuple[str | None, Iterable[str]]]) -> Iterator[ServerEvent]:
        """Pieces of text, each with the sounds that go with it."""
        for piece, sounds in spoken:
            if piece is not None:
                kind = "output_audio_transcript" if self.speaks else "output_text"
                yield self._delta(kind, output, piece, content_index=0)
            if self.speaks:
                for sound in sounds:
                    yield self._at("response.output_audio.delta", output, content_index=0, delta=sound)

    def _part(self, said: str) -> dict[str, Any]:
        return {"type": "audio", "transcript": said} if self.speaks else {"type": "text", "text": said}

    def _slices(self, text: str) -> list[str]:
        return slices(text, self.chunk_size)

    def _item_event(self, deed: str, output: Output, item: dict[str, Any]) -> ServerEvent:
        place = {"response_id": self.response_id, "output_index": output.index}
        return self.mint.event(f"response.output_item.{deed}", **place, item=item)

    def _at(self, kind: str, output: Output, **members: Any) -> ServerEvent:
        place = {"response_id": self.response_id, "item_id": output.id, "output_index": output.index}
        return self.mint.event(kind, **place, **members)

    def _delta(self, kind: str, output: Output, piece: str, **place: Any) -> ServerEvent:
        filler = self.mint.letters(_FILLED - len(piece) % _FILLED)
        return self._at(f"response.{kind}.delta", output, **place, delta=piece, obfuscation=filler)


def said_parts(reply: Reply) -> tuple[Text | ToolCall, ...]:
    """What a reply has to say here: its parts in order, a refusal as the text that it is. Thoughts are kept."""
    return (*reply.parts, Text(reply.refusal)) if reply.refusal else reply.parts


def told_so_far(events: Iterable[ServerEvent]) -> list[Output]:
    """The items of a response of which so many events have been told."""
    outputs: dict[str, Output] = {}
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            outputs[event["item"]["id"]] = Output(event["item"], len(outputs))
        elif kind == "response.output_item.done":
            _close(outputs, event["item"])
        elif kind == "response.done":
            for item in event["response"]["output"]:
                _close(outputs, item)
        elif kind == "response.output_audio.delta":
            outputs[event["item_id"]].sound_length += len(event["delta"]) * 3 // 4 - event["delta"].count("=")
        elif kind.startswith("response.") and kind.endswith(".delta"):
            outputs[event["item_id"]].said += event["delta"]
    return [*outputs.values()]


def _close(outputs: dict[str, Output], item: dict[str, Any]) -> None:
    output = outputs[item["id"]]
    output.told, output.is_closed = item, True

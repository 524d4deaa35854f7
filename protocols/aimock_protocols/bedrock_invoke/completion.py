"""Families that go on with a prompt, and can do nothing else: a text comes in, and a text goes out (wire-bedrock §5).

They differ in the names of things alone. One class has what is the same, and each family is a table of names besides
three small functions: the whole body, a stream's document, and what either says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import attrs
import orjson

from aimock_protocols.bedrock_invoke.counts import counted
from aimock_protocols.bedrock_invoke.family import Document, Shape
from aimock_protocols.bedrock_invoke.malformed import optional, required
from aimock_protocols.bedrock_invoke.prompts import Messages
from aimock_protocols.canonical import ChatRequest, FrameKind, Reply, Stamp, Text
from aimock_protocols.collapsing import Collapsed, json_object
from aimock_protocols.slicing import slices
from aimock_protocols.usage import estimate, prompt_length


class Said(NamedTuple):
    """What a whole body tells, or one document of a stream: what it does not tell is None."""

    text: str | None = None
    reason: str | None = None
    """Why the text ends, in the family's words."""
    prompt: int | None = None
    """Tokens."""
    completion: int | None = None
    id: str | None = None
    place: int = 0
    """Of a piece in its stream."""


Told = Callable[[Said], dict[str, Any]]
Recognise = Callable[[dict[str, Any]], bool]
_T = TypeVar("_T")


@attrs.frozen
class Completion:
    """A family of this kind."""

    name: str
    models: re.Pattern[str]
    asks: Recognise
    answers: Recognise
    messages: Callable[[str], Messages]
    """The messages of a prompt."""
    options: Mapping[str, str]
    """What it calls OpenAI's options."""
    reasons: Mapping[str, str]
    """What it calls OpenAI's finish reasons; any other passes through."""
    whole: Told
    piece: Told
    """A slice of the text without a reason, or the end, which has a reason and no text."""
    read: Callable[[dict[str, Any]], Said]
    """The inverse of both, which takes what is of an unexpected type as absent."""
    prompt: str = "prompt"
    """The member that has the prompt."""
    settings: str | None = None
    """The member that has the options, if they do not stand beside the prompt."""
    mint: Callable[[Stamp], str] | None = None
    """Makes the id of an answer, where answers have one."""

    def decode(self, sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
        prompt = required(sent, self.prompt, str)
        given = sent if self.settings is None else optional(sent, self.settings, dict) or {}
        body: dict[str, Any] = {"model": model, "messages": self.messages(prompt)}
        body |= {ours: given[theirs] for ours, theirs in self.options.items() if given.get(theirs) is not None}
        if stream:
            body["stream"] = True
        return ChatRequest(body, sent, model, stream)

    def shape(self, request: ChatRequest) -> Shape:
        return Shape(self.name, None, estimate(prompt_length(request.body["messages"])))

    def encode(self, reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
        return orjson.dumps(self.whole(self._said(reply, shape, stamp)))

    def documents(self, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
        said = self._said(reply, shape, stamp)
        pieces = [said._replace(text=text, reason=None) for text in slices(said.text or "", chunk_size)]
        pieces.append(said._replace(text=""))
        return [
            Document(orjson.dumps(self.piece(piece._replace(place=place))), FrameKind.TOKEN)
            for place, piece in enumerate(pieces)
        ]

    def _said(self, reply: Reply, shape: Shape, stamp: Stamp) -> Said:
        counts = counted(reply, shape.prompt_tokens)
        reason = reply.finish_reason or "stop"
        made_id = reply.id if reply.id is not None or self.mint is None else self.mint(stamp)
        text = reply.text if reply.text is not None else reply.refusal or ""
        return Said(text, self.reasons.get(reason, reason), counts.prompt, counts.completion, made_id)

    def parse(self, body: bytes) -> Reply:
        return self._reply([self.read(json_object(body))])

    def collapse(self, documents: list[dict[str, Any]]) -> Collapsed:
        reply = self._reply([self.read(document) for document in documents])
        return Collapsed(reply, truncated=reply.finish_reason is None, dropped=0, first_dropped=None)

    def _reply(self, said: list[Said]) -> Reply:
        """Counts are totals: the last stand. A text that nobody wrote is no text."""
        texts = [each.text for each in said if each.text is not None]
        reason = _last(each.reason for each in said)
        told = {
            "input_tokens": _last(each.prompt for each in said),
            "output_tokens": _last(each.completion for each in said),
        }
        usage = {name: count for name, count in told.items() if count is not None}
        ours = {theirs: ours for ours, theirs in self.reasons.items()}
        return Reply(
            parts=(Text("".join(texts)),) if texts else (),
            finish_reason=None if reason is None else ours.get(reason, reason),
            usage=usage or None,
            id=_last(each.id for each in said),
        )


def having(*members: str) -> Recognise:
    """Recognises bodies that have one of these members."""
    return lambda body: not body.keys().isdisjoint(members)


def _last(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in reversed(list(values)) if value is not None), None)

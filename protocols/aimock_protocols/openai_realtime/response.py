"""One response of the model: a turn of a conversation (wire-openai-realtime §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import attrs
import orjson

from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.openai_realtime import tokens
from aimock_protocols.openai_realtime.config import speaks_in_phases
from aimock_protocols.openai_realtime.conversation import Conversation, Item
from aimock_protocols.openai_realtime.events import Dialect, Mint, ServerEvent, framed, told
from aimock_protocols.openai_realtime.recordings import event_in, telling_of
from aimock_protocols.openai_realtime.saying import FIRST_TO_CLOSE, Output, Teller, said_parts, told_so_far
from aimock_protocols.openai_realtime.sound import format_of
from aimock_protocols.sessions import Move, Said, Speech, Transcript
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete, by OpenAI's finish reasons in the chat."""


@attrs.frozen(eq=False)
class Manner:
    """How a response is to be given: what the session says, and what was asked of this response."""

    id: str
    modality: str
    output: dict[str, Any]
    """`format` and `voice`."""
    max_output_tokens: Any
    metadata: Any
    is_apart: bool
    """Whether it is none of the conversation's."""
    heard_ms: float
    """How long what it answers was spoken."""
    ms_per_character: int


class Host(Protocol):
    """The session of a response."""

    dialect: Dialect
    conversation: Conversation
    has_spoken: bool
    """Whether any audio has been told, so that there is a voice that cannot change."""

    def mint(self, stamp: Stamp) -> Mint: ...

    def loops(self, calls: tuple[ToolCall, ...]) -> bool:
        """Whether a response of these calls repeats what came before it, and before that."""

    def released(self, turn: ResponseTurn, stamp: Stamp) -> Iterable[Move]:
        """What follows the end of a response."""


class ResponseTurn:
    """A response that was asked for."""

    def __init__(self, host: Host, manner: Manner, request: ChatRequest) -> None:
        self.manner = manner
        self.request = request
        self.reason = "client_cancelled"
        """Why it is cut, if it is."""
        self.is_leaving = False
        """Whether it has been asked to stop."""
        self.is_optional = False
        self.warning: str | None = None
        """What whoever wrote the fixtures should know."""
        self._host = host
        self._items: list[Item] = []
        self._events: list[ServerEvent] = []
        """Those that are told, as the GA API has them."""
        self._taken = 0
        self._failure: ErrorReply | None = None

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        """The events of the response. Its items have their places in the conversation from now on, so that what a
        client says meanwhile comes after them. Raises WireError for a transcription."""
        if isinstance(said, Transcript):
            raise WireError(ErrorReply("Fixture response is a transcription, which is no answer", "server_error"))
        events = self._script(said, self._host.mint(stamp), chunk_size)
        pairs = [(event, shown) for event in events if (shown := self._host.dialect(event)) is not None]
        self._events = [event for event, _ in pairs]
        if isinstance(said, Reply) and self._host.loops(said.tool_calls):
            names = ", ".join(sorted({call.name for call in said.tool_calls}))
            self.warning = (
                f"the same calls ({names}) answer the third response in a row: their fixture still matches when the"
                " tool's result is there; give it hasToolResult: false"
            )
        return self._take(shown for _, shown in pairs)

    def recited(self, messages: Sequence[bytes], said: Reply, stamp: Stamp) -> Iterator[Frame] | None:
        """None, if this response is to be given otherwise than the one that was recorded, or its items are in the
        conversation already: ids would be there twice."""
        host = self._host
        events = [event_in(message) for message in messages]
        told = telling_of(events)
        manner = self.manner
        if told is None or any(host.conversation.find(item) is not None for item in told.items):
            return None
        if not told.suits(manner.modality, manner.output["format"], manner.is_apart):
            return None
        self.manner = attrs.evolve(manner, id=told.id)
        for event in events:
            if event["type"] == "response.output_item.added":
                item = Item(event["item"], is_under_way=True)
                self._items.append(item)
                if not self.manner.is_apart:
                    host.conversation.insert(item)
        self._events = events
        return self._recite([self._put_right(*pair) for pair in zip(messages, events, strict=True)])

    def _put_right(self, message: bytes, event: ServerEvent) -> bytes:
        """What is told of the conversation, as it is in this session."""
        conversation = self._host.conversation
        change: ServerEvent = {}
        told = event.get("response")
        if isinstance(told, dict) and isinstance(told.get("conversation_id"), str):
            change["response"] = orjson.loads(message)["response"] | {"conversation_id": conversation.id}
        after, item = event.get("previous_item_id"), conversation.find(event.get("item", {}).get("id"))
        if item is not None and after is not None and conversation.find(after) is None:
            change["previous_item_id"] = conversation.before(item)
        return orjson.dumps(orjson.loads(message) | change) if change else message

    def _recite(self, messages: Iterable[bytes]) -> Iterator[Frame]:
        for message in messages:
            self._taken += 1
            yield Frame(message, FrameKind.TOKEN)

    def _take(self, shown: Iterable[ServerEvent]) -> Iterator[Frame]:
        for event in shown:
            self._taken += 1
            yield framed(event)

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        """The response fails, with what was told of it."""
        self._failure = error
        mint = self._host.mint(stamp)
        outputs = [_left(output) for output in told_so_far(self._events[: self._taken])]
        return Frame(told(self._shown(self._failed(mint, error, outputs))).data, FrameKind.CLOSE)

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        is_whole = self._failure is None
        self._settle(told_so_far(self._events if is_whole else self._events[: self._taken]))
        return self._host.released(self, stamp)

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        """What is open is closed with what was told of it, and the response is cancelled."""
        mint = self._host.mint(stamp)
        before = self._events[:sent]
        outputs = told_so_far(before)
        after: list[ServerEvent] = []
        if not before:
            after.append(self._created(mint))
        if not any(event["type"] == "response.done" for event in before):
            after += self._closed_early(outputs, self._teller(mint, 1), before)
            details = {"type": "cancelled", "reason": self.reason}
            after.append(self._done(mint, "cancelled", details, outputs, self._usage({}, outputs)))
        self._settle(outputs)
        return [*self._tell(after), *self._host.released(self, stamp)]

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        mint = self._host.mint(stamp)
        events = [self._created(mint), self._failed(mint, error, [])]
        return [*self._tell(events), *self._host.released(self, stamp)]

    def _script(self, said: Reply | Speech, mint: Mint, chunk_size: int) -> list[ServerEvent]:
        teller = self._teller(mint, chunk_size)
        parts = (said,) if isinstance(said, Speech) else said_parts(said)
        events = [self._created(mint)]
        for index, part in enumerate(parts):
            output = self._begun(part, parts[index + 1 :], index, mint)
            if isinstance(part, ToolCall):
                events += teller.call(output, part)
            elif isinstance(part, Speech) and teller.speaks:
                events += teller.speech(output, part)
            else:
                events += teller.message(output, part.text if isinstance(part, Text) else part.transcript or "")
        broken = said.mid_stream_error if isinstance(said, Reply) else None
        if broken is not None:
            events = _first_pieces(events, broken.after_chunks)
            outputs = told_so_far(events)
            events += self._closed_early(outputs, teller, events)
            return [*events, self._failed(mint, broken.error, outputs)]
        return events + self._ending(said, teller, told_so_far(events), mint)

    def _ending(self, said: Reply | Speech, teller: Teller, outputs: list[Output], mint: Mint) -> list[ServerEvent]:
        given = said.usage or {} if isinstance(said, Reply) else {}
        reason = _REASONS.get(said.finish_reason or "") if isinstance(said, Reply) else None
        events = []
        for output in self._placed(outputs):
            is_cut_off = reason is not None and output is outputs[-1]
            closing = list(teller.closed(output, "incomplete" if is_cut_off else "completed"))
            output.told = closing[-1]["item"]
            events += closing
        status = "completed" if reason is None else "incomplete"
        details = None if reason is None else {"type": "incomplete", "reason": reason}
        usage = self._usage(given, outputs)
        events.append(self._done(mint, status, details, outputs, usage))
        events.append(mint.event("rate_limits.updated", rate_limits=tokens.rate_limits(usage["total_tokens"])))
        return events

    def _begun(self, part: Text | ToolCall | Speech, rest: tuple[Any, ...], index: int, mint: Mint) -> Output:
        """An item at its beginning, with its place in the conversation."""
        opening: dict[str, Any] = {"id": mint.id("item")}
        if isinstance(part, ToolCall):
            call_id = mint.id("call", 16) if part.id is None else part.id
            opening |= {"type": "function_call", "status": "in_progress", "name": part.name}
            opening |= {"call_id": call_id, "arguments": ""}
        else:
            opening |= {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            if speaks_in_phases(self.request.model):
                is_talk = any(isinstance(other, ToolCall) for other in rest)
                opening["phase"] = "commentary" if is_talk else "final_answer"
        item = Item(opening, is_under_way=True)
        self._items.append(item)
        if self.manner.is_apart:
            return Output(opening, index)
        self._host.conversation.insert(item)
        return Output(opening, index, self._host.conversation.before(item))

    def _placed(self, outputs: list[Output]) -> list[Output]:
        """The outputs, with what they follow."""
        if not self.manner.is_apart:
            for output in outputs:
                output.previous_id = self._host.conversation.before(self._items[output.index])
        return outputs

    def _closed_early(self, outputs: list[Output], teller: Teller, before: Iterable[ServerEvent]) -> list[ServerEvent]:
        """What closes the outputs that were not closed before, as incomplete unless their closing had begun; and first
        what was still to be told of how they begin."""
        sent = {(event["type"], _item_id(event)) for event in before}
        events = []
        for output in self._placed(outputs):
            if not output.is_closed:
                has_begun = any((kind, output.id) in sent for kind in FIRST_TO_CLOSE)
                telling = [*teller.opened(output), *teller.closed(output, "completed" if has_begun else "incomplete")]
                output.told, output.is_closed = telling[-1]["item"], True
                events += [event for event in telling if (event["type"], _item_id(event)) not in sent]
        return events

    def _settle(self, outputs: list[Output]) -> None:
        """The items as they are to stay in the conversation; those that nobody was told of are none of it."""
        form = format_of(self.manner.output["format"])
        for item in self._items[len(outputs) :]:
            self._host.conversation.remove(item)
        for item, output in zip(self._items, outputs, strict=False):
            item.settle(_left(output).told, form.milliseconds(output.sound_length))
            self._host.has_spoken |= output.sound_length > 0

    def _teller(self, mint: Mint, chunk_size: int) -> Teller:
        manner = self.manner
        form = format_of(manner.output["format"])
        speaks = manner.modality == "audio"
        return Teller(mint, manner.id, manner.is_apart, speaks, form, manner.ms_per_character, chunk_size)

    def _usage(self, given: Any, outputs: list[Output]) -> tokens.Usage:
        form = format_of(self.manner.output["format"])
        text_out = sum(estimate(utf16_length(output.said)) for output in outputs)
        audio_out = sum(tokens.spoken(form.milliseconds(output.sound_length)) for output in outputs)
        text_in = estimate(prompt_length(self.request.body["messages"]))
        return tokens.usage(given, text_in, tokens.heard(self.manner.heard_ms), text_out, audio_out)

    def _created(self, mint: Mint) -> ServerEvent:
        return mint.event("response.created", response=self._response("in_progress", None, [], None))

    def _done(
        self, mint: Mint, status: str, details: dict[str, Any] | None, outputs: list[Output], usage: tokens.Usage
    ) -> ServerEvent:
        items = [output.told for output in outputs]
        return mint.event("response.done", response=self._response(status, details, items, usage))

    def _failed(self, mint: Mint, error: ErrorReply, outputs: list[Output]) -> ServerEvent:
        code = None if error.code is None else str(error.code)
        why = {"type": error.type or "server_error", "code": code, "message": error.message}
        return self._done(mint, "failed", {"type": "failed", "error": why}, outputs, tokens.usage({}, 0, 0, 0, 0))

    def _response(self, status: str, details: Any, output: list[Any], usage: Any) -> dict[str, Any]:
        manner = self.manner
        return {
            "object": "realtime.response",
            "id": manner.id,
            "status": status,
            "status_details": details,
            "output": output,
            "conversation_id": None if manner.is_apart else self._host.conversation.id,
            "output_modalities": [manner.modality],
            "max_output_tokens": manner.max_output_tokens,
            "audio": {"output": manner.output},
            "usage": usage,
            "metadata": manner.metadata,
        }

    def _shown(self, event: ServerEvent) -> ServerEvent:
        return self._host.dialect(event) or event

    def _tell(self, events: Iterable[ServerEvent]) -> list[Move]:
        return [told(shown) for event in events if (shown := self._host.dialect(event)) is not None]


def _item_id(event: ServerEvent) -> Any:
    return event.get("item_id") or event.get("item", {}).get("id")


def _left(output: Output) -> Output:
    """An output as it stands when nothing closes it."""
    if output.is_closed:
        return output
    whole = output.told | {"status": "incomplete"}
    return attrs.evolve(output, told=whole | {"arguments": output.said} if output.is_call else whole)


def _first_pieces(events: list[ServerEvent], count: int) -> list[ServerEvent]:
    """The events before so many pieces and one have been told."""
    pieces = [place for place, event in enumerate(events) if event["type"].endswith(".delta")]
    return events[: pieces[count]] if count < len(pieces) else events

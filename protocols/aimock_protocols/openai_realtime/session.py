"""A conversation, or a transcription, over one socket: the client's events in, moves out (wire-openai-realtime §2 to
§6)."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aimock_protocols.canonical import ChatRequest, Stamp, ToolCall, WireError
from aimock_protocols.hearing import Heard, Hearing
from aimock_protocols.openai_platform import missing, refusal
from aimock_protocols.openai_realtime import checks
from aimock_protocols.openai_realtime.config import RESPONSE, Config, both, merged, updated
from aimock_protocols.openai_realtime.conversation import (
    Conversation,
    Item,
    chat_body,
    heard_item,
    read_item,
)
from aimock_protocols.openai_realtime.events import ClientEvent, Mint, ServerEvent, told
from aimock_protocols.openai_realtime.following import RealtimeFollower
from aimock_protocols.openai_realtime.receiving import Handlers, handled
from aimock_protocols.openai_realtime.response import Manner, ResponseTurn
from aimock_protocols.openai_realtime.setting import LIFETIME, Setting
from aimock_protocols.openai_realtime.sound import Format, format_of
from aimock_protocols.openai_realtime.spellings import modern
from aimock_protocols.openai_realtime.transcription import TranscriptionTurn
from aimock_protocols.sessions import Cancel, Move, Turn

_LEAST_COMMITTED_MS = 100
_LONGEST_APPENDED = 15 * 1024 * 1024
_LONGEST_BUFFERED = 16 * 1024 * 1024
"""Bytes; what is older is forgotten, for a client may stream for hours without ever committing."""
_ONSET_MS = 60
"""Less than so much sound is a click."""
_PATIENCE_MS = {"low": 1000, "medium": 500, "auto": 500, "high": 200}
"""How much silence ends a turn, by the eagerness of a detection that goes by what is said."""
_DEFAULT_TRANSCRIBER = "gpt-4o-transcribe"


class Session:
    """One client's."""

    is_binary = False

    def __init__(self, setting: Setting, stamp: Stamp, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol
        self.dialect = setting.dialect
        self.has_spoken = False
        self._setting = setting
        self._config = setting.config
        self.wishes: Config = {}
        """What the client has told it to be."""
        self._moments = 0
        mint = self.mint(stamp)
        self._id = mint.id("sess")
        self._expires_at = int(stamp.created) + LIFETIME
        self.conversation = Conversation(mint.id("conv"))
        self._says_how = not setting.options.is_compatible
        """Whether responses are what the session says; else they are text until the client asks for either."""
        self._turns: dict[str, ResponseTurn] = {}
        """Responses under way, by id."""
        self._active: ResponseTurn | None = None
        """That of them which is the conversation's."""
        self._owes_response = False
        """Whether something was heard while the model was still speaking."""
        self._buffer = bytearray()
        self._buffered_since = 0.0
        """Milliseconds that had been heard before what is in the buffer."""
        self._hearing = Hearing(onset_ms=_ONSET_MS)
        self._heard_id = ""
        self._calls: tuple[tuple[str, str], ...] = ()
        self._repeated = 0

    # -- what turns ask of their session ---------------------------------------------------------------------------

    def mint(self, stamp: Stamp) -> Mint:
        """Ids for one moment."""
        self._moments += 1
        return Mint(stamp, self._moments)

    def loops(self, calls: tuple[ToolCall, ...]) -> bool:
        """Whether these calls now answer the third response in a row."""
        made = tuple((call.name, call.arguments) for call in calls)
        self._repeated = self._repeated + 1 if made == self._calls else 1
        self._calls = made
        return bool(made) and self._repeated == 3

    def released(self, turn: ResponseTurn, stamp: Stamp) -> Iterable[Move]:
        """The next response, if one waits for the end of this one."""
        self._turns.pop(turn.manner.id, None)
        if turn is not self._active:
            return ()
        self._active = None
        if not self._owes_response:
            return ()
        self._owes_response = False
        self._active = self._response({}, {"type": "response.create"}, self.mint(stamp))
        return (self._active,)

    # -- what its follower asks ------------------------------------------------------------------------------------

    def follow(self, turns: Sequence[Turn], stamp: Stamp) -> RealtimeFollower:
        return RealtimeFollower(self, turns, stamp)

    @property
    def unheard(self) -> bytes:
        """Audio that was not committed, in base64."""
        return base64.b64encode(self._buffer)

    def wish(self, sent: dict[str, Any]) -> None:
        """The client tells it to be otherwise; what is not understood here is the provider's business."""
        with contextlib.suppress(WireError):
            self._config = updated(self._config, modern(sent), needs_type=False, is_open=True)

    def request(self, event: ClientEvent, stamp: Stamp) -> ChatRequest:
        """What fixtures match of a `response.create`. Raises WireError."""
        return self._chat(*self._meant(_asked(event), self.mint(stamp)), event)

    # -- the client's events ---------------------------------------------------------------------------------------

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        return self._tell(self.mint(stamp).event("session.created", session=self._session()))

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        return handled(_HANDLERS, self, message, self.mint(stamp))

    def _update(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        if "session" not in event:
            raise missing("session")
        sent = checks.an_object(event["session"], "session")
        change = modern(sent)
        setting = self._setting
        is_lenient = setting.is_open or setting.is_beta
        needs_type = not (is_lenient or setting.options.is_compatible)
        config = updated(self._config, change, needs_type=needs_type, is_open=is_lenient)
        if self.has_spoken and _voice(config) != _voice(self._config):
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise refusal(message, "session.audio.output.voice", "cannot_update_voice")
        self._config = config
        self.wishes = both(self.wishes, sent)
        self._says_how |= "output_modalities" in change
        return self._tell(mint.event("session.updated", session=self._session()))

    def _update_transcription(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        """The Beta's name for an update of a transcription session."""
        if self._config["type"] != "transcription":
            message = "transcription_session.update is for sessions with intent=transcription."
            raise refusal(message, "type", "invalid_session_config")
        change = modern(checks.an_object(event.get("session"), "session"))
        self._config = updated(self._config, change, needs_type=False)
        return self._tell(mint.event("transcription_session.updated", session=self._session()))

    def _append(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        audio = checks.audio(event.get("audio"), "audio")
        if len(audio) > _LONGEST_APPENDED:
            raise checks.invalid_value("audio", "Invalid 'audio': at most 15 MiB can be appended at once.")
        self._buffer += audio
        self._take_buffer(len(self._buffer) - _LONGEST_BUFFERED)
        detection = self._input["turn_detection"]
        if not self._setting.options.hears:
            return ()
        if detection is not None:
            self._attend(detection)
        heard = self._hearing.hear(self._format.pcm(audio), self._format.rate)
        if detection is None:
            self._hearing.is_speech = False
            return ()
        return (move for one in heard for move in self._note(one, detection, mint))

    def _attend(self, detection: Config) -> None:
        """Hears as the session is told to."""
        told = {name: value for name, value in detection.items() if value is not None}
        patience = _PATIENCE_MS[told.get("eagerness", "auto")]
        self._hearing.threshold = told.get("threshold", 0.5)
        self._hearing.prefix_padding_ms = told.get("prefix_padding_ms", 300)
        self._hearing.silence_duration_ms = told.get("silence_duration_ms", patience)

    def _clear(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        self._take_buffer(len(self._buffer))
        self._hearing.is_speech = False
        return self._tell(mint.event("input_audio_buffer.cleared"))

    def _commit(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        milliseconds = self._format.milliseconds(len(self._buffer))
        if milliseconds < _LEAST_COMMITTED_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer"
                f" only has {milliseconds:.2f}ms of audio."
            )
            raise refusal(message, code="input_audio_buffer_commit_empty")
        item_id = self._heard_id if self._hearing.is_speech else mint.id("item")
        self._hearing.is_speech = False
        return self._committed(item_id, self._take_buffer(len(self._buffer)), mint, answers=False)

    def _create_item(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        if "item" not in event:
            raise missing("item")
        item = read_item(event["item"], mint.id("item"), mint.id("call", 16))
        item.milliseconds = self._format.milliseconds(sum(map(len, item.sounds.values())))
        after = checks.nullable(checks.text)(event.get("previous_item_id"), "previous_item_id")
        self.conversation.insert(item, after)
        return self._tell(*self._added(item, mint))

    def _retrieve_item(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        item = self.conversation.existing(event.get("item_id"), "retrieve")
        return self._tell(mint.event("conversation.item.retrieved", item=item.whole()))

    def _delete_item(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        item = self.conversation.existing(event.get("item_id"), "delete")
        self.conversation.remove(item)
        return self._tell(mint.event("conversation.item.deleted", item_id=item.id))

    def _truncate_item(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        item = self.conversation.existing(event.get("item_id"), "truncate")
        place = checks.integer(0, 1_000_000)(event.get("content_index"), "content_index")
        end = checks.integer(0, 86_400_000)(event.get("audio_end_ms"), "audio_end_ms")
        if not item.is_under_way:
            if not item.is_speech or place >= len(item.told["content"]):
                message = "Only audio of the assistant's messages can be truncated."
                raise refusal(message, "item_id", "item_truncate_invalid_item_id")
            if end > item.milliseconds:
                message = f"Audio content of {item.milliseconds:.0f}ms is already shorter than {end}ms"
                raise checks.invalid_value("audio_end_ms", message)
        item.truncate()
        members = {"item_id": item.id, "content_index": place, "audio_end_ms": end}
        return self._tell(mint.event("conversation.item.truncated", **members))

    def _create_response(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        if self._config["type"] != "realtime":
            raise checks.invalid_value("type", "Transcription sessions have no responses.")
        asked = _asked(event)
        is_apart = asked.get("conversation") == "none"
        if self._active is not None and not is_apart:
            message = (
                f"Conversation already has an active response in progress: {self._active.manner.id}. Wait until the"
                " response is finished before creating a new one."
            )
            raise refusal(message, code="conversation_already_has_active_response")
        turn = self._response(asked, event, mint)
        if not is_apart:
            self._active = turn
        return (turn,)

    def _cancel_response(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        wanted = checks.nullable(checks.text)(event.get("response_id"), "response_id")
        turn = self._active if wanted is None else self._turns.get(wanted)
        if turn is None or turn.is_leaving:
            raise refusal("Cancellation failed: no active response found", code="response_cancel_not_active")
        turn.is_leaving = True
        return (Cancel(turn),)

    def _ignore(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        """What is for other ways to connect."""
        return ()

    # -- what follows from them ------------------------------------------------------------------------------------

    @property
    def _input(self) -> Config:
        heard: Config = self._config["audio"]["input"]
        return heard

    @property
    def _format(self) -> Format:
        return format_of(self._input["format"])

    def _session(self) -> Config:
        config = self._config
        if config["type"] == "transcription":
            own = {"type": "transcription", "object": "realtime.transcription_session", "id": self._id}
        else:
            own = {"type": "realtime", "object": "realtime.session", "id": self._id, "model": self._setting.model}
        return own | config | {"expires_at": self._expires_at}

    def _note(self, heard: Heard, detection: Config, mint: Mint) -> Iterator[Move]:
        """What follows when somebody began to speak, or stopped."""
        length = self._format.length(heard.at - self._buffered_since)
        if heard.starts:
            self._heard_id = mint.id("item")
            self._take_buffer(length)
            place = {"audio_start_ms": heard.at, "item_id": self._heard_id}
            yield from self._tell(mint.event("input_audio_buffer.speech_started", **place))
            turn = self._active
            if turn is not None and not turn.is_leaving and detection.get("interrupt_response"):
                turn.reason, turn.is_leaving = "turn_detected", True
                yield Cancel(turn)
            return
        place = {"audio_end_ms": heard.at, "item_id": self._heard_id}
        yield from self._tell(mint.event("input_audio_buffer.speech_stopped", **place))
        answers = bool(detection.get("create_response"))
        yield from self._committed(self._heard_id, self._take_buffer(length), mint, answers=answers)

    def _take_buffer(self, length: int) -> bytes:
        """So much from the beginning of the buffer."""
        taken = bytes(self._buffer[: max(0, length)])
        del self._buffer[: len(taken)]
        self._buffered_since += self._format.milliseconds(len(taken))
        return taken

    def _committed(self, item_id: str, audio: bytes, mint: Mint, *, answers: bool) -> Iterator[Move]:
        """What was said becomes an item, is answered if it is to be, and transcribed if somebody wants that."""
        if self.conversation.find(item_id) is not None:
            item_id = mint.id("item")
        item = heard_item(item_id, audio, self._format.milliseconds(len(audio)))
        self.conversation.insert(item)
        place = {"previous_item_id": self.conversation.before(item), "item_id": item_id}
        yield from self._tell(mint.event("input_audio_buffer.committed", **place), *self._added(item, mint))
        if answers and self._active is not None:
            self._owes_response = True
        elif answers:
            self._active = self._response({}, {"type": "response.create"}, mint)
            yield self._active
        transcribing = self._input["transcription"]
        is_optional = self._config["type"] == "realtime"
        if transcribing is not None or not is_optional:
            model = (transcribing or {}).get("model") or _DEFAULT_TRANSCRIBER
            native = {"type": "input_audio_buffer.commit"}
            yield TranscriptionTurn(self, item, model, native, is_optional=is_optional)

    def _response(self, asked: Mapping[str, Any], native: ServerEvent, mint: Mint) -> ResponseTurn:
        """A response as the session says it is to be, but for what was asked of this one."""
        config, items = self._meant(asked, mint)
        output = config["audio"]["output"]
        manner = Manner(
            mint.id("resp"),
            config["output_modalities"][0] if self._says_how or "output_modalities" in asked else "text",
            {"format": output["format"], "voice": output["voice"]},
            config["max_output_tokens"],
            asked.get("metadata"),
            asked.get("conversation") == "none",
            sum(item.milliseconds for item in items if item.told.get("role") == "user"),
            self._setting.options.silence_ms_per_character,
        )
        turn = ResponseTurn(self, manner, self._chat(config, items, native))
        self._turns[manner.id] = turn
        return turn

    def _meant(self, asked: Mapping[str, Any], mint: Mint) -> tuple[Config, list[Item]]:
        """What holds for a response, and what it answers. Raises WireError."""
        config = merged(self._config, {name: asked[name] for name in asked.keys() & self._config.keys()})
        return config, self._given(asked.get("input"), mint)

    def _chat(self, config: Config, items: Iterable[Item], native: ClientEvent) -> ChatRequest:
        body = chat_body(self._setting.model, config, items)
        return ChatRequest(body, native, self._setting.model, stream=True, endpoint="realtime")

    def _given(self, given: list[dict[str, Any]] | None, mint: Mint) -> list[Item]:
        """The items that a response answers: those that it was given, or the conversation's. Raises WireError."""
        if given is None:
            return list(self.conversation)
        return [
            self.conversation.existing(one.get("id"), "retrieve")
            if one.get("type") == "item_reference"
            else read_item(one, mint.id("item"), mint.id("call", 16))
            for one in given
        ]

    def _added(self, item: Item, mint: Mint) -> Iterator[ServerEvent]:
        place = {"previous_item_id": self.conversation.before(item), "item": item.told}
        yield mint.event("conversation.item.added", **place)
        yield mint.event("conversation.item.done", **place)

    def _tell(self, *events: ServerEvent) -> list[Move]:
        return [told(shown) for event in events if (shown := self.dialect(event)) is not None]


def _voice(config: Config) -> Any:
    return config["audio"].get("output", {}).get("voice")


def _asked(event: ClientEvent) -> Config:
    """What a `response.create` asks for. Raises WireError."""
    sent = event.get("response")
    asked: Config = RESPONSE(modern({} if sent is None else checks.an_object(sent, "response")), "response")
    return asked


_HANDLERS: Handlers[Session] = {
    "session.update": Session._update,
    "transcription_session.update": Session._update_transcription,
    "input_audio_buffer.append": Session._append,
    "input_audio_buffer.commit": Session._commit,
    "input_audio_buffer.clear": Session._clear,
    "conversation.item.create": Session._create_item,
    "conversation.item.retrieve": Session._retrieve_item,
    "conversation.item.truncate": Session._truncate_item,
    "conversation.item.delete": Session._delete_item,
    "response.create": Session._create_response,
    "response.cancel": Session._cancel_response,
    "output_audio_buffer.clear": Session._ignore,
}

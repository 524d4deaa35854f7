"""One client's session: what it says, what is asked of fixtures for it, and what is told (wire-gemini-live §4, §5).

One answer is given at a time. What the client says meanwhile interrupts it, or waits, and is part of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import ErrorReply, Memory, Stamp, ToolCall, WireError
from aimock_protocols.gemini.fields import many
from aimock_protocols.gemini.platform import duration, refusal
from aimock_protocols.gemini.shape import prompt_tokens
from aimock_protocols.gemini_live import auth_tokens, closing, dialect
from aimock_protocols.gemini_live.following import LiveFollower
from aimock_protocols.gemini_live.listening import AUDIO_INPUT, Activity, Listening, Spoken
from aimock_protocols.gemini_live.setup import Setup, read_setup
from aimock_protocols.gemini_live.speaking import Manner, Message, completion, server_content, turn_complete
from aimock_protocols.gemini_live.turns import AnswerTurn, Content, TranscriptionTurn
from aimock_protocols.json_bodies import dumped
from aimock_protocols.sessions import Cancel, Close, Event, Move, Options, Turn

Moves = list[Move]

_GO_AWAY = "GO_AWAY"
"""The type of an error that is none: the client is asked to leave."""
_TIME_LEFT = 60.0
"""Seconds that it has for that, unless the fixture says."""

_SESSION = "session "
"""How the keys of sessions begin that can be taken up again."""


@attrs.define(eq=False)
class LiveSession:
    """A session by the Developer API or by Vertex AI."""

    is_vertex: bool | None
    """None: as the name of the model tells."""
    token: str | None
    """The ephemeral token that the client came with."""
    memory: Memory
    options: Options
    is_recorded: bool = False
    """Whether the service may have to be told what was said."""
    subprotocol: str | None = attrs.field(default=None, init=False)

    _setup: Setup | None = attrs.field(default=None, init=False)
    _listening: Listening = attrs.field(factory=Listening, init=False)
    _history: list[Content] = attrs.field(factory=list, init=False)
    _pending: list[Content] = attrs.field(factory=list, init=False)
    """What was said since the last answer, or while it is given."""
    _unheard: list[Content] = attrs.field(factory=list, init=False)
    """What of it may yet be transcribed."""
    _is_wanted: bool = attrs.field(default=False, init=False)
    """Whether an answer is to be asked for as soon as it can be."""
    _turn: AnswerTurn | TranscriptionTurn | None = attrs.field(default=None, init=False)
    _called: AnswerTurn | None = attrs.field(default=None, init=False)
    """The answer that ended in calls whose results are not all there."""
    _calls: list[ToolCall] = attrs.field(factory=list, init=False)
    """Those calls."""
    _objection: ErrorReply | None = attrs.field(default=None, init=False)
    """What the service would not have taken of what is pending."""
    _messages: int = attrs.field(default=0, init=False)
    """How many the client sent."""
    _spoken: Spoken = attrs.field(factory=Spoken, init=False)
    """What came of the user's audio since an answer was last asked for."""
    _unsaved: int = attrs.field(default=0, init=False)
    """Bytes of the history that no handle holds yet."""
    _is_over: bool = attrs.field(default=False, init=False)

    @property
    def is_binary(self) -> bool:
        return not self.options.in_text_frames

    @property
    def is_compatible(self) -> bool:
        return self.options.is_compatible

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        return ()

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        if self._is_over:
            return ()
        self._messages += 1
        try:
            read = dialect.read(message)
            if self.is_recorded and "realtimeInput" in read:
                self._spoken.add(message, read["realtimeInput"])
            return self._heed(read, stamp)
        except WireError as refused:
            return [self._told(refused.reply)]

    def _heed(self, message: Mapping[str, Any], stamp: Stamp) -> Moves:
        """Raises WireError before anything has changed."""
        if self.is_compatible and "config" in message:
            message = {"setup": message["config"]}
        if len(message) != 1 or not message.keys() <= _HEEDED.keys():
            raise refusal(f"A message must have exactly one of {', '.join(_HEEDED)}")
        ((kind, content),) = message.items()
        if type(content) is not dict:
            raise refusal(f"Invalid value at '{kind}': must be an object")
        if self._setup is None and kind != "setup":
            raise WireError(ErrorReply("Setup required", "FAILED_PRECONDITION", status=400))
        return _HEEDED[kind](self, content, stamp)

    # -- what the client says --------------------------------------------------------------------------------------

    def _set_up(self, sent: dict[str, Any], stamp: Stamp) -> Moves:
        if self._setup is not None and not self.is_compatible:
            raise refusal("Setup can be sent only once, as the first message")
        if self.token is not None:
            sent = auth_tokens.admitted(self.token, sent, self.memory, stamp.created)
        setup = read_setup(sent, speaks_unasked=not self.is_compatible)
        if setup.handle is not None:
            history = self.memory.get(_SESSION + setup.handle)
            if history is None:
                raise WireError(ErrorReply("BidiGenerateContent session not found", status=404))
            self._history = list(history)
        if self.is_vertex is None:
            self.is_vertex = not setup.model.startswith("models/")
        self._setup = setup
        self._listening = Listening(setup.detection, setup.detection.hearing() if self.options.hears else None)
        told = {"sessionId": stamp.uuid("session")} if self.is_vertex else {}
        return [_event({"setupComplete": told}), *self._handle(stamp)]

    def _take_turns(self, sent: dict[str, Any], stamp: Stamp) -> Moves:
        """clientContent: it interrupts, whether it is complete or not."""
        turns = many(sent, "turns", "client_content.turns")
        is_complete = sent.get("turnComplete") is True or self.is_compatible
        if turns:
            self._checked(turns)
        elif is_complete and not (self._history or self._pending or self._turn):
            raise refusal("* BidiGenerateContentClientContent.turns: contents is not specified")
        moves = self._interrupt()
        self._pending += turns
        self._is_wanted |= is_complete
        return moves + self._go_on()

    def _take_input(self, sent: dict[str, Any], stamp: Stamp) -> Moves:
        """realtimeInput: the user may begin in it, and end, more than once."""
        moves: Moves = []
        for activity in self._listening.take(sent):
            moves += self._signal(activity)
            if activity.starts:
                moves += self._interrupt() if self._listening.detection.interrupts else []
                continue
            content = self._listening.content()
            self._pending.append(content)
            if self._settings.transcribes_input and content["parts"][0].get("text") == AUDIO_INPUT:
                self._unheard.append(content)
            self._is_wanted = True
            moves += self._go_on()
        return moves

    def _signal(self, activity: Activity) -> Moves:
        if activity.at_ms is None or not self._settings.signals_activity:
            return []
        kind = "ACTIVITY_START" if activity.starts else "ACTIVITY_END"
        offset = duration(activity.at_ms / 1000)
        return [_event({"voiceActivity": {"voiceActivityType": kind, "audioOffset": offset}})]

    def _take_results(self, sent: dict[str, Any], stamp: Stamp) -> Moves:
        """toolResponse: the answer goes on once all calls have their results. On Vertex AI it is over with them, and
        another follows."""
        results = many(sent, "functionResponses", "tool_response.function_responses")
        if not results:
            raise refusal("* BidiGenerateContentToolResponse.function_responses: function_responses is not specified")
        content = {"role": "user", "parts": [{"functionResponse": result} for result in results]}
        self._checked([content])
        for result in results:
            self._take_result(result)
        self._pending.append(content)
        is_silent = all(result.get("scheduling") == "SILENT" for result in results)
        self._is_wanted |= not is_silent
        moves: Moves = []
        if self._called is not None and not self._calls:
            called, self._called = self._called, None
            if called.said is not None and (is_silent or self.is_vertex):
                moves += _events(completion(called.said, called.manner))
        return moves + self._go_on()

    def _take_result(self, result: Mapping[str, Any]) -> None:
        """By the id of its call; where it has none, by the name."""
        told, name = result.get("id"), result.get("name")
        meant = (call for call in self._calls if told == call.id or (not told and name == call.name))
        call = next(meant, None)
        if call is None:
            self._objection = ErrorReply(f"Function response for a call that was not made: {told}", status=400)
        elif result.get("willContinue") is not True:
            self._calls.remove(call)

    def _update(self, sent: dict[str, Any], stamp: Stamp) -> Moves:
        """contextUpdate."""
        self._setup = self._settings.updated(sent)
        return []

    # -- what is asked ---------------------------------------------------------------------------------------------

    @property
    def _settings(self) -> Setup:
        assert self._setup is not None, "nothing is asked before the setup"
        return self._setup

    def _checked(self, contents: list[Content]) -> None:
        """Raises WireError for what cannot be part of a request."""
        self._settings.request(contents)

    def _go_on(self) -> Moves:
        """Asks for an answer, if one is wanted and nothing is in its way; first for what was said."""
        if self._turn is not None or self._called is not None or not self._is_wanted or self._is_over:
            return []
        if not (self._pending or self._history):  # forgotten, for there was no answer
            return []
        if self._unheard:
            model, is_vertex = self._settings.model, bool(self.is_vertex)
            self._turn = TranscriptionTurn(self._unheard.pop(0), model, is_vertex, self)
            return [self._turn]
        asked, self._pending, self._is_wanted = tuple(self._pending), [], False
        request = self._settings.request((*self._history, *asked))
        request.objection, self._objection = self._objection or request.objection, None
        self._turn = AnswerTurn(request, asked, self._manner(request.body), self, spoken=self._spoken.taken())
        return [self._turn]

    def _manner(self, body: dict[str, Any]) -> Manner:
        setup = self._settings
        return Manner(
            is_vertex=bool(self.is_vertex),
            speaks=setup.speaks,
            transcribes=setup.transcribes_output,
            ms_per_character=self.options.silence_ms_per_character,
            completes_calls=self.is_compatible,
            prompt_tokens=prompt_tokens(body),
            audio_ms=self._listening.audio_ms,
        )

    def _interrupt(self) -> Moves:
        """Stops the answer that is wanted, is given, or waits for results."""
        self._is_wanted = False
        turn = self._turn
        if turn is not None:
            if turn.is_cancelled:
                return []
            turn.is_cancelled = True
            return [Cancel(turn)]
        if self._called is None:
            return []
        called, self._called = self._called, None
        return self._broken_off(called, self._calls)

    def _broken_off(self, turn: AnswerTurn, calls: list[ToolCall]) -> Moves:
        """What ends an interrupted answer. Calls without results are called off."""
        self._calls = []
        told = [{"toolCallCancellation": {"ids": [call.id for call in calls]}}] if calls else []
        told.append(server_content(interrupted=True))
        return [*map(_event, told), *_events([turn_complete(turn.said, turn.manner)])]

    def follow(self, turns: Sequence[Turn], stamp: Stamp) -> LiveFollower:
        asked = [content for turn in turns if isinstance(turn, AnswerTurn) for content in turn.asked]
        spoken = [message for turn in turns if isinstance(turn, AnswerTurn) for message in turn.spoken]
        spoken += self._spoken.taken()
        return LiveFollower(self._settings, bool(self.is_vertex), [*self._history], [*asked, *self._pending], spoken)

    # -- how it went -----------------------------------------------------------------------------------------------

    def answered(self, turn: AnswerTurn, stamp: Stamp) -> Moves:
        """All of the answer was sent. With calls it is not over, but for the reference."""
        self._turn = None
        self._keep(turn)
        self._calls = turn.calls
        if self._calls and not turn.manner.completes_calls:
            self._called = turn
            return []
        return self._handle(stamp) + self._go_on()

    def interrupted(self, turn: AnswerTurn, stamp: Stamp) -> Moves:
        """Some of it was sent. If nothing had been found to answer, what was asked is asked again with the next."""
        self._turn = None
        if turn.said is None:
            self._pending[:0] = turn.asked
            self._spoken.give_back(turn.spoken)
        else:
            self._keep(turn)
        return self._broken_off(turn, turn.calls) + self._handle(stamp) + self._go_on()

    def transcribed(self, content: Content, text: str | None) -> Moves:
        """Now it is known what a turn of the client said; or it is not."""
        self._turn = None
        if text is not None:
            content["parts"][0] = {"text": text}
        return self._go_on()

    def failed(self, error: ErrorReply) -> Moves:
        """There is no answer, and what was asked is forgotten."""
        self._turn = None
        if error.type == _GO_AWAY:
            left = _TIME_LEFT if error.retry_after is None else error.retry_after
            return [_event({"goAway": {"timeLeft": duration(left)}}), *self._go_on()]
        return [self._told(error), *self._go_on()]

    def broke(self, error: ErrorReply) -> Moves:
        """The answer ended in an error, which the reference's message has told."""
        self._turn = None
        return self._go_on() if self.is_compatible else [self._told(error)]

    def _told(self, error: ErrorReply) -> Event | Close:
        if self.is_compatible:
            return Event(closing.message(error))
        self._is_over = True
        return closing.close(error)

    def _keep(self, turn: AnswerTurn) -> None:
        contents = turn.contents()
        self._history += contents
        self._unsaved += len(dumped(contents))

    def _handle(self, stamp: Stamp) -> Moves:
        """The handle by which the session can be taken up again as it is now, if the client wants any."""
        setup = self._settings
        if not setup.is_resumable:
            return []
        handle = stamp.uuid("handle")
        self.memory.put(_SESSION + handle, tuple(self._history), self._unsaved)
        self._unsaved = 0
        told: dict[str, Any] = {"newHandle": handle, "resumable": True}
        if setup.is_transparent:
            told["lastConsumedClientMessageIndex"] = str(self._messages - 1)
        return [_event({"sessionResumptionUpdate": told})]


_HEEDED: dict[str, Callable[[LiveSession, dict[str, Any], Stamp], Moves]] = {
    "setup": LiveSession._set_up,
    "clientContent": LiveSession._take_turns,
    "realtimeInput": LiveSession._take_input,
    "toolResponse": LiveSession._take_results,
    "contextUpdate": LiveSession._update,
}
"""What a client can say, one of it in a message."""


def _event(content: dict[str, Any]) -> Event:
    return Event(orjson.dumps(content))


def _events(messages: Iterable[Message]) -> Moves:
    return [Event(message.frame().data) for message in messages]

"""Sessions over a WebSocket: state machines without I/O and without a clock. Messages in, moves out.

A session asks for what only fixtures know by a `Turn`, which is to a session what a request is to HTTP: the server
matches its `request`, paces the frames that it makes of the answer, and tells it how that went. Whatever the turn then
has to say or to ask comes as moves again. Turns that were asked for side by side are answered side by side; a session
that wants them one after the other asks for the next when it is told of the end of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import attrs

from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, Head, Memory, Reply, Stamp, WireResponse


class Event(NamedTuple):
    """A message to the client, sent at once."""

    data: bytes
    """JSON text, in UTF-8."""


class Cancel(NamedTuple):
    """What is being said in a turn is to stop. The turn is then told how far that was, by `cut`."""

    turn: Turn


class Close(NamedTuple):
    """The session ends with a closing handshake."""

    code: int
    reason: str = ""
    """At most 123 bytes."""


@attrs.frozen
class Speech:
    """A fixture's audio."""

    audio: bytes
    media_type: str
    """As the fixture has it or as its format is called: `audio/mpeg`, `audio/pcm`, …"""
    transcript: str | None = None


@attrs.frozen
class Transcript:
    """A fixture's transcription of what the client said."""

    text: str
    language: str | None = None
    languages: tuple[Mapping[str, Any], ...] = attrs.field(default=(), hash=False)
    """Each with a `code`."""
    usage: Mapping[str, Any] | None = attrs.field(default=None, hash=False)


Said = Reply | Speech | Transcript


class Turn(Protocol):
    """One request in a session. Exactly one of `ended`, `cut` and `failed` is called, once and last, unless the
    connection ends before; `frames` at most once, before it."""

    @property
    def request(self) -> ChatRequest:
        """What fixtures match. Its `endpoint` is `chat`, `realtime`, `realtime-transcription`, …; `stream` is true."""

    @property
    def is_optional(self) -> bool:
        """Whether it is all the same if no fixture is meant to answer: nobody hears of it then but the turn."""

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        """The messages that answer, each a frame of its own: JSON text without framing. Kinds tell physics which of
        them take time, and interruption which of them count. Raises WireError at once (not when first read) if such an
        answer cannot be given in this turn."""

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        """The message that tells of an error after some frames have been sent."""

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        """All frames have been sent."""

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        """The session cancelled the turn when so many of its frames had been sent: none at all, if it was still being
        thought about."""

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        """An error stands in place of an answer: a fixture's, or that no fixture matched (404, `no_fixture_match`)."""


class Reciting(Protocol):
    """What a turn has beside, that can say again what a provider once said in its place."""

    def recited(self, messages: Sequence[bytes], said: Reply, stamp: Stamp) -> Iterator[Frame] | None:
        """The messages, a frame each, put right where they are of their session rather than of their turn; it is as if
        `frames` had been called. None if they cannot be said here as they are: another modality was asked for, say."""


Move = Event | Turn | Cancel | Close


class Session(Protocol):
    """One client's, from its handshake to its end."""

    @property
    def subprotocol(self) -> str | None:
        """Which of the offered ones is spoken, if any was."""

    @property
    def is_binary(self) -> bool:
        """Whether messages are sent in binary frames. Either kind is understood."""

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        """What is said before the client says anything."""

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        """A message of the client. Bad ones are answered as the provider would; nothing is raised."""


@attrs.define(eq=False)
class Passage:
    """A turn that a provider answers in place of fixtures."""

    request: ChatRequest | None = None
    """What fixtures match. Once the provider has begun to answer: None, if nobody here understands what it answers."""
    is_over: bool = False
    is_whole: bool = False
    """Once it is over: whether it came to an end of its own, so that it can be said again."""


Message = str | bytes


class Passed(NamedTuple):
    """What becomes of a message between a client and its provider."""

    messages: tuple[Message, ...] = ()
    """What goes on to the other side in its place."""
    passage: Passage | None = None
    """The turn that it asks for, or is part of."""


class Follower(Protocol):
    """Reads along what a client and its provider say to each other, from where a session could not go on by itself: so
    that the provider knows what was said before, and turns are known when they pass. Nothing is raised; what is not
    understood passes as it is."""

    @property
    def is_ready(self) -> bool:
        """Whether the provider can be told more than the greeting."""

    def greeting(self) -> Iterable[Message]:
        """What the provider is told first."""

    def retold(self) -> Iterable[Passed]:
        """What it is told once it is ready: all that was said before and that it does not know, and last what asks for
        the turns that nothing here has answered."""

    def asked(self, message: Message) -> Passed:
        """A message of the client."""

    def told(self, message: Message) -> Passed:
        """A message of the provider."""


class Followed(Protocol):
    """What sessions have beside that a provider can go on with, and their protocols: `said_in`."""

    def follow(self, turns: Sequence[Turn], stamp: Stamp) -> Follower:
        """Who reads along from now on; the session is not asked any more. `turns` are those under way: nothing here
        answers them."""

    def said_in(self, messages: Sequence[bytes]) -> Reply:
        """What the messages of a passage come to. Raises WireError if that is an error, and ValueError if they cannot
        be read."""


@attrs.frozen
class Options:
    """What a server was told about sessions, in the terms of no protocol."""

    has_beta: bool = False
    """Whether clients of OpenAI's retired Beta are served in its dialect, rather than refused."""
    hears: bool = False
    """Whether speech is told from silence in what clients say, so that turns begin and end without their doing."""
    silence_ms_per_character: int = 40
    """How long speech takes that is made up for a text."""
    in_text_frames: bool = False
    """Whether those providers that send binary frames send text instead."""
    is_compatible: bool = False
    """Whether sessions behave as the reference's do, where these differ from the providers'."""


@attrs.frozen
class Connecting:
    """A client's wish for a session."""

    head: Head
    params: Mapping[str, str]
    stamp: Stamp
    memory: Memory
    """What is remembered between sessions, and between them and requests of the same family of protocols."""
    options: Options
    is_strict: bool = False
    is_recorded: bool = False
    """Whether a provider may have to be told what was said."""


class SocketProtocol(Protocol):
    """What a protocol is asked whose clients come by WebSocket; a module with these members is one."""

    @property
    def name(self) -> str: ...

    def connect(self, connecting: Connecting) -> Session:
        """A session for the client. Raises WireError to refuse the handshake."""

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse:
        """An error as a response over HTTP, in the provider's envelope: what refuses a handshake."""

"""A translation over one socket: a session with events of its own (wire-openai-realtime §5).

Its client speaks without end, and nobody commits anything: what was heard is translated when the speaker pauses, where
the server hears that, and at the latest when the client closes the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp
from aimock_protocols.hearing import Hearing
from aimock_protocols.openai_realtime import checks
from aimock_protocols.openai_realtime.config import Config, updated
from aimock_protocols.openai_realtime.events import Mint, ServerEvent, framed, told
from aimock_protocols.openai_realtime.receiving import Handlers, handled
from aimock_protocols.openai_realtime.setting import LIFETIME, Setting
from aimock_protocols.openai_realtime.sound import PCM, pieces, samples_of, silences
from aimock_protocols.openai_realtime.transcription import asks
from aimock_protocols.sessions import Close, Move, Said, Speech, Transcript
from aimock_protocols.slicing import slices

_ENDPOINT = "realtime-translation"
_FORMAT = {"sample_rate": PCM.rate, "channels": 1, "format": "pcm16"}


class TranslationSession:
    """One client's."""

    is_binary = False

    def __init__(self, setting: Setting, stamp: Stamp, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol
        self.setting = setting
        self._config = setting.config
        self._moments = 0
        self._id = self.mint(stamp).id("sess")
        self._expires_at = int(stamp.created) + LIFETIME
        self._hearing = Hearing(onset_ms=60)
        self._unheard = 0
        """Bytes that nobody has translated."""
        self._turns = 0
        """How many are under way."""
        self._is_closing = False

    def mint(self, stamp: Stamp) -> Mint:
        self._moments += 1
        return Mint(stamp, self._moments)

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        return (told(self.mint(stamp).event("session.created", session=self._session())),)

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        if self._is_closing:
            return ()
        return handled(_HANDLERS, self, message, self.mint(stamp))

    def over(self, stamp: Stamp) -> Iterable[Move]:
        """What follows the end of a turn."""
        self._turns -= 1
        return self._closed(self.mint(stamp)) if self._is_closing and not self._turns else ()

    def _update(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        change = checks.an_object(event.get("session"), "session")
        self._config = updated(self._config, change, needs_type=False)
        return (told(mint.event("session.updated", session=self._session())),)

    def _append(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        audio = checks.audio(event.get("audio"), "audio")
        self._unheard += len(audio)
        if not self.setting.options.hears:
            return ()
        heard = self._hearing.hear(audio, PCM.rate)
        return self._translate() if any(not one.starts for one in heard) else ()

    def _close(self, event: ServerEvent, mint: Mint) -> Iterable[Move]:
        self._is_closing = True
        if self._unheard:
            return self._translate()
        return () if self._turns else self._closed(mint)

    def _translate(self) -> Iterable[Move]:
        self._unheard = 0
        self._turns += 1
        return (TranslationTurn(self, self.setting.model),)

    def _closed(self, mint: Mint) -> Iterable[Move]:
        return (told(mint.event("session.closed")), Close(1000))

    def _session(self) -> Config:
        own = {"id": self._id, "type": "translation", "model": self.setting.model, "expires_at": self._expires_at}
        return own | self._config


class TranslationTurn:
    """What was said, in another language."""

    is_optional = False

    def __init__(self, session: TranslationSession, model: str) -> None:
        self.request = asks(model, {"type": "session.input_audio_buffer.append"}, _ENDPOINT)
        self._session = session

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        """Transcript and audio, piece by piece. A transcription says what the translation is."""
        mint = self._session.mint(stamp)
        return (framed(event) for event in self._script(said, mint, chunk_size))

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        return Frame(told(self._session.mint(stamp).error(error)).data, FrameKind.CLOSE)

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        return self._session.over(stamp)

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        return self._session.over(stamp)

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        return (told(self._session.mint(stamp).error(error)), *self._session.over(stamp))

    def _script(self, said: Said, mint: Mint, chunk_size: int) -> list[ServerEvent]:
        events = []
        elapsed = 0.0
        for piece, sounds in _spoken(said, chunk_size, self._session.setting.options.silence_ms_per_character):
            if piece is not None:
                events.append(mint.event("session.output_transcript.delta", delta=piece, elapsed_ms=int(elapsed)))
            for sound in sounds:
                place = {**_FORMAT, "elapsed_ms": int(elapsed)}
                events.append(mint.event("session.output_audio.delta", delta=sound, **place))
                elapsed += PCM.milliseconds(len(sound) * 3 // 4 - sound.count("="))
        return events


def _spoken(said: Said, chunk_size: int, ms_per_character: int) -> Iterator[tuple[str | None, list[str]]]:
    if isinstance(said, Speech):
        for piece, sound in zip_longest(slices(said.transcript or "", chunk_size), pieces(PCM, samples_of(said.audio))):
            yield piece, [] if sound is None else [sound]
        return
    text = said.text if isinstance(said, Transcript) else said.text or ""
    for piece in slices(text, chunk_size):
        yield piece, silences(PCM, len(piece) * ms_per_character)


_HANDLERS: Handlers[TranslationSession] = {
    "session.update": TranslationSession._update,
    "session.input_audio_buffer.append": TranslationSession._append,
    "session.close": TranslationSession._close,
}

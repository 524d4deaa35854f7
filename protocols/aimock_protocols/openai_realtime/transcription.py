"""What somebody said, as text: a turn of its own beside the conversation (wire-openai-realtime §5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, FrameKind, Stamp, WireError
from aimock_protocols.openai_realtime import tokens
from aimock_protocols.openai_realtime.conversation import AUDIO_INPUT, Item
from aimock_protocols.openai_realtime.events import Mint, ServerEvent, framed, told
from aimock_protocols.openai_realtime.response import Host
from aimock_protocols.sessions import Move, Said, Transcript
from aimock_protocols.slicing import slices
from aimock_protocols.usage import estimate, utf16_length

ENDPOINT = "realtime-transcription"
NO_TRANSCRIPTION = ErrorReply(
    "Fixture response is not a transcription type", "invalid_request_error", code="invalid_fixture_type", status=500
)

_COUNTED_IN_TOKENS = "gpt-4o"
"""How the models begin that are paid by the token. All others are by the second."""
_TOLD_AT_ONCE = "whisper-1"


def asks(model: str, native: dict[str, Any], endpoint: str = ENDPOINT) -> ChatRequest:
    """What fixtures match when audio is to be made text."""
    body = {"model": model, "messages": [{"role": "user", "content": AUDIO_INPUT}]}
    return ChatRequest(body, native, model, stream=True, endpoint=endpoint)


class TranscriptionTurn:
    """The transcription of one item."""

    def __init__(self, host: Host, item: Item, model: str, native: dict[str, Any], *, is_optional: bool) -> None:
        self.request = asks(model, native)
        self.is_optional = is_optional
        self._host = host
        self._item = item
        self._model = model
        self._transcript: str | None = None

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        if not isinstance(said, Transcript):
            raise WireError(NO_TRANSCRIPTION)
        self._transcript = said.text
        mint = self._host.mint(stamp)
        events = [*self._pieces(said, mint, chunk_size), self._completed(said, mint)]
        return (framed(event) for event in events)

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        self._transcript = None
        return Frame(told(self._failure(error, stamp)).data, FrameKind.CLOSE)

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        if self._transcript is not None:
            self._item.told["content"][0]["transcript"] = self._transcript
        return ()

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        return ()

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        """Where nobody has to transcribe, a fixture that is not there is no failure."""
        if self.is_optional and error.code == "no_fixture_match":
            return ()
        return (told(self._failure(error, stamp)),)

    def _pieces(self, said: Transcript, mint: Mint, chunk_size: int) -> Iterator[ServerEvent]:
        if "diarize" in self._model:
            end = self._item.milliseconds / 1000
            whole = {"id": mint.id("seg"), "text": said.text, "speaker": "A", "start": 0.0, "end": end}
            yield self._event(mint, "segment", **whole)
            return
        size = max(chunk_size, len(said.text)) if self._model == _TOLD_AT_ONCE else chunk_size
        for piece in slices(said.text, size):
            yield self._event(mint, "delta", delta=piece)

    def _completed(self, said: Transcript, mint: Mint) -> ServerEvent:
        languages = [*said.languages] or ([] if said.language is None else [{"code": said.language}])
        more = {"languages": languages} if languages else {}
        return self._event(mint, "completed", transcript=said.text, usage=self._usage(said), **more)

    def _usage(self, said: Transcript) -> Mapping[str, Any]:
        if said.usage is not None:
            return said.usage
        if not self._model.startswith(_COUNTED_IN_TOKENS):
            return {"type": "duration", "seconds": self._item.milliseconds / 1000}
        heard, written = tokens.heard(self._item.milliseconds), estimate(utf16_length(said.text))
        return {
            "type": "tokens",
            "total_tokens": heard + written,
            "input_tokens": heard,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
            "output_tokens": written,
        }

    def _failure(self, error: ErrorReply, stamp: Stamp) -> ServerEvent:
        code = None if error.code is None else str(error.code)
        why = {"type": error.type or "server_error", "code": code, "message": error.message, "param": error.param}
        return self._event(self._host.mint(stamp), "failed", error=why)

    def _event(self, mint: Mint, deed: str, /, **members: Any) -> ServerEvent:
        kind = f"conversation.item.input_audio_transcription.{deed}"
        return mint.event(kind, item_id=self._item.id, content_index=0, **members)

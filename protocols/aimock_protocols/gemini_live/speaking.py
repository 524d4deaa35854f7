"""An answer as the messages that tell it, in their order (wire-gemini-live §5)."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple, cast

import attrs
import orjson
from orjson import Fragment

from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import Frame, FrameKind, Part, Reply, Stamp, Text, ToolCall
from aimock_protocols.gemini.envelope import counted, is_blocked
from aimock_protocols.gemini.parts import grounding
from aimock_protocols.sessions import Speech
from aimock_protocols.slicing import slices

_MOST_AUDIO = 32 * 1024
"""Bytes of audio in a message; in base64 they are a third more, and clients take no message beyond 1 MiB."""

_PCM = "audio/pcm"
_RATE = 24_000
_SAMPLE_BYTES = 2
_TOKENS_PER_SECOND = 25
"""What audio counts as (ai.google.dev, Live API: token counts)."""

_REJECTED = "RESPONSE_REJECTED"
_REASONS = {"content_filter": _REJECTED, "SAFETY": _REJECTED} | {
    name: name
    for name in (
        _REJECTED,
        "MALFORMED_FUNCTION_CALL",
        "NEED_MORE_INPUT",
        "PROHIBITED_INPUT_CONTENT",
        "BLOCKLIST",
        "GENERATED_CONTENT_SAFETY",
        "GENERATED_CONTENT_PROHIBITED",
        "GENERATED_CONTENT_BLOCKLIST",
        "GENERATED_AUDIO_SAFETY",
        "GENERATED_OTHER",
        "INPUT_OTHER",
        "MAX_REGENERATION_REACHED",
    )
}
"""Why a turn is complete, where it was no ordinary end; by the finish reason of a fixture."""


@attrs.frozen
class Manner:
    """How answers are given in a turn."""

    is_vertex: bool
    speaks: bool
    """In audio, else in text."""
    transcribes: bool
    """Whether what is said in audio is told as text besides."""
    ms_per_character: int
    """How long the audio takes that stands for a text."""
    completes_calls: bool
    """Whether a turn that ends in calls is over with them, as the reference has it; else their results end it."""
    prompt_tokens: int
    audio_ms: float
    """How much of the prompt is audio."""


class Message(NamedTuple):
    """One of an answer."""

    content: dict[str, Any]
    kind: FrameKind
    said: tuple[Part, ...] = ()
    """What of the answer it brings."""

    def frame(self) -> Frame:
        return Frame(orjson.dumps(self.content), self.kind)


def answer(said: Reply | Speech, manner: Manner, stamp: Stamp, chunk_size: int) -> list[Message]:
    """The messages of an answer."""
    if isinstance(said, Speech):
        if manner.speaks or said.transcript is None:
            return [*_speech(said, manner, chunk_size), *completion(said, manner)]
        said = Reply((Text(said.transcript),))
    messages = list(_reply(said, manner, stamp, chunk_size))
    if said.tool_calls and not manner.completes_calls:
        return messages
    return messages + completion(said, manner)


def completion(said: Reply | Speech, manner: Manner) -> list[Message]:
    """What ends a turn that nobody interrupted."""
    ended = [Message(server_content(generationComplete=True), FrameKind.CLOSE), turn_complete(said, manner)]
    if manner.is_vertex and manner.speaks and manner.transcribes:
        ended.insert(0, Message(server_content(outputTranscription={"finished": True}), FrameKind.CLOSE))
    return ended


def turn_complete(said: Reply | Speech | None, manner: Manner) -> Message:
    """The end of a turn, and what it took if anything was answered."""
    told: dict[str, Any] = {"turnComplete": True}
    if isinstance(said, Reply):
        reason = _REJECTED if is_blocked(said) else _REASONS.get(said.finish_reason or "")
        if reason is not None:
            told["turnCompleteReason"] = reason
        if said.web_searches:
            told["groundingMetadata"] = grounding(said)
    if manner.is_vertex:
        told.setdefault("groundingMetadata", {})
    content = server_content(**told)
    if said is not None:
        content["usageMetadata"] = _usage(said, manner)
    return Message(content, FrameKind.CLOSE)


def server_content(**members: Any) -> dict[str, Any]:
    return {"serverContent": members}


# -- what a model says -------------------------------------------------------------------------------------------------


def _reply(reply: Reply, manner: Manner, stamp: Stamp, chunk_size: int) -> Iterator[Message]:
    """Thoughts, then texts and calls as they come; calls that follow each other all at once."""
    for piece in slices(reply.reasoning or "", chunk_size):
        yield _model_turn({"text": piece, "thought": True}, manner)
    called = 0
    for is_call, parts in groupby(reply.parts, lambda part: isinstance(part, ToolCall)):
        if is_call:
            calls = [_with_id(part, called + at, manner, stamp) for at, part in enumerate(parts)]
            called += len(calls)
            yield _tool_call(calls)
        else:
            for part in parts:
                yield from _text(cast(Text, part).text, manner, chunk_size)
    if reply.text == "" and not called and not manner.speaks:
        yield _model_turn({"text": ""}, manner)


def _text(text: str, manner: Manner, chunk_size: int) -> Iterator[Message]:
    """A text in slices; spoken, each with silence of its length."""
    for piece in slices(text, chunk_size):
        said: tuple[Part, ...] = (Text(piece),)
        if not manner.speaks:
            yield _model_turn({"text": piece}, manner, said)
            continue
        if manner.transcribes:
            yield _transcription(piece, said)
            said = ()
        samples = max(1, _RATE * manner.ms_per_character * len(piece) // 1000)
        yield from _audio(_silences(samples * _SAMPLE_BYTES), _mime(_PCM, manner), manner, said)


def _speech(speech: Speech, manner: Manner, chunk_size: int) -> Iterator[Message]:
    """A fixture's audio, after all of what is said in it."""
    said: tuple[Part, ...] = () if speech.transcript is None else (Text(speech.transcript),)
    if manner.transcribes:
        for piece in slices(speech.transcript or "", chunk_size):
            yield _transcription(piece, (Text(piece),))
            said = ()
    starts = range(0, len(speech.audio), _MOST_AUDIO)
    pieces = (base64.b64encode(speech.audio[start : start + _MOST_AUDIO]).decode() for start in starts)
    yield from _audio(pieces, _mime(speech.media_type, manner), manner, said)


def _audio(pieces: Iterable[str], mime: str, manner: Manner, said: tuple[Part, ...]) -> Iterator[Message]:
    """Audio in base64, of which the first piece brings what is said in all of it."""
    for piece in pieces:
        yield _model_turn({"inlineData": {"mimeType": mime, "data": piece}}, manner, said)
        said = ()


def _model_turn(part: dict[str, Any], manner: Manner, said: tuple[Part, ...] = ()) -> Message:
    """A part of what the model says. Only Vertex AI tells who it is that says it."""
    turn: dict[str, Any] = {"role": "model"} if manner.is_vertex else {}
    return Message(server_content(modelTurn=turn | {"parts": [part]}), FrameKind.TOKEN, said)


def _transcription(text: str, said: tuple[Part, ...]) -> Message:
    return Message(server_content(outputTranscription={"text": text}), FrameKind.TOKEN, said)


def _tool_call(calls: list[ToolCall]) -> Message:
    told = [{"name": call.name, "args": Fragment(on_one_line(call.arguments)), "id": call.id} for call in calls]
    return Message({"toolCall": {"functionCalls": told}}, FrameKind.TOKEN, tuple(calls))


def _with_id(part: Part, position: int, manner: Manner, stamp: Stamp) -> ToolCall:
    """A call with an id: its own, or one as the platform makes them."""
    call = cast(ToolCall, part)
    if call.id is not None:
        return call
    label = f"call {position}"
    made = stamp.uuid(label) if manner.is_vertex else f"function-call-{stamp.digits(19, label)}"
    return attrs.evolve(call, id=made)


def _silences(size: int) -> list[str]:
    """Silence of so many bytes, in base64, in pieces that can be sent."""
    whole, rest = divmod(size, _MOST_AUDIO)
    return [_silence(_MOST_AUDIO)] * whole + [_silence(rest)] * bool(rest)


@lru_cache(maxsize=64)
def _silence(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def _mime(media_type: str, manner: Manner) -> str:
    """Vertex AI leaves out the rate of its audio, which is always the same."""
    if media_type != _PCM or manner.is_vertex:
        return media_type
    return f"{_PCM};rate={_RATE}"


# -- what it took ------------------------------------------------------------------------------------------------------


def audio_tokens(milliseconds: float) -> int:
    return math.ceil(milliseconds * _TOKENS_PER_SECOND / 1000)


def _usage(said: Reply | Speech, manner: Manner) -> dict[str, Any]:
    """Token counts, by modality. The total is that of prompt and answer: thoughts are not in it, unlike
    generateContent's."""
    heard = audio_tokens(manner.audio_ms)
    reply = _counting(said) if isinstance(said, Speech) else said
    prompt, answered, thoughts, total, rest = counted(reply, manner.prompt_tokens + heard)
    name = "candidates" if manner.is_vertex else "response"
    is_heard = heard and prompt == manner.prompt_tokens + heard
    asked = {"TEXT": prompt - heard, "AUDIO": heard} if is_heard else {"TEXT": prompt}
    told: dict[str, Any] = {
        "promptTokenCount": prompt,
        f"{name}TokenCount": answered,
        "totalTokenCount": prompt + answered if total is None else total,
        "promptTokensDetails": _by_modality(asked),
        f"{name}TokensDetails": _by_modality({"AUDIO" if manner.speaks else "TEXT": answered}),
    }
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    return {member: value for member, value in told.items() if value} | rest


def _counting(speech: Speech) -> Reply:
    """A reply that says how much a fixture's audio is, or else is as long as what is said in it."""
    if speech.media_type != _PCM:
        return Reply((Text(speech.transcript or ""),))
    tokens = audio_tokens(len(speech.audio) / _SAMPLE_BYTES / _RATE * 1000)
    return Reply((Text("    " * tokens),))


def _by_modality(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]

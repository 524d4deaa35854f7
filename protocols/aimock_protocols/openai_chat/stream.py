"""Streamed chat completions (wire-openai-chat §6, §15, §21).

A chunk is a constant envelope around one delta, and a delta a constant form around a slice of text. Both are serialised
once a stream; a frame is then some pieces of bytes put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp, Text, ToolCall
from aimock_protocols.midstream import until_error
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.envelope import Telling, dumps
from aimock_protocols.openai_chat.errors import error_frame
from aimock_protocols.openai_chat.logprobs import logprobs_of, spread
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_dialects.dialect import ABSENT, NONE, CallStyle, Fact, Layout, Members, filled
from aimock_protocols.slicing import formed_slices

DONE = Frame(sse.DONE, FrameKind.CLOSE)

_CHUNK_END = b"}\n\n"

_SEAM_BYTE = b"\x00"
_SEAM = orjson.Fragment(_SEAM_BYTE)
"""Where something is yet to be put in. JSON has no such byte."""


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply: role, reasoning, parts, finish, usage if asked for, `[DONE]`.

    A reply with a mid-stream error ends in that error instead. Raises ValueError if `chunk_size` is below 1.
    """
    events: Iterable[Frame] = _chunks(reply, shape, stamp, chunk_size)
    if shape.include_obfuscation:
        events = _obfuscated(events, stamp)
    return until_error(events, reply, error_frame, shape, stamp)


def _chunks(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    dialect = shape.dialect
    forms = dialect.deltas
    tell = Telling(reply, shape, stamp)
    finish_reason = envelope.finish_reason(reply, shape)
    finish_delta = dumps(filled(forms.finish, tell), dialect)
    logprobs = logprobs_of(reply, shape)
    chunk = constant(tell)
    token = FrameKind.TOKEN

    chunks = [] if dialect.preamble is None else [Frame(_event(dialect.preamble, tell), FrameKind.OPEN)]
    if forms.role is not ABSENT:
        role = dumps(filled(forms.role, tell), dialect)
        for choice in range(shape.choices):
            before, after = around(chunk, tell, choice, more=dialect.opening, more_of_choice=dialect.opening_choice)
            chunks.append(Frame(before + role + after, FrameKind.OPEN))
    for choice in range(shape.choices):
        deltas = _deltas(tell, choice, chunk_size)
        finish = deltas.pop() if dialect.calls_finish and _ends_in_calls(tell) else finish_delta
        if logprobs is None:
            before, after = around(chunk, tell, choice)
            chunks += [Frame(before + delta + after, token) for delta in deltas]
        else:
            before, between, after = around(chunk, tell, choice, logprobs=_SEAM)
            chunks += [
                Frame(before + delta + between + value + after, token)
                for delta, value in zip(deltas, spread(deltas, logprobs), strict=True)
            ]
        before, after = around(
            chunk, tell, choice, finish_reason, more=dialect.finishing, more_of_choice=dialect.finishing_choice
        )
        chunks.append(Frame(before + finish + after, token))
    return chunks + closing(tell, finish_reason, finish_delta)


def constant(tell: Telling) -> Members:
    """What all chunks of a stream say alike: all but the choices."""
    chunk: Members = filled(tell.shape.dialect.chunk, tell.at({Fact.CHOICES: Fact.CHOICES}))
    return chunk


def closing(tell: Telling, finish_reason: str, finish_delta: bytes) -> list[Frame]:
    """What follows the finish."""
    dialect = tell.shape.dialect
    frames = []
    if tell.shape.include_usage if dialect.usage_chunk is None else dialect.usage_chunk:
        last = _choice(tell, 0, finish_reason, delta=orjson.Fragment(finish_delta))
        choices = [last] if dialect.usage_choice else []
        frames.append(Frame(_event(dialect.last_chunk, tell, {Fact.CHOICES: choices}), FrameKind.CLOSE))
    if dialect.ends_with_done:
        frames.append(DONE)
    return frames


def around(
    chunk: Members,
    tell: Telling,
    choice: int,
    finish_reason: str | None = None,
    logprobs: Any = None,
    more: Members = NONE,
    more_of_choice: Members = NONE,
) -> list[bytes]:
    """What stands before and after each delta, and each log probability, of a choice."""
    choices = [_choice(tell, choice, finish_reason, logprobs, more=more_of_choice)]
    return _event(chunk | more, tell, {Fact.CHOICES: choices}).split(_SEAM_BYTE)


def _choice(
    tell: Telling,
    choice: int,
    finish_reason: str | None,
    logprobs: Any = None,
    delta: Any = _SEAM,
    more: Members = NONE,
) -> Any:
    place = {
        Fact.INDEX: choice,
        Fact.DELTA: delta,
        Fact.LOGPROBS: logprobs,
        Fact.LOGPROBS_IF_ANY: ABSENT if logprobs is None else logprobs,
        Fact.FINISH_REASON: finish_reason,
        Fact.FINISH_REASON_IF_ANY: ABSENT if finish_reason is None else finish_reason,
        Fact.NATIVE_FINISH_REASON: finish_reason and envelope.native_finish_reason(tell.reply, tell.shape),
    }
    return filled(tell.shape.dialect.streamed_choice | more, tell.at(place))


def _event(layout: Layout, tell: Telling, place: Mapping[Fact, Any] = envelope.NOWHERE) -> bytes:
    return sse.encode(dumps(filled(layout, tell.at(place)), tell.shape.dialect))


def _deltas(tell: Telling, choice: int, chunk_size: int) -> list[bytes]:
    """The JSON of every delta between the role and the finish."""
    reply, dialect = tell.reply, tell.shape.dialect
    forms = dialect.deltas

    def cut(form: Layout, text: str, position: int = 0) -> tuple[bytes, ...]:
        place = {Fact.PIECE: _SEAM, Fact.POSITION: position}
        return formed_slices(tuple(dumps(filled(form, tell.at(place)), dialect).split(_SEAM_BYTE)), text, chunk_size)

    deltas: list[bytes] = []
    if reply.reasoning is not None and forms.reasoning is not ABSENT:
        deltas += cut(forms.reasoning, reply.reasoning)
    thought_end = filled(forms.reasoning_end, tell)
    if thought_end is not ABSENT:
        deltas.append(dumps(thought_end, dialect))
    if reply.refusal is not None and forms.refusal is not ABSENT:
        deltas += cut(forms.refusal, reply.refusal)
    calls: list[Any] = []

    def tell_calls() -> None:
        if calls:
            deltas.append(_call_delta(tell, list(calls)))
            calls.clear()

    position = 0
    for part in reply.parts:
        if isinstance(part, Text):
            tell_calls()
            deltas += cut(forms.text, part.text)
            continue
        if tell.shape.speaks_functions:
            if position == 0:
                function = {"name": part.name, "arguments": ""}
                deltas.append(dumps({"function_call": function}, dialect))
                deltas += cut({"function_call": {"arguments": Fact.PIECE}}, envelope.call_arguments(part))
        elif dialect.call_style is CallStyle.IN_FRAGMENTS:
            deltas.append(_call_delta(tell, [_call(tell, part, "", choice, position)]))
            deltas += cut(forms.arguments, envelope.call_arguments(part), position)
        else:
            calls.append(_call(tell, part, envelope.call_arguments(part), choice, position))
            if dialect.call_style is CallStyle.ONE_BY_ONE:
                tell_calls()
        position += 1
    tell_calls()
    return deltas


def _ends_in_calls(tell: Telling) -> bool:
    """Whether calls are the last that is streamed."""
    return bool(tell.reply.parts) and isinstance(tell.reply.parts[-1], ToolCall)


def _call(tell: Telling, call: ToolCall, arguments: str, choice: int, position: int) -> Any:
    call_id = envelope.call_id(call, tell.shape, tell.stamp, choice, position)
    return envelope.told_call(tell.shape.dialect.streamed_call, call.name, arguments, call_id, position)


def _call_delta(tell: Telling, calls: list[Any]) -> bytes:
    return dumps(filled(tell.shape.dialect.deltas.calls, tell.at({Fact.CALLS: calls})), tell.shape.dialect)


def _obfuscated(events: Iterable[Frame], stamp: Stamp) -> Iterator[Frame]:
    """Pads every chunk with filler, as the provider does against who would guess text from the length of packets."""
    for number, (data, kind) in enumerate(events):
        if data != sse.DONE:
            filler = stamp.alphanumeric(16, f"obfuscation {number}").encode()
            data = data.removesuffix(_CHUNK_END) + b',"obfuscation":"' + filler + b'"' + _CHUNK_END
        yield Frame(data, kind)

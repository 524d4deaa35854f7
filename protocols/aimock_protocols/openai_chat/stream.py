"""Streamed chat completions (wire-openai-chat §6, §21).

A chunk is a constant envelope around one delta. The envelope is serialised once a stream; a frame is then three pieces
of bytes put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp, Text
from aimock_protocols.midstream import interrupted
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.logprobs import logprobs_of, spread
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_platform import error_frame
from aimock_protocols.slicing import wrapped_slices

DONE = Frame(sse.DONE, FrameKind.CLOSE)

_CHUNK_END = b"}\n\n"


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply: role, reasoning, parts, finish, usage if asked for, `[DONE]`.

    A reply with a mid-stream error ends in that error instead. Raises ValueError if `chunk_size` is below 1.
    """
    events: Iterable[Frame] = _chunks(reply, shape, stamp, chunk_size)
    if shape.include_obfuscation:
        events = _obfuscated(events, stamp)
    if reply.mid_stream_error is not None:
        broken = reply.mid_stream_error
        events = interrupted(events, broken.after_chunks, error_frame(broken.error, shape, stamp))
    return iter(events)


def _chunks(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    model = envelope.model_name(reply, shape)
    constant = {
        "id": envelope.reply_id(reply, stamp),
        "object": "chat.completion.chunk",
        "created": envelope.created(reply, stamp),
        "model": model,
        "service_tier": shape.service_tier,
        "system_fingerprint": envelope.fingerprint(reply, model),
    }
    head = b"data: " + orjson.dumps(constant)[:-1]
    end = b',"usage":null' + _CHUNK_END if shape.include_usage else _CHUNK_END
    plain = b',"logprobs":null,"finish_reason":null}]' + end
    finish_reason = orjson.dumps(envelope.finish_reason(reply, shape))
    finish = b'{},"logprobs":null,"finish_reason":' + finish_reason + b"}]" + end
    logprobs = logprobs_of(reply, shape)

    openings = [head + b',"choices":[{"index":%d,"delta":' % index for index in range(shape.choices)]
    role = _role_delta(reply) + plain
    token = FrameKind.TOKEN
    chunks = [Frame(opening + role, FrameKind.OPEN) for opening in openings]
    for choice, opening in enumerate(openings):
        deltas = _deltas(reply, shape, stamp, choice, chunk_size)
        if logprobs is None:
            chunks += [Frame(opening + delta + plain, token) for delta in deltas]
        else:
            end_of_choice = b',"finish_reason":null}]' + end
            chunks += [
                Frame(opening + delta + b',"logprobs":' + value + end_of_choice, token)
                for delta, value in zip(deltas, spread(deltas, logprobs), strict=True)
            ]
        chunks.append(Frame(opening + finish, token))
    if shape.include_usage:
        counts = orjson.dumps(envelope.usage(reply, shape))
        chunks.append(Frame(head + b',"choices":[],"usage":' + counts + _CHUNK_END, FrameKind.CLOSE))
    chunks.append(DONE)
    return chunks


def _role_delta(reply: Reply) -> bytes:
    """The first delta. Only where it says `""` will there be content; a client that sees null waits for none."""
    role = orjson.dumps(reply.role or "assistant")
    if reply.text is not None:
        return b'{"role":' + role + b',"content":"","refusal":null}'
    if reply.refusal is not None:
        return b'{"role":' + role + b',"content":null,"refusal":""}'
    return b'{"role":' + role + b',"content":null}'


def _deltas(reply: Reply, shape: Shape, stamp: Stamp, choice: int, chunk_size: int) -> list[bytes]:
    """The JSON of every delta between the role and the finish."""
    deltas: list[bytes] = []
    if reply.reasoning is not None:
        deltas += wrapped_slices(b'{"reasoning_content":', reply.reasoning, b"}", chunk_size)
    if reply.refusal is not None:
        deltas += wrapped_slices(b'{"refusal":', reply.refusal, b"}", chunk_size)
    position = 0
    for part in reply.parts:
        if isinstance(part, Text):
            deltas += wrapped_slices(b'{"content":', part.text, b"}", chunk_size)
            continue
        function = {"name": part.name, "arguments": ""}
        arguments = envelope.call_arguments(part)
        if not shape.speaks_functions:
            call_id = envelope.call_id(part, stamp, choice, position)
            call = {"index": position, "id": call_id, "type": "function", "function": function}
            deltas.append(orjson.dumps({"tool_calls": [call]}))
            opening = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % position
            deltas += wrapped_slices(opening, arguments, b"}}]}", chunk_size)
        elif position == 0:
            deltas.append(orjson.dumps({"function_call": function}))
            deltas += wrapped_slices(b'{"function_call":{"arguments":', arguments, b"}}", chunk_size)
        position += 1
    return deltas


def _obfuscated(events: Iterable[Frame], stamp: Stamp) -> Iterator[Frame]:
    """Pads every chunk with filler, as the provider does against who would guess text from the length of packets."""
    for number, (data, kind) in enumerate(events):
        if data != sse.DONE:
            filler = stamp.alphanumeric(16, f"obfuscation {number}").encode()
            data = data.removesuffix(_CHUNK_END) + b',"obfuscation":"' + filler + b'"' + _CHUNK_END
        yield Frame(data, kind)

"""Invariant: an upstream's answer reads as a reply or an error, however it is split, and a reply can be sent again.

Any bytes are read as a body and as a stream: `parse` gives a reply, ValueError or WireError, `read_stream` a reply or
WireError, and a stream split in two gives what it gives in one piece. A reply that is encoded and read again has the
same text. The same bytes as a request are messages in canonical form, of which all facts can be asked, or a 400.

    python fuzz/fuzz_anthropic_messages.py -max_total_time=60
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports():
    import attrs
    import orjson

    from aimock.fixtures.question import FACTS
    from aimock_protocols import anthropic_messages
    from aimock_protocols.canonical import Reply, Stamp, WireError


@attrs.frozen
class Head:
    method: str = "POST"
    path: str = "/v1/messages"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


HEAD = Head(headers={"anthropic-version": "2026-10-21"})
STAMP = Stamp(1795200000.0, b"fuzz" * 16)
SHAPE = anthropic_messages.shape(anthropic_messages.decode(HEAD, {}, b'{"messages":[]}'))
OPENINGS = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"',
    b'data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use"}}\n\n'
    b'data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"',
    b'data: {"type":"message_delta","delta":{"stop_reason":"',
)


def ask(body: bytes) -> None:
    try:
        request = anthropic_messages.decode(HEAD, {}, body)
        anthropic_messages.shape(request)
    except WireError as refused:
        told = anthropic_messages.error(refused.reply, STAMP)
        assert told.status == 400
        return
    assert all(isinstance(message, dict) for message in request.body["messages"])
    for fact in FACTS.values():
        fact(request)


def read(body: bytes, cut: int) -> None:
    with contextlib.suppress(ValueError, WireError):
        send_again(anthropic_messages.parse(body))
    try:
        expected = anthropic_messages.read_stream([body])
        send_again(expected.reply)
    except WireError as raised:
        expected = raised.reply
    try:
        split = anthropic_messages.read_stream([body[:cut], body[cut:]])
    except WireError as raised:
        split = raised.reply
    assert split == expected


def send_again(reply: Reply) -> None:
    whole = orjson.loads(anthropic_messages.encode(reply, SHAPE, STAMP))
    if reply.mid_stream_error is None:
        streamed = anthropic_messages.collapse(
            frame.data for frame in anthropic_messages.frames(reply, SHAPE, STAMP, 3)
        )
        assert (streamed.text or "") == (reply.text or "")
        assert len(whole["content"]) >= len(reply.tool_calls) == len(streamed.tool_calls)


def test_one_input(data: bytes) -> None:
    cut, body = data[0] if data else 0, data[1:]
    ask(body)
    ask(b'{"messages":[{"role":"user","content":[' + body)
    ask(b'{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[' + body)
    read(body, cut)
    for opening in OPENINGS:
        read(opening + body, cut + len(opening))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

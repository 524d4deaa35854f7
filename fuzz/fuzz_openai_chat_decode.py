"""Invariant: any body is a request or a 400 in the provider's envelope; any request is answered, any answer read back.

The same bytes are also read as an upstream's answer: `parse` gives a reply, ValueError or WireError, `read_stream` a
reply or WireError, and a stream split in two gives what it gives in one piece.

    python fuzz/fuzz_openai_chat_decode.py -max_total_time=60
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports():
    import attrs
    import orjson

    from aimock_protocols import openai_chat
    from aimock_protocols.canonical import Reply, Stamp, Text, ToolCall, WireError
    from aimock_protocols.registry import chat_protocols


@attrs.frozen
class Head:
    method: str = "POST"
    path: str = "/v1/chat/completions"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


HEAD = Head()
STAMP = Stamp(1795200000.0, b"fuzz" * 16)
REPLY = Reply((Text("Hello 🚀"), ToolCall("f", '{"x":1}')), reasoning="Hm.", usage={"prompt_tokens": 1})


def ask(body: bytes) -> None:
    for protocol in chat_protocols():
        try:
            request = protocol.decode(HEAD, {"deployment": "a%20b", "model": "a%20b"}, body)
            shape = protocol.shape(request)
        except WireError as refused:
            told = protocol.error(refused.reply, STAMP)
            assert told.status == 400
            assert orjson.loads(told.body)["error"]["message"]
            continue
        whole = protocol.parse(protocol.encode(REPLY, shape, STAMP))
        streamed = protocol.collapse(frame.data for frame in protocol.frames(REPLY, shape, STAMP, 3))
        assert whole.id == streamed.id
        assert whole.parts == streamed.parts


def read(body: bytes, cut: int) -> None:
    with contextlib.suppress(ValueError, WireError):
        openai_chat.parse(body)
    try:
        expected = openai_chat.read_stream([body])
    except WireError as raised:
        expected = raised.reply
    try:
        split = openai_chat.read_stream([body[:cut], body[cut:]])
    except WireError as raised:
        split = raised.reply
    assert split == expected


def test_one_input(data: bytes) -> None:
    cut, body = data[0] if data else 0, data[1:]
    ask(body)
    read(body, cut)
    for opening in (b'data: {"choices":[', b'data: {"choices":[{"delta":'):
        read(opening + body, cut + len(opening))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

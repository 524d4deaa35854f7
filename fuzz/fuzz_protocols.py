"""Invariant: any body is a request or a 4xx in the provider's words, any request is answered, and any answer is read.

This holds for every protocol of the registry. A request that decodes is in canonical form, all facts can be asked of
it, and what is encoded for it is read back. Any bytes as an upstream's answer are a reply, ValueError or WireError;
as a stream a reply or WireError, and a stream split in two gives what it gives in one piece.

The first byte of an input chooses the protocol, the second what is fuzzed of it, two more a place: there the rest is
put into a request, an answer or a stream of the protocol's own, so that what is near to sense is tried as well.

    python fuzz/fuzz_protocols.py -max_total_time=60
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["aimock", "aimock_protocols"]):
    import orjson

    from aimock.fixtures.question import FACTS
    from aimock.net.exchange import Head
    from aimock_protocols.canonical import ChatRequest, Reply, Results, Stamp, Text, ToolCall, Vectors, WireError
    from aimock_protocols.registry import PROTOCOLS
    from aimock_protocols.services import texts_of
    from protocol_cases import EVERY, Case, ServiceCase

    for registered in PROTOCOLS:
        registered.load()

STAMP = Stamp(1795200000.0, b"fuzz" * 16)
REPLY = Reply((Text("Hello 🚀"), ToolCall("f", '{"x":1}')), reasoning="Hm.", usage={"prompt_tokens": 1})


class Target:
    """One protocol, with a request, an answer and a stream of its own."""

    def __init__(self, name: str) -> None:
        self.protocol: Any = next(each for each in PROTOCOLS if each.name == name).load()
        self.case = EVERY[name]
        self.streams = isinstance(self.case, Case)
        path, asked = self.case.asks(True) if isinstance(self.case, Case) else self.case.asks()
        self.head = Head("POST", path, path.partition("?")[0], path.partition("?")[2], {}, ())
        self.request = orjson.dumps(asked)
        shape = self.protocol.shape(self.decode(self.request))
        self.answer = self.protocol.encode(self.reply(), shape, STAMP)
        self.stream = b""
        if self.streams:
            self.stream = b"".join(frame.data for frame in self.protocol.frames(REPLY, shape, STAMP, 3))

    def reply(self) -> Reply | Vectors | Results:
        if isinstance(self.case, ServiceCase):
            return Results()
        return REPLY if isinstance(self.case, Case) else Vectors((None, (1.0, 2.5))[: len(self.case.texts)])

    def decode(self, body: bytes) -> ChatRequest:
        request: ChatRequest = self.protocol.decode(self.head, dict(self.case.params), body)
        return request

    def ask(self, body: bytes) -> None:
        try:
            request = self.decode(body)
            shape = self.protocol.shape(request)
        except WireError as refused:
            told = self.protocol.error(refused.reply, STAMP)
            assert 400 <= told.status < 500
            assert self.case.error(orjson.loads(told.body))
            return
        hash(shape)
        for fact in FACTS.values():
            fact(request)
        if self.streams:
            assert all(isinstance(message, dict) for message in request.body["messages"])
            whole = self.protocol.parse(self.protocol.encode(REPLY, shape, STAMP))
            streamed = self.protocol.collapse(frame.data for frame in self.protocol.frames(REPLY, shape, STAMP, 3))
            assert (whole.id, whole.text) == (streamed.id, streamed.text)
        elif isinstance(self.case, ServiceCase):
            assert texts_of(request.endpoint, request.body)
            self.protocol.parse(self.protocol.encode(Results(), shape, STAMP))
        else:
            assert all(isinstance(text, str) for text in request.body["input"])
            self.protocol.encode(Vectors((None,) * len(request.body["input"])), shape, STAMP)

    def read(self, body: bytes) -> None:
        with contextlib.suppress(ValueError, WireError):
            self.protocol.parse(body)

    def read_stream(self, body: bytes, cut: int) -> None:
        if self.streams:
            assert self.collapsed([body[:cut], body[cut:]]) == self.collapsed([body])

    def collapsed(self, pieces: list[bytes]) -> Any:
        try:
            return self.protocol.collapse(pieces)
        except WireError as raised:
            return raised.reply


TARGETS = [Target(name) for name in EVERY]


def test_one_input(data: bytes) -> None:
    if len(data) < 4:
        return
    target = TARGETS[data[0] % len(TARGETS)]
    place, rest = int.from_bytes(data[2:4], "big"), data[4:]

    def spliced(own: bytes) -> bytes:
        at = place % (len(own) + 1)
        return own[:at] + rest + own[at + len(rest) :]

    what = data[1] % 6
    if what < 2:
        target.ask(rest if what else spliced(target.request))
    elif what < 4:
        target.read(rest if what == 2 else spliced(target.answer))
    else:
        target.read_stream(rest if what == 4 else spliced(target.stream), place % (len(target.stream) + len(rest) + 1))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

"""A provider whose every byte a test writes itself, on a socket or in memory, and the files that a recorder makes."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import h11
import trio
import trio.testing
from httpcore2._backends.trio import TrioStream

Sends = trio.abc.Stream
Script = Callable[["Asked", Sends], Awaitable[None]]


@attrs.frozen
class Asked:
    """A request as the provider got it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes

    @property
    def said(self) -> str:
        """The last thing that was said in a chat of OpenAI's."""
        return str(json.loads(self.body)["messages"][-1]["content"])


@attrs.define
class Provider:
    """Answers by a script, which may be changed between two requests; the connection is closed after each."""

    script: Script
    asked: list[Asked] = attrs.field(factory=list)
    url: str = "http://provider.test"

    async def serve(self, stream: Sends) -> None:
        async with stream:
            asked = await _request(stream)
            if asked is not None:
                self.asked.append(asked)
                await self.script(asked, stream)

    @asynccontextmanager
    async def on_a_socket(self) -> AsyncIterator[None]:
        """Listens on a port of its own meanwhile."""
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(functools.partial(trio.serve_tcp, self.serve, 0, host="127.0.0.1"))
            self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
            yield
            nursery.cancel_scope.cancel()


class InMemory:
    """Stands in for httpcore's way to the network: all that is asked of anybody goes to one provider, whose bytes take
    no time."""

    def __init__(self, provider: Provider, nursery: trio.Nursery) -> None:
        self._provider = provider
        self._nursery = nursery

    async def connect_tcp(self, *_: Any, **__: Any) -> TrioStream:
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._provider.serve, theirs)
        return TrioStream(ours)


async def _request(stream: Sends) -> Asked | None:
    parser = h11.Connection(h11.SERVER)
    head, body = None, b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            lines = tuple((name.decode(), value.decode()) for name, value in head.headers)
            return Asked(head.method.decode(), head.target.decode(), lines, body)
        else:
            return None


# -- what it says ------------------------------------------------------------------------------------------------------

EVENTS = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"), ("connection", "close"))
END = b"0\r\n\r\n"


def head(status: int = 200, headers: Iterable[tuple[str, str]] = EVENTS) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body: bytes, status: int = 200, **headers: str) -> bytes:
    """A response in JSON; in names of headers the underlines are dashes."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    told = {"content-type": "application/json"} | told | {"content-length": str(len(body)), "connection": "close"}
    return head(status, told.items()) + body


def completion(text: str, **message: Any) -> bytes:
    """A whole answer of OpenAI's chat, spaced as no encoder of ours would space it."""
    said = {"role": "assistant", "content": text, "refusal": None, **message}
    finish = "tool_calls" if "tool_calls" in message else "stop"
    answer = {
        "id": "chatcmpl-recorded",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        "service_tier": "default",
    }
    return json.dumps(answer, indent=1).encode()


HI = whole(completion("Hi there"))
"""What a provider says that is not told otherwise."""


def events(*texts: str, done: bool = True) -> list[bytes]:
    """The frames of a stream of OpenAI's chat: one to begin with, one a text, one that ends it, and [DONE]."""
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": text}, None) for text in texts]
    if done:
        deltas.append(({}, "stop"))
    frames = [
        json.dumps(
            {
                "id": "chatcmpl-recorded",
                "object": "chat.completion.chunk",
                "created": 1700000000,
                "model": "gpt-4o-2024-08-06",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                "obfuscation": "abc",
            }
        ).encode()
        for delta, finish in deltas
    ]
    return [b"data: " + frame + b"\n\n" for frame in [*frames, *([b"[DONE]"] if done else [])]]


def saying(*answers: bytes) -> Script:
    """One response for each request, then the last one again and again."""
    left = list(answers)

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(left.pop(0) if len(left) > 1 else left[0])

    return script


def streaming(*frames: bytes, gap: float = 0.0) -> Script:
    """Each frame in a piece of its own, `gap` seconds before each."""

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head())
        for frame in frames:
            await trio.sleep(gap)
            await stream.send_all(chunk(frame))
        await stream.send_all(END)

    return script


# -- what is recorded --------------------------------------------------------------------------------------------------


def recorded(directory: Path) -> list[dict[str, Any]]:
    """The entries of all files beneath."""
    files = sorted(directory.rglob("*.json"))
    return [entry for file in files for entry in json.loads(file.read_bytes())["fixtures"]]


def texts(directory: Path) -> list[str]:
    """Of all files beneath, whatever they are called."""
    return [path.read_text() for path in sorted(directory.rglob("*")) if path.is_file()]

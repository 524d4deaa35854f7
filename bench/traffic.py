"""The requests that are sent, as bytes, and the check that they are answered rightly before anything is timed."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from bench import CannotRun
from bench.fixtures import FRAMES

VARYING = b"@" * 16
"""Stands for sixteen hexadecimal digits that differ in every request."""


@dataclass(frozen=True)
class API:
    """How a question is put to one API, and where its answer stands."""

    path: str
    model: str
    frames: int
    """Events of a streamed answer of FRAMES - 3 slices."""
    last: bytes
    """The data of the last of them."""
    whole_text: Callable[[Any], str]
    delta_text: Callable[[Any], str]
    """Of an event's data; empty if it has none."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What the body has besides."""


CHAT = API(
    "/v1/chat/completions",
    "gpt-4o",
    FRAMES,
    b"[DONE]",
    lambda body: str(body["choices"][0]["message"]["content"]),
    lambda data: data["choices"][0]["delta"].get("content") or "",
)
CLAUDE = API(
    "/v1/messages",
    "claude-sonnet-4-5",
    FRAMES + 2,
    b'{"type":"message_stop"}',
    lambda body: str(body["content"][0]["text"]),
    lambda data: data.get("delta", {}).get("text", ""),
    {"max_tokens": 1024},
)
"""Pings are no events of the answer: not every server sends them."""


@dataclass(frozen=True)
class Traffic:
    """One request, sent over and over on keep-alive connections."""

    request: bytes
    expected: str
    """The answer's whole text."""
    streamed: bool
    api: API = CHAT


def traffic(
    head: Callable[[int, str], bytes],
    prompt: str,
    expected: str,
    *,
    streamed: bool,
    varying: bool = False,
    api: API = CHAT,
) -> Traffic:
    """`varying`: no two bodies are the same."""
    marked = f" (question {VARYING.decode()})" if varying else ""
    body = json.dumps(
        {
            "model": api.model,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": f"Please tell me: {prompt}, thank you.{marked}"},
            ],
            "stream": streamed,
            **api.more,
        }
    ).encode()
    return Traffic(head(len(body), api.path) + body, expected, streamed, api)


def plain_head(content_length: int, path: str = CHAT.path) -> bytes:
    """Five headers, always the same: what a small client sends, and the kindest case for a cache of heads."""
    return _head(
        path,
        ("Host", "127.0.0.1"),
        ("User-Agent", "bench"),
        ("Authorization", "Bearer sk-bench"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(content_length)),
    )


def sdk_head(content_length: int, path: str = CHAT.path) -> bytes:
    """Fifteen headers, as an SDK sends them, the same each time."""
    return _head(path, *_SDK_HEADERS, ("Content-Length", str(content_length)))


def traced_head(content_length: int, path: str = CHAT.path) -> bytes:
    """Two more, as tracing adds them, which differ each time: no head is ever seen twice."""
    varying = VARYING.decode()
    return _head(
        path,
        *_SDK_HEADERS,
        ("traceparent", f"00-4bf92f3577b34da6{varying}-00f067aa0ba902b7-01"),
        ("Idempotency-Key", f"stainless-python-retry-{varying}"),
        ("Content-Length", str(content_length)),
    )


_SDK_HEADERS = (
    ("Host", "127.0.0.1"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 3.54.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "3.54.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.13.0"),
    ("X-Stainless-Retry-Count", "0"),
    ("Authorization", "Bearer sk-bench"),
)


KINDS: dict[str, tuple[Callable[[int, str], bytes], bool]] = {
    "5 headers": (plain_head, False),
    "15 SDK headers": (sdk_head, False),
    "5 headers, varying body": (plain_head, True),
    "17 varying headers": (traced_head, False),
}
"""The head of a kind of traffic, and whether its bodies vary."""


def _head(path: str, *headers: tuple[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def check(port: int, sent: Traffic) -> None:
    """Raises CannotRun unless the server answers 200 with the expected text, in the expected number of frames."""
    status, body = exchange(port, sent.request.replace(VARYING, b"0123456789abcdef"))
    if status != 200:
        raise CannotRun(f"expected a 200, got {status}: {body[:500]!r}")
    text = _streamed_text(body, sent.api) if sent.streamed else sent.api.whole_text(json.loads(body))
    if text != sent.expected:
        raise CannotRun(f"expected the text {sent.expected!r}, got {text!r}")


def exchange(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def _streamed_text(body: bytes, api: API) -> str:
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    events = [line for line in lines if line != b'{"type":"ping"}']
    if len(events) != api.frames or events[-1] != api.last:
        raise CannotRun(f"expected {api.frames} events, {api.last!r} the last, got {len(events)}: {body[-500:]!r}")
    return "".join(api.delta_text(json.loads(event)) for event in events[:-1])

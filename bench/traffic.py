"""The requests that are sent, as bytes, and the check that they are answered rightly before anything is timed."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse

from bench import CannotRun
from bench.fixtures import FRAMES

VARYING = b"@" * 16
"""Stands for sixteen hexadecimal digits that differ in every request."""


@dataclass(frozen=True)
class Traffic:
    """One request, sent over and over on keep-alive connections."""

    request: bytes
    expected: str
    """The answer's whole text."""
    streamed: bool


def traffic(
    head: Callable[[int], bytes], prompt: str, expected: str, *, streamed: bool, varying: bool = False
) -> Traffic:
    """`varying`: no two bodies are the same."""
    marked = f" (question {VARYING.decode()})" if varying else ""
    body = json.dumps(
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": f"Please tell me: {prompt}, thank you.{marked}"},
            ],
            "stream": streamed,
        }
    ).encode()
    return Traffic(head(len(body)) + body, expected, streamed)


def plain_head(content_length: int) -> bytes:
    """Five headers, always the same: what a small client sends, and the kindest case for a cache of heads."""
    return _head(
        ("Host", "127.0.0.1"),
        ("User-Agent", "bench"),
        ("Authorization", "Bearer sk-bench"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(content_length)),
    )


def sdk_head(content_length: int) -> bytes:
    """Fifteen headers, as an SDK sends them, the same each time."""
    return _head(*_SDK_HEADERS, ("Content-Length", str(content_length)))


def traced_head(content_length: int) -> bytes:
    """Two more, as tracing adds them, which differ each time: no head is ever seen twice."""
    varying = VARYING.decode()
    return _head(
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


KINDS: dict[str, tuple[Callable[[int], bytes], bool]] = {
    "5 headers": (plain_head, False),
    "15 SDK headers": (sdk_head, False),
    "5 headers, varying body": (plain_head, True),
    "17 varying headers": (traced_head, False),
}
"""The head of a kind of traffic, and whether its bodies vary."""


def _head(*headers: tuple[str, str]) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def check(port: int, sent: Traffic) -> None:
    """Raises CannotRun unless the server answers 200 with the expected text, in the expected number of frames."""
    status, body = _exchange(port, sent.request.replace(VARYING, b"0123456789abcdef"))
    if status != 200:
        raise CannotRun(f"expected a 200, got {status}: {body[:500]!r}")
    text = _streamed_text(body) if sent.streamed else json.loads(body)["choices"][0]["message"]["content"]
    if text != sent.expected:
        raise CannotRun(f"expected the text {sent.expected!r}, got {text!r}")


def _exchange(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def _streamed_text(body: bytes) -> str:
    events = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event.startswith(b"data: ")]
    if len(events) != FRAMES or events[-1] != b"[DONE]":
        raise CannotRun(f"expected {FRAMES} events with [DONE] at the end, got {len(events)}: {body[-500:]!r}")
    return "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1])

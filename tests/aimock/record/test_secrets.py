"""Every way in which a key can be sent, and every way in which a request can go wrong: no secret is anywhere after it.

A process records; its files, output, journal, metrics and answers are looked through. That the suite's other servers
keep secrets, `leaks.py` watches.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

import leaks
from aimock import AIMock
from recording_provider import END, Asked, Provider, Sends, chunk, completion, events, head, recorded, texts, whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

MARK = "of-nobody-else"
"""In every secret."""


def secret(name: str) -> str:
    return f"{name}-{MARK}"


BASIC = base64.b64encode(f"user:{secret('basic')}".encode()).decode()
AWS = "AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature="
HEADERS: list[dict[str, str]] = [
    {"Authorization": f"Bearer {secret('bearer')}"},
    {"Authorization": f"Key {secret('key')}"},
    {"Authorization": f"Basic {BASIC}"},
    {"Authorization": AWS + secret("signature"), "X-Amz-Security-Token": secret("session")},
    {"X-Api-Key": secret("anthropic")},
    {"X-Goog-Api-Key": secret("google")},
    {"Api-Key": secret("azure")},
    {"xi-api-key": secret("elevenlabs")},
    {"Cookie": f"session={secret('cookie')}"},
    {"Proxy-Authorization": f"Bearer {secret('proxy')}"},
    {"Ocp-Apim-Subscription-Key": secret("apim")},
]
QUERIES = [
    f"?key={secret('query')}",
    f"?access_token={secret('token')}&alt=sse",
    f"?X-Amz-Credential=AKID&X-Amz-Security-Token={secret('session')}&X-Amz-Signature={secret('signed')}",
    f"?X-Goog-Signature={secret('goog')}&sv=2026&sig={secret('sas')}",
    f"?%6Bey={secret('encoded')}",
]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", CHAT),
    ("/v1/chat/completions", CHAT | {"stream": True}),
    ("/v1/messages", CHAT | {"max_tokens": 5}),
    ("/v1beta/models/gemini-2.5-flash:generateContent", GEMINI),
    ("/model/anthropic.claude/converse", {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}),
    ("/v1/nowhere", CHAT),
    ("/v1/chat/completions", {"messages": 5}),
]
FRAMES = [head(), *map(chunk, events("Hi")), END]
ANSWERS = [
    [whole(completion("Hi"))],
    FRAMES,
    [whole(b'{"error": {"message": "No."}}', 401, set_cookie=f"session={secret('theirs')}")],
    [whole(b'{"error": {"message": "No."}}', 429)],
    [whole(b"<html>", 500, content_type="text/html")],
    FRAMES[:2],
    [head(), chunk(b"data: {\n\n"), END],
    [b"HTTP/1.1 nonsense\r\n\r\n"],
    [],
]


class Said(NamedTuple):
    """All that a process has let be seen of itself."""

    output: str
    answers: list[str]

    @property
    def texts(self) -> Iterator[str]:
        yield self.output
        yield from self.answers


def ask(port: int, method: str, target: str, body: str | None = None, headers: dict[str, str] | None = None) -> str:
    """The whole answer, as far as it comes."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} | (headers or {}))
            response = connection.getresponse()
            told = f"{response.status} {response.getheaders()}"
            return told + response.read().decode(errors="replace")
        except http.client.IncompleteRead as error:
            return error.partial.decode(errors="replace")
        except (http.client.HTTPException, OSError):
            return ""


def seen_of(url: str, directory: Path) -> Said:
    """Runs the process until all has been asked of it."""
    providers = [f"--provider-{name}={url}" for name in ("openai", "anthropic", "gemini", "bedrock")]
    options = ["--record", "--metrics", "--log-level", "debug", "--fixtures", "fixtures", "-p", "0", *providers]
    (directory / "fixtures").mkdir()
    keys = {
        "AIMOCK_PROVIDER_OPENAI_KEY": secret("ours"),
        "AWS_SECRET_ACCESS_KEY": secret("aws"),
        "AWS_ACCESS_KEY_ID": "A",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "aimock", *options],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")} | keys,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = ""
        try:
            while "listening on" not in output:
                output += process.stdout.readline()
            port = int(output.rstrip().rpartition(":")[2])
            sent = [("", headers) for headers in HEADERS] + [(query, {}) for query in QUERIES]
            answers = [
                ask(port, "POST", path + query, json.dumps(body).replace("hello", f"hello {number}"), headers)
                for path, body in ROUTES
                for number, (query, headers) in enumerate(sent)
            ]
            protocol = {"Sec-WebSocket-Protocol": f"realtime, openai-insecure-api-key.{secret('browser')}"}
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            answers.append(ask(port, "GET", "/v1/realtime?model=gpt-realtime", headers=upgrade | protocol))
            answers += [ask(port, "GET", path) for path in ("/__aimock/journal", "/metrics", "/v1/_requests")]
        finally:
            process.send_signal(signal.SIGTERM)
            output += process.communicate(timeout=60)[0]
    return Said(output, answers)


async def test_no_secret_is_anywhere_in_the_end(tmp_path: Path) -> None:
    async def script(asked: Asked, stream: Sends) -> None:
        for piece in ANSWERS[len(provider.asked) % len(ANSWERS)]:
            await stream.send_all(piece)

    provider = Provider(script)
    async with provider.on_a_socket():
        said = await trio.to_thread.run_sync(seen_of, provider.url, tmp_path)
    arrived = str(provider.asked)
    assert all(secret(name) in arrived for name in ("bearer", "anthropic", "google", "query", "ours")), "they were sent"
    assert len(recorded(tmp_path)) >= 2
    assert '"source":"proxy"' in "".join(said.answers).replace(" ", "")
    assert "aimock_requests_total" in "".join(said.answers)
    for text in (*said.texts, *texts(tmp_path)):
        assert MARK not in text
        assert BASIC not in text


def test_the_suite_would_notice(caplog: pytest.LogCaptureFixture) -> None:
    """A server that tells a secret in its log, in its journal or in a file fails its test."""
    watch = leaks.Watch()
    entries: list[Any] = []
    with AIMock() as mock:
        mock.on_message("hello", {"content": "Hi"})
        for headers in HEADERS:
            ask(mock.port, "POST", ROUTES[0][0], json.dumps(CHAT), headers)
        for query in QUERIES:
            ask(mock.port, "POST", ROUTES[0][0] + query, json.dumps(CHAT))
        entries += mock.journal
    for entry in entries:
        watch.note(entry)
    assert len([each for each in watch.secrets if MARK in each]) == len(HEADERS) + len(QUERIES) + 2
    assert watch.leaks() == []
    for place in ("the log", "a file"):
        watch.written = [(place, f"Bearer {secret('bearer')}".encode())]
        assert watch.leaks() == [f"{secret('bearer')} is in {place}"]
    watch.written = []
    watch.emit(logging.LogRecord("aimock", logging.INFO, "", 0, "asked with %s", (secret("query"),), None))
    assert watch.leaks() == [f"{secret('query')} is in the log"]

"""The server as an ASGI application: started by its server or by its first request, in Trio only; and `--http2`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from aimock import AIMock
from aimock.asgi import OPTIONS, ASGIApp, app, asgi_app

PATIENCE = 30.0
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """A directory with one file of fixtures."""
    slow = {"match": {"userMessage": "slow"}, "response": {"content": "x" * 30}, "chunkSize": 1, "latency": 20}
    hello = {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}}
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "a.json").write_text(json.dumps({"fixtures": [slow, hello]}))
    return tmp_path / "fixtures"


class Lifespan:
    """What a server tells an application of its own start and end."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._events, self._receive = trio.open_memory_channel[dict[str, Any]](2)
        self._sent, self._answers = trio.open_memory_channel[dict[str, Any]](2)

    async def run(self) -> None:
        await self._application({"type": "lifespan"}, self._receive.receive, self._sent.send)

    async def tell(self, what: str) -> dict[str, Any]:
        """The application's answer."""
        await self._events.send({"type": f"lifespan.{what}"})
        with trio.fail_after(PATIENCE):
            return await self._answers.receive()


async def ask(application: Any) -> httpx.Response:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
        return await client.post("/v1/chat/completions", json=QUESTION)


def said(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


# -- started by its server ---------------------------------------------------------------------------------------------


async def test_it_is_built_when_its_server_starts(fixtures: Path, nursery: trio.Nursery) -> None:
    application = asgi_app("--fixtures", str(fixtures), "--log-level", "silent")
    lifespan = Lifespan(application)
    nursery.start_soon(lifespan.run)
    assert await lifespan.tell("startup") == {"type": "lifespan.startup.complete"}
    (fixtures / "a.json").unlink()
    assert said(await ask(application)) == "Hi"
    assert await lifespan.tell("shutdown") == {"type": "lifespan.shutdown.complete"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fixtures", "nowhere"], "nowhere: No such file"),
        (["--frobnicate"], "--frobnicate"),
        (["--config", "missing.json"], "missing.json"),
    ],
)
async def test_a_server_that_cannot_start_is_told_why(nursery: trio.Nursery, options: list[str], message: str) -> None:
    lifespan = Lifespan(asgi_app(*options, "--log-level", "silent"))
    nursery.start_soon(lifespan.run)
    answer = await lifespan.tell("startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert message in answer["message"]


@pytest.mark.parametrize("listed", ["--fixtures '", "--fixtures nowhere"])
async def test_the_environment_has_the_options(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setenv(OPTIONS, listed)
    lifespan = Lifespan(app)
    nursery.start_soon(lifespan.run)
    answer = await lifespan.tell("startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert ("AIMOCK_OPTIONS: No closing quotation" if "'" in listed else "nowhere") in answer["message"]


async def test_without_a_start_the_first_requests_build_it_once(fixtures: Path) -> None:
    application = asgi_app("--fixtures", str(fixtures), "--log-level", "silent")
    answers: list[str] = []

    async def note() -> None:
        answers.append(said(await ask(application)))

    async with trio.open_nursery() as asking:
        for _ in range(3):
            asking.start_soon(note)
    assert answers == ["Hi"] * 3


def test_asyncio_is_told_at_the_start_that_it_will_not_do() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    application = asgi_app()
    asyncio.run(application({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "hypercorn -k trio" in sent[0]["message"]
    with pytest.raises(RuntimeError, match="hypercorn -k trio"):
        asyncio.run(application({"type": "http"}, receive, send))  # type: ignore[arg-type]


# -- a mock of one's own -----------------------------------------------------------------------------------------------


async def test_a_mock_is_asked_without_any_server() -> None:
    mock = AIMock(wall_clock=lambda: 1795200000.0).on_message("hello", {"content": "Hi"})
    answer = await ask(mock.asgi())
    assert said(answer) == "Hi"
    [entry] = mock.get_requests()
    assert entry["path"] == "/v1/chat/completions"
    mock.strict = True
    mock.clear_fixtures()
    assert (await ask(mock.asgi())).status_code == 503


async def test_a_mocks_methods_run_in_the_loop_of_its_server(nursery: trio.Nursery) -> None:
    mock = AIMock()
    lifespan = Lifespan(mock.asgi())
    nursery.start_soon(lifespan.run)
    await lifespan.tell("startup")
    await trio.to_thread.run_sync(lambda: mock.on_message("hello", {"content": "Hi"}))
    assert len(mock.fixtures) == 1
    await lifespan.tell("shutdown")
    mock.reset()
    assert isinstance(mock.asgi(), ASGIApp)


def test_a_mock_that_is_not_served_at_all_has_no_journal() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        AIMock().get_requests()


# -- processes ---------------------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def run(fixtures: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts a program, and gives it with what it said where a pattern matched."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")}
    with contextlib.ExitStack() as stack:

        def start(*words: str, until: str, **more: str) -> tuple[subprocess.Popen[str], str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *words],
                    cwd=fixtures.parent,
                    env=environment | more,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            stack.callback(process.kill)
            watchdog = threading.Timer(PATIENCE, process.kill)
            watchdog.daemon = True
            watchdog.start()
            stack.callback(watchdog.cancel)
            assert process.stdout is not None
            seen = ""
            for line in process.stdout:
                seen += line
                if found := re.search(until, line):
                    return process, found[1]
            raise AssertionError(seen)

        yield start


@posix
def test_hypercorn_serves_it(run: Callable[..., tuple[subprocess.Popen[str], str]]) -> None:
    words = ["hypercorn", "-k", "trio", "aimock.asgi:app", "-b", "127.0.0.1:0"]
    process, url = run(*words, until=r"Running on (\S+)", AIMOCK_OPTIONS="--strict --log-level silent")
    with httpx.Client(base_url=url, http1=False, http2=True) as client:
        answer = client.post("/v1/chat/completions", json=QUESTION)
        assert (answer.http_version, said(answer)) == ("HTTP/2", "Hi")
        assert len(answer.headers.get_list("date")) == 1
        with pytest.raises(httpx.RemoteProtocolError, match="StreamReset"):
            client.post("/v1/chat/completions", json=QUESTION, headers={"x-aimock-fault": "disconnect"})
        other = {"messages": [{"role": "user", "content": "other"}]}
        assert client.post("/v1/chat/completions", json=other).status_code == 503
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@posix
def test_the_command_line_serves_http_2_and_lets_streams_finish(
    run: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    process, url = run("aimock", "--http2", "-p", "0", until=r"^\[aimock\] aimock server listening on (\S+)$")
    body = {"messages": [{"role": "user", "content": "slow"}], "stream": True}
    with (
        httpx.Client(base_url=url, http1=False, http2=True) as client,
        client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        pieces = answer.iter_raw()
        next(pieces)
        process.send_signal(signal.SIGTERM)
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        assert answer.http_version == "HTTP/2"
    assert process.wait(PATIENCE) == 0
    assert process.stdout is not None
    assert process.stdout.read() == "[aimock] shutting down\n"

"""A live server with a plain HTTP client, and a server in memory on Trio's clock."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import h11
import pytest
import trio

from aimock import AIMock
from aimock.app import App
from aimock.net.limits import Limits
from aimock.net.memory import MemoryClient, connect
from aimock.net.server import HTTPServer
from aimock.net.transport import PeerGone
from aimock.settings import Settings
from aimock.state import State


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a developer's shell says to aimock does not reach the tests, and they leave nothing in his cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in os.environ:
        if name.startswith("AIMOCK_"):
            monkeypatch.delenv(name)


# -- a live server ---------------------------------------------------------------------------------------------------


@attrs.frozen
class Response:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content(self) -> str | None:
        """The text of a whole chat answer."""
        return self.json["choices"][0]["message"]["content"]


@pytest.fixture
def mock() -> Iterator[AIMock]:
    """A server of this test's own, in its own thread, on a port of its own."""
    with AIMock() as running:
        yield running


@pytest.fixture
def call(mock: AIMock) -> Callable[..., Response]:
    """One HTTP request: call("GET", "/health"), call("POST", path, {…} or bytes, {"X-Test-Id": "a"})."""

    def send(method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}, port: int = 0) -> Response:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or mock.port, timeout=10)) as connection:
            connection.request(method, path, data, dict(headers))
            response = connection.getresponse()
            return Response(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    return send


@pytest.fixture
def chat(call: Callable[..., Response]) -> Callable[..., Response]:
    """One chat request: chat("hello", {"X-Test-Id": "a"}, stream=True)."""

    def ask(text: str = "hello", headers: Mapping[str, str] = {}, **more: Any) -> Response:
        return call("POST", "/v1/chat/completions", question(text, **more), headers)

    return ask


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | more


# -- a server in memory ----------------------------------------------------------------------------------------------


@attrs.define
class Streamed:
    """A response as it arrived."""

    status: int = 0
    events: list[tuple[float, str]] = attrs.field(factory=list)
    """The data of each event, with the milliseconds that it came after the request."""
    ended_at: float = 0.0
    """Milliseconds after the request."""
    whole: bool = False
    """Whether the response came to the end that it announced."""

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.events]

    @property
    def chunks(self) -> list[float]:
        """The times of all events but [DONE]."""
        return [time for time, data in self.events if data != "[DONE]"]


@attrs.define
class Seen:
    """A response as its client sees it, times in milliseconds after the request."""

    status: int = 0
    """0: not even a status line came."""
    headers: dict[str, str] = attrs.field(factory=dict)
    pieces: list[tuple[float, bytes]] = attrs.field(factory=list)
    """The body, in the pieces in which it came."""
    arrivals: list[tuple[float, bytes]] = attrs.field(factory=list)
    """All bytes, as they came."""
    ending: str = "silence"
    """`whole`: it came to the end that it announced; else `fin`, `rst`, or nothing more for an hour."""
    ended_at: float = 0.0

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def times(self) -> list[float]:
        """When something of the body came."""
        return sorted({time for time, _ in self.pieces})


@attrs.define
class Memory:
    """A server without sockets: what it sends has the exact times of Trio's clock."""

    state: State
    server: HTTPServer

    def send(
        self,
        text: str = "hello",
        headers: Mapping[str, str] = {},
        *,
        path: str = "/v1/chat/completions",
        capacity: int | None = None,
        **more: Any,
    ) -> MemoryClient:
        """Asks on a connection of its own, whose client leaves at most `capacity` bytes unread."""
        client = connect(self.server, capacity=capacity)
        body = json.dumps(question(text, **more)).encode()
        lines = {"Host": "mock", "Content-Length": len(body), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        client.send(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return client

    async def stream(self, text: str = "hello", headers: Mapping[str, str] = {}, **more: Any) -> Streamed:
        """Asks for a stream and reads it to its end."""
        start = trio.current_time()
        client = self.send(text, headers, stream=True, **more)
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="POST", target="/", headers=[("Host", "mock")]))
        parser.send(h11.EndOfMessage())
        streamed = Streamed()
        text_so_far = ""
        while not streamed.whole:
            try:
                arrival = await client.receive()
            except PeerGone:
                arrival = None
            streamed.ended_at = round((trio.current_time() - start) * 1000, 6)
            if arrival is None:
                break
            parser.receive_data(arrival.data)
            while (event := parser.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                if isinstance(event, h11.Response):
                    streamed.status = event.status_code
                elif isinstance(event, h11.Data):
                    text_so_far += bytes(event.data).decode()
                elif isinstance(event, h11.EndOfMessage):
                    streamed.whole = True
                    break
            *complete, text_so_far = text_so_far.split("\n\n")
            streamed.events += [(streamed.ended_at, each.removeprefix("data: ")) for each in complete]
        client.finish()
        return streamed

    async def exchange(self, text: str = "hello", headers: Mapping[str, str] = {}, **more: Any) -> Seen:
        """Asks, and reads whatever comes."""
        start = trio.current_time()
        client = self.send(text, headers, **more)
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="POST", target="/", headers=[("Host", "mock")]))
        parser.send(h11.EndOfMessage())
        seen = Seen()
        with trio.move_on_after(3600):
            while seen.ending == "silence":
                try:
                    arrival = await client.receive()
                except PeerGone:
                    seen.ending = "rst"
                    break
                if arrival is None:
                    seen.ending = "fin"
                    break
                time = round((arrival.time - start) * 1000, 6)
                seen.arrivals.append((time, arrival.data))
                parser.receive_data(arrival.data)
                while (event := parser.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                    if isinstance(event, h11.Response):
                        seen.status = event.status_code
                        seen.headers = {name.decode(): value.decode() for name, value in event.headers}
                    elif isinstance(event, h11.Data):
                        seen.pieces.append((time, bytes(event.data)))
                    elif isinstance(event, h11.EndOfMessage):
                        seen.ending = "whole"
                        break
        seen.ended_at = round((trio.current_time() - start) * 1000, 6)
        client.finish()
        return seen

    @property
    def journal(self) -> list[dict[str, Any]]:
        return [entry.to_json() for entry in self.state.journal]


@pytest.fixture
def memory(nursery: trio.Nursery) -> Callable[..., Memory]:
    """Starts a server in memory: `memory(seed=1, latency=50)`, with the fields of Settings."""

    def start(limits: Limits | None = None, **settings: Any) -> Memory:
        state = State(Settings(**settings))
        server = HTTPServer(App(state).counted(), limits, state.settings.wall_clock)
        nursery.start_soon(server.serve)
        return Memory(state, server)

    return start

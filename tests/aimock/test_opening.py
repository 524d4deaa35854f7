"""A server whose fixtures are still being read: alive, not ready, and nobody is turned away."""

from __future__ import annotations

import functools

import pytest
import trio

from aimock.app import App
from aimock.fixtures import make_fixture
from aimock.net.memory import MemoryClient, connect
from aimock.net.server import HTTPServer
from aimock.opening import Opening
from aimock.settings import Settings
from aimock.state import State

CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}'


def app() -> App:
    state = State(Settings())
    state.book.append([make_fixture({"match": {"userMessage": "hello"}, "response": {"content": "Hi!"}})])
    return App(state)


def request(line: str, body: bytes = b"") -> bytes:
    return f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def answer(client: MemoryClient, mark: bytes) -> bytes:
    return b"".join(arrival.data for arrival in await client.receive_until(mark))


@pytest.fixture
async def opening(nursery: trio.Nursery):
    handler = Opening()
    server = HTTPServer(handler)
    await nursery.start(server.serve)
    yield handler, functools.partial(connect, server)
    await server.shut_down(0)


@pytest.mark.parametrize(
    ("line", "status", "body"),
    [
        ("GET /health", b"200 OK", b'{"status":"ok"}'),
        ("GET /ready", b"503 Service Unavailable", b'{"status":"loading"}'),
    ],
)
async def test_probes_are_answered_before_anything_is_loaded(opening, line, status, body):
    _, client = opening[0], opening[1]()
    client.send(request(line))
    told = await answer(client, body)
    assert told.startswith(b"HTTP/1.1 " + status)


async def test_who_asks_for_more_waits_and_is_answered(opening, autojump_clock):
    handler, client = opening[0], opening[1]()
    client.send(request("POST /v1/chat/completions", CHAT))
    with trio.move_on_after(3600) as waited:
        await client.receive()
    assert waited.cancelled_caught, "nothing is said before the fixtures are there"
    handler.open(app())
    assert b'"content":"Hi!"' in await answer(client, b'"system_fingerprint"')


async def test_who_leaves_while_waiting_leaves_nothing_behind(opening, autojump_clock):
    handler, client = opening[0], opening[1]()
    client.send(request("POST /v1/chat/completions", CHAT))
    await trio.testing.wait_all_tasks_blocked()
    client.leave()
    await trio.testing.wait_all_tasks_blocked()
    loaded = app()
    handler.open(loaded)
    await trio.testing.wait_all_tasks_blocked()
    assert len(loaded._state.journal) == 0


async def test_once_open_all_is_the_apps(opening):
    handler, client = opening[0], opening[1]()
    handler.open(app())
    client.send(request("GET /ready"))
    assert b'{"status":"ready"}' in await answer(client, b"}")
    client.send(b"nonsense\r\n\r\n")
    assert (await answer(client, b"}}")).startswith(b"HTTP/1.1 400")


async def test_what_cannot_be_read_is_refused_before_it_is_open_too(opening):
    client = opening[1]()
    client.send(b"nonsense\r\n\r\n")
    assert (await answer(client, b"}}")).startswith(b"HTTP/1.1 400")


async def test_who_waited_is_judged_and_counted_like_all_others(opening, autojump_clock):
    handler, clients = opening[0], [opening[1](), opening[1]()]
    state = State(Settings(metrics=True, api_keys=("sk-1",)))
    for client, path in zip(clients, ("/v1/chat/completions", "/v1/models?key=sk-1"), strict=True):
        client.send(request(f"GET {path}"))
    await trio.sleep(60)
    handler.open(App(state).counted())
    assert (await answer(clients[0], b"}}")).startswith(b"HTTP/1.1 401")
    assert (await answer(clients[1], b"}]}")).startswith(b"HTTP/1.1 200")
    await trio.testing.wait_all_tasks_blocked()
    assert state.metrics is not None
    counted = [line for line in state.metrics.exposition().splitlines() if line.startswith("aimock_requests_total")]
    assert sorted(counted) == [
        'aimock_requests_total{method="GET",path="/v1/chat/completions",status="401"} 1',
        'aimock_requests_total{method="GET",path="/v1/models",status="200"} 1',
    ]

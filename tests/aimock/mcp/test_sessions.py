"""Sessions and streams: how many there may be, how long they last, and what is kept of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio
import trio.testing

from aimock.surfaces.mcp.held import HeldSession, Sessions
from aimock.surfaces.mcp.mock import MCPMock
from aimock.surfaces.mcp.moves import Outcome
from aimock.surfaces.mcp.sessions import Session
from aimock.surfaces.mcp.streams import EventStream
from aimock_protocols.jsonrpc import RpcError
from mcp_asking import Client, ModernClient, pieces


def held(id: str, now: float = 0.0, revision: str = "2025-11-25") -> HeldSession:
    return HeldSession(Session(id, revision, {}, {}), now)


def test_abandoned_sessions_stay_within_a_bound() -> None:
    sessions = Sessions(100, 3600)
    for number in range(10_000):
        sessions.add(held(str(number), float(number) / 1000))
    assert len(sessions) == 100
    assert sessions.ids()[0] == "9900"


def test_over_http_too() -> None:
    with MCPMock(settings={"maxSessions": 5}) as mock:
        clients = [Client(mock.url) for _ in range(12)]
        for client in clients:
            client.open()
        assert len(mock.get_sessions()) == 5
        assert [client.post(client.message("ping")).status_code for client in clients] == [404] * 7 + [200] * 5
        for client in clients:
            client.http.close()


def test_those_in_use_outlast_those_that_are_idle() -> None:
    sessions = Sessions(2, 3600)
    busy, idle = held("busy"), held("idle")
    busy.lasting().has_reader = True
    for kept in (busy, idle, held("new")):
        sessions.add(kept)
    assert sessions.ids() == ["busy", "new"]


def test_idle_sessions_expire() -> None:
    sessions = Sessions(10, 60)
    for number in range(3):
        sessions.add(held(str(number), number * 10.0))
    assert sessions.get("0", 55) is not None  # and lives from then on
    assert sessions.get("1", 71) is None
    assert sessions.ids() == ["2", "0"]
    busy = sessions.get("2", 72)
    assert busy is not None
    busy.lasting().has_reader = True
    assert sessions.get("0", 140) is None
    assert sessions.ids() == ["2"]


def test_the_same_id_again_is_of_another_run() -> None:
    sessions = Sessions(10, 60)
    first, second = held("a"), held("a")
    stream = first.lasting()
    sessions.add(first)
    sessions.add(second)
    assert stream.is_over
    assert [*sessions] == [second]


def test_a_session_keeps_only_some_of_its_streams() -> None:
    kept = held("a")
    for _ in range(100):
        kept.open().finish(None)
    assert sum(kept.stream(number) is not None for number in range(101)) <= 9
    assert kept.stream(100) is not None


def test_a_session_has_so_many_subscriptions() -> None:
    session = held("a").session
    for number in range(1000):
        session.subscribe(f"x://{number}")
    with pytest.raises(RpcError, match="No more than"):
        session.subscribe("x://more")


def test_what_belongs_to_no_request_is_dropped_where_nobody_listens() -> None:
    kept = held("a")
    kept.session.changed("tools")
    assert kept.stream(0) is None


async def taken(pieces: AsyncGenerator[bytes, None], count: int) -> list[bytes]:
    return [await anext(pieces) for _ in range(count)]


async def test_a_quiet_stream_says_that_it_is_there(autojump_clock: trio.testing.MockClock) -> None:
    stream = EventStream()
    pieces = stream.read(None, 15)
    assert await taken(pieces, 2) == [b": ping\n\n"] * 2
    assert trio.current_time() == pytest.approx(30)
    stream.finish(Outcome({"id": 1}))
    assert [piece async for piece in pieces] == [b'event: message\ndata: {"id":1}\n\n']


async def test_what_nobody_reads_is_kept_within_a_bound() -> None:
    stream = EventStream(0, keep=10)
    for number in range(5000):
        stream.send({"n": number})
    stream.finish(None)
    read = [piece async for piece in stream.read(None, 15)]
    assert len(read) == 1000
    assert read[-1] == b'id: 0_4999\nevent: message\ndata: {"n":4999}\n\n'
    assert stream.knows(4999)
    assert not stream.knows(3000)
    assert not stream.knows(5000)


async def test_a_stream_is_taken_up_where_it_broke_off() -> None:
    stream = EventStream(3, keep=100, primed=True)
    for number in range(5):
        stream.send({"n": number})
    first = stream.read(None, 15)
    assert (await taken(first, 3))[0] == b"id: 3_0\ndata: \n\n"
    await first.aclose()
    stream.finish(Outcome({"id": 1}))
    assert len([piece async for piece in stream.read(2, 15)]) == 4
    assert len([piece async for piece in stream.read(5, 15)]) == 1
    assert [piece async for piece in stream.read(6, 15)] == []


async def test_whose_reader_leaves_is_told_unless_it_was_over() -> None:
    left: list[str] = []
    stream = EventStream()
    stream.on_unread = lambda: left.append("left")
    stream.send({})
    pieces = stream.read(None, 15)
    await taken(pieces, 1)
    await pieces.aclose()
    assert left == ["left"]
    stream.finish(None)
    assert [piece async for piece in stream.read(None, 15)] == []
    assert left == ["left"]


def comes_to_rest(mcp: MCPMock) -> bool:
    """Whether nothing runs any more, once the server has had its turns."""
    return any(not mcp.service._background for _ in range(1000) if mcp.health())


def test_a_modern_client_that_leaves_ends_its_call(mcp: MCPMock) -> None:
    with ModernClient(mcp.url, **{"io.modelcontextprotocol/logLevel": "debug"}) as client:
        body = client.message("tools/call", {"name": "slow"})
        with client.stream(body, **client.routing(body)) as answer:
            assert next(pieces(answer.iter_bytes()))["method"] == "notifications/message"
        assert comes_to_rest(mcp)


def test_the_end_of_a_session_ends_its_calls(mcp: MCPMock) -> None:
    with Client(mcp.url) as client:
        client.open()
        with client.stream(client.message("tools/call", {"name": "slow"})) as answer:
            told = pieces(answer.iter_bytes())
            next(told)
            assert next(told)["method"] == "notifications/message"
            mcp.end_session(client.http.headers["mcp-session-id"])
            assert list(told) == []
    assert comes_to_rest(mcp)

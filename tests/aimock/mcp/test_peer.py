"""The peer that other transports drive: both eras, without HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
import trio

from aimock.surfaces.mcp.peer import Peer
from aimock.surfaces.mcp.reading import READERS
from aimock.surfaces.mcp.server import Options, Server
from aimock_protocols.canonical import Stamp
from aimock_protocols.mcp.envelope import CAPABILITIES_KEY, LOG_LEVEL_KEY, SUBSCRIPTION_KEY, VERSION_KEY
from mcp_asking import initialize

STAMP = Stamp(1_800_000_000.0, b"x" * 64)
META = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}, LOG_LEVEL_KEY: "debug"}


class Talk:
    """A peer, what it said, and how it is spoken to."""

    def __init__(self, nursery: trio.Nursery, entries: dict[str, Any]) -> None:
        self.server = Server(Options())
        for kind, listed in entries.items():
            for entry in listed:
                self.server.registry.put(READERS[kind](entry, kind))
        self._nursery = nursery
        self._said, self.heard = trio.open_memory_channel[dict[str, Any]](100)
        self.missed: list[str] = []
        self.peer = Peer(
            self.server, self._said.send_nowait, self._spawn, lambda body: STAMP, on_missed=self.missed.append
        )

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> trio.CancelScope:
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await work()

        self._nursery.start_soon(run)
        return scope

    def say(self, value: Any) -> None:
        self.peer.receive(value if isinstance(value, bytes) else orjson.dumps(value))

    async def ask(self, method: str, params: dict[str, Any] | None = None, id: Any = 1) -> dict[str, Any]:
        self.say({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return await self.heard.receive()


ENTRIES = {
    "tools": [
        {"name": "t", "result": "x"},
        {"name": "slow", "log": [{"data": "begun"}], "steps": [{"delayMs": 3600000}]},
        {"name": "roots", "roots": {}, "result": "{{input.roots.roots}}"},
    ]
}


async def test_the_legacy_era(nursery: trio.Nursery) -> None:
    talk = Talk(nursery, ENTRIES)
    assert (await talk.ask("tools/list"))["error"]["message"] == "The first request of a session is initialize"
    assert (await talk.ask("ping"))["result"] == {}
    talk.say(initialize("2025-06-18", {"roots": {}}))
    assert (await talk.heard.receive())["result"]["protocolVersion"] == "2025-06-18"
    assert (await talk.ask("initialize", initialize("2025-06-18")["params"]))["error"]["code"] == -32600
    assert (await talk.ask("tools/call", {"name": "t"}))["result"]["content"][0]["text"] == "x"
    asked = await talk.ask("tools/call", {"name": "roots"})
    assert asked["method"] == "roots/list"
    talk.say({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}})
    assert (await talk.heard.receive())["result"]["content"][0]["text"] == "[]"
    assert (await talk.ask("tools/call", {"name": "slow"}, 7))["params"]["data"] == "begun"
    talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
    talk.server.registry.tell("tools")
    assert (await talk.heard.receive())["method"] == "notifications/tools/list_changed"
    assert (await talk.ask("tools/call", {"name": "none"}))["error"]["code"] == -32602
    assert talk.missed == ["Unknown tool: none"]
    talk.peer.close()
    talk.server.registry.tell("tools")
    with pytest.raises(trio.WouldBlock):
        talk.heard.receive_nowait()


async def test_the_modern_era(nursery: trio.Nursery) -> None:
    talk = Talk(nursery, ENTRIES)
    assert (await talk.ask("server/discover", {"_meta": META}))["result"]["resultType"] == "complete"
    assert (await talk.ask("tools/call", {"name": "t", "_meta": META}))["result"]["content"][0]["text"] == "x"
    assert (await talk.ask("ping", {"_meta": META}))["error"]["code"] == -32601
    bad = {VERSION_KEY: "1900-01-01", CAPABILITIES_KEY: {}}
    assert (await talk.ask("tools/list", {"_meta": bad}))["error"]["code"] == -32022
    assert (await talk.ask("tools/call", {"name": "slow", "_meta": META}, 7))["params"]["data"] == "begun"
    talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
    wanted = {"notifications": {"toolsListChanged": True}, "_meta": META}
    acknowledged = await talk.ask("subscriptions/listen", wanted, "s")
    assert acknowledged["params"]["_meta"] == {SUBSCRIPTION_KEY: "s"}
    talk.server.registry.tell("tools")
    assert (await talk.heard.receive())["method"] == "notifications/tools/list_changed"
    talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}})
    talk.server.registry.tell("tools")
    talk.peer.close()
    with pytest.raises(trio.WouldBlock):
        talk.heard.receive_nowait()


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", -32700), (b"[]", -32600), (b"5", -32600), (b'{"jsonrpc":"2.0","id":null}', -32600)]
)
async def test_what_is_no_message(nursery: trio.Nursery, body: bytes, code: int) -> None:
    talk = Talk(nursery, ENTRIES)
    talk.say(body)
    assert (await talk.heard.receive())["error"]["code"] == code


async def test_batches_where_the_revision_has_them(nursery: trio.Nursery) -> None:
    talk = Talk(nursery, ENTRIES)
    talk.say(initialize("2025-03-26"))
    await talk.heard.receive()
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    talk.say([ping, 5, ping | {"id": 2}])
    told = [await talk.heard.receive() for _ in range(3)]
    assert [(message["id"], "error" in message) for message in told] == [(1, False), (None, True), (2, False)]

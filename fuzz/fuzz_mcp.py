"""Invariant: any body in any session is answered: 202, a result, or an error whose code and status the protocol has.

An answer to a request carries its id, nothing raises, and nothing is left running. The first byte of an input chooses
the revision, the second the request that the rest is put into, if any, so that what is near to sense is tried as well.

    python fuzz/fuzz_mcp.py -max_total_time=60
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["aimock", "aimock_protocols"]):
    import orjson

    from aimock.surfaces.mcp.peer import Peer
    from aimock.surfaces.mcp.reading import READERS
    from aimock.surfaces.mcp.server import Options, Server
    from aimock_protocols.canonical import Stamp
    from aimock_protocols.mcp.envelope import CAPABILITIES_KEY, VERSION_KEY
    from aimock_protocols.mcp.revisions import LEGACY

STAMP = Stamp(1_800_000_000.0, b"fuzz" * 16)
CODES = {-32700, -32600, -32601, -32602, -32603, -32002, -32020, -32021, -32022, -32042}
FORM = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
ENTRIES: dict[str, list[dict[str, Any]]] = {
    "tools": [
        {"name": "t", "inputSchema": FORM, "result": "{{args.a}}", "cases": [{"arguments": {"a": "b"}, "result": []}]},
        {"name": "asks", "elicitation": {"message": "?", "requestedSchema": FORM}, "result": "{{input.elicitation}}"},
    ],
    "resources": [{"uri": "file:///a", "text": "a"}],
    "resourceTemplates": [{"uriTemplate": "x://{id}{?q}", "text": "{{args.id}}"}],
    "prompts": [{"name": "p", "arguments": [{"name": "a", "required": True}], "result": "{{args.a}}"}],
}
METHODS = (
    "tools/list",
    "tools/call",
    "resources/read",
    "resources/subscribe",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "initialize",
    "notifications/cancelled",
    "subscriptions/listen",
    "server/discover",
)
META = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {"elicitation": {}}}


class _Scope:
    """Nothing runs here: what would take time is closed before it begins."""

    def cancel(self) -> None:
        pass


def talk(revision: str, body: bytes) -> list[dict[str, Any]]:
    """What is said to a body."""
    server = Server(Options(page_size=1))
    server.seeded(1)
    for kind, entries in ENTRIES.items():
        for entry in entries:
            server.registry.put(READERS[kind](entry, kind))
    said: list[dict[str, Any]] = []
    peer = Peer(server, said.append, lambda work: _Scope(), lambda body: STAMP)  # type: ignore[arg-type,return-value]
    if revision in LEGACY:
        info = {"name": "fuzz", "version": "1"}
        params = {"protocolVersion": revision, "capabilities": {"elicitation": {}}, "clientInfo": info}
        peer.receive(orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}))
        said.clear()
    peer.receive(body)
    peer.close()
    return said


def framed(choice: int, revision: str, rest: bytes) -> bytes:
    """The rest as the parameters of a request, if it is JSON."""
    if choice >= len(METHODS):
        return rest
    try:
        params = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return rest
    if isinstance(params, dict) and revision not in LEGACY:
        params = {"_meta": META} | params
    try:
        return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": METHODS[choice], "params": params})
    except orjson.JSONEncodeError:
        return rest


def test_one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    revision = (*LEGACY, "2026-07-28")[data[0] % (len(LEGACY) + 1)]
    body = framed(data[1] % (2 * len(METHODS)), revision, data[2:])
    for message in talk(revision, body):
        written = orjson.loads(orjson.dumps(message))
        assert written["jsonrpc"] == "2.0"
        if "error" in written:
            assert written["error"]["code"] in CODES, written
            assert isinstance(written["error"]["message"], str)
            assert written["id"] is None or isinstance(written["id"], str | int)
        elif "method" not in written:
            assert isinstance(written["result"], dict)
            assert isinstance(written["id"], str | int)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

"""Invariant: what is said in any revision is answered by nothing, a result, or an error of a code that there is.

An answer has an id or null, nothing raises, and nothing is left running. The first byte of an input chooses the
revision, the second whether the rest is the body as it is, or what a request is made of: of the words of the protocol,
so that what is near to sense is tried as well.

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
        {
            "name": "asks",
            "task": {},
            "elicitation": {"message": "?", "requestedSchema": FORM},
            "result": "{{input}}",
        },
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
    "tasks/get",
    "tasks/list",
    "tasks/cancel",
    "tasks/update",
    "no/such",
)
WORDS = (
    *(
        "t",
        "asks",
        "p",
        "file:///a",
        "x://1",
        "x://1?q=2",
        "x://{id}{?q}",
        "a",
        "b",
        "id",
        "ref/prompt",
        "ref/resource",
    ),
    *("debug", "error", "accept", "decline", "2025-11-25", "1900-01-01", "ZnJvbTox", 0, 1),
)
KEYS = (
    *("name", "uri", "arguments", "a", "id", "cursor", "level", "ref", "type", "argument", "value", "_meta", "task"),
    *("inputResponses", "requestState", "elicitation", "action", "content", "notifications", "toolsListChanged"),
    *("resourceSubscriptions", "taskIds", "taskId", "protocolVersion", "capabilities", "clientInfo", "requestId"),
    *("progressToken", "ttl", VERSION_KEY, CAPABILITIES_KEY),
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


def value(provider: Any, depth: int = 0) -> Any:
    """A JSON value of the protocol's own words, and of others."""
    kind = provider.ConsumeIntInRange(0, 7 if depth < 4 else 5)
    if kind <= 2:
        return WORDS[provider.ConsumeIntInRange(0, len(WORDS) - 1)]
    if kind == 3:
        return provider.ConsumeUnicodeNoSurrogates(8)
    if kind == 4:
        return provider.ConsumeInt(8)
    if kind == 5:
        return (None, True, False, 1.5)[provider.ConsumeIntInRange(0, 3)]
    if kind == 6:
        return [value(provider, depth + 1) for _ in range(provider.ConsumeIntInRange(0, 3))]
    return params(provider, depth)


def params(provider: Any, depth: int = 0) -> dict[str, Any]:
    count = provider.ConsumeIntInRange(0, 4)
    return {KEYS[provider.ConsumeIntInRange(0, len(KEYS) - 1)]: value(provider, depth + 1) for _ in range(count)}


def request(provider: Any, revision: str) -> dict[str, Any]:
    method = METHODS[provider.ConsumeIntInRange(0, len(METHODS) - 1)]
    told = params(provider)
    if revision not in LEGACY and provider.ConsumeBool():
        told = told | {"_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": told}
    if provider.ConsumeIntInRange(0, 7) == 0:
        message[("jsonrpc", "id", "method", "params")[provider.ConsumeIntInRange(0, 3)]] = value(provider)
    return message


def test_one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    revision = (*LEGACY, "2026-07-28")[provider.ConsumeIntInRange(0, len(LEGACY))]
    if provider.ConsumeIntInRange(0, 7) == 0:
        body = provider.ConsumeBytes(provider.remaining_bytes())
    elif provider.ConsumeIntInRange(0, 7) == 0:
        body = orjson.dumps([request(provider, revision) for _ in range(3)])
    else:
        body = orjson.dumps(request(provider, revision))
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

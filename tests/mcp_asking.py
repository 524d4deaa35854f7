"""Asks an MCP server over plain HTTP, as no SDK would."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import orjson

from aimock_protocols import sse
from aimock_protocols.mcp.envelope import CAPABILITIES_KEY, VERSION_KEY

BOTH = "application/json, text/event-stream"


def initialize(revision: str, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
    info = {"name": "test", "version": "1"}
    params = {"protocolVersion": revision, "capabilities": capabilities or {}, "clientInfo": info}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


class Client:
    """Speaks one revision, over connections of its own."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.http = httpx.Client(headers={"accept": BOTH, **headers}, timeout=10)
        self.ids = itertools.count(1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open(self, revision: str = "2025-11-25", capabilities: dict[str, Any] | None = None) -> httpx.Response:
        """A session."""
        answer = self.http.post(self.url, json=initialize(revision, capabilities))
        if "mcp-session-id" in answer.headers:
            self.http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        self.http.post(self.url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def message(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params or {}}

    def post(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.http.post(self.url, content=content, headers={"content-type": "application/json", **headers})

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer, whole or the last message of a stream."""
        return self.said(method, params)[-1]

    def said(self, method: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """All messages until the answer."""
        return messages(self.post(self.message(method, params)))

    def stream(self, body: Any, **headers: str) -> Any:
        """A context, of a response that is read piece by piece."""
        more = {"content-type": "application/json", **headers}
        return self.http.stream("POST", self.url, content=orjson.dumps(body), headers=more)


class ModernClient(Client):
    """2026-07-28."""

    def __init__(self, url: str, capabilities: dict[str, Any] | None = None, **meta: Any) -> None:
        super().__init__(url)
        self.meta = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: capabilities or {}, **meta}

    def message(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return super().message(method, {"_meta": self.meta, **(params or {})})

    def routing(self, body: dict[str, Any]) -> dict[str, str]:
        """The headers that a body must come with."""
        name = body["params"].get("name", body["params"].get("uri", body["params"].get("taskId")))
        told = {"mcp-protocol-version": "2026-07-28", "mcp-method": body["method"]}
        return told | ({"mcp-name": name} if isinstance(name, str) else {})

    def said(self, method: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        body = self.message(method, params)
        return messages(self.post(body, **self.routing(body)))


def messages(answer: httpx.Response) -> list[dict[str, Any]]:
    if answer.headers.get("content-type") == "application/json":
        return [answer.json()]
    return [orjson.loads(event.data) for event in sse.events([answer.content]) if event.data]


def pieces(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Messages as they come, with the ids of their events under `event`."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while b"\n\n" in rest:
            event, _, rest = rest.partition(b"\n\n")
            fields = dict(line.partition(b": ")[::2] for line in event.split(b"\n"))
            told: dict[str, Any] = orjson.loads(fields[b"data"]) if fields.get(b"data") else {}
            yield told | {"event": fields.get(b"id", b"").decode(), "retry": fields.get(b"retry", b"").decode()}

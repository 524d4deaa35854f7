"""An agent on a live server, and plain HTTP to ask it by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from aimock.surfaces.a2a.mock import A2AMock

V1 = {"A2A-Version": "1.0"}


@pytest.fixture
def agent() -> Iterator[A2AMock]:
    """A server of this test's own, with one agent that knows nothing yet."""
    with A2AMock(seed=7, wall_clock=lambda: 1_795_000_000.25, metrics=True) as mock:
        mock.register_agent("bot")
        yield mock


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False) as client:
        yield client


@pytest.fixture
def rpc(agent: A2AMock, http: httpx.Client) -> Callable[..., Any]:
    """The answer to a JSON-RPC request: `rpc("GetTask", {"id": "x"})`; its JSON, or the events of its stream."""

    def call(method: str, params: Any = None, headers: Mapping[str, str] = {}, *, path: str = "", id: Any = 1) -> Any:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": {} if params is None else params}
        response = http.post(agent.url + path, json=body, headers=dict(headers))
        return events_of(response) if is_stream(response) else response.json()

    return call


def is_stream(response: httpx.Response) -> bool:
    return response.headers["content-type"] == "text/event-stream"


def events_of(response: httpx.Response) -> list[Any]:
    """The data of each event."""
    pieces = response.text.split("\n\n")
    assert pieces.pop() == ""
    return [json.loads(piece.split("data: ", 1)[1]) for piece in pieces]


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    """Parameters that send one, in 1.0."""
    return {"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}], **more}}


def old_message(text: str = "hello", **more: Any) -> dict[str, Any]:
    """The same in 0.3."""
    parts = [{"kind": "text", "text": text}]
    return {"message": {"kind": "message", "messageId": "m1", "role": "user", "parts": parts, **more}}

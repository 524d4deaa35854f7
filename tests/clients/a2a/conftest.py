"""The official SDK of A2A against a live agent, over each interface that its card names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import AgentCard
from a2a.types import a2a_pb2 as pb

from aimock.surfaces.a2a.mock import A2AMock

WAYS = ("JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3")


@pytest.fixture
def agent() -> Iterator[A2AMock]:
    """An agent that says things, does tasks, asks, and fails."""
    mock = A2AMock(seed=7)
    mock.register_agent("bot", description="A test's agent", skills=[{"id": "s", "tags": ["x"]}])
    mock.on_message("bot", "hello", [{"text": "Hi!"}, {"data": {"n": [1, None]}}])
    mock.on_task("bot", "report", [{"name": "r", "parts": [{"text": "the report"}]}])
    mock.on_task("bot", "wait", final_state="working")
    mock.on_task("bot", "ask", [{"parts": [{"text": "sunny"}]}], input_required="Which city?")
    mock.on_task("bot", "fail", final_state="failed", status_message="out of paper")
    mock.on_streaming_task(
        "bot",
        "stream",
        [
            {"type": "status", "state": "TASK_STATE_WORKING", "message": "on it"},
            {"type": "artifact", "name": "o", "parts": [{"text": "one "}], "lastChunk": False},
            {"type": "artifact", "name": "o", "parts": [{"text": "two"}], "append": True, "lastChunk": True},
        ],
    )
    with mock:
        yield mock


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Binding and version."""
    return str(request.param)


Work = Callable[[Client], Awaitable[Any]]


@asynccontextmanager
async def client_of(url: str, way: str, **config: Any) -> AsyncIterator[tuple[Client, AgentCard]]:
    """A client that speaks this way, found by the card at the URL."""
    binding, version = way.split()
    async with httpx.AsyncClient(verify=False) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        kept = [
            interface
            for interface in card.supported_interfaces
            if (interface.protocol_binding, interface.protocol_version) == (binding, version)
        ]
        assert len(kept) == 1, way
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(kept)
        settings = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], **config)
        yield ClientFactory(settings).create(card), card


@pytest.fixture
def run(agent: A2AMock, way: str) -> Callable[..., Any]:
    """Runs an async function of a client to its end: `run(work, streaming=False)`."""

    def call(work: Work, **config: Any) -> Any:
        async def main() -> Any:
            async with client_of(agent.url, way, **config) as (client, _):
                return await work(client)

        return asyncio.run(main())

    return call


def saying(text: str, **more: Any) -> pb.SendMessageRequest:
    """A request to send a message; keyword arguments are those of the message, `configuration` aside."""
    configuration = more.pop("configuration", None)
    message = pb.Message(message_id="m1", role=pb.ROLE_USER, parts=[pb.Part(text=text)], **more)
    return pb.SendMessageRequest(message=message, configuration=configuration)


async def heard(client: Client, request: pb.SendMessageRequest) -> list[Any]:
    """What a client hears, each event by what it is."""
    return [getattr(event, str(event.WhichOneof("payload"))) async for event in client.send_message(request)]


async def told(client: Client, text: str, **more: Any) -> Any:
    """What the answer comes to at last: a message or a task."""
    answers = await heard(client, saying(text, **more))
    return answers[-1]

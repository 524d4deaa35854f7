"""A real agent: pydantic-ai's, with an LLM of ours behind it, served by its AG-UI adapter; recorded, and replayed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aimock import AGUIMock, AIMock
from recording_provider import recorded

Run = Callable[..., list[Any]]


@contextlib.contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The URL of an application on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/agent"
        finally:
            server.should_exit = True
            thread.join(10)


CALL = {"name": "get_weather", "arguments": {"city": "Bern"}, "id": "call_1"}


@pytest.fixture
def upstream() -> Iterator[str]:
    """An agent with a tool of its own, whose LLM is ours."""

    def get_weather(city: str) -> str:
        return f"rain in {city}"

    async def run(request: Request) -> Response:
        return await AGUIAdapter.dispatch_request(request, agent=request.state.agent)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncOpenAI(
            base_url=f"{llm.url}/v1", api_key="test", http_client=DefaultAsyncHttpxClient()
        ) as client:
            model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
            yield {"agent": Agent(model, tools=[get_weather])}

    with AIMock() as llm:
        llm.on_tool_result("call_1", {"content": "It rains in Bern."})
        llm.on_message("weather", {"toolCalls": [CALL]})
        with served(Starlette(routes=[Route("/agent", run, methods=["POST"])], lifespan=life)) as url:
            yield url


def test_a_pydantic_ai_agent_is_recorded_and_replayed(upstream: str, run: Run, agent: AGUIMock, tmp_path: Path) -> None:
    agent.enable_recording(upstream, fixture_path=tmp_path)
    (real,) = run({"text": "What is the weather?"})
    assert real["error"] is None
    assert {"TOOL_CALL_START", "TOOL_CALL_RESULT", "TEXT_MESSAGE_CONTENT"} <= {*real["types"]}
    assert real["messages"][-1]["content"] == "It rains in Bern."
    (entry,) = recorded(tmp_path)
    assert "validate" not in entry

    agent.disable_recording()
    (again,) = run({"text": "What is the weather?"})
    assert again["types"] == real["types"]
    assert again["messages"][1:] == real["messages"][1:]

    with AGUIMock() as later:
        later.add({"fixtures": str(tmp_path)})
        (third,) = run({"text": "What is the weather?"}, url=later.url)
        assert third["types"] == real["types"]

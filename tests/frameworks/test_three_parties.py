"""pydantic-ai with its own MCP toolset and its own Tavily tool: model, tools and web are one server's, on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.mcp", reason="needs pydantic-ai-slim[mcp]", exc_type=ImportError)
pytest.importorskip("pydantic_ai.common_tools.tavily", reason="needs tavily-python", exc_type=ImportError)

from pydantic_ai import Agent
from pydantic_ai.common_tools.tavily import tavily_search_tool
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from tavily import AsyncTavilyClient

from agent_with_tools import NOW, TOOL
from aimock import AIMock
from aimock.surfaces.mcp.mock import MCPMock

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair

QUESTION = "Shall I take an umbrella in Oslo?"
FINAL = "No: it is clear, and the forecast says so too."
PAGE = {"title": "Oslo", "url": "https://forecast.example/oslo", "content": "No rain until Friday.", "score": 0.8}


def mocked(seed: int) -> AIMock:
    """Strict, so that whatever goes beyond the script fails."""
    mock = AIMock(seed=seed, strict=True, wall_clock=lambda: NOW)
    mock.mount("/mcp", MCPMock().add_tool(TOOL))
    look = {"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}
    search = {"id": "call_2", "name": "tavily_search", "arguments": {"query": "forecast for Oslo"}}
    mock.on({"toolCallId": "call_2", "toolResultContains": PAGE["content"]}, {"content": FINAL})
    mock.on({"toolCallId": "call_1", "toolResultContains": "clear, 12 degrees"}, {"toolCalls": [search]})
    mock.on({"userMessage": QUESTION, "toolName": "weather"}, {"toolCalls": [look]})
    return mock.on_search("forecast for oslo", [PAGE])


def ask(mock: AIMock) -> str:
    async def main() -> str:
        provider = OpenAIProvider(base_url=f"{mock.url}/v1", api_key="test")
        toolset = MCPToolset(f"{mock.url}/mcp")
        web = AsyncTavilyClient("tvly-test", api_base_url=mock.url)
        model = OpenAIChatModel("gpt-4o", provider=provider)
        async with web, Agent(model, toolsets=[toolset], tools=[tavily_search_tool(client=web)]) as agent:
            return (await agent.run(QUESTION)).output

    return asyncio.run(asyncio.wait_for(main(), 30))


def told(mock: AIMock) -> list[Mapping[str, Any]]:
    """The journal, but for what the clients make up themselves: ports, and ids of their own."""
    keys = ("id", "timestamp", "method", "path", "body", "response", "seed")
    return [{key: entry[key] for key in keys} for entry in mock.get_requests()]


def test_the_whole_loop_repeats_from_its_seed() -> None:
    runs = []
    for seed in (11, 11, 12):
        with mocked(seed) as mock:
            assert ask(mock) == FINAL
            asked = [entry.get("service") or "llm" for entry in mock.get_requests()]
            runs.append(told(mock))
        assert [where for where in asked if where != "mcp"] == ["llm", "llm", "search", "llm"]
        assert asked.index("llm") < len(asked) - 1 - asked[::-1].index("mcp") < asked.index("search")
    assert runs[0] == runs[1]
    assert [entry["id"] for entry in runs[2]] != [entry["id"] for entry in runs[0]]

"""pydantic-ai with its MCP toolset: model and tools are one server's, on one port."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.mcp", reason="needs pydantic-ai-slim[mcp]", exc_type=ImportError)

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from agent_with_tools import FINAL, QUESTION, mocked, told
from aimock import AIMock

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair


def ask(mock: AIMock) -> Any:
    async def main() -> Any:
        provider = OpenAIProvider(base_url=f"{mock.url}/v1", api_key="test")
        agent = Agent(OpenAIChatModel("gpt-4o", provider=provider), toolsets=[MCPToolset(f"{mock.url}/mcp")])
        async with agent:
            return await agent.run(QUESTION)

    return asyncio.run(asyncio.wait_for(main(), 30))


def test_the_whole_loop_repeats_from_its_seed() -> None:
    runs = []
    for _ in range(2):
        with mocked(seed=11) as mock:
            assert ask(mock).output == FINAL
            runs.append(told(mock))
    assert runs[0] == runs[1]
    with mocked(seed=12) as mock:
        assert ask(mock).output == FINAL
        assert [entry["id"] for entry in told(mock)] != [entry["id"] for entry in runs[0]]

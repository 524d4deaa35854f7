"""OpenAI's Agents SDK with an MCP server: model and tools are one server's, on one port.

It has an environment of its own: `pip install '.[agents]'`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("agents.mcp", reason="openai-agents is not installed here: see the extra `agents`")

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from openai import AsyncOpenAI

from agent_with_tools import FINAL, QUESTION, mocked, told
from aimock import AIMock

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair


def ask(mock: AIMock, kind: Any) -> Any:
    set_tracing_disabled(True)

    async def main() -> Any:
        async with (
            AsyncOpenAI(base_url=f"{mock.url}/v1", api_key="test") as client,
            MCPServerStreamableHttp({"url": f"{mock.url}/mcp"}) as server,
        ):
            agent = Agent(name="Assistant", model=kind("gpt-4o", client), mcp_servers=[server])
            return await Runner.run(agent, QUESTION)

    return asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("kind", [OpenAIChatCompletionsModel, OpenAIResponsesModel])
def test_the_whole_loop_repeats_from_its_seed(kind: Any) -> None:
    runs = []
    for _ in range(2):
        with mocked(seed=11) as mock:
            assert ask(mock, kind).final_output == FINAL
            runs.append(told(mock))
    assert runs[0] == runs[1]
    with mocked(seed=12) as mock:
        assert ask(mock, kind).final_output == FINAL
        assert [entry["id"] for entry in told(mock)] != [entry["id"] for entry in runs[0]]

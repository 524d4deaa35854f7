"""An agent's whole world on one port: the model that asks for a tool, and the MCP server that has it."""

from __future__ import annotations

from typing import Any

from aimock import AIMock
from aimock.surfaces.mcp.mock import MCPMock

QUESTION = "How is the weather in Oslo?"
FINAL = "It is clear in Oslo, at 12 degrees."
TOOL = {
    "name": "weather",
    "description": "Says how the weather is.",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "cases": [{"arguments": {"city": "Oslo"}, "result": "clear, 12 degrees"}],
}
NOW = 1_800_000_000.0


def mocked(seed: int) -> AIMock:
    """Strict, so that whatever goes beyond the script fails."""
    mock = AIMock(seed=seed, strict=True, wall_clock=lambda: NOW)
    mock.mount("/mcp", MCPMock().add_tool(TOOL))
    call = {"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}
    mock.on({"toolCallId": "call_1", "toolResultContains": "clear, 12 degrees"}, {"content": FINAL})
    mock.on({"userMessage": QUESTION, "toolName": "weather"}, {"toolCalls": [call]})
    return mock


def told(mock: AIMock) -> list[dict[str, Any]]:
    """The journal, but for what the clients make up themselves: ports, and ids of their own."""
    entries = mock.get_requests()
    assert {entry["response"]["status"] for entry in entries} <= {200, 202}, entries
    assert [entry["body"]["method"] for entry in entries if entry.get("service")].count("tools/call") == 1
    assert sum(entry.get("service") is None for entry in entries) == 2
    return [
        {key: entry[key] for key in ("id", "timestamp", "method", "path", "body", "response", "seed")}
        for entry in entries
    ]

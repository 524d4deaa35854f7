"""A live MCP server with a bit of everything that clients can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aimock.surfaces.mcp.calls import Call
from aimock.surfaces.mcp.mock import MCPMock

FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
SUM = {
    "name": "add",
    "description": "Adds two numbers.",
    "inputSchema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
    "outputSchema": {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]},
}

SECTION: dict[str, Any] = {
    "tools": [
        {"name": "echo", "result": "{{args.text}}"},
        {
            "name": "works",
            "progress": [{"progress": 1, "total": 2, "message": "half"}, {"progress": 2}],
            "result": "ok",
        },
        {
            "name": "logs",
            "log": [{"data": "low", "level": "debug"}, {"data": "high", "level": "error"}],
            "result": "ok",
        },
        {
            "name": "greet",
            "elicitation": {"message": "Name?", "requestedSchema": FORM},
            "cases": [{"input": {"elicitation": {"action": "decline"}}, "result": "Hello, nobody"}],
            "result": "Hello, {{input.elicitation.content.name}}",
        },
        {
            "name": "thinks",
            "sampling": {"messages": "Think of {{args.of}}"},
            "result": "{{input.sampling.content.text}}",
        },
        {"name": "roots", "roots": {}, "result": "{{input.roots.roots.0.uri}}"},
        {"name": "slow", "log": [{"data": "begun"}], "steps": [{"delayMs": 3600000}], "result": "late"},
    ],
    "resources": [
        {"uri": "file:///a.txt", "name": "a", "mimeType": "text/plain", "text": "text"},
        {"uri": "file:///b.bin", "name": "b", "mimeType": "application/octet-stream", "blob": "AAEC"},
    ],
    "resourceTemplates": [{"uriTemplate": "user://{id}", "name": "user", "text": "user {{args.id}}"}],
    "prompts": [
        {"name": "hello", "arguments": [{"name": "who", "required": True}], "result": "Say hello to {{args.who}}"}
    ],
    "completions": {"hello": {"who": ["Ann", "Bob"]}, "user://{id}": {"id": ["1", "2"]}},
}


def add(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"structuredContent": {"sum": arguments["a"] + arguments["b"]}}


async def ask_for_name(arguments: dict[str, Any], call: Call) -> str:
    await call.progress(1, 2)
    answer = await call.elicit("Name?", FORM)
    await call.log("answered", "warning")
    return f"You are {answer['content']['name']}"


@pytest.fixture
def mcp() -> Iterator[MCPMock]:
    mock = MCPMock(settings={"pageSize": 3}).add(SECTION).add_tool(SUM)
    with mock.on_tool_call("add", add).on_tool_call("ask", ask_for_name) as running:
        yield running

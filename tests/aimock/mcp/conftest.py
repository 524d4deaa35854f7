"""A live server with a bit of everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aimock.surfaces.mcp.mock import MCPMock

FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}

CATALOGUE: dict[str, Any] = {
    "tools": [
        {
            "name": "weather",
            "description": "Of a city.",
            "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "cases": [{"arguments": {"city": "Oslo"}, "result": "snow"}],
            "result": "sun in {{args.city}}",
        },
        {"name": "turns", "results": ["first", "second"]},
        {"name": "progress", "progress": [{"progress": 1, "total": 2}, {"progress": 2, "total": 2}], "result": "done"},
        {"name": "logs", "log": [{"data": "low", "level": "debug"}, {"data": "high", "level": "error"}], "result": "x"},
        {
            "name": "asks",
            "elicitation": {"message": "Name?", "requestedSchema": FORM},
            "result": "{{input.elicitation}}",
        },
        {"name": "slow", "log": [{"data": "begun"}], "steps": [{"delayMs": 3600000}], "result": "late"},
        {"name": "reconnects", "steps": [{"reconnectMs": 10}], "result": "again"},
        {"name": "fails", "result": {"error": {"code": -32099, "message": "no", "data": {"a": 1}}}},
        {"name": "only", "cases": [{"arguments": {"a": 1}, "result": "one"}]},
    ],
    "resources": [{"uri": "file:///a", "name": "A", "mimeType": "text/plain", "text": "a"}],
    "resourceTemplates": [{"uriTemplate": "user://{id}", "text": "user {{args.id}}"}],
    "prompts": [{"name": "greet", "arguments": [{"name": "who", "required": True}], "result": "Hi {{args.who}}"}],
    "completions": {"greet": {"who": ["Ann", "Anna", "Bob"]}},
}


@pytest.fixture
def mcp() -> Iterator[MCPMock]:
    with MCPMock().add(CATALOGUE) as mock:
        yield mock

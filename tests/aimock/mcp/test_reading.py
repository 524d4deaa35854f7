"""Entries from JSON: what is served, and how what is wrong is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aimock import mounts
from aimock.surfaces.mcp import config_schema, from_config
from aimock.surfaces.mcp.mock import MCPMock
from aimock.surfaces.mcp.service import MCPService
from mcp_asking import ModernClient

REFERENCE: dict[str, Any] = {
    "serverInfo": {"name": "mine", "version": "2.0.0"},
    "tools": [
        {"name": "search", "description": "d", "inputSchema": {"type": "object"}, "result": "text"},
        {"name": "bare"},
        {"name": "empty", "inputSchema": {}},
    ],
    "resources": [
        {"uri": "file:///a", "name": "A", "mimeType": "text/plain", "description": "d", "text": "t"},
        {"uri": "file:///b", "name": "B", "blob": "AAAA"},
        {"uri": "file:///c", "name": "C"},
    ],
    "prompts": [
        {
            "name": "p",
            "description": "d",
            "arguments": [{"name": "x", "description": "d", "required": True}],
            "result": {"messages": [{"role": "user", "content": {"type": "text", "text": "t"}}]},
        },
        {"name": "silent"},
    ],
}


def test_the_reference_s_shapes_are_served() -> None:
    service = from_config(REFERENCE, Path())
    assert service.health() == {
        "status": "ok",
        "tools": 3,
        "resources": 3,
        "resourceTemplates": 0,
        "prompts": 2,
        "sessions": 0,
    }
    mock = MCPMock().add({key: REFERENCE[key] for key in ("tools", "resources", "prompts")})
    with mock, ModernClient(mock.url) as client:
        tools = client.ask("tools/list")["result"]["tools"]
        assert [tool["inputSchema"] for tool in tools] == [{"type": "object"}] * 3
        told = client.ask("tools/call", {"name": "search"})["result"]
        assert (told["content"], told["isError"]) == ([{"type": "text", "text": "text"}], False)
        assert client.ask("tools/call", {"name": "bare"})["result"]["content"] == []
        contents = [client.ask("resources/read", {"uri": f"file:///{name}"})["result"]["contents"] for name in "abc"]
        assert contents == [
            [{"uri": "file:///a", "mimeType": "text/plain", "text": "t"}],
            [{"uri": "file:///b", "blob": "AAAA"}],
            [{"uri": "file:///c", "text": ""}],
        ]
        assert client.ask("prompts/get", {"name": "silent"})["result"]["messages"] == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ([], "expected an object, got []"),
        ({"tool": []}, 'tool: unknown key, did you mean "tools"'),
        ({"tools": {}}, "tools: expected an array, got {}"),
        ({"tools": [5]}, "tools[0]: expected an object, got 5"),
        ({"tools": [{}]}, "tools[0].name: is missing"),
        ({"tools": [{"name": ""}]}, "tools[0].name: expected a string that is not empty"),
        (
            {"tools": [{"name": "a", "inputShema": {}}]},
            'tools[0].inputShema: unknown key, did you mean "inputSchema"',
        ),
        ({"tools": [{"name": "a", "inputSchema": "x"}]}, 'tools[0].inputSchema: expected an object, got "x"'),
        ({"tools": [{"name": "a", "inputSchema": {"type": "array"}}]}, "tools[0].inputSchema.type: expected"),
        (
            {"tools": [{"name": "a", "inputSchema": {"required": 5}}]},
            "tools[0].inputSchema: expected a JSON Schema; req",
        ),
        (
            {"tools": [{"name": "a", "result": 5}]},
            "tools[0].result: expected a text, content blocks, a result or an er",
        ),
        (
            {"tools": [{"name": "a", "result": [{"type": "txt"}]}]},
            "tools[0].result: content[0]: expected a type of text",
        ),
        (
            {"tools": [{"name": "a", "result": [{"type": "text"}]}]},
            "tools[0].result: content[0]: expected text: a string",
        ),
        (
            {"tools": [{"name": "a", "result": [{"type": "image", "data": "%", "mimeType": "image/png"}]}]},
            "tools[0].result: content[0].data: expected base64",
        ),
        ({"tools": [{"name": "a", "result": {"contents": []}}]}, "tools[0].result: contents: unknown key"),
        ({"tools": [{"name": "a", "result": {"error": {"code": "x"}}}]}, "tools[0].result: error: expected an object"),
        ({"tools": [{"name": "a", "results": []}]}, "tools[0].results: expected one result or more"),
        ({"tools": [{"name": "a", "result": "x", "results": ["y"]}]}, "tools[0]: one of result and results, not both"),
        (
            {"tools": [{"name": "a", "cases": [{"args": {}}]}]},
            'tools[0].cases[0].args: unknown key, did you mean "argu',
        ),
        ({"tools": [{"name": "a", "delayMs": -1}]}, "tools[0].delayMs: expected milliseconds"),
        ({"tools": [{"name": "a", "log": {"data": 1, "level": "loud"}}]}, "tools[0].log.level: expected one of debug"),
        (
            {"tools": [{"name": "a", "progress": [{"progress": 1}, {"progress": 1}]}]},
            "tools[0].progress.progress: expecte",
        ),
        (
            {"tools": [{"name": "a", "elicitation": {"message": "m"}}]},
            "tools[0].elicitation.requestedSchema: expected an",
        ),
        ({"tools": [{"name": "a", "sampling": {}}]}, "tools[0].sampling.messages: expected an array of messages"),
        ({"tools": [{"name": "a", "steps": [{}]}]}, "tools[0].steps[0]: expected one of delayMs"),
        (
            {"tools": [{"name": "a", "steps": [{"ask": {"k": {}}}]}]},
            "tools[0].steps[0].ask.k: expected one of sampling",
        ),
        ({"tools": [{"name": "a", "steps": [{"changed": "x"}]}]}, "tools[0].steps[0].changed: expected tools, prompts"),
        (
            {"tools": [{"name": "a", "outputSchema": {"type": "object", "required": ["x"]}, "result": "no"}]},
            "tools[0].result: structuredContent does not fit outputSchema: None is not of type 'object'",
        ),
        ({"tools": [{"name": "a", "execution": {"taskSupport": "x"}}]}, "tools[0].execution.taskSupport: expected one"),
        ({"resources": [{"uri": "x:", "text": "a", "blob": "b"}]}, "resources[0]: one of text, blob, contents says"),
        ({"resources": [{"uri": "x:", "blob": "%"}]}, "resources[0].result: contents[0].blob: expected base64"),
        ({"resourceTemplates": [{"uriTemplate": "x://{"}]}, "resourceTemplates[0].uriTemplate: expected expressions"),
        (
            {"prompts": [{"name": "p", "result": [{"role": "x", "content": "y"}]}]},
            "prompts[0].result: messages[0]: expe",
        ),
        ({"prompts": [{"name": "p", "arguments": [{"title": "x"}]}]}, "prompts[0].arguments[0].name: is missing"),
        ({"completions": {"p": {"a": [1]}}}, "completions.p.a[0]: expected a string, got 1"),
        ({"versions": ["2026-07-28"]}, "versions: expected at least one of 2025-11-25"),
        ({"versions": ["x"]}, "versions[0]: expected one of 2026-07-28"),
        ({"pageSize": 0}, "pageSize: expected a whole number of 1 or more, got 0"),
        ({"sessions": "none"}, 'sessions: expected one of stateful, stateless, got "none"'),
        ({"capabilities": {"tool": {}}}, 'capabilities.tool: unknown key, did you mean "tools"'),
        ({"serverInfo": {"nam": "x"}}, 'serverInfo.nam: unknown key, did you mean "name"'),
        ({"cache": {"ttlMs": -1}}, "cache.ttlMs: expected a whole number of 0 or more, got -1"),
    ],
)
def test_what_is_wrong_is_said_by_its_place(section: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        from_config(section, Path())


def test_entries_may_lie_in_files(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "one.json").write_text(json.dumps({"name": "one"}))
    (tmp_path / "tools" / "more.json").write_text(json.dumps([{"name": "two"}, {"name": "three"}]))
    (tmp_path / "prompts.json").write_text(json.dumps([{"name": "p"}]))
    ((path, service),) = mounts.from_config("mcp", {"tools": "tools", "prompts": "prompts.json"}, tmp_path)
    assert path == "/mcp"
    assert isinstance(service, MCPService)
    assert [entry.key for entry in service.server.registry.all("tools")] == ["two", "three", "one"]
    (tmp_path / "prompts.json").write_text("{")
    with pytest.raises(ValueError, match=r"^mcp\.prompts: .*prompts\.json: not JSON: .*line 1 column 2"):
        mounts.from_config("mcp", {"prompts": "prompts.json"}, tmp_path)
    (tmp_path / "prompts.json").write_text('[{"name": "p"}, {"name": 5}]')
    with pytest.raises(ValueError, match=r"^mcp\.prompts: .*prompts\.json\[1\]\.name: expected a string, got 5"):
        mounts.from_config("mcp", {"prompts": "prompts.json"}, tmp_path)


def test_nothing_is_added_of_what_is_wrong_in_part() -> None:
    service = from_config({"tools": [{"name": "a"}]}, Path())
    with pytest.raises(ValueError, match=r"name: is missing"):
        service.add({"tools": [{"name": "b"}, {}]})
    assert service.health()["tools"] == 1
    assert service.add({"tools": [{"name": "b"}], "completions": {"p": {"a": ["x"]}}}) == 2


def test_the_schema_agrees_with_what_is_read() -> None:
    schema = jsonschema.Draft202012Validator(config_schema())
    assert schema.is_valid(REFERENCE)
    for wrong in ({"tool": []}, {"tools": [{}]}, {"tools": [{"name": 5}]}, {"pageSize": "x"}):
        assert not schema.is_valid(wrong)

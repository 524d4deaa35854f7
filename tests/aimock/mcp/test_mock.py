"""The server as a Python object: definitions, handlers, and changes while it runs."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import aimock
from aimock import AIMock
from aimock.surfaces.mcp.calls import Call
from aimock.surfaces.mcp.mock import MCPMock
from mcp_asking import Client, ModernClient

IMAGE = {"type": "image", "data": "AAAA", "mimeType": "image/png"}


def boom(arguments: dict[str, Any]) -> str:
    raise RuntimeError("it broke")


async def late(arguments: dict[str, Any]) -> str:
    await trio.lowlevel.checkpoint()
    return f"late {arguments['x']}"


async def late_boom(arguments: dict[str, Any], call: Call) -> str:
    await call.log("about to break")
    raise RuntimeError("it broke later")


async def asks_two(arguments: dict[str, Any], call: Call) -> str:
    roots = await call.roots()
    said = await call.sample([{"role": "user", "content": {"type": "text", "text": "hm"}}], key="model")
    return f"{roots[0]['uri']} {said['content']['text']}"


@pytest.mark.parametrize(
    ("handler", "content", "is_error"),
    [
        (lambda arguments: f"got {arguments['x']}", [{"type": "text", "text": "got 1"}], False),
        (lambda arguments: [IMAGE], [IMAGE], False),
        (lambda arguments: {"content": "no", "isError": True}, [{"type": "text", "text": "no"}], True),
        (lambda arguments: None, [], False),
        (boom, [{"type": "text", "text": "it broke"}], True),
        (late, [{"type": "text", "text": "late 1"}], False),
        (late_boom, [{"type": "text", "text": "it broke later"}], True),
        (lambda arguments: 5, [{"type": "text", "text": "The answer of t is none: expected a text, content bl"}], True),
    ],
)
def test_handlers_of_tools(handler: Any, content: list[dict[str, Any]], is_error: bool) -> None:
    with MCPMock().on_tool_call("t", handler) as mock:
        for kind in (Client, ModernClient):
            with kind(mock.url) as client:
                if kind is Client:
                    client.open()
                result = client.ask("tools/call", {"name": "t", "arguments": {"x": 1}})["result"]
                for block in result["content"]:
                    if "text" in block:
                        block["text"] = block["text"][:52]
                assert (result["content"], result["isError"]) == (content, is_error)
        with ModernClient(mock.url) as client:
            (tool,) = client.ask("tools/list")["result"]["tools"]
            assert tool == {"name": "t", "inputSchema": {"type": "object"}}


def test_a_handler_keeps_the_definition_of_its_tool() -> None:
    mock = MCPMock().add_tool({"name": "t", "description": "d", "inputSchema": {"type": "object", "required": ["x"]}})
    with mock.on_tool_call("t", late), ModernClient(mock.url) as client:
        assert client.ask("tools/list")["result"]["tools"][0]["description"] == "d"
        assert client.ask("tools/call", {"name": "t", "arguments": {}})["result"]["isError"] is True


def test_a_handler_that_asks_is_called_again_with_the_answers() -> None:
    mock = MCPMock().on_tool_call("t", asks_two)
    with mock, ModernClient(mock.url, {"roots": {}, "sampling": {}}) as client:
        first = client.ask("tools/call", {"name": "t"})["result"]
        assert [*first["inputRequests"]] == ["roots"]
        roots = {"roots": {"roots": [{"uri": "file:///home"}]}}
        params = {"name": "t", "requestState": first["requestState"], "inputResponses": roots}
        second = client.ask("tools/call", params)["result"]
        assert [*second["inputRequests"]] == ["model"]
        said = {"model": {"role": "assistant", "content": {"type": "text", "text": "ok"}, "model": "m"}}
        params = {"name": "t", "requestState": second["requestState"], "inputResponses": said}
        assert client.ask("tools/call", params)["result"]["content"][0]["text"] == "file:///home ok"


def test_handlers_of_resources_and_prompts() -> None:
    mock = (
        MCPMock()
        .add_resource({"uri": "file:///a"}, lambda arguments: f"read {arguments['uri']}")
        .add_resource({"uri": "file:///b"}, {"blob": "AAAA"})
        .add_resource({"uri": "file:///c"}, boom)
        .add_resource_template({"uriTemplate": "x://{id}"}, lambda arguments: {"text": arguments["id"]})
        .add_prompt({"name": "p"}, lambda arguments: [{"role": "assistant", "content": arguments["a"]}])
        .complete("p", "a", ["one", "two"])
    )
    with mock, ModernClient(mock.url) as client:

        def read(uri: str) -> Any:
            return client.ask("resources/read", {"uri": uri})

        assert read("file:///a")["result"]["contents"] == [{"uri": "file:///a", "text": "read file:///a"}]
        assert read("file:///b")["result"]["contents"] == [{"uri": "file:///b", "blob": "AAAA"}]
        assert read("file:///c")["error"] == {"code": -32603, "message": "it broke"}
        assert read("x://7")["result"]["contents"] == [{"uri": "x://7", "text": "7"}]
        (message,) = client.ask("prompts/get", {"name": "p", "arguments": {"a": "hi"}})["result"]["messages"]
        assert message == {"role": "assistant", "content": {"type": "text", "text": "hi"}}
        asked = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "t"}}
        assert client.ask("completion/complete", asked)["result"]["completion"]["values"] == ["two"]


@pytest.mark.parametrize(
    ("definition", "said"),
    [({}, "tools.name: is missing"), ({"name": "t", "inputShema": {}}, "tools.inputShema: unknown key, did you mean")],
)
def test_a_definition_that_is_wrong(definition: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="^" + said):
        MCPMock().add_tool(definition)


def test_settings_that_are_wrong() -> None:
    with pytest.raises(ValueError, match='pagSize: unknown key, did you mean "pageSize"'):
        MCPMock(settings={"pagSize": 1})


def test_several_servers_on_one_port() -> None:
    with AIMock() as server:
        one, other = aimock.MCPMock(server_info={"name": "one"}), aimock.MCPMock(server_info={"name": "other"})
        server.mount("/one", one)
        server.mount("/other", other)
        one.add_tool({"name": "t", "result": "of one"})
        with ModernClient(one.url) as client:
            assert client.ask("tools/call", {"name": "t"})["result"]["content"][0]["text"] == "of one"
        with ModernClient(other.url) as client:
            assert client.ask("tools/call", {"name": "t"})["error"]["code"] == -32602
        assert (one.health()["tools"], other.health()["tools"]) == (1, 0)


def test_a_reset_leaves_nothing(mcp: MCPMock) -> None:
    with Client(mcp.url) as client:
        client.open()
        mcp.reset()
        assert client.post(client.message("ping")).status_code == 404
    counts = {key: value for key, value in mcp.health().items() if key != "status"}
    assert set(counts.values()) == {0}


def test_removing() -> None:
    mock = MCPMock().add_tool({"name": "t"})
    assert mock.remove("tools", "t")
    assert not mock.remove("tools", "t")

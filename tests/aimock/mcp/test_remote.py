"""The client that asks real servers, where those are none, or odd ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from aimock import AIMock
from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Whole
from aimock.record.upstream import UpstreamFailed
from aimock.surfaces.mcp.importing import Wanted, imported
from aimock.surfaces.mcp.mock import MCPMock
from aimock.surfaces.mcp.remote import Remote, RemoteError
from aimock.surfaces.mounted import Mounted

Say = Callable[[dict[str, Any]], tuple[int, str, bytes]]
EVENTS = "text/event-stream"


class Odd(Mounted):
    """Says whatever it is told to say to a message."""

    name = "mcp"

    def __init__(self) -> None:
        super().__init__()
        self.say: dict[str, Say] = {}
        self.heard: list[Any] = []

    def respond(self, exchange: Exchange, path: str) -> Answer:
        message = orjson.loads(exchange.request.body or b"{}")
        self.heard.append(message)
        status, kind, body = self.say.get(message.get("method", ""), _nothing)(message)
        headers = (("content-type", kind), ("mcp-session-id", "s1"))
        return Whole(status, headers, body, exchange.fresh_headers)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        return Whole(status, (), b"", exchange.fresh_headers)

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}

    def add(self, value: Any) -> int:
        return 0

    def reset(self) -> None:
        pass

    def rewind(self, test_id: str | None = None) -> None:
        pass


def _nothing(message: dict[str, Any]) -> tuple[int, str, bytes]:
    return 405, "text/plain", b""


def result(value: Any) -> Say:
    return lambda message: (
        200,
        "application/json; charset=utf-8",
        orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value}),
    )


INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "o", "version": "1"},
}


@pytest.fixture
def odd() -> Odd:
    odd = Odd()
    odd.say["initialize"] = result(INITIALIZED)
    odd.say["notifications/initialized"] = lambda message: (202, "", b"")
    return odd


@pytest.fixture
def url(odd: Odd) -> Iterator[str]:
    with AIMock() as mock:
        mock.mount("/odd", odd)
        yield mock.url + "/odd"


async def ask(url: str, method: str = "tools/list") -> Any:
    remote = Remote(url, patience=5)
    try:
        return await remote.request(method)
    finally:
        await remote.aclose()


async def test_an_older_server_is_initialized_and_left(odd: Odd, url: str) -> None:
    odd.say["tools/list"] = result({"tools": []})
    assert await ask(url) == {"tools": []}
    methods = [message.get("method") for message in odd.heard]
    assert methods == ["server/discover", "initialize", "notifications/initialized", "tools/list", None]  # DELETE


async def test_the_answer_is_found_among_events_and_questions_are_declined(odd: Odd, url: str) -> None:
    def say(message: dict[str, Any]) -> tuple[int, str, bytes]:
        told = [
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}},
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "id": 2, "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": [1]}},
        ]
        events = [b"id: 1\ndata: \n\n", b": ping\n\n", b"data: {odd\n\n"]
        events += [b"event: message\ndata: " + orjson.dumps(each) + b"\n\n" for each in told]
        return 200, EVENTS, b"".join(events)

    odd.say["tools/list"] = say
    assert await ask(url) == {"tools": [1]}
    answered = [message for message in odd.heard if message and "method" not in message]
    assert answered[0] == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert answered[1]["error"] == {"code": -32601, "message": "sampling/createMessage is not supported"}


@pytest.mark.parametrize(
    ("say", "says"),
    [
        (lambda message: (200, "text/html", b"<html>"), "answered 200 without a message"),
        (lambda message: (200, "application/json", b"{}"), "answered 200 without a message"),
        (lambda message: (200, "application/json", b"not json"), "answered 200 without a message"),
        (lambda message: (200, EVENTS, b"data: x\n\n"), "answered 200 without a message"),
        (lambda message: (202, "", b""), "answered 202 without a message"),
        (lambda message: (404, "text/plain", b"gone"), "has ended the session"),
        (lambda message: (500, "text/plain", b"oh"), "answered 500 without a message"),
        (lambda message: (200, "application/json", b'{"jsonrpc":"2.0","id":77,"result":{}}'), "without a message"),
        (result([]), "sent a result that is no object"),
        (lambda message: (200, EVENTS, b"data: " + b"x" * 17_000_000), "sent an event of more than"),
    ],
)
async def test_what_is_no_answer(odd: Odd, url: str, say: Say, says: str) -> None:
    odd.say["tools/list"] = say
    with pytest.raises(UpstreamFailed, match=says):
        await ask(url)


async def test_a_session_that_has_ended_is_begun_anew(odd: Odd, url: str) -> None:
    remote = Remote(url, patience=5)
    odd.say["tools/list"] = lambda message: (404, "text/plain", b"")
    with pytest.raises(UpstreamFailed):
        await remote.request("tools/list")
    odd.say["tools/list"] = result({"tools": []})
    assert await remote.request("tools/list") == {"tools": []}
    await remote.aclose()
    assert [message.get("method") for message in odd.heard].count("initialize") == 2


async def test_an_error_is_the_server_s(odd: Odd, url: str) -> None:
    error = {"code": -32601, "message": "Method not found"}
    odd.say["tools/list"] = lambda message: (
        200,
        "application/json",
        orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error}),
    )
    with pytest.raises(UpstreamFailed):  # of no request, it is none
        await ask(url)
    odd.say["tools/list"] = lambda message: (
        400,
        "application/json",
        orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}),
    )
    with pytest.raises(RemoteError, match=r"Method not found \(-32601\)"):
        await ask(url)


async def test_what_makes_no_sense_is_left_out(odd: Odd, url: str) -> None:
    capabilities = {"tools": {}, "resources": {}, "prompts": {}}
    odd.say["initialize"] = result(INITIALIZED | {"capabilities": capabilities, "serverInfo": "odd", "_meta": 1})
    tools = [1, {}, {"name": 2}, {"name": "t", "inputSchema": 3}, {"name": "u", "inputSchema": {"type": "array"}}]
    odd.say["tools/list"] = result({"tools": [*tools, {"name": "good", "inputSchema": None}], "nextCursor": 5})
    odd.say["resources/list"] = result({"resources": "none"})
    odd.say["resources/templates/list"] = result({"resourceTemplates": [{"uriTemplate": "x{"}]})
    odd.say["prompts/list"] = result({"prompts": [{"name": "p", "arguments": [1, {"name": 2}]}, {"name": "q"}]})
    odd.say["prompts/get"] = result({"messages": [{"role": "user", "content": "hi"}], "_meta": "?"})
    odd.say["tools/call"] = result({"resultType": "input_required"})
    warned: list[str] = []
    remote = Remote(url, patience=5)
    section = await imported(remote, [Wanted("good", {})], warned.append)
    await remote.aclose()
    assert [tool["name"] for tool in section["tools"]] == ["good"]
    assert section["prompts"] == [{"name": "q", "result": {"messages": [{"role": "user", "content": "hi"}]}}]
    assert section["resourceTemplates"] == []
    assert [text.partition(":")[0] for text in warned] == [
        "tool good",
        "tools",
        "tools",
        "resourceTemplates",
        "prompts",
    ]


async def test_a_server_that_never_ends_its_list(odd: Odd, url: str) -> None:
    odd.say["tools/list"] = result({"tools": [{"name": "t"}], "nextCursor": "again"})
    remote = Remote(url, patience=5)
    assert len((await imported(remote, [], print))["tools"]) == 1
    await remote.aclose()


async def test_a_revision_that_nobody_knows(odd: Odd, url: str) -> None:
    odd.say["initialize"] = result(INITIALIZED | {"protocolVersion": "1999-01-01"})
    with pytest.raises(UpstreamFailed, match="speaks '1999-01-01', which is no revision of MCP known here"):
        await ask(url)


@pytest.mark.parametrize("versions", [["2026-07-28", "2025-11-25"], ["2025-06-18"], ["2024-11-05"]])
async def test_every_revision_of_our_own(versions: list[str]) -> None:
    schema = {"type": "object", "properties": {"at": {"type": "string", "x-mcp-header": "At"}}}
    mock = MCPMock(settings={"versions": versions})
    mock.add_tool({"name": "näme", "inputSchema": schema, "log": {"data": "hm"}, "result": "at {{args.at}}"})
    with mock:
        remote = Remote(mock.url, patience=5)
        answer = await remote.call("näme", {"at": " é"}, schema)
        assert remote.revision == versions[0]
        await remote.aclose()
    assert answer["content"][0]["text"] == "at  é"


@pytest.mark.parametrize("url", ["mcp", "http://", "http://u@h/", "http://h/?a b"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Remote(url)

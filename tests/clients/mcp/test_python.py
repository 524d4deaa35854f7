"""The official Python SDK: the modern revision, which it finds by itself, and each of the legacy ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import mcp_types as types
import pytest
from mcp import Client
from mcp.client import session as sdk_session
from mcp.shared.exceptions import MCPError

from aimock.surfaces.mcp.mock import MCPMock

LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
REVISIONS = ("2026-07-28", *LEGACY)


class Heard:
    """What the server said on its way, and what its client answers."""

    def __init__(self) -> None:
        self.logs: list[tuple[str, Any]] = []
        self.progress: list[tuple[float, float | None, str | None]] = []
        self.messages: list[Any] = []
        self.action: Any = "accept"
        self.of_tools = anyio.Event()

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append((params.level, params.data))

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))

    async def elicit(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(action=self.action, content={"name": "Ann"} if self.action == "accept" else None)

    async def sample(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        asked = params.messages[0].content
        assert isinstance(asked, types.TextContent)
        content = types.TextContent(text=f"thought: {asked.text}")
        return types.CreateMessageResult(role="assistant", content=content, model="m", stop_reason="endTurn")

    async def roots(self, context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///home")])

    async def message(self, message: Any) -> None:
        self.messages.append(message)
        if isinstance(message, types.ToolListChangedNotification):
            self.of_tools.set()


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one that the client offers; the modern one it offers first, and by itself."""
    if request.param in LEGACY:
        monkeypatch.setattr(sdk_session, "LATEST_HANDSHAKE_VERSION", request.param)
    return str(request.param)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@asynccontextmanager
async def connected(mcp: MCPMock, revision: str, heard: Heard) -> AsyncIterator[Client]:
    mode = "legacy" if revision in LEGACY else "auto"
    async with Client(
        mcp.url,
        mode=mode,
        logging_callback=heard.log,
        elicitation_callback=heard.elicit,
        sampling_callback=heard.sample,
        list_roots_callback=heard.roots,
        message_handler=heard.message,
        log_level="info",
    ) as client:
        assert client.protocol_version == revision
        yield client


def text_of(result: types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def called(client: Client, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> str:
    return text_of(await client.call_tool(name, arguments or {}, **more))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The SDK warns of what its newest revision lacks; here each revision is asked for what it has."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


async def test_tools(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        names, cursor = [], None
        while True:  # in pages
            page = await client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert names == ["echo", "works", "logs", "greet", "thinks", "roots", "slow", "add", "ask"]
        assert await called(client, "echo", {"text": "hi"}) == "hi"
        total = await client.call_tool("add", {"a": 2, "b": 3})
        assert text_of(total) == '{"sum":5}'
        assert total.structured_content == ({"sum": 5} if revision >= "2025-06-18" else None)
        if revision >= "2025-11-25":
            wrong = await client.call_tool("add", {"a": "x", "b": 3})
            assert wrong.is_error
            assert "a: 'x' is not of type 'integer'" in text_of(wrong)
        else:
            with pytest.raises(MCPError, match="is not of type"):
                await client.call_tool("add", {"a": "x", "b": 3})
        with pytest.raises(MCPError, match="Unknown tool: none"):
            await client.call_tool("none", {})


async def test_resources_prompts_and_completion(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        assert [resource.name for resource in (await client.list_resources()).resources] == ["a", "b"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == ["user://{id}"]
        (text,) = (await client.read_resource("file:///a.txt")).contents
        assert isinstance(text, types.TextResourceContents)
        assert (text.text, text.mime_type) == ("text", "text/plain")
        (blob,) = (await client.read_resource("file:///b.bin")).contents
        assert isinstance(blob, types.BlobResourceContents)
        (user,) = (await client.read_resource("user://7")).contents
        assert isinstance(user, types.TextResourceContents)
        assert user.text == "user 7"
        with pytest.raises(MCPError, match="Resource not found") as missing:
            await client.read_resource("no://such")
        assert missing.value.error.code == (-32602 if revision == "2026-07-28" else -32002)
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["hello"]
        (message,) = (await client.get_prompt("hello", {"who": "Ann"})).messages
        assert isinstance(message.content, types.TextContent)
        assert message.content.text == "Say hello to Ann"
        reference = types.PromptReference(name="hello")
        completed = await client.complete(reference, {"name": "who", "value": "a"})
        assert completed.completion.values == ["Ann"]


async def test_progress_and_logs(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        assert await called(client, "works", progress_callback=heard.on_progress) == "ok"
        assert heard.progress == [(1, 2, "half"), (2, None, None)]
        if revision in LEGACY:
            await client.set_logging_level("error")
            assert await called(client, "logs") == "ok"
            assert heard.logs == [("error", "high")]
        else:
            assert await called(client, "logs") == "ok"
            assert heard.logs == [("error", "high")]  # of the level that the client has said it wants


async def test_the_client_is_asked(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        assert await called(client, "thinks", {"of": "cats"}) == "thought: Think of cats"
        assert await called(client, "roots") == "file:///home"
        if revision < "2025-06-18":  # which has no such question: the SDK does not know it then
            assert "The client refused elicitation/create" in await called(client, "greet")
            return
        assert await called(client, "greet") == "Hello, Ann"
        assert await called(client, "ask") == "You are Ann"
        heard.action = "decline"
        assert await called(client, "greet") == "Hello, nobody"


async def test_a_client_that_cannot_be_asked(mcp: MCPMock, revision: str) -> None:
    async with Client(mcp.url, mode="legacy" if revision in LEGACY else "auto") as client:
        if revision in LEGACY:
            assert await called(client, "roots") == "The client does not support roots/list"
        else:
            with pytest.raises(MCPError, match="Missing required client capability"):
                await client.call_tool("roots", {})


async def test_a_call_is_given_up(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        with pytest.raises(MCPError):
            await client.call_tool("slow", {}, read_timeout_seconds=0.05)
        assert await called(client, "echo", {"text": "still here"}) == "still here"


@pytest.mark.parametrize("revision", LEGACY, indirect=True)
async def test_changes_are_told_on_the_lasting_stream(mcp: MCPMock, revision: str, heard: Heard) -> None:
    async with connected(mcp, revision, heard) as client:
        await client.subscribe_resource("file:///a.txt")
        with anyio.fail_after(10):
            while not heard.messages:  # until the stream is open, nobody hears anything
                mcp.notify("file:///a.txt")
                await anyio.lowlevel.checkpoint()
        updated = heard.messages[-1]
        assert isinstance(updated, types.ResourceUpdatedNotification)
        assert str(updated.params.uri) == "file:///a.txt"
        await client.unsubscribe_resource("file:///a.txt")
        mcp.add_tool({"name": "new"})
        with anyio.fail_after(10):
            await heard.of_tools.wait()


async def test_changes_are_told_to_who_listens(mcp: MCPMock, heard: Heard) -> None:
    async with connected(mcp, "2026-07-28", heard) as client:
        async with client.listen(tools_list_changed=True, resource_subscriptions=["file:///a.txt"]) as events:
            mcp.add_tool({"name": "new"}).notify("file:///a.txt").notify("prompts")
            with anyio.fail_after(10):
                heard_of = [type(await anext(aiter(events))).__name__ for _ in range(2)]
        assert sorted(heard_of) == ["ResourceUpdated", "ToolsListChanged"]


async def test_a_session_that_ended_is_told(mcp: MCPMock, heard: Heard) -> None:
    async with connected(mcp, "2025-11-25", heard) as client:
        (session,) = mcp.get_sessions()
        mcp.end_session(session)
        with pytest.raises(MCPError, match="Session not found"):
            await client.call_tool("echo", {"text": "x"})


async def test_the_session_ends_with_its_client(mcp: MCPMock, heard: Heard) -> None:
    async with connected(mcp, "2025-11-25", heard):
        assert len(mcp.get_sessions()) == 1
    assert mcp.get_sessions() == []

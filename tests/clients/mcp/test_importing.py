"""What a real server has, the official SDK's, as a config file that the mock loads; and recording its answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from aimock import AIMock
from aimock.config import load_config
from aimock.surfaces.mcp.mock import MCPMock
from real_mcp_server import TOKEN, running


@pytest.fixture(scope="module", params=["modern", "legacy"])
def real(request: pytest.FixtureRequest) -> Iterator[str]:
    with running(legacy=request.param == "legacy") as url:
        yield url


@pytest.fixture(scope="module")
def modern() -> Iterator[str]:
    with running() as url:
        yield url


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "aimock", "mcp", "import", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def visit(url: str, work: Callable[[Client], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        with anyio.fail_after(20):
            async with Client(url) as client:
                return await work(client)

    return anyio.run(bounded)


async def everything(client: Client) -> dict[str, Any]:
    """All that a server shows without being called."""
    shown: dict[str, Any] = {"instructions": client.instructions}
    lists = {
        "tools": (await client.list_tools()).tools,
        "resources": (await client.list_resources()).resources,
        "templates": (await client.list_resource_templates()).resource_templates,
        "prompts": (await client.list_prompts()).prompts,
    }
    shown |= {
        key: [entry.model_dump(exclude={"meta"}, exclude_none=True) for entry in entries]
        for key, entries in lists.items()
    }
    for uri in ("docs://readme", "docs://template", "docs://logo"):
        shown[uri] = (await client.read_resource(uri)).model_dump()["contents"]
    shown["greeting"] = (await client.get_prompt("greet", {"name": "Ada"})).model_dump()["messages"]
    return shown


def test_the_mock_shows_what_the_real_server_shows(real: str, tmp_path: Path) -> None:
    file = tmp_path / "imported.json"
    done = command(real, "--out", file, "--call", 'weather={"city": "Oslo"}', "--call", 'shout={"text": ""}')
    assert (done.returncode, done.stdout) == (0, f"{file}: 4 tools, 4 resources, 1 resourceTemplates, 1 prompts\n")
    assert done.stderr == "aimock: resource docs://broken: Error reading resource docs://broken (-32603)\n"
    [(path, service)] = load_config(file).services
    with AIMock().mount(path, service) as mock:
        assert visit(mock.url + path, everything) == visit(real, everything)

        async def calls(client: Client) -> None:
            answer = await client.call_tool("weather", {"city": "Oslo"})
            assert answer.structured_content == {"city": "Oslo", "days": 1, "sky": "clear", "calls": 1}
            assert (await client.call_tool("shout", {"text": ""})).is_error
            for unknown in ({"city": "Oslo", "days": 2}, {"city": "Bergen"}):
                with pytest.raises(MCPError, match="no case for these arguments"):
                    await client.call_tool("weather", unknown)

        visit(mock.url + path, calls)


def test_what_headers_say_is_not_written(modern: str, tmp_path: Path) -> None:
    file = tmp_path / "imported.json"
    done = command(modern, "--header", f"Authorization: {TOKEN}", "--call", "echo_secret", "--out", file)
    assert done.returncode == 0
    assert "very-secret" not in file.read_text() + done.stdout + done.stderr
    tools = json.loads(file.read_text())["mcp"]["tools"]
    [case] = next(tool for tool in tools if tool["name"] == "echo_secret")["cases"]
    assert case["result"]["content"][0]["text"] == "your header was [redacted], {{args.text}}"


def test_without_out_it_is_printed_and_what_cannot_be_called_is_said(modern: str) -> None:
    done = command(modern, "--call", "none", "--call", "confirm")
    assert json.loads(done.stdout)["mcp"]["serverInfo"] == {"name": "real", "version": "2.1.0"}
    assert "aimock: tool none: the server does not list it\n" in done.stderr
    assert "aimock: tool confirm: " in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ftp://x/mcp"], "URL: expected an http or https URL"),
        (["http://127.0.0.1:1/mcp"], "cannot connect to 127.0.0.1:1: Connection refused"),
        (["http://127.0.0.1:1/mcp", "--header", "nothing-secret"], "argument --header: expected NAME:VALUE"),
        (["http://127.0.0.1:1/mcp", "--call", "tool=[1]"], "expected NAME or NAME=JSON"),
        (["http://127.0.0.1:1/mcp", "--timeout", "0"], "--timeout: expected seconds above 0"),
    ],
)
def test_what_cannot_be_imported_is_told_in_a_line(words: list[str], says: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert "nothing-secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_wants_another_key(modern: str) -> None:
    done = command(modern, "--header", "x-key: wrong")
    assert done.returncode == 1
    assert done.stderr.endswith(" answered 401\n")


# -- recording ---------------------------------------------------------------------------------------------------------


def text_of(result: Any) -> Any:
    return result.structured_content or result.content[0].text


def test_calls_go_to_the_real_server_once(real: str, tmp_path: Path) -> None:
    file = tmp_path / "learned.json"
    record = {"upstream": real, "file": str(file)}

    async def work(client: Client) -> list[Any]:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["weather", "shout", "echo_secret", "confirm"]
        calls = [{"city": "Rome"}, {"city": "Rome", "days": 2}, {"city": "Rome"}, {"days": 2, "city": "Rome"}]
        return [text_of(await client.call_tool("weather", call)) for call in calls]

    with MCPMock(settings={"record": record}) as mock:
        first, second, again, reordered = visit(mock.url, work)
        assert (first, second) == (again, reordered)
        assert first["calls"] + 1 == second["calls"]
        assert visit(mock.url, everything)["greeting"][0]["content"]["text"] == "Please greet Ada warmly."
    with MCPMock(settings={"record": record | {"upstream": "http://127.0.0.1:1/gone"}}) as mock:
        assert visit(mock.url, work) == [first, second, first, second]

        async def unknown(client: Client) -> None:
            with pytest.raises(MCPError, match="cannot connect to"):
                await client.call_tool("weather", {"city": "Nowhere"})

        visit(mock.url, unknown)
    [(path, service)] = load_config(file).services  # and it is a config file of its own
    with AIMock().mount(path, service) as alone:
        assert visit(alone.url + path, work) == [first, second, first, second]


def test_what_is_there_already_is_answered_here(modern: str, tmp_path: Path) -> None:
    record = {"upstream": modern, "file": str(tmp_path / "learned.json"), "headers": {"Authorization": TOKEN}}
    mock = MCPMock(settings={"record": record})
    mock.add_tool({"name": "weather", "cases": [{"arguments": {"city": "Here"}, "result": "mine"}]})
    mock.add_tool({"name": "local", "result": "here"})

    async def work(client: Client) -> None:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["weather", "local", "shout", "echo_secret", "confirm"]
        assert text_of(await client.call_tool("weather", {"city": "Here"})) == "mine"
        assert text_of(await client.call_tool("weather", {"city": "Lima"}))["city"] == "Lima"
        assert text_of(await client.call_tool("local", {})) == "here"
        assert "[redacted], {{args.text}}" in str(text_of(await client.call_tool("echo_secret", {})))
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("nobody has it", {})
        assert (await client.call_tool("weather", {})).is_error  # by its own schema

    with mock:
        visit(mock.url, work)
        assert "very-secret" not in (tmp_path / "learned.json").read_text() + str(mock.get_requests())
    learned = json.loads((tmp_path / "learned.json").read_text())["mcp"]["tools"]
    assert [tool["name"] for tool in learned if tool["cases"]] == ["weather", "echo_secret"]


def test_a_secret_among_the_arguments_is_not_written_down(modern: str, tmp_path: Path) -> None:
    file = tmp_path / "learned.json"
    record = {"upstream": modern, "file": str(file), "headers": {"Authorization": TOKEN}}

    async def work(client: Client) -> None:
        answer = await client.call_tool("shout", {"text": TOKEN})
        assert not answer.is_error

    with MCPMock(settings={"record": record}) as mock:
        visit(mock.url, work)
    assert "very-secret" not in file.read_text()


def test_strict_asks_nobody(modern: str, tmp_path: Path) -> None:
    file = tmp_path / "learned.json"

    async def work(client: Client) -> None:
        assert (await client.list_tools()).tools == []
        with pytest.raises(MCPError):
            await client.call_tool("weather", {"city": "Rome"})

    with MCPMock(settings={"record": {"upstream": modern, "file": str(file)}}, strict=True) as mock:
        visit(mock.url, work)
    assert not file.exists()


def test_a_reset_learns_anew_from_the_file(modern: str, tmp_path: Path) -> None:
    async def work(client: Client) -> Any:
        return text_of(await client.call_tool("weather", {"city": "Rome"}))

    with MCPMock(settings={"record": {"upstream": modern, "file": str(tmp_path / "learned.json")}}) as mock:
        first = visit(mock.url, work)
        mock.reset()
        assert visit(mock.url, work) == first


@pytest.mark.parametrize(
    ("record", "content", "says"),
    [
        ({}, None, "record.upstream: is missing"),
        ({"upstream": "x"}, None, "record.upstream: expected an http or https URL"),
        ({"upstream": "http://u:p@h/"}, None, "record.upstream: expected a URL without user"),
        ({"upstream": "http://h/", "to": 1}, None, "record.to: unknown key"),
        ({"upstream": "http://h/", "headers": {"a": 1}}, None, "record.headers.a: expected a string"),
        ({"upstream": "http://h/", "headers": {"a": "b\r\nc: d"}}, None, "record.headers.a: expected a string"),
        ({"upstream": "http://h/"}, "{", "cannot be read"),
        ({"upstream": "http://h/"}, "[]", "expected an object with a section mcp"),
        ({"upstream": "http://h/"}, '{"mcp": {"tools": [{}]}}', "tools[0].name: is missing"),
    ],
)
def test_recording_that_cannot_be(tmp_path: Path, record: Any, content: str | None, says: str) -> None:
    if content is not None:
        record = record | {"file": str(tmp_path / "learned.json")}
        (tmp_path / "learned.json").write_text(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011  the text is looked at below
        MCPMock(settings={"record": record})
    assert says in str(error.value)

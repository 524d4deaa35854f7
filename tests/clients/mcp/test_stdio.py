"""Over standard input and output: the official client starts the server, and what no client would send."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client

SECTION = {
    "serverInfo": {"name": "files", "version": "3"},
    "tools": [
        {
            "name": "look",
            "inputSchema": {"type": "object", "properties": {"at": {"type": "string"}}},
            "result": "seen {{args.at}}",
        },
        {
            "name": "ask",
            "elicitation": {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}},
            "result": "{{input.elicitation.action}}",
        },
        {"name": "slow", "delayMs": 3600000, "result": "late"},
    ],
    "resources": [{"uri": "file:///a", "name": "A", "text": "a"}],
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@pytest.fixture
def section(tmp_path: Path) -> Path:
    file = tmp_path / "files.json"
    file.write_text(json.dumps({"mcp": SECTION}))
    return file


def words(*more: str | Path) -> list[str]:
    return ["-m", "aimock", "mcp", "--stdio", *map(str, more)]


def parameters(*more: str | Path) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=words(*more), env=dict(os.environ))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_starts_it(section: Path, mode: Any) -> None:
    async def work() -> None:
        async with Client(parameters("--config", section), mode=mode) as client:
            assert client.server_info is not None
            assert client.server_info.name == "files"
            assert [tool.name for tool in (await client.list_tools()).tools] == ["look", "ask", "slow"]
            result = await client.call_tool("look", {"at": "é\n"})
            assert result.content[0].text == "seen é\n"  # type: ignore[union-attr]
            assert (await client.read_resource("file:///a")).contents[0].text == "a"  # type: ignore[union-attr]

    _run(work)


def test_the_server_asks_the_client_back(section: Path) -> None:
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="decline")

    async def work() -> None:
        async with (
            stdio_client(parameters("--config", section)) as (read, write),
            ClientSession(read, write, elicitation_callback=answer) as session,
        ):
            await session.initialize()
            result = await session.call_tool("ask", {})
            assert result.content[0].text == "decline"  # type: ignore[union-attr]

    _run(work)


def _run(work: Any) -> None:
    async def bounded() -> None:
        with anyio.fail_after(30):
            await work()

    anyio.run(bounded)


def talk(*lines: Any, more: tuple[str | Path, ...] = ()) -> tuple[list[Any], subprocess.CompletedProcess[bytes]]:
    """What it answers to these lines, and how it ended."""
    sent = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    done = subprocess.run([sys.executable, *words(*more)], input=sent, capture_output=True, timeout=60, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def test_every_line_is_answered_in_its_order_and_the_end_is_the_end(section: Path) -> None:
    call = {"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {"name": "look", "arguments": {"at": "x"}}}
    slow = {"jsonrpc": "2.0", "id": "s", "method": "tools/call", "params": {"name": "slow"}}
    ping = {"jsonrpc": "2.0", "id": "p", "method": "ping"}
    answers, done = talk(INITIALIZE, INITIALIZED, slow, call, b"\n", b"  \n", ping, more=("--config", section))
    assert [answer["id"] for answer in answers] == [1, "c", "p"]
    assert answers[1]["result"]["content"][0]["text"] == "seen x"
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("line", "code", "id"),
    [
        (b"{broken\n", -32700, None),
        (b"\xff\xfe\n", -32700, None),
        (b"[]\n", -32600, None),
        (b'[{"jsonrpc":"2.0","id":5,"method":"ping"}]\n', -32600, None),
        (b'"text"\n', -32600, None),
        (b'{"id": 7, "method": "ping"}\n', -32600, 7),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}\n', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 8, "method": "no/such"}\n', -32601, 8),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": []}\n', -32602, 9),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "none"}}\n', -32602, 9),
        (
            b'{"jsonrpc": "2.0", "id": 6, "method": "ping", "params": {"x": "' + b"y" * 17_000_000 + b'"}}\n',
            -32600,
            None,
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_no_client_would_send(line: bytes, code: int, id: Any) -> None:
    ping = {"jsonrpc": "2.0", "id": "after", "method": "ping"}
    answers, done = talk(INITIALIZE, line, ping)
    refused = answers[1]
    assert (refused["error"]["code"], refused["id"]) == (code, id)
    assert answers[2] == {"jsonrpc": "2.0", "id": "after", "result": {}}
    assert done.returncode == 0


def test_a_line_without_an_end_is_one() -> None:
    answers, _ = talk(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
    assert answers == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


def test_batches_where_the_revision_has_them() -> None:
    params = INITIALIZE["params"] | {"protocolVersion": "2025-03-26"}  # type: ignore[operator]
    batch = [{"jsonrpc": "2.0", "id": id, "method": "ping"} for id in ("a", "b")]
    answers, _ = talk(INITIALIZE | {"params": params}, batch)
    assert [answer["id"] for answer in answers] == [1, "a", "b"]


def test_before_it_is_initialized_only_pings_are_answered() -> None:
    answers, _ = talk({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answers[0]["error"]["code"] == -32600


def test_logs_go_elsewhere_and_so_does_what_handlers_print(section: Path) -> None:
    missed = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "none"}}
    answers, done = talk(INITIALIZE, missed, more=("--log-level", "debug", section))
    assert len(answers) == 2
    assert b"Unknown tool: none" in done.stderr


def test_files_add_up_and_ids_repeat_from_a_seed(section: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.json"
    other.write_text(json.dumps({"tools": [{"name": "more", "result": "m"}]}))
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps({"tools": SECTION["tools"]}))
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    first, _ = talk(INITIALIZE, listing, more=("--seed", "3", plain, other))
    again, _ = talk(INITIALIZE, listing, more=("--seed", "3", plain, other))
    assert first == again
    assert [tool["name"] for tool in first[1]["result"]["tools"]] == ["look", "ask", "slow", "more"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "Expecting property name"),
        ('{"tool": []}', "tool: unknown key"),
        ('{"mcp": {"tools": [{}]}}', "mcp.tools[0].name: is missing"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_is_told_in_a_line(tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "f.json"
    if content is not None:
        file.write_text(content)
    answers, done = talk(more=(file,))
    assert answers == []
    assert done.returncode == 1
    assert done.stderr.startswith(b"aimock: ")
    assert says in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_one_input_has_room_for_one_server(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"mcp": [{"path": "/a"}, {"path": "/b"}]}))
    _, done = talk(more=("--config", file))
    assert (done.returncode, done.stderr.count(b"several servers")) == (1, 1)


def test_it_ends_when_nobody_reads_or_it_is_told_to() -> None:
    with subprocess.Popen([sys.executable, *words()], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()  # it is up, and hears signals
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

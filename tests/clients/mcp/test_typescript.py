"""The official TypeScript SDK, by a script of Node's: Streamable HTTP, and the transport that came before it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import node_packages
from aimock.surfaces.mcp.mock import MCPMock

SCRIPT = Path(__file__).parent / "client.mjs"


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_the_typescript_sdk(mcp: MCPMock, transport: str) -> None:
    packages = node_packages.installed()
    command = [packages / ".bin" / "node", SCRIPT, mcp.url, transport]
    environment = os.environ | {"NODE_PATH": str(packages)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            ready = process.stdout.readline()
            assert ready == "READY\n", ready + process.stderr.read()
            mcp.notify("file:///a.txt")
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    told = json.loads(out)
    # Over HTTP+SSE the SDK reads the answer before notifications that came with it, whose token it then forgot.
    unheard = ["Received a progress notification for an unknown token" in error for error in told["errors"]]
    if transport == "sse" and all(unheard):
        assert len(told["progress"]) + len(unheard) == 2
        told |= {"progress": [1, 2], "errors": []}
    assert told == {
        "server": "mcp-mock",
        "names": ["echo", "works", "logs", "greet", "thinks", "roots", "slow", "add", "ask"],
        "echo": "hi",
        "sum": {"sum": 5},
        "works": "ok",
        "progress": [1, 2],
        "greet": "Hello, Ann",
        "thinks": "thought: Think of cats",
        "roots": "file:///home",
        "ask": "You are Ann",
        "resource": "user 7",
        "prompt": "Say hello to Ann",
        "completion": ["Bob"],
        "logs": ["high"],
        "cancelled": True,
        "ping": 0,
        "updated": "file:///a.txt",
        "errors": [],
    }

"""The official client of AG-UI, in node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimock import AGUIMock
from npm_packages import node_modules

HERE = Path(__file__).parent
CLIENT = "@ag-ui/client@1.0.0"


def node(script: str, modules: Path, given: str) -> list[Any]:
    """What a script beside this file prints, a line of JSON each."""
    words = ["node", str(HERE / script), str(modules)]
    ran = subprocess.run(words, input=given, capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture(scope="session")
def modules() -> Path:
    return node_modules(CLIENT)


@pytest.fixture
def agent() -> Iterator[AGUIMock]:
    """An agent on a server of its own."""
    with AGUIMock(seed=7) as mock:
        yield mock


@pytest.fixture
def run(agent: AGUIMock, modules: Path) -> Callable[..., list[Any]]:
    """Runs of HttpAgent, one after the other in one thread: run({"text": "hi"}, {"text": "more"})."""

    def ask(*runs: dict[str, Any], url: str | None = None, **more: Any) -> list[Any]:
        told = node("run.cjs", modules, json.dumps({"url": url or agent.url, "runs": runs} | more))
        return sorted(told, key=lambda one: int(one["index"]))

    return ask

"""The official JavaScript SDK, where node and npm are there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from aimock.surfaces.a2a.mock import A2AMock
from npm_packages import node_modules

_SDK = "@a2a-js/sdk@1.3.0"
_SECONDS = 60


@pytest.mark.parametrize(("binding", "name"), [("JSONRPC", "JsonRpc"), ("HTTP+JSON", "Rest")])
def test_everything_with_the_sdk_for_javascript(agent: A2AMock, binding: str, name: str, tmp_path: Path) -> None:
    packages = node_modules(_SDK)
    script = tmp_path / "ask.mjs"  # packages are looked for beside the script, and above it
    shutil.copy(Path(__file__).with_name("ask.mjs"), script)
    (tmp_path / "node_modules").symlink_to(packages)
    ran = subprocess.run(
        ["node", str(script), agent.url, binding], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "said": ["Hi!", {"n": [1, None]}],
        "report": ["the report"],
        "streamed": ["task", "statusUpdate", "artifactUpdate", "artifactUpdate", "statusUpdate"],
        "asked": 6,
        "answered": ["sunny"],
        "pushed": "p",
        "got": True,
        "listed": [2, 4, True],
        "canceled": 5,
        "followed": ["task", "statusUpdate"],
        "unknown": f"{name}TaskNotFoundError",
    }

"""The official JavaScript SDK, where node and npm are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimock.surfaces.a2a.mock import A2AMock
from npm_packages import printed

_SDK = "@a2a-js/sdk@1.3.0"


@pytest.mark.parametrize(("binding", "name"), [("JSONRPC", "JsonRpc"), ("HTTP+JSON", "Rest")])
def test_everything_with_the_sdk_for_javascript(agent: A2AMock, binding: str, name: str, tmp_path: Path) -> None:
    told = printed(Path(__file__).with_name("ask.mjs"), _SDK, tmp_path, agent.url, binding)
    assert told == {
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

"""Qdrant's official JavaScript client, where node and npm are there: under a prefix, and at the origin."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from aimock.surfaces.vector.mock import VectorMock
from npm_packages import node_modules

_CLIENT = "@qdrant/js-client-rest@1.18.0"
"""The last that has the older routes too (search, recommend)."""
_SECONDS = 60
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.mark.parametrize("prefix", ["/vector/qdrant", ""])
def test_everything_with_the_client_for_javascript(prefix: str, tmp_path: Path) -> None:
    packages = node_modules(_CLIENT)
    script = tmp_path / "ask.mjs"  # packages are looked for beside the script, and above it
    shutil.copy(Path(__file__).with_name("qdrant.mjs"), script)
    (tmp_path / "node_modules").symlink_to(packages)
    with VectorMock(seed=1) as mock:
        words = ["node", str(script), mock.url.removesuffix("/vector"), *filter(None, [prefix])]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "created": True,
        "upserted": "completed",
        "searched": [[1, 1], [UUID, 0.70710677]],
        "queried": [{"n": 3}, {"n": 2}],
        "recommended": [UUID],
        "fused": [1, UUID, 2],
        "page": [[1, 2], UUID, [0, 0.6, 0.8]],
        "second": {"city": "London", "n": 2, "old": True},
        "count": 2,
        "exists": True,
        "failed": [404, "Not found: Collection `nowhere` doesn't exist!"],
        "collections": [],
        "warnings": [],
    }

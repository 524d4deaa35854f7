"""Qdrant's official JavaScript client, where node and npm are there: under a prefix, and at the origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimock.surfaces.vector.mock import VectorMock
from npm_packages import printed

_CLIENT = "@qdrant/js-client-rest@1.18.0"
"""The last that has the older routes too (search, recommend)."""
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.mark.parametrize("prefix", ["/vector/qdrant", ""])
def test_everything_with_the_client_for_javascript(prefix: str, tmp_path: Path) -> None:
    with VectorMock(seed=1) as mock:
        told = printed(
            Path(__file__).with_name("qdrant.mjs"),
            _CLIENT,
            tmp_path,
            mock.url.removesuffix("/vector"),
            *filter(None, [prefix]),
        )
    assert told == {
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

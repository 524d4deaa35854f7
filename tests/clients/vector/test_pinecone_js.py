"""The official JavaScript client, where node and npm are there."""

from __future__ import annotations

from pathlib import Path

from aimock.surfaces.vector.mock import VectorMock
from npm_packages import printed

_CLIENT = "@pinecone-database/pinecone@8.2.0"


def test_the_quick_start_with_the_client_for_javascript(tmp_path: Path) -> None:
    with VectorMock() as mock:
        told = printed(Path(__file__).with_name("pinecone.mjs"), _CLIENT, tmp_path, mock.url)
    assert told == {
        "created": ["quick", 3, True],
        "host": True,
        "spec": "aws",
        "query": [["a", 1], ["c", 0.7071], ["b", 0]],
        "metadata": {"genre": "drama", "year": 2020},
        "values": [1, 0, 0],
        "namespace": "__default__",
        "filtered": [["b", 0]],
        "fetched": ["a"],
        "listed": ["a", "b", "c"],
        "last": None,
        "stats": [3, 3, {"__default__": {"recordCount": 3}}],
        "namespaces": [["__default__", 3], ["other", 1]],
        # It has no class of its own for 403.
        "errors": [
            "PineconeBadRequestError",
            "PineconeNotFoundError",
            "PineconeConflictError",
            "PineconeBadRequestError",
        ],
        "configured": ["disabled", {"env": "test"}],
        "left": 0,
    }

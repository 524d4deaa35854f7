"""The official JavaScript client, where node and npm are there. It takes a host and a port, and no path."""

from __future__ import annotations

from pathlib import Path

from aimock import AIMock, VectorMock
from npm_packages import printed

_CLIENT = "chromadb@3.5.0"


def test_the_quick_start_with_the_client_for_javascript(tmp_path: Path) -> None:
    with AIMock() as server:
        server.mount("/vector", VectorMock())
        told = printed(Path(__file__).with_name("chroma.mjs"), _CLIENT, tmp_path, str(server.port))
    assert told == {
        "version": "1.0.0",
        "query": [[["2", "3"]], [["ccc", "abc"]], [[1, 3]], [[{"n": 2}, {"n": 3}]]],
        "got": [["1", "3"], ["aa", "abc"], [[2, 0, 0], [1, 1, 1]]],
        "metadata": {"about": "letters"},
        "count": 3,
        "listed": ["novels"],
        "errors": ["ChromaNotFoundError", "ChromaUniqueError", "ChromaClientError"],
        "left": 0,
    }

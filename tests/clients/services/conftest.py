"""A live server for a module's tests, empty for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aimock import AIMock


@pytest.fixture(scope="module")
def server() -> Iterator[AIMock]:
    with AIMock() as running:
        yield running


@pytest.fixture
def mock(server: AIMock) -> AIMock:
    """That of the module, empty."""
    server.reset()
    return server

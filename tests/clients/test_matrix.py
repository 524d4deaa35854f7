"""Every official client, every kind of answer: the support matrix, docs/support.md, over real sockets.

The page is the expectation: each of its cells is one test. `yes` means that the client has just what the fixture says;
the name of an exception, that it raises it; a dash, that the question cannot be put in its terms. After a change that
is meant, or with new SDKs, this writes the cells anew:

    python tests/clients/test_matrix.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from aimock import AIMock
from aimock_protocols.registry import chat_protocols
from matrix import CLIENTS, load, of
from matrix.asking import NO_SUCH, YES, Asking
from matrix.page import WAYS, Cell, cells, rewrite
from matrix.scenarios import SCENARIOS

MISSING = load("clients")

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with AIMock() as server, Asking(server) as clients:
        yield clients


@pytest.mark.parametrize("cell", list(cells("clients")), ids=str)
def test_a_client_has_what_the_page_says(asking: Asking, cell: Cell) -> None:
    assert asking.outcome(cell) == cell.expected


def test_the_page_has_every_client_and_every_scenario() -> None:
    told = {(cell.way, cell.client, cell.scenario) for cell in cells("clients")}
    assert told == {(way, client, name) for way in WAYS for client in of("clients") for name in SCENARIOS}


def test_every_protocol_has_a_client() -> None:
    assert {CLIENTS[name].speaks for name in of("clients")} == {protocol.name for protocol in chat_protocols()}


def test_nothing_in_it_is_a_no() -> None:
    """What answers are made of reaches every client that can take it."""
    for cell in cells("clients"):
        if SCENARIOS[cell.scenario].expected is not None:
            assert cell.expected in (YES, NO_SUCH), cell


if __name__ == "__main__":
    with AIMock() as running, Asking(running) as clients:
        rewrite("clients", clients.outcome)

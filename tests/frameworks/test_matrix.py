"""What frameworks make of the same answers: their rows of docs/support.md.

Some pin older SDKs than the newest, and have an environment of their own: what is not installed is skipped.

    python tests/frameworks/test_matrix.py           writes the rows of what is installed anew
    pip install '.[pinned]'                          for the others, and then both again
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from aimock import AIMock
from matrix import CLIENTS, load, of
from matrix.asking import NO_SUCH, YES, Asking
from matrix.page import WAYS, Cell, cells, rewrite
from matrix.scenarios import SCENARIOS

MISSING = load("frameworks")

pytestmark = pytest.mark.filterwarnings("ignore")  # what frameworks warn of is their own affair


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with AIMock() as server, Asking(server) as clients:
        yield clients


@pytest.mark.parametrize("cell", list(cells("frameworks")), ids=str)
def test_a_framework_has_what_the_page_says(asking: Asking, cell: Cell) -> None:
    if cell.client not in CLIENTS:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    assert asking.outcome(cell) == cell.expected


def test_the_page_has_every_framework_and_every_scenario() -> None:
    told = {(cell.way, cell.client, cell.scenario) for cell in cells("frameworks")}
    assert told >= {(way, client, name) for way in WAYS for client in of("frameworks") for name in SCENARIOS}


def test_each_reaches_three_providers_and_more() -> None:
    rows = {cell.client for cell in cells("frameworks")}
    reached = Counter(re.split("[- ]", name)[0] for name in rows)
    assert set(reached) == {"langchain", "litellm", "pydantic"}
    assert min(reached.values()) >= 3


def test_nothing_in_it_is_a_no() -> None:
    for cell in cells("frameworks"):
        if SCENARIOS[cell.scenario].expected is not None:
            assert cell.expected in (YES, NO_SUCH), cell


if __name__ == "__main__":
    with AIMock() as running, Asking(running) as clients:
        rewrite("frameworks", clients.outcome)

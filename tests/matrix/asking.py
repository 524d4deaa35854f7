"""Asking: a scenario put to a client, and what comes of it as the page says it."""

from __future__ import annotations

import functools
import warnings

from aimock import AIMock
from matrix import CLIENTS, Client
from matrix.page import Cell
from matrix.scenarios import PIECEMEAL, SCENARIOS, agrees

YES, NO_SUCH = "yes", "–"


@functools.cache
def connected(name: str, url: str) -> Client:
    """Making a client can take longer than all that it is asked."""
    return CLIENTS[name](url)


def outcome(server: AIMock, cell: Cell) -> str:
    """What the client has of the scenario."""
    client = connected(cell.client, server.url)
    if cell.scenario in client.lacks:
        return NO_SUCH
    scenario = SCENARIOS[cell.scenario]
    server.reset()
    server.on(dict(scenario.match), scenario.response, **scenario.options)
    stream = cell.way == "streamed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # some clients leave a broken connection to the collector
        try:
            seen = client.ask(scenario.question, stream)
        except Exception as error:
            if scenario.expected is not None:
                raise
            return type(error).__name__
    if scenario.expected is None:
        return f"no error, {seen.text!r}"
    return YES if agrees(seen, scenario.expected, in_pieces=stream and cell.scenario in PIECEMEAL) else f"no: {seen}"

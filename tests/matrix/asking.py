"""Asking: a scenario put to a client, and what comes of it as the page says it."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator
from typing import Self

from aimock import AIMock
from matrix import CLIENTS, Client
from matrix.page import Cell
from matrix.scenarios import PIECEMEAL, SCENARIOS, agrees

YES, NO_SUCH = "yes", "–"


class Asking:
    """A server, and the clients that have asked it so far: making one can take longer than all that it is asked."""

    def __init__(self, server: AIMock) -> None:
        self._server = server
        self._clients: dict[str, Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self._clients.clear()
            gc.collect()  # some leave their connections to the collector

    def outcome(self, cell: Cell) -> str:
        """What the client has of the scenario."""
        client = self._clients.get(cell.client)
        if client is None:
            client = self._clients[cell.client] = CLIENTS[cell.client](self._server.url)
        if cell.scenario in client.lacks:
            return NO_SUCH
        scenario = SCENARIOS[cell.scenario]
        self._server.reset()
        self._server.on(dict(scenario.match), scenario.response, **scenario.options)
        stream = cell.way == "streamed"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # some leave a broken connection to the collector too
            try:
                with _nothing_collected():
                    seen = client.ask(scenario.question, stream)
            except Exception as error:
                if scenario.expected is not None:
                    raise
                return type(error).__name__
        if scenario.expected is None:
            return f"no error, {seen.text!r}"
        if agrees(seen, scenario.expected, in_pieces=stream and cell.scenario in PIECEMEAL):
            return YES
        return f"no: {seen}"


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """httpcore's pool waits for itself if the collector closes a forgotten stream while the thread has its lock."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
